#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A Docker daemon for CI beside the host's own, in one systemd host: both run containers, reach what is outside and resolve
# names; limits that kill; who reaches whom; restarts, a flush, a boot; and what is left when it goes. "Outside" is a network
# namespace with a web server and a resolver.
bats_require_minimum_version 1.5.0

ADDRESS=192.0.2.2	# of the guest from the beginning
WORLD=198.51.100.2

# One guest for all. A boot of it is half of what a test takes.
setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build} G=daemon-$$
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	# shellcheck source=tests/lib/install.bash
	. "$REPO/tests/lib/install.bash"
	local build=${SYSBOXUP_BUILD#"$REPO/"}
	make -s -C "$REPO" BUILD="$build" "$build/sysboxup" "$build/tools/hostdiff" "$build/tools/dnsd"
	BUILD=$build install_prepare "$BATS_FILE_TMPDIR" 0.7.0
	guest_boot "$G" "${GUEST_SUITE:-bookworm}"
	prepare_guest
}

setup() {
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	profile
}

teardown() {
	guest_run "$G" sh -c 'docker ps -aq | xargs -r docker rm -f; docker -H unix:///run/docker-ci/docker.sock ps -aq |
		xargs -r docker -H unix:///run/docker-ci/docker.sock rm -f' >/dev/null 2>&1 || :
	resolver "$WORLD"
}

# resolver ADDRESS: of this host, by a file that is of the same time each time.
resolver() {
	guest_run "$G" sh -c 'echo "nameserver $0" >/etc/resolv.conf; touch -d @1700000000 /etc/resolv.conf' "$1"
}

teardown_file() {
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	guest_destroy "$G"
}

prepare_guest() {
	install_into "$G" "$BATS_FILE_TMPDIR"
	guest_put "$G" "$SYSBOXUP_BUILD/tools/dnsd" /root/dnsd
	guest_run "$G" sh -ec 'docker save -o /root/bb-1.tar bb:1
		sysboxup -q cert ca --key-file /root/ca.secret
		sysboxup -q cert issue api --server --san '"$ADDRESS"'
		sysboxup -q cert issue runner --ttl 1h
		sysboxup -q cert export ci-runner --format pem-dir --out /root/runner --docker-host tcp://'"$ADDRESS"':2376'
	resolver "$WORLD"
	running_guest
}

# What is in memory alone. nspawn gives its systemd cgroups that it may write, but only behind its start.
running_guest() {
	guest_run "$G" sh -ec 'systemctl daemon-reexec
		ip netns add world; ip link add out0 type veth peer name eth0 netns world
		ip addr add 198.51.100.1/24 dev out0; ip link set out0 up
		ip -n world addr add '"$WORLD"'/24 dev eth0; ip -n world link set eth0 up; ip -n world link set lo up
		mkdir -p /run/www; echo the world >/run/www/index.html; echo the host >/run/www/host
		systemd-run -q --unit=world-web ip netns exec world busybox httpd -f -p '"$WORLD"':80 -h /run/www
		systemd-run -q --unit=world-names ip netns exec world /root/dnsd '"$WORLD $WORLD"'
		systemd-run -q --unit=host-web busybox httpd -f -p 8080 -h /run/www
		systemd-run -q --unit=host-names /root/dnsd 127.0.0.1 '"$WORLD"' 127.0.0.1'
	guest_wait "$G" busybox nslookup any.example "$WORLD"
	guest_wait "$G" busybox wget -qO /dev/null http://127.0.0.1:8080/host
}

# profile [MORE]: what is wanted, and more of it.
profile() {
	echo '{ "version": 1, "api": { "listen": ["'"$ADDRESS"':2376"], "daemon": "dedicated" '"${1:-}"' } }' |
		guest_run "$G" sh -c 'cat >/root/profile.json'
}

up() {
	guest_run "$G" sysboxup --profile /root/profile.json "$@"
}

ci() {
	guest_run "$G" docker -H unix:///run/docker-ci/docker.sock "$@"
}

host() {
	guest_run "$G" docker "$@"
}

# There, with an image. Whatever another test has left of it is changed to what the profile says.
there() {
	up apply --quiet
	ci image inspect bb:1 >/dev/null 2>&1 || ci load -qi /root/bb-1.tar >/dev/null
}

