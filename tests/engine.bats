#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Before or after, nothing else: the real program, killed and failed at its own calls, then recovered. The
# root is a made tree, so that only files are concerned; children and real hosts are the business of other files.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults} "$SYSBOXUP_BUILD/tools/hostdiff"
	. "$REPO/tests/lib/image.bash"
	image_stage "$BATS_FILE_TMPDIR"
}

setup() {
	. "$REPO/tests/lib/image.bash"
	UP=$SYSBOXUP_BUILD/sysboxup FAULTY=$SYSBOXUP_BUILD/sysboxup-faults
	WHOLE=$BATS_FILE_TMPDIR/catalog/profile.json SMALL=$BATS_FILE_TMPDIR/small.json SECOND=$BATS_FILE_TMPDIR/second.json
	R=$BATS_TEST_TMPDIR/root SMALL_FORCE=("${IMAGE_FORCE[@]}" --force disk-space)
	export SYSBOXUP_FAULT_ALONE=1
}

teardown() {
	umount "$R/var/lib/sysboxfs" 2>/dev/null || true
	[ ! -e "$R/etc/group" ] || chattr -i "$R/etc/group"
	small_gone
}

# A fresh root, brought to where the test begins by the given commands' words: apply PROFILE.
begin() {
	rm -rf "$R"
	cp -a "$BATS_FILE_TMPDIR/image" "$R"
}

apply() {
	"$UP" --root "$R" --profile "$1" -q apply "${IMAGE_FORCE[@]}" 2>"$BATS_TEST_TMPDIR/err"
}

same_tree() {
	image_snap "$R" >"$BATS_TEST_TMPDIR/now"
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$1" "$BATS_TEST_TMPDIR/now" >"$BATS_TEST_TMPDIR/diff"
}

# The same but for times: "after" has those of the run that made it.
same_content() {
	image_snap "$R" | cut -f1-6,8- >"$BATS_TEST_TMPDIR/now"
	cut -f1-6,8- "$1" | diff - "$BATS_TEST_TMPDIR/now" >"$BATS_TEST_TMPDIR/diff"
}

# crash_loop STEP MODES CMD...: from the tree in $R, CMD is hit at every STEP-th call in every mode. Then recover, and
# the tree is before or after; recover again changes nothing; CMD again reaches after. Prints the points tried.
# With sanitizers, as scripts/check runs this, every fifth of these points; the released binary is hit by crash/killat.bats.
crash_loop() {
	local step=$1 modes=$2 total n mode points=0
	shift 2
	case $SYSBOXUP_BUILD in */sanitize | */coverage) step=$((step * 5)) ;; esac
	rm -rf "$BATS_TEST_TMPDIR/start"
	cp -a "$R" "$BATS_TEST_TMPDIR/start"
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" -q "$@" 2>/dev/null
	image_snap "$R" >"$BATS_TEST_TMPDIR/after"
	total=$(wc -l <"$BATS_TEST_TMPDIR/log")
	[ "$total" -gt 20 ]
	for mode in $modes; do
		for ((n = 1; n <= total; n += step)); do
			rm -rf "$R"
			cp -a "$BATS_TEST_TMPDIR/start" "$R"
			one_point "$mode" "$n" "$@" || {
				echo "$mode at call $n of $total: $(sed -n "${n}p" "$BATS_TEST_TMPDIR/log")"
				cat "$BATS_TEST_TMPDIR"/{out,diff}
				return 1
			}
			points=$((points + 1))
		done
	done
	echo "# $points points of $total calls: $*" >&3
}

one_point() {
	local fault=${1/:N/:$2} status=0
	shift 2
	SYSBOXUP_FAULT=$fault "$FAULTY" --root "$R" -q "$@" >"$BATS_TEST_TMPDIR/out" 2>&1 || status=$?
	case $fault:$status in
	die*:137 | tear*:137 | fail*:[01345]) ;;
	*) echo "exit $status" >>"$BATS_TEST_TMPDIR/out" && return 1 ;;
	esac
	"$UP" --root "$R" -q recover >>"$BATS_TEST_TMPDIR/out" 2>&1 || return 1
	same_tree "$BATS_TEST_TMPDIR/before" || same_content "$BATS_TEST_TMPDIR/after" || return 1
	image_snap "$R" >"$BATS_TEST_TMPDIR/once"
	"$UP" --root "$R" -q recover >>"$BATS_TEST_TMPDIR/out" 2>&1 || return 1
	same_tree "$BATS_TEST_TMPDIR/once" || return 1
	"$UP" --root "$R" -q "$@" >>"$BATS_TEST_TMPDIR/out" 2>&1 || return 1
	case $1 in rollback) return 0 ;; esac
	same_content "$BATS_TEST_TMPDIR/after"
}

