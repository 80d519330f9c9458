#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a crash left is undone at the next boot by itself, before Docker starts: by the early unit, and packages by the
# late one. On the Debian of this machine, and what concerns packages on the other one too. The package is the stand-in.

bats_require_minimum_version 1.5.0

load_libs() {
	# shellcheck source=tests/guest/guest.bash
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
	# shellcheck source=tests/lib/install.bash
	. "$BATS_TEST_DIRNAME/lib/install.bash"
	hostdiff=$BATS_TEST_DIRNAME/../build/tools/hostdiff
	build=${SYSBOXUP_BUILD:-$BATS_TEST_DIRNAME/../build}
}

setup_file() {
	export GUEST_DOCKER=--iptables=false
	load_libs
	make -s -C "$BATS_TEST_DIRNAME/tools"
	make -s -C "$BATS_TEST_DIRNAME/.." BUILD="$build" "$build"/sysboxup{,-faults}
	install_prepare "$BATS_FILE_TMPDIR"
}

setup() {
	load_libs
	boot
}

# boot [SUITE]: a fresh guest with the program in it.
boot() {
	guest_boot atboot "$@"
	install_into atboot "$BATS_FILE_TMPDIR"
	guest_run atboot systemctl daemon-reload
	snapshot before
}

# A boot by itself writes to wtmp, and gives services private directories of random names. To systemd a /usr with
# something new in it, here our program, is an update, with files that say it was taken note of.
snapshot() {
	guest_snap atboot --skip /var/log/wtmp --skip /var/tmp --skip /etc/.updated --skip /var/.updated \
		--skip /var/lib/systemd/catalog >"$BATS_TEST_TMPDIR/$1"
}

teardown() {
	guest_destroy atboot
}

apply() {
	guest_run atboot sysboxup --quiet apply --force container --profile /srv/demo/profile.json
}

# By files, what Sysbox needs must be there before.
by_files() {
	guest_run atboot env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends fuse3 rsync >/dev/null 2>&1
	guest_run atboot sed -i 's/"auto"/"files"/' /srv/demo/profile.json
	snapshot before
}

state_of() {
	guest_run atboot sysboxup --json history | jq -r "select(.event == \"transaction\" and .id == $1) | .state"
}

# There, seen from outside: nothing need be started in the guest to look.
there() {
	local path
	path=/proc/$(guest_pid atboot)/root$1
	[ -e "$path" ] || [ -L "$path" ]
}

# run_until WHAT CMD...: start CMD in the guest, kill the whole host when the shell function WHAT is true.
run_until() {
	local what=$1
	shift
	"$@" >"$BATS_TEST_TMPDIR/run.log" 2>&1 3>&- &
	guest__until 300 "$what" || { cat "$BATS_TEST_TMPDIR/run.log"; echo "never: $what"; return 1; }
	guest_kill atboot
	wait $! || :
	cat "$BATS_TEST_TMPDIR/run.log"	# shown where the test fails
}

same_as_before() {
	snapshot after
	"$hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after" --ours /etc/docker
}

# One moment, not two that a reload could lie between. 0: it was not started in this boot.
ended() {
	guest_run atboot systemctl show -P ExecMainExitTimestampMonotonic "$1"
}

docker_started() {
	guest_run atboot systemctl show -P ExecMainStartTimestampMonotonic docker.service
}

# The early half alone, and Docker behind it.
early_recovered() {
	local early
	early=$(ended sysboxup-recover)
	[ "$early" -gt 0 ] || { guest_run atboot sh -c "systemctl status sysboxup-recover; journalctl -b -o short-monotonic -u sysboxup-recover -u sysboxup-recover-late; ls -la /var/lib/sysboxup; sysboxup history"; false; }
	[ "$(ended sysboxup-recover-late)" -eq 0 ]
	[ "$(docker_started)" -gt "$early" ]
}

# Both halves, one behind the other, and Docker behind both.
both_recovered() {
	local early late
	early=$(ended sysboxup-recover)
	late=$(ended sysboxup-recover-late)
	[ "$early" -gt 0 ] || { guest_run atboot sh -c "systemctl status sysboxup-recover; journalctl -b -o short-monotonic -u sysboxup-recover -u sysboxup-recover-late; ls -la /var/lib/sysboxup; sysboxup history"; false; }
	[ "$late" -gt "$early" ]
	[ "$(docker_started)" -gt "$late" ]
}

