#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The programs of others that we call, and that our children call, let us down at a chosen call: they fail, die, hang, fail
# or hang when all is done, die with half of it done. Whatever they do, the run ends by itself, says so, and the host is
# before or after; nothing of ours is left running. On a whole host; the real tools behind stand-ins (tests/tools/meddle.c),
# the deadlines by a clock that flies while somebody hangs (tests/tools/preload/haste.c), the program as released. Some
# calls here; every one in `make check-meddle`.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup" "$SYSBOXUP_BUILD"/tools/{ask,killat,hostdiff,meddle,meddled,haste.so}
	. "$REPO/tests/lib/install.bash"
	BUILD=$SYSBOXUP_BUILD install_prepare "$BATS_FILE_TMPDIR" 0.7.0
}

setup() {
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/install.bash"
	. "$REPO/tests/lib/points.bash"
	. "$BATS_TEST_DIRNAME/livehost.bash"
	G=meddle-$BATS_TEST_NUMBER-$$ TOTAL=0
	AFTERWARDS=: SWALLOWED=false JUDGE=() CALLS=''
	APPLY=(apply --force container) ROLLBACK=(rollback)
}

teardown() {
	guest_destroy "$G"
}

# put_before STAND-IN TOOL...: it stands before them, in a guest that is up.
put_before() {
	local file
	guest_run "$G" mkdir -p /srv/meddle/real
	for file in meddle meddled killat haste.so; do guest_put "$G" "$SYSBOXUP_BUILD/tools/$file" "/srv/meddle/$file"; done
	guest_run "$G" bash -euc '
		touch /srv/meddle/hangs
		for tool in "${@:2}"; do
			path=$(readlink -f "$(command -v "$tool")")
			cp -a "$path" "/srv/meddle/real/$tool"
			mount --bind "/srv/meddle/$1" "$path"
		done' put "$@"
}

# meddled PLAN VERB...: a run with PLAN in place; $rc, $said.
meddled() {
	rc=0
	guest_run "$G" sh -c 'rm -f /srv/meddle/calls; echo "$1" >/srv/meddle/plan' sh "$1"
	said=$(guest_run "$G" timeout -k 5 600 env LD_PRELOAD=/srv/meddle/haste.so HASTE=/srv/meddle/hangs \
		/usr/bin/sysboxup --profile /srv/demo/profile.json -q "${@:2}" </dev/null 2>&1) || rc=$?
	guest_run "$G" mv /srv/meddle/plan /srv/meddle/plan.last
}

# sample HOW COUNT: so many of the calls that $CALLS matches, evenly spread; or "all". Half of its work does only what does
# something.
sample() {
	guest_run "$G" sh -c 'cd /srv/meddle
		if [ "$1" = half ]; then grep -l K log.* | cut -d. -f2 | sort -n; else grep -n -e "$2" learned | cut -d: -f1; fi' \
		sh "$1" "$CALLS" | awk -v want="$2" -v every="${SYSBOXUP_EVERY:-}" '
		{ call[NR] = $1 }
		END {
			if (every || want == "all" || want + 0 > NR)
				want = NR
			for (i = 0; i < want; i++)
				print call[int((i + 0.5) * NR / want) + 1]
		}'
}

# learn STATE VERB...: the calls of an untouched run, and what they call. The host is then in STATE again.
learn() {
	guest_run "$G" sh -c 'rm -f /srv/meddle/log.*'
	meddled "0 trace" "${@:2}"
	[ "$rc" -eq 0 ] || { why="untouched, exit $rc: $said"; return 1; }
	guest_run "$G" cp /srv/meddle/calls /srv/meddle/learned
	[ "$1" != before ] || live_keep after
	live_settle "$1" "${JUDGE[@]}"
}

# one_point STATE HOW N VERB...
one_point() {
	local state=$1 how=$2 n=$3 ended=after at=
	[ "$state" = before ] || ended=before
	[ "$how" != half ] ||
		at=$(guest_run "$G" awk '$5 ~ /K/ { call[++i] = $1 } END { print call[int(i / 2) + 1] }' "/srv/meddle/log.$n")
	meddled "$n $how $at" "${@:4}"
	$AFTERWARDS
	live_judge "$rc" "$said" "$state" "$ended" "${JUDGE[@]}" ||
		{ [ "$rc-$state" = 0-before ] && $SWALLOWED "$state" "$said"; } || return 1
	TOTAL=$((TOTAL + 1))
}

# each STATE "HOW/COUNT..." VERB...
each() {
	learn "$1" "${@:3}" || { echo "$why"; return 1; }
	learned "$@"
}

