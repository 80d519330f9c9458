#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Signals, delivered before every call of the real program that changes something: what may be interrupted ends before,
# what may not goes on to its end. tests/signals.bats has terminals, pipes and packages.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults} "$SYSBOXUP_BUILD/tools/hostdiff" "$SYSBOXUP_BUILD/tools/sigat"
	. "$REPO/tests/lib/image.bash"
	image_make "$BATS_FILE_TMPDIR/image"
	echo '{ "docker": { "settings": { "live-restore": true, "debug": null } } }' >"$BATS_FILE_TMPDIR/small.json"
}

setup() {
	. "$REPO/tests/lib/image.bash"
	. "$REPO/tests/lib/points.bash"
	UP=$SYSBOXUP_BUILD/sysboxup FAULTY=$SYSBOXUP_BUILD/sysboxup-faults SIGAT=$SYSBOXUP_BUILD/tools/sigat
	R=$BATS_TEST_TMPDIR/root tried=0
	rm -rf "$R"
	cp -a "$BATS_FILE_TMPDIR/image" "$R"
}

snap() {
	image_snap "$R" >"$BATS_TEST_TMPDIR/$1"
}

# The same but for times: each run has its own.
same() {
	image_snap "$R" | cut -f1-6,8- >"$BATS_TEST_TMPDIR/now"
	cut -f1-6,8- "$BATS_TEST_TMPDIR/$1" | diff - "$BATS_TEST_TMPDIR/now" >"$BATS_TEST_TMPDIR/diff"
}

nothing_left() {
	[ ! -e "$R/var/lib/sysboxup/unfinished" ] && "$UP" --root "$R" -q status
}

# begin CMD...: CMD is what follows is about; the trees before and after it are kept.
begin() {
	command=("$@")
	snap before
	rm -rf "$BATS_TEST_TMPDIR/start"
	cp -a "$R" "$BATS_TEST_TMPDIR/start"
	"$FAULTY" --root "$R" -q "$@"
	snap after
}

# at N HOW...: CMD from the start, with HOW before call N; its status in $status.
at() {
	local n=$1
	shift
	rm -rf "$R"
	cp -a "$BATS_TEST_TMPDIR/start" "$R"
	status=0
	SYSBOXUP_FAULT=stop-before:$n "$SIGAT" "$@" -- "$FAULTY" --root "$R" -q "${command[@]}" \
		>"$BATS_TEST_TMPDIR/out" 2>&1 || status=$?
}

too_late() {
	grep -q "sigat: too late" "$BATS_TEST_TMPDIR/out"
}

failed_at() {
	echo "$*, exit $status"
	cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/diff"
	return 1
}

# ends_before STEP HOW...: at every STEP-th call it ends as before with 1, and behind the commit as after with 0. What is
# sent to the first process is passed on to the one that works, which does not wait for it: that it is late is no error.
ends_before() {
	local step=$1 n=1 undone=0 done=0
	shift
	for (( ; ; n += step)); do
		at "$n" "$@"
		too_late && break
		tried=$((tried + 1))
		case $status in
		1) same before && { [ "$*" = intr ] || grep -q "stopped by SIG" "$BATS_TEST_TMPDIR/out"; } && { [ $done -eq 0 ] || [ "$*" != group:INT ]; } && undone=$((undone + 1)) ;;
		0) same after && done=$((done + 1)) ;;
		*) false ;;
		esac && nothing_left || failed_at "$* before call $n" || return 1
	done
	[ $undone -gt 5 ] && [ $done -gt 0 ]
}

# ends_after STEP HOW...: wherever it is, it ends as after with 0.
ends_after() {
	local step=$1 n=1 before=$tried
	shift
	for (( ; ; n += step)); do
		at "$n" "$@"
		too_late && break
		tried=$((tried + 1))
		[ "$status" -eq 0 ] && same after && nothing_left || failed_at "$* before call $n" || return 1
	done
	[ "$tried" -gt $((before + 3)) ]
}

@test "apply: SIGINT to the group and SIGTERM to the first process undo it, a storm of them too" {
	begin --profile "$BATS_FILE_TMPDIR/small.json" apply
	ends_before 1 group:INT
	ends_before 2 first:TERM
	ends_before 4 -n 40 group:INT
	ends_before 4 -n 40 first:TERM
	ends_before 5 intr
	points signals-apply "$tried"
}

@test "apply: SIGHUP, SIGPIPE and a terminal that goes away do not stop it" {
	begin --profile "$BATS_FILE_TMPDIR/small.json" apply
	ends_after 3 hangup
	ends_after 6 group:HUP
	ends_after 6 group:PIPE
	points signals-ignored "$tried"
}

@test "rollback: SIGINT and SIGTERM leave what was in place, in place" {
	"$UP" --root "$R" --profile "$BATS_FILE_TMPDIR/small.json" -q apply
	begin rollback
	ends_before 2 group:INT
	ends_before 4 -n 40 first:TERM
	ends_after 6 hangup
	points signals-rollback "$tried"
}

@test "recover: no signal but SIGKILL keeps it from its end" {
	local calls=$BATS_TEST_TMPDIR/calls exchange
	snap clean
	cp -a "$R" "$BATS_TEST_TMPDIR/clean-root"
	SYSBOXUP_FAULT=log:$calls "$FAULTY" --root "$R" --profile "$BATS_FILE_TMPDIR/small.json" -q apply
	exchange=$(awk '$2 == "exchange" { n = $1 } END { print n }' "$calls")
	rm -rf "$R"
	cp -a "$BATS_TEST_TMPDIR/clean-root" "$R"
	SYSBOXUP_FAULT_ALONE=1 SYSBOXUP_FAULT=die-after:$exchange "$FAULTY" --root "$R" --profile "$BATS_FILE_TMPDIR/small.json" -q apply || [ $? -eq 137 ]
	[ -e "$R/var/lib/sysboxup/unfinished" ]
	begin recover
	same clean
	ends_after 1 group:INT
	ends_after 3 -n 40 first:TERM
	ends_after 5 hangup
	points signals-recover "$tried"
}

@test "negative control: a signal that nobody handles is seen, and so is a run that was not stopped" {
	begin --profile "$BATS_FILE_TMPDIR/small.json" apply
	run ! ends_before 20 group:QUIT
	run ! ends_before 20 group:HUP
	run ! ends_after 20 group:INT
}
