#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A Sysbox that others installed, by its own package or by hand: recognised, adopted without change, upgraded, removed, and
# given back as it was. On a whole Debian with systemd and a real Docker; the packages are stand-ins.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults} "$SYSBOXUP_BUILD/tools/hostdiff"
	. "$REPO/tests/lib/install.bash"
	BUILD=$SYSBOXUP_BUILD install_prepare "$BATS_FILE_TMPDIR" 0.7.0 0.7.1
	"$REPO/tests/standin/build" "$BATS_FILE_TMPDIR/newer.deb" 0.9.0.linux
	# the same version, another build
	"$REPO/tests/standin/build" "$BATS_FILE_TMPDIR/other.deb" 0.7.0.linux man
	. "$REPO/tests/guest/guest.bash"
	export GUEST_DOCKER=--iptables=false READY=adopt-ready-$$
	guest_boot "$READY"
	install_into "$READY" "$BATS_FILE_TMPDIR"
	guest_run "$READY" apt-get install -y -qq fuse3 rsync jq lsb-release >/dev/null 2>&1
	guest_poweroff "$READY"
}

teardown_file() {
	. "$REPO/tests/guest/guest.bash"
	guest_destroy "$READY"
}

setup() {
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/install.bash"
	G=adopt-$BATS_TEST_NUMBER-$$
	GUEST_LIKE=$READY guest_boot "$G"
}

teardown() {
	guest_destroy "$G"
}

# As the package's own documentation has it: its scripts write daemon.json, and have Docker read it.
by_package() {
	guest_run "$G" bash -c 'apt-get install -y -qq $1 >/dev/null 2>&1' sh "${1:-/srv/demo/sysbox-ce_0.7.0-0.linux_standin.deb}"
	[ "$(guest_run "$G" dpkg-query -W -f '${db:Status-Abbrev}' sysbox-ce)" = "ii " ]
}

# by_hand DIR: programs there, units in /etc, and a daemon.json that somebody wrote.
by_hand() {
	guest_run "$G" bash -c '
		set -e
		dpkg-deb -x /srv/demo/sysbox-ce_0.7.0-0.linux_standin.deb /root/x
		install -D -t "$1" /root/x/usr/bin/sysbox-{fs,mgr,runc}
		for u in sysbox sysbox-fs sysbox-mgr; do
			sed "s,/usr/bin/sysbox,$1/sysbox,; s,^WantedBy,# by hand\nWantedBy,; s,sh -c \",&PATH=$1:\\\$PATH; ," \
				/root/x/lib/systemd/system/$u.service >/etc/systemd/system/$u.service
		done
		rm -r /root/x
		useradd -r -s /bin/false sysbox
		echo sysbox:300000:65536 | tee -a /etc/subuid >>/etc/subgid
		mkdir -p /var/lib/sysboxfs
		for k in inotify.max_queued_events inotify.max_user_watches inotify.max_user_instances; do
			echo 1048576 >/proc/sys/fs/${k/.//}
		done
		printf "{ \"runtimes\": {\n\t\"sysbox-runc\" : { \"path\":\"%s/sysbox-runc\" }\n},\"debug\" : false}" "$1" \
			>/etc/docker/daemon.json
		systemctl daemon-reload
		systemctl -q enable sysbox-fs sysbox-mgr sysbox
		systemctl start sysbox
		systemctl reload docker' sh "$1"
}

# want VERSION [METHOD]: the profile.
want() {
	guest_run "$G" sed -i -E "s/\"version\": \"[^\"]*\", *\"method\": \"[a-z]*\"/\"version\": \"$1\", \"method\": \"${2:-auto}\"/" \
		/srv/demo/profile.json
}

up() {
	guest_run "$G" sysboxup "$1" --profile /srv/demo/profile.json --force container "${@:2}"
}

snap() {
	guest_snap "$G" --skip /var/lib/sysboxup --skip /srv >"$BATS_TEST_TMPDIR/$1"
}

# same NAME: the host is as it was at `snap NAME`, and dpkg has nothing to complain about.
same() {
	snap now
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/$1" "$BATS_TEST_TMPDIR/now"
	[ -z "$(guest_run "$G" dpkg --audit)" ]
}

# Which runs of what there are: another one after each start.
runs_of() {
	guest_run "$G" systemctl show -P InvocationID,MainPID sysbox sysbox-mgr sysbox-fs docker
	guest_run "$G" docker ps -a --no-trunc --format '{{.ID}}'
	guest_run "$G" docker inspect -f '{{.State.StartedAt}}' theirs
}

# runs VERSION: that one is what runs: daemons, runtime, and a container with ids of its own.
runs() {
	run -0 guest_run "$G" systemctl is-active sysbox sysbox-mgr sysbox-fs
	run -0 guest_run "$G" sh -c '/proc/$(systemctl show -P MainPID sysbox-mgr)/exe --version'
	[[ $output == *"version: "*"$1"* ]]
	run -0 guest_run "$G" sh -c '$(docker info -f "{{(index .Runtimes \"sysbox-runc\").Path}}") --version'
	[[ $output == *"version: "*"$1"* ]]
	run -0 guest_run "$G" docker run --rm --runtime sysbox-runc bb:1 cat /proc/self/uid_map
	[[ $output =~ ^\ +0\ +[1-9][0-9]{5,}\ +65536$ ]]
}

nothing_to_do() {
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]]
	run -0 guest_run "$G" sysboxup status
}

