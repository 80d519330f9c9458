#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Restarts of Docker that wait: --when-idle, and the hooks around them, on a host with systemd and Docker.
# shellcheck disable=SC2016 # what is quoted is for the shell in the guest
bats_require_minimum_version 1.5.0

setup_file() {
	export GUEST_DOCKER=--iptables=false
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	# shellcheck source=tests/lib/install.bash
	. "$REPO/tests/lib/install.bash"
	export G=whenidle-$$
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults}
	BUILD=$SYSBOXUP_BUILD install_prepare "$BATS_FILE_TMPDIR" 0.7.0
	guest_boot "$G" bookworm
	install_into "$G" "$BATS_FILE_TMPDIR"
	guest_put "$G" "$SYSBOXUP_BUILD/sysboxup-faults" /usr/local/bin/sysboxup-faults
}

teardown_file() {
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	guest_destroy "$G"
}

setup() {
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	echo '{ "docker": { "settings": { "log-driver": "local" } } }' | in_guest sh -c 'cat >/run/profile.json'
	in_guest mkdir -p /etc/sysboxup/hooks.d/pre-restart /etc/sysboxup/hooks.d/post-restart
}

teardown() {
	in_guest sh -c '
		docker ps -aq | xargs -r docker rm -f >/dev/null
		rm -rf /var/lib/sysboxup /etc/sysboxup /run/profile.json /run/called /run/ready
		[ ! -e /etc/docker/daemon.json ] || { rm /etc/docker/daemon.json; systemctl reset-failed docker; systemctl restart docker; }'
}

in_guest() {
	guest_run "$G" "$@"
}

up() {
	in_guest sysboxup --profile /run/profile.json "$@"
}

daemon() {
	in_guest systemctl show -P MainPID docker
}

driver() {
	in_guest docker info -f '{{.LoggingDriver}}'
}

# hook NAME LINE: a script of root's.
hook() {
	printf '#!/bin/sh\n%s\n' "$2" | in_guest sh -c "cat >/etc/sysboxup/hooks.d/$1 && chmod 0755 /etc/sysboxup/hooks.d/$1"
}

# said WORDS: the run in the background has said them.
said() {
	in_guest timeout 600 sh -c "until grep -qF \"$1\" /run/out; do sleep 0.1; done"
}

# behind COMMAND...: sysboxup in the background, its output in /run/out, its end in /run/code.
behind() {
	in_guest sh -c 'rm -f /run/out /run/code; (sysboxup --profile /run/profile.json "$@"; echo $? >/run/code.new; mv /run/code.new /run/code) </dev/null >/run/out 2>&1 &' sh "$@"
}

ended() {
	in_guest timeout 600 sh -c 'until [ -e /run/code ]; do sleep 0.1; done; cat /run/code'
}

@test "--when-idle waits for a container without restart policy, holds no lock meanwhile, and goes on when it has ended" {
	local pid
	in_guest docker run -d --name service --restart unless-stopped bb:1 sleep 10000
	in_guest docker run -d --name job bb:1 sleep 10000
	pid=$(daemon)
	behind apply --when-idle 10m
	said "waiting to restart Docker: 1 job runs: job"
	[ "$(daemon)" = "$pid" ]
	# others go about their work: a transaction of its own, dpkg, status
	in_guest sh -c 'echo "{ \"docker\": { \"settings\": { \"debug\": true } } }" >/run/other.json'
	in_guest sysboxup --profile /run/other.json -q apply
	in_guest flock -n /var/lib/dpkg/lock-frontend true
	run -0 in_guest sysboxup status
	[ "$(daemon)" = "$pid" ]
	in_guest docker rm -f job
	[ "$(ended)" = 0 ]
	[ "$(driver)" = local ]
	[ "$(daemon)" != "$pid" ]
	[ "$(in_guest docker inspect -f '{{.RestartCount}} {{.State.Running}}' service)" = "0 true" ]
}

@test "an exec in a service and a connected client are jobs too; past the deadline it is exit 3, by name, nothing touched" {
	local pid
	in_guest docker run -d --name service --restart unless-stopped bb:1 sleep 10000
	pid=$(daemon)
	in_guest docker exec -d service sleep 1000
	run -3 up -q apply --when-idle 0
	[[ $output == *"Docker could not be restarted within 0: 1 job runs: an exec in service"*"host: nothing was touched"* ]]
	in_guest docker restart -t 0 service
	in_guest sh -c 'docker events </dev/null >/run/events 2>&1 & echo $! >/run/events.pid'
	in_guest timeout 600 sh -c 'until grep -q " 03 .*docker.sock" /proc/net/unix; do sleep 0.1; done'
	run -3 up -q apply --when-idle 1
	[[ $output == *"could not be restarted within 1: 1 client is connected to '/"*"docker.sock'"* ]]
	in_guest sh -c 'kill $(cat /run/events.pid)'
	[ "$(daemon)" = "$pid" ]
	[ "$(driver)" = json-file ]
	run -0 in_guest sh -c 'ls -A /var/lib/sysboxup/txn; ls /etc/docker/daemon.json 2>/dev/null || true'
	[ -z "$output" ]
	run -0 up -q apply --when-idle 5m
	[ "$(driver)" = local ]
}

