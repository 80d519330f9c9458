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

# campaign SCENARIO N: N images of it, all in order.
campaign() {
	powercut record "$1"
	powercut points "$1" "$2" >"$BATS_TEST_TMPDIR/points"
	run powercut try "$1" <"$BATS_TEST_TMPDIR/points"
	grep -v '^ok ' <<<"$output" || :
	[ "$status" -eq 0 ]
	[ "$(grep -c '^ok ' <<<"$output")" -eq "$(wc -l <"$BATS_TEST_TMPDIR/points")" ]
	points "powercut-$1" "$(grep -c '^ok ' <<<"$output")"
}

@test "by deb: power cut in apply and rollback, booted again, before or after" {
	campaign deb 62
}

@test "by files: power cut in apply and rollback, booted again, before or after" {
	campaign files 62
}

@test "Docker's settings: power cut in apply and rollback, booted again, before or after" {
	campaign settings 52
}

# Each of these breaks in its own way; what the campaigns above look at must show it.
control() {
	powercut record "$1"
	powercut points "$1" 1 | grep -v : >"$BATS_TEST_TMPDIR/points"
	run powercut try "$1" <"$BATS_TEST_TMPDIR/points"
	echo "$output"
	points "powercut-$1" "$(grep -c "^BROKEN .*$2" <<<"$output")"
}

@test "control: without fsync of files a host is broken after a power cut" {
	control files-nofsync 'apply was acknowledged'
}
