#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Pruning, killed and failed at each of its calls: what is kept can still be rolled back, uninstall still gives back
# what was before the first transaction, and the next run takes up where this one stopped. At every third call;
# SYSBOXUP_EVERY=1 tries them all (make check-prune).
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults} "$SYSBOXUP_BUILD/tools/hostdiff"
	. "$REPO/tests/lib/image.bash"
	image_stage "$BATS_FILE_TMPDIR"
	make_history
}

setup() {
	. "$REPO/tests/lib/image.bash"
	. "$REPO/tests/lib/points.bash"
	FAULTY=$SYSBOXUP_BUILD/sysboxup-faults
	F=$BATS_FILE_TMPDIR R=$BATS_TEST_TMPDIR/root
	export SYSBOXUP_FAULT_ALONE=1
}

up() {
	"$SYSBOXUP_BUILD/sysboxup" --root "$R" -q "$@"
}

# small SETTINGS HISTORY: a profile on stdout.
small() {
	printf '{ "docker": { "settings": %s }, "history": %s }\n' "$1" "$2"
}

content() {
	image_snap "$R" | cut -f1-6,8-
}

# Seven transactions that keep all, among them a rollback, and three that are kept in the end; the trees before all of
# them and before each of those.
make_history() {
	local F=$BATS_FILE_TMPDIR R=$BATS_FILE_TMPDIR/root
	cp -a "$F/image" "$R"
	image_snap "$R" >"$F/before"
	small '{ "mtu": 1401 }' '{}' >"$F/p"
	up --profile "$F/p" apply					# 1
	up --profile "$F/catalog/profile.json" apply "${IMAGE_FORCE[@]}" 2>/dev/null	# 2
	small '{ "mtu": 1402, "log-level": "warn" }' '{}' >"$F/p"
	up --profile "$F/p" apply					# 3
	up rollback							# 4
	small '{ "mtu": 1403 }' '{}' >"$F/p"
	up --profile "$F/p" apply					# 5
	content >"$F/before-6"
	small '{ "mtu": 1404, "debug": true }' '{}' >"$F/p"
	up --profile "$F/p" apply					# 6
	small '{ "debug": true }' '{}' >"$F/p"
	up --profile "$F/p" apply					# 7
	small '{ "debug": true }' '{ "keep": 2 }' >"$F/prune.json"
	content >"$F/after"
}

# What must be so after each crash, be the pruning done or not.
still_good() {
	[ "$(content)" = "$(cat "$F/after")" ] || return 1
	up status || return 1
	rm -rf "$BATS_TEST_TMPDIR/kept"
	cp -a "$R" "$BATS_TEST_TMPDIR/kept"
	up rollback 6 || return 1
	content | cmp - "$F/before-6" || return 1
	rm -rf "$R"
	mv "$BATS_TEST_TMPDIR/kept" "$R"
	up uninstall || return 1
	image_snap "$R" >"$BATS_TEST_TMPDIR/now"
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$F/before" "$BATS_TEST_TMPDIR/now"
}

pruned() {
	[ "$(cd "$R/var/lib/sysboxup" && ls -A txn base)" = $'base:\n000005\n\ntxn:\n000006\n000007' ]
}

# one_point FAULT: pruning is hit there. The state as it is then, and as the next run leaves it, is still good.
one_point() {
	local status=0
	rm -rf "$R" "$BATS_TEST_TMPDIR/hit"
	cp -a "$F/root" "$R"
	SYSBOXUP_FAULT=$1 "$FAULTY" --root "$R" -q --profile "$F/prune.json" apply 2>"$BATS_TEST_TMPDIR/out" || status=$?
	case $1:$status in die*:137 | tear*:137 | fail*:[01]) ;; *) return 1 ;; esac
	cp -a "$R" "$BATS_TEST_TMPDIR/hit"
	still_good || return 1
	rm -rf "$R"
	mv "$BATS_TEST_TMPDIR/hit" "$R"
	up recover && up --profile "$F/prune.json" apply && pruned && still_good
}

# campaign NAME FAULT...: N in each stands for the number of the call.
campaign() {
	local name=$1 total n fault points=0 step=3
	shift
	[ -z "${SYSBOXUP_EVERY:-}" ] || step=1
	cp -a "$F/root" "$R"
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" -q --profile "$F/prune.json" apply
	pruned
	total=$(wc -l <"$BATS_TEST_TMPDIR/log")
	for fault; do
		for ((n = 1; n <= total; n += step)); do
			one_point "${fault/:N/:$n}" || {
				echo "$fault at call $n of $total: $(sed -n "${n}p" "$BATS_TEST_TMPDIR/log")"
				cat "$BATS_TEST_TMPDIR/out"
				ls -lAR "$R/var/lib/sysboxup"
				return 1
			}
			points=$((points + 1))
		done
	done
	points "$name" "$points"
}

@test "pruning killed at its calls: all that is kept goes back, uninstall reaches the beginning, the next run finishes" {
	campaign prune-killed die-before:N
}

@test "pruning with a torn write, or a call that fails, is a warning and no more" {
	campaign prune-failed tear:N fail:N:EIO
}

@test "negative control: a first before-image that is gone is seen" {
	cp -a "$F/root" "$R"
	up --profile "$F/prune.json" apply
	rm "$R"/var/lib/sysboxup/base/000005/before/0
	run ! still_good
	rm -rf "$R"
	cp -a "$F/root" "$R"
	rm -r "$R/var/lib/sysboxup/txn/000006"
	run ! still_good
}
