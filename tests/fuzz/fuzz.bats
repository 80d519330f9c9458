#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Every parser under libFuzzer with the address and undefined-behaviour sanitizers: first its corpus, which holds what was ever
# found, then FUZZ_SECONDS of its mutations (20; 6 for those at the end), four fuzzers at a time. Each fuzz_NAME.c begins with what
# it promises. A point is an input that was run. `make fuzz` does the same for hours.

bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO
	make -s -C "$REPO" -j2 fuzzers
	fuzz_all
}

# Each fuzzer and its seconds.
fuzzers() {
	printf '%s 20\n' record osrelease splice profile catalog distro template control range options
	printf '%s 6\n' json deb unit dpkgdb aptsim account compose
}

# All of them; what NAME said is in NAME.out, its exit status in NAME.status. One that got no CPU in its seconds, and tried fewer inputs
# than it has to, gets them again.
fuzz_all() {
	fuzzers | xargs -P 4 -L 1 bash -c '
		floor=$(awk -v name="fuzz-$1" "\$1 == name { print \$2 }" "$REPO/tests/crash/points")
		for again in 1 2 3; do
			status=0
			"$REPO/tests/fuzz/run" "$1" "${FUZZ_SECONDS:-$2}" >"$BATS_FILE_TMPDIR/$1.out" 2>&1 || status=$?
			tried=$(sed -n "s/.*: \([0-9]*\) executions.*/\1/p" "$BATS_FILE_TMPDIR/$1.out")
			[ $status -eq 0 ] && [ "${tried:-0}" -lt "${floor:-0}" ] || break
		done
		echo $status >"$BATS_FILE_TMPDIR/$1.status"' fuzz 3>&-
}

setup() {
	# shellcheck source=tests/lib/points.bash
	. "$REPO/tests/lib/points.bash"
}

# fuzz NAME: a broken oracle, a crash, a hang and a leak are failures; the input is kept, and the output says where.
fuzz() {
	run cat "$BATS_FILE_TMPDIR/$1.out"
	echo "$output"
	[ "$(cat "$BATS_FILE_TMPDIR/$1.status")" -eq 0 ]
	echo "# ${lines[-1]}" >&3
	[ -n "$(find "$REPO/tests/fuzz/corpus/$1" -type f)" ]
	points "fuzz-$1" "$(sed -n 's/.*: \([0-9]*\) executions.*/\1/p' <<<"${lines[-1]}")"
}

@test "records: what is read writes the same, a right checksum is needed, every cut and every turned bit is seen" {
	fuzz record
}

@test "os-release: what was read, quoted, reads as the same" {
	fuzz osrelease
}

@test "JSON splice: means what cJSON makes of the merge, leaves every other byte, can be undone" {
	fuzz splice
}

@test "profile: strict, and the same without comments" {
	fuzz profile
}

@test "catalog: nothing required may be missing, nothing accepted is odd" {
	fuzz catalog
}

@test "distribution data: strict, and the same without comments" {
	fuzz distro
}

@test "template: as another reader has it, byte for byte" {
	fuzz template
}

@test "deb control: what was read, written plainly, reads as the same" {
	fuzz control
}

@test "Content-Range: one spelling for one range" {
	fuzz range
}

@test "options: what was understood, written the plain way, is understood the same" {
	fuzz options
}

@test "JSON: what we take cJSON takes too and means the same, and it prints to the same" {
	fuzz json
}

@test "deb packages, ar and tar in process: no accepted member breaks a rule, each comes out with its digest" {
	fuzz deb
}

@test "systemd units and dockerd's flags: the command line, quoted anew, is the same command line" {
	fuzz unit
}

@test "dpkg's status: paragraphs cover every line, every package is found under its name" {
	fuzz dpkgdb
}

@test "apt's simulation: the plan, written as apt would, is the same plan" {
	fuzz aptsim
}

@test "account files: what is put in is valid and complete, and taken out leaves every byte" {
	fuzz account
}

# planted SED SEED: the fuzzer of Content-Range with that change to its parser.
planted() {
	local dir=$BATS_TEST_TMPDIR
	sed "$1" "$REPO/installer/fetch/range.c" >"$dir/range.c"
	run -1 cmp -s "$REPO/installer/fetch/range.c" "$dir/range.c"
	(cd "$REPO" && clang -std=gnu17 -D_GNU_SOURCE -Iinstaller -g -O1 -fsanitize=fuzzer,address,undefined -o "$dir/fuzz_range" \
		"$dir/range.c" tests/fuzz/fuzz_range.c installer/base/{mem,str,buf,err,utf8}.c)
	mkdir -p "$dir/corpus/range"
	printf 'bytes 1-2/3' >"$dir/corpus/range/seed"
	FUZZERS=$dir CORPUS=$dir/corpus FOUND=$dir/found run -1 "$REPO/tests/fuzz/run" range 60
	[[ $output == *"the input is $dir/found/range/crash-"* ]]
	# what was kept shows it again, without the fuzzer
	run ! "$dir/fuzz_range" "$dir"/found/range/crash-*
}

@test "control: a parser that takes a second spelling is found out, and the input kept" {
	planted "s/(\*digits == '0' && digits\[1\]) || //"
	[[ $output == *"not true"* ]]
}

@test "control: a parser that writes past its buffer is found out, and the input kept" {
	planted 's/char \*digits CLEANUP.*/char digits[8] = ""; if (end) memcpy(digits, *s, (size_t)(end - *s));/; s/(!digits ||/(!end ||/'
	[[ $output == *"stack-buffer-overflow"* ]]
}

@test "control: without the bug the same programs find nothing" {
	local dir=$BATS_TEST_TMPDIR
	FOUND=$dir/found run -0 "$REPO/tests/fuzz/run" range 2
	[ -z "$(find "$dir/found" -type f)" ]
}

@test "compose files: what is found in one is not left in the override, which has nothing else in it" {
	fuzz compose
}
