#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The package through apt and dpkg on a whole Debian with a real Docker: installed, taken back to the byte, refused
# where it cannot be, and undone after a kill.

bats_require_minimum_version 1.5.0

setup_file() {
	export GUEST_DOCKER=--iptables=false
	# shellcheck source=tests/lib/catalog.bash
	. "$BATS_TEST_DIRNAME/lib/catalog.bash"
	make -s -C "$BATS_TEST_DIRNAME/tools"
	build=${SYSBOXUP_BUILD:-$(cd "$BATS_TEST_DIRNAME/.." && pwd)/build}
	make -s -C "$BATS_TEST_DIRNAME/.." BUILD="$build" "$build/sysboxup" "$build/unit/live_packages" >/dev/null
	local mode
	for mode in good fail-postinst fail-preinst fail-postrm; do
		mkdir -p "$BATS_FILE_TMPDIR/$mode"
		# shellcheck disable=SC2046 # no word for the good one
		"$BATS_TEST_DIRNAME/standin/build" "$BATS_FILE_TMPDIR/$mode/sysbox-ce_0.7.0.linux.deb" 0.7.0.linux \
			$([ $mode = good ] || echo $mode)
		CATALOG_METHOD=deb catalog_make "$BATS_FILE_TMPDIR/$mode" "/srv/$mode" \
			"$BATS_FILE_TMPDIR/$mode/sysbox-ce_0.7.0.linux.deb"
	done
}

setup() {
	# shellcheck source=tests/guest/guest.bash
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
	hostdiff=$BATS_TEST_DIRNAME/../build/tools/hostdiff
	guest=pkg$BATS_TEST_NUMBER mode=good
	guest_boot "$guest"
	put_sysboxup
}

teardown() {
	guest_destroy "$guest"
}

put_sysboxup() {
	guest_put "$guest" "${SYSBOXUP_BUILD:-$BATS_TEST_DIRNAME/../build}/sysboxup" /usr/local/sbin/sysboxup
	tar -C "$BATS_FILE_TMPDIR" --owner=0 --group=0 -c \
		{good,fail-postinst,fail-preinst,fail-postrm}/{catalog.json{,.sig},keyring.gpg,profile.json,sysbox-ce_0.7.0.linux.deb} |
		guest_run "$guest" tar -C /srv -x
}

sysboxup() {
	guest_run "$guest" sysboxup "$@" 2>&1
}

apply() {
	sysboxup apply --force container --force recover-unit --profile "/srv/$mode/profile.json" "$@"
}

snap() {
	guest_run "$guest" sync -f /
	guest_snap "$guest" >"$BATS_TEST_TMPDIR/$1"
	guest_get "$guest" /var/lib/dpkg/status >"$BATS_TEST_TMPDIR/$1.status"
}

# As before, by the table of what "exactly" means; dpkg's database to the byte.
as_before() {
	snap after
	"$hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	cmp "$BATS_TEST_TMPDIR/before.status" "$BATS_TEST_TMPDIR/after.status"
	[ -z "$(guest_run "$guest" dpkg --audit)" ]
}

guest_root() {
	echo "/proc/$(guest_pid "$guest")/root"
}

dockerd_of() {
	guest_run "$guest" systemctl show -P MainPID,NRestarts,ExecMainStartTimestampMonotonic docker.service
}

# What dpkg knows of a package, or nothing.
state_of() {
	guest_run "$guest" dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null || :
}

@test "apply installs the package and its dependencies, rollback leaves nothing of them, Docker never restarts" {
	snap before
	before=$(dockerd_of)
	run -0 apply
	[ "$(state_of sysbox-ce)" = "ii " ]
	[ "$(state_of fuse3)" = "ii " ]
	run -0 guest_run "$guest" apt-mark -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= showmanual
	[[ $output != *jq* && $output != *fuse3* ]]
	run -0 guest_run "$guest" systemctl is-active sysbox
	run -0 apply
	[[ $output == *othing* ]]
	run -0 sysboxup rollback
	[ -z "$(state_of sysbox-ce)$(state_of jq)$(state_of fuse3)" ]
	as_before
	[ "$(dockerd_of)" = "$before" ]
}

