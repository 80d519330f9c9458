#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What Sysbox's files need beside them, through the package managers of other distributions: dnf, zypper and pacman are
# the real programs, on databases and sources of their own (lib/machine.bash); apk is a stand-in, for Debian has none.
# In, out, refused, interrupted: before or after, nothing else.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/{sysboxup,unit/live_packages,tools/killat}
	load_libraries
	"$REPO/tests/standin/build" "$BATS_FILE_TMPDIR/sysbox-ce.deb" 0.7.0.linux
	CATALOG_METHOD=files catalog_make "$BATS_FILE_TMPDIR/demo" /srv/demo "$BATS_FILE_TMPDIR/sysbox-ce.deb"
	make_rpms "$BATS_FILE_TMPDIR/rpm"
	make_pacman "$BATS_FILE_TMPDIR/pacman"
	make_apk "$BATS_FILE_TMPDIR/apk"
}

setup() {
	load_libraries
	HELPERS=()
	machine_begin "$BATS_TEST_TMPDIR/inside"
}

teardown() {
	[ ${#HELPERS[@]} -eq 0 ] || kill "${HELPERS[@]}" 2>/dev/null || :
	machine_end
}

load_libraries() {
	local name
	for name in inside catalog points machine; do
		# shellcheck source=/dev/null
		. "$REPO/tests/lib/$name.bash"
	done
}

make_rpms() {
	local script
	machine_rpm "$1" fuse-common "" fuse-helper
	machine_rpm "$1" fuse3 fuse-common fusermount3
	machine_rpm "$1" rsync "" rsync
	VERSION=0.9 machine_rpm "$1/old" fuse-common "" fuse-helper
	machine_rpm "$1/others" theirs rsync theirs
	VERSION=2.0 machine_rpm "$1/others" rsync "" rsync
	for script in pre post preun; do
		machine_rpm "$1" "bad-$script" rsync "bad-$script" "%$script -p <lua>"$'\n'"error('on purpose')"
	done
	machine_rpm "$1" picky "fuse-common = 1.0" picky
	createrepo_c -q --excludes 'old/*' --excludes 'others/*' "$1"
}

make_pacman() {
	machine_pacman "$1" fuse-common "" fuse-helper
	machine_pacman "$1" fuse3 fuse-common fusermount3
	machine_pacman "$1" rsync "" rsync
	machine_pacman "$1" bad-post rsync bad-post 'post_install() { false; }'
	machine_pacman "$1/others" theirs rsync theirs
}

make_apk() {
	local name
	mkdir -p "$1"
	for name in fuse-common:fuse-helper fuse3:fusermount3 rsync:rsync; do
		mkdir -p "$1/build/${name%:*}"/{usr/bin,etc}
		: >"$1/build/${name%:*}/usr/bin/${name#*:}"
		: >"$1/build/${name%:*}/.PKGINFO"
		echo "# $name" >"$1/build/${name%:*}/etc/${name%:*}.conf"
		tar -C "$1/build/${name%:*}" --owner=0 --group=0 -czf "$1/${name%:*}-1.0-r0.apk" .PKGINFO usr etc
	done
	echo fuse-common >"$1/fuse3.needs"
}

# A machine with one of the managers, its database empty, its source the packages made here.
begin() {
	case $1 in
	dnf) machine_new fedora 42 ;;
	zypper) machine_new opensuse-leap 15.6 ;;
	pacman) machine_new arch 1 ;;
	apk) machine_new alpine 3.20 ;;
	esac
	machine_put "$SYSBOXUP_BUILD/sysboxup" /usr/bin/sysboxup
	machine_put "$SYSBOXUP_BUILD/unit/live_packages" /usr/bin/live
	machine_put "$SYSBOXUP_BUILD/tools/killat" /usr/bin/killat
	cp -r "$BATS_FILE_TMPDIR/demo" "$(machine_at /srv/demo)"
	"begin_$1"
	machine_snap >"$BATS_TEST_TMPDIR/before"
}

begin_dnf() {
	cp -r "$BATS_FILE_TMPDIR/rpm" "$(machine_at /srv/pool)"
	printf '[pool]\nname=pool\nbaseurl=file:///srv/pool\ngpgcheck=0\nenabled=1\n' >"$(machine_at /etc/yum.repos.d/pool.repo)"
	cp "$(machine_at /etc/yum.repos.d/pool.repo)" "$(machine_at /etc/zypp/repos.d/pool.repo)"
	machine rpm --initdb
}

begin_zypper() {
	begin_dnf
}

