#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# docker.hold on a whole Debian with a real Docker: its packages on hold through dpkg, what the administrator holds left
# alone, lifted again by each of the ways back, and before or after, nothing else, when a run is killed.
# shellcheck disable=SC2016 # what is quoted is for the shell in the guest
bats_require_minimum_version 1.5.0

setup_file() {
	export GUEST_DOCKER=--iptables=false
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup" "$SYSBOXUP_BUILD"/tools/{killat,hostdiff}
}

setup() {
	. "$REPO/tests/guest/guest.bash"
	G=hold-$BATS_TEST_NUMBER-$$
}

teardown() {
	guest_destroy "$G"
}

begin() {
	guest_boot "$G" "${1:-bookworm}"
	guest_put "$G" "$SYSBOXUP_BUILD/sysboxup" /usr/local/sbin/sysboxup
	profile '{ "docker": { "hold": true } }'
}

in_guest() {
	guest_run "$G" "$@"
}

profile() {
	echo "$1" >"$BATS_TEST_TMPDIR/profile.json"
	guest_put "$G" "$BATS_TEST_TMPDIR/profile.json" /run/profile.json
}

apply() {
	in_guest sysboxup --profile /run/profile.json apply --force recover-unit 2>&1
}

held() {
	in_guest dpkg --get-selections | awk '$2 == "hold" { printf "%s%s", sep, $1; sep = " " } END { print "" }'
}

# somebody NAME WORD: what they want of that package; without the lock, which would have another time afterwards.
somebody() {
	echo "$1 $2" | in_guest env DPKG_FRONTEND_LOCKED=1 dpkg --set-selections
}

snap() {
	in_guest sync -f /
	guest_snap "$G" >"$BATS_TEST_TMPDIR/$1"
	guest_get "$G" /var/lib/dpkg/status >"$BATS_TEST_TMPDIR/$1.status"
}

# As before; dpkg's database to the byte.
as_before() {
	snap now
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/now"
	cmp "$BATS_TEST_TMPDIR/before.status" "$BATS_TEST_TMPDIR/now.status"
}

# newer NAME: a version of it that every upgrade would take, in the guest's package source.
newer() {
	in_guest sh -euc '
		mkdir -p /root/p/DEBIAN
		printf "Package: %s\nVersion: 99\nArchitecture: amd64\nMaintainer: t <t@t.example>\nDescription: t\n" "$1" >/root/p/DEBIAN/control
		dpkg-deb -b /root/p "/srv/pool/$1_99.deb" >/dev/null
		{ dpkg-deb -f "/srv/pool/$1_99.deb"; echo "Filename: ./$1_99.deb"; echo "Size: $(stat -c %s "/srv/pool/$1_99.deb")"
			echo "SHA256: $(sha256sum <"/srv/pool/$1_99.deb" | cut -d" " -f1)"; echo; } >/root/stanza
		cat /srv/pool/Packages >>/root/stanza
		cp /root/stanza /srv/pool/Packages
		apt-get -qq update' newer "$1"
}

# What apt would upgrade; without its caches, which would be a difference.
upgrades() {
	in_guest apt-get -s -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= upgrade
}

@test "docker.hold: plan says which packages, no upgrade takes them any more, a second apply changes nothing, rollback is exact" {
	begin
	newer runc
	run -0 upgrades
	[[ $output == *"Inst runc "* ]]
	snap before
	run -0 in_guest sysboxup --profile /run/profile.json plan --force recover-unit
	[[ $output == *"docker.io, containerd, runc  put on hold: no upgrade until it is lifted"* ]]
	as_before

	run -0 apply
	[ "$(held)" = "containerd docker.io runc" ]
	run -0 upgrades
	[[ $output != *"Inst runc "* ]]
	run -0 apply
	[[ $output == *"othing"* ]]
	run -0 in_guest sysboxup status
	[[ $output == *"hold:docker"*"1 thing in place, none drifted."* ]]
	run -0 in_guest sysboxup --profile /run/profile.json verify
	[[ $output == *"hold"*"on hold: docker.io, containerd, runc"* ]]

	run -0 in_guest sysboxup rollback
	[[ $output == *"docker.io, containerd, runc  hold lifted, where it is still there"* ]]
	as_before
}

@test "what the administrator holds is not ours: it stays on hold after rollback, uninstall and a profile without docker.hold" {
	local way
	begin
	in_guest apt-mark -q hold containerd
	snap before
	for way in 'sysboxup -q rollback' 'sysboxup -q uninstall' \
		'echo "{ \"docker\": { \"hold\": false } }" >/run/profile.json; sysboxup --profile /run/profile.json -q apply --force recover-unit' \
		'echo "{}" >/run/profile.json; sysboxup --profile /run/profile.json -q apply --force recover-unit'; do
		profile '{ "docker": { "hold": true } }'
		run -0 apply
		[[ $output == *"docker.io, runc  put on hold"* ]]
		[ "$(held)" = "containerd docker.io runc" ]
		run -0 in_guest sh -c "$way"
		[ "$(held)" = containerd ]
		as_before
	done
	run -0 in_guest sysboxup status
	[[ $output == *"Nothing of sysboxup is in place."* ]]
	run -0 in_guest sysboxup -q rollback	# of the last one: what it released is on hold again
	[ "$(held)" = "containerd docker.io runc" ]
}

