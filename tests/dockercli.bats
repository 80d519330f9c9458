#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# daemon.json and Docker at the level of the command line, on hosts with systemd: Docker 20.10 (Debian 12) and
# 26.1 (Debian 13). What is applied is taken up by the daemon that runs, containers go on running, what cannot
# work is refused before anything is written, and each end leaves the host as it was.
# shellcheck disable=SC2016 # what is quoted is for the shell in the guest
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	# shellcheck source=tests/lib/install.bash
	. "$REPO/tests/lib/install.bash"
	local build=${SYSBOXUP_BUILD#"$REPO/"} suite
	make -s -C "$REPO" BUILD="$build" "$build/sysboxup"
	make -s -C "$REPO/tests/tools"
	BUILD=$build CATALOG_METHOD=deb install_prepare "$BATS_FILE_TMPDIR" 0.7.0
	for suite in bookworm trixie; do
		guest_boot "dockercli-$suite" "$suite"
		install_into "dockercli-$suite" "$BATS_FILE_TMPDIR"
	done
}

teardown_file() {
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	guest_destroy dockercli-bookworm
	guest_destroy dockercli-trixie
}

setup() {
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	PROGRAM=(sysboxup)
	on trixie
}

# Each test leaves Docker as it found it.
teardown() {
	local suite
	for suite in bookworm trixie; do
		on $suite
		in_guest sh -c '
			timeout 60 docker ps -aq | xargs -r docker rm -f >/dev/null
			rm -rf /var/lib/sysboxup
			[ ! -e /usr/sbin/dockerd.away ] || mv /usr/sbin/dockerd.away /usr/sbin/dockerd
			if [ -e /etc/docker/daemon.json ] || [ -e /etc/systemd/system/docker.service.d ] ||
			   ! timeout 60 docker version >/dev/null 2>&1; then
				rm -rf /etc/docker/daemon.json /etc/systemd/system/docker.service.d
				systemctl daemon-reload
				systemctl reset-failed docker.service docker.socket
				systemctl start docker.socket
				systemctl restart docker.service
			fi
			docker ps -aq | xargs -r docker rm -f >/dev/null'
	done
}

# on SUITE: the guest of what follows.
on() {
	G=dockercli-$1
}

in_guest() {
	guest_run "$G" "$@"
}

# settings JSON: the profile of what follows, in a place that snapshots do not see.
settings() {
	echo "{ \"docker\": { \"settings\": $1 } }" | in_guest sh -c 'cat >/run/profile.json'
}

config() {
	printf '%b' "$1" | in_guest sh -c 'cat >/etc/docker/daemon.json'
}

up() {
	in_guest "${PROGRAM[@]}" --profile /run/profile.json "$@"
}

info() {
	in_guest docker info -f "$1"
}

daemon() {
	in_guest systemctl show -P MainPID docker
}

containers() {
	in_guest sh -c 'docker ps -aq | xargs -r docker inspect -f "{{.Name}} {{.State.Pid}} {{.State.StartedAt}} {{.State.Status}}"'
}

# before: the host as it is now, its containers and its daemon, for host_as_before.
before() {
	guest_snap "$G" --skip /var/lib/sysboxup >"$BATS_TEST_TMPDIR/before"
	containers >"$BATS_TEST_TMPDIR/containers"
	daemon >"$BATS_TEST_TMPDIR/daemon"
}

containers_as_before() {
	containers | diff "$BATS_TEST_TMPDIR/containers" - >&2
}

# Files to the byte, and the same containers, never restarted.
host_as_before() {
	guest_snap "$G" --skip /var/lib/sysboxup >"$BATS_TEST_TMPDIR/after"
	"$REPO/build/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after" >&2
	containers_as_before
}

# fails STATUS LINE COMMAND...: this exit status, one line (a pattern) and what became of the host.
fails() {
	local wanted=$1 line=$2
	shift 2
	run --separate-stderr "$@"
	# shellcheck disable=SC2154 # bats sets them
	echo "$status: $output$stderr" >&2
	[ "$status" -eq "$wanted" ]
	# shellcheck disable=SC2053,SC2154 # a pattern; bats sets it
	[[ ${stderr_lines[0]} == "sysboxup: "$line ]]
	if [ "$wanted" -eq 3 ]; then
		[ "${stderr_lines[-1]}" = "  host: nothing was touched" ]
	else
		[ "${stderr_lines[-1]}" = "  host: as before" ]
	fi
}