begin_pacman() {
	cp -r "$BATS_FILE_TMPDIR/pacman" "$(machine_at /srv/pool)"
	printf '[options]\nArchitecture = auto\nSigLevel = Never\n[pool]\nServer = file:///srv/pool\n' >"$(machine_at /etc/pacman.conf)"
	mkdir -p "$(machine_at /var/lib/pacman)"
	machine pacman -Sy >/dev/null
}

begin_apk() {
	cp -r "$BATS_FILE_TMPDIR/apk" "$(machine_at /srv/pool)"
	mkdir -p "$(machine_at /usr/lib/apk/db)" "$(machine_at /etc/apk)"
	echo alpine-base >"$(machine_at /etc/apk/world)"
	machine_put "$REPO/tests/tools/apk" /usr/sbin/apk
}

live() {
	machine live /srv/demo/profile.json "$@"
}

live_impatient() {
	machine env LOCK_SECONDS=0 live /srv/demo/profile.json "$@"
}

# What the database says is installed.
installed() {
	if machine test -e /var/lib/pacman; then
		machine pacman -Q 2>/dev/null | cut -d' ' -f1 | sort | xargs
	elif machine test -e /lib/apk/db; then
		machine ls /lib/apk/db | xargs
	else
		machine rpm --query --all --queryformat '%{NAME}\n' 2>/dev/null | sort | xargs
	fi
}

as_before() {
	machine_snap | diff "$BATS_TEST_TMPDIR/before" -
}

@test "dnf: exactly what was wanted and what it needs; not twice; rollback leaves nothing of it" {
	begin dnf
	run -0 live dependencies fuse3 rsync
	[ "$(installed)" = "fuse-common fuse3 rsync" ]
	machine rpm --query --verify fuse-common fuse3 rsync
	machine_snap >"$BATS_TEST_TMPDIR/after"
	run -0 live dependencies fuse3 rsync
	machine_snap | diff "$BATS_TEST_TMPDIR/after" -
	run -0 machine sysboxup rollback
	run -0 machine sysboxup rollback
	[ -z "$(installed)" ]
	as_before
}

@test "a whole run: the plan names packages, manager and what cannot be undone; a failed proof takes all of it back" {
	local force=(--force systemd-pid1 --force var-lib-fs --force docker-present --force container --force disk-space --force idmap)
	begin dnf
	run -1 machine sysboxup --profile /srv/demo/profile.json apply "${force[@]}"
	[[ $output == *"dependencies  install rsync, fuse3 and what they depend on (dnf); compensating: rollback removes"* ]]
	[[ $output == *"fusermount3 not there yet: dnf will install fuse3"* ]]
	[[ $output == *"ok      dependencies: all there"*"host: as before"* ]]
	[ -z "$(installed)" ]
	as_before
}

@test "several transactions are taken back in one; that is taken back from the files of then; uninstall leaves nothing" {
	begin dnf
	run -0 live dependencies fuse3
	run -0 live dependencies rsync
	run -0 machine sysboxup rollback 1
	[ -z "$(installed)" ]
	as_before
	machine mv /srv/pool /srv/gone
	run -0 machine sysboxup rollback 3
	[ "$(installed)" = "fuse-common fuse3 rsync" ]
	machine rpm --erase rsync
	run -7 machine sysboxup status
	[[ $output == *"dependencies: not installed any more: rsync.noarch"* ]]
	machine mv /srv/gone /srv/pool
	run -0 machine sysboxup uninstall
	[ -z "$(installed)" ]
	as_before
}

@test "dnf: found wrong at the end, it is undone in the same run" {
	begin dnf
	run -1 live dependencies-fail fuse3
	[[ $output == *"found wrong on purpose"* ]]
	[ -z "$(installed)" ]
	as_before
}

@test "what somebody else needs by then stays, what nobody needs goes" {
	begin dnf
	run -0 live dependencies fuse3 rsync
	machine rpm --install /srv/pool/others/theirs-1.0.rpm
	run -0 machine sysboxup rollback
	[[ $output == *"package 'rsync.noarch' stays: something else needs it by now"* ]]
	[ "$(installed)" = "rsync theirs" ]
	[ -e "$(machine_at /usr/bin/rsync)" ]
	[ ! -e "$(machine_at /usr/bin/fusermount3)" ]
}

