#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The verbs that change something without being a transaction, `fetch`, `seal --fix` and `ci --out`, killed, torn and failed at their calls
# (SYSBOXUP_EVERY=1 tries them all): what they are about is done, or not yet, nothing else is touched, what was acknowledged is there,
# and the same again ends it. (`cert`: crash/cert.bats; `forget`: history.bats; `firewall`: firewall.bats.)
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults} "$SYSBOXUP_BUILD/tools/hostdiff"
	. "$REPO/tests/lib/image.bash"
	image_stage "$BATS_FILE_TMPDIR"
}

setup() {
	. "$REPO/tests/lib/image.bash"
	. "$REPO/tests/lib/points.bash"
	. "$REPO/tests/lib/hit.bash"
	hit_setup 10
	F=$BATS_FILE_TMPDIR FROM=$BATS_FILE_TMPDIR/image
}

up() {
	"$SYSBOXUP" --root "$R" -q "$@" >/dev/null
}

# synced DIR WORD...: what is done already may be so by one who was killed before it was durable. So sysboxup WORD... syncs it once more.
synced() {
	local dir=$1
	shift
	rm -f "$T/log"
	SYSBOXUP_FAULT=log:$T/log "$SYSBOXUP-faults" --root "$R" -q "$@" >/dev/null
	grep -qx "[0-9]* fsync $R$dir" "$T/log" || { cat "$T/log"; false; }
}

# ---- fetch ----

# cached: the cache has the package, whole, and nothing else.
cached() {
	[ "$(ls -A "$R/var/lib/sysboxup/cache")" = "$SHA" ] && cmp "$R/var/lib/sysboxup/cache/$SHA" "$F/sysbox-ce.deb"
}

fetched() {
	image_snap "$R" | cmp - "$T/before" || return 1
	[ "$STATUS" -ne 0 ] || cached || return 1
	up --profile "$F/catalog/profile.json" fetch && cached && image_snap "$R" | cmp - "$T/before"
}

@test "fetch, hit at its calls: the cache has the package or not, the next one gets it, nothing of it stays elsewhere" {
	SHA=$(sha256sum <"$F/sysbox-ce.deb" | cut -d ' ' -f 1)
	again
	image_snap "$R" >"$T/before"
	hit verb-fetch fetched --profile "$F/catalog/profile.json" fetch
	synced /var/lib/sysboxup/cache --profile "$F/catalog/profile.json" fetch
	# control: what is not whole, or more than that, is seen
	truncate -s -1 "$R/var/lib/sysboxup/cache/$SHA"
	run ! cached
	up --profile "$F/catalog/profile.json" fetch
	touch "$R/var/lib/sysboxup/cache/$SHA.part"
	run ! cached
}

# ---- seal ----

# What is the same in every clone, and goes.
readonly SHARED='etc/docker/key\.json|etc/ssh/ssh_host_.*|var/lib/docker/(engine-id|swarm/certificates(/.*)?)|var/lib/dbus/machine-id'

lived_in() {
	cp -a "$F/image" "$FROM"
	mkdir -p "$FROM"/var/lib/{docker/swarm/certificates,dbus} "$FROM/etc/ssh"
	echo 7d4e7f2c-0000-4000-8000-000000000001 >"$FROM/var/lib/docker/engine-id"
	echo '{ "kty": "EC", "d": "secret" }' >"$FROM/etc/docker/key.json"
	echo key | tee "$FROM"/var/lib/docker/swarm/certificates/swarm-{node,root}.key >/dev/null
	echo 0123456789abcdef0123456789abcdef | tee "$FROM/etc/machine-id" >"$FROM/var/lib/dbus/machine-id"
	touch "$FROM"/etc/ssh/ssh_host_{rsa,ed25519}_key{,.pub} "$FROM/etc/ssh/sshd_config"
}

# others: everything in it that is not to go, as hostdiff sees it; what is to be emptied is old or empty,
# and its temporary may be left, to go with the next run.
others() {
	image_snap "$R" | grep -vE "^/?($SHARED|etc|etc/(docker|ssh|machine-id|\.machine-id\.tmp)|var/lib/(docker|docker/swarm|dbus))	"
	[ ! -s "$R/etc/machine-id" ] || cmp -s "$R/etc/machine-id" "$FROM/etc/machine-id" || echo "a torn machine-id"
}

sealed() {
	others | cmp - "$T/others" || return 1
	[ "$STATUS" -ne 0 ] || up seal || return 1
	up seal --fix && up seal && image_snap "$R" | cut -f1-6,8- | cmp - "$T/after"
}

@test "seal --fix, hit at each call: each thing is there or gone, nothing else is, and the same again ends it" {
	FROM=$T/from STEP=1 FAULTS="die-before:N tear:N fail:N:EIO"
	lived_in
	again
	run -7 "$SYSBOXUP" --root "$R" seal
	others >"$T/others"
	up seal --fix
	image_snap "$R" | cut -f1-6,8- >"$T/after"
	hit verb-seal sealed seal --fix
	synced /etc/ssh seal --fix
	# control: what is torn, or else goes, is seen
	STATUS=1
	again
	sealed
	again
	truncate -s 10 "$R/etc/machine-id"
	run ! sealed
	again
	rm "$R/etc/ssh/sshd_config"
	run ! sealed
}

# ---- ci --out ----

written() {
	[ ! -e "$R/override.yaml" ] || cmp "$R/override.yaml" "$T/wanted" || return 1
	[ "$STATUS" -ne 0 ] || [ -e "$R/override.yaml" ] || return 1
	[ -e "$R/override.yaml" ] || up ci --for gitlab-runner --way sysbox --out "$R/override.yaml" || return 1
	cmp "$R/override.yaml" "$T/wanted" && [ ! -e "$R/.override.yaml.sysboxup-new" ]
}

@test "ci --out, hit at each call: the file is there whole or not at all, and the same again ends it" {
	STEP=1
	again
	up ci --for gitlab-runner --way sysbox --out "$T/wanted"
	hit verb-ci written ci --for gitlab-runner --way sysbox --out "$R/override.yaml"
	# control: half of it is seen
	STATUS=1
	truncate -s -1 "$R/override.yaml"
	run ! written
}