# adopted WORDS: what is there is shown, adopted, and neither it nor Docker nor a container notices.
adopted() {
	local before
	guest_run "$G" docker run -d --name theirs --runtime sysbox-runc bb:1 sleep 100000 >/dev/null
	snap found
	before=$(runs_of)
	run -0 guest_run "$G" sysboxup status
	[[ $output == *"Sysbox 0.7.0 is here, installed $1"* ]]
	run -7 up plan --check
	[[ $output == *"sysbox "*"adopt: Sysbox 0.7.0 is here, installed $1; it stays as it is"* ]]
	[[ $output == *"/etc/docker/daemon.json  adopt: "* ]]
	[[ $output == *"2 changes pending"* ]]
	run -0 up apply
	same found
	[ "$(runs_of)" = "$before" ]
	nothing_to_do
	[[ $output == *"daemon.json"*"as transaction 1 left it"* ]]
	run -0 guest_run "$G" sysboxup verify --profile /srv/demo/profile.json
	same found
	[ "$(runs_of)" = "$before" ]
}

# What it costs to change one's mind: nothing.
forgotten() {
	local before
	before=$(runs_of)
	run -0 guest_run "$G" sysboxup rollback
	same found
	run -0 guest_run "$G" sysboxup status
	[[ $output == *"Sysbox 0.7.0 is here, installed $1"*"Nothing of sysboxup is in place."* ]]
	run -0 up apply
	run -0 guest_run "$G" sysboxup uninstall
	same found
	[ "$(runs_of)" = "$before" ]
	run -0 up apply
}

# up, back, up, away, pruned, and all of it given back.
upgraded() {
	local version
	for version in 0.7.1 absent; do
		want "$version"
		run -3 up apply
		[[ $output == *"containers run under sysbox-runc: theirs"*"--stop-containers"* ]]
	done
	guest_run "$G" docker rm -f theirs >/dev/null
	snap found
	want 0.7.1
	run -7 up plan --check
	[[ $output == *"0.7.0 -> 0.7.1 ($1"* ]]
	[[ $output != *"daemon.json"* ]]
	run -0 up apply
	runs 0.7.1
	nothing_to_do
	run -0 guest_run "$G" sysboxup rollback
	same found
	runs 0.7.0
	run -0 guest_run "$G" sysboxup status
	run -0 up apply
	run -0 guest_run "$G" sysboxup uninstall
	same found
	runs 0.7.0
	run -0 up apply		# adopted and upgraded at once
	runs 0.7.1
	nothing_to_do
}

# removed_and_given_back METHOD: nothing of it is left, daemon.json does not name it; installed anew by METHOD, and all comes back.
removed_and_given_back() {
	want absent
	run -0 up apply
	[ -z "$(guest_run "$G" find /usr /etc/systemd /lib/systemd/system/ ! -type d -name 'sysbox*' ! -name 'sysboxup*')" ]
	run ! guest_run "$G" grep sysbox /etc/docker/daemon.json
	run guest_run "$G" docker info -f '{{json .Runtimes}}'
	[[ $output != *sysbox-runc* ]]
	nothing_to_do
	run -0 guest_run "$G" sysboxup rollback
	runs 0.7.1
	run -0 up apply
	want 0.7.0 "$1"
	run -0 up apply
	guest_run "$G" sed -i 's/"catalog"/"history": { "keep": 1 }, &/' /srv/demo/profile.json
	want 0.7.1 "$1"
	run -0 up apply
	[ -n "$(guest_run "$G" ls /var/lib/sysboxup/base)" ]
	run -0 guest_run "$G" sysboxup uninstall
	same found
	runs 0.7.0
}