@test "a hold that somebody lifted: status names it and exits 7, the next apply puts it back, the ways back lift what is still there" {
	begin
	snap before
	run -0 apply
	somebody runc install
	run -7 in_guest sysboxup status
	[[ $output == *"hold:docker: not on hold any more: runc"* ]]
	run -7 in_guest sysboxup --profile /run/profile.json verify
	[[ $output == *"not on hold: runc"* ]]
	run -0 apply
	[[ $output == *"~ runc  put on hold"* ]]
	[ "$(held)" = "containerd docker.io runc" ]
	run -0 in_guest sysboxup status
	run -0 in_guest sysboxup -q rollback	# as this transaction found it
	[ "$(held)" = "containerd docker.io" ]
	run -7 in_guest sysboxup status

	somebody docker.io deinstall	# they want it gone: their word stays
	run -0 in_guest sysboxup -q uninstall
	[ -z "$(held)" ]
	run -0 in_guest dpkg --get-selections docker.io
	[[ $output == *deinstall ]]
	somebody docker.io install
	as_before
}

@test "dpkg at work elsewhere is waited for, and past --lock-wait refused; packages left unfinished by others are refused" {
	begin
	snap before
	in_guest sh -c 'cat >/run/lock.pl' <<-'END'
		use Fcntl;
		open(F, "+<", "/var/lib/dpkg/lock-frontend") or die;
		my $lock = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0);
		fcntl(F, F_SETLK, $lock) or die;
		open(H, ">", "/run/holder");
		print H $$;
		close(H);
		select(undef, undef, undef, 0.05) until -e "/run/go";
	END
	in_guest sh -c 'perl /run/lock.pl </dev/null >/dev/null 2>&1 3>&- &'
	guest_wait "$G" test -s /run/holder
	run -3 in_guest sysboxup --profile /run/profile.json apply --force recover-unit --lock-wait 1
	[[ $output == *"'/var/lib/dpkg/lock-frontend' was not free within 1 s, held by "*"$(guest_get "$G" /run/holder)"* ]]
	as_before
	in_guest touch /run/go
	run -0 apply
	run -0 in_guest sysboxup -q uninstall
	as_before

	in_guest sh -c 'mkdir -p /run/p/DEBIAN && printf "Package: broken\nVersion: 1\nArchitecture: all\nMaintainer: t <t@t.example>\nDescription: t\n" >/run/p/DEBIAN/control
		printf "#!/bin/sh\nexit 1\n" >/run/p/DEBIAN/postinst && chmod 755 /run/p/DEBIAN/postinst && dpkg-deb -b /run/p /run/p.deb; ! dpkg -i /run/p.deb'
	run -3 apply
	[[ $output == *"packages were left half-installed before us: broken"*"dpkg --configure -a"* ]]
	[ -z "$(held)" ]
}

unhold() {
	in_guest sysboxup -q uninstall
}

# killed N VERB...: what the host is after that, by the holds. What is traced cannot be looked through for leaks.
killed() {
	local n=$1
	shift
	rc=0
	in_guest env ASAN_OPTIONS=detect_leaks=0 /root/killat --exact --at "$n" kill -- /usr/local/sbin/sysboxup --profile /run/profile.json -q "$@" >/dev/null 2>&1 </dev/null || rc=$?
	[ "$rc" -eq 137 ] || [ "$rc" -eq 0 ]
	in_guest sysboxup -q recover
	[ -z "$(in_guest ls -A /var/lib/dpkg/updates)" ]
	in_guest test ! -e /var/lib/dpkg/status-new -a ! -e /var/lib/sysboxup/shield/dpkg
}

# every STRIDE STATE BACK VERB...: killed at every so many-th call that changes something, from STATE ("" or all on hold)
# on, to which BACK leads again.
every() {
	local stride=$1 from=$2 back=$3 all n now calls
	shift 3
	all="containerd docker-cli docker.io runc"
	in_guest env ASAN_OPTIONS=detect_leaks=0 /root/killat --log /root/log -- /usr/local/sbin/sysboxup --profile /run/profile.json -q "$@" </dev/null >/dev/null 2>&1
	n=$(in_guest awk '$3 == "dpkg"' /root/log | wc -l)
	[ "$n" -gt 5 ]		# dpkg's own calls are among them
	readarray -t calls < <(in_guest awk -v stride="$stride" '$5 ~ "K" && ++seen % stride == 0 { print seen }' /root/log)
	for n in "${calls[@]}"; do
		[ "$(held)" = "$from" ] || "$back"
		[ "$(held)" = "$from" ]
		killed "$n" "$@"
		now=$(held)
		[ -z "$now" ] || [ "$now" = "$all" ]
		TOTAL=$((TOTAL + 1))
	done
}

@test "killed at calls of ours and of dpkg's: recover, and all of them are on hold or none, nothing half-written stays" {
	. "$REPO/tests/lib/points.bash"
	TOTAL=0
	begin trixie
	guest_put "$G" "$SYSBOXUP_BUILD/tools/killat" /root/killat
	every 17 "" unhold apply --force recover-unit
	[ -n "$(held)" ] || apply
	every 17 "containerd docker-cli docker.io runc" apply uninstall
	points hold-killed "$TOTAL"
}
