#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Layer 1: one run recorded at the seam, all states that a file system may leave of it after a power cut, and `recover`
# on each: tests/crash/model/model.h says which. SYSBOXUP_MODEL_ALL=1 (make check-model) tries every distinct state of the
# long runs too, else every so many-th.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults} "$SYSBOXUP_BUILD/tools/crashmodel"
	. "$REPO/tests/lib/image.bash"
	image_stage "$BATS_FILE_TMPDIR"
}

setup() {
	. "$REPO/tests/lib/image.bash"
	. "$REPO/tests/lib/points.bash"
	UP=$SYSBOXUP_BUILD/sysboxup FAULTY=$SYSBOXUP_BUILD/sysboxup-faults
	WHOLE=$BATS_FILE_TMPDIR/catalog/profile.json SMALL=$BATS_FILE_TMPDIR/small.json
	START=$BATS_TEST_TMPDIR/start WORK=$BATS_TEST_TMPDIR/work
	mkdir "$WORK"
	cp -a "$BATS_FILE_TMPDIR/image" "$START"
}

# up WORD...: the release build on the start tree.
up() {
	"$UP" --root "$START" -q "$@" 2>"$BATS_TEST_TMPDIR/err"
}

# model STRIDE [OPTION]... -- WORD...: the states of sysboxup WORD... on the start tree. Leaves $tried.
model() {
	local stride=$1 options=()
	shift
	while [ "$1" != -- ]; do options+=("$1") && shift; done
	shift
	[ -z "${SYSBOXUP_MODEL_ALL-}" ] || stride=1
	run "$SYSBOXUP_BUILD/tools/crashmodel" --stride "$stride" "${options[@]}" "$WORK" "$START" "$UP" -- "$FAULTY" --root @ -q "$@"
	[[ ${lines[-1]} =~ ^tried\ ([0-9]+)\ of ]]
	tried=${BASH_REMATCH[1]}
	[ "$status" -ne 0 ] || printf '%s\n' "${lines[@]: -4}" | sed 's/^#* */# /' >&3
}

# crashed CALL WORD...: on the start tree sysboxup WORD... is killed before the last call that awk's CALL selects.
crashed() {
	local call=$1 at
	shift
	cp -a "$START" "$BATS_TEST_TMPDIR/whole"
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$BATS_TEST_TMPDIR/whole" -q "$@" 2>/dev/null
	at=$(awk "$call"' { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	[ -n "$at" ]
	SYSBOXUP_FAULT_ALONE=1 SYSBOXUP_FAULT=die-before:$at "$FAULTY" --root "$START" -q "$@" 2>/dev/null || [ $? -eq 137 ]
	run -6 "$UP" --root "$START" status
}

@test "apply of docker.settings, whatever a power cut leaves of it, ends before or after; after exit 0 only after" {
	model 1 -- --profile "$SMALL" apply
	[ "$status" -eq 0 ]
	points model-apply "$tried"
}

@test "rollback of docker.settings, whatever a power cut leaves of it, ends before or after; after exit 0 only after" {
	up --profile "$SMALL" apply
	model 1 -- rollback
	[ "$status" -eq 0 ]
	points model-rollback "$tried"
}

@test "recover of an apply, whatever a power cut leaves of it, ends before" {
	crashed '$2 == "rename" && /txn/' --profile "$SMALL" apply
	model 1 --before "$BATS_FILE_TMPDIR/image" -- recover
	[ "$status" -eq 0 ]
	points model-recover "$tried"
}

@test "the whole job by files, whatever a power cut leaves of it, ends before or after; after exit 0 only after" {
	up --profile "$WHOLE" apply "${IMAGE_FORCE[@]}"
	up rollback
	model 397 -- --profile "$WHOLE" apply "${IMAGE_FORCE[@]}"
	[ "$status" -eq 0 ]
	points model-whole-apply "$tried"
}

@test "the rollback of the whole job, whatever a power cut leaves of it, ends before or after" {
	up --profile "$WHOLE" apply "${IMAGE_FORCE[@]}"
	model 211 -- rollback
	[ "$status" -eq 0 ]
	points model-whole-rollback "$tried"
}

@test "recover of the whole job, whatever a power cut leaves of it, ends before" {
	up --profile "$WHOLE" apply "${IMAGE_FORCE[@]}"
	up rollback
	cp -a "$START" "$BATS_TEST_TMPDIR/before"
	crashed '$2 == "rename" && /txn/' --profile "$WHOLE" apply "${IMAGE_FORCE[@]}"
	model 97 --before "$BATS_TEST_TMPDIR/before" -- recover
	[ "$status" -eq 0 ]
	points model-whole-recover "$tried"
}

# broken VARIABLE=VALUE WORD...: with that in the environment of the recorded run the model finds states that are neither.
broken() {
	local variable=$1
	shift
	export "${variable?}"
	model 29 -- "$@"
	unset "${variable%%=*}"
	[ "$status" -eq 1 ]
	[[ ${lines[-1]} =~ ,\ [1-9][0-9]*\ broken, ]]
}

@test "negative control: without the fsync of files the model finds what is broken" {
	broken SYSBOXUP_FAULT_SKIP=fsync-file --profile "$SMALL" apply
	up --profile "$SMALL" apply
	broken SYSBOXUP_FAULT_SKIP=fsync-file rollback
}

@test "negative control: without the fsync of directories the model finds what is broken, and what was acknowledged and is lost" {
	broken SYSBOXUP_FAULT_SKIP=fsync-dir --profile "$SMALL" apply
	up --profile "$SMALL" apply
	broken SYSBOXUP_FAULT_SKIP=fsync-dir rollback
	[[ ${lines[-1]} =~ ,\ [1-9][0-9]*\ of\ them\ after\ exit\ 0$ ]]
}

@test "negative control: with the intent written after the effect the model finds what is broken" {
	broken SYSBOXUP_FAULT_LATE_INTENT=1 --profile "$SMALL" apply
	up --profile "$SMALL" apply
	broken SYSBOXUP_FAULT_LATE_INTENT=1 rollback
}

@test "negative control: a change that does not go through the seam is found before anything is tried" {
	printf '#!/bin/sh\n"$@" && touch "$3/etc/beside"\n' >"$BATS_TEST_TMPDIR/beside"
	chmod +x "$BATS_TEST_TMPDIR/beside"
	run -2 "$SYSBOXUP_BUILD/tools/crashmodel" "$WORK" "$START" "$UP" -- "$BATS_TEST_TMPDIR/beside" "$FAULTY" --root @ -q --profile "$SMALL" apply
	[[ $output == *"the recording does not explain the tree: /etc/beside is missing"* ]]
}