@test "one that must go: refused where it would stay, with what to do; then it goes" {
	begin dnf
	run -0 live dependencies-go fuse3 rsync
	machine rpm --install /srv/pool/others/theirs-1.0.rpm
	machine rpm --upgrade /srv/pool/others/rsync-2.0.rpm
	run -0 machine sysboxup rollback
	[ "$(installed)" = "rsync theirs" ]
	machine rpm --erase theirs rsync
	as_before

	run -0 live dependencies-go rsync fuse3
	machine rpm --upgrade /srv/pool/others/rsync-2.0.rpm
	run -3 machine sysboxup rollback
	[[ $(tr -s " \n" " " <<<"$output") == *"package 'rsync' was upgraded since: 2.0-1 is installed, and was 1.0-1"*"try:"*"rpm --upgrade --oldpackage --excludepath=/etc/docker /var/lib/sysboxup/debs/rsync-1.0.rpm, then try again"* ]]
	[ "$(installed)" = "fuse-common fuse3 rsync" ]
	machine rpm --upgrade --oldpackage --excludepath=/etc/docker /var/lib/sysboxup/debs/rsync-1.0.rpm
	machine rpm --install /srv/pool/others/theirs-1.0.rpm
	run -3 machine sysboxup rollback
	[[ $output == *"package 'rsync' would go, and something that was installed since needs it"* ]]
	machine rpm --erase theirs
	machine mv /var/lib/sysboxup/debs/rsync-1.0.rpm /var/tmp/
	run -3 machine sysboxup rollback
	[[ $output == *"the package file '/var/lib/sysboxup/debs/rsync-1.0.rpm' is gone or damaged: 'rsync' could not come back"* ]]
	machine mv /var/tmp/rsync-1.0.rpm /var/lib/sysboxup/debs/
	run -0 machine sysboxup uninstall
	[ -z "$(installed)" ]
	as_before

	# What a later transaction brought needs what an earlier one did: they go together.
	run -0 live dependencies fuse-common
	run -0 live dependencies-go fuse3
	run -0 machine sysboxup uninstall
	[ -z "$(installed)" ]
	as_before
}

@test "docker.install where there is no systemd: refused with the reason" {
	begin apk
	jq '.docker.install = "distribution"' "$BATS_FILE_TMPDIR/demo/profile.json" >"$(machine_at /srv/engine.json)"
	run -3 machine sysboxup --profile /srv/engine.json apply
	[[ $output == *"docker-present: Docker is not installed, and docker.install needs systemd, which starts it"* ]]
	[ -z "$(installed)" ]
}

@test "excluded, locked and ignored packages are respected: refused by name, nothing touched" {
	begin dnf
	echo 'excludepkgs=fuse-common' | sed -i '/^\[pool\]/r /dev/stdin' "$(machine_at /etc/yum.repos.d/pool.repo)"
	machine_snap >"$BATS_TEST_TMPDIR/before"
	run -3 live dependencies fuse3
	[[ $output == *"dnf says no"*"fuse-common"*"exclude filtering"* ]]
	as_before
	begin zypper
	machine zypper -n addlock fuse-common >/dev/null
	machine_snap >"$BATS_TEST_TMPDIR/before"
	run -3 live dependencies fuse3
	[[ $output == *"zypper says no"*"remove lock to allow installation of fuse-common"* ]]
	as_before
	begin pacman
	sed -i '/^SigLevel/a IgnorePkg = fuse-common' "$(machine_at /etc/pacman.conf)"
	machine_snap >"$BATS_TEST_TMPDIR/before"
	run -3 live dependencies fuse3
	[[ $output == *"pacman says no"*"ignoring package fuse-common"* ]]
	as_before
}

@test "a package that nobody has: refused in the manager's own words" {
	local manager
	for manager in dnf zypper pacman; do
		begin $manager
		run -3 live dependencies no-such-package
		[[ $output == *"$manager says no: "*"no-such-package"* ]]
		as_before
	done
}

@test "nothing of others is upgraded: refused by name" {
	begin dnf
	machine rpm --install /srv/pool/old/fuse-common-0.9.rpm
	machine_snap >"$BATS_TEST_TMPDIR/before"
	run -3 live dependencies picky
	[[ $output == *"'fuse-common' would have to be changed from 0.9-1 to 1.0-1"* ]]
	[ "$(installed)" = fuse-common ]
	as_before
}

