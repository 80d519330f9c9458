#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The history and its end: uninstall, pruning by count and size, what is kept and what it still gives back.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults} "$SYSBOXUP_BUILD/tools/hostdiff"
	. "$REPO/tests/lib/image.bash"
	. "$REPO/tests/lib/catalog.bash"
	"$REPO/tests/standin/build" "$BATS_FILE_TMPDIR/sysbox-ce.deb" 0.7.0.linux
	CATALOG_METHOD=files catalog_make "$BATS_FILE_TMPDIR/catalog" "$BATS_FILE_TMPDIR/catalog" "$BATS_FILE_TMPDIR/sysbox-ce.deb"
	image_make "$BATS_FILE_TMPDIR/image"
}

setup() {
	. "$REPO/tests/lib/image.bash"
	UP=$SYSBOXUP_BUILD/sysboxup FAULTY=$SYSBOXUP_BUILD/sysboxup-faults
	WHOLE=$BATS_FILE_TMPDIR/catalog/profile.json
	R=$BATS_TEST_TMPDIR/root S=$R/var/lib/sysboxup
	export SYSBOXUP_FAULT_ALONE=1
	begin
}

begin() {
	rm -rf "$R"
	cp -a "$BATS_FILE_TMPDIR/image" "$R"
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
}

up() {
	"$UP" --root "$R" "$@"
}

# settings JSON [HISTORY]: applies a profile of docker.settings, and of history if given.
settings() {
	printf '{ "docker": { "settings": %s }%s }' "$1" "${2:+, \"history\": $2}" >"$BATS_TEST_TMPDIR/profile.json"
	up --profile "$BATS_TEST_TMPDIR/profile.json" -q apply
}

whole() {
	up --profile "$WHOLE" -q apply "${IMAGE_FORCE[@]}" 2>"$BATS_TEST_TMPDIR/err"
}

as_before() {
	image_snap "$R" >"$BATS_TEST_TMPDIR/now"
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/now"
}

daemon_json() {
	jq -cS . "$R/etc/docker/daemon.json"
}

# ---- uninstall ----

@test "uninstall gives every path back to what it was before the first transaction, byte for byte" {
	settings '{ "live-restore": true }'
	whole
	settings '{ "log-level": "warn" }'
	run -0 up uninstall
	[[ ${lines[-1]} == "Done: transaction 4. This host is as it was before sysboxup." ]]
	as_before
	run -0 up status
	[[ $output == *"4, uninstall, "*"Nothing of sysboxup is in place."* ]]
	run -0 up history
	[[ $output == *"rolled back by 4"* ]]
	[ ! -e "$S/profile.json" ]
	run -0 up uninstall
	[ "$output" = "Nothing of sysboxup is in place." ]
}

@test "after uninstall apply begins anew, and uninstall can itself be taken back" {
	local applied
	settings '{ "live-restore": true }'
	applied=$(daemon_json)
	up -q uninstall
	up -q rollback 2
	[ "$(daemon_json)" = "$applied" ]
	run -0 up status
	up -q uninstall
	as_before
	settings '{ "log-level": "warn" }'
	run -0 up status
	up -q uninstall
	as_before
}

@test "uninstall on a host that sysboxup never changed says so and makes nothing" {
	run -0 up uninstall
	[ "$output" = "Nothing was ever changed here by sysboxup." ]
	run -0 up uninstall --purge
	[ ! -e "$S" ]
	run -0 --separate-stderr up --json uninstall
	[ "$(jq -c '[.event, .command, .changed, .exit]' <<<"$output")" = '["summary","uninstall",false,0]' ]
}

@test "uninstall stops before it touches anything where somebody else changed a file of ours, --force keeps theirs" {
	whole
	echo "# mine" >>"$R/usr/lib/sysctl.d/99-sysbox-sysctl.conf"
	sed -i 's/"labels"/"bip": "10.9.0.1\/24", "labels"/' "$R/etc/docker/daemon.json"
	image_snap "$R" >"$BATS_TEST_TMPDIR/edited"
	run -3 up -q uninstall
	[[ $output == *"'/usr/lib/sysctl.d/99-sysbox-sysctl.conf' was changed by somebody else since"* ]]
	image_snap "$R" >"$BATS_TEST_TMPDIR/now"
	cmp "$BATS_TEST_TMPDIR/edited" "$BATS_TEST_TMPDIR/now"
	up -q uninstall --force
	grep -q '^# mine$' "$R"/usr/lib/sysctl.d/99-sysbox-sysctl.conf.sysboxup-kept-2
	[ "$(daemon_json)" = '{"bip":"10.9.0.1/24","debug":false,"labels":["a","b"]}' ]
}

@test "uninstall goes back to what a stranger put there after an earlier rollback, not to what was before it" {
	whole
	up -q rollback
	echo theirs >"$R/usr/lib/sysctl.d/99-sysbox-sysctl.conf"
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
	whole
	up -q uninstall
	as_before
	[ "$(cat "$R/usr/lib/sysctl.d/99-sysbox-sysctl.conf")" = theirs ]
}

@test "uninstall --purge leaves nothing of the state, and says what it did in JSON" {
	whole
	run -0 --separate-stderr up --json uninstall --purge
	[ "$(tail -1 <<<"$output" | jq -c '[.command, .changed, .transaction, .exit]')" = '["uninstall",true,null,0]' ]
	as_before
	[ ! -e "$S" ]
	run -0 up status
	[[ $output == *"Nothing was ever changed here by sysboxup."* ]]
	settings '{ "live-restore": true }'
	up -q uninstall
	up -q uninstall --purge
	[ ! -e "$S" ]
	as_before
}

@test "uninstall after an interrupted run exits 6, after a failed way back 5, and touches nothing" {
	local at
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" --profile "$WHOLE" -q apply "${IMAGE_FORCE[@]}" 2>/dev/null
	at=$(awk '$2 == "exchange" && /daemon.json/ { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	begin
	SYSBOXUP_FAULT=die-after:$at "$FAULTY" --root "$R" --profile "$WHOLE" -q apply "${IMAGE_FORCE[@]}" 2>/dev/null || [ $? -eq 137 ]
	run -6 up -q uninstall --purge
	[[ $output == *"sysboxup recover"* ]]
	echo '{ "runtimes": "somebody else" }' >"$R/etc/docker/daemon.json"
	run -5 up -q recover
	run -5 up -q uninstall --purge
	[ -d "$S/txn/000001" ]
}

@test "uninstall --purge killed at every call, run again, leaves the host as before and no state" {
	local n total
	whole
	cp -a "$R" "$BATS_TEST_TMPDIR/start"
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" -q uninstall --purge
	total=$(wc -l <"$BATS_TEST_TMPDIR/log")
	n=$(awk '/index.json/ { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	[ "$n" -gt 20 ] && [ "$total" -gt $((n + 10)) ]
	for ((n -= 12; n <= total; n++)); do
		rm -rf "$R"
		cp -a "$BATS_TEST_TMPDIR/start" "$R"
		SYSBOXUP_FAULT=die-before:$n "$FAULTY" --root "$R" -q uninstall --purge 2>/dev/null || [ $? -eq 137 ]
		up -q recover
		up -q uninstall --purge
		as_before
		[ ! -e "$S" ] || { ls -lAR "$S"; false; }
	done
}