# apply_with FILTER: with a profile that jq made of the good one, which is no part of the host.
apply_with() {
	jq "$1" "$BATS_FILE_TMPDIR/good/profile.json" >"$BATS_TEST_TMPDIR/profile.json"
	guest_put "$guest" "$BATS_TEST_TMPDIR/profile.json" /run/profile.json
	sysboxup apply --force container --force recover-unit --profile /run/profile.json
}

@test "uninstall after several transactions, two rollbacks and a pruning: the host is as before the first of them" {
	# where apt's lists are is the administrator's to say
	guest_run "$guest" sh -c 'mv /var/lib/apt/lists /srv/lists && echo "Dir::State::Lists \"/srv/lists\";" >/etc/apt/apt.conf.d/99lists'
	snap before
	before=$(dockerd_of)
	run -0 apply_with 'del(.sysbox) | .docker.settings = { "live-restore": true, "debug": true }'
	run -0 apply_with '.docker.settings = { "live-restore": true, "debug": true }'
	[ "$(state_of sysbox-ce)$(state_of fuse3)" = "ii ii " ]
	run -0 sysboxup rollback
	[ -z "$(state_of sysbox-ce)$(state_of fuse3)" ]
	run -0 apply_with '.docker.settings = { "live-restore": true, "debug": false }'
	run -0 apply_with '.docker.settings = { "live-restore": true }'
	run -0 sysboxup rollback
	run -0 apply_with '.docker.settings = { "live-restore": true, "labels": ["a=b"] } | .history = { "keep": 2 }'
	[ "$(state_of sysbox-ce)$(state_of fuse3)" = "ii ii " ]
	[ ! -e "$(guest_root)/var/lib/sysboxup/txn/000002" ]
	[ -e "$(guest_root)/var/lib/sysboxup/txn/000007" ]
	run -0 sysboxup uninstall
	[ -z "$(state_of sysbox-ce)$(state_of jq)$(state_of fuse3)" ]
	as_before
	[ "$(dockerd_of)" = "$before" ]
	run -0 sysboxup status
	[[ $output == *"Nothing of sysboxup is in place."* ]]
	run -0 sysboxup uninstall --purge
	[ ! -e "$(guest_root)/var/lib/sysboxup" ]
	as_before
}

@test "rollback keeps dependencies that were there, that somebody else needs by then, or that the user made his own" {
	guest_run "$guest" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends rsync >/dev/null 2>&1
	run -0 apply
	guest_run "$guest" apt-mark manual lsb-release >/dev/null
	guest_run "$guest" sh -c 'mkdir -p /root/p/DEBIAN && printf "Package: needs-jq\nVersion: 1\nArchitecture: all\nMaintainer: t <t@t.example>\nDepends: jq\nDescription: t\n" >/root/p/DEBIAN/control && dpkg-deb -b /root/p /root/p.deb && dpkg -i /root/p.deb'
	run -0 sysboxup rollback
	[ -z "$(state_of sysbox-ce)$(state_of fuse3)" ]
	[ "$(state_of jq)$(state_of libjq1)$(state_of lsb-release)$(state_of rsync)" = "ii ii ii ii " ]
	[ -z "$(guest_run "$guest" dpkg --audit)" ]
}

@test "where all that is needed is there, apt need not have any lists" {
	guest_run "$guest" sh -ec 'DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends jq fuse3 rsync lsb-release iptables
		rm -r /var/lib/apt/lists' >/dev/null 2>&1
	snap before
	run -0 apply
	[ "$(state_of sysbox-ce)" = "ii " ]
	run -0 sysboxup rollback
	as_before
}

@test "the administrator's conffiles outlive the purge of the packages that ship them" {
	guest_run "$guest" sh -c 'echo "# mine" >/etc/fuse.conf; echo old >/etc/fuse.conf.bak; echo older >/etc/fuse.conf~'
	snap before
	run -0 apply
	run -0 sysboxup rollback
	as_before
}

@test "a failing maintainer script: exit 1, the host is as before" {
	for mode in fail-postinst fail-preinst; do
		snap before
		run -1 apply
		[[ $output == *"dpkg --install failed"* ]]
		snap after
		"$hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
		[[ -z "$(state_of sysbox-ce)$(state_of jq)" || "$(state_of sysbox-ce)" = "un " ]]
	done
}

