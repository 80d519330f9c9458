#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A journal whose last record is cut or has a bit flipped, under the program itself: recover takes it for a shorter journal or
# for one with a torn tail, and the host ends before. Runs of each verb are ended where that record is the last one and all
# that follows from it is done. tests/unit/test_record.c has every byte and bit of the reading alone.
#
# SYSBOXUP_EVERY (97 here): every n-th byte cut, every 8n+1-th bit flipped; `make check-records` leaves out none where that is
# possible in hours.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build} SYSBOXUP_FAULT_ALONE=1
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults} "$SYSBOXUP_BUILD/tools/hostdiff"
	. "$REPO/tests/lib/image.bash"
	. "$REPO/tests/lib/catalog.bash"
	"$REPO/tests/standin/build" "$BATS_FILE_TMPDIR/sysbox-ce.deb" 0.7.0.linux
	CATALOG_METHOD=files catalog_make "$BATS_FILE_TMPDIR/catalog" "$BATS_FILE_TMPDIR/catalog" "$BATS_FILE_TMPDIR/sysbox-ce.deb"
	image_make "$BATS_FILE_TMPDIR/image"
	echo '{ "docker": { "settings": { "live-restore": true, "debug": null } } }' >"$BATS_FILE_TMPDIR/small.json"
}

setup() {
	. "$REPO/tests/lib/image.bash"
	. "$REPO/tests/lib/points.bash"
	UP=$SYSBOXUP_BUILD/sysboxup FAULTY=$SYSBOXUP_BUILD/sysboxup-faults
	R=$BATS_TEST_TMPDIR/root START=$BATS_TEST_TMPDIR/start TORN=$BATS_TEST_TMPDIR/torn
	EVERY=${SYSBOXUP_EVERY:-97} cuts=0 flips=0
	case $SYSBOXUP_BUILD in */sanitize | */coverage) EVERY=$((EVERY * 5)) ;; esac
	SMALL=(--profile "$BATS_FILE_TMPDIR/small.json" apply)
	WHOLE=(--profile "$BATS_FILE_TMPDIR/catalog/profile.json" apply "${IMAGE_FORCE[@]}")
	cp -a "$BATS_FILE_TMPDIR/image" "$START"
	image_snap "$START" >"$BATS_TEST_TMPDIR/before"
}

# start WORD...: the runs to come begin behind this one.
start() {
	"$UP" --root "$START" -q "$@"
	image_snap "$START" >"$BATS_TEST_TMPDIR/before"
}

from() {
	rm -rf "$R"
	cp -a "$1" "$R"
}

same_as() {
	image_snap "$R" >"$BATS_TEST_TMPDIR/now"
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/$1" "$BATS_TEST_TMPDIR/now"
}

# run_of FAULT WORD...: from the start again.
run_of() {
	from "$START"
	SYSBOXUP_FAULT=$1 "$FAULTY" --root "$R" -q "${@:2}" 2>"$BATS_TEST_TMPDIR/err"
}

# The number of the call that gives record $1 its name; of the last spare that goes, if there is no such record.
named_at() {
	awk -v name="/txn/[0-9]*/$1\$" '$2 == "rename" && $3 ~ name { n = $1 } $2 == "unlink" && /spare-/ { last = $1 }
		END { print n ? n : last }' "$BATS_TEST_TMPDIR/log"
}

# records WORD...: the names of the records of such a run, in order; its calls are in log. SYSBOXUP_FAULT of its own: $FAULT.
records() {
	rm -f "$BATS_TEST_TMPDIR/log"
	run_of "log:$BATS_TEST_TMPDIR/log${FAULT:+,$FAULT}" "$@" || [ -n "${FAULT:-}" ]
	awk '$2 == "rename" && $3 ~ "/txn/[0-9]*/[0-9]*$" { sub(".*/", "", $3); print $3 }' "$BATS_TEST_TMPDIR/log"
}

# The number of the call that puts daemon.json in place or back.
exchange_at() {
	awk '$2 == "exchange" { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log"
}