# refused LINE [OPTION...]: exit status 3, and the host with its very daemon as before.
refused() {
	local line=$1
	shift
	fails 3 "$line" up apply --quiet "$@"
	host_as_before
	[ "$(daemon)" = "$(cat "$BATS_TEST_TMPDIR/daemon")" ]
}

@test "a change that a reload takes up: proven by /info, same daemon, and so is the way back" {
	local suite
	for suite in bookworm trixie; do
		on $suite
		settings '{ "debug": true, "live-restore": true, "labels": ["a=b"] }'
		before
		run -0 up apply
		[[ $output == *"ok      docker: answers"* ]]
		[ "$(info '{{.Debug}} {{.LiveRestoreEnabled}} {{.Labels}}')" = "true true [a=b]" ]
		run -0 up apply
		[[ ${lines[-1]} == "Nothing to do"* ]]
		run -0 in_guest sysboxup rollback --allow-restart
		[ "$(info '{{.Debug}} {{.LiveRestoreEnabled}} {{.Labels}}')" = "false false []" ]
		host_as_before
	done
}

@test "an empty file, and one with a byte order mark: 26.1 takes them, 20.10 does not" {
	settings '{ "debug": true }'
	config ''
	before
	up apply --quiet
	[ "$(info '{{.Debug}}')" = true ]
	in_guest sysboxup rollback --quiet
	host_as_before
	config '\xef\xbb\xbf{}\n'
	before
	up apply --quiet
	[ "$(in_guest head -c 4 /etc/docker/daemon.json)" = $'\xef\xbb\xbf{' ]
	in_guest sysboxup rollback --quiet
	host_as_before
	[ "$(info '{{.Debug}}')" = false ]

	on bookworm
	settings '{ "debug": true }'
	config ''
	before
	refused "'/etc/docker/daemon.json' is empty, which Docker 20.10.24+dfsg1 does not accept"
	config '\xef\xbb\xbf{}\n'
	before
	refused "'/etc/docker/daemon.json' begins with a byte order mark, which Docker 20.10.24+dfsg1 does not accept"
}

@test "a change that needs a restart: containers of before run after, same pids, there and back; live-restore is off again" {
	local suite
	for suite in bookworm trixie; do
		on $suite
		in_guest sh -c 'docker run -d --name c1 bb:1 sleep 1000; docker run -d --restart always -p 8080:80 --name c2 bb:1 sleep 1000
			docker create --name c3 bb:1 true' >/dev/null
		settings '{ "log-driver": "local" }'
		before
		up apply --quiet
		[ "$(info '{{.LoggingDriver}} {{.LiveRestoreEnabled}}')" = "local false" ]
		[ "$(daemon)" != "$(cat "$BATS_TEST_TMPDIR/daemon")" ]
		containers_as_before
		[ "$(in_guest cat /etc/docker/daemon.json)" = $'{\n  "log-driver": "local"\n}' ]
		in_guest sysboxup rollback --quiet
		[ "$(info '{{.LoggingDriver}} {{.LiveRestoreEnabled}}')" = "json-file false" ]
		host_as_before
	done
}

@test "keys without effect while containers run, and keys that would hide them, are refused by name" {
	in_guest docker run -d --name c1 bb:1 sleep 1000 >/dev/null
	before
	settings '{ "bip": "10.99.0.1/24" }'
	refused "has no effect while containers run: bip"
	[ "${stderr_lines[1]}" = "  try:  allow it with --allow-restart, or with docker.allow_restart in the profile" ]
	up apply --quiet --allow-restart
	containers_as_before
	fails 3 "has no effect while containers run: bip" in_guest sysboxup rollback --quiet
	in_guest sysboxup rollback --quiet --allow-restart
	host_as_before
	daemon >"$BATS_TEST_TMPDIR/daemon"
	settings '{ "data-root": "/srv/docker", "storage-driver": "vfs" }'
	refused "cannot be changed while containers run: data-root, storage-driver"
	refused "cannot be changed while containers run: data-root, storage-driver" --allow-restart
}

