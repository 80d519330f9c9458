#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A power cut on a real file system: everything that was written, and flushed, in a run of each verb is in the log of
# the disk; each disk that a cut may have left of it is rebuilt, mounted, recovered, and its tree is that before or that
# after. What was acknowledged by an exit status is there on every later disk.
#
# SYSBOXUP_EVERY (13, 15 or 19 here) and SYSBOXUP_SEEDS (2): every n-th entry of the log, n disks of each beside the exact
# prefix. `make check-blocklog` leaves out none and tries more. Here it was every 11th of each, while the logs grew with the
# job and the points with them, on btrfs to twice the floor.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults}
	make -s -C "$REPO/tests/tools"
	. "$REPO/tests/lib/image.bash"
	local dir=$BATS_FILE_TMPDIR
	image_stage "$dir"
}

setup() {
	local lib
	for lib in image inside blocklog points; do
		# shellcheck source=/dev/null
		. "$REPO/tests/lib/$lib.bash"
	done
	. "$BATS_TEST_DIRNAME/story.bash"
	UP=$SYSBOXUP_BUILD/sysboxup FAULTY=$SYSBOXUP_BUILD/sysboxup-faults CRASHWALK=$REPO/build/tools/crashwalk
	IMAGE=$BATS_FILE_TMPDIR/image DISKS=$BATS_TEST_TMPDIR/disks
	WHOLE=$BATS_FILE_TMPDIR/catalog/profile.json
	SMALL=$BATS_FILE_TMPDIR/small.json SECOND=$BATS_FILE_TMPDIR/second.json
	inside_begin "$DISKS" 1g
}

teardown() {
	blocklog_stop
	inside_end
}

# call_of NAME WHICH WORD...: the number of the WHICH-th (last: 0) call NAME of a run on a copy of the tree as it is now.
call_of() {
	local name=$1 which=$2 copy=$DISKS/copy log=$BATS_TEST_TMPDIR/calls
	shift 2
	rm -f "$log"
	inside cp -a "$STORY_AT" "$copy"
	SYSBOXUP_FAULT=log:$log inside "$FAULTY" --root "$copy" -q "$@" 2>/dev/null
	inside rm -rf --one-file-system "$copy"
	awk -v name="$name" -v which="$which" \
		'$2 == name { n[++i] = $1 } END { print n[which ? which : i] }' "$log"
}

# The verbs, each from where the one before it ended.
whole_story() {
	local at whole=(--profile "$WHOLE" apply "${IMAGE_FORCE[@]}")
	story_begin "$1" "$UP"
	story_leg apply 0 --profile "$SMALL" apply
	at=$(call_of exchange 0 --profile "$SECOND" apply)
	STORY_PROGRAM=$FAULTY SYSBOXUP_FAULT=fail:$((at + 1)):EIO story_leg failed-apply 1 --profile "$SECOND" apply
	story_same 1 2
	story_leg rollback 0 rollback
	story_same 0 3
	at=$(call_of rename-new 9 "${whole[@]}")
	story_killed_leg recover "die-after:$at" "${whole[@]}"
	story_same 0 4
	story_leg apply-whole 0 "${whole[@]}"
	story_leg rollback-whole 0 rollback
	story_same 0 6
	story_leg apply-again 0 --profile "$SMALL" apply
	story_leg uninstall 0 uninstall --purge
	story_same 0 8
	story_end
}

# walk STRIDE: prints what crashwalk says of each leg, and counts its states.
walk() {
	story_walk --stride "${SYSBOXUP_EVERY:-$1}" --seeds "${SYSBOXUP_SEEDS:-2}" --back 5 >"$BATS_TEST_TMPDIR/sums"
	sed 's/^/# /' "$BATS_TEST_TMPDIR/sums" >&3
	points "blocklog-$STORY_FS" "$(awk '$1 != "taken-back" { n += $2 } END { print n }' "$BATS_TEST_TMPDIR/sums")"
	[ "$(awk '$1 == "taken-back" { print $2 }' "$BATS_TEST_TMPDIR/sums")" -ge 5 ]
}

@test "ext4: a power cut at any write of any verb ends before or after, and nothing acknowledged is lost" {
	whole_story ext4
	walk 13
}

@test "xfs: a power cut at any write of any verb ends before or after, and nothing acknowledged is lost" {
	whole_story xfs
	walk 15
}

@test "btrfs: a power cut at any write of any verb ends before or after, and nothing acknowledged is lost" {
	whole_story btrfs
	walk 19
}

# control FS WORD=VALUE: a program that lacks what WORD takes out of it leaves disks that are neither before nor after. They may be
# few: they are looked for in every seventh entry, and where that has none in each.
control() {
	local status stride
	export "${2?}"
	story_begin "$1" "$FAULTY"
	story_leg apply 0 --profile "$SMALL" apply
	story_end
	unset "${2%%=*}"
	for stride in 7 1; do
		status=0
		story_walk --seeds 2 --broken 1 --stride $stride >"$BATS_TEST_TMPDIR/sums" 2>"$BATS_TEST_TMPDIR/broken" || status=$?
		[ "$status" -eq 0 ] || break
	done
	cat "$BATS_TEST_TMPDIR/broken"
	[ "$status" -eq 1 ]
	grep -q '^broken: ' "$BATS_TEST_TMPDIR/broken"
	sed -n 's/^broken/# seen/p' "$BATS_TEST_TMPDIR/broken" >&3
}

@test "negative control: without the fsync of files, disks are seen that are neither before nor after" {
	control ext4 SYSBOXUP_FAULT_SKIP=fsync-file
}

@test "negative control: without the fsync of files, on xfs" {
	control xfs SYSBOXUP_FAULT_SKIP=fsync-file
}

@test "negative control: without the fsync of files, on btrfs" {
	control btrfs SYSBOXUP_FAULT_SKIP=fsync-file
}

# On btrfs alone. ext4 and xfs have one journal for all names: any later fsync, of the index at the latest, carries those
# of the directories that none was made for. (What a child writes is synced by syncfs: tests/crash/powercut has that.)
@test "negative control: without the fsync of directories, disks are seen that are neither before nor after" {
	control btrfs SYSBOXUP_FAULT_SKIP=fsync-dir
}

@test "negative control: with the intent after the effect, disks are seen that are neither before nor after" {
	control ext4 SYSBOXUP_FAULT_LATE_INTENT=1
}

@test "negative control: with the intent after the effect, on xfs" {
	control xfs SYSBOXUP_FAULT_LATE_INTENT=1
}

@test "negative control: with the intent after the effect, on btrfs" {
	control btrfs SYSBOXUP_FAULT_LATE_INTENT=1
}
