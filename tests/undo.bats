#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The way back on a whole Debian with a real Docker and dpkg: killed at any process, on a full disk, and beside what
# somebody did meanwhile.
bats_require_minimum_version 1.5.0

setup_file() {
	export GUEST_DOCKER=--iptables=false
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup"
	make -s -C "$REPO/tests/tools"
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
}

teardown() {
	guest_destroy "$G"
}

up() {
	guest_run "$G" sysboxup "$@"
}

snap() {
	guest_snap "$G" --skip /var/lib/sysboxup --skip /root --skip /srv >"$BATS_TEST_TMPDIR/$1"
	guest_get "$G" /var/lib/dpkg/status >"$BATS_TEST_TMPDIR/$1.status"
}

as_before() {
	snap after
	"$REPO/build/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
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
		pgrep -x "dpkg|apt-get|apt-config|apt-mark|systemctl|dpkg-deb|sysboxup" && exit 8
		echo "$a $r" >/root/codes' sh "$who" "$@"
	read -r applied recovered <<<"$(guest_get "$G" /root/codes)"
	guest_run "$G" tail -n 5 /root/codes /root/out /root/recovered # shown where the test fails
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
		killed $who pgrep -f '[s]ystemctl daemon-reload'
		[ "$applied" -eq 137 ] && [ "$recovered" -eq 0 ]
		as_before
	done
	killed worker pgrep -f '[s]ystemctl daemon-reload'
	[ "$applied" -eq 1 ] && [[ $recovered =~ ^[04]$ ]]
	as_before
}

# interrupted_in_dpkg [CONDITION...]: an apply that is killed while dpkg unpacks the package (or as soon as the command CONDITION
# succeeds), its dependencies in place. What dies with it gives back its space only when it is dead.
interrupted_in_dpkg() {
	[ $# -gt 0 ] || set -- [ -e /usr/bin/sysbox-runc ]
	guest_run "$G" sh -c '
		sysboxup apply --force container --force recover-unit --profile /srv/demo/profile.json >/root/out 2>&1 & p=$!
		until w=$(pgrep -P $p); do kill -0 $p || exit 9; done
		until "$@" >/dev/null; do kill -0 $p || exit 9; done
		kill -KILL $p $w; wait $p
		while pgrep "^dpkg" >/dev/null; do sleep 0.02; done
		[ -e /var/lib/dpkg/updates/0000 ]' sh "$@"	# dpkg was not through: with what it has noted it begins next time
}

@test "apt's marks that a power cut left as zeros, cut off or empty are as before, and those of all other packages with them" {
	local how marks=/var/lib/apt/extended_states
	snap before
	for how in 'truncate -s 0 "$1"; truncate -s "$2" "$1"' 'truncate -s $(($2 / 2 + 3)) "$1"' 'truncate -s 0 "$1"'; do
		interrupted_in_dpkg
		guest_run "$G" sh -c "$how" lost $marks "$(guest_run "$G" stat -c %s $marks)"
		run -0 up recover
		[[ $output == *"'$marks' was lost with the power: it is as it was before"* ]]
		as_before
	done
}

@test "what debconf was writing goes; where it was between its two renames, the second one is done" {
	local dir=/var/cache/debconf
	snap before
	interrupted_in_dpkg
	guest_run "$G" sh -c 'head -c 1000 "$1/config.dat" >"$1/config.dat-new"' half $dir
	run -0 up recover
	as_before
	interrupted_in_dpkg
	guest_run "$G" sh -c 'cp -p "$1/templates.dat" "$1/templates.dat-new"; rm "$1/templates.dat"' between $dir
	run -0 up recover
	[[ $output == *"debconf was half-way to a new 'templates.dat': it is there now"* ]]
	as_before
	# somebody is writing it
	interrupted_in_dpkg
	guest_run "$G" sh -c 'flock "$1/passwords.dat-new" sysboxup recover && rm "$1/passwords.dat-new"' locked $dir
	as_before
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
	without_ballast
	# the package is there by dpkg's notes alone
	without_ballast pgrep -f '[s]ysbox-ce.postinst'
}

without_ballast() {
	interrupted_in_dpkg "$@"
	guest_run "$G" sh -c 'rm /var/lib/sysboxup/txn/*/ballast'
	fill
	run up recover
	[ "$status" -eq 5 ] || { echo "$output"; false; }
	[[ $output == *"packages"* ]]
	run -5 up status
	[[ $output == *"packages: not undone yet"* ]]
	unfill
	run -0 up recover
	as_before
}

@test "a dependency that something installed since the crash needs stays, still automatic, and the rest goes" {
	interrupted_in_dpkg
	guest_run "$G" sh -c 'mkdir -p /root/p/DEBIAN && printf "Package: needs-jq\nVersion: 1\nArchitecture: all\nMaintainer: t <t@t.example>\nDepends: jq, fuse3\nDescription: t\n" >/root/p/DEBIAN/control && dpkg-deb -b /root/p /root/p.deb || exit 1
		dpkg --configure -a	# sysbox-ce itself may be beyond that
		dpkg -i /root/p.deb'
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
