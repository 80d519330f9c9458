#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The way back on a whole Debian with a real Docker and dpkg: killed at any process, on a full disk, beside what
# somebody did meanwhile, and made to fail, kind by kind, until the cause is gone.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults} "$SYSBOXUP_BUILD/tools/hostdiff"
	# shellcheck source=tests/lib/install.bash
	. "$REPO/tests/lib/install.bash"
	BUILD=$SYSBOXUP_BUILD CATALOG_METHOD=deb install_prepare "$BATS_FILE_TMPDIR" 0.7.0
}

setup() {
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	# shellcheck source=tests/lib/install.bash
	. "$REPO/tests/lib/install.bash"
	G=undo-$BATS_TEST_NUMBER-$$
	guest_boot "$G"
	install_into "$G" "$BATS_FILE_TMPDIR"
	guest_put "$G" "$SYSBOXUP_BUILD/sysboxup-faults" /root/faulty
	guest_put "$G" "$SYSBOXUP_BUILD/tools/hostdiff" /root/hostdiff
	guest_run "$G" sh -c 'echo "{ \"docker\": { \"settings\": { \"debug\": true, \"labels\": [\"ours=1\"] } } }" >/srv/small.json'
}

teardown() {
	guest_destroy "$G"
}

up() {
	guest_run "$G" sysboxup "$@"
}

snap() {
	guest_run "$G" /root/hostdiff snap / --skip /var/lib/sysboxup --skip /root --skip /srv >"$BATS_TEST_TMPDIR/$1"
	guest_get "$G" /var/lib/dpkg/status >"$BATS_TEST_TMPDIR/$1.status"
}

as_before() {
	snap after
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	cmp "$BATS_TEST_TMPDIR/before.status" "$BATS_TEST_TMPDIR/after.status"
	[ -z "$(guest_run "$G" dpkg --audit)" ]
}

# killed WHO CONDITION...: apply is begun; as soon as the command CONDITION succeeds the processes WHO (worker,
# supervisor, both) are killed, and recover runs at once. Its exit code is in $recovered, that of apply in $applied.
killed() {
	local who=$1
	shift
	guest_run "$G" sh -c '
		who=$1; shift
		sysboxup apply --force container --force recover-unit --profile /srv/demo/profile.json >/root/out 2>&1 & p=$!
		until w=$(pgrep -P $p) && "$@" >/dev/null 2>&1; do kill -0 $p || exit 9; done
		case $who in
		worker) kill -KILL $w ;;
		supervisor) kill -KILL $p ;;
		both) kill -KILL $p $w ;;
		esac
		sysboxup recover >/root/recovered 2>&1; r=$?
		wait $p; a=$?
		pgrep -x "dpkg|apt-get|apt-mark|systemctl|dpkg-deb|sysboxup" && exit 8
		echo "$a $r" >/root/codes' sh "$who" "$@"
	read -r applied recovered <<<"$(guest_get "$G" /root/codes)"
}

@test "kill -9 during dpkg, of the worker, the supervisor or both: nothing of ours runs on, recover waits and never races" {
	local who
	snap before
	for who in both supervisor; do
		killed $who test -e /usr/bin/sysbox-runc
		[ "$applied" -eq 137 ] && [ "$recovered" -eq 0 ]
		as_before
	done
	killed worker test -e /usr/bin/sysbox-runc
	# the supervisor recovers by itself; who asks meanwhile is told so, or finds it done
	[ "$applied" -eq 1 ] && [[ $recovered =~ ^[04]$ ]]
	as_before
}

@test "kill -9 during systemctl, of the worker, the supervisor or both: nothing of ours runs on, recover waits and never races" {
	local who
	guest_run "$G" sh -c 'mkdir -p /etc/systemd/system-generators && printf "#!/bin/sh\nsleep 1\n" >/etc/systemd/system-generators/slow && chmod 755 /etc/systemd/system-generators/slow'
	snap before
	for who in both supervisor; do
		killed $who pgrep -f 'systemctl daemon-reload'
		[ "$applied" -eq 137 ] && [ "$recovered" -eq 0 ]
		as_before
	done
	killed worker pgrep -f 'systemctl daemon-reload'
	[ "$applied" -eq 1 ] && [[ $recovered =~ ^[04]$ ]]
	as_before
}