@test "hooks of pre-restart decide in place of us, are asked again after 75, and post-restart says how it went: apply, rollback, uninstall" {
	in_guest docker run -d --name job bb:1 sleep 10000
	hook pre-restart/10-drain 'echo "pre $SYSBOXUP_COMMAND" >>/run/called; [ -e /run/ready ] || exit 75'
	hook post-restart/10-resume 'echo "post $SYSBOXUP_COMMAND $SYSBOXUP_RESULT $(docker info -f "{{.LoggingDriver}}")" >>/run/called'
	run -3 up -q apply
	[[ $output == *"Docker has to be restarted, but '/etc/sysboxup/hooks.d/pre-restart/10-drain' says: not now"*"sysboxup apply --when-idle 45m"* ]]
	[ "$(in_guest cat /run/called)" = $'pre apply\npost apply nothing json-file' ]
	in_guest rm /run/called
	behind apply --when-idle 10m
	said "waiting to restart Docker: '/etc/sysboxup/hooks.d/pre-restart/10-drain' says: not now"
	in_guest touch /run/ready
	[ "$(ended)" = 0 ]
	[ "$(in_guest sort -u /run/called)" = $'post apply done local\npre apply' ]
	in_guest rm /run/called
	run -0 in_guest sysboxup -q rollback
	[ "$(in_guest cat /run/called)" = $'pre rollback\npost rollback done json-file' ]
	up -q apply
	in_guest rm /run/called
	run -0 in_guest sysboxup -q uninstall
	[ "$(in_guest cat /run/called)" = $'pre uninstall\npost uninstall done json-file' ]
	[ "$(in_guest docker inspect -f '{{.State.Running}}' job)" = true ]
}

@test "a reload asks no hook; a hook that refuses, or that others could write, is named and nothing is touched" {
	hook pre-restart/no 'echo "not today" >&2; exit 1'
	echo '{ "docker": { "settings": { "debug": true } } }' | in_guest sh -c 'cat >/run/profile.json'
	up -q apply
	echo '{ "docker": { "settings": { "debug": true, "log-driver": "local" } } }' | in_guest sh -c 'cat >/run/profile.json'
	run -3 up -v apply --when-idle 10m
	[[ $output == *"not today"*"'/etc/sysboxup/hooks.d/pre-restart/no' does not agree to a restart of Docker: exit status 1"* ]]
	in_guest chmod o+w /etc/sysboxup/hooks.d/pre-restart/no
	run -3 up -q apply
	[[ $output == *"'/etc/sysboxup/hooks.d/pre-restart/no' is not run: others may write it"* ]]
	[ "$(driver)" = json-file ]
}

@test "a run that is killed around the restart: post-restart is called by who undoes it" {
	in_guest rm -rf /etc/sysboxup/hooks.d/pre-restart
	hook pre-restart 'echo pre >>/run/called; kill -9 $PPID'
	hook post-restart/10 'echo "post $SYSBOXUP_COMMAND $SYSBOXUP_RESULT" >>/run/called'
	run -1 up -q apply
	[[ $output == *"the working process was killed by SIGKILL"* ]]
	[ "$(in_guest cat /run/called)" = $'pre\npost apply undone' ]
	[ "$(driver)" = json-file ]
}