@test "rpm's database locked by somebody: waited for, its holder named; past the deadline refused" {
	local holder
	begin dnf
	machine python3 -c '
import fcntl, os, time
f = open("/var/lib/rpm/.rpm.lock", "w")
fcntl.lockf(f, fcntl.LOCK_EX)
open("/var/tmp/held", "w")
while not os.path.exists("/var/tmp/free"): time.sleep(0.05)' 3>&- &
	holder=$!
	HELPERS+=("$holder")
	until [ -e "$(machine_at /var/tmp/held)" ]; do kill -0 $holder; done
	run -3 live_impatient dependencies rsync
	[[ $output == *"'/var/lib/rpm/.rpm.lock' was not free within 0 s, held by "*": python3"* ]]
	live dependencies rsync >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	until grep -q "waiting for '/var/lib/rpm/.rpm.lock', held by .*: python3" "$BATS_TEST_TMPDIR/out"; do kill -0 $!; done
	touch "$(machine_at /var/tmp/free)"
	wait $!
	wait $holder
	[ "$(installed)" = rsync ]
}

@test "zypper at work is waited for by its pid file; one of the dead is not" {
	begin zypper
	sleep infinity 3>&- &
	HELPERS+=($!)
	until [ "$(cat /proc/$!/comm)" = sleep ]; do kill -0 $!; done
	echo $! >"$(machine_at /run/zypp.pid)"
	run -3 live_impatient dependencies rsync
	[[ $output == *"'/run/zypp.pid' was not free within 0 s, held by $!: sleep"* ]]
	kill $!
	wait $! || :
	run -0 live dependencies rsync
}

@test "pacman's lock file: named with its holder; without one refused, with what to do" {
	begin pacman
	sleep infinity 3>&- 9>"$(machine_at /var/lib/pacman/db.lck)" &
	HELPERS+=($!)
	until [ "$(cat /proc/$!/comm)" = sleep ]; do kill -0 $!; done
	run -3 live_impatient dependencies rsync
	[[ $output == *"'/var/lib/pacman/db.lck' was not free within 0 s, held by $!: sleep"* ]]
	kill $!
	wait $! || :
	run -3 live dependencies rsync
	[[ $output == *"'/var/lib/pacman/db.lck' says that a package manager is at work, but no process has it open"* ]]
	rm "$(machine_at /var/lib/pacman/db.lck)"
	run -0 live dependencies rsync
}

@test "a script that fails: as before, whether it is the first, the last, or the one of the removal" {
	local script
	for script in pre post; do
		begin dnf
		run -1 live dependencies "bad-$script"
		[[ $output == *"rpm --install: a script failed: "*"on purpose"* ]]
		[ -z "$(installed)" ]
		as_before
	done
	begin dnf
	run -0 live dependencies bad-preun
	run -0 machine sysboxup rollback
	[[ $output == *"a script failed: "*"on purpose"*"removed without its scripts"* ]]
	[ -z "$(installed)" ]
	as_before
	begin pacman
	run -1 live dependencies bad-post
	[[ $output == *"command failed to execute correctly"* ]]
	[ -z "$(installed)" ]
	as_before
}

@test "a file that belongs to nobody is never overwritten: configuration comes back, anything else refuses" {
	begin dnf
	echo mine >"$(machine_at /etc/rsync.conf)"
	touch -d '2024-02-03 04:05:06.789' "$(machine_at /etc/rsync.conf)"
	echo mine >"$(machine_at /etc/rsync.conf.rpmsave)"
	machine_snap >"$BATS_TEST_TMPDIR/before"
	run -1 live dependencies-fail rsync
	as_before
	run -0 live dependencies rsync
	run -0 machine sysboxup rollback
	as_before
	mkdir "$(machine_at /usr/share/rsync)"
	echo mine >"$(machine_at /usr/share/rsync/3)"
	machine_snap >"$BATS_TEST_TMPDIR/before"
	run -3 live dependencies rsync
	[[ $output == *"'/usr/share/rsync/3' is there already and belongs to no package: dnf would overwrite it"* ]]
	as_before
}

@test "a directory that was there, empty and somebody's, is there again" {
	begin dnf
	mkdir -m 0700 "$(machine_at /usr/share/rsync)"
	chown daemon "$(machine_at /usr/share/rsync)"
	machine_snap >"$BATS_TEST_TMPDIR/before"
	run -0 live dependencies rsync
	run -0 machine sysboxup rollback
	as_before
	[ "$(stat -c '%a %U' "$(machine_at /usr/share/rsync)")" = "700 daemon" ]
}

@test "configuration that was edited meanwhile outlives the rollback beside, and is named" {
	begin dnf
	run -0 live dependencies rsync
	echo edited >>"$(machine_at /etc/rsync.conf)"
	run -0 machine sysboxup rollback
	grep -qx edited "$(machine_at /etc/rsync.conf.rpmsave)"
	[[ $output == *"'/etc/rsync.conf.rpmsave' holds what somebody has made of '/etc/rsync.conf'"* ]]
}