@test "without containers bip takes effect at once, and docker0 has the address of before after the rollback" {
	local suite
	for suite in bookworm trixie; do
		on $suite
		in_guest ip -o -4 addr show docker0 | awk '{ print $4 }' >"$BATS_TEST_TMPDIR/address"
		settings '{ "bip": "10.99.0.1/24" }'
		before
		up apply --quiet
		[[ $(in_guest ip -o -4 addr show docker0) == *" 10.99.0.1/24 "* ]]
		settings '{ "bip": "10.98.0.1/24", "log-driver": "local" }'
		up apply --quiet
		run --separate-stderr -0 in_guest sysboxup rollback 1
		[[ $stderr != *warning* ]]
		host_as_before
		[ "$(in_guest ip -o -4 addr show docker0 | awk '{ print $4 }')" = "$(cat "$BATS_TEST_TMPDIR/address")" ]
		in_guest systemctl restart docker
		[ "$(in_guest ip -o -4 addr show docker0 | awk '{ print $4 }')" = "$(cat "$BATS_TEST_TMPDIR/address")" ]
	done
}

@test "a profile that drops a bip which others had set: that Docker keeps the address is said" {
	in_guest sh -c 'printf "{ \"bip\": \"10.99.0.1/24\" }\n" >/etc/docker/daemon.json; systemctl reset-failed docker; systemctl restart docker'
	settings '{ "bip": null }'
	run --separate-stderr -0 up apply
	[[ $stderr == "warning: Docker remembers the address 10.99.0.1/24 of docker0 and keeps it"* ]]
	settings '{ "bip": "172.17.0.1/16" }'
	up apply --quiet
	[[ $(in_guest ip -o -4 addr show docker0) == *" 172.17.0.1/16 "* ]]
}

@test "containers with --rm, which 20.10 removes at a restart, are named; 26.1 keeps them" {
	local suite
	for suite in bookworm trixie; do
		on $suite
		in_guest docker run -d --rm --name short-lived bb:1 sleep 1000 >/dev/null
		settings '{ "log-driver": "local" }'
		before
		if [ $suite = bookworm ]; then
			refused "a restart of Docker removes containers that run with --rm: short-lived"
			[ "${stderr_lines[1]}" = "  try:  allow it with --allow-restart, or with docker.allow_restart in the profile" ]
		else
			up apply --quiet
			containers_as_before
		fi
	done
}

@test "stopped containers with restart=always, which a restart starts, are named; allowed, they are stopped again" {
	local suite
	for suite in bookworm trixie; do
		on $suite
		in_guest sh -c 'docker run -d --restart always --stop-signal KILL --name rests bb:1 sleep 1000
			docker stop rests' >/dev/null
		settings '{ "log-driver": "local" }'
		before
		refused "a restart of Docker starts stopped containers with restart=always: rests"
		up apply --quiet --allow-restart
		[ "$(info '{{.LoggingDriver}}')" = local ]
		[ "$(in_guest docker inspect -f '{{.State.Status}}' rests)" = exited ]
		in_guest sysboxup rollback --quiet --allow-restart
		[ "$(in_guest docker inspect -f '{{.State.Status}}' rests)" = exited ]
	done
}

@test "a default runtime comes and goes in the same daemon" {
	local suite
	for suite in bookworm trixie; do
		on $suite
		in_guest docker run -d --name c1 bb:1 sleep 1000 >/dev/null
		settings '{ "runtimes": { "other": { "path": "/usr/sbin/runc" } }, "default-runtime": "other" }'
		before
		up apply --quiet
		[ "$(info '{{.DefaultRuntime}}')" = other ]
		in_guest sysboxup rollback --quiet
		[ "$(info '{{.DefaultRuntime}}')" = runc ]
		[[ $(info '{{json .Runtimes}}') != *other* ]]
		host_as_before
		[ "$(daemon)" = "$(cat "$BATS_TEST_TMPDIR/daemon")" ]
	done
}

