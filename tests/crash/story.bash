# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The story that a logged disk records: verb after verb, with what each acknowledged, and the plan for
# tests/tools/crashwalk.c of what every crash state of it may become. Needs inside.bash, blocklog.bash, image.bash.
#
#   story_begin FS PROGRAM         a disk with the made root, logged and mounted; the verbs are PROGRAM's
#   story_leg NAME STATUS WORD...  PROGRAM --root DISK WORD..., which must exit with STATUS; SYSBOXUP_FAULT* reach it
#   story_same TREE TREE           two trees of the story, by number: 0 is that of the beginning
#   story_end                      the disk is put away; its log and the plan stay in $STORY
#   story_walk FS [OPTION]...      all its crash states, recovered by the release build; options of crashwalk
#
# A leg ends with its exit status: what it says is acknowledged, and must be there on every later disk.

story_begin()
{
	STORY_FS=$1 STORY_PROGRAM=$2
	STORY=$DISKS/$STORY_FS STORY_AT=$DISKS/mnt STORY_TREES=0
	STORY_OUT=$(inside_path "$STORY")
	rm -rf "$STORY_OUT"
	mkdir -p "$STORY_OUT"
	blocklog_make "$STORY_FS" "$STORY" "$IMAGE" &&
		blocklog_start "$STORY" &&
		blocklog_mount "$STORY_AT" || return 1
	: >"$STORY_OUT/plan"
	story__tree 0
	STORY_MARK=$(blocklog_mark)
}

story__tree()
{
	inside "$CRASHWALK" snap "$STORY_AT" >"$STORY_OUT/tree.$1"
}

# A leg may take several commands: only the last one's status is acknowledged.
story__run()
{
	local want=$1 program=$2 status=0
	shift 2
	inside "$program" --root "$STORY_AT" -q "$@" >"$STORY_OUT/said" 2>&1 || status=$?
	[ "$status" -eq "$want" ] || {
		echo "exit $status, not $want: $program $*"
		cat "$STORY_OUT/said"
		return 1
	}
}

story__close()
{
	local mark was=$STORY_TREES
	mark=$(blocklog_mark)
	STORY_TREES=$((STORY_TREES + 1))
	story__tree "$STORY_TREES"
	echo "$STORY_MARK $mark $STORY_FS-$1 $STORY_OUT/tree.$was $STORY_OUT/tree.$STORY_TREES" >>"$STORY_OUT/plan"
	STORY_MARK=$mark
}

story_leg()
{
	local name=$1 status=$2
	shift 2
	story__run "$status" "$STORY_PROGRAM" "$@" && story__close "$name"
}

# Killed in the middle by FAULT, and recovered: one leg, since the killed run acknowledged nothing.
story_killed_leg()
{
	local name=$1 fault=$2
	shift 2
	SYSBOXUP_FAULT=$fault SYSBOXUP_FAULT_ALONE=1 story__run 137 "$FAULTY" "$@" &&
		story__run 0 "$UP" recover && story__close "$name"
}

story_same()
{
	local i
	for i in "$1" "$2"; do
		grep -v '^/var/lib/sysboxup[/	]' "$STORY_OUT/tree.$i" >"$STORY_OUT/same.$i"
	done
	diff "$STORY_OUT/same.$1" "$STORY_OUT/same.$2"
}

story_end()
{
	blocklog_stop
}

# What the last entries did not acknowledge: the unmounting is no leg.
story_walk()
{
	inside mkdir -p "$STORY/mnt"
	inside "$CRASHWALK" walk --disk "$STORY/state.img" --mount "$STORY/mnt" --type "$STORY_FS" \
		--private /var/lib/sysboxup --volatile /var/lib/sysboxup/run:/var/lib/sysboxup/.run.other --mark /var/lib/sysboxup/unfinished --plan "$STORY_OUT/plan" "$@" \
		"$STORY/log.img" "$STORY/base.img" "$UP" --root {} -q recover -- "$UP" --root {} -q rollback
}