@test "no space for the packages and their way back: refused before anything is touched" {
	begin dnf
	inside fallocate -l "$(($(stat -f -c '%f * %S' "$(machine_at /var)") - 12 * 1048576))" "$MACHINE/var/cache/full"
	run -3 live dependencies rsync
	[[ $output == *"not enough space below '/usr'"* ]]
	[ -z "$(installed)" ]
}

@test "zypper: in, and out again" {
	begin zypper
	run -0 live dependencies fuse3 rsync
	[ "$(installed)" = "fuse-common fuse3 rsync" ]
	machine rpm --query --verify fuse-common fuse3 rsync
	run -0 machine sysboxup rollback
	[ -z "$(installed)" ]
	as_before
}

@test "pacman: in, dependencies marked as such, and out again" {
	begin pacman
	run -0 live dependencies fuse3 rsync
	[ "$(installed)" = "fuse-common fuse3 rsync" ]
	[ "$(machine pacman -Qdq)" = fuse-common ]
	machine pacman -Qkq
	run -0 machine sysboxup rollback
	[ -z "$(installed)" ]
	as_before
	run -0 live dependencies rsync
	machine pacman -U --noconfirm /srv/pool/others/theirs-1.0-1-any.pkg.tar.gz >/dev/null
	run -0 machine sysboxup rollback
	[ "$(installed)" = "rsync theirs" ]
}

@test "apk (a stand-in): exactly what is missing is fetched and added, then deleted; a failure takes all of it back" {
	begin apk
	run -0 live dependencies fuse3 rsync
	[ "$(installed)" = "fuse-common fuse3 rsync" ]
	grep -qx "fetch --output /var/lib/sysboxup/debs/fetch fuse-common=1.0-r0 fuse3=1.0-r0 rsync=1.0-r0" "$(machine_at /var/log/apk)"
	[ "$(grep -c '^add --no-network /var/lib/sysboxup/debs/' "$(machine_at /var/log/apk)")" -eq 1 ]
	run -0 machine sysboxup rollback
	grep -q '^del --no-network [a-z3 -]*rsync' "$(machine_at /var/log/apk)"
	[ -z "$(installed)" ]
	as_before
	run -3 live dependencies no-such-package
	[[ $output == *"apk says no: ERROR: unable to select packages: no-such-package"* ]]
	as_before
	run -1 live dependencies-fail fuse3
	as_before
	echo add >"$(machine_at /srv/pool/fail)"
	run -1 live dependencies fuse3
	[[ $output == *"apk add: a script failed: ERROR: add: script exited with error 1"* ]]
	as_before
}

# killed MANAGER POINTS: a run of it is killed with all its children at so many of its calls, and recovered. What was
# committed by then is rolled back: before or after, and the way back from there.
killed() {
	local total n points=0 step
	begin "$1"
	traced --log /var/log/calls -- /usr/bin/live /srv/demo/profile.json dependencies fuse3 rsync
	total=$(awk '$5 ~ /K/' "$(machine_at /var/log/calls)" | wc -l)
	step=$((total / $2))
	for ((n = step / 2; n <= total; n += step)); do
		begin "$1"
		traced --exact --at "$n" kill -- /usr/bin/live /srv/demo/profile.json dependencies fuse3 rsync >/dev/null 2>&1 || [ $? -eq 137 ]
		one_recovered || { echo "call $n of $total: $(installed)"; cat "$BATS_TEST_TMPDIR/out"; return 1; }
		points=$((points + 1))
	done
	TOTAL=$points
}

# What is traced cannot be looked through for leaks.
traced() {
	machine env ASAN_OPTIONS=detect_leaks=0 killat "$@"
}

one_recovered() {
	machine sysboxup recover >"$BATS_TEST_TMPDIR/out" 2>&1 || return 1
	machine sysboxup recover >>"$BATS_TEST_TMPDIR/out" 2>&1 || return 1
	if [ "$(installed)" = "fuse-common fuse3 rsync" ]; then
		machine sysboxup rollback >>"$BATS_TEST_TMPDIR/out" 2>&1 || return 1
	fi
	[ -z "$(installed)" ] && as_before
}

@test "dnf and rpm killed in the middle, then recovered: before or after" {
	killed dnf 16
	points dependencies-rpm "$TOTAL"
}

@test "pacman killed in the middle, then recovered: before or after" {
	killed pacman 16
	points dependencies-pacman "$TOTAL"
}
