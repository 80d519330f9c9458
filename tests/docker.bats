#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What installer/docker promises, against Docker 20.10 (bookworm) and 26.1 (trixie) under systemd, and against a dockerd
# that was started by hand. drive_docker is the layer with a command line.

bats_require_minimum_version 1.5.0

setup_file() {
	# shellcheck source=tests/guest/guest.bash
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
	local top build suite
	top=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	build=${SYSBOXUP_BUILD:-$top/build}
	build=${build#"$top/"} # as make names it
	"$BATS_TEST_DIRNAME/tools/docker-bin"
	make -s -C "$top" BUILD="$build" "$build/unit/live_docker" "$build/unit/drive_docker"
	for suite in bookworm trixie; do
		guest_boot "docker-$suite" "$suite"
		guest_put "docker-$suite" "$top/$build/unit/drive_docker" /root/drive
	done
}

teardown_file() {
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
	guest_destroy docker-bookworm
	guest_destroy docker-trixie
}

setup() {
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
}

# Each test leaves Docker as it found it.
teardown() {
	local suite
	for suite in bookworm trixie; do
		guest_run docker-$suite sh -c 'rm -rf /etc/systemd/system/docker.service.d /etc/default/docker
			docker ps -aq | xargs -r docker rm -f >/dev/null
			if [ -e /etc/docker/daemon.json ] || ! docker version >/dev/null 2>&1; then
				rm -f /etc/docker/daemon.json
				systemctl daemon-reload
				systemctl reset-failed docker.service docker.socket
				systemctl start docker.socket
				systemctl restart docker.service
			fi'
	done
}

drive() {
	local suite=$1
	shift
	guest_run "docker-$suite" /root/drive "$@"
}

# text SUITE NAME TEXT: a file /root/NAME in the guest
text() {
	printf %s "$3" | guest_run "docker-$1" sh -c "cat >/root/$2"
}

container_of() {
	guest_run "docker-$1" docker inspect -f '{{.State.Pid}} {{.State.StartedAt}} {{.State.Status}}' c1
}

# What a canary must not touch.
# The live containerd collects its garbage when it likes: of its own database the time does not count.
picture() {
	guest_run "docker-$1" sh -c 'find /etc /run /var/lib/docker /var/lib/containerd -xdev -printf "%p %m %s %T@\n" | grep -v "^/run/systemd/\|/run/log\|^/run/sysboxup-coverage\|^/run/docker/netns" |
		sed "/containerd\.metadata\.v1\.bolt\/meta\.db /s/ [^ ]*$//" | sort
		sort /proc/mounts; ip -o link; nft list ruleset 2>/dev/null | sed "s/packets.*//"; ls /var/lib
		find /sys/fs/cgroup -type d | sort; systemctl show -p MainPID docker containerd'
}

# dockerd takes those of containers that are gone away a minute later.
namespaces() {
	guest_run "docker-$1" ls /run/docker/netns
}

@test "a daemon that was started by hand: reload, take back, probe, canary" {
	run -0 "${SYSBOXUP_BUILD:-$BATS_TEST_DIRNAME/../build}/unit/live_docker"
	[[ $output != *"not ok"* && $output == *1..13* ]]
}

@test "each flag of the next start is named with file and line" {
	guest_run docker-bookworm sh -c 'printf "# x\nDOCKER_OPTS=\"--label a=b\"\n" >/etc/default/docker
		mkdir -p /etc/systemd/system/docker.service.d
		printf "[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// \\\\\\n  --mtu=1400 \$DOCKER_OPTS\n" >/etc/systemd/system/docker.service.d/x.conf'
	guest_run docker-bookworm systemctl stop docker.service docker.socket
	run -0 drive bookworm flags
	[ "$output" = "host=fd:// /etc/systemd/system/docker.service.d/x.conf 4
mtu=1400 /etc/systemd/system/docker.service.d/x.conf 5
label=a=b /etc/default/docker 2" ]
}

@test "a key that collides with a flag in /etc/default/docker is refused with file and line" {
	guest_run docker-bookworm sh -c 'printf "\nDOCKER_OPTS=--bip=10.9.0.1/24\n" >/etc/default/docker'
	text bookworm a.json '{"bip": "10.8.0.1/24"}'
	guest_run docker-bookworm systemctl stop docker.service docker.socket
	run -1 drive bookworm check /root/a.json
	[ "$output" = "error 3: 'bip' is given as a flag too (--bip=10.9.0.1/24 in '/etc/default/docker' line 2): dockerd refuses a key that is in both places" ]
}

@test "six restarts of a healthy Docker within a minute all come up" {
	local suite
	for suite in bookworm trixie; do
		for _ in 1 2 3 4 5 6; do
			run -0 drive $suite restart
			[ "$output" = up ]
		done
	done
}

@test "a restart into a broken file fails in dockerd's words; with the old file back, one restart is enough" {
	local suite
	for suite in bookworm trixie; do
		guest_run docker-$suite sh -c 'mkdir -p /etc/docker; echo "{\"icc\":false,\"iptables\":false}" >/etc/docker/daemon.json'
		run -1 drive $suite restart
		[[ $output == *"did not come up after a restart: the unit has failed; its log: "*icc* ]]
		guest_run docker-$suite rm /etc/docker/daemon.json
		run -0 drive $suite restart
		[ "$output" = up ]
	done
}

@test "a change that needs a restart keeps running containers, there and back, and live-restore is off again" {
	local suite before
	for suite in bookworm trixie; do
		guest_run docker-$suite docker run -d --name c1 bb:1 sleep 1000
		before=$(container_of $suite)
		text $suite a.json '{ "log-opts": {"max-size": "1m"} }'
		run -0 drive $suite go /root/a.json keep
		[ "$output" = "reload
restart
reload
none" ]
		[ "$(container_of $suite)" = "$before" ]
		[ "$(guest_get docker-$suite /etc/docker/daemon.json)" = '{ "log-opts": {"max-size": "1m"} }' ]
		run -0 drive $suite go absent keep
		[ "$(container_of $suite)" = "$before" ]
		run -1 guest_run docker-$suite test -e /etc/docker/daemon.json
		run -0 guest_run docker-$suite docker info -f '{{.LiveRestoreEnabled}}'
		[ "$output" = false ]
	done
}

@test "a default runtime comes and goes by reload alone; the daemon is the same process" {
	local suite pid
	for suite in bookworm trixie; do
		pid=$(guest_run docker-$suite systemctl show -P MainPID docker)
		text $suite a.json '{"runtimes": {"other": {"path": "/usr/sbin/runc"}}, "default-runtime": "other"}'
		run -0 drive $suite go /root/a.json
		[ "$output" = reload ]
		run -0 drive $suite probe
		[[ $output == "ran, uid 0 is 0, "* ]]
		run -0 drive $suite go absent
		[ "$output" = "reload
none" ]
		run -0 guest_run docker-$suite docker info -f '{{.DefaultRuntime}} {{.Runtimes}}'
		[[ $output == "runc "* && $output != *other* ]]
		[ "$(guest_run docker-$suite systemctl show -P MainPID docker)" = "$pid" ]
	done
}

@test "the canary: good candidates are good, bad ones bad, and nothing of the host changes" {
	local suite before spaces
	local -a good=('{}' '{"bip":"10.77.0.1/24"}' '{"data-root":"/srv/dock"}' '{"userns-remap":"default"}' '{"live-restore":true}'
		'{"exec-opts":["native.cgroupdriver=systemd"]}' '{"storage-driver":"vfs"}')
	local -a bad=('{bad' '{"hosts":["fd://"]}' '{"icc":false,"iptables":false}' '{"bridge":"nobr"}' '{"default-runtime":"x"}'
		'{"storage-driver":"bogus"}' '{"default-address-pools":[{"base":"10.1.0.0/33","size":24}]}'
		'{"tlsverify":true,"tlscacert":"/none","tlscert":"/none","tlskey":"/none"}')
	for suite in bookworm trixie; do
		guest_run docker-$suite docker run -d --name c1 bb:1 sleep 1000
		before=$(picture $suite) spaces=$(namespaces $suite)
		for c in "${good[@]}"; do
			text $suite a.json "$c"
			run drive $suite canary /root/a.json
			[ "$suite $c $output" = "$suite $c good" ]
		done
		for c in "${bad[@]}"; do
			text $suite a.json "$c"
			run drive $suite canary /root/a.json
			[[ "$suite $c $output" == "$suite $c bad: "* ]]
		done
		diff <(echo "$before") <(picture $suite)
		[ -z "$(comm -13 <(echo "$spaces") <(namespaces $suite))" ]
	done
}

@test "dockerd --validate is asked where the version has it, and its absence is no defect" {
	text trixie a.json '{"debug": "yes"}'
	run -1 drive trixie check /root/a.json
	[[ $output == "error 3: dockerd --validate refuses the new daemon.json: "*unmarshal* ]]
	text trixie a.json '{"debug": true}'
	run -0 drive trixie check /root/a.json
	text bookworm a.json '{"debug": true}'
	run -0 drive bookworm check /root/a.json
	[ "$output" = "ok, 0 warnings" ]
}

@test "live-restore is refused while a swarm is active" {
	guest_run docker-bookworm docker swarm init --advertise-addr 127.0.0.1 >/dev/null
	text bookworm a.json '{"live-restore": true}'
	run -1 drive bookworm check /root/a.json
	guest_run docker-bookworm docker swarm leave --force
	[ "$output" = "error 3: 'live-restore' does not go with swarm, which is active here" ]
}
