#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# As meddle.bats: dockerd lets us down at a reload, at a restart, or in what its API says. The real one behind a stand-in
# (tests/tools/meddled.c). Some calls here; every one in `make check-meddle`.
bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/meddle.bash"

# docker_before SETTINGS: the stand-in is the daemon, containers outlive it, and these are the settings to come.
docker_before() {
	live_boot "$G" deb "$BATS_FILE_TMPDIR"
	put_before meddled dockerd
	guest_run "$G" bash -euc '
		echo "{ \"live-restore\": true }" >/etc/docker/daemon.json
		mkdir -p /run/systemd/system/docker.service.d
		printf "[Service]\nNotifyAccess=all\n" >/run/systemd/system/docker.service.d/stand-in.conf
		echo "{ \"version\": 1, \"docker\": { \"settings\": $1 } }" >/srv/demo/profile.json
		systemctl daemon-reload
		systemctl restart docker
		docker start one two' before "$1" >/dev/null
	live_keep before
	JUDGE=(--reborn) AFTERWARDS=docker_back
}

# Whoever is there now mends what is down: one who is stopped goes on, one that ended too often may start.
docker_back() {
	guest_run "$G" sh -c 'systemctl kill --kill-who=main --signal USR2 docker.service
		systemctl reset-failed docker.service docker.socket
		systemctl start docker.socket docker.service' >/dev/null 2>&1
	guest_wait "$G" docker version
}

# reload_and_answers STATE RELOADS ANSWERS VERB...: what it does at a reload, and what its API says to whoever asks.
reload_and_answers() {
	local TOTAL=0
	learn "$1" "${@:4}" || { echo "$why"; return 1; }
	CALLS=SIGHUP learned "$1" "$2" "${@:4}" || return 1
	RELOADS=$((RELOADS + TOTAL)) TOTAL=0
	CALLS=/ learned "$1" "$3" "${@:4}" || return 1
	ANSWERS=$((ANSWERS + TOTAL))
}

@test "dockerd dies, hangs or lies at a reload, takes it up and dies, or late, or its API answers wrongly or not at all: the host ends before or after" {
	local RELOADS=0 ANSWERS=0
	docker_before '{ "max-concurrent-downloads": 5 }'
	reload_and_answers before "fail/all die/all hang/all undone/all stuck/all late/all" "fail/1 die/1 hang/1 undone/1 lie/1" "${APPLY[@]}"
	live_apply
	reload_and_answers after "fail/all die/1 hang/all undone/1 stuck/1 late/1" "fail/1 lie/1" "${ROLLBACK[@]}"
	points meddle-reload "$RELOADS"
	points meddle-api "$ANSWERS"
}

@test "dockerd does not come up from a restart, or hangs, or comes up and dies: the host ends before or after" {
	CALLS=START LIVE_OPTIONS=(--allow-restart)
	APPLY+=(--allow-restart) ROLLBACK+=(--allow-restart)
	docker_before '{ "log-driver": "local" }'
	each before "fail/all die/all hang/all undone/all" "${APPLY[@]}"
	live_apply
	each after "fail/all die/all hang/all undone/all" "${ROLLBACK[@]}"
	points meddle-restart "$TOTAL"
}
