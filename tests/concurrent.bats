#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Several runs at once: one works, the others say so and leave.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults} "$SYSBOXUP_BUILD/tools/hostdiff"
	. "$REPO/tests/lib/image.bash"
	image_make "$BATS_FILE_TMPDIR/image"
	echo '{ "docker": { "settings": { "live-restore": true, "debug": null } } }' >"$BATS_FILE_TMPDIR/small.json"
	# The call with which PREPARED becomes durable: only who holds the lock makes so many.
	cp -a "$BATS_FILE_TMPDIR/image" "$BATS_FILE_TMPDIR/probe"
	SYSBOXUP_FAULT=log:$BATS_FILE_TMPDIR/calls "$SYSBOXUP_BUILD/sysboxup-faults" --root "$BATS_FILE_TMPDIR/probe" \
		--profile "$BATS_FILE_TMPDIR/small.json" -q apply
	awk '$2 == "exchange" { n = $1 } END { print n }' "$BATS_FILE_TMPDIR/calls" >"$BATS_FILE_TMPDIR/exchange"
}

setup() {
	. "$REPO/tests/lib/image.bash"
	UP=$SYSBOXUP_BUILD/sysboxup FAULTY=$SYSBOXUP_BUILD/sysboxup-faults
	R=$BATS_TEST_TMPDIR/root EXCHANGE=$(<"$BATS_FILE_TMPDIR/exchange")
	PROFILE=$BATS_FILE_TMPDIR/small.json first=
	cp -a "$BATS_FILE_TMPDIR/image" "$R"
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
}

teardown() {
	[ -z "$first" ] || { kill -KILL "$first" $(pgrep -P "$first") 2>/dev/null; wait "$first" || true; }
}

same_as_before() {
	image_snap "$R" >"$BATS_TEST_TMPDIR/now"
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/now"
}

until_true() {
	local deadline=$((SECONDS + 600))
	until "$@"; do
		[ $SECONDS -lt $deadline ]
		sleep 0.01
	done
}

is_stopped() {
	[ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)" = T ]
}

worker_is_stopped() {
	worker=$(pgrep -P "$first") && is_stopped "$worker"
}

# A run that holds the lock, daemon.json exchanged already: its two processes are in $first and $worker.
hold() {
	SYSBOXUP_FAULT=stop-before:$EXCHANGE "$FAULTY" --root "$R" --profile "$PROFILE" -q apply >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
	first=$!
	until_true worker_is_stopped
}

one_of_100() {
	local status=0
	flock -s "$BATS_TEST_TMPDIR/gate" true
	SYSBOXUP_FAULT=stop-before:$EXCHANGE "$FAULTY" --root "$R" --profile "$PROFILE" -q apply >"$BATS_TEST_TMPDIR/out.$1" 2>&1 || status=$?
	echo $status >"$BATS_TEST_TMPDIR/status.$1"
}

all_but_one_are_done() {
	[ "$(cat "$BATS_TEST_TMPDIR"/status.* 2>/dev/null | wc -l)" -ge 99 ]
}

@test "100 started together: one works, 99 exit 4 and name it" {
	local i holder pids=()
	: >"$BATS_TEST_TMPDIR/gate"
	exec 7<"$BATS_TEST_TMPDIR/gate"
	flock -x 7
	for ((i = 0; i < 100; i++)); do
		one_of_100 "$i" 3>&- 7<&- &
		pids+=($!)
	done
	exec 7<&-
	until_true all_but_one_are_done
	holder=$(jq .pid "$R/var/lib/sysboxup/run")
	until_true is_stopped "$holder"
	[ "$(cat "$BATS_TEST_TMPDIR"/status.* | sort | uniq -c | tr -s ' ')" = " 99 4" ]
	[ "$(cat "$BATS_TEST_TMPDIR"/out.* | grep -c "another run holds the lock: pid $holder, sysboxup apply$")" -eq 99 ]
	kill -CONT "$holder"
	wait "${pids[@]}"
	[ "$(cat "$BATS_TEST_TMPDIR"/status.* | sort | uniq -c | tr -s ' ' | tr '\n' ';')" = " 1 0; 99 4;" ]
	run -0 "$UP" --root "$R" -q status
	[ "$("$UP" --root "$R" --json history | jq -r 'select(.event == "transaction") | .state')" = committed ]
}

waits_for_lock() {
	waiting=$(pgrep -P "$second") && readlink "/proc/$waiting/fd/"* | grep -q '/var/lib/sysboxup/lock$'
}