# fetch WHO HOST PORT [OPTION...]: the last line of what a container of that daemon gets from a web server there; "" if it is
# not reached within PATIENCE (60) seconds. (This busybox dies of its own wget -T.)
fetch() {
	"$1" run --rm "${@:4}" bb:1 sh -c 'printf "GET / HTTP/1.0\r\n\r\n" | nc -w "$2" "$0" "$1" | tail -n 1' \
		"$2" "$3" "${PATIENCE:-60}" 2>/dev/null
}

# cut_off WHO HOST PORT [OPTION...]: a container of that daemon gets nothing from there.
cut_off() {
	[ "$(PATIENCE=1 fetch "$@")" = "" ]
}

both_reach_the_world() {
	[ "$(fetch host any.example 80)" = "the world" ]
	[ "$(fetch ci any.example 80)" = "the world" ]
}

snap() {
	guest_snap "$G" --skip /var/lib/sysboxup --skip /var/lib/docker-ci --skip /root >"$BATS_TEST_TMPDIR/$1"
}

# Nothing of sysboxup is there, whatever another test has left.
fresh() {
	guest_run "$G" sysboxup -q uninstall || :
	snap before
}

as_before() {
	snap after
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	run ! guest_run "$G" sh -c 'ip link show ci0 || nft list table inet docker_ci || iptables -S DOCKER-USER | grep ci0 || ls /run/docker-ci'
	[ -z "$(guest_run "$G" systemctl list-units --no-legend --all "docker-ci*" dockerci.slice)" ]
	guest_run "$G" docker version >/dev/null
}

@test "two daemons: both serve, reach the world and resolve names, and neither's restart breaks the other; nothing is left but its data" {
	local job pid
	fresh
	run -0 up plan
	[[ $output == *"warning: docker-ci: whoever holds a client certificate is root on this host"* ]] || { echo "$output"; false; }
	run -0 up apply
	[[ $output == *"ok      api-client: $ADDRESS:2376: runner: HTTP 200"* ]] || { echo "$output"; false; }
	[[ $output == *"ok      api-nobody: "*"ok      api-stranger: "*"ok      api-server-as-client: "*"ok      api-tls-1.1: "*"ok      api-plain: "* ]]
	[[ $output == *"ok      docker-ci-container: ran under its default runtime"* ]]
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]]
	run -0 up status
	[[ $output == *"whoever holds a client certificate is root on this host"* ]] || { echo "$output"; false; }
	there
	run -0 guest_run "$G" docker -H tcp://$ADDRESS:2376 --tlsverify --tlscacert /root/runner/ca.pem --tlscert /root/runner/cert.pem \
		--tlskey /root/runner/key.pem run --rm bb:1 echo served
	[ "$output" = served ]
	both_reach_the_world
	# as does one in the network of "the host", which is not this host's
	[ "$(fetch ci any.example 80 --network host)" = "the world" ]
	ci run --rm --network host bb:1 ip link | grep -q eth0
	run ! ci run --rm --network host bb:1 ip link show ci0

	host run -d --name job bb:1 sleep 100000 >/dev/null
	ci run -d --name job bb:1 sleep 100000 >/dev/null
	pid=$(ci inspect -f '{{.State.Pid}}' job)
	[ "$(ci inspect -f '{{.HostConfig.LogConfig}}' job)" = "{json-file map[max-file:3 max-size:10m]}" ]
	guest_run "$G" sh -c 'systemctl is-active docker-ci-prune.timer && systemctl start docker-ci-prune.service'
	guest_run "$G" sh -c 'journalctl --sync; journalctl -b -o cat -u docker-ci-prune.service' | grep -q "Total reclaimed space"
	guest_run "$G" systemctl restart docker-ci
	both_reach_the_world
	[ "$(ci inspect -f '{{.State.Pid}}' job)" = "$pid" ]
	[ "$(host inspect -f '{{.State.Running}}' job)" = true ]
	guest_run "$G" systemctl restart docker
	both_reach_the_world
	[ "$(ci inspect -f '{{.State.Pid}}' job)" = "$pid" ]
	guest_run "$G" sh -c 'systemctl reset-failed docker; systemctl stop docker.socket docker'
	[ "$(fetch ci any.example 80)" = "the world" ]
	guest_run "$G" systemctl start docker

	# a job is not killed by surprise, neither by a rollback nor by what leaves the profile
	run -3 guest_run "$G" sysboxup rollback
	[[ $output == *"containers run: job"*"docker -H unix:///run/docker-ci/docker.sock stop"* ]] || { echo "$output"; false; }
	job=$(ci ps -q)
	[ -n "$job" ]
	ci rm -f job >/dev/null
	host rm -f job >/dev/null
	echo '{ "version": 1, "docker": {} }' | guest_run "$G" sh -c 'cat >/root/profile.json'
	run -0 up apply
	[[ $output == *"/var/lib/docker-ci  stays, with the data in it; to delete it: rm -r '/var/lib/docker-ci'"* ]] || { echo "$output"; false; }
	as_before
	# it comes again, with its data
	run -0 guest_run "$G" sysboxup rollback --quiet
	[ "$(fetch ci any.example 80)" = "the world" ]
	run -0 guest_run "$G" sysboxup uninstall --quiet
	as_before
}

