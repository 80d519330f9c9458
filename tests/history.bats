#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The history and its end: uninstall, pruning by count and size, what is kept and what it still gives back.
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
	n=$(awk '/gone-txn/ && !n { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
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

# ---- forget ----

# Everything below the root but the state, as it was when `mark NAME` was called.
mark() {
	image_snap "$R" >"$BATS_TEST_TMPDIR/$1"
}

as_marked() {
	image_snap "$R" >"$BATS_TEST_TMPDIR/now"
	cmp "$BATS_TEST_TMPDIR/$1" "$BATS_TEST_TMPDIR/now"
}

@test "forget leaves every path as it is and nothing of the state; from then on what it left is as of others" {
	whole
	mark applied
	run -0 up forget
	[[ $output == *"/etc/docker/daemon.json: stays as it is"* ]]
	[[ ${lines[-1]} == "Done: "*" things left in place, and forgotten. sysboxup cannot take them back any more." ]]
	as_marked applied
	[ ! -e "$S" ]
	run -0 up status
	[[ $output == *"Nothing was ever changed here by sysboxup."* ]]
	settings '{ "log-level": "warn" }'
	up -q uninstall
	as_marked applied
	run -0 settings '{ "debug": false }'
	run -0 up status
	[[ $output != *daemon.json* ]]
	up -q uninstall
	as_marked applied
}

@test "forget keeps the certificates, which what is in place uses, and who is let in for a while; so does uninstall --purge from then on" {
	settings '{ "live-restore": true }'
	up -q cert ca --key-file /ca.secret
	up -q uninstall --purge
	[ ! -e "$S" ]
	settings '{ "live-restore": true }'
	up -q cert ca --key-file /ca.secret
	echo '[]' >"$S/timed.json"
	cp -a "$S/pki" "$BATS_TEST_TMPDIR/pki"
	run -0 up forget
	[[ $output == *"/var/lib/sysboxup/pki: stays as it is: certificates, and their authority"* && $output != *"itself stays"* ]] || { echo "$output"; false; }
	[ "$(ls -A "$S")" = $'forgotten\npki\ntimed.json' ]
	diff -r --no-dereference "$BATS_TEST_TMPDIR/pki" "$S/pki"
	run -0 up cert show
	run -0 up forget
	[ "${lines[-1]}" = "Done: the history is gone. What was in place before was forgotten already." ]
	settings '{ "log-level": "warn" }'
	run -0 up uninstall --purge
	output=$(tr -s ' \n' ' ' <<<"$output")
	[[ $output == *"'/var/lib/sysboxup' stays: what sysboxup has forgotten may use its certificates"*"rm -r /var/lib/sysboxup"* ]] || { echo "$output"; false; }
	[ "$(ls -A "$S")" = $'forgotten\npki\ntimed.json' ]
	diff -r --no-dereference "$BATS_TEST_TMPDIR/pki" "$S/pki"
}

@test "forget says what it did in JSON, and on a host that sysboxup never changed that there is nothing" {
	run -0 up forget
	[ "$output" = "Nothing was ever changed here by sysboxup." ]
	[ ! -e "$S" ]
	settings '{ "live-restore": true }'
	run -0 --separate-stderr up --json forget
	[ "$(jq -c 'select(.event == "check") | [.id, .state, .text]' <<<"$output")" = '["/etc/docker/daemon.json",null,"stays as it is"]' ]
	[ "$(tail -1 <<<"$output" | jq -c '[.command, .changed, .transaction, .exit]')" = '["forget",true,null,0]' ]
	run -0 --separate-stderr up --json forget
	[ "$(jq -c '[.command, .changed, .exit]' <<<"$output")" = '["forget",false,0]' ]
}

@test "forget after an interrupted run exits 6, after a failed way back 5, and the way back is still there" {
	local at
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" --profile "$WHOLE" -q apply "${IMAGE_FORCE[@]}" 2>/dev/null
	at=$(awk '$2 == "exchange" && /daemon.json/ { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log")
	begin
	SYSBOXUP_FAULT=die-after:$at "$FAULTY" --root "$R" --profile "$WHOLE" -q apply "${IMAGE_FORCE[@]}" 2>/dev/null || [ $? -eq 137 ]
	run -6 up -q forget
	[[ $output == *"sysboxup recover"* ]]
	cp -p "$R/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/daemon.json"
	echo '{ "runtimes": "somebody else" }' >"$R/etc/docker/daemon.json"
	run -5 up -q recover
	run -5 up -q forget
	cp -p "$BATS_TEST_TMPDIR/daemon.json" "$R/etc/docker/daemon.json"
	up -q recover
	as_before
}

@test "forget says where the directory of its state stays, empty: here somebody made it a link" {
	mkdir -p "$R/srv/state" "$R/var/lib"
	ln -s /srv/state "$S"
	settings '{ "live-restore": true }'
	run -0 up forget
	[[ $output == *"'/var/lib/sysboxup' itself stays"* ]]
	[ -L "$S" ] && [ -z "$(ls -A "$R/srv/state")" ]
}

# The history is whole and leads back to the beginning, or there is none and nothing leads anywhere.
whole_or_none() {
	as_marked applied
	run -0 up history
	if [ "$output" = "$HISTORY" ]; then
		WHOLES=$((WHOLES + 1))
		run -0 up status
		cp -a "$R" "$BATS_TEST_TMPDIR/other"
		"$UP" --root "$BATS_TEST_TMPDIR/other" -q uninstall
		image_snap "$BATS_TEST_TMPDIR/other" >"$BATS_TEST_TMPDIR/now"
		"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/now"
		rm -rf "$BATS_TEST_TMPDIR/other"
	else
		NONE=$((NONE + 1))
		run -0 up status
		[[ $output == *"Nothing was ever changed here by sysboxup."* ]]
		settings '{ "log-level": "warn" }'
		up -q uninstall
		as_marked applied
	fi
}

@test "forget killed at every call leaves the whole way back or none, also of pruned transactions, and is completed by running it again" {
	local n total
	settings '{ "live-restore": true }' '{ "keep": 1 }'
	settings '{ "live-restore": true, "bip": "10.9.0.1/24" }' '{ "keep": 1 }'
	settings '{ "bip": "10.9.0.1/24", "log-level": "info" }' '{ "keep": 1 }'
	[ -d "$S/base" ]
	HISTORY=$(up history) WHOLES=0 NONE=0
	mark applied
	cp -a "$R" "$BATS_TEST_TMPDIR/start"
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" -q forget
	total=$(wc -l <"$BATS_TEST_TMPDIR/log")
	[ "$total" -gt 20 ]
	for ((n = 1; n <= total; n++)); do
		rm -rf "$R"
		cp -a "$BATS_TEST_TMPDIR/start" "$R"
		SYSBOXUP_FAULT=die-before:$n "$FAULTY" --root "$R" -q forget 2>/dev/null || [ $? -eq 137 ]
		whole_or_none
		up -q forget
		as_marked applied
		[ ! -e "$S" ] || { ls -lAR "$S"; false; }
	done
	[ "$WHOLES" -gt 2 ] && [ "$NONE" -gt 10 ]
}

# ---- managed elsewhere ----

@test "docker.managed elsewhere: everything but daemon.json is put in place, what is missing there is printed to be merged, status exits 7 until it is" {
	jq '.docker.managed = "elsewhere"' "$WHOLE" >"$BATS_TEST_TMPDIR/profile.json"
	cp -p "$R/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/theirs"
	run -0 --separate-stderr up --profile "$BATS_TEST_TMPDIR/profile.json" apply "${IMAGE_FORCE[@]}"
	[[ $output == *"/usr/bin/sysbox-runc"* && $output != *"/etc/docker/daemon.json  "* ]]
	# shellcheck disable=SC2154 # bats sets it
	[[ $(tr -s ' \n' ' ' <<<"$stderr") == *"docker.managed is \"elsewhere\": merge this into '/etc/docker/daemon.json' there, and reload Docker: "*'"sysbox-runc"'* ]]
	cmp "$BATS_TEST_TMPDIR/theirs" "$R/etc/docker/daemon.json"
	run -7 up status
	output=$(tr -s ' \n' ' ' <<<"$output")	# long lines are broken
	[[ $output == *"daemon.json: a key of the profile is missing or has another value"* ]]
	[[ $output == *"merge this into '/etc/docker/daemon.json' where it is managed, and reload Docker: {"*'"path":"/usr/bin/sysbox-runc"'* ]]
	[[ $output == *"'/etc/docker/daemon.json' is managed elsewhere"* ]]
	run -7 up --profile "$BATS_TEST_TMPDIR/profile.json" verify
	jq '.runtimes["sysbox-runc"].path = "/usr/bin/sysbox-runc"' "$BATS_TEST_TMPDIR/theirs" >"$R/etc/docker/daemon.json"
	run -0 up status
	cp -p "$R/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/theirs"
	up -q uninstall
	cmp "$BATS_TEST_TMPDIR/theirs" "$R/etc/docker/daemon.json"
}

# ---- pruning ----

ids() {
	ls "$S/txn"
}

@test "as many transactions are kept as the profile says, and history, rollback and uninstall say where it begins" {
	for i in 1 2 3 4 5 6; do settings "{ \"mtu\": 140$i }" '{ "keep": 3 }'; done
	[ "$(ids)" = $'000004\n000005\n000006' ]
	run -0 up history
	[[ $output == *"pruned up to 3: rollback reaches back to 4, uninstall to before all of them"* ]]
	[ "$(grep -c committed <<<"$output")" -eq 3 ]
	run -0 --separate-stderr up --json history
	[ "$(head -1 <<<"$output" | jq -c .)" = '{"event":"pruned","last":3}' ]
	run -3 up -q rollback 3
	[[ $output == *"transaction 3 is pruned"*"sysboxup rollback 4 "*"sysboxup uninstall"* ]]
	run -2 up history show 2
	[[ $output == *"transaction 2 is pruned: the history begins with 4"* ]]
	[ "$(up history show 4 /etc/docker/daemon.json | jq .mtu)" = 1403 ]
	up -q rollback 4
	[ "$(jq .mtu "$R/etc/docker/daemon.json")" = 1403 ]
	up -q uninstall
	as_before
}

@test "a profile that keeps less prunes though there is nothing else to do, one that keeps more gives nothing back" {
	for i in 1 2 3 4; do settings "{ \"mtu\": 140$i }"; done
	settings '{ "mtu": 1404 }' '{ "keep": 1 }'
	[ "$(ids)" = 000004 ]
	settings '{ "mtu": 1405 }' '{ "keep": 10 }'
	[ "$(ids)" = $'000004\n000005' ]
}

@test "what the newest rollback needs stays, whatever keep says: the last one in force, and all that was taken back at once" {
	for i in 1 2 3 4 5; do settings "{ \"mtu\": 140$i }"; done
	up -q rollback 3						# 6
	settings '{ "mtu": 1402 }' '{ "keep": 1 }'
	[ "$(ids)" = $'000002\n000003\n000004\n000005\n000006' ]
	up -q rollback							# 7: of 2
	[ "$(jq .mtu "$R/etc/docker/daemon.json")" = 1401 ]
	run -3 up -q rollback
	[[ $output == *"what is still in place is of transactions that are pruned"*"sysboxup uninstall"* ]]
	up -q uninstall
	as_before
}

@test "history --limit shows the newest, with what took them back" {
	for i in 1 2 3 4; do settings "{ \"mtu\": 140$i }"; done
	up -q rollback 4
	run -0 --separate-stderr up --json history --limit 2
	[ "$(jq -c 'select(.event == "transaction") | [.id, .rolled_back_by]' <<<"$output")" = $'[4,5]\n[5,null]' ]
	run -0 up history --limit 1000
	[ "${#lines[@]}" -eq 6 ]
	run -2 up history --limit 0
	run -2 up history --limit many
	[[ $output == *"--limit 'many' is no number from 1 on"* ]]
}

@test "status, plan, apply with nothing to do and history --limit read none of the older transactions" {
	for i in 1 2 3 4 5 6; do settings "{ \"mtu\": 140$i }"; done
	for i in 1 2 3 4; do echo damaged >"$S/txn/00000$i/0000"; done
	run -0 up status
	run -0 up --profile "$BATS_TEST_TMPDIR/profile.json" plan --check
	settings '{ "mtu": 1406 }'
	run -0 up history --limit 2
	settings '{ "mtu": 1407 }'
	run ! up history		# the control: who reads them notices
	[[ $output == *"not a valid record"* ]]
}

# The blocks of all that counts.
used() {
	du -sB1 --total "$S"/{txn,base,cache,debs} 2>/dev/null | awk 'END { print $1 }'
}

@test "max_size is obeyed: packages that nobody needs go first, then the oldest transactions, never the last one" {
	local i sha
	whole
	sha=$(ls "$S/cache")
	[ "${#sha}" -eq 64 ]
	head -c 700000 /dev/zero >"$S/cache/$(printf 0%.0s {1..64})"
	for i in {1..8}; do
		settings "{ \"labels\": [\"$i\", \"$(head -c 40000 /dev/zero | tr '\0' x)\"] }"
	done
	[ "$(ids | wc -l)" -eq 9 ]
	[ "$(used)" -gt $((2000 * 1024)) ]
	settings "{ \"labels\": [] }" '{ "max_size": "2000K" }'
	[ "$(ls "$S/cache")" = "$sha" ]
	[ "$(used)" -le $((2000 * 1024)) ] || { du -a "$S"; false; }
	[ "$(ids | tail -1)" = 000010 ] && [ "$(ids | wc -l)" -lt 10 ] && [ "$(ids | wc -l)" -gt 1 ]
	settings '{ "labels": ["x"] }' '{ "max_size": "1M" }'
	[[ "$(ids)" == *000011 ]]
	up -q rollback
	[ "$(jq -c .labels "$R/etc/docker/daemon.json")" = '[]' ]
	up -q uninstall
	as_before
}

# One of many things a person may do; on the root $R, which prunes, and on its twin, which does not.
random_step() {
	local step=$((RANDOM % 10)) keep=$((1 + RANDOM % 3)) value=$((1400 + RANDOM % 5)) id oldest newest status1=0 status2=0
	case $step in
	0 | 1 | 2) set -- "{ \"docker\": { \"settings\": { \"mtu\": $value } }" ;;
	3) set -- "{ \"docker\": { \"settings\": { \"debug\": true, \"log-opts\": { \"max-file\": \"$value\" } } }" ;;
	4 | 5) set -- "$(jq -c . "$WHOLE" | sed 's/}$//')" ;;
	6) set -- rollback ;;
	7)
		oldest=$(ids | head -1) newest=$(ids | tail -1)
		id=$((10#$oldest + RANDOM % (10#$newest - 10#$oldest + 1)))
		set -- "rollback $id"
		;;
	8)
		rm -f "$S/index.json"
		return
		;;
	9)
		if ((RANDOM % 2)); then set -- uninstall; else set -- "edit bip $value"; fi
		;;
	esac
	echo "# $1; keep $keep" >>"$BATS_TEST_TMPDIR/steps"
	case $1 in
	edit*)
		for root in "$R" "$TWIN"; do
			if grep -q registry-mirrors "$root/etc/docker/daemon.json"; then continue; fi
			sed -i "s/\"labels\"/\"registry-mirrors\": [\"https:\/\/$value.example\"], \"labels\"/" "$root/etc/docker/daemon.json"
		done
		return
		;;
	'{'*)
		echo "$1, \"history\": { \"keep\": $keep } }" >"$BATS_TEST_TMPDIR/p1"
		echo "$1, \"history\": { \"keep\": 10000 } }" >"$BATS_TEST_TMPDIR/p2"
		set -- "apply ${IMAGE_FORCE[*]}"
		;;
	esac
	# shellcheck disable=SC2086 # words
	"$UP" --root "$R" --profile "$BATS_TEST_TMPDIR/p1" -q $1 >"$BATS_TEST_TMPDIR/out1" 2>&1 || status1=$?
	# shellcheck disable=SC2086
	"$UP" --root "$TWIN" --profile "$BATS_TEST_TMPDIR/p2" -q $1 >"$BATS_TEST_TMPDIR/out2" 2>&1 || status2=$?
	[ "$status1" = "$status2" ] && return
	[ "$status1" = 3 ] && grep -q "of transactions that are pruned" "$BATS_TEST_TMPDIR/out1" &&
		"$UP" --root "$TWIN" -q rollback "$(jq .last "$TWIN/var/lib/sysboxup/index.json")" 2>/dev/null
}

