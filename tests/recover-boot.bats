#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a crash left is undone at the next boot by itself, before Docker starts. The package is the stand-in.

bats_require_minimum_version 1.5.0

load_libs() {
	# shellcheck source=tests/guest/guest.bash
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
	# shellcheck source=tests/lib/install.bash
	. "$BATS_TEST_DIRNAME/lib/install.bash"
	hostdiff=$BATS_TEST_DIRNAME/../build/tools/hostdiff
}

setup_file() {
	load_libs
	make -s -C "$BATS_TEST_DIRNAME/tools"
	install_prepare "$BATS_FILE_TMPDIR"
}

setup() {
	load_libs
	guest_boot atboot
	install_into atboot "$BATS_FILE_TMPDIR"
	guest_run atboot systemctl daemon-reload
	guest_put atboot "$hostdiff" /usr/local/bin/hostdiff
	snapshot before
}

# A boot by itself writes to wtmp, and gives services private directories of random names.
snapshot() {
	guest_run atboot hostdiff snap / --skip /var/log/wtmp --skip /var/tmp >"$BATS_TEST_TMPDIR/$1"
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
	[ -e "/proc/$(guest_pid atboot)/root$1" ]
}

# run_until WHAT CMD...: start CMD in the guest, kill the whole host when the shell function WHAT is true.
run_until() {
	local what=$1
	shift
	"$@" >"$BATS_TEST_TMPDIR/run.log" 2>&1 3>&- &
	GUEST_DEADLINE=60 guest__until 60 "$what"
	guest_kill atboot
	wait $! || :
}

same_as_before() {
	snapshot after
	"$hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after" --ours /etc/docker
}

# One moment, not two that a reload could lie between.
recovered_before_docker() {
	local recovered docker
	recovered=$(guest_run atboot systemctl show -P ExecMainExitTimestampMonotonic sysboxup-recover.service)
	docker=$(guest_run atboot systemctl show -P ExecMainStartTimestampMonotonic docker.service)
	[ "$recovered" -gt 0 ] && [ "$docker" -gt "$recovered" ]
}

healthy() {
	run -0 guest_run atboot systemctl is-system-running
	[ "$output" = running ]
	run -0 guest_run atboot docker info --format '{{json .Runtimes}}'
	[[ $output != *sysbox* ]]
	run -0 guest_run atboot journalctl -b -q --no-pager
	[[ $output != *"rdering cycle"* ]]
	[[ $output != *"Failed to start"* ]]
}

daemon_json_is_there() { there /etc/docker/daemon.json; }
daemon_json_is_gone() { ! there /etc/docker/daemon.json; }
unpacked_by_dpkg() { there /var/lib/dpkg/info/sysbox-ce.list; }
binaries_are_gone() { ! there /usr/bin/sysbox-runc; }

@test "the unit is enabled, makes no ordering cycle, and does not run where nothing was ever done" {
	run -0 guest_run atboot systemctl is-enabled sysboxup-recover.service
	run -0 guest_run atboot systemd-analyze verify --man=no sysboxup-recover.service docker.service
	[ -z "$output" ]
	guest_reboot atboot
	healthy
	run -0 guest_run atboot systemctl show -P ConditionResult sysboxup-recover.service
	[ "$output" = no ]
}

@test "with a history and nothing to recover, it runs, and changes nothing" {
	apply
	snapshot before
	guest_reboot atboot
	recovered_before_docker
	run -0 guest_run atboot systemctl is-active sysboxup-recover sysbox docker
	run -0 guest_run atboot sysboxup verify
	same_as_before
	[ "$(state_of 1)" = committed ]
}

@test "by files: killed with daemon.json in place, the host is as before when Docker starts" {
	by_files
	run_until daemon_json_is_there apply
	run -0 guest_look atboot sh -c 'grep -l sysbox-runc etc/docker/daemon.json'
	guest_reboot atboot
	recovered_before_docker
	healthy
	same_as_before
	[ "$(state_of 1)" = "failed, undone" ]
}

@test "by files: killed in a rollback, everything is in place again and Docker starts with it" {
	by_files
	apply
	snapshot before
	run_until binaries_are_gone guest_run atboot sysboxup --quiet rollback
	guest_reboot atboot
	recovered_before_docker
	run -0 guest_run atboot systemctl is-system-running
	guest_wait atboot systemctl is-active sysbox
	run -0 guest_run atboot sysboxup verify
	same_as_before
	[ "$(state_of 2)" = "failed, undone" ]
}

@test "by dpkg: killed in the middle of the package, dpkg knows nothing of it when Docker starts" {
	run_until unpacked_by_dpkg apply
	guest_reboot atboot
	recovered_before_docker
	healthy
	run ! guest_run atboot dpkg-query -W sysbox-ce
	run -0 guest_run atboot dpkg --audit
	[ -z "$output" ]
	same_as_before
}

@test "by dpkg: killed with everything in place, the units of the package are gone when Docker starts" {
	run_until daemon_json_is_there apply
	guest_reboot atboot
	recovered_before_docker
	healthy
	run guest_run atboot systemctl is-active sysbox.service
	[ "$output" = inactive ]
	same_as_before
}

@test "a recovery that fails lets Docker start, and says what is left" {
	by_files
	run_until daemon_json_is_there apply
	guest_look atboot sh -c 'chattr +i usr/bin/sysbox-runc'
	guest_reboot atboot
	run -0 guest_run atboot docker version
	run guest_run atboot systemctl is-failed sysboxup-recover.service
	[ "$output" = failed ]
	run -5 guest_run atboot sysboxup status
	[[ $output == *sysbox-runc* ]]
	guest_run atboot chattr -i /usr/bin/sysbox-runc
	run -0 guest_run atboot sysboxup recover
	same_as_before
	run -0 guest_run atboot docker info --format '{{json .Runtimes}}'
	[[ $output != *sysbox* ]]
}