@test "names resolve where the resolver is on the loopback of the host, for jobs in any network and for Docker's own look-ups" {
	there
	resolver 127.0.0.1
	run -0 up apply
	[[ $output == *"warning: docker-ci: the resolver 127.0.0.1 is on the loopback of this host"* ]] || { echo "$output"; false; }
	[ "$(fetch ci any.example 80)" = "the world" ]
	[ "$(fetch ci any.example 80 --network host)" = "the world" ]
	ci network inspect jobs >/dev/null 2>&1 || ci network create jobs >/dev/null
	[ "$(fetch ci any.example 80 --network jobs)" = "the world" ]
	# there is no registry there, but it was found
	run ! ci pull any.example:5000/image
	[[ $output == *"$WORLD:5000: connect: connection refused"* ]] || { echo "$output"; false; }
	# the loopback of the host is not open for more than that
	cut_off ci 10.209.255.1 8080
	ci network rm jobs >/dev/null
}

# throttled: how often its containers were, together.
throttled() {
	guest_run "$G" sed -n 's/^nr_throttled //p' /sys/fs/cgroup/cpu/dockerci.slice/cpu.stat
}

@test "limits: what is over the slice's memory or tasks is killed or refused there, over its CPUs waits; the host's own go on" {
	local victim
	# with cgroup v1, as here, what a slice says of reading and writing holds no job in it; with v2 it does (tests/crash/vm-limits)
	profile ', "limits": { "io_read": "50M", "io_write": "40M" }'
	run -3 up apply
	[[ $output == *"'io_read' and 'io_write' of 'api.limits' need cgroup v2 with its controller 'io', which is not here"*"nothing was touched"* ]] || { echo "$output"; false; }
	profile ', "limits": { "memory": "64M", "tasks": 60, "cpus": 1.5 }'
	run -0 up apply
	[[ $output == *"ok      docker-ci-limits: the kernel holds dockerci.slice to: cpus, memory, tasks"$'\n'* ]] || { echo "$output"; false; }
	there
	host run -d --name spared bb:1 sleep 100000 >/dev/null
	ci run -d --name job bb:1 sleep 100000 >/dev/null
	grep -q dockerci.slice <(guest_run "$G" sh -c 'cat /proc/"$1"/cgroup' sh "$(ci inspect -f '{{.State.Pid}}' job)")
	run -137 ci run --name greedy bb:1 sh -c 'x=a; while :; do x=$x$x; done'
	[ "$(ci inspect -f '{{.State.ExitCode}}' greedy)" = 137 ]
	# the same outside of the slice lives
	host run --rm bb:1 sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=60 2>/dev/null; x=$(dd if=/dev/zero bs=1M count=80 2>/dev/null | tr "\0" a); echo ${#x}'
	run ci run --rm bb:1 sh -c 'i=0; while [ $i -lt 100 ]; do sleep 30 & i=$((i + 1)); done; jobs | wc -l'
	[[ $output == *"Resource temporarily unavailable"* || $output == *"can't fork"* ]] || { echo "$output"; false; }
	[ "$(host inspect -f '{{.State.Running}}' spared)" = true ]
	[ "$(guest_run "$G" systemctl is-active docker-ci docker)" = $'active\nactive' ]
	# others take effect without a restart of anything
	victim=$(guest_run "$G" systemctl show -P InvocationID docker-ci)
	ci rm -f greedy >/dev/null
	profile ', "limits": { "memory": "96M", "cpus": 0.2 }'
	run -0 up apply
	[[ $output == *"ok      docker-ci-limits: the kernel holds dockerci.slice to: cpus, memory"* ]] || { echo "$output"; false; }
	[ "$(guest_run "$G" systemctl show -P InvocationID docker-ci)" = "$victim" ]
	# who wants more than a fifth of a CPU is made to wait
	victim=$(throttled)
	ci run -d --name busy bb:1 sh -c 'while :; do :; done' >/dev/null
	guest_wait "$G" sh -c '[ "$(sed -n "s/^nr_throttled //p" /sys/fs/cgroup/cpu/dockerci.slice/cpu.stat)" -gt "$1" ]' sh "$victim"
	ci rm -f busy >/dev/null
	guest_run "$G" grep -qx "$((96 * 1024 * 1024))" /sys/fs/cgroup/memory/dockerci.slice/memory.limit_in_bytes
	# a kernel that does not hold them is no pass
	guest_run "$G" sh -c 'echo -1 >/sys/fs/cgroup/memory/dockerci.slice/memory.limit_in_bytes'
	profile ', "limits": { "memory": "96M", "io_read": "50M" }'
	run -7 up verify
	[[ $output == *"docker-ci-limits: the kernel does not hold dockerci.slice to: memory, io_read"* ]] || { echo "$output"; false; }
}

@test "jobs reach neither this host nor its containers; their ports are this host's alone, unless the profile has a range for them" {
	local inside
	there
	host run -d --name web bb:1 httpd -f -p 80 -h /bin >/dev/null
	inside=$(host inspect -f '{{.NetworkSettings.IPAddress}}' web)
	guest__until "$GUEST_DEADLINE" reaches "$inside" 80
	[ -n "$(fetch host "$inside" 80)" ]
	cut_off ci "$inside" 80
	[ "$(fetch host "$ADDRESS" 8080)" = "the world" ]
	cut_off ci "$ADDRESS" 8080
	cut_off ci 10.209.255.1 8080
	cut_off ci "$ADDRESS" 8080 --network host
	ci run -d --name web -p 30001:80 -p 80:80 bb:1 httpd -f -p 80 -h /bin >/dev/null
	guest__until "$GUEST_DEADLINE" reaches 10.209.255.2 80
	cut_off host 10.209.255.2 80
	PATIENCE=1 run ! from_world 198.51.100.1 80
	PATIENCE=1 run ! from_world 198.51.100.1 30001
	guest_run "$G" ip -n world route add 10.209.0.0/16 via 198.51.100.1
	PATIENCE=1 run ! from_world 10.209.255.2 80
	profile ', "publish": "30000-30100"'
	up apply --quiet
	from_world 198.51.100.1 30001
	PATIENCE=1 run ! from_world 198.51.100.1 80
	PATIENCE=1 run ! from_world 10.209.255.2 80
	guest_run "$G" ip -n world route del 10.209.0.0/16
}

# reaches HOST PORT, from_world HOST PORT: does a web server answer there, from this host or from outside, within PATIENCE (60) seconds?
reaches() {
	[ -n "$(guest_run "$G" sh -c 'printf "GET / HTTP/1.0\r\n\r\n" | busybox nc -w "$2" "$0" "$1"' "$@" "${PATIENCE:-60}")" ]
}

from_world() {
	[ -n "$(guest_run "$G" ip netns exec world sh -c 'printf "GET / HTTP/1.0\r\n\r\n" | busybox nc -w "$2" "$0" "$1"' "$@" "${PATIENCE:-60}" 2>/dev/null)" ]
}

@test "a flushed firewall: verify says what is gone, a start of either Docker brings it back, and docker-ci does not start without" {
	there
	guest_run "$G" nft delete table inet docker_ci
	run -7 up verify
	[[ $output == *"docker-ci-firewall: the table inet docker_ci is gone: jobs reach this host"*"systemctl start docker-ci-firewall"* ]] || { echo "$output"; false; }
	guest_run "$G" systemctl start docker-ci-firewall
	run -0 up verify
	guest_run "$G" nft flush ruleset
	run -7 up verify
	guest_run "$G" sh -c 'systemctl reset-failed docker; systemctl restart docker'
	guest_wait "$G" sh -c 'nft list table inet docker_ci && iptables -S DOCKER-USER | grep -q -e "-o ci0"'
	run -0 up verify
	both_reach_the_world
	guest_run "$G" sh -c 'iptables -P FORWARD DROP; iptables -D DOCKER-USER -i ci0 -j ACCEPT'
	run -7 up verify
	[[ $output == *"docker-ci-firewall: the rule in DOCKER-USER is gone: jobs do not reach the world"* ]]
	cut_off ci "$WORLD" 80
	guest_run "$G" nft flush ruleset
	guest_run "$G" sh -c 'systemctl restart docker; systemctl restart docker-ci'
	both_reach_the_world
	run -0 up verify
	# fail closed: rules that do not load
	guest_run "$G" sh -c 'cp -p /etc/sysboxup/docker-ci/host.nft /root; echo nonsense >/etc/sysboxup/docker-ci/host.nft
		systemctl stop docker-ci; nft delete table inet docker_ci'
	run ! guest_run "$G" systemctl start docker-ci
	run ! guest_run "$G" ip netns exec world busybox nc -w 1 "$ADDRESS" 2376
	guest_run "$G" sh -c 'cp -p /root/host.nft /etc/sysboxup/docker-ci/host.nft; systemctl reset-failed; systemctl start docker-ci'
	run -0 up verify
}

@test "a boot: both daemons run, jobs come back as their policy says, and all of it is proven again" {
	profile ', "limits": { "memory": "64M" }'
	there
	# without --init it would not hear SIGTERM, and the shutdown would wait for it
	ci run -d --init --name job --restart always bb:1 sleep 100000 >/dev/null
	guest_reboot "$G"
	running_guest
	guest_wait "$G" docker -H unix:///run/docker-ci/docker.sock version
	guest_run "$G" docker version >/dev/null
	[ "$(ci inspect -f '{{.State.Running}}' job)" = true ]
	run -0 up verify
	[[ $output == *"ok      docker-ci-limits: the kernel holds dockerci.slice to: memory"* ]] || { echo "$output"; false; }
	both_reach_the_world
	renewed_alone
}

# A renewed certificate is taken up by that daemon alone, without a person, and its job goes on.
renewed_alone() {
	local before
	before=$(guest_run "$G" systemctl show -P MainPID docker; ci inspect -f '{{.State.Pid}}' job)
	guest_run "$G" sysboxup -q cert renew api
	run -0 guest_run "$G" sysboxup apply --renewed
	[[ $output == *"Docker was given the renewed certificates: transaction "* ]] || { echo "$output"; false; }
	[ "$(guest_run "$G" systemctl show -P MainPID docker; ci inspect -f '{{.State.Pid}}' job)" = "$before" ]
	run -0 guest_run "$G" sysboxup apply --renewed
	[ "$output" = "Nothing to do: Docker was given the newest certificates." ]
}

@test "Sysbox comes and goes as its default runtime, in one transaction; not while its jobs run there" {
	fresh
	guest_run "$G" sh -c 'sed "0,/{/s//{ \"api\": { \"listen\": [\"192.0.2.2:2376\"], \"daemon\": \"dedicated\", \"default_runtime\": true },/" \
		/srv/demo/profile.json >/root/profile.json'
	run -0 up plan --force container
	[[ $output == *"Sysbox is the default there, and a client may ask for another runtime"* ]] || { echo "$output"; false; }
	run -0 up apply --force container
	[[ $output == *"ok      docker-ci-container: ran under its default runtime, with ids of its own"* ]] || { echo "$output"; false; }
	ci image inspect bb:1 >/dev/null 2>&1 || ci load -qi /root/bb-1.tar >/dev/null
	[[ $(ci run --rm bb:1 cat /proc/self/uid_map) == *"100000"* ]]
	ci run -d --name job bb:1 sleep 100000 >/dev/null
	guest_run "$G" sed -i 's/"latest"/"absent"/; s/"default_runtime": true/"default_runtime": false/' /root/profile.json
	run -3 up apply --force container
	[[ $output == *"containers run under sysbox-runc in the Docker at '/run/docker-ci/docker.sock': job"* ]] || { echo "$output"; false; }
	ci rm -f job >/dev/null
	run -0 up apply --force container
	[[ $(ci run --rm bb:1 cat /proc/self/uid_map) != *"100000"* ]]
	run -0 guest_run "$G" sysboxup uninstall --quiet
}

@test "from the host's own daemon to a dedicated one and back, on the same address, each in one transaction" {
	fresh
	profile
	guest_run "$G" sed -i 's/"daemon": "dedicated"/"daemon": "host"/' /root/profile.json
	up apply --quiet
	[ "$(serves)" = host ]
	profile
	run -0 up apply
	[[ $output == *"sysboxup-api.socket  closes $ADDRESS:2376"* ]] || { echo "$output"; false; }
	[ "$(serves)" = dedicated ]
	run ! guest_run "$G" grep -q tlsverify /etc/docker/daemon.json
	run -0 guest_run "$G" sysboxup rollback --quiet
	[ "$(serves)" = host ]
	run -0 guest_run "$G" sysboxup uninstall --quiet
	as_before
}

# Who answers there?
serves() {
	guest_run "$G" docker -H tcp://$ADDRESS:2376 --tlsverify --tlscacert /root/runner/ca.pem --tlscert /root/runner/cert.pem \
		--tlskey /root/runner/key.pem info -f '{{if eq .DockerRootDir "/var/lib/docker-ci/docker"}}dedicated{{else}}host{{end}}'
}

@test "what cannot be had is refused before anything is touched, and what comes up broken is taken back" {
	fresh
	profile ', "network": "172.17.0.0/16"'
	run -3 up apply
	[[ $output == *"'api.network' 172.17.0.0/16 is in use here: there is a route into it through 'docker0'"* ]] || { echo "$output"; false; }
	profile ', "names": ["other.example.org"]'
	guest_run "$G" mv /root/ca.secret /root/away
	run -3 up apply
	guest_run "$G" mv /root/away /root/ca.secret
	[[ $output == *"there is no server certificate in force, its key here, for IP:$ADDRESS, DNS:other.example.org"* ]]
	profile
	guest_run "$G" mv /usr/sbin/nft /usr/sbin/nft.away
	run -3 up apply
	guest_run "$G" mv /usr/sbin/nft.away /usr/sbin/nft
	[[ $output == *"a dedicated daemon needs 'nft', which is not here"* ]]
	# somebody has its address
	guest_run "$G" systemd-run -q --unit=taken busybox httpd -f -p "$ADDRESS:2376" -h /run/www
	guest_wait "$G" busybox wget -qO /dev/null "http://$ADDRESS:2376/host"
	run -1 up apply
	guest_run "$G" systemctl stop taken
	[[ $output == *"host: as before"* ]] || { echo "$output"; false; }
	as_before
}

# killed VERB CONDITION...: the run is killed, worker and supervisor, as soon as the command CONDITION succeeds.
killed() {
	guest_run "$G" sh -c '
		verb=$1; shift
		sysboxup $verb --profile /root/profile.json >/root/out 2>&1 & p=$!
		until w=$(pgrep -P $p) && "$@" >/dev/null 2>&1; do kill -0 $p || exit 9; done
		kill -KILL $p $w 2>/dev/null; wait $p; exit 0' sh "$@"
}

@test "killed when files, units, network or daemon are there: recover takes all of it back; killed while it goes: it is there again" {
	local condition
	fresh
	for condition in 'test -e /etc/systemd/system/timers.target.wants/docker-ci-prune.timer' 'ip link show ci0' 'systemctl is-active docker-ci.service'; do
		# shellcheck disable=SC2086 # words
		killed apply $condition
		run -0 guest_run "$G" sysboxup recover
		as_before
	done
	there
	for condition in '! ip link show ci0' '! test -e /etc/systemd/system/docker-ci.service'; do
		killed rollback sh -c "$condition"
		run -0 guest_run "$G" sysboxup recover
		[ "$(fetch ci any.example 80)" = "the world" ]
		run -0 up verify
	done
}

# held_back: the host is killed, and cannot undo at boot what is not at its end.
held_back() {
	guest_kill "$G"
	guest_look "$G" chattr +i etc/sysboxup/docker-ci
	guest_reboot "$G"
	running_guest
	guest_run "$G" docker version >/dev/null
	[ "$(guest_run "$G" systemctl is-failed sysboxup-recover.service)" = failed ]
	guest_run "$G" sh -c 'journalctl --sync; journalctl -b -o cat -u sysboxup-recover.service' | grep -q "held back until this is undone: .*docker-ci"
	run guest_run "$G" systemctl start docker-ci.service
	run ! guest_run "$G" systemctl is-active docker-ci.service docker-ci.socket
	PATIENCE=1 run ! reaches "$ADDRESS" 2376
	chattr -i "/proc/$(guest_pid "$G")/root/etc/sysboxup/docker-ci"
	run -0 guest_run "$G" sysboxup recover
	run ! guest_run "$G" sh -c 'ls /run/sysboxup-held /etc/sysboxup/docker-ci /etc/systemd/system/docker-ci.service'
}

@test "a recovery that fails at boot holds back the dedicated daemon, not Docker; when it succeeds, nothing is left" {
	fresh
	killed apply systemctl is-active docker-ci.service
	held_back
	there
	both_reach_the_world
}

@test "the same for a daemon that nobody confirmed before the boot" {
	fresh
	up -q apply --confirm-within 20m
	held_back
}