not_started() {
	run -0 guest_run atboot systemctl show -P ConditionResult sysboxup-recover sysboxup-recover-late
	[ "$output" = $'no\n\nno' ]
	[ "$(ended sysboxup-recover)" -eq 0 ]
	[ "$(ended sysboxup-recover-late)" -eq 0 ]
}

healthy() {
	run -0 guest_run atboot systemctl is-system-running
	[ "$output" = running ]
	run -0 guest_run atboot journalctl -b -q --no-pager
	[[ $output != *"rdering cycle"* ]]
	[[ $output != *"Failed to start"* ]]
}

without_sysbox() {
	healthy
	run -0 guest_run atboot docker info --format '{{json .Runtimes}}'
	[[ $output != *sysbox* ]]
	run guest_run atboot systemctl is-active sysbox.service sysbox-mgr.service sysbox-fs.service
	[ "$output" = $'inactive\ninactive\ninactive' ]
}

with_sysbox() {
	healthy
	guest_wait atboot systemctl is-active sysbox
	run -0 guest_run atboot sysboxup verify
}

no_package() {
	run ! guest_run atboot dpkg-query -W sysbox-ce
	run -0 guest_run atboot dpkg --audit
	[ -z "$output" ]
}

daemon_json_is_there() { grep -qs sysbox-runc "/proc/$(guest_pid atboot)/root/etc/docker/daemon.json"; }
sysbox_is_starting() { there /run/sysbox/sysmgr.pid; }
unpacked_by_dpkg() { there /var/lib/dpkg/info/sysbox-ce.list; }
enabled_by_dpkg() { there /etc/systemd/system/multi-user.target.wants/sysbox.service; }
# Not where the guest itself is not to be seen for a moment.
binaries_are_gone() {
	local bin
	bin=/proc/$(guest_pid atboot)/root/usr/bin
	[ -d "$bin" ] && [ ! -e "$bin/sysbox-runc" ]
}

@test "both units are enabled, make no ordering cycle, and are not started where nothing was ever done" {
	run -0 guest_run atboot systemctl is-enabled sysboxup-recover.service sysboxup-recover-late.service sysboxup-hooks.service
	run -0 guest_run atboot systemd-analyze verify --man=no sysboxup-recover.service sysboxup-recover-late.service sysboxup-hooks.service docker.service
	[ -z "$output" ]
	guest_reboot atboot
	without_sysbox
	not_started
}

@test "with a history and nothing to recover neither is started, and nothing is changed" {
	apply
	snapshot before
	guest_reboot atboot
	not_started
	with_sysbox
	same_as_before
	[ "$(state_of 1)" = committed ]
}

@test "by files: killed with daemon.json in place, the host is as before when Docker starts" {
	by_files
	run_until daemon_json_is_there apply
	run -0 guest_look atboot sh -c 'grep -l sysbox-runc etc/docker/daemon.json'
	guest_reboot atboot
	early_recovered
	without_sysbox
	same_as_before
	[ "$(state_of 1)" = "failed, undone" ]
}

@test "by files: killed while Sysbox starts, its units are gone without a trace when Docker starts" {
	by_files
	run_until sysbox_is_starting apply
	guest_reboot atboot
	early_recovered
	without_sysbox
	same_as_before
}

# Docker is newer than daemon.json by more than a second: its next start need not be tried, which would be a process of its own
# with calls of its own.
read_by_docker() {
	guest_run atboot sh -c 'until [ "$(date +%s)" -gt $(($(stat -c %Z /etc/docker/daemon.json) + 2)) ]; do :; done
		systemctl reset-failed docker docker.socket; systemctl restart docker'
}