# things ROOT: what of sysboxup is in place there, and whether it is as it was left.
things() {
	"$UP" --root "$1" --json status | jq -c 'select(.event == "check") | [.id, .state]'
}

same_as_twin() {
	cmp <(image_snap "$R" | cut -f1-6,8-) <(image_snap "$TWIN" | cut -f1-6,8-) && cmp <(things "$R") <(things "$TWIN")
}

@test "whatever is applied and taken back while the history is pruned, all is as without pruning, and uninstall as well" {
	local seed n stranger
	for seed in 1 2 3 4 5 6; do
		begin
		TWIN=$BATS_TEST_TMPDIR/twin
		rm -rf "$TWIN"
		cp -a "$R" "$TWIN"
		RANDOM=$seed
		: >"$BATS_TEST_TMPDIR/steps"
		settings '{ "mtu": 1400 }' '{ "keep": 1 }'
		"$UP" --root "$TWIN" --profile "$BATS_TEST_TMPDIR/profile.json" -q apply
		for ((n = 0; n < 14; n++)); do
			random_step && same_as_twin || {
				echo "seed $seed:"
				cat "$BATS_TEST_TMPDIR"/{steps,out1,out2}
				false
			}
		done
		stranger=$(grep -c edit "$BATS_TEST_TMPDIR/steps" || :)
		"$UP" --root "$R" -q uninstall || cat "$BATS_TEST_TMPDIR/steps"
		"$UP" --root "$TWIN" -q uninstall
		same_as_twin
		[ "$stranger" -gt 0 ] || as_before
	done
}
