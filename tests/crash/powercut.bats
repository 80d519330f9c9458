#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Whole hosts with systemd and Docker lose their power at any write to their disk: the next boot recovers by itself, and the
# host is as before or as after. The package is the stand-in. tests/crash/powercut is the tool, `make check-powercut` tries
# all points.

bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO/tests/tools"
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup" "$SYSBOXUP_BUILD/sysboxup-faults"
	WORK=$(mktemp -d /dev/shm/sysboxup-powercut.XXXXXX || echo "$BATS_FILE_TMPDIR")
	export WORK
	"$BATS_TEST_DIRNAME/powercut" base "$WORK"
}

setup() {
	. "$REPO/tests/lib/points.bash"
}

teardown_file() {
	rm -rf --one-file-system "$WORK"
}

powercut() {
	"$BATS_TEST_DIRNAME/powercut" "$1" "$WORK" "${@:2}"
}

# campaign SCENARIO N: N images of it, all in order. Together 200; no more of them, because each is a boot.
campaign() {
	powercut record "$1"
	powercut points "$1" "$2" >"$BATS_TEST_TMPDIR/points"
	run powercut try "$1" <"$BATS_TEST_TMPDIR/points"
	grep -v '^ok ' <<<"$output" || :
	[ "$status" -eq 0 ]
	[ "$(grep -c '^ok ' <<<"$output")" -eq "$2" ]
	points "powercut-$1" "$(grep -c '^ok ' <<<"$output")"
}

@test "by deb: power cut in apply and rollback, booted again, before or after" {
	campaign deb 52
}

@test "by files: power cut in apply and rollback, booted again, before or after" {
	campaign files 76
}

@test "Docker's settings: power cut in apply and rollback, booted again, before or after" {
	campaign settings 72
}

@test "make check-powercut begins with no verdict, goes on where it was stopped, and says how many are left" {
	local n
	powercut record settings
	n=$(powercut points settings | wc -l)
	POWERCUT_IMAGES=1 run -1 powercut all settings
	[[ ${lines[0]} == "ok settings "* ]] && [ "${lines[1]}" = "settings: 1 of $n images, 0 broken" ]
	POWERCUT_IMAGES=1 run -1 powercut all settings
	[[ ${lines[0]} == "ok settings "* ]] && [ "${lines[1]}" = "settings: 2 of $n images, 0 broken" ]
}

# Two states behind the moment at which apply had said that it is done.
acknowledged() {
	powercut record "$1"
	powercut past "$1" applied 2 >"$BATS_TEST_TMPDIR/points"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/points")" -eq 2 ]
	run powercut try "$1" <"$BATS_TEST_TMPDIR/points"
	echo "$output"
}

# control SCENARIO PATTERN: what the last run looked at was broken, and is said to be.
control() {
	[ "$status" -eq 1 ]
	points "powercut-$1" "$(grep -c "^BROKEN .*$2" <<<"$output")"
}

# lost SCENARIO PATTERN: what nobody had asked to be written can be lost. The kernel may have written it of its own accord, when
# its memory was short; then the run is recorded again, at most 6 times.
lost() {
	local _
	for _ in 1 2 3 4 5 6; do
		acknowledged "$1"
		[ "$status" -eq 0 ] || break
		powercut again "$1"
	done
	control "$1" "$2"
}

@test "control: without fsync of files a host is broken after a power cut" {
	lost files-nofsync 'apply was acknowledged'
}

@test "control: without syncfs after dpkg, what its scripts wrote is lost after an apply that was done" {
	lost deb-elsewhere-nosyncfs 'not as applied: .*deb-systemd-helper-enabled.* size [0-9]* -> 0'
	acknowledged deb-elsewhere
	[ "$status" -eq 0 ]
	[ "$(grep -c '^ok .*applied' <<<"$output")" -eq 2 ]
}

@test "control: with the intent written after the effect, daemon.json stays" {
	powercut record settings-lateintent
	powercut first settings-lateintent /etc/docker/daemon.json >"$BATS_TEST_TMPDIR/points"
	run powercut try settings-lateintent <"$BATS_TEST_TMPDIR/points"
	echo "$output"
	control settings-lateintent 'not as before: /etc/docker/daemon.json only after'
	powercut record settings
	powercut first settings /etc/docker/daemon.json >"$BATS_TEST_TMPDIR/points"
	run -0 powercut try settings <"$BATS_TEST_TMPDIR/points"
}