# torn_at RECORD NEXT WORD...: ends such a run in front of NEXT; RECORD's path is in $last.
torn_at() {
	local at status=0
	at=$(named_at "$2")
	run_of "die-before:$at${FAULT:+,$FAULT}" "${@:3}" || status=$?
	[ "$status" -eq 137 ]
	rm -rf "$TORN"
	mv "$R" "$TORN"
	last=$(cd "$TORN" && echo var/lib/sysboxup/txn/*"/$1" | tr ' ' '\n' | tail -n 1)
	[ -s "$TORN/$last" ]
	[ ! -e "$TORN/${last%/*}/$(printf %04d $((10#$1 + 1)))" ]
	text=$(tr -d '\0' <"$TORN/$last" | wc -c)
}

flip() {
	local byte
	byte=$(od -A n -t u1 -j $(($2 / 8)) -N 1 "$1")
	# shellcheck disable=SC2059 # the octal number is the format
	printf "\\$(printf %03o $((byte ^ (1 << $2 % 8))))" | dd of="$1" bs=1 seek=$(($2 / 8)) conv=notrunc status=none
}

# One more damaged journal is at hand.
ends_before() {
	if ! "$UP" --root "$R" -q recover || ! same_as before; then
		echo "$1 of $last" && return 1
	fi
	[ ! -e "$R/var/lib/sysboxup/unfinished" ] && "$UP" --root "$R" -q status >/dev/null
}

# The last record cut and flipped, one place at a time.
damage() {
	local n
	for ((n = 0; n < text; n += EVERY)); do
		from "$TORN"
		truncate -s "$n" "$R/$last"
		ends_before "cut at $n" || return 1
		cuts=$((cuts + 1))
	done
	for ((n = 0; n < text * 8; n += EVERY * 8 + (EVERY > 1))); do
		from "$TORN"
		flip "$R/$last" "$n"
		ends_before "bit $n" || return 1
		flips=$((flips + 1))
	done
}

# each STEP WORD...: every STEP-th record of such a run is the last one in turn, and the terminal one.
each() {
	local step=$1 i names
	shift
	mapfile -t names < <(records "$@")
	[ "${#names[@]}" -ge 4 ]
	for ((i = 0; i < ${#names[@]}; i++)); do
		[ $((i % step)) -eq 0 ] || [ $((i + 1)) -eq ${#names[@]} ] || continue
		torn_at "${names[i]}" "${names[i + 1]:-none}" "$@"
		damage
	done
}

@test "Docker's settings: whichever record of apply, its rollback or a way back is cut or has a bit flipped, the host ends before" {
	local at
	each 1 "${SMALL[@]}"
	at=$(exchange_at)
	FAULT=fail:$((at + 1)):EIO each 1 "${SMALL[@]}"
	start "${SMALL[@]}"
	each 1 rollback
	points records-cut "$cuts"
	points records-flipped "$flips"
}

@test "the whole job by files: the same of some records of apply, rollback and a way back" {
	local at
	EVERY=$((EVERY == 1 ? 23 : EVERY * 4))
	each 5 "${WHOLE[@]}"
	at=$(exchange_at)
	FAULT=fail:$((at + 1)):EIO each 9 "${WHOLE[@]}"
	start "${WHOLE[@]}"
	each 6 rollback
	points records-whole $((cuts + flips))
}

@test "a way back that failed: whichever record is cut or has a bit flipped, recover tries again and the host ends before" {
	local at status=0 n names
	mapfile -t names < <(records "${SMALL[@]}")
	torn_at "${names[2]}" "${names[3]}" "${SMALL[@]}"
	rm -rf "$START"
	mv "$TORN" "$START"
	records recover >/dev/null
	at=$(exchange_at)
	run_of "fail:$at:EIO" recover || status=$?
	[ "$status" -eq 5 ]
	mv "$R" "$TORN"
	n=$(cd "$TORN/var/lib/sysboxup/txn/000001" && echo 0* | tr ' ' '\n' | tail -n 1)
	last=var/lib/sysboxup/txn/000001/$n
	grep -q '^sysboxup-record 1 failed ' "$TORN/$last"
	text=$(tr -d '\0' <"$TORN/$last" | wc -c)
	[ "$EVERY" -lt 31 ] || EVERY=31
	damage
	[ "$cuts" -gt 5 ]
	[ "$flips" -gt 5 ]
}

@test "cut in the padding behind its text a record is itself: recover undoes what was interrupted, and keeps what was committed" {
	local names
	mapfile -t names < <(records "${SMALL[@]}")
	image_snap "$R" >"$BATS_TEST_TMPDIR/after"
	torn_at "${names[2]}" "${names[3]}" "${SMALL[@]}"
	from "$TORN"
	truncate -s "$text" "$R/$last"
	ends_before "padding"
	torn_at "${names[3]}" none "${SMALL[@]}"
	from "$TORN"
	truncate -s $((text + 1)) "$R/$last"
	"$UP" --root "$R" -q recover
	[ "$(cat "$R/etc/docker/daemon.json")" != "$(cat "$START/etc/docker/daemon.json")" ]
	[ "$("$UP" --root "$R" --json history | jq -r 'select(.event == "transaction").state')" = committed ]
}

@test "of a run whose first record is torn, or is not there yet, status says what is known" {
	local names
	mapfile -t names < <(records "${SMALL[@]}")
	torn_at "${names[0]}" "${names[1]}" "${SMALL[@]}"
	from "$TORN"
	truncate -s 10 "$R/$last"
	run --separate-stderr -6 "$UP" --root "$R" status
	[[ ${lines[0]} == "Last transaction: 1, ?, ?, by "*": interrupted early" ]]
	[ "${stderr_lines[0]}" = "sysboxup: transaction 1 (?) was interrupted" ]
	rm "$R/$last"
	run --separate-stderr -6 "$UP" --root "$R" status
	[ "${stderr_lines[0]}" = "sysboxup: transaction 1 (?) was interrupted" ]
	ends_before "without its first record"
}

@test "a record that is broken anywhere else is none that recover acts on: exit 5, the file is named, nothing is touched" {
	local names which
	mapfile -t names < <(records "${SMALL[@]}")
	torn_at "${names[2]}" "${names[3]}" "${SMALL[@]}"
	for which in 0000 0001; do
		from "$TORN"
		flip "$R/var/lib/sysboxup/txn/000001/$which" 900
		image_snap "$R" >"$BATS_TEST_TMPDIR/stuck"
		run --separate-stderr -5 "$UP" --root "$R" -q recover
		[[ $stderr == *"'/var/lib/sysboxup/txn/000001/$which': not a valid record"* ]]
		same_as stuck
	done
	run_of '' "${SMALL[@]}"
	image_snap "$R" >"$BATS_TEST_TMPDIR/stuck"
	flip "$R/var/lib/sysboxup/txn/000001/${names[3]}" 900	# committed, and everything is over
	run --separate-stderr -5 "$UP" --root "$R" -q recover
	[[ $stderr == *"/${names[3]}': not a valid record"* ]]
	same_as stuck
}

@test "control: were a torn INTENT taken for none, what it had announced would stay, and be seen" {
	local names
	mapfile -t names < <(records "${SMALL[@]}")
	torn_at "${names[2]}" "${names[3]}" "${SMALL[@]}"
	from "$TORN"
	rm "$R/$last"
	run ! ends_before "without"
}