# learned STATE "HOW/COUNT..." VERB...: the same, of calls that are known.
learned() {
	local state=$1 modes=$2 mode n tried
	shift 2
	for mode in $modes; do
		tried=$TOTAL
		for n in $(sample "${mode%/*}" "${mode#*/}"); do
			one_point "$state" "${mode%/*}" "$n" "$@" || {
				echo "$* from $state, ${mode%/*} at call $n: $(guest_run "$G" sed -n "${n}p" /srv/meddle/calls): $why"
				return 1
			}
		done
		echo "# $* from $state: ${mode%/*}${CALLS:+ at $CALLS}: $((TOTAL - tried)) calls" >&3
	done
}

TOOLS=(dpkg dpkg-deb apt-get apt-config apt-mark systemctl)

@test "by deb: whatever dpkg, apt and systemctl do at a call of apply or rollback, the host ends before or after" {
	SWALLOWED=live_swallowed
	live_boot "$G" deb "$BATS_FILE_TMPDIR"
	put_before meddle "${TOOLS[@]}"
	live_keep before
	each before "${MEDDLE_MODES:-fail/2 die/1 hang/2 undone/1 stuck/1 half/1}" "${APPLY[@]}"
	# it makes a directory of its own, here in ours
	one_point before undone "$(call_of '^apt-get .*download-only')" "${APPLY[@]}" || { echo "$why"; false; }
	[ "$rc" -eq 3 ]
	# no script minds that, and no purge would take the link away
	one_point before undone "$(call_of 'preset-mode=enable-only.*sysbox.service')" "${APPLY[@]}" || { echo "$why"; false; }
	[ "$rc" -eq 1 ] && [[ $said == *"keeps no note of it: systemctl failed in a script"* ]]
	live_apply
	each after "${MEDDLE_MODES:-fail/1 hang/1 undone/1 half/1}" "${ROLLBACK[@]}"
	points meddle-deb "$TOTAL"
}

@test "by files: whatever systemctl does at a call of apply or rollback, the host ends before or after" {
	live_boot "$G" files "$BATS_FILE_TMPDIR"
	put_before meddle systemctl
	live_keep before
	each before "${MEDDLE_MODES:-fail/2 die/1 hang/1 undone/1 stuck/1 half/1}" "${APPLY[@]}"
	live_apply
	each after "${MEDDLE_MODES:-fail/1 hang/1 undone/1}" "${ROLLBACK[@]}"
	points meddle-files "$TOTAL"
}

# asked PLAN SECONDS: dpkg four times with PLAN in place; how often and how it worked.
asked() {
	guest_run "$G" sh -c 'rm -f /srv/meddle/calls; echo "$1" >/srv/meddle/plan
		for i in 1 2 3 4; do timeout -s KILL "$2" dpkg --print-architecture 2>/dev/null; echo $?; done
		rm /srv/meddle/plan' sh "$@" | xargs
}

@test "control: a stand-in lets down the call that was chosen, as was chosen, and no other; time flies only while it hangs" {
	guest_boot "$G" bookworm
	put_before meddle dpkg
	[ "$(asked "9 fail" 60)" = "amd64 0 amd64 0 amd64 0 amd64 0" ]
	[ "$(asked "2 fail" 60)" = "amd64 0 1 amd64 0 amd64 0" ]
	[ "$(asked "3 undone" 60)" = "amd64 0 amd64 0 amd64 1 amd64 0" ]
	[ "$(asked "1 die" 60)" = "137 amd64 0 amd64 0 amd64 0" ]
	[ "$(asked "4 half 1" 60)" = "amd64 0 amd64 0 amd64 0 137" ]
	[ "$(asked "2 stuck" 15)" = "amd64 0 amd64 137 amd64 0 amd64 0" ]
	# A wait of a day, with nothing that hangs and with something.
	guest_run "$G" sh -c '! LD_PRELOAD=/srv/meddle/haste.so HASTE=/srv/meddle/hangs timeout 1 sleep 86400'
	guest_run "$G" flock /srv/meddle/hangs env LD_PRELOAD=/srv/meddle/haste.so HASTE=/srv/meddle/hangs timeout 60 sleep 86400
}

# call_of PATTERN: the number of the first such call.
call_of() {
	guest_run "$G" grep -n -m 1 -e "$1" /srv/meddle/learned | cut -d: -f1
}

@test "deb-systemd-helper fails, which no script minds: apply sees that Sysbox would not start, rollback leaves nothing" {
	live_boot "$G" deb "$BATS_FILE_TMPDIR"
	put_before meddle deb-systemd-helper
	live_keep before
	learn before "${APPLY[@]}" || { echo "$why"; false; }
	one_point before fail "$(call_of '^deb-systemd-helper enable sysbox.service')" "${APPLY[@]}" || { echo "$why"; false; }
	[ "$rc" -eq 1 ]
	[[ $said == *"1 proof failed"* ]]
	live_apply
	learn after "${ROLLBACK[@]}" || { echo "$why"; false; }
	one_point after fail "$(call_of '^deb-systemd-helper purge .*sysbox')" "${ROLLBACK[@]}" || { echo "$why"; false; }
	[ "$rc" -eq 0 ]
}

# ---- dockerd ----

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