@test "docker.settings: killed with the new text in place, Docker starts with the old one" {
	guest_run atboot sh -c 'mkdir -p /etc/docker && echo "{ \"log-level\": \"warn\" }" >/etc/docker/daemon.json && systemctl restart docker'
	guest_run atboot sh -c 'echo "{ \"docker\": { \"settings\": { \"live-restore\": true } } }" >/srv/demo/profile.json'
	guest_put atboot "$build/sysboxup-faults" /usr/local/bin/sysboxup-faults
	read_by_docker
	guest_run atboot env SYSBOXUP_FAULT=log:/run/calls sysboxup-faults -q apply --force container --profile /srv/demo/profile.json
	guest_run atboot sysboxup -q rollback
	read_by_docker
	snapshot before
	run -137 guest_run atboot env SYSBOXUP_FAULT="die-after:$(guest_run atboot awk '$2 == "exchange" && /daemon\.json/ { n = $1 } END { print n }' /run/calls)" \
		SYSBOXUP_FAULT_ALONE=1 sysboxup-faults -q apply --force container --profile /srv/demo/profile.json
	run -0 guest_run atboot grep -c live-restore /etc/docker/daemon.json
	guest_kill atboot
	guest_reboot atboot
	early_recovered
	without_sysbox
	run -0 guest_run atboot docker info --format '{{.LiveRestoreEnabled}}'
	[ "$output" = false ]
	same_as_before
}

@test "by files: killed in a rollback, everything is in place again and Docker starts with it" {
	by_files
	apply
	snapshot before
	run_until binaries_are_gone guest_run atboot sysboxup --quiet rollback
	guest_reboot atboot
	early_recovered
	with_sysbox
	same_as_before
	[ "$(state_of 2)" = "failed, undone" ]
}

# killed_by_dpkg WHEN [SUITE]: killed in an apply by dpkg.
killed_by_dpkg() {
	[ $# -lt 2 ] || boot "$2"
	run_until "$1" apply
	guest_reboot atboot
	both_recovered
	without_sysbox
	no_package
	same_as_before
}

@test "by dpkg: killed in the middle of the package, dpkg knows nothing of it when Docker starts" {
	killed_by_dpkg unpacked_by_dpkg
}

@test "by dpkg: killed when the package had enabled its units, they do not start, and nothing failed to" {
	killed_by_dpkg enabled_by_dpkg
}

@test "by dpkg: killed with everything in place, the units of the package are gone when Docker starts" {
	killed_by_dpkg daemon_json_is_there
}

@test "by dpkg: killed in a rollback, the package is back before Docker starts" {
	apply
	snapshot before
	run_until binaries_are_gone guest_run atboot sysboxup --quiet rollback
	guest_reboot atboot
	both_recovered
	with_sysbox
	same_as_before
	[ "$(state_of 2)" = "failed, undone" ]
}

@test "the other Debian: killed in the middle of the package, and with everything in place" {
	local other=trixie
	grep -q trixie /etc/os-release && other=bookworm
	killed_by_dpkg unpacked_by_dpkg $other
	killed_by_dpkg daemon_json_is_there
}

@test "the other Debian: not started after an apply, and early enough for a unit change" {
	local other=trixie
	grep -q trixie /etc/os-release && other=bookworm
	boot $other
	apply
	guest_reboot atboot
	not_started
	with_sysbox
	boot $other
	by_files
	run_until sysbox_is_starting apply
	guest_reboot atboot
	early_recovered
	without_sysbox
	same_as_before
}

@test "a recovery that fails is an error in the journal, Docker starts, and the next boot tries again" {
	by_files
	run_until daemon_json_is_there apply
	guest_look atboot sh -c 'chattr +i usr/bin/sysbox-runc'
	guest_reboot atboot
	both_recovered
	run -0 guest_run atboot docker version
	run guest_run atboot systemctl is-failed sysboxup-recover.service sysboxup-recover-late.service
	[ "$output" = $'failed\nfailed' ]
	run -0 guest_run atboot journalctl -b -q --no-pager -p err -u sysboxup-recover -u sysboxup-recover-late
	[[ $output == *"sysboxup: cannot undo "*"'/usr/bin/sysbox-runc'"* ]]
	[[ $output == *"try:"*"sysboxup"* ]]
	run -5 guest_run atboot sysboxup status
	[[ $output == *sysbox-runc* ]]
	guest_run atboot chattr -i /usr/bin/sysbox-runc
	guest_reboot atboot
	early_recovered
	without_sysbox
	same_as_before
}