@test "by its own package: adopted without change, upgraded, removed, pruned, and given back as it was" {
	guest_run "$G" bash -c 'printf "{\n\t\"debug\" : false,\n  \"labels\": [\"rack=7\"]}" >/etc/docker/daemon.json
		systemctl reload docker'
	by_package
	want 0.7.0
	adopted "by its own package"
	forgotten "by its own package"
	upgraded dpkg
	removed_and_given_back auto
}

@test "by hand in /usr/local/sbin: adopted without change, upgraded where it is, removed, pruned, and given back as it was" {
	by_hand /usr/local/sbin
	want 0.7.0
	adopted "by hand"
	forgotten "by hand"
	upgraded files
	[ -z "$(guest_run "$G" sh -c "ls -d /usr/bin/sysbox-* 2>/dev/null")" ]
	want absent
	run -0 up apply
	want 0.7.1 deb
	run -3 up apply
	[[ $output == *'Sysbox was installed here by "files", and the profile wants it by "deb"'* ]]
	run -0 guest_run "$G" sysboxup rollback
	removed_and_given_back auto
}

# ---- what is no whole Sysbox is refused, with what to do ----

# refused WORDS REMEDY: also by plan, and status says why.
refused() {
	run -3 up apply
	[[ $output == *"$1"*"$2"*"host: nothing was touched"* ]] || { echo "$output"; return 1; }
	run -3 up plan
	[[ $output == *"$1"* ]]
	run -0 guest_run "$G" sysboxup status
	[[ $output == *"$1"* || -n ${3:-} ]] || { echo "$output"; return 1; }
}

@test "by its own package, but changed, masked, half-configured, newer, or there twice: refused with the remedy, nothing touched; another build comes back as it was" {
	by_package
	want 0.7.0 files
	refused 'Sysbox is installed here by "deb", and the profile wants it by "files"' '"method": "deb"' status-says-what-is-here
	want absent
	run -3 up apply
	[[ $output == *"Sysbox 0.7.0 is here, installed by its own package, and not by sysboxup"*'"version": "0.7.0" first'* ]]

	want 0.7.0
	guest_run "$G" install -D -t /usr/local/sbin /usr/bin/sysbox-runc
	refused "there are two Sysboxes here: package 'sysbox-ce' and '/usr/local/sbin'" "remove the one that is not used"
	guest_run "$G" rm /usr/local/sbin/sysbox-runc

	guest_run "$G" sh -c 'echo >>/lib/systemd/system/sysbox.service'
	refused "not as it came: /lib/systemd/system/sysbox.service" "apt-get install --reinstall sysbox-ce"
	guest_run "$G" sed -i '$d' /lib/systemd/system/sysbox.service

	guest_run "$G" systemctl -q mask sysbox-fs
	refused "sysbox-fs.service is masked" "systemctl unmask sysbox-fs.service"
	guest_run "$G" systemctl -q unmask sysbox-fs

	guest_run "$G" sh -c 'cp /usr/bin/sysbox-mgr /root/m && mv /root/m /usr/bin/sysbox-mgr'
	refused "sysbox-mgr.service runs '/usr/bin/sysbox-mgr (deleted)'" "systemctl restart sysbox"

	guest_run "$G" bash -c 'dpkg --unpack /srv/demo/sysbox-ce_0.7.0-0.linux_standin.deb >/dev/null 2>&1'
	refused "sysbox-ce" "dpkg --configure -a"
	guest_run "$G" bash -c 'dpkg --configure -a >/dev/null 2>&1; systemctl restart sysbox'

	guest_put "$G" "$BATS_FILE_TMPDIR/newer.deb" /root/newer.deb
	by_package /root/newer.deb
	want latest
	refused "Sysbox 0.9.0 is here, installed by its own package: newer than 0.7.1" '"0.9.0" or "0.7.1"' status-says-what-is-here

	want 0.7.0
	guest_put "$G" "$BATS_FILE_TMPDIR/other.deb" /root/other.deb
	by_package "--allow-downgrades /root/other.deb"
	snap found
	run -0 up apply
	want 0.7.1	# the way back is what is installed, not what the catalog has by that name
	run -0 up apply
	[[ $output == *"is not the sysbox-ce 0.7.0.linux that is installed here"* ]]
	runs 0.7.1
	run -0 guest_run "$G" sysboxup uninstall
	same found
	runs 0.7.0
}

