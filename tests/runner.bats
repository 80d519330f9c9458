#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The runner must fail when anything does: these are its negative controls.

bats_require_minimum_version 1.5.0

# run_tests OPTIONS LINE...: the runner with OPTIONS on one bats file of these lines, apart from the real logs.
run_tests() {
	local file=$BATS_TEST_TMPDIR/made.bats
	printf '%s\n' '#!/usr/bin/env bats' "${@:2}" >"$file"
	# shellcheck disable=SC2086 # options
	run env -u CI TEST_LOGS="$BATS_TEST_TMPDIR/logs" "$BATS_TEST_DIRNAME/run" $1 "$file"
	last=${lines[-1]}
}

@test "passing tests pass" {
	run_tests "" '@test "a" { true; }' '@test "b" { true; }'
	[ "$status" -eq 0 ]
	[ "$last" = "2 passed, 0 failed, 0 skipped" ]
}

@test "a failing test fails the run and is shown with its reason" {
	run_tests "" '@test "a" { true; }' '@test "breaks" { false; }'
	[ "$status" -eq 1 ]
	[[ $output == *"not ok 2 breaks"*"false"*"failed"* ]]
	[[ $output == *"failed:"$'\n'"not ok 2 breaks"*"false"*"1 failed"*"$last" ]]	# what keeps only the end of a log says it too
	[ "$last" = "1 passed, 1 failed, 0 skipped" ]
}

@test "a skipped test fails the run with --no-skip, and only then" {
	run_tests "" '@test "a" { true; }' '@test "b" { skip "no reason"; }'
	[ "$status" -eq 0 ]
	[ "$last" = "1 passed, 0 failed, 1 skipped" ]
	run_tests --no-skip '@test "a" { true; }' '@test "b" { skip "no reason"; }'
	[ "$status" -eq 1 ]
	[ "$last" = "1 passed, 0 failed, 1 skipped" ]
}

@test "a file that cannot be read as tests fails the run" {
	run_tests "" '@test "a" { true; '
	[ "$status" -eq 1 ]
	[[ $last =~ ^0\ passed,\ [1-9][0-9]*\ failed ]]
}

@test "a failing setup of the file fails the run" {
	run_tests "" 'setup_file() { false; }' '@test "a" { true; }'
	[ "$status" -eq 1 ]
}

@test "a file without a test fails the run" {
	run_tests "" ''
	[ "$status" -eq 1 ]
}

@test "two files of one name are counted apart" {
	mkdir "$BATS_TEST_TMPDIR"/{one,other}
	printf '%s\n' '#!/usr/bin/env bats' '@test "a" { true; }' '@test "b" { true; }' >"$BATS_TEST_TMPDIR/one/made.bats"
	printf '%s\n' '#!/usr/bin/env bats' '@test "c" { false; }' >"$BATS_TEST_TMPDIR/other/made.bats"
	run env -u CI TEST_LOGS="$BATS_TEST_TMPDIR/logs" "$BATS_TEST_DIRNAME/run" "$BATS_TEST_TMPDIR"/{other,one}/made.bats
	[ "$status" -eq 1 ]
	[ "${lines[-1]}" = "2 passed, 1 failed, 0 skipped" ]
}

@test "what CPUs worked for a file is said, what was left to itself included" {
	local burn=$BATS_TEST_TMPDIR/burn
	cat >"$burn" <<-'EOF'
		#!/bin/bash
		hertz=$(getconf CLK_TCK)
		until read -ra stat </proc/self/stat && [ $((stat[13] + stat[14])) -ge $((hertz / 2)) ]; do :; done
		echo burnt
	EOF
	chmod +x "$burn"
	run_tests "" "@test \"a\" { [ \"\$(setsid -f '$burn')\" = burnt ]; }"
	[ "$status" -eq 0 ]
	if [ ! -w /sys/fs/cgroup/cpuacct ]; then
		[[ $output != *CPU* ]]
		return
	fi
	[[ $output =~ made\.bats\ .*,\ CPU\ +([0-9]+)\.([0-9])\ s$'\n' ]]
	[ "${BASH_REMATCH[1]}${BASH_REMATCH[2]}" -ge 5 ]
}