@test "what dockerd would refuse is refused before anything is written, in its own words" {
	local suite start="Docker would not start with the new '/etc/docker/daemon.json': "
	for suite in bookworm trixie; do
		on $suite
		in_guest docker run -d --name c1 bb:1 sleep 1000 >/dev/null
		before
		settings '{ "seccomp-profile": "/none" }'
		refused "${start}failed to start daemon: opening seccomp profile (/none) failed: open /none: no such file or directory"
		settings '{ "exec-opts": ["native.cgroupdriver=x"] }'
		fails 3 "${start}failed to start daemon: native.cgroupdriver option x not supported" up apply --quiet
		settings '{ "debug": "yes" }'
		fails 3 "*json: cannot unmarshal string into Go struct field *debug of type bool" up apply --quiet
		settings '{ "labels": ["x"] }'
		fails 3 "*bad attribute format: x" up apply --quiet
		settings '{ "icc": false, "iptables": false }'
		refused "'icc': false needs iptables, which 'iptables': false switches off"
	done
}

@test "a file that others broke since Docker read it is refused: dockerd is asked, or where it cannot be, its next start is tried" {
	config '{ "labels": [ "x" ] }\n'
	before
	settings '{ "live-restore": true }'
	refused "Docker takes nothing up from the daemon.json of today: *bad attribute format: x"

	on bookworm
	config '{ "labels": [ "x" ] }\n'
	before
	settings '{ "live-restore": true }'
	refused "Docker would not start with '/etc/docker/daemon.json' as others have left it: *bad attribute format: x"
	settings '{ "log-level": "debug" }'
	refused "Docker would not start with '/etc/docker/daemon.json' as others have left it: *bad attribute format: x"
	# mended, but never read: what the next start takes, a reload takes too
	config '{ "labels": [ "x=y" ] }\n'
	settings '{ "live-restore": true }'
	up apply --quiet
	[ "$(info '{{.LiveRestoreEnabled}} {{.Labels}}')" = "true [x=y]" ]
	up rollback --quiet
	[ "$(info '{{.LiveRestoreEnabled}} {{.Labels}}')" = "false [x=y]" ]
}

@test "a key that is a flag in /etc/default/docker too is named with file and line" {
	settings '{ "bip": "10.8.0.1/24" }'
	in_guest sh -c 'cp -p /etc/default/docker /run/default; echo "DOCKER_OPTS=\"--log-level=warn --bip=10.9.0.1/24\"" >>/etc/default/docker'
	before
	refused "'bip' is given as a flag too (--bip=10.9.0.1/24 in '/etc/default/docker' line 13): dockerd refuses a key that is in both places"
	in_guest cp -p /run/default /etc/default/docker
}

@test "Docker that does not run is refused; forced, the file is written, tried on the next start, and nothing is started" {
	in_guest systemctl stop docker.service docker.socket
	settings '{ "log-driver": "local" }'
	fails 3 "preflight refuses: docker-running; to go on all the same: --force docker-running" up apply --quiet
	settings '{ "seccomp-profile": "/none" }'
	fails 3 "Docker would not start with the new *" up apply --quiet --force docker-running
	in_guest test ! -e /etc/docker/daemon.json
	settings '{ "log-driver": "local" }'
	up apply --quiet --force docker-running
	in_guest grep -q local /etc/docker/daemon.json
	in_guest sysboxup rollback --quiet
	in_guest test ! -e /etc/docker/daemon.json
	run in_guest systemctl is-active docker.service docker.socket
	[ "$output" = inactive$'\n'inactive ]
}

@test "Docker that is not installed is refused" {
	in_guest sh -c 'systemctl stop docker.service docker.socket; mv /usr/sbin/dockerd /usr/sbin/dockerd.away'
	settings '{ "debug": true }'
	fails 3 "preflight refuses: docker-present*" up apply --quiet
	run up apply
	[[ $output == *"Docker is not installed"*"apt-get install docker.io"* ]]
	in_guest test ! -e /etc/docker/daemon.json
}

