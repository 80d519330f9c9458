#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# apply --confirm-within and confirm on a host with systemd and Docker: the timer, the boot, the login. Killed at every
# call: tests/crash/pending.bats.
# shellcheck disable=SC2016 # what is quoted is for the shell in the guest
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	# shellcheck source=tests/lib/install.bash
	. "$REPO/tests/lib/install.bash"
	export G=confirm-$$
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults}
	BUILD=$SYSBOXUP_BUILD install_prepare "$BATS_FILE_TMPDIR" 0.7.0
	guest_boot "$G"
	install_into "$G" "$BATS_FILE_TMPDIR"
	guest_put "$G" "$SYSBOXUP_BUILD/sysboxup-faults" /usr/local/bin/sysboxup-faults
	in_guest sh -c 'systemctl daemon-reload; mkdir -p /etc/docker /srv/demo
		echo "{ \"log-level\": \"warn\" }" >/etc/docker/daemon.json; systemctl restart docker
		echo "{ \"docker\": { \"settings\": { \"live-restore\": true } } }" >/srv/demo/small.json'
}

teardown_file() {
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	guest_destroy "$G"
}

in_guest() {
	guest_run "$G" "$@"
}

setup() {
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	in_guest stat -c '%a %U %Y %i' /etc/docker/daemon.json >"$BATS_TEST_TMPDIR/before"
	in_guest cat /etc/docker/daemon.json >>"$BATS_TEST_TMPDIR/before"
}

teardown() {
	in_guest sh -c '[ ! -e /var/lib/sysboxup/unfinished ] || { sysboxup -q confirm --same-session && sysboxup -q rollback; }'
}

apply() {
	in_guest sysboxup --profile /srv/demo/small.json -q apply "$@"
}

# A login of its own, as far as there are any in a container: setsid(2).
confirm() {
	in_guest setsid -w sysboxup confirm "$@"
}

live_restore() {
	[ "$(in_guest docker info --format '{{.LiveRestoreEnabled}}')" = "$1" ]
}

pending() {
	run -7 in_guest sysboxup status
	[[ $output == *"waits to be confirmed"* ]]
}

# undone REASON: the newest transaction is, the old text and inode are there, and nothing ticks.
undone() {
	guest_wait "$G" sh -c '[ "$(systemctl is-active sysboxup-pending.timer)" = inactive ] && [ ! -e /var/lib/sysboxup/unfinished ]'
	run -0 in_guest sysboxup --json history --limit 1
	[[ $output == *'"state":"not confirmed, undone"'* && $output == *"\"reason\":\"$1"* ]]
	in_guest stat -c '%a %U %Y %i' /etc/docker/daemon.json >"$BATS_TEST_TMPDIR/now"
	in_guest cat /etc/docker/daemon.json >>"$BATS_TEST_TMPDIR/now"
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/now"
	live_restore false
	run -0 in_guest sysboxup status
}

@test "while it waits nothing holds the lock, every other verb says so with exit 7, and status counts down" {
	run -0 in_guest sysboxup --json --profile /srv/demo/small.json apply --confirm-within 20m
	[[ $output == *'{"event":"pending","id":'*'"seconds_left":1'*'"confirm_within":1200}'* ]]
	live_restore true
	pending
	for verb in "plan" "apply" "rollback" "recover" "uninstall" "verify" "forget" "apply --confirm-within 9s"; do
		# shellcheck disable=SC2086 # words
		run -7 in_guest sysboxup --profile /srv/demo/small.json $verb
		[[ $output == *"waits to be confirmed, for "*"sysboxup confirm"* ]]
	done
	run -0 in_guest systemctl is-active sysboxup-pending.timer
	confirm --same-session
	in_guest sysboxup -q rollback
}

@test "confirmed from a new login it stays, over a boot, and rollback takes it back" {
	apply --confirm-within 20m
	run -0 confirm
	[[ $output == *"is confirmed, and stays"* ]]
	guest_wait "$G" sh -c '[ "$(systemctl is-active sysboxup-pending.timer)" = inactive ]'
	run -0 in_guest sysboxup status
	guest_reboot "$G"
	live_restore true
	run -0 in_guest sysboxup --json history --limit 1
	[[ $output == *'"state":"committed"'* ]]
	in_guest sysboxup -q rollback
	live_restore false
}

@test "it is not confirmed from the login that applied it, nor from one that began before" {
	run -3 in_guest setsid -w sh -c 'sysboxup --profile /srv/demo/small.json -q apply --confirm-within 20m && sysboxup confirm'
	[[ $output == *"this is the login that applied transaction"*"--same-session"* ]]
	confirm --same-session
	in_guest sysboxup -q rollback
	# Older: it waits at a pipe until another one has applied.
	in_guest sh -c 'mkfifo /run/go; setsid sh -c "echo x >/run/began; read x </run/go; sysboxup confirm >/run/said 2>&1; echo \$? >/run/rc" &
		until [ -e /run/began ]; do :; done; sysboxup --profile /srv/demo/small.json -q apply --confirm-within 20m; echo go >/run/go; wait'
	[ "$(in_guest cat /run/rc)" = 3 ]
	[[ $(in_guest cat /run/said) == *"this login began before transaction"* ]]
	confirm
	in_guest sysboxup -q rollback
}

