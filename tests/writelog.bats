#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The log of a disk's writes, and the disks that tests/tools/writelog.c makes of it.
bats_require_minimum_version 1.5.0

setup() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	make -s -C "$REPO/tests/tools"
	. "$REPO/tests/lib/inside.bash"
	. "$REPO/tests/lib/blocklog.bash"
	W=$BATS_TEST_TMPDIR/disk
	inside_begin "$W" 64m
	truncate -s 1M "$(inside_path "$W/disk.img")"
	blocklog_start "$W"
	blocklog_attach
	LOG=$(inside_path "$W/log.img") BASE=$(inside_path "$W/base.img") OUT=$BATS_TEST_TMPDIR/out.img
}

teardown() {
	blocklog_stop
	inside_end
}

writelog() {
	"$REPO/build/tools/writelog" "$LOG" "$@"
}

# put PAGE LETTER [PAGES]: at once to the device, which is told to keep it by nobody.
put() {
	head -c $((${3:-1} * 4096)) /dev/zero | tr '\0' "$2" |
		dd of="$BLOCKLOG_DEV" bs=$((${3:-1} * 4096)) seek="$1" oflag=direct,seek_bytes iflag=fullblock status=none
}

flush() {
	sync "$BLOCKLOG_DEV"
}

# seen [PAGE...]: the first letter of each page of OUT, . for an empty one.
seen() {
	local page
	for page; do
		dd if="$OUT" bs=4096 skip="$page" count=1 status=none | head -c 1 | tr '\0' .
	done
}

@test "a prefix of the log is the disk as it was then" {
	put 0 a
	put 4096 b
	flush
	put 0 c
	flush
	local marks total
	marks=$(blocklog_mark)
	total=$(writelog count)
	[ "$total" -eq "$marks" ]
	writelog build "$BASE" "$OUT" "$total"
	cmp "$OUT" "$(inside_path "$W/disk.img")"
	[ "$(seen 0 1 2)" = cb. ]
	writelog build "$BASE" "$OUT" 0
	cmp "$OUT" "$BASE"
	writelog list | awk -F '\t' '$4 ~ /FLUSH/ { n++ } END { exit n >= 2 ? 0 : 1 }'
}

@test "what a flush followed is on every disk; what none followed is there, missing or torn" {
	put 0 a
	flush
	local sure k seed got=''
	sure=$(blocklog_mark)
	put 4096 b 4
	flush
	k=$(writelog list | awk -F '\t' '$3 == 32 { print $1 + 1 }')
	[ "$k" -gt "$sure" ]
	for seed in {1..40}; do
		writelog crash "$BASE" "$OUT" "$k" "$seed"
		[ "$(seen 0)" = a ]
		got+=" $(seen 1 2 3 4)"
	done
	[[ $got == *" bbbb"* && $got == *" ...."* && $got =~ " "(b[b.]*\.|\.[b.]*b) ]]
	writelog crash "$BASE" "$OUT" "$(writelog count)" 1
	[ "$(seen 0 1 2 3 4)" = abbbb ]
}

@test "the same seed gives the same disk" {
	put 0 a 8
	put 40960 b 8
	flush
	local k
	k=$(writelog list | awk -F '\t' '$3 == 64 { k = $1 + 1 } END { print k }')
	writelog crash "$BASE" "$OUT" "$k" 7
	cp "$OUT" "$OUT.first"
	writelog crash "$BASE" "$OUT" "$k" 7
	cmp "$OUT" "$OUT.first"
}

@test "what is no log is said to be none" {
	head -c 8192 /dev/zero >"$BATS_TEST_TMPDIR/none"
	LOG=$BATS_TEST_TMPDIR/none
	run -2 writelog list
	[[ $output == *"no log of writes"* ]]
	run -2 writelog build "$BASE" "$OUT" many
}
