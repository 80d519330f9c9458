#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# File systems that say no: full, out of inodes, read-only, immutable or append-only files, something mounted where we
# work, state and files on different devices. Real ones, on loop devices, in a mount namespace of the test's own. What
# a full disk does to an undo is in engine.bats. Needs root.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	SYSBOXUP_BUILD=$(cd "$REPO" && realpath -m "${SYSBOXUP_BUILD:-build}")
	export REPO SYSBOXUP_BUILD
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults} "$SYSBOXUP_BUILD/tools/hostdiff"
	. "$REPO/tests/lib/image.bash"
	image_make "$BATS_FILE_TMPDIR/image"
	echo '{ "docker": { "settings": { "live-restore": true, "debug": null } } }' >"$BATS_FILE_TMPDIR/small.json"
}

setup() {
	. "$REPO/tests/lib/inside.bash"
	PROFILE=$BATS_FILE_TMPDIR/small.json R=$BATS_TEST_TMPDIR/root DEVICES=()
	export SYSBOXUP_FAULT_ALONE=1
	inside_begin "$R" 1m
	HERE=$(inside_path "$R")	# what is in the root, seen from outside; for our own hands, not for the program's
}

teardown() {
	[ ! -e "$HERE/etc/docker" ] || chattr -R -f -i -a "$HERE/etc/docker" || true
	local i
	for ((i = ${#DEVICES[@]} - 1; i >= 0; i--)); do
		inside umount "$R${DEVICES[i]}"
	done
	inside_end
}

# device PATH [MKFS-OPTION...]: from now on PATH of the root is an ext4 of its own, with what the image has there.
device() {
	local path=$1 img=$BATS_TEST_TMPDIR/disk${#DEVICES[@]}.img
	shift
	truncate -s 32M "$img"
	mkfs.ext4 -q -m 0 -b 4096 "$@" "$img"
	inside mkdir -p "$R$path"
	inside mount -o loop "$img" "$R$path"
	inside mountpoint -q "$R$path"
	DEVICES+=("$path")
	rmdir "$HERE$path/lost+found"
	cp -a "$BATS_FILE_TMPDIR/image$path/." "$HERE$path/"
}

up() {
	inside "$SYSBOXUP_BUILD/sysboxup" --root "$R" "$@"
}

apply() {
	up --profile "$PROFILE" -q apply
}

# interrupted FAULT: an apply that the fault ends.
interrupted() {
	SYSBOXUP_FAULT=$1 inside "$SYSBOXUP_BUILD/sysboxup-faults" --root "$R" --profile "$PROFILE" -q apply 2>/dev/null ||
		[ $? -eq 137 ]
}

# exchange_of: the number of the call that puts the new daemon.json in place; the tree is as before.
exchange_of() {
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log inside "$SYSBOXUP_BUILD/sysboxup-faults" --root "$R" --profile "$PROFILE" -q apply
	up -q rollback
	awk '$2 == "exchange" { n = $1 } END { print n }' "$BATS_TEST_TMPDIR/log"
}

# snap NAME: every device of the root, for hostdiff stays on one. The filler of a test is not the host's.
snap() {
	local i
	for i in "${!DEVICES[@]}"; do
		"$SYSBOXUP_BUILD/tools/hostdiff" snap "$HERE${DEVICES[i]}" --skip /var/lib/sysboxup --skip /filler \
			>"$BATS_TEST_TMPDIR/$1.$i"
	done
}

as_before() {
	local i
	[ "${#DEVICES[@]}" -gt 0 ] || return 1
	snap now
	for i in "${!DEVICES[@]}"; do
		"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR"/{before,now}."$i" || return 1
	done
}

setting() {
	jq -r ".\"$1\"" "$HERE/etc/docker/daemon.json"
}

is_applied() {
	[ "$(setting live-restore)" = true ] && [ "$(setting debug)" = null ]
}

# fill PATH: not a block is left on that device, nor one more name.
fill() {
	local at=$HERE$1/filler
	mkdir -p "$at"
	! cat /dev/zero >"$at/large" 2>/dev/null
	! dd if=/dev/zero of="$at/small" bs=512 2>/dev/null
	sync -f "$at"
	! dd if=/dev/zero of="$at/rest" bs=512 2>/dev/null
	sync -f "$at"
	[ "$(stat -f -c %a "$at")" -eq 0 ]
}

unfill() {
	rm -rf --one-file-system "$HERE$1/filler"
}

no_leftovers() {
	[ -z "$(find "$HERE" -name '*sysboxup-*' -o -name '*ballast*')" ]
}

# fill_inodes: not one more file can be made on the root's device.
fill_inodes() {
	local i
	mkdir "$HERE/filler"
	for ((i = 0; i < 1000; i++)); do
		: 2>/dev/null >"$HERE/filler/$i" || break
	done
	[ "$(stat -f -c %d "$HERE")" -eq 0 ]
	[ "$(stat -f -c %a "$HERE")" -gt 1000 ]
}

# refused LINE REMEDY CMD...: exit 1 or 3, the first line of the message is LINE, the second the remedy, and the host is
# as it was before.
refused() {
	local line=$1 remedy=$2
	shift 2
	run "$@"
	echo "$status: $output"
	[ "$status" -eq 1 ] || [ "$status" -eq 3 ]
	[[ $output == *"sysboxup: "$line$'\n'"  try:  $remedy"* ]]
	[[ ${lines[-1]} == "  host: as before" || ${lines[-1]} == "  host: nothing was touched" ]]
	as_before
}

goes_on() {
	apply
	is_applied
	up -q rollback
	as_before
	no_leftovers
}

FULL="free some space there, and inodes (df -i), then try again"
READ_ONLY="make that file system writable (mount -o remount,rw), then try again"
LOCKED="chattr -i -a on the file, if that is not on purpose"

@test "full before the first apply, and before a later one: refused with the place and the remedy, then it goes on" {
	device ''
	snap before
	fill ''
	refused "cannot make '/var/lib/sysboxup': cannot make the directory 'sysboxup': no space left on device" "$FULL" apply
	unfill ''
	goes_on
	fill ''
	refused "cannot begin transaction 3 in '/var/lib/sysboxup/txn': *: no space left on device" "$FULL" apply
	run -0 up status
	unfill ''
	goes_on
}

@test "out of inodes before the first apply, and before a later one: refused with the place and the remedy, then it goes on" {
	device '' -N 128
	snap before
	fill_inodes
	refused "cannot make '/var/lib/sysboxup': cannot make the directory 'sysboxup': no space left on device" "$FULL" apply
	unfill ''
	goes_on
	fill_inodes
	refused "cannot begin transaction 3 in '/var/lib/sysboxup/txn': *: no space left on device" "$FULL" apply
	run -0 up status
	unfill ''
	goes_on
}

@test "a stranger takes the last inode between crash and recover: recover gives back what was" {
	local at
	device '' -N 128
	apply
	up -q rollback
	at=$(exchange_of)
	snap before
	interrupted "die-after:$at"
	run ! as_before
	fill_inodes
	up -q recover
	as_before
	unfill ''
	goes_on
}

@test "read-only before apply: refused with the place and the remedy; read-only before recover: not done, later it is" {
	local at
	device ''
	snap before
	inside mount -o remount,ro "$R"
	refused "cannot make '/var/lib/sysboxup': cannot make the directory 'sysboxup': read-only file system" "$READ_ONLY" apply
	inside mount -o remount,rw "$R"
	goes_on
	at=$(exchange_of)
	snap before
	interrupted "die-after:$at"
	run ! as_before
	inside mount -o remount,ro "$R"
	run up recover
	[ "$status" -ne 0 ]
	[[ $output == *"'/var/lib/sysboxup/"*": read-only file system"*"  try:  $READ_ONLY"* ]]
	run -6 up status
	run ! as_before
	inside mount -o remount,rw "$R"
	up -q recover
	as_before
	goes_on
}

@test "/etc alone read-only: apply is refused, recover is not done, later it is" {
	local at
	device ''
	device /etc
	snap before
	inside mount -o remount,ro "$R/etc"
	refused "cannot write in the directory of '/etc/docker/daemon.json': read-only file system" "$READ_ONLY" apply
	inside mount -o remount,rw "$R/etc"
	goes_on
	at=$(exchange_of)
	interrupted "die-after:$at"
	inside mount -o remount,ro "$R/etc"
	run -5 up recover
	echo "$output"
	[[ $output == *"sysboxup: in '/etc/docker': cannot remove "*": read-only file system"*"try:  remove the cause, then run: sysboxup recover"* ]]
	run -5 up status
	inside mount -o remount,rw "$R/etc"
	up -q recover
	as_before
	goes_on
}

@test "daemon.json immutable or append-only: apply and rollback are refused, recover is not done, chattr is named" {
	local flag at
	device ''
	apply
	up -q rollback
	at=$(exchange_of)
	for flag in i a; do
		snap before
		inside chattr +$flag "$R/etc/docker/daemon.json"
		refused "cannot replace '/etc/docker/daemon.json': it is immutable or append-only" "$LOCKED" apply
		inside chattr -$flag "$R/etc/docker/daemon.json"
		interrupted "die-after:$at"
		inside chattr +$flag "$R/etc/docker/daemon.json"
		run -5 up recover
		echo "$output"
		[[ $output == *"'/etc/docker/daemon.json'"*"chattr -i"* ]]
		inside chattr -$flag "$R/etc/docker/daemon.json"
		up -q recover
		as_before
		apply
		is_applied
		snap before
		inside chattr +$flag "$R/etc/docker/daemon.json"
		refused "cannot replace '/etc/docker/daemon.json': it is immutable or append-only" "$LOCKED" up rollback
		is_applied
		inside chattr -$flag "$R/etc/docker/daemon.json"
		up -q rollback
		[ "$(setting debug)" = false ]
	done
	snap before
	goes_on
}

@test "something is mounted on daemon.json: apply and rollback are refused and touch neither file" {
	device ''
	snap before
	cp -a "$HERE/etc/docker/daemon.json" "$HERE/elsewhere"
	inside mount --bind "$R/elsewhere" "$R/etc/docker/daemon.json"
	run -3 apply
	[[ ${lines[0]} == "sysboxup: cannot replace '/etc/docker/daemon.json': something is mounted on it" ]]
	[[ ${lines[1]} == "  try:  unmount it, or change the file where it comes from" ]]
	cmp "$HERE/elsewhere" "$BATS_FILE_TMPDIR/image/etc/docker/daemon.json"
	inside umount "$R/etc/docker/daemon.json"
	cp -a "$HERE/elsewhere" "$BATS_TEST_TMPDIR/"
	rm "$HERE/elsewhere"
	as_before
	apply
	snap before
	cp -a "$HERE/etc/docker/daemon.json" "$HERE/elsewhere"
	inside mount --bind "$R/elsewhere" "$R/etc/docker/daemon.json"
	run -3 up -q rollback
	[[ ${lines[0]} == "sysboxup: cannot replace '/etc/docker/daemon.json': something is mounted on it" ]]
	inside umount "$R/etc/docker/daemon.json"
	rm "$HERE/elsewhere"
	as_before
	up -q rollback
	[ "$(setting debug)" = false ]
}

# crash_walk STEP: apply, killed at every STEP-th call, then recovered: before each time, or applied at the last ones.
crash_walk() {
	local n calls before=0 after=0 step=$1
	case $SYSBOXUP_BUILD in */sanitize | */coverage) step=$((step * 5)) ;; esac
	goes_on
	exchange_of >"$BATS_TEST_TMPDIR/at"
	calls=$(wc -l <"$BATS_TEST_TMPDIR/log")
	[ "$calls" -gt 50 ]
	for ((n = 1; n <= calls; n += step)); do
		interrupted "die-before:$n"
		up -q recover
		no_leftovers
		if as_before; then
			before=$((before + 1))
		else
			is_applied
			up -q rollback
			as_before
			after=$((after + 1))
		fi
	done
	echo "# $before before, $after after, of $calls calls" >&3
	[ "$before" -gt "$after" ]
	[ "$after" -gt 0 ]
	# and surely where it is in place, but not committed
	interrupted "die-after:$(cat "$BATS_TEST_TMPDIR/at")"
	run ! as_before
	up -q recover
	as_before
}

@test "state on one device, /etc on another: apply, rollback, and apply killed all along the way" {
	device ''
	device /etc
	snap before
	crash_walk 5
}

@test "daemon.json's directory is the mount point of a third device: apply, rollback, and apply killed all along the way" {
	device ''
	device /etc
	device /etc/docker
	snap before
	crash_walk 5
}

@test "/etc full and the state's device not, and the other way round: refused, then it goes on" {
	device ''
	device /etc
	snap before
	goes_on
	fill /etc
	refused "cannot set aside 64 KiB for undo on the file system of '/etc/docker': no space left on device" \
		"free some space there, then try again" apply
	unfill /etc
	goes_on
	fill ''
	refused "cannot begin transaction * in '/var/lib/sysboxup/txn': *: no space left on device" "$FULL" apply
	unfill ''
	goes_on
}

@test "one of two devices filled by a stranger between crash and recover: recover gives back what was" {
	local at path
	device ''
	device /etc
	snap before
	goes_on
	at=$(exchange_of)
	for path in '' /etc; do
		interrupted "die-before:$at"
		fill "$path"
		up -q recover
		as_before
		unfill "$path"
		interrupted "die-after:$at"
		run ! as_before
		fill "$path"
		up -q recover
		as_before
		unfill "$path"
	done
	goes_on
}

@test "control: a change on any device of the root is seen" {
	local path
	device ''
	device /etc
	device /etc/docker
	snap before
	as_before
	for path in /usr /etc /etc/docker; do
		: >"$HERE$path/stranger"
		run ! as_before
		rm "$HERE$path/stranger"
	done
	as_before
	touch "$HERE/etc/docker/daemon.json"
	run ! as_before
}