# hold_lock: until the file /root/go exists, dpkg's frontend lock is held by a process whose pid is in /root/holder.
hold_lock() {
	guest_run "$guest" sh -c 'cat >/root/hold.pl' <<-'EOF'
		use Fcntl;
		open(F, "+<", "/var/lib/dpkg/lock-frontend") or die;
		my $lock = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0);
		fcntl(F, F_SETLK, $lock) or die;
		open(H, ">", "/root/holder");
		print H $$;
		close(H);
		select(undef, undef, undef, 0.05) until -e "/root/go";
	EOF
	guest_run "$guest" sh -c 'perl /root/hold.pl </dev/null >/dev/null 2>&1 3>&- &'
	guest_wait "$guest" test -s /root/holder
}

@test "dpkg's lock held by another program is waited for, and the holder is named" {
	hold_lock
	guest_run "$guest" sh -c 'sysboxup apply --force container --force recover-unit --profile /srv/good/profile.json >/root/out 2>&1 </dev/null; echo $? >/root/rc' 3>&- &
	guest_wait "$guest" grep -q "waiting for '/var/lib/dpkg/lock-frontend', held by" /root/out
	guest_run "$guest" sh -c 'grep -q "held by $(cat /root/holder)" /root/out && touch /root/go'
	guest_wait "$guest" test -s /root/rc
	[ "$(guest_get "$guest" /root/rc)" = 0 ]
	[ "$(state_of sysbox-ce)" = "ii " ]
}

@test "dpkg's lock held past the deadline: refused, the holder named, nothing touched" {
	hold_lock
	snap before
	run -3 apply --lock-wait 1
	[[ $output == *"'/var/lib/dpkg/lock-frontend'"*"$(guest_get "$guest" /root/holder)"* ]]
	snap after
	"$hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	guest_run "$guest" touch /root/go
}

@test "debconf's database locked by another program is waited for, and said" {
	guest_run "$guest" sh -c 'flock /var/cache/debconf/config.dat sh -c "mkfifo /root/go; touch /root/held; read x </root/go" </dev/null >/dev/null 2>&1 3>&- &'
	guest_wait "$guest" test -e /root/held
	guest_run "$guest" sh -c 'sysboxup apply --force container --force recover-unit --profile /srv/good/profile.json >/root/out 2>&1 </dev/null; echo $? >/root/rc' 3>&- &
	guest_wait "$guest" grep -q "waiting for '/var/cache/debconf/config.dat', locked by" /root/out
	[ -z "$(state_of sysbox-ce)" ]
	guest_run "$guest" sh -c "echo >/root/go"
	guest_wait "$guest" test -s /root/rc
	[ "$(guest_get "$guest" /root/rc)" = 0 ]
	[ "$(state_of sysbox-ce)" = "ii " ]
}