@test "apply of docker.settings, hit at every call, ends before or after" {
	begin
	crash_loop 1 "die-before:N tear:N" --profile "$SMALL" apply
}

@test "apply of docker.settings, every call failed with ENOSPC, once and from then on, ends before or after" {
	begin
	crash_loop 1 "fail:N:ENOSPC" --profile "$SMALL" apply
	begin
	crash_loop 3 "fail-from:N:ENOSPC fail:N:EIO" --profile "$SMALL" apply
}

@test "rollback of docker.settings, hit at every call, ends before or after" {
	begin
	apply "$SMALL"
	crash_loop 1 "die-before:N tear:N" rollback
}

@test "the whole job by files, hit at every 29th call, ends before or after" {
	begin
	apply "$WHOLE"
	"$UP" --root "$R" -q rollback
	crash_loop 29 "die-before:N tear:N" --profile "$WHOLE" apply "${IMAGE_FORCE[@]}"
}

@test "the rollback of the whole job, hit at every 29th call, ends before or after" {
	begin
	apply "$WHOLE"
	crash_loop 29 "die-before:N tear:N" rollback
}

@test "recover killed at every call of its own, then run again, still ends before" {
	local n=1
	begin
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" --profile "$SMALL" -q apply
	# the exchange of daemon.json is done, COMMITTED is not written
	local at
	at=$(awk '$2 == "exchange" { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	[ -n "$at" ]
	begin
	SYSBOXUP_FAULT=die-after:$at "$FAULTY" --root "$R" --profile "$SMALL" -q apply || [ $? -eq 137 ]
	cp -a "$R" "$BATS_TEST_TMPDIR/torn"
	run ! same_tree "$BATS_TEST_TMPDIR/before"
	while :; do
		rm -rf "$R"
		cp -a "$BATS_TEST_TMPDIR/torn" "$R"
		if SYSBOXUP_FAULT=die-before:$n "$FAULTY" --root "$R" -q recover 2>/dev/null; then break; fi
		"$UP" --root "$R" -q recover
		same_tree "$BATS_TEST_TMPDIR/before"
		n=$((n + 1))
	done
	same_tree "$BATS_TEST_TMPDIR/before"
	[ "$n" -gt 5 ]
}

# in_force ID WORD...: sysboxup WORD..., which makes transaction ID, is killed at each call of its second half, alone and with a parent that
# lives. From its commit on, and behind recovery, `verify` proves the profile of what is in place.
in_force() {
	local id=$1 n total whose committed=0 step=1
	shift
	case $SYSBOXUP_BUILD in */sanitize | */coverage) step=6 ;; esac
	rm -rf "$BATS_TEST_TMPDIR/start"
	cp -a "$R" "$BATS_TEST_TMPDIR/start"
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" -q "$@"
	total=$(wc -l <"$BATS_TEST_TMPDIR/log")
	for ((n = total / 2; n <= total; n += step)); do
		for whose in SYSBOXUP_FAULT_ALONE=1 --unset=SYSBOXUP_FAULT_ALONE; do
			rm -rf "$R"
			cp -a "$BATS_TEST_TMPDIR/start" "$R"
			env "$whose" SYSBOXUP_FAULT=die-before:$n "$FAULTY" --root "$R" -q "$@" 2>/dev/null || :
			if "$UP" --root "$R" history --limit 1 | grep -q "^ *$id .*committed$"; then
				committed=$((committed + 1))
				"$UP" --root "$R" -q verify || { echo "$whose: $* killed at $n of $total"; false; }
			fi
			"$UP" --root "$R" -q recover
			"$UP" --root "$R" -q verify || { echo "$whose: $* killed at $n of $total, and recovered"; false; }
		done
	done
	[ "$committed" -gt 5 ]
}

@test "killed at any call of apply or rollback, the profile in force is that of what is in place" {
	begin
	apply "$SMALL"
	in_force 2 --profile "$SECOND" apply
	in_force 3 rollback
}

@test "rollback to an older ID takes back several transactions in one" {
	begin
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
	apply "$SMALL"
	apply "$SECOND"
	apply "$WHOLE"
	"$UP" --root "$R" -q rollback 1
	same_tree "$BATS_TEST_TMPDIR/before"
	run "$UP" --root "$R" rollback
	[ "$status" -eq 0 ]
	[[ $output == *"othing to"* ]]
}

@test "taking back a rollback goes forward again" {
	begin
	apply "$WHOLE"
	image_snap "$R" >"$BATS_TEST_TMPDIR/applied"
	"$UP" --root "$R" -q rollback
	"$UP" --root "$R" -q rollback 2
	same_content "$BATS_TEST_TMPDIR/applied"
}

