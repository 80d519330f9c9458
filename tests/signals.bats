#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What happens around a run does not leave it half done: readers that go away, output that is closed, ^C and a lost
# terminal while dpkg works. tests/crash/signals.bats sends signals before every call.
bats_require_minimum_version 1.5.0

load_libs() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	BUILT=${SYSBOXUP_BUILD:-$REPO/build}
	export SYSBOXUP_BUILD=$BUILT
	. "$REPO/tests/lib/image.bash"
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/install.bash"
}

setup_file() {
	export GUEST_DOCKER=--iptables=false
	load_libs
	make -s -C "$REPO" BUILD="$BUILT" "$BUILT"/sysboxup{,-faults}
	make -s -C "$REPO/tests/tools"
	image_make "$BATS_FILE_TMPDIR/image"
	echo '{ "docker": { "settings": { "live-restore": true, "debug": null } } }' >"$BATS_FILE_TMPDIR/small.json"
	BUILD=$BUILT install_prepare "$BATS_FILE_TMPDIR"
	guest_boot signals
	install_into signals "$BATS_FILE_TMPDIR"
	guest_put signals "$REPO/build/tools/sigat" /usr/local/bin/sigat
	guest_run signals systemctl daemon-reload
}

teardown_file() {
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
	guest_destroy signals
}

setup() {
	load_libs
	UP=$BUILT/sysboxup R=$BATS_TEST_TMPDIR/root PROFILE=$BATS_FILE_TMPDIR/small.json
	cp -a "$BATS_FILE_TMPDIR/image" "$R"
}

applied() {
	[ "$(jq -c . "$R/etc/docker/daemon.json")" = '{"labels":["a","b"],"live-restore":true}' ]
	run -0 "$UP" --root "$R" -q status
}

@test "a reader that leaves after the first line does not stop apply" {
	"$UP" --root "$R" --profile "$PROFILE" apply 2>&1 | head -n 1
	[ "${PIPESTATUS[0]}" -eq 0 ]
	applied
}

@test "nobody reads at all: apply does its work" {
	"$UP" --root "$R" --profile "$PROFILE" --json --verbose apply 2>&1 | true
	[ "${PIPESTATUS[0]}" -eq 0 ]
	applied
}

@test "closed input and output: nothing meant for a person ends up in a file" {
	local how n
	for how in '>&-' '2>&-' '<&-' '>&- 2>&-' '<&- >&- 2>&-'; do
		rm -rf "$R"
		cp -a "$BATS_FILE_TMPDIR/image" "$R"
		eval '"$UP" --root "$R" --profile "$PROFILE" --verbose apply >"$BATS_TEST_TMPDIR/out" 2>&1 '"$how"
		applied
		run ! grep -rlE 'Changes|daemon.json  |Done: transaction' "$R/etc" "$R/var/lib/sysboxup"
	done
	# what was closed leads nowhere, instead of to the first file that is opened
	"$BUILT/sysboxup" --root "$R" --json rollback <&- >&- 2>&-
	rm -rf "$R"
	cp -a "$BATS_FILE_TMPDIR/image" "$R"
	SYSBOXUP_FAULT=stop-before:20 "$BUILT/sysboxup-faults" --root "$R" --profile "$PROFILE" apply <&- >&- 2>&- 3>&- &
	local worker
	until worker=$(pgrep -P $!) && [ "$(sed 's/.*) //; s/ .*//' "/proc/$worker/stat")" = T ]; do sleep 0.01; done
	for n in 0 1 2; do
		[ "$(readlink "/proc/$worker/fd/$n")" = /dev/null ]
	done
	kill -CONT "$worker"
	wait $!
	applied
}

@test "a full disk behind stdout is told by a run that only looks, and never stops one that works" {
	"$UP" --root "$R" --profile "$PROFILE" apply >/dev/full
	applied
	run bash -c '"$1" --root "$2" history >/dev/full' sh "$UP" "$R"
	[ "$status" -eq 1 ]
}

# ---- while dpkg works, in a guest ----

snap() {
	guest_snap signals --skip /var/lib/sysboxup --skip /root >"$BATS_TEST_TMPDIR/$1"
}

as_before() {
	snap after
	"$REPO/build/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after" --ours /etc/docker
	run ! guest_run signals pgrep -x 'dpkg|systemctl|apt-get'
	run -0 guest_run signals dpkg --audit
	[ -z "$output" ]
	guest_run signals docker version >/dev/null
}

# during HOW...: apply by dpkg, with HOW as soon as dpkg has unpacked the package.
during() {
	guest_run signals sigat -w /var/lib/dpkg/info/sysbox-ce.list "$@" -- \
		sysboxup apply --force container --profile /srv/demo/profile.json >"$BATS_TEST_TMPDIR/out" 2>&1
}

@test "^C in a terminal while dpkg works: dpkg ends its work, then all of it is undone" {
	snap before
	run -1 during intr
	run ! guest_run signals dpkg-query -W sysbox-ce
	as_before
	run -0 guest_run signals sysboxup --json history
	[[ $output == *'"state":"failed, undone"'* || $output == *'"state": "failed, undone"'* ]]
}

@test "SIGTERM forty times while dpkg works: undone, once" {
	snap before
	run -1 during -n 40 first:TERM
	grep -q "stopped by SIGTERM" "$BATS_TEST_TMPDIR/out"
	as_before
}

@test "^C and then SIGTERM to the whole group: dpkg is not hit" {
	snap before
	run -1 during -n 5 group:INT
	run ! grep -E 'killed by|dpkg.*failed' "$BATS_TEST_TMPDIR/out"
	as_before
}

@test "the terminal goes away while dpkg works: the run goes on to its end" {
	during hangup
	run ! grep -q "too late" "$BATS_TEST_TMPDIR/out"
	run -0 guest_run signals sysboxup -q status
	run -0 guest_run signals sysboxup -q verify
	guest_run signals sysboxup -q rollback
}
