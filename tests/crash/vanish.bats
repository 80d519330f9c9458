#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A disk that vanishes while apply, rollback or recover works on it: from one call to the next every read and write of it fails.
# The run ends by itself, with an exit status that is true and one line that says why; when the disk is there again, with what had
# reached it, recover leads to before or after. Needs root.
#
# SYSBOXUP_EVERY (7 here): the disk goes before every n-th call.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build} SYSBOXUP_FAULT_ALONE=1
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults} "$SYSBOXUP_BUILD"/tools/{hostdiff,sigat}
	. "$REPO/tests/lib/image.bash"
	image_make "$BATS_FILE_TMPDIR/image"
	echo '{ "docker": { "settings": { "live-restore": true, "debug": null } } }' >"$BATS_FILE_TMPDIR/small.json"
}

setup() {
	local lib
	for lib in image inside blocklog points; do
		# shellcheck source=/dev/null
		. "$REPO/tests/lib/$lib.bash"
	done
	UP=$SYSBOXUP_BUILD/sysboxup FAULTY=$SYSBOXUP_BUILD/sysboxup-faults tried=0 EVERY=${SYSBOXUP_EVERY:-7}
	case $SYSBOXUP_BUILD in */sanitize | */coverage) EVERY=$((EVERY * 4)) ;; esac
	DISKS=$BATS_TEST_TMPDIR/disks
	WORK=$DISKS/work R=$DISKS/root
	APPLY=(--profile "$BATS_FILE_TMPDIR/small.json" apply)
	inside_begin "$DISKS" 1g
	inside mkdir "$WORK" "$R"
	HERE=$(inside_path "$R")
}

teardown() {
	blocklog_stop
	inside umount "$R" 2>/dev/null || :
	inside_end
}

up() {
	inside "$UP" --root "$R" -q "$@"
}

# As seen from a plain mount: nothing of ours serves it.
plain() {
	inside mount -o loop,noatime "$WORK/disk.img" "$R"
}

snap() {
	image_snap "$HERE" >"$BATS_TEST_TMPDIR/$1"
}

same_as() {
	snap now
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/$1" "$BATS_TEST_TMPDIR/now" >"$BATS_TEST_TMPDIR/differences"
}

# Times are each run's own.
like() {
	snap now
	cut -f1-6,8- "$BATS_TEST_TMPDIR/now" | diff - <(cut -f1-6,8- "$BATS_TEST_TMPDIR/$1") >"$BATS_TEST_TMPDIR/differences"
}

# disk FS [WORD...]: start.img, a disk with the image on it, behind the run WORD...
disk() {
	blocklog_make "$1" "$WORK" "$BATS_FILE_TMPDIR/image"
	plain
	[ $# -lt 2 ] || up "${@:2}"
	snap before
	inside umount "$R"
	inside cp --sparse=always "$WORK/disk.img" "$WORK/start.img"
}

# calls_of WORD...: how many such a run makes; after is the tree behind it.
calls_of() {
	plain
	rm -f "$BATS_TEST_TMPDIR/log"
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log inside "$FAULTY" --root "$R" -q "$@"
	snap after
	inside umount "$R"
	calls=$(wc -l <"$BATS_TEST_TMPDIR/log")
	[ "$calls" -gt 40 ]
}

# gone_at N WORD...: a run whose disk goes before call N. Its status in $status, what it said in said.
gone_at() {
	status=0
	inside cp --sparse=always "$WORK/start.img" "$WORK/disk.img"
	blocklog_start "$WORK"
	blocklog_mount "$R"
	export BLOCKLOG_CONNECTION
	SYSBOXUP_FAULT=stop-before:$1 inside timeout -k 1 120 "$SYSBOXUP_BUILD/tools/sigat" "run:$BATS_TEST_DIRNAME/vanish" -- \
		"$FAULTY" --root "$R" -q "${@:2}" >"$BATS_TEST_TMPDIR/said" 2>&1 || status=$?
	blocklog_stop
	plain
}

is_clear() {
	[ "$(grep -c '^sysboxup: ' "$BATS_TEST_TMPDIR/said")" -eq 1 ] && [ "$(grep -c '^  host: ' "$BATS_TEST_TMPDIR/said")" -eq 1 ]
}

# What the status promised holds; without a promise it is the one or the other.
ends_right() {
	up recover || return 1
	case $status in
	0) like after ;;
	1 | 3) is_clear && same_as before ;;
	5 | 6) is_clear && { same_as before || like after; } ;;
	*) return 1 ;;
	esac || return 1
	[ "$(inside "$UP" --root "$R" recover)" = "Nothing to recover." ]
}

# each STEP WORD...: the disk goes before every STEP-th call of such a run.
each() {
	local n step=$1 seen=''
	shift
	calls_of "$@"
	for ((n = 1; n <= calls; n += step)); do
		gone_at "$n" "$@"
		ends_right || {
			echo "before call $n of $calls, exit $status: $(sed -n "${n}p" "$BATS_TEST_TMPDIR/log")"
			cat "$BATS_TEST_TMPDIR"/{said,differences}
			return 1
		}
		inside umount "$R"
		seen+=" $status"
		tried=$((tried + 1))
	done
	echo "# exit$seen" >&3
	[[ $seen == *\ [15]* ]]
}

@test "ext4: a disk that vanishes in apply or rollback: the run ends and says so; when it is back, before or after" {
	disk ext4
	each "$EVERY" "${APPLY[@]}"
	disk ext4 "${APPLY[@]}"
	each "$EVERY" rollback
	points vanish-ext4 "$tried"
}

@test "xfs and btrfs: the same" {
	local fs
	for fs in xfs btrfs; do
		disk $fs
		each $((EVERY * 3)) "${APPLY[@]}"
		disk $fs "${APPLY[@]}"
		each $((EVERY * 3)) rollback
	done
	points vanish-others "$tried"
}

@test "control: a disk that went behind the exchange of daemon.json comes back as neither before nor after" {
	local at
	disk ext4
	calls_of "${APPLY[@]}"
	at=$(awk '$2 == "exchange" && /daemon.json$/ { on = 1 } on && $2 == "fsync" { print $1; exit }' "$BATS_TEST_TMPDIR/log")
	gone_at $((at + 1)) "${APPLY[@]}"
	run ! same_as before
	run ! like after
	up recover
	same_as before
}