@test "what a stranger put between two transactions is not overwritten by taking back both" {
	begin
	apply "$SMALL"
	sed -i 's/"labels": \["a", "b"\]/"labels": ["a", "c"]/' "$R/etc/docker/daemon.json"
	apply "$SECOND"
	"$UP" --root "$R" -q rollback 1
	[ "$(jq -c . "$R/etc/docker/daemon.json")" = '{"debug":false,"labels":["a","c"]}' ] ||
		[ "$(jq -cS . "$R/etc/docker/daemon.json")" = '{"debug":false,"labels":["a","c"]}' ]
}

@test "a file of ours that somebody edited stops the rollback before it touches anything, --force keeps it beside" {
	begin
	apply "$WHOLE"
	echo "# mine" >>"$R/usr/lib/sysctl.d/99-sysbox-sysctl.conf"
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
	run "$UP" --root "$R" -q rollback
	[ "$status" -eq 3 ]
	[[ $output == *"'/usr/lib/sysctl.d/99-sysbox-sysctl.conf' was changed by somebody else since"* ]]
	same_tree "$BATS_TEST_TMPDIR/before"
	"$UP" --root "$R" -q rollback --force
	grep -q '^# mine$' "$R"/usr/lib/sysctl.d/99-sysbox-sysctl.conf.sysboxup-kept-2
	[ ! -e "$R/usr/lib/sysctl.d/99-sysbox-sysctl.conf" ]
}