@test "a daemon that lives and does not answer is refused" {
	local pid
	pid=$(daemon)
	settings '{ "debug": true }'
	in_guest kill -STOP "$pid"
	run up apply
	in_guest kill -CONT "$pid"
	[ "$status" -eq 3 ]
	[[ $output == *"dockerd (pid $pid) does not answer on '/var/run/docker.sock'"* ]]
	in_guest test ! -e /etc/docker/daemon.json
}

@test "a restart that never comes up is rolled back: the old daemon answers, containers never noticed, no limit is left" {
	local suite
	for suite in bookworm trixie; do
		on $suite
		in_guest sh -c 'docker run -d --stop-signal KILL --name c1 bb:1 sleep 1000
			docker run -d --stop-signal KILL --restart always --name c2 bb:1 sleep 1000' >/dev/null
		in_guest sh -c 'mkdir -p /etc/systemd/system/docker.service.d
			printf "[Service]\nExecStartPre=/bin/sh -c \"! grep -q log-driver /etc/docker/daemon.json\"\n" >/etc/systemd/system/docker.service.d/x.conf
			systemctl daemon-reload'
		settings '{ "log-driver": "local" }'
		before
		fails 1 "Docker did not come up after a restart: the unit has failed" up apply --quiet
		host_as_before
		[ "$(info '{{.LoggingDriver}} {{.LiveRestoreEnabled}}')" = "json-file false" ]
		[ "$(in_guest systemctl is-active docker.service docker.socket)" = active$'\n'active ]
		in_guest sh -c 'systemctl restart docker && systemctl restart docker' # still within the burst of three
		run -0 in_guest sysboxup history
		[[ ${lines[-1]} == *apply*"failed, undone" ]]
	done
}

# meddled EDIT...: an apply whose restart fails, with the command EDIT run by the start of the Docker of before, which is in the midst
# of the way back: a text with live-restore is in place, and two more come.
meddled() {
	in_guest sh -c 'mkdir -p /etc/systemd/system/docker.service.d; printf "#!/bin/sh\n%s\n" "$*" >/root/edit
		printf "#!/bin/sh\n! grep -q log-driver /etc/docker/daemon.json\n" >/root/refuses
		printf "#!/bin/sh\n[ ! -e /root/once ] || { rm /root/once; exec /root/edit; }\n" >/root/meddles
		chmod 755 /root/edit /root/refuses /root/meddles; touch /root/once
		printf "[Service]\nExecStartPre=/root/refuses\nExecStartPost=/root/meddles\n" >/etc/systemd/system/docker.service.d/x.conf
		systemctl daemon-reload' sh "$@"
	config '{ "debug": false }\n'
	containers >"$BATS_TEST_TMPDIR/containers"
	run --separate-stderr up apply --quiet
	# shellcheck disable=SC2154 # bats sets it
	echo "$status: $stderr" >&2
	in_guest test ! -e /root/once
	containers_as_before
}

# killed_behind EDIT...: meddled with it, and killed when the first text of the way back that follows is in place of theirs.
killed_behind() {
	local at
	PROGRAM=(env "SYSBOXUP_FAULT=since:way-back,log:/root/log" /root/sysboxup-faults)
	in_guest rm -rf /root/log /var/lib/sysboxup
	meddled "$@"
	[ "$status" -eq 1 ]
	at=$(in_guest awk '$2 == "exchange" && /daemon.json$/ { print $1; exit }' /root/log)
	[ -n "$at" ]
	PROGRAM=(env "SYSBOXUP_FAULT=since:way-back,die-after:$at" SYSBOXUP_FAULT_ALONE=1 /root/sysboxup-faults)
	in_guest rm -rf /var/lib/sysboxup
	meddled "$@"
	[ "$status" -eq 137 ]
	PROGRAM=(sysboxup)
	run ! in_guest grep -qxF "$KEPT" /etc/docker/daemon.json
	run -0 up recover
	[ "$(in_guest cat /etc/docker/daemon.json)" = "$KEPT" ]
	[ "$(info '{{.Labels}} {{.LoggingDriver}} {{.LiveRestoreEnabled}}')" = "[theirs=1] json-file false" ]
	containers_as_before
}