@test "a run that is killed behind its commit, or while what it did waits to be confirmed: post-restart says 'done'" {
	hook post-restart/10 'echo "post $SYSBOXUP_COMMAND $SYSBOXUP_RESULT" >>/run/called'
	run -0 in_guest env SYSBOXUP_FAULT=since:.profile.json.tmp,die-before:1 sysboxup-faults --profile /run/profile.json -q apply
	[[ $output == *"the working process was killed by SIGKILL, but after the commit: it is done"* ]]
	[ "$(in_guest cat /run/called)" = "post apply done" ]
	run -0 in_guest sysboxup -q rollback
	in_guest rm /run/called
	hook post-restart/10 'echo "post $SYSBOXUP_COMMAND $SYSBOXUP_RESULT" >>/run/called; [ -e /run/ready ] || { touch /run/ready; kill -9 $PPID; }'
	run -0 up -q apply --confirm-within 20m
	[[ $output == *"the working process was killed by SIGKILL, but everything is in place"* ]]
	[ "$(in_guest cat /run/called)" = $'post apply done\npost apply done' ]
	in_guest sysboxup -q confirm --same-session
	[ "$(driver)" = local ]
	in_guest sh -c 'sysboxup -q rollback; rm /run/called /run/ready'
	# with its parent: confirm calls it
	hook post-restart/10 'echo "post $SYSBOXUP_COMMAND $SYSBOXUP_RESULT" >>/run/called
		[ -e /run/ready ] || { touch /run/ready; kill -9 "$(cut -d " " -f 4 "/proc/$PPID/stat")" $PPID; }'
	run -137 up -q apply --confirm-within 20m
	[ "$(in_guest cat /run/called)" = "post apply done" ]
	in_guest sysboxup -q confirm --same-session
	[ "$(in_guest cat /run/called)" = $'post apply done\npost apply done' ]
}

@test "uninstall --purge: post-restart is called before the history goes, and when it cannot go, the host is all the same said to be as before sysboxup" {
	hook pre-restart/10 'echo "pre $SYSBOXUP_COMMAND" >>/run/called'
	hook post-restart/10 'echo "post $SYSBOXUP_COMMAND $SYSBOXUP_RESULT $(docker info -f "{{.LoggingDriver}}")" >>/run/called'
	up -q apply
	in_guest sh -c 'rm /run/called; touch /var/lib/sysboxup/cache/kept; chattr +i /var/lib/sysboxup/cache/kept'
	run -1 in_guest sysboxup -q uninstall --purge
	in_guest chattr -i /var/lib/sysboxup/cache/kept
	[[ $output == *"everything is given back, but the history is still there"*"host: as it was before sysboxup"* ]] || { echo "$output"; false; }
	[ "$(in_guest cat /run/called)" = $'pre uninstall\npost uninstall done json-file' ]
	up -q apply
	in_guest rm /run/called
	run -0 in_guest sysboxup -q uninstall --purge
	[ "$(in_guest cat /run/called)" = $'pre uninstall\npost uninstall done json-file' ]
	run ! in_guest ls -d /var/lib/sysboxup
}

# interrupted: a run waits, and is killed with its parent.
interrupted() {
	hook pre-restart/10 'echo "pre $SYSBOXUP_COMMAND" >>/root/called; exit 75'
	hook post-restart/10 'echo "post $SYSBOXUP_COMMAND $SYSBOXUP_RESULT $(docker info -f "{{.LoggingDriver}}")" >>/root/called'
	behind apply --when-idle 10m
	said "says: not now"
}

@test "a run that is killed with its parent while it waits: status names it, exit 6, and recover calls post-restart" {
	interrupted
	run -0 in_guest sysboxup status
	in_guest sh -c 'set -- $(pgrep -x sysboxup); [ $# = 2 ]; kill -9 "$@"; while pgrep -x sysboxup; do sleep 0.1; done'
	in_guest rm /root/called
	run -6 in_guest sysboxup status
	[[ $output == *"an interrupted apply has called the hooks of pre-restart, and nobody those of post-restart since"*"sysboxup recover"* ]]
	run -0 in_guest sysboxup recover
	[ "$(in_guest cat /root/called)" = "post apply undone json-file" ]
	run -0 in_guest sysboxup status
	in_guest rm /root/called
}

@test "a host that loses power while a run waits: post-restart is called at the next boot, behind Docker, and by none after that" {
	interrupted
	guest_kill "$G"
	guest_look "$G" rm root/called
	guest_reboot "$G"
	guest_wait "$G" sh -c '[ -e /root/called ] && [ "$(systemctl show -P SubState sysboxup-hooks.service)" = dead ]'
	[ "$(in_guest cat /root/called)" = "post apply undone json-file" ]
	[ "$(in_guest systemctl is-failed sysboxup-hooks.service)" = inactive ]
	[ "$(in_guest systemctl show -P ExecMainStartTimestampMonotonic sysboxup-hooks.service)" -gt \
		"$(in_guest systemctl show -P ActiveEnterTimestampMonotonic docker.service)" ]
	run -0 in_guest sysboxup status
	guest_reboot "$G"
	guest_wait "$G" sh -c '[ "$(systemctl show -P ConditionTimestampMonotonic sysboxup-hooks.service)" != 0 ]'
	[ "$(in_guest systemctl show -P ExecMainStartTimestampMonotonic sysboxup-hooks.service)" = 0 ]
	[ "$(in_guest cat /root/called)" = "post apply undone json-file" ]
	run ! in_guest sh -c 'journalctl -b -q --no-pager | grep "rdering cycle"'
	in_guest rm /root/called
}