@test "an undo that fails is FAILED: status names what is left, nothing new begins, recover tries again" {
	begin
	apply "$SMALL"
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" --profile "$SECOND" -q apply
	"$UP" --root "$R" -q rollback
	local at
	at=$(awk '$2 == "exchange" { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	SYSBOXUP_FAULT=die-after:$at "$FAULTY" --root "$R" --profile "$SECOND" -q apply || [ $? -eq 137 ]
	cp -a "$R/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/ours"
	echo '{ "live-restore": "somebody else" }' >"$R/etc/docker/daemon.json"
	run "$UP" --root "$R" -q recover
	[ "$status" -eq 5 ]
	run "$UP" --root "$R" --profile "$SECOND" -q apply
	[ "$status" -eq 5 ]
	run "$UP" --root "$R" status
	[ "$status" -eq 5 ]
	[[ $output == *daemon.json* ]]
	cp -a "$BATS_TEST_TMPDIR/ours" "$R/etc/docker/daemon.json"
	"$UP" --root "$R" -q recover
	same_tree "$BATS_TEST_TMPDIR/before"
}

@test "a second run exits 4 at once and names the holder" {
	begin
	mkdir -p "$R/var/lib/sysboxup"
	exec 7>"$R/var/lib/sysboxup/lock"
	flock 7
	printf '{ "pid": %s, "started": %s, "command": "apply" }' $$ "$(cut -d' ' -f22 /proc/$$/stat)" >"$R/var/lib/sysboxup/run"
	run "$UP" --root "$R" --profile "$SMALL" -q apply
	exec 7>&-
	[ "$status" -eq 4 ]
	[[ $output == *"pid $$"*apply* ]]
	apply "$SMALL"
}

@test "the last transaction is the last one in force, whatever was taken back and brought back" {
	begin
	apply "$SMALL"			# 1
	"$UP" --root "$R" -q rollback	# 2
	apply "$SMALL"			# 3
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
	"$UP" --root "$R" -q rollback	# 4
	apply "$SECOND"			# 5
	"$UP" --root "$R" -q rollback 4	# 6
	same_tree "$BATS_TEST_TMPDIR/before"
	run -0 "$UP" --root "$R" --json rollback
	[ "$(jq -r '."live-restore"' "$R/etc/docker/daemon.json")" = null ]
}

@test "negative control: a tree that is neither before nor after is seen" {
	begin
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
	touch "$R/etc/docker/daemon.json"
	run ! same_tree "$BATS_TEST_TMPDIR/before"
	begin
	touch "$R/etc/docker/.daemon.json.sysboxup-000001.0"
	run ! same_tree "$BATS_TEST_TMPDIR/before"
}

@test "recovery that failed three times and is killed after its end still cleans up" {
	local at
	begin
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" --profile "$SMALL" -q apply
	at=$(awk '$2 == "exchange" { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	begin
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
	SYSBOXUP_FAULT=die-after:$at "$FAULTY" --root "$R" --profile "$SMALL" -q apply || [ $? -eq 137 ]
	cp -a "$R/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/ours"
	echo '{ "live-restore": "somebody else" }' >"$R/etc/docker/daemon.json"
	for _ in 1 2 3; do
		run -5 "$UP" --root "$R" -q recover
	done
	cp -a "$BATS_TEST_TMPDIR/ours" "$R/etc/docker/daemon.json"
	cp -a "$R" "$BATS_TEST_TMPDIR/torn"
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/recover "$FAULTY" --root "$R" -q recover
	at=$(awk '$2 == "rename" && /txn/ { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/recover")
	rm -rf "$R"
	cp -a "$BATS_TEST_TMPDIR/torn" "$R"
	SYSBOXUP_FAULT=die-after:$at "$FAULTY" --root "$R" -q recover || [ $? -eq 137 ]
	run -6 "$UP" --root "$R" status
	"$UP" --root "$R" -q recover
	same_tree "$BATS_TEST_TMPDIR/before"
	run ! ls "$R"/var/lib/sysboxup/txn/*/spare-*
}

# settings NAME JSON: a profile of nothing but docker.settings.
settings() {
	printf '{ "docker": { "settings": %s } }' "$2" >"$BATS_TEST_TMPDIR/$1.json"
}

daemon_json() {
	jq -cS . "$R/etc/docker/daemon.json"
}

nothing_to_do() {
	run -0 "$UP" --root "$R" --profile "$BATS_TEST_TMPDIR/$1.json" plan --check
	run -0 "$UP" --root "$R" --profile "$BATS_TEST_TMPDIR/$1.json" status
}

@test "a key of ours that left the profile goes, also out of an object that stays" {
	begin
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
	settings one '{ "log-opts": { "max-size": "1m" } }'
	settings two '{ "log-opts": { "max-file": "3" } }'
	apply "$BATS_TEST_TMPDIR/one.json"
	apply "$BATS_TEST_TMPDIR/two.json"
	[ "$(daemon_json)" = '{"debug":false,"labels":["a","b"],"log-opts":{"max-file":"3"}}' ]
	nothing_to_do two
	settings none '{}'
	apply "$BATS_TEST_TMPDIR/none.json"
	[ "$(daemon_json)" = '{"debug":false,"labels":["a","b"]}' ]
	nothing_to_do none
	"$UP" --root "$R" -q rollback 1
	same_tree "$BATS_TEST_TMPDIR/before"
}

@test "one key of an object goes back while the profile takes another out: both in one apply, both taken back" {
	begin
	echo '{ "log-opts": { "tag": "x" } }' >"$R/etc/docker/daemon.json"
	settings one '{ "log-opts": { "max-size": "1m" } }'
	settings two '{ "log-opts": { "tag": null } }'
	apply "$BATS_TEST_TMPDIR/one.json"
	apply "$BATS_TEST_TMPDIR/two.json"
	[ "$(daemon_json)" = '{"log-opts":{}}' ]
	nothing_to_do two
	echo '{ "log-opts": {}, "debug": true }' >"$R/etc/docker/daemon.json"
	"$UP" --root "$R" -q rollback 1
	[ "$(daemon_json)" = '{"debug":true,"log-opts":{"tag":"x"}}' ]
}

@test "a key that left both the profile and, by somebody's hand, the file is not ours any more" {
	begin
	settings one '{ "live-restore": true, "log-level": "warn" }'
	settings two '{ "log-level": "warn" }'
	apply "$BATS_TEST_TMPDIR/one.json"
	sed -i '/live-restore/d' "$R/etc/docker/daemon.json"
	apply "$BATS_TEST_TMPDIR/two.json"
	nothing_to_do two
	sed -i 's/"log-level"/"live-restore": true, "log-level"/' "$R/etc/docker/daemon.json"
	nothing_to_do two
	[ "$(jq '."live-restore"' "$R/etc/docker/daemon.json")" = true ]
}

@test "recover beside a stranger's key, killed at every call of its own, then run again, takes back ours alone" {
	local n at
	begin
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" --profile "$SMALL" -q apply
	at=$(awk '$2 == "exchange" { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	begin
	SYSBOXUP_FAULT=die-after:$at "$FAULTY" --root "$R" --profile "$SMALL" -q apply || [ $? -eq 137 ]
	sed -i 's/"labels"/"bip": "10.9.0.1\/24", "labels"/' "$R/etc/docker/daemon.json"
	cp -a "$R" "$BATS_TEST_TMPDIR/torn"
	for ((n = 1; ; n++)); do
		rm -rf "$R"
		cp -a "$BATS_TEST_TMPDIR/torn" "$R"
		if SYSBOXUP_FAULT=die-before:$n "$FAULTY" --root "$R" -q recover 2>/dev/null; then break; fi
		"$UP" --root "$R" -q recover
		[ "$(daemon_json)" = '{"bip":"10.9.0.1/24","debug":false,"labels":["a","b"]}' ]
		[ "$(ls -A "$R/etc/docker")" = daemon.json ]
	done
	[ "$n" -gt 10 ]
}

@test "what a rollback brings back is ours again: apply finds nothing to do, status knows it" {
	begin
	apply "$WHOLE"
	apply "$SECOND"
	"$UP" --root "$R" -q rollback		# of the second
	run -0 "$UP" --root "$R" --profile "$WHOLE" -q plan --check
	run -0 "$UP" --root "$R" status
	[[ $output == *runc* && $output == *daemon.json* ]]
	"$UP" --root "$R" -q rollback		# of the first
	run -0 "$UP" --root "$R" status
	[[ $output == *"Nothing of sysboxup is in place."* ]]
	"$UP" --root "$R" -q rollback 4		# taken back
	apply "$WHOLE"
	run -0 "$UP" --root "$R" --profile "$WHOLE" -q plan --check
	rm "$R/usr/bin/sysbox-fs"
	run -7 "$UP" --root "$R" status
	run -7 "$UP" --root "$R" --profile "$WHOLE" -q plan --check "${IMAGE_FORCE[@]}"
}

@test "a key keeps the value it had before us through a rollback of a later transaction" {
	begin
	settings one '{ "debug": true }'
	settings two '{ "debug": true, "log-level": "warn" }'
	settings none '{}'
	apply "$BATS_TEST_TMPDIR/one.json"
	apply "$BATS_TEST_TMPDIR/two.json"
	"$UP" --root "$R" -q rollback
	apply "$BATS_TEST_TMPDIR/none.json"
	[ "$(daemon_json)" = '{"debug":false,"labels":["a","b"]}' ]
}

# order_of FIRST SECOND: where the plan in $output names both, FIRST comes first.
order_of() {
	[ "$(grep -nm1 -- "$1" <<<"$output" | cut -d: -f1)" -lt "$(grep -nm1 -- "$2" <<<"$output" | cut -d: -f1)" ]
}

@test "taken back: daemon.json before the binaries; brought back: behind them, also with a later transaction" {
	begin
	apply "$WHOLE"			# 1
	image_snap "$R" >"$BATS_TEST_TMPDIR/applied"
	apply "$SECOND"			# 2
	run -0 "$UP" --root "$R" rollback 1	# 3
	order_of docker/daemon.json bin/sysbox-runc
	run -0 "$UP" --root "$R" rollback 2	# 4: the second and the rollback
	order_of bin/sysbox-runc docker/daemon.json
	same_content "$BATS_TEST_TMPDIR/applied"
	apply "$SECOND"			# 5
	run -0 "$UP" --root "$R" rollback 1	# 6
	order_of docker/daemon.json bin/sysbox-runc
}

@test "a rollback and what was applied after it, taken back: the later files go before the older ones come" {
	begin
	apply "$SMALL"			# 1
	"$UP" --root "$R" -q rollback	# 2
	apply "$WHOLE"			# 3
	run -0 "$UP" --root "$R" rollback 2	# 4
	order_of sysbox.service /usr/bin/sysbox-runc
	order_of bin/sysbox-runc docker/daemon.json
	[ ! -e "$R/usr/bin/sysbox-runc" ]
	[ "$(daemon_json)" = '{"labels":["a","b"],"live-restore":true}' ]
}

# recover_fails_at_every_call CODES: from the tree in "torn", one call of recover fails; its code is among CODES, or it
# is 0, or status has nothing to say afterwards. Then recover works.
recover_fails_at_every_call() {
	local n status
	for ((n = 1; ; n++)); do
		rm -rf "$R"
		cp -a "$BATS_TEST_TMPDIR/torn" "$R"
		status=0
		SYSBOXUP_FAULT=fail:$n:EIO,log:$BATS_TEST_TMPDIR/calls "$FAULTY" --root "$R" -q recover 2>"$BATS_TEST_TMPDIR/out" || status=$?
		if [ "$status" -eq 1 ]; then "$UP" --root "$R" -q status || { [ $? -eq 7 ] || return 1; }; fi
		case " 0 1 $1 " in *" $status "*) ;; *) cat "$BATS_TEST_TMPDIR/out" && return 1 ;; esac
		"$UP" --root "$R" -q recover
		"$UP" --root "$R" -q recover
		[ "$(wc -l <"$BATS_TEST_TMPDIR/calls")" -ge "$n" ] || break
		rm "$BATS_TEST_TMPDIR/calls"
	done
	[ "$n" -gt 10 ]
}

@test "recover that fails says that the host is as before only where it is" {
	local at calls
	begin
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" --profile "$SMALL" -q apply
	mapfile -t calls < <(awk '$2 == "exchange" { e = $1 } $2 == "rename" && /txn/ { r = $1 } END { print e; print r }' "$BATS_TEST_TMPDIR/log")
	[ ${#calls[@]} -eq 2 ]
	for at in "${calls[@]}"; do
		begin
		SYSBOXUP_FAULT=die-after:$at "$FAULTY" --root "$R" --profile "$SMALL" -q apply || [ $? -eq 137 ]
		rm -rf "$BATS_TEST_TMPDIR/torn"
		cp -a "$R" "$BATS_TEST_TMPDIR/torn"
		recover_fails_at_every_call "5 6"
	done
}

@test "a mode that somebody set before the exchange that never came stays" {
	local at
	begin
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" --profile "$SMALL" -q apply
	at=$(awk '$2 == "exchange" { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	begin
	SYSBOXUP_FAULT=die-before:$at "$FAULTY" --root "$R" --profile "$SMALL" -q apply || [ $? -eq 137 ]
	chmod 0640 "$R/etc/docker/daemon.json"
	touch -d '2023-01-01' "$R/etc/docker/daemon.json"
	image_snap "$R" | grep -v sysboxup >"$BATS_TEST_TMPDIR/before"
	"$UP" --root "$R" -q recover
	same_tree "$BATS_TEST_TMPDIR/before"
}

@test "a directory of ours that somebody replaced by a link: the link and what it leads to stay" {
	begin
	apply "$WHOLE"
	rmdir "$R/var/lib/sysboxfs"
	mkdir -p "$R/srv/fs"
	ln -s /srv/fs "$R/var/lib/sysboxfs"
	"$UP" --root "$R" -q rollback
	[ -d "$R/srv/fs" ]
	[ "$(readlink "$R/var/lib/sysboxfs")" = /srv/fs ]
	run -0 "$UP" --root "$R" status
}

@test "a directory of ours on which something is mounted stays, and the rollback comes to its end" {
	begin
	apply "$WHOLE"
	mount -t tmpfs none "$R/var/lib/sysboxfs"
	"$UP" --root "$R" -q rollback
	run -0 "$UP" --root "$R" status
	umount "$R/var/lib/sysboxfs"
}

@test "status while another run is at work says so, and does not send anybody to recover" {
	local at
	begin
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" --profile "$SMALL" -q apply
	at=$(awk '$2 == "exchange" { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	begin
	SYSBOXUP_FAULT=die-after:$at "$FAULTY" --root "$R" --profile "$SMALL" -q apply || [ $? -eq 137 ]
	run -6 "$UP" --root "$R" status
	printf '{ "pid": %s, "started": %s, "command": "apply" }' $$ "$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f20)" \
		>"$R/var/lib/sysboxup/run"
	run -4 "$UP" --root "$R" status
	[[ $output == *"pid $$"*apply* && $output != *"sysboxup recover"* ]]
	run -0 "$UP" --root "$R" --profile "$SMALL" plan
	[[ $output == *"pid $$"* && $output != *"sysboxup recover"* ]]
}

@test "history show tells what a transaction changed, not what is there now" {
	begin
	apply "$WHOLE"
	apply "$SECOND"
	run -0 "$UP" --root "$R" history show 1
	[[ $output == *"+"*"sysbox-runc"* && $output == *"99-sysbox-sysctl.conf  create"* && $output == *"link to "*sysbox.service* ]]
	run -0 "$UP" --root "$R" history show 2
	[[ $output == *'+'*'"log-level": "warn"'* && $output != *"stays as it is"* ]]
	"$UP" --root "$R" -q rollback 1
	run -0 "$UP" --root "$R" history show 3
	[[ $output == *'-'*'"log-level": "warn"'* && $output == *"99-sysbox-sysctl.conf  remove"* && $output == *"remove link to "*sysbox.service* ]]
}

@test "rollback --force killed while it keeps a stranger's version leaves nothing of it, --force keeps owner and mode" {
	local at
	begin
	apply "$WHOLE"
	echo "# mine" >>"$R/usr/lib/sysctl.d/99-sysbox-sysctl.conf"
	chown 1:2 "$R/usr/lib/sysctl.d/99-sysbox-sysctl.conf"
	chmod 0600 "$R/usr/lib/sysctl.d/99-sysbox-sysctl.conf"
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
	cp -a "$R" "$BATS_TEST_TMPDIR/start"
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" -q rollback --force
	[ "$(stat -c '%u:%g %a' "$R"/usr/lib/sysctl.d/*-kept-2)" = "1:2 600" ]
	at=$(awk '$2 ~ /^rename/ && /kept-2$/ { print $1 }' "$BATS_TEST_TMPDIR/log")
	rm -rf "$R"
	cp -a "$BATS_TEST_TMPDIR/start" "$R"
	SYSBOXUP_FAULT=die-before:$at "$FAULTY" --root "$R" -q rollback --force || [ $? -eq 137 ]
	"$UP" --root "$R" -q recover
	same_tree "$BATS_TEST_TMPDIR/before"
}

# interrupted_late PROFILE: in a fresh root, an apply that dies when all of it is done but COMMITTED.
interrupted_late() {
	local at
	begin
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" --profile "$1" -q apply "${IMAGE_FORCE[@]}" 2>/dev/null
	at=$(awk '$2 == "exchange" { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	begin
	SYSBOXUP_FAULT=die-after:$at "$FAULTY" --root "$R" --profile "$1" -q apply "${IMAGE_FORCE[@]}" 2>/dev/null || [ $? -eq 137 ]
}

@test "what was undone before an undo failed is not undone again: a stranger's edit of it stays, and recover succeeds" {
	interrupted_late "$WHOLE"
	chattr +i "$R/etc/group"
	run -5 "$UP" --root "$R" -q recover
	chattr -i "$R/etc/group"
	run -5 "$UP" --root "$R" status
	[[ $output == *"account:sysbox: not undone yet"* && $output != *"daemon.json: not undone yet"* ]]
	echo '{ "runtimes": { "sysbox-runc": { "path": "/theirs" } } }' >"$R/etc/docker/daemon.json"
	echo "# theirs" >"$R/usr/lib/sysctl.d/99-sysbox-sysctl.conf"
	"$UP" --root "$R" -q recover
	[ "$(cat "$R/usr/lib/sysctl.d/99-sysbox-sysctl.conf")" = "# theirs" ]
	[ "$(daemon_json)" = '{"runtimes":{"sysbox-runc":{"path":"/theirs"}}}' ]
	run ! grep -q sysbox "$R/etc/passwd"
	run -0 "$UP" --root "$R" status
}

@test "apply counts as many changes as it shows" {
	local shown
	begin
	run -0 "$UP" --root "$R" --profile "$WHOLE" apply "${IMAGE_FORCE[@]}"
	shown=$("$UP" --root "$R" --json history show 1 | jq -s '[.[] | select(.event == "change")] | length')
	[ "$shown" -gt 10 ]
	[[ $output == *"Done: transaction 1, $shown changes. To take it back"* ]]
}

@test "an object taken out, then a key set in it: a rollback over both gives its old keys back beside a stranger's" {
	begin
	echo '{ "log-opts": { "max-size": "1m", "tag": "x" } }' >"$R/etc/docker/daemon.json"
	settings one '{ "log-opts": null }'
	settings two '{ "log-opts": { "max-size": null, "tag": null, "max-file": "3" } }'
	apply "$BATS_TEST_TMPDIR/one.json"
	[ "$(daemon_json)" = '{}' ]
	apply "$BATS_TEST_TMPDIR/two.json"
	[ "$(daemon_json)" = '{"log-opts":{"max-file":"3"}}' ]
	sed -i 's/"log-opts"/"debug": true, "log-opts"/' "$R/etc/docker/daemon.json"
	"$UP" --root "$R" -q rollback 1
	[ "$(daemon_json)" = '{"debug":true,"log-opts":{"max-size":"1m","tag":"x"}}' ]
}

@test "taking back a rollback brings our keys again beside a stranger's" {
	begin
	apply "$SMALL"
	"$UP" --root "$R" -q rollback
	sed -i 's/"labels"/"bip": "10.9.0.1\/24", "labels"/' "$R/etc/docker/daemon.json"
	"$UP" --root "$R" -q rollback 2
	[ "$(daemon_json)" = '{"bip":"10.9.0.1/24","labels":["a","b"],"live-restore":true}' ]
}

@test "a rollback that dies, then a stranger's key: recover brings ours again and keeps theirs" {
	local at
	begin
	apply "$SMALL"
	cp -a "$R" "$BATS_TEST_TMPDIR/applied"
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" -q rollback
	at=$(awk '$2 == "exchange" { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	rm -rf "$R"
	cp -a "$BATS_TEST_TMPDIR/applied" "$R"
	SYSBOXUP_FAULT=die-after:$at "$FAULTY" --root "$R" -q rollback || [ $? -eq 137 ]
	[ "$(daemon_json)" = '{"debug":false,"labels":["a","b"]}' ]
	sed -i 's/"labels"/"bip": "10.9.0.1\/24", "labels"/' "$R/etc/docker/daemon.json"
	"$UP" --root "$R" -q recover
	[ "$(daemon_json)" = '{"bip":"10.9.0.1/24","labels":["a","b"],"live-restore":true}' ]
}

small_gone() {
	local at
	for at in "$R/usr" "$R/etc" "$R"; do
		! mountpoint -q "$at" || umount "$at"
	done
}

# small_on PATH SIZE FILES: PATH is an ext4 of that size, with a copy of FILES and nothing kept for root.
small_on() {
	local img=$BATS_TEST_TMPDIR/small$((++SMALL_N)).img
	truncate -s "$2" "$img"
	mkfs.ext4 -q -b 4096 -m 0 "$img"
	mkdir -p "$1"
	mount -o loop "$img" "$1"
	mountpoint -q "$1"
	cp -a "$3/." "$1/"
	rmdir "$1/lost+found"
}

# small_root one|three: a fresh root on one small file system, or with /etc and /usr on their own.
small_root() {
	small_gone
	rm -rf --one-file-system "$R"
	small_on "$R" 64M "$BATS_FILE_TMPDIR/image"
	[ "$1" = three ] || return 0
	small_on "$R/etc" 16M "$BATS_FILE_TMPDIR/image/etc"
	small_on "$R/usr" 32M "$BATS_FILE_TMPDIR/image/usr"
}

# Not a block is left, nor one more name: what could be written into no file goes into small ones.
fill() {
	local at
	for at in "$R" "$R/etc" "$R/usr"; do
		mountpoint -q "$at" || continue
		! cat /dev/zero >"$at/filler" 2>/dev/null
		! dd if=/dev/zero of="$at/filler2" bs=512 2>/dev/null
		sync -f "$at"
		! dd if=/dev/zero of="$at/filler3" bs=512 2>/dev/null
		sync -f "$at"
		[ "$(stat -f -c %a "$at")" -eq 0 ]
	done
}

unfill() {
	rm -f "$R"/{,etc/,usr/}filler{,2,3}
}

full_disk() {
	local at
	small_root "$1"
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" --profile "$WHOLE" -q apply "${SMALL_FORCE[@]}" 2>/dev/null
	at=$(awk '$2 == "exchange" { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	small_root "$1"
	SYSBOXUP_FAULT=die-after:$at "$FAULTY" --root "$R" --profile "$WHOLE" -q apply "${SMALL_FORCE[@]}" 2>/dev/null || [ $? -eq 137 ]
	fill
}

@test "a full disk stops no undo: all on one file system" {
	full_disk one
	"$UP" --root "$R" -q recover
	unfill
	same_tree "$BATS_TEST_TMPDIR/before"
}

@test "a full disk stops no undo: state, /etc and /usr on three, all full" {
	full_disk three
	[ "$(find "$R" -name '*ballast' | wc -l)" -eq 3 ]
	"$UP" --root "$R" -q recover
	unfill
	same_tree "$BATS_TEST_TMPDIR/before"
}

@test "an undo that fails on a full disk is FAILED all the same, status says all of it, and recover succeeds later" {
	full_disk three
	chattr +i "$R/etc/group"
	run -5 "$UP" --root "$R" -q recover
	fill
	run -5 "$UP" --root "$R" -q recover
	run -5 "$UP" --root "$R" status
	[[ $output == *"account:sysbox: not undone yet"* && $output == *"'/etc/group'"* ]]
	chattr -i "$R/etc/group"
	unfill
	"$UP" --root "$R" -q recover
	same_tree "$BATS_TEST_TMPDIR/before"
	run -0 "$UP" --root "$R" status
}

@test "negative control: without the ballast the same undo fails on a full disk" {
	full_disk three
	find "$R" -name '*ballast' -delete
	fill
	run -5 "$UP" --root "$R" -q recover
	[[ $output == *"No space left"* || $output == *"no space left"* ]]
	unfill
	"$UP" --root "$R" -q recover
	same_tree "$BATS_TEST_TMPDIR/before"
}

@test "the space for undo is not left behind: after success, after a refusal, after a kill in prepare" {
	local n
	small_root three
	"$UP" --root "$R" --profile "$WHOLE" -q apply "${SMALL_FORCE[@]}"
	[ -z "$(find "$R" -name '*ballast*')" ]
	small_root three
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" --profile "$WHOLE" -q apply "${SMALL_FORCE[@]}" 2>/dev/null
	n=$(awk '$2 ~ /^open/ && /usr\/.*ballast/ { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	small_root three
	SYSBOXUP_FAULT=fail:$n:ENOSPC run -3 "$FAULTY" --root "$R" --profile "$WHOLE" apply "${SMALL_FORCE[@]}"
	[[ $output == *"cannot set aside"*"on the file system of '/usr"* ]]
	[ -z "$(find "$R" -name '*ballast*')" ]
	n=$(awk '$2 == "fallocate" { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	small_root three
	SYSBOXUP_FAULT=die-after:$n "$FAULTY" --root "$R" --profile "$WHOLE" -q apply "${SMALL_FORCE[@]}" 2>/dev/null || [ $? -eq 137 ]
	[ -n "$(find "$R" -name '*ballast')" ]
	"$UP" --root "$R" -q recover
	[ -z "$(find "$R" -name '*ballast*')" ]
}