@test "nobody confirms: the old state is back by itself, Docker has taken it up, and nothing ticks any more" {
	apply --confirm-within 2s
	undone "not confirmed within 2 s"
	run -7 confirm
	[[ $output == *"too late: transaction "*" was not confirmed within 2 s, and is undone"* ]]
	run -0 in_guest sh -c 'journalctl --sync; journalctl -q --no-pager -u sysboxup-pending.service'
	[[ $output == *"was not confirmed within 2 s: undoing it"* && $output != *"Starting"* ]]
}

# Docker is newer than daemon.json by more than a second: then each run makes the same calls (recover-boot.bats).
read_by_docker() {
	in_guest sh -c 'until [ "$(date +%s)" -gt $(($(stat -c %Z /etc/docker/daemon.json) + 2)) ]; do :; done
		systemctl reset-failed docker docker.socket; systemctl restart docker'
}

@test "apply and its parent die with daemon.json in place: a tick undoes it, long before a boot or a person does" {
	local at
	read_by_docker
	in_guest env SYSBOXUP_FAULT=log:/run/calls sysboxup-faults --profile /srv/demo/small.json -q apply --confirm-within 20m
	confirm
	in_guest sysboxup -q rollback
	read_by_docker
	at=$(in_guest awk '$2 == "exchange" && /daemon\.json/ { n = $1 } END { print n }' /run/calls)
	run -137 in_guest env SYSBOXUP_FAULT="die-after:$at" SYSBOXUP_FAULT_ALONE=1 \
		sysboxup-faults --profile /srv/demo/small.json -q apply --confirm-within 20m
	guest_wait "$G" sh -c '[ ! -e /var/lib/sysboxup/unfinished ] && ! grep -q live-restore /etc/docker/daemon.json'
	live_restore false
}

@test "the host is killed while it waits: the next boot undoes it before Docker starts" {
	apply --confirm-within 20m
	guest_kill "$G"
	guest_reboot "$G"
	undone "not confirmed before the next boot"
	[ "$(in_guest systemctl show -P ExecMainStartTimestampMonotonic docker.service)" -gt \
		"$(in_guest systemctl show -P ExecMainExitTimestampMonotonic sysboxup-recover.service)" ]
}

@test "somebody edits the file meanwhile: their keys stay, ours go, and nobody is asked" {
	in_guest sh -ec 'sysboxup --profile /srv/demo/small.json -q apply --confirm-within 15s
		echo "{ \"log-level\": \"warn\", \"live-restore\": true, \"labels\": [\"a=theirs\"] }" >/etc/docker/daemon.json'
	guest_wait "$G" sh -c '[ ! -e /var/lib/sysboxup/unfinished ]'
	run -0 in_guest cat /etc/docker/daemon.json
	[ "$output" = '{ "log-level": "warn", "labels": ["a=theirs"] }' ]
	in_guest sh -c 'echo "{ \"log-level\": \"warn\" }" >/etc/docker/daemon.json; systemctl reset-failed docker; systemctl restart docker'
}

@test "what cannot be undone is tried once: the unit has failed, status says why, recover does it when the cause is gone" {
	in_guest sh -ec 'sysboxup --profile /srv/demo/small.json -q apply --confirm-within 15s; chattr +i /etc/docker'
	guest_wait "$G" sh -c '[ "$(systemctl is-active sysboxup-pending.timer sysboxup-pending.service | xargs)" = "inactive failed" ]'
	run -5 in_guest sysboxup status
	[[ $output == *"could not be rolled back"* ]]
	in_guest chattr -i /etc/docker
	run -0 in_guest sysboxup -q recover
	in_guest systemctl reset-failed sysboxup-pending.service
	undone "not confirmed within 15 s"
}

@test "where the timer is not installed nothing is begun" {
	in_guest sh -c 'mv /usr/lib/systemd/system/sysboxup-pending.timer /run/ && systemctl daemon-reload'
	run -3 apply --confirm-within 9s
	in_guest sh -c 'mv /run/sysboxup-pending.timer /usr/lib/systemd/system/ && systemctl daemon-reload'
	[[ $output == *"sysboxup-pending.timer"* ]]
	diff <(in_guest sh -c 'stat -c "%a %U %Y %i" /etc/docker/daemon.json; cat /etc/docker/daemon.json') "$BATS_TEST_TMPDIR/before"
}