# An apply that is killed while dpkg unpacks the package, its dependencies in place.
interrupted_in_dpkg() {
	guest_run "$G" sh -c '
		sysboxup apply --force container --force recover-unit --profile /srv/demo/profile.json >/root/out 2>&1 & p=$!
		until [ -e /usr/bin/sysbox-runc ]; do kill -0 $p || exit 9; done
		kill -KILL $p $(pgrep -P $p); wait $p; exit 0'
}

# What ext4 frees only at its next commit is filled in a further round.
fill() {
	guest_run "$G" sh -c '
		for n in 1 2 3 4 5 6 7 8; do
			cat /dev/zero >/var/filler.$n 2>/dev/null
			sync -f /var
			[ -s /var/filler.$n ] || exit 0
		done
		exit 1'
}

unfill() {
	guest_run "$G" sh -c 'rm -f /var/filler.*'
}

@test "dpkg's undo on a full disk succeeds, from the space set aside; without that it is FAILED until there is some" {
	snap before
	interrupted_in_dpkg
	fill
	run -0 up recover
	unfill
	as_before
	interrupted_in_dpkg
	guest_run "$G" sh -c 'rm /var/lib/sysboxup/txn/*/ballast'
	fill
	run -5 up recover
	[[ $output == *"packages"* ]]
	run -5 up status
	[[ $output == *"packages: not undone yet"* ]]
	unfill
	run -0 up recover
	as_before
}

@test "a dependency that something installed since the crash needs stays, still automatic, and the rest goes" {
	interrupted_in_dpkg
	guest_run "$G" sh -c 'mkdir -p /root/p/DEBIAN && printf "Package: needs-jq\nVersion: 1\nArchitecture: all\nMaintainer: t <t@t.example>\nDepends: jq, fuse3\nDescription: t\n" >/root/p/DEBIAN/control && dpkg-deb -b /root/p /root/p.deb && dpkg --configure -a && dpkg -i /root/p.deb' || true
	[ "$(guest_run "$G" dpkg-query -W -f '${db:Status-Abbrev}' needs-jq)" = "ii " ]
	run -0 up recover
	[[ $output == *"package 'jq' stays: something that was installed meanwhile needs it"* ]]
	[ "$(guest_run "$G" dpkg-query -W -f '${db:Status-Abbrev}' jq fuse3)" = "ii ii " ]
	guest_run "$G" test -e /etc/fuse.conf
	run ! guest_run "$G" dpkg-query -W sysbox-ce
	run -0 guest_run "$G" apt-mark showauto
	[[ $output == *fuse3*jq* ]]
	[ -z "$(guest_run "$G" dpkg --audit)" ]
	run -0 up status
}

@test "a conffile that somebody edited between crash and recover is kept beside, and named" {
	guest_run "$G" sh -c 'echo "# before" >/etc/fuse.conf'
	snap before
	interrupted_in_dpkg
	guest_run "$G" sh -c 'echo "# theirs" >>/etc/fuse.conf; echo "# new" >>/etc/default/rsync'
	run -0 up recover
	[[ $output == *"'/etc/fuse.conf' was changed by somebody else: their version is kept as '/etc/fuse.conf.sysboxup-kept-1'"* ]]
	[ "$(guest_get "$G" /etc/fuse.conf)" = "# before" ]
	guest_run "$G" grep -q '^# theirs' /etc/fuse.conf.sysboxup-kept-1
	guest_run "$G" grep -q '^# new' /etc/default/rsync.sysboxup-kept-1
	guest_run "$G" rm /etc/fuse.conf.sysboxup-kept-1 /etc/default/rsync.sysboxup-kept-1
	as_before
}

# late_at PROFILE: the number of the call that would commit an apply of it. late PROFILE: an apply dies there.
late_at() {
	guest_run "$G" sh -c '
		up="--force container --force recover-unit --profile $1"
		sysboxup apply $up && sysboxup rollback &&
		SYSBOXUP_FAULT=log:/root/log /root/faulty apply $up && sysboxup rollback || exit 9
		awk "\$2 == \"rename\" && /txn/ { n = \$1 } END { print n }" /root/log >/root/at' sh "$1" >/dev/null 2>&1
}