@test "killed in the midst of such a way back: recover keeps what was written, and takes away what was there in passing" {
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup-faults"
	guest_put "$G" "$SYSBOXUP_BUILD/sysboxup-faults" /root/sysboxup-faults
	in_guest docker run -d --stop-signal KILL --name c1 bb:1 sleep 1000 >/dev/null
	settings '{ "log-driver": "local" }'
	KEPT='{ "labels": ["theirs=1"], "debug": false }'
	killed_behind "sed -i 's/{/{ \"labels\": [\"theirs=1\"],/' /etc/docker/daemon.json"
	killed_behind "echo '$KEPT' >/etc/docker/daemon.json"	# with no key of ours in it
}

@test "what somebody writes while Docker takes up a text of the way back stays, without the keys that were there in passing" {
	in_guest docker run -d --stop-signal KILL --name c1 bb:1 sleep 1000 >/dev/null
	settings '{ "log-driver": "local" }'
	meddled "sed -i 's/{/{ \"labels\": [\"theirs=1\"],/' /etc/docker/daemon.json"
	[ "$status" -eq 1 ]
	[ "$(in_guest cat /etc/docker/daemon.json)" = '{ "labels": ["theirs=1"], "debug": false }' ]
	[ "$(info '{{.Labels}} {{.LoggingDriver}} {{.LiveRestoreEnabled}}')" = "[theirs=1] json-file false" ]
	meddled rm /etc/docker/daemon.json
	[ "$status" -eq 1 ]
	in_guest test ! -e /etc/docker/daemon.json
	[ "$(info '{{.LoggingDriver}} {{.LiveRestoreEnabled}}')" = "json-file false" ]
	meddled ln -sf /nowhere/x /etc/docker/daemon.json
	[ "$status" -eq 5 ]
	[[ $stderr == *"'/etc/docker/daemon.json' is a symbolic link into a directory that does not exist"*"mend or remove the link"* ]]
	in_guest rm /etc/docker/daemon.json
	run -0 up recover
	in_guest test ! -e /etc/docker/daemon.json
	[ "$(info '{{.LoggingDriver}} {{.LiveRestoreEnabled}}')" = "json-file false" ]
	containers_as_before
}

@test "an edit by somebody else between apply and rollback stays, in the file and in the daemon" {
	settings '{ "debug": true, "live-restore": true }'
	up apply --quiet
	config '{"debug": true, "live-restore": true, "labels": ["theirs=1"]}\n'
	in_guest sysboxup rollback --quiet
	[ "$(in_guest cat /etc/docker/daemon.json)" = '{"labels": ["theirs=1"]}' ]
	[ "$(info '{{.Debug}} {{.LiveRestoreEnabled}} {{.Labels}}')" = "false false [theirs=1]" ]
}

@test "a key of ours that somebody else changed stops the rollback before Docker hears of it" {
	local pid
	pid=$(daemon)
	settings '{ "debug": true, "live-restore": true }'
	up apply --quiet
	config '{"debug": false, "live-restore": true}\n'
	fails 3 "somebody else changed debug in '/etc/docker/daemon.json' since" in_guest sysboxup rollback --quiet
	[ "$(info '{{.Debug}} {{.LiveRestoreEnabled}}')" = "true true" ]
	in_guest sysboxup rollback --quiet --force
	[ "$(in_guest cat /etc/docker/daemon.json)" = '{"debug": false}' ]
	[ "$(info '{{.Debug}} {{.LiveRestoreEnabled}}')" = "false false" ]
	[ "$(daemon)" = "$pid" ]
}