@test "who waited for the lock while forget took it away holds a new one, and keeps others out" {
	local at second waiting rc=0
	"$UP" --root "$R" --profile "$PROFILE" -q apply
	cp -a "$R" "$BATS_TEST_TMPDIR/probe"
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/calls "$FAULTY" --root "$BATS_TEST_TMPDIR/probe" -q forget
	at=$(awk '$2 == "unlink" && $3 ~ "/lock$" { print $1 }' "$BATS_TEST_TMPDIR/calls")
	SYSBOXUP_FAULT=stop-before:$at "$FAULTY" --root "$R" -q forget 3>&- &
	first=$!
	until_true worker_is_stopped
	echo '{ "docker": { "settings": { "log-level": "warn" } } }' >"$BATS_TEST_TMPDIR/other.json"
	SYSBOXUP_FAULT=stop-before:$EXCHANGE "$FAULTY" --root "$R" --profile "$BATS_TEST_TMPDIR/other.json" -q apply >"$BATS_TEST_TMPDIR/second" 2>&1 3>&- &
	second=$!
	until_true waits_for_lock
	kill -CONT "$worker"
	wait "$first"
	first=$second
	until_true worker_is_stopped
	run -4 "$UP" --root "$R" -q recover
	[[ $output == *"pid $worker, sysboxup apply"* ]]
	kill -CONT "$worker"
	wait "$first" || rc=$?
	first=
	[ "$rc" -eq 0 ] || { cat "$BATS_TEST_TMPDIR/second"; false; }
	[ "$("$UP" --root "$R" --json history | jq -r 'select(.event == "transaction") | "\(.id) \(.state)"')" = "1 committed" ]
}

@test "while one works, what would change something exits 4; what only looks does not" {
	hold
	run -4 "$UP" --root "$R" --profile "$PROFILE" -q apply
	[[ $output == *"pid $worker, sysboxup apply"* ]]
	run -4 "$UP" --root "$R" -q rollback
	run -4 "$UP" --root "$R" -q recover
	run -4 "$UP" --root "$R" -q uninstall
	run -4 "$UP" --root "$R" -q verify
	[[ $output == *"pid $worker, sysboxup apply"* ]]
	run -4 "$UP" --root "$R" -q status
	run -0 "$UP" --root "$R" -q history
	kill -CONT "$worker"
	wait "$first"
	first=
	run -0 "$UP" --root "$R" -q status
}

@test "a holder killed -9 leaves no lock: the next run says what is unfinished, recover undoes it" {
	hold
	kill -KILL "$first" "$worker"
	wait "$first" || true
	first=
	run -6 "$UP" --root "$R" --profile "$PROFILE" -q apply
	"$UP" --root "$R" -q recover
	same_as_before
	"$UP" --root "$R" --profile "$PROFILE" -q apply
}

@test "a worker killed -9 while others try is undone by its parent, whoever has the lock for a moment" {
	local status=0 others=() i
	hold
	for i in 1 2 3 4; do
		while [ ! -e "$BATS_TEST_TMPDIR/enough" ]; do
			"$UP" --root "$R" -q rollback >>"$BATS_TEST_TMPDIR/others.$i" 2>&1 || echo $? >>"$BATS_TEST_TMPDIR/statuses.$i"
		done 3>&- &
		others+=($!)
	done
	until_true grep -q "pid $worker" "$BATS_TEST_TMPDIR"/others.{1,2,3,4}
	kill -KILL "$worker"
	wait "$first" || status=$?
	first=
	: >"$BATS_TEST_TMPDIR/enough"
	wait "${others[@]}"
	cat "$BATS_TEST_TMPDIR/first"
	[ $status -eq 1 ]
	grep -q "what it had done is undone" "$BATS_TEST_TMPDIR/first"
	run ! grep -hv '^[46]$' "$BATS_TEST_TMPDIR"/statuses.*
	same_as_before
	run -0 "$UP" --root "$R" -q status
}

@test "the run file of a dead holder is not believed: who has the lock is" {
	mkdir -p "$R/var/lib/sysboxup"
	printf '{ "pid": %s, "started": 1, "command": "rollback" }' $$ >"$R/var/lib/sysboxup/run"
	hold
	run -4 "$UP" --root "$R" -q recover
	[[ $output == *"pid $worker, sysboxup apply"* ]]
	kill -KILL "$first" "$worker"
	wait "$first" || true
	first=
	exec 7>"$R/var/lib/sysboxup/lock"
	flock 7
	run -4 "$UP" --root "$R" -q recover
	exec 7>&-
	[[ $output == *"another run of sysboxup holds '/var/lib/sysboxup/lock'"* ]]
}
