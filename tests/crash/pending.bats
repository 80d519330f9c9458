#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A transaction that waits to be confirmed, under the real binary, killed and torn at every call of the run that leaves
# it, of confirm, and of the tick that undoes it when its time is over (tests/tools/everycall.c): before or after, nothing
# else. tests/unit/test_pending.c has the engine's part, tests/confirm.bats a host with its timer and its boots.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup "$SYSBOXUP_BUILD"/tools/{killat,everycall,hostdiff}
	. "$REPO/tests/lib/image.bash"
	W=$(mktemp -d /dev/shm/sysboxup-pending-XXXXXX)	# no disk: what is tried is the order, not the durability
	export W UP=$SYSBOXUP_BUILD/sysboxup TOOLS=$SYSBOXUP_BUILD/tools
	image_make "$W/image"
	echo '{ "docker": { "settings": { "live-restore": true, "debug": null } } }' >"$W/small.json"
	pending waits 30m
	pending over 1s
	# Its time is over when it is no more left alone.
	cp -a "$W/over" "$W/look"
	until "$UP" --root "$W/look" -q recover 2>/dev/null; do :; done
	cp -a "$W/over" "$W/edited"
	echo '{ "debug": true, "live-restore": false }' >"$W/edited/etc/docker/daemon.json"
	mkdir "$W/root"
}

# pending NAME TIME: $W/NAME waits to be confirmed.
pending() {
	cp -a "$W/image" "$W/$1"
	"$UP" --root "$W/$1" --profile "$W/small.json" -q apply --confirm-within "$2"
}

teardown_file() {
	rm -rf --one-file-system "$W"
}

setup() {
	. "$REPO/tests/lib/points.bash"
	. "$REPO/tests/lib/everycall.bash"
	TOTAL=0
}

@test "apply --confirm-within, killed, torn and failed at its calls, ends before, or waits and can be confirmed" {
	each image "kill/3 tear/3 worker/5 ENOSPC/5 EIO/9" --confirm -- --profile "$W/small.json" -q apply --confirm-within 30m
	points pending-apply "$TOTAL"
}

@test "confirm, killed and torn at every call, leaves what can be confirmed, or what is" {
	each waits "kill tear worker" --confirm -- -q confirm --same-session
	points pending-confirm "$TOTAL"
}

@test "the tick whose time is over, killed and torn at its calls, ends before by the next one" {
	each over "kill/2 tear/2 worker/3" --recovery -- -q recover --expired
	points pending-expiry "$TOTAL"
}

@test "the tick over an edit of somebody else, killed and torn at its calls, keeps the edit and takes back what is ours" {
	each edited "kill/2 tear/2" --recovery -- -q recover --expired
	points pending-edited "$TOTAL"
}

@test "what can be confirmed is left alone by recover, the unit at boot and a tick; what is over cannot be confirmed" {
	rm -rf --one-file-system "$W/root" && cp -a "$W/waits" "$W/root"
	run -7 "$UP" --root "$W/root" -q recover
	run -7 "$UP" --root "$W/root" -q recover --boot early
	run -0 "$UP" --root "$W/root" -q recover --expired
	grep -q live-restore "$W/root/etc/docker/daemon.json"
	rm -rf --one-file-system "$W/root" && cp -a "$W/over" "$W/root"
	run -7 "$UP" --root "$W/root" -q confirm --same-session
	run -0 "$UP" --root "$W/root" -q recover --expired
	run ! grep -q live-restore "$W/root/etc/docker/daemon.json"
}