@test "a swarm: live-restore is refused, a reload works, a restart that stops containers is refused and, allowed, starts them again" {
	in_guest sh -c 'docker swarm init --advertise-addr 127.0.0.1; docker run -d --stop-signal KILL --name c1 bb:1 sleep 1000' >/dev/null
	before
	settings '{ "live-restore": true }'
	refused "preflight refuses: swarm*"
	settings '{ "log-driver": "local" }'
	refused "a restart of Docker stops 1 containers: swarm does not go with live-restore"
	settings '{ "debug": true }'
	up apply --quiet
	[ "$(info '{{.Debug}}')" = true ]
	in_guest sysboxup rollback --quiet
	host_as_before
	settings '{ "log-driver": "local" }'
	up apply --quiet --allow-restart
	[ "$(info '{{.LoggingDriver}} {{.Swarm.LocalNodeState}}')" = "local active" ]
	[ "$(in_guest docker inspect -f '{{.State.Status}}' c1)" = running ]
	in_guest docker swarm leave --force
}

# The package's own scripts restart Docker when 10, 20 ... containers are there, and give up half-configured at 2.
@test "with 10, 11 and 20 containers present the package is installed and purged, and no container and no Docker notices" {
	local n have=0
	on bookworm
	for n in 10 11 20; do
		in_guest sh -c 'for i in $(seq $1 $2); do docker run -d --name n$i bb:1 sleep 1000; done' sh $((have + 1)) $n >/dev/null
		have=$n
		before
		in_guest sysboxup --profile /srv/demo/profile.json apply --quiet --force container
		containers_as_before
		[ "$(daemon)" = "$(cat "$BATS_TEST_TMPDIR/daemon")" ]
		[[ $(info '{{json .Runtimes}}') == *sysbox-runc* ]]
		[ "$(in_guest dpkg-query -W -f '${db:Status-Abbrev}' sysbox-ce)" = "ii " ]
		in_guest sysboxup rollback --quiet
		containers_as_before
		[ "$(daemon)" = "$(cat "$BATS_TEST_TMPDIR/daemon")" ]
		[[ $(info '{{json .Runtimes}}') != *sysbox-runc* ]]
	done
	host_as_before
}

# Last in the file: the guest does not run systemd in it.
@test "a dockerd started by hand, no systemd: found by its socket, reloaded, rolled back; a restart is refused; a dead socket too" {
	on trixie
	in_guest sh -c 'rm -f /etc/docker/daemon.json; cat >/root/by-hand' <<-'END'
		d="docker -H unix:///run/other.sock"
		dockerd -H unix:///run/other.sock -p /run/other.pid --exec-root /run/other --bridge=none --iptables=false >/root/log 2>&1 &
		i=0
		until $d info >/dev/null 2>&1; do
			i=$((i + 1))
			[ $i -lt 3000 ] || { tail /root/log; exit 1; }
			sleep 0.1
		done
		profile() { echo "{ \"docker\": { \"settings\": $1 } }" >/root/profile.json; }
		profile '{ "debug": true, "live-restore": true }'
		sysboxup --profile /root/profile.json apply --quiet
		echo "apply $? $($d info -f '{{.Debug}} {{.LiveRestoreEnabled}}')"
		sysboxup rollback --quiet
		echo "rollback $? $($d info -f '{{.Debug}} {{.LiveRestoreEnabled}}') $(ls /etc/docker)"
		profile '{ "log-driver": "local" }'
		sysboxup --profile /root/profile.json apply --quiet 2>&1
		echo "restart $? $(ls /etc/docker)"
		kill -KILL "$(cat /run/other.pid)"
		wait
		ls /run/other.sock /run/other.pid
		sysboxup --profile /root/profile.json apply --quiet 2>&1
		echo "dead $? $(ls /etc/docker)"
	END
	guest_poweroff "$G"
	run guest_exec_root "$G" sh /root/by-hand
	guest_reboot "$G"
	echo "$output" >&2
	[[ $output == "apply 0 true true
rollback 0 false false"*"
sysboxup: this change needs a restart of Docker, which was not started by systemd
  try:  stop the daemon, run this again, and start the daemon as you started it before
  host: nothing was touched
restart 3"*"
sysboxup: preflight refuses: docker-running; to go on all the same: --force docker-running
  host: nothing was touched
dead 3"* ]]
	[[ $output != *daemon.json* ]]
}