late() {
	guest_run "$G" sh -c '
		SYSBOXUP_FAULT_ALONE=1 SYSBOXUP_FAULT=die-before:$(cat /root/at) /root/faulty apply \
			--force container --force recover-unit --profile $1; [ $? -eq 137 ]' sh "$1" >/dev/null 2>&1
}

# As if the host had been booted since: for the one command.
in_another_boot() {
	guest_run "$G" unshare -m sh -c '
		echo 01234567-89ab-cdef-0123-456789abcdef >/root/boot_id
		mount --bind /root/boot_id /proc/sys/kernel/random/boot_id && grep -q ^01234567 /proc/sys/kernel/random/boot_id || exit 99
		exec "$@"' sh "$@"
}

labels() {
	guest_run "$G" docker info -f '{{.Labels}}'
}

@test "Docker that was stopped since a reboot is not started by recover; one that our text killed is" {
	late_at /srv/small.json
	late /srv/small.json
	guest_run "$G" systemctl stop docker.socket docker.service
	run -0 in_another_boot sysboxup recover
	run -3 guest_run "$G" systemctl is-active docker.service
	run ! guest_run "$G" grep -q ours /etc/docker/daemon.json
	guest_run "$G" systemctl start docker.service
	late /srv/small.json
	guest_run "$G" systemctl stop docker.socket docker.service
	run -0 up recover
	run -0 guest_run "$G" systemctl is-active docker.service
}

@test "Docker that has read our text at a boot without recovery is told of the old one" {
	late_at /srv/small.json
	late /srv/small.json
	guest_run "$G" systemctl restart docker.service
	[[ $(labels) == *ours=1* ]]
	run -0 in_another_boot sysboxup recover
	[[ $(labels) != *ours=1* ]]
}

# fails_until KEY WORDS CAUSE REMEDY: with the shell command CAUSE the undo of KEY fails; status names it and everything
# before it, and says WORDS; after REMEDY recover succeeds, and the host is as before.
fails_until() {
	late /srv/demo/profile.json
	guest_run "$G" sh -c "$3"
	run -5 up recover
	[[ $output == *"$1"* && $output == *"$2"* ]]
	run -5 up apply --force container --force recover-unit --profile /srv/demo/profile.json
	run -5 up status
	[[ $output == *"$1: not undone yet"* && $output == *"$2"* && $output == *"sysboxup recover"* ]]
	guest_run "$G" sh -c "$4"
	run -0 up recover
	run -0 up status
	as_before
}

use_method() {
	guest_run "$G" sed -i "s/\"version\": \"latest\"/\"version\": \"latest\", \"method\": \"$1\"/; s/\"method\": \"auto\", *//; s/, *\"method\": \"auto\"//" /srv/demo/profile.json
	[ "$1" = deb ] || guest_run "$G" bash -c 'apt-get install -y -qq fuse3 rsync >/dev/null 2>&1'
}

@test "by files: each kind of action whose undo fails is FAILED with what to do, and recover succeeds when the cause is gone" {
	use_method files
	late_at /srv/demo/profile.json
	snap before
	fails_until docker-config:/etc/docker/daemon.json "cannot replace '/etc/docker/daemon.json'" \
		"chattr +i /etc/docker/daemon.json" "chattr -i /etc/docker/daemon.json"
	fails_until units: "systemctl" \
		"mv /usr/bin/systemctl /usr/bin/systemctl.away" "mv /usr/bin/systemctl.away /usr/bin/systemctl"
	fails_until file:/usr/bin/sysbox-runc "chattr -i -a '/usr/bin/sysbox-runc'" \
		"chattr +i /usr/bin/sysbox-runc" "chattr -i /usr/bin/sysbox-runc"
	fails_until account:sysbox "'/etc/subuid'" "chattr +i /etc/subuid" "chattr -i /etc/subuid"
}

@test "by dpkg: without dpkg the undo is FAILED, and succeeds when it is there again" {
	use_method deb
	late_at /srv/demo/profile.json
	snap before
	fails_until packages "dpkg" "mv /usr/bin/dpkg /usr/bin/dpkg.away" "mv /usr/bin/dpkg.away /usr/bin/dpkg"
}
