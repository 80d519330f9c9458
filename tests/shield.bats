#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The shield (installer/sys/shield.h) on a host with systemd and a running Docker: each hole of the first idea is tried.

bats_require_minimum_version 1.5.0

setup_file() {
	# shellcheck source=tests/guest/guest.bash
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
	if [ -z "${SHIELD_TEST:-}" ]; then	# given: a private build
		local build=${SYSBOXUP_BUILD:-$(cd "$BATS_TEST_DIRNAME/.." && pwd)/build}
		make -s -C "$BATS_TEST_DIRNAME/.." BUILD="$build" "$build/unit/test_shield"
		SHIELD_TEST=$build/unit/test_shield
	fi
	guest_boot shield
	guest_put shield "$SHIELD_TEST" /root/test_shield
}

teardown_file() {
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
	guest_destroy shield
}

setup() {
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
}

shielded() {
	guest_run shield /root/test_shield sh -c "$1"
}

dockerd() {
	guest_run shield systemctl show -P MainPID docker.service
}

# What must not have happened: a restart of Docker, an end of the host.
untouched() {
	[ "$(dockerd)" = "$1" ]
	[ "$(guest_run shield systemctl is-system-running)" = running ]
	[ "$(guest_run shield systemctl list-jobs --no-legend | wc -l)" -eq 0 ]
}

@test "the unit tests of the shield hold on a host with systemd and Docker" {
	run -0 guest_run shield /root/test_shield
	grep -qx "1..$(grep -c "^TEST(" "$BATS_TEST_DIRNAME/unit/test_shield.c")" <<<"$output"
}

@test "in the shield systemctl, service, invoke-rc.d and SysV scripts do nothing to Docker and do not fail" {
	before=$(dockerd)
	run -0 shielded "set -e; systemctl restart docker; systemctl daemon-reload; invoke-rc.d docker restart
		service docker restart; /etc/init.d/docker restart; deb-systemd-invoke restart docker.service"
	untouched "$before"
}

@test "in the shield reboot, init 6 and D-Bus reach nobody" {
	before=$(dockerd)
	for cmd in reboot poweroff "init 6" "busctl list" "systemctl --no-block isolate rescue.target"; do
		run shielded "$cmd"
	done
	run ! shielded "busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager GetUnit s docker.service"
	untouched "$before"
}

@test "in the shield no dockerd is seen, no socket answers, no pid file hits anybody" {
	before=$(dockerd)
	# shellcheck disable=SC2016 # expanded inside
	run -0 shielded 'pidof dockerd || echo none; test -S /run/docker.sock || echo no socket; kill "$(cat /run/docker.pid)" 2>&1 || echo nobody'
	[ "${lines[0]}" = none ]
	[ "${lines[1]}" = "no socket" ]
	[ "${lines[-1]}" = nobody ]
	untouched "$before"
}

@test "in the shield the data-root can be wiped and is whole afterwards" {
	before=$(guest_run shield find /var/lib/docker | sort)
	run -0 shielded 'rm -rf /var/lib/docker/*; ls -A /var/lib/docker'
	[ -z "$output" ]
	[ "$(guest_run shield find /var/lib/docker | sort)" = "$before" ]
	[ "$(wc -l <<<"$before")" -gt 5 ]
}

@test "a script in the shield still reaches the journal" {
	shielded "logger -t shield-test through"
	guest_wait shield sh -c 'journalctl -q -t shield-test | grep through'
}

@test "control: without the shield the same command does restart Docker" {
	before=$(dockerd)
	guest_run shield systemctl restart docker
	[ "$(dockerd)" != "$before" ]
}