@test "by hand, but incomplete, of two versions, dumb, of a package, or without units: refused with the remedy, nothing touched" {
	by_hand /usr/local/bin
	want 0.7.0
	guest_run "$G" mv /usr/local/bin/sysbox-runc /root/runc
	refused "'/usr/local/bin/sysbox-runc' is no file" "complete that Sysbox, or remove it"
	guest_run "$G" sh -c 'printf "#!/bin/sh\necho version: 0.6.7" >/usr/local/bin/sysbox-runc; chmod 755 /usr/local/bin/sysbox-runc'
	refused "made of two: '/usr/local/bin/sysbox-runc' is version 0.6.7, others are 0.7.0" "all three programs of one version"
	guest_run "$G" sh -c 'printf "#!/bin/sh\n" >/usr/local/bin/sysbox-runc'
	refused "'/usr/local/bin/sysbox-runc' is here, and does not say its version" "remove that Sysbox first"
	guest_run "$G" mv /root/runc /usr/local/bin/sysbox-runc
	want 0.7.0 deb
	refused 'Sysbox is installed here by "files", and the profile wants it by "deb"' '"method": "files"' status-says-what-is-here
	want 0.7.0
	guest_run "$G" sh -c 'mv /etc/systemd/system/sysbox-fs.service /root/; systemctl daemon-reload'
	refused "systemd has no sysbox-fs.service" "write that unit"
	guest_run "$G" sh -c 'mv /root/sysbox-fs.service /etc/systemd/system/; systemctl daemon-reload'
	guest_run "$G" sh -c 'mkdir -p /root/p/DEBIAN /root/p/usr/local/bin; cp /usr/local/bin/sysbox-fs /root/p/usr/local/bin/
		printf "Package: other\nVersion: 1\nArchitecture: all\nMaintainer: x <x@y>\nDescription: x\n" >/root/p/DEBIAN/control
		dpkg-deb -b /root/p /root/p.deb >/dev/null; dpkg -i /root/p.deb >/dev/null 2>&1; systemctl restart sysbox'
	refused "'/usr/local/bin/sysbox-fs' is here, and may be of a package" "remove that Sysbox first"
}

# ---- killed ----

# killed_at N: apply dies before its N-th call, and recover comes; DIED is empty where it has fewer.
killed_at() {
	run guest_run "$G" env SYSBOXUP_FAULT="die-before:$1" SYSBOXUP_FAULT_ALONE=1 /root/faults apply \
		--profile /srv/demo/profile.json --force container -q
	DIED=
	[ "$status" -ne 0 ] || return 0
	[ "$status" -eq 137 ] || { echo "$status $output"; return 1; }
	DIED=yes
	run -0 guest_run "$G" sysboxup recover
}

@test "adopting, and upgrading what was adopted, killed at their calls: recover leaves it adopted or not, upgraded or not, and the host as it was" {
	. "$REPO/tests/lib/points.bash"
	local n killed=0 adopted=0 upgraded=0 few=7 fewer=120
	[ -z "${SYSBOXUP_EVERY:-}" ] || few=1 fewer=1
	by_hand /usr/local/sbin
	want 0.7.0
	guest_put "$G" "$SYSBOXUP_BUILD/sysboxup-faults" /root/faults
	snap found
	for ((n = 1; ; n += few)); do
		killed_at "$n"
		[ -n "$DIED" ] || break
		killed=$((killed + 1))
		run -0 guest_run "$G" sysboxup status
		if [[ $output == *"sysbox: Sysbox 0.7.0 is here, installed by hand"* ]]; then
			[[ $output != *"as transaction"* ]]
		else
			[[ $output == *"/usr/local/sbin/sysbox-runc: as transaction"*"none drifted"* ]]
			adopted=$((adopted + 1))
			run -0 guest_run "$G" sysboxup uninstall
		fi
	done
	same found
	points adopt-killed "$killed"
	[ "$adopted" -gt 0 ] && [ "$adopted" -lt "$killed" ]

	run -0 up apply
	want 0.7.1
	killed=0
	for ((n = 1; ; n += fewer)); do
		killed_at "$n"
		[ -n "$DIED" ] || break
		killed=$((killed + 1))
		if guest_run "$G" /usr/local/sbin/sysbox-mgr --version | grep -q 0.7.1; then
			upgraded=$((upgraded + 1))
			run -0 guest_run "$G" sysboxup rollback
		fi
		same found
		runs 0.7.0
	done
	points adopt-upgrade "$killed"
	[ "$upgraded" -lt "$killed" ]
	runs 0.7.1
}