@test "a package on hold is refused by name, with the remedy; nothing is touched" {
	guest_run "$guest" apt-mark hold jq
	snap before
	run -3 apply
	[[ $output == *"apt cannot install what is needed"*"on hold are: jq; apt-mark unhold "* ]]
	snap after
	"$hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "a stranger's half-configured package is refused with the remedy; nothing is touched" {
	guest_run "$guest" sh -c 'mkdir -p /root/p/DEBIAN && printf "Package: broken\nVersion: 1\nArchitecture: all\nMaintainer: t <t@t.example>\nDescription: t\n" >/root/p/DEBIAN/control && printf "#!/bin/sh\nexit 1\n" >/root/p/DEBIAN/postinst && chmod 755 /root/p/DEBIAN/postinst && dpkg-deb -b /root/p /root/p.deb; ! dpkg -i /root/p.deb'
	snap before
	run -3 apply
	[[ $output == *"broken"* && $output == *"dpkg --configure -a"* ]]
	snap after
	"$hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

# Killed (both processes, and with them dpkg) as soon as PATH is there, then recovered.
killed_when() {
	snap before
	guest_run "$guest" sh -c 'sysboxup apply --force container --force recover-unit --profile /srv/good/profile.json >/root/out 2>&1 & p=$!
		until [ -e "$1" ]; do kill -0 $p || exit 9; done
		kill -KILL $p $(pgrep -P $p); wait $p; exit 0' sh "$1"
	run -6 apply
	run -0 sysboxup recover
	guest_run "$guest" rm -f /root/out
	as_before
	guest_run "$guest" docker version >/dev/null
}

@test "killed while dpkg unpacks the dependencies: recover gives back the host" {
	killed_when /var/lib/dpkg/info/jq.list
}

@test "killed while dpkg takes control data apart: recover gives back the host" {
	killed_when /var/lib/dpkg/tmp.ci/control
}

@test "killed while dpkg unpacks the package: recover gives back the host" {
	killed_when /usr/bin/sysbox-runc
}

@test "killed while its maintainer scripts run: recover gives back the host" {
	killed_when /etc/systemd/system/sysbox.service.wants/sysbox-mgr.service
}

@test "killed while dpkg purges in a rollback: recover gives back the installed package" {
	run -0 apply
	snap before
	guest_run "$guest" sh -c 'sysboxup rollback >/root/out 2>&1 & p=$!
		while [ -e /usr/bin/sysbox-runc ]; do kill -0 $p || exit 9; done
		kill -KILL $p $(pgrep -P $p); wait $p; exit 0'
	run -0 sysboxup recover
	guest_run "$guest" rm -f /root/out
	[ "$(state_of sysbox-ce)$(state_of jq)$(state_of fuse3)" = "ii ii ii " ]
	snap after
	"$hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	run -0 sysboxup rollback
	[ -z "$(state_of sysbox-ce)" ]
}

# One transaction of nothing but packages, and what came out.
only_packages() {
	guest_run "$guest" /root/live_packages /srv/two/profile.json "$@" 2>&1
}

two_versions() {
	local file
	# shellcheck source=tests/lib/catalog.bash
	. "$BATS_TEST_DIRNAME/lib/catalog.bash"
	mkdir -p "$BATS_TEST_TMPDIR/two"
	"$BATS_TEST_DIRNAME/standin/build" "$BATS_TEST_TMPDIR/two/sysbox-ce_0.7.1.linux.deb" 0.7.1.linux conffile
	"$BATS_TEST_DIRNAME/standin/build" "$BATS_TEST_TMPDIR/two/sysbox-ce_0.7.0.linux.deb" 0.7.0.linux conffile
	CATALOG_METHOD=deb catalog_make "$BATS_TEST_TMPDIR/two" /srv/two "$BATS_TEST_TMPDIR"/two/*.deb
	for file in "$BATS_TEST_TMPDIR"/two/{catalog.json,catalog.json.sig,keyring.gpg,profile.json,*.deb}; do
		guest_put "$guest" "$file" "/srv/two/$(basename "$file")"
	done
	guest_put "$guest" "${SYSBOXUP_BUILD:-$BATS_TEST_DIRNAME/../build}/unit/live_packages" /root/live_packages
}

version_of() {
	guest_run "$guest" dpkg-query -W -f '${Version}' "$1"
}

@test "an upgrade that is found wrong goes back to the old version, with the administrator's conffile" {
	two_versions
	run -0 only_packages install 0.7.0
	guest_run "$guest" sh -c 'echo edited >>/etc/sysbox-standin.conf'
	snap before
	run -1 only_packages install-fail 0.7.1
	[ "$(version_of sysbox-ce)" = 0.7.0.linux ]
	as_before
}

@test "upgrade, rollback, removal found wrong, removal, rollback: each step is exact" {
	two_versions
	run -0 only_packages install 0.7.0
	guest_run "$guest" sh -c 'echo edited >>/etc/sysbox-standin.conf'
	snap before
	run -0 only_packages install 0.7.1
	[ "$(version_of sysbox-ce)" = 0.7.1.linux ]
	run -0 sysboxup rollback
	[ "$(version_of sysbox-ce)" = 0.7.0.linux ]
	as_before
	run -1 only_packages remove-fail
	as_before
	run -0 only_packages remove
	[ -z "$(state_of sysbox-ce)" ]
	run -0 sysboxup rollback
	as_before
}
