#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A registration with dpkg killed and failed: its database is as before or as after. SYSBOXUP_EVERY=1 tries every call.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup "$SYSBOXUP_BUILD"/tools/{killat,everycall,hostdiff}
	F=$(mktemp -d /dev/shm/sysboxup-registration-XXXXXX)	# no disk: what is tried is the order, not the durability
	export F W=$F UP=$SYSBOXUP_BUILD/sysboxup TOOLS=$SYSBOXUP_BUILD/tools
	. "$REPO/tests/lib/image.bash"
	. "$REPO/tests/lib/dpkgtree.bash"
	dpkgtree_stage
	# each begins where the one before ends
	cp -a "$F/tree" "$F/files"
	R=$F/files bake unregistered
	cp -a "$F/files" "$F/registered"
	R=$F/registered bake old
	cp -a "$F/registered" "$F/forgotten"
	R=$F/forgotten bake unregistered
	mkdir "$F/root"
}

teardown_file() {
	rm -rf --one-file-system "$F"
}

setup() {
	. "$REPO/tests/lib/points.bash"
	. "$REPO/tests/lib/everycall.bash"
	. "$REPO/tests/lib/image.bash"
	. "$REPO/tests/lib/dpkgtree.bash"
	R=$F/root TOTAL=0
}

# Without gpg, whose failures are not ours, where calls fail.
@test "registered, forgotten and registered again, killed and failed at calls of ours: as before or as after" {
	each files "kill/40 tear/40" -- --profile "$F/old.json" -q apply "${IMAGE_FORCE[@]}"
	each registered "kill/9 tear/9 ENOSPC/18 EIO/45" -- -q rollback 2
	each forgotten "kill/9 tear/9 ENOSPC/18 EIO/45" -- -q rollback 3
	points registration "$TOTAL"
}

# torn START:  as a kill leaves it when dpkg's status had just been written, in front of the commit.
torn() {
	local at
	rm -rf --one-file-system "$R"
	cp -a "$1" "$R"
	"$TOOLS/killat" --log "$F/log" -- "$UP" --root "$R" --profile "$F/old.json" -q apply "${IMAGE_FORCE[@]}"
	# what waits makes more or fewer calls each time: they are not counted
	at=$(awk '$5 ~ /K/ { k++ } $4 ~ /^renameat/ && $6 ~ /dpkg\/status$/ { n = k } END { print n + 1 }' "$F/log")
	rm -rf --one-file-system "$R"
	cp -a "$1" "$R"
	run -137 "$TOOLS/killat" --exact --at "$at" kill -- "$UP" --root "$R" --profile "$F/old.json" -q apply "${IMAGE_FORCE[@]}"
	[[ $(dpkg_in "$R" -s sysbox-ce) == *"Status: install ok installed"* ]]
}

@test "behind a kill dpkg purges it: recover is done; dpkg is interrupted: recover says so and is done when that is over" {
	# what a removal had left of it before
	cp -a "$F/files" "$F/removed"
	printf 'Package: sysbox-ce\nStatus: deinstall ok config-files\nMaintainer: x\nArchitecture: %s\nVersion: 0.6.7\nDescription: x\n\n' \
		"$(dpkg --print-architecture)" >>"$F/removed/var/lib/dpkg/status"
	echo /etc/sysbox-old.conf >"$F/removed/var/lib/dpkg/info/sysbox-ce.list"
	torn "$F/removed"
	printf '#!/bin/sh\nexit 0\n' | tee "$R"/var/lib/dpkg/info/sysbox-ce.{prerm,postrm} >/dev/null
	dpkg_in "$R" --purge sysbox-ce >/dev/null
	run -0 "$UP" --root "$R" recover
	[[ $output == *"what dpkg has of package 'sysbox-ce' was changed by somebody else and stays"* ]]
	run ! dpkg_in "$R" -s sysbox-ce
	run -0 "$UP" --root "$R" recover
	torn "$F/files"
	echo interrupted >"$R/var/lib/dpkg/updates/0001"
	run -5 "$UP" --root "$R" recover
	[[ $output == *"dpkg was interrupted: '/var/lib/dpkg/updates' is not empty"*"dpkg --configure -a, then sysboxup recover"* ]]
	rm "$R/var/lib/dpkg/updates/0001"
	run -0 "$UP" --root "$R" recover
	cmp "$F/files/var/lib/dpkg/status" "$R/var/lib/dpkg/status"
	diff -r "$F/files/var/lib/dpkg/info" "$R/var/lib/dpkg/info"
	[ ! -e "$R/var/lib/dpkg/lock-frontend" ]
}
