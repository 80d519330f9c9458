#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The Docker API behind mutual TLS on the host's own daemon, with real requests from outside: who is let in, who is not, and
# that nothing of it is left when it goes. Docker 20.10 (Debian 12) and 26.1 (Debian 13).
bats_require_minimum_version 1.5.0

# The guest has this address from the beginning; what is behind it is a network namespace of its own.
ADDRESS=192.0.2.2

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	# shellcheck source=tests/lib/install.bash
	. "$REPO/tests/lib/install.bash"
	local build=${SYSBOXUP_BUILD#"$REPO/"} suite
	make -s -C "$REPO" BUILD="$build" "$build/sysboxup" "$build/tools/hostdiff"
	BUILD=$build install_prepare "$BATS_FILE_TMPDIR" 0.7.0
	authority "$BATS_FILE_TMPDIR/pki"
}

# authority DIR: below it one that is two days old, a client that was over a day later, a certificate of the server, and a client.
authority() {
	mkdir -p "$1/root"
	faketime -f -2d "$SYSBOXUP_BUILD/sysboxup" --root "$1" -q cert ca --key-file /root/ca.secret
	faketime -f -2d "$SYSBOXUP_BUILD/sysboxup" --root "$1" -q cert issue late --ttl 24h
	"$SYSBOXUP_BUILD/sysboxup" --root "$1" -q cert issue api --server --san "$ADDRESS" --san ci.example.org
	"$SYSBOXUP_BUILD/sysboxup" --root "$1" -q cert issue runner --ttl 24h
}

setup() {
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	# shellcheck source=tests/lib/install.bash
	. "$REPO/tests/lib/install.bash"
}

teardown() {
	[ -z "${G:-}" ] || guest_destroy "$G"
}

# bare SUITE: a guest with the program.
bare() {
	G=api-$1-$BATS_TEST_NUMBER-$$
	guest_boot "$G" "$1"
	install_into "$G" "$BATS_FILE_TMPDIR"
	profile '{ "listen": ["'"$ADDRESS"':2376"], "names": ["ci.example.org"] }'
}

# host SUITE: with an authority, a certificate of the server, and one client, too.
host() {
	bare "$1"
	tar -C "$BATS_FILE_TMPDIR/pki" --owner=0 --group=0 -c . | guest_run "$G" tar -C / -x --no-overwrite-dir
	guest_run "$G" sysboxup -q cert export ci-runner --format pem-dir --out /root/runner --docker-host "tcp://$ADDRESS:2376"
}

# profile API [DOCKER [CLIENTS]]: what is wanted.
profile() {
	echo "{ \"version\": 1, \"docker\": { \"settings\": ${2:-{ \"live-restore\": true \}} }, \"api\": $1, \"clients\": [ ${3:-} ] }" |
		guest_run "$G" sh -c 'cat >/run/profile.json'
}

up() {
	guest_run "$G" sysboxup --profile /run/profile.json "$@"
}

# Where CI would be: a network namespace behind a link of its own; and its own copies of what it was given.
outside() {
	link_outside
	take_out runner
}

link_outside() {
	guest_run "$G" sh -ec 'ip netns add ci; ip link add ci0 type veth peer name eth0 netns ci
		ip addr add 198.51.100.1/24 dev ci0; ip link set ci0 up
		ip -n ci addr add 198.51.100.2/24 dev eth0; ip -n ci link set eth0 up; ip -n ci route add default via 198.51.100.1'
}

# take_out NAME: what was exported to /root/NAME.
take_out() {
	local file
	mkdir -p "$BATS_TEST_TMPDIR/$1"
	for file in ca cert key; do guest_get "$G" "/root/$1/$file.pem" >"$BATS_TEST_TMPDIR/$1/$file.pem"; done
}

# from_outside COMMAND...: this machine's program there.
from_outside() {
	nsenter --net="/proc/$(guest_pid "$G")/root/run/netns/ci" "$@"
}

# ask DIRECTORY [CURL-OPTION...]: GET /_ping with key.pem and cert.pem of it ("-": as nobody); the HTTP status, or what curl says.
ask() {
	local who=()
	[ "$1" = - ] || who=(--cert "$1/cert.pem" --key "$1/key.pem")
	from_outside curl -sS -m 120 -o /dev/null -w '%{http_code}' --cacert "$BATS_TEST_TMPDIR/runner/ca.pem" "${who[@]}" "${@:2}" \
		"https://$ADDRESS:2376/_ping" 2>&1
}

# kept_out DIRECTORY [CURL-OPTION...]: there was a connection, the server's certificate was accepted, and no answer came. With TLS 1.3
# curl may hear of it by an alert, by a reset, or when it asks who is on a connection that is gone.
kept_out() {
	run ! ask "$@"
	case $status in 7 | 28 | 58 | 60 | 77) echo "$output" && return 1 ;; esac
	[[ $output == *000 ]]
}

# follow_events DIRECTORY [CURL-OPTION...]: an answer of Docker's that has no end, going on as EVENTS_PID.
follow_events() {
	local head=$BATS_TEST_TMPDIR/events
	: >"$head"
	from_outside timeout 600 curl -sS -N -o /dev/null -D "$head" --cert "$1/cert.pem" --key "$1/key.pem" "${@:2}" \
		"https://$ADDRESS:2376/events" &
	EVENTS_PID=$!
	until grep -q "^HTTP/1.1 200" "$head"; do
		kill -0 "$EVENTS_PID" || return 1
		sleep 0.1
	done
	kill -0 "$EVENTS_PID"
}

snap() {
	guest_snap "$G" --skip /var/lib/sysboxup --skip /root >"$BATS_TEST_TMPDIR/$1"
}

closed() {
	run from_outside curl -sS -m 120 "http://$ADDRESS:2376/_ping"
	[ "$status" -eq 7 ]
	run guest_run "$G" systemctl is-active sysboxup-api.socket
	[ "$output" = inactive ]
	guest_run "$G" docker version >/dev/null
}

as_before() {
	snap after
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	closed
}

job() {
	guest_run "$G" docker inspect -f '{{.State.Pid}}' job
}

# Asked from outside by programs that are not ours.
judged() {
	[ "$(ask "$BATS_TEST_TMPDIR/runner")" = 200 ]
	kept_out -
	run ! ask "$BATS_TEST_TMPDIR/runner" --tls-max 1.1
	[ "$(from_outside curl -sS -m 120 -o /dev/null -w '%{http_code}' "http://$ADDRESS:2376/_ping")" = 400 ]
	run ! from_outside openssl s_client -connect "$ADDRESS:2376" -CAfile "$BATS_TEST_TMPDIR/runner/ca.pem" -verify_return_error \
		-verify_hostname other.example.org </dev/null
	# the unix socket is as it was
	guest_run "$G" docker version >/dev/null
}

opened() {
	local pid id
	host "$1"
	outside
	guest_run "$G" docker run -d --name job bb:1 sleep 100000 >/dev/null
	pid=$(job)
	snap before
	run -0 up plan
	[[ $output == *"sysboxup-api.socket  opens $ADDRESS:2376 to holders of a client certificate; Docker restarts"* ]]
	[[ $output == *"warning: api: whoever holds a client certificate is root on this host"* ]]
	run -0 up apply
	[[ $output == *"ok      api-client: $ADDRESS:2376: runner: HTTP 200"* ]] || { echo "$output"; false; }
	[ "$(job)" = "$pid" ]
	judged
	run -0 up verify
	for id in api-nobody api-stranger api-server-as-client api-expired api-tls-1.1 api-plain; do
		[[ $output == *"ok      $id: "* ]] || { echo "$id: $output"; false; }
	done
	[[ $output == *"ok      api-expired: $ADDRESS:2376: late (expired client certificate): "*"certificate"* ]] || { echo "$output"; false; }
	[[ $output == *"unknown api-revoked: not tried: "* ]]
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]]
	run -0 up status
	run -0 guest_run "$G" sysboxup rollback
	as_before
	[ "$(job)" = "$pid" ]
}

@test "Docker 20.10: opened to clients of our authority alone, containers stay, and closed again without a trace" {
	opened bookworm
}

@test "Docker 26.1: opened to clients of our authority alone, containers stay, and closed again without a trace" {
	opened trixie
}

@test "it leaves the profile: closed by the next apply, and uninstall finds nothing more to do" {
	host bookworm
	outside
	snap before
	up apply --quiet
	[ "$(ask "$BATS_TEST_TMPDIR/runner")" = 200 ]
	guest_run "$G" sh -c 'echo "{ \"version\": 1, \"docker\": { \"settings\": {} } }" >/run/profile.json'
	run -0 up plan
	[[ $output == *"sysboxup-api.socket  closes $ADDRESS:2376; Docker restarts"* ]] || { echo "$output"; false; }
	run -0 up apply --quiet
	as_before
	# and back again, with the very keys
	run guest_run "$G" sysboxup rollback
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[ "$(ask "$BATS_TEST_TMPDIR/runner")" = 200 ]
	run -0 guest_run "$G" sysboxup uninstall --quiet
	as_before
}

@test "a renewed certificate: one link, one restart, and the old one again after a rollback" {
	local first
	host bookworm
	outside
	up apply --quiet
	first=$(serial)
	guest_run "$G" sysboxup -q cert renew api
	[ "$(serial)" = "$first" ]	# dockerd reads none while it runs
	run -0 up status
	[[ $output == *"Docker was started with other certificates than there are by now"*"try: sysboxup apply"* ]] || { echo "$output"; false; }
	run -0 up plan
	[[ $output == *"/etc/sysboxup/api/server  link to /var/lib/sysboxup/pki/gen/000005/api"* ]] || { echo "$output"; false; }
	[[ $output != *daemon.json* ]]
	run -0 up apply --quiet
	[ "$(serial)" != "$first" ]
	[ "$(ask "$BATS_TEST_TMPDIR/runner")" = 200 ]
	# dockerd reads no list: said, and no proof
	guest_run "$G" sysboxup -q cert revoke runner
	run -0 up verify
	[[ $output == *"warning api-revoked: $ADDRESS:2376: runner (revoked client certificate): HTTP 200"* ]] || { echo "$output"; false; }
	run -0 guest_run "$G" sysboxup rollback --quiet
	[ "$(serial)" = "$first" ]
	[ "$(ask "$BATS_TEST_TMPDIR/runner")" = 200 ]
	taken_up_by_timer "$first"
}

# taken_up_by_timer SERIAL: a renewed certificate waits; nobody need be there, as long as no container stops and no hook objects.
taken_up_by_timer() {
	local pid
	pid=$(guest_run "$G" sh -ec 'docker run -d --name job bb:1 sleep 100000 >/dev/null; docker inspect -f "{{.State.Pid}}" job')
	guest_run "$G" sh -ec 'mkdir -p /etc/sysboxup/hooks.d; printf "#!/bin/sh\nexit 75\n" >/etc/sysboxup/hooks.d/pre-restart
		chmod 755 /etc/sysboxup/hooks.d/pre-restart'
	run -0 guest_run "$G" sysboxup -q apply --renewed
	[[ $output == *"warning: Docker is not given the renewed certificates now: "*"not now"* ]] || { echo "$output"; false; }
	[ "$(serial)" = "$1" ]
	guest_run "$G" sh -ec 'rm -r /etc/sysboxup/hooks.d; systemctl start sysboxup-cert.service'
	[ "$(serial)" != "$1" ]
	[ "$(ask "$BATS_TEST_TMPDIR/runner")" = 200 ]
	[ "$(guest_run "$G" docker inspect -f '{{.State.Pid}}' job)" = "$pid" ]
	run -0 guest_run "$G" sysboxup --json history --limit 1
	[[ $output == *'"class":"background"'* ]] || { echo "$output"; false; }
	run -0 guest_run "$G" sysboxup apply --renewed
	[ "$output" = "Nothing to do: Docker was given the newest certificates." ]
	run -2 guest_run "$G" sysboxup apply --renewed --force container
	[[ $output == *"--renewed and --force exclude each other"* ]] || { echo "$output"; false; }
	# it belongs to the apply before it, and goes with that
	guest_run "$G" sysboxup -q rollback
	closed
}

@test "the server's certificate and those of the profile's clients are issued by apply, and no rollback takes them back" {
	local records
	host bookworm
	outside
	profile '{ "listen": ["'$ADDRESS':2376"], "names": ["new.example.org"] }' '' '{ "name": "job-7", "ttl": "2h" }, { "name": "runner" }'
	run -0 up plan
	[[ $output == *"api  server certificate for 90d, of IP:$ADDRESS,DNS:new.example.org; no rollback takes it back"* ]] || { echo "$output"; false; }
	[[ $output == *"ci-job-7  client certificate for 2h; no rollback takes it back"* ]]
	[[ $output != *ci-runner* ]]
	[[ $output == *"/etc/sysboxup/api/server  link to /var/lib/sysboxup/pki/gen/000005/api"* ]]
	run -0 up apply
	[[ $output == *"ok      api-client: $ADDRESS:2376: job-7: HTTP 200"* ]] || { echo "$output"; false; }
	[[ $output == *"ok      clients: runner: in force until 20"* ]]
	guest_run "$G" sysboxup -q cert export job-7 --out /root/job
	take_out job
	[ "$(ask "$BATS_TEST_TMPDIR/job")" = 200 ]
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]]
	records=$(guest_run "$G" sha256sum /var/lib/sysboxup/pki/ledger)
	run -0 guest_run "$G" sysboxup rollback
	closed
	[ "$(guest_run "$G" sha256sum /var/lib/sysboxup/pki/ledger)" = "$records" ]
	# the same again finds them, and whom somebody revoked is not brought back
	guest_run "$G" sysboxup -q cert revoke job-7
	run -0 up plan
	[[ $output != *"client certificate for"* && $output != *"server certificate for"* ]] || { echo "$output"; false; }
	[[ $output == *"warning: clients: 'job-7' was revoked, and is not issued again: take it out of the profile"* ]]
	# names and times as bad as on the command line
	profile '{ "listen": ["'$ADDRESS':2376"] }' '' '{ "name": "../x" }'
	run -2 up apply
	[[ $output == *"clients: the name '../x' has other letters than a-z, 0-9 and '-'"* ]] || { echo "$output"; false; }
	profile '{ "listen": ["'$ADDRESS':2376"] }' '' '{ "name": "x", "ttl": "36500d" }'
	run -2 up apply
	[[ $output == *"clients: the ttl '36500d' of 'x' is no time from 1m to 90d"* ]] || { echo "$output"; false; }
}

@test "rotate-ca: an old client gets in as long as both are trusted, and never again when the old authority is dropped" {
	local all=$BATS_TEST_TMPDIR/fresh/ca.pem
	host bookworm
	outside
	up apply --quiet
	guest_run "$G" sysboxup -q cert rotate-ca
	guest_run "$G" sh -ec 'sysboxup -q cert issue fresh; sysboxup -q cert export fresh --out /root/fresh'
	take_out fresh
	run -0 up status
	[[ $output == *"two authorities are trusted; of the old one 1 client is in force, the last until "*"try: sysboxup apply"* ]] || { echo "$output"; false; }
	run ! ask "$BATS_TEST_TMPDIR/fresh"
	run -0 up plan
	[[ $output == *"/etc/sysboxup/api/ca.pem  link to /var/lib/sysboxup/pki/gen/000005/trust.pem"* ]] || { echo "$output"; false; }
	[[ $output != *daemon.json* && $output != *api/server* ]]
	up apply --quiet
	# whoever came before trusts one authority alone, and meets the server's certificate of that one
	[ "$(ask "$BATS_TEST_TMPDIR/runner")" = 200 ]
	[ "$(ask "$BATS_TEST_TMPDIR/fresh" --cacert "$all")" = 200 ]
	run -0 up status
	[[ $output == *"try: sysboxup cert renew runner"* ]] || { echo "$output"; false; }
	# a revoked one gets in, which is said, until its authority goes
	run -0 guest_run "$G" sysboxup cert revoke runner
	[[ $output == *"try: sysboxup cert rotate-ca --now"* ]] || { echo "$output"; false; }
	run -0 up verify
	[[ $output == *"warning api-revoked: $ADDRESS:2376: runner (revoked client certificate): HTTP 200"* ]] || { echo "$output"; false; }
	guest_run "$G" sysboxup -q cert rotate-ca --now
	follow_events "$BATS_TEST_TMPDIR/runner" --cacert "$all"
	run -0 up status
	[[ $output == *"Docker was started with other certificates than there are by now"*"try: sysboxup apply"* ]] || { echo "$output"; false; }
	run -0 up apply
	[[ $output == *"ok      api-dropped: $ADDRESS:2376: runner (client certificate of a dropped authority): "* ]] || { echo "$output"; false; }
	# a connection of before does not outlive it either
	wait "$EVENTS_PID" || [ $? -ne 124 ]
	run ! ask "$BATS_TEST_TMPDIR/runner" --cacert "$all"
	[ "$(ask "$BATS_TEST_TMPDIR/fresh" --cacert "$all")" = 200 ]
	# the link of before comes back, and whom Docker lets in does not
	run -0 guest_run "$G" sysboxup rollback --quiet
	[ "$(guest_run "$G" readlink /etc/sysboxup/api/ca.pem)" = /var/lib/sysboxup/pki/gen/000005/trust.pem ]
	run ! ask "$BATS_TEST_TMPDIR/runner" --cacert "$all"
	[ "$(ask "$BATS_TEST_TMPDIR/fresh" --cacert "$all")" = 200 ]
}

# away WORD...: cert where the authority is, which is not in the guest.
away() {
	"$SYSBOXUP_BUILD/sysboxup" --root "$BATS_TEST_TMPDIR/away" -q cert "$@"
}

# made_away [NAME]: the newest certificate of that name there, or that of the authority.
made_away() {
	"$SYSBOXUP_BUILD/sysboxup" --root "$BATS_TEST_TMPDIR/away" --json cert show "$@" |
		jq -r 'select(.event == "certificate").path + "/cert.pem", select(.event == "authority").path' | tail -n 1
}

# bring NAME [--server --san X...]: its key is made in the guest, the request is signed away, what came back is imported.
bring() {
	guest_run "$G" sh -ec 'rm -f /run/csr; sysboxup -q cert request "$@" --out /run/csr' sh "$@"
	guest_get "$G" /run/csr >"$BATS_TEST_TMPDIR/csr"
	if [ $# -gt 1 ]; then away issue "$1" --server --request "$BATS_TEST_TMPDIR/csr"; else away issue "$1" --ttl 24h --request "$BATS_TEST_TMPDIR/csr"; fi
	guest_put "$G" "$(made_away "$1")" /run/came.pem
	guest_run "$G" sysboxup -q cert import /run/came.pem
}

bring_server() {
	bring api --server --san "$ADDRESS" --san ci.example.org
}

# Of each private key in the guest the public one can be had, and is no authority's.
no_authority_key() {
	local keys key n=0
	mapfile -t keys < <(guest_run "$G" find /etc /home /opt /root /run /srv /tmp /var -xdev -type f -size -64k \
		-exec grep -laE 'BEGIN [A-Z ]*PRIVATE KEY' {} +)
	for key in "${keys[@]}"; do
		guest_run "$G" openssl pkey -in "$key" -passin pass: -pubout >"$BATS_TEST_TMPDIR/public" || { echo "what key is $key"; return 1; }
		! grep -qF -f <(sed -n 2p "$BATS_TEST_TMPDIR/public") "$BATS_TEST_TMPDIR/authorities" || { echo "an authority's key: $key"; return 1; }
		n=$((n + 1))
	done
	[ "$n" -gt 0 ]
}

# The public key of the newest authority is one that no_authority_key looks for.
look_for_authority() {
	openssl x509 -in "$(made_away)" -noout -pubkey >>"$BATS_TEST_TMPDIR/authorities"
}

@test "an authority elsewhere: its certificates open the API, are renewed and replaced with another authority's; no key of one is ever here" {
	local first pid all=$BATS_TEST_TMPDIR/fresh/ca.pem
	bare bookworm
	link_outside
	mkdir "$BATS_TEST_TMPDIR/away"
	away ca --key-file /ca.secret
	look_for_authority
	guest_put "$G" "$(made_away)" /run/ca.pem
	guest_run "$G" sysboxup -q cert import /run/ca.pem
	profile '{ "listen": ["'"$ADDRESS"':2376"], "names": ["ci.example.org"] }' '' '{ "name": "runner" }'
	refused "there is no server certificate in force, its key here, for IP:$ADDRESS, DNS:ci.example.org"
	[[ $output == *"sysboxup cert request api --server --san $ADDRESS --san ci.example.org --out FILE,"* ]] || { echo "$output"; false; }
	bring_server
	refused "there is no client certificate 'runner' in force, and the authority's key is not on this host"
	[[ $output == *"sysboxup cert request runner --out FILE,"* ]] || { echo "$output"; false; }
	bring runner
	guest_run "$G" sysboxup -q cert export ci-runner --out /root/runner
	take_out runner
	run -0 up apply
	[[ $output == *"ok      api-client: $ADDRESS:2376: runner: HTTP 200"*"ok      api-stranger: "* ]] || { echo "$output"; false; }
	judged
	# one whose key was never on this host, and one of another authority
	away issue laptop
	away export laptop --out "$BATS_TEST_TMPDIR/laptop"
	[ "$(ask "$BATS_TEST_TMPDIR/laptop")" = 200 ]
	mkdir "$BATS_TEST_TMPDIR/stranger"
	"$SYSBOXUP_BUILD/sysboxup" --root "$BATS_TEST_TMPDIR/stranger" -q cert ca --key-file /ca.secret
	"$SYSBOXUP_BUILD/sysboxup" --root "$BATS_TEST_TMPDIR/stranger" -q cert issue laptop
	"$SYSBOXUP_BUILD/sysboxup" --root "$BATS_TEST_TMPDIR/stranger" -q cert export laptop --out "$BATS_TEST_TMPDIR/strange"
	kept_out "$BATS_TEST_TMPDIR/strange"
	no_authority_key

	# renewed: one restart, containers stay
	pid=$(guest_run "$G" sh -ec 'docker run -d --name job bb:1 sleep 100000 >/dev/null; docker inspect -f "{{.State.Pid}}" job')
	first=$(serial)
	bring_server
	[ "$(serial)" = "$first" ]	# dockerd reads none while it runs
	run -0 up status
	[[ $output == *"Docker was started with other certificates than there are by now"*"try: sysboxup apply"* ]] || { echo "$output"; false; }
	run -0 up apply --quiet
	[ "$(serial)" = "$(openssl x509 -in "$(made_away api)" -noout -serial)" ]
	[ "$(serial)" != "$first" ]
	[ "$(ask "$BATS_TEST_TMPDIR/runner")" = 200 ]
	[ "$(job)" = "$pid" ]

	# another authority: both are trusted, and the server shows the old one's certificate to those who know no other
	away rotate-ca
	look_for_authority
	guest_put "$G" "$(made_away)" /run/next.pem
	guest_run "$G" sysboxup -q cert rotate-ca --import /run/next.pem
	bring fresh
	guest_run "$G" sysboxup -q cert export fresh --out /root/fresh
	take_out fresh
	kept_out "$BATS_TEST_TMPDIR/fresh" --cacert "$all"
	run -0 up status
	[[ $output == *"two authorities are trusted; of the old one 1 client is in force, the last until "*"try: sysboxup apply"* ]] || { echo "$output"; false; }
	run -0 up apply --quiet
	[ "$(ask "$BATS_TEST_TMPDIR/runner")" = 200 ]
	[ "$(ask "$BATS_TEST_TMPDIR/fresh" --cacert "$all")" = 200 ]
	no_authority_key

	# and the end of it: the server's certificate of the new one has waited
	away rotate-ca --now
	run -3 guest_run "$G" sysboxup cert rotate-ca
	bring runner
	bring_server
	guest_run "$G" sysboxup -q cert rotate-ca --now
	run -0 up apply
	[[ $output == *"ok      api-dropped: $ADDRESS:2376: runner (client certificate of a dropped authority): "* ]] || { echo "$output"; false; }
	[ "$(serial)" = "$(openssl x509 -in "$(made_away api)" -noout -serial)" ]
	kept_out "$BATS_TEST_TMPDIR/runner" --cacert "$all"
	kept_out "$BATS_TEST_TMPDIR/laptop" --cacert "$all"
	[ "$(ask "$BATS_TEST_TMPDIR/fresh" --cacert "$(made_away)")" = 200 ]
	[ "$(job)" = "$pid" ]
	no_authority_key
	# control: one would be seen
	guest_put "$G" "$BATS_TEST_TMPDIR/away/var/lib/sysboxup/pki/gen/000001/key.pem" /var/tmp/leaked
	run ! no_authority_key
	[[ $output == *"what key is /var/tmp/leaked"* ]]
}

# serial: of the certificate that is shown to those who connect.
serial() {
	from_outside openssl s_client -connect "$ADDRESS:2376" </dev/null 2>/dev/null | openssl x509 -noout -serial
}

@test "without the keys in daemon.json the socket stays closed, and Docker starts" {
	host bookworm
	outside
	up apply --quiet
	guest_run "$G" sh -ec 'systemctl stop docker sysboxup-api.socket; cp /etc/docker/daemon.json /root; echo "{}" >/etc/docker/daemon.json
		systemctl start docker'
	closed_by_guard
	guest_run "$G" sh -ec 'systemctl stop docker; grep -v tlscacert /root/daemon.json >/etc/docker/daemon.json; systemctl reset-failed; systemctl start docker'
	closed_by_guard
	run -7 up status
	[[ $output == *"sysboxup-api.socket"*"does not listen"* ]] || { echo "$output"; false; }
}

closed_by_guard() {
	run from_outside curl -sS -m 120 "http://$ADDRESS:2376/_ping"
	[ "$status" -eq 7 ]
	guest_run "$G" docker version >/dev/null
}

@test "after a boot, with the address there only later, it is served" {
	host bookworm
	outside
	# the address of the API goes to a link that is not there at the boot
	guest_run "$G" sh -ec 'sysboxup -q cert issue late --server --san 203.0.113.5 --san ci.example.org
		sed -i "s/$1/203.0.113.5/" /run/profile.json' sh "$ADDRESS"
	ADDRESS=203.0.113.5
	up apply --quiet
	run ! ask "$BATS_TEST_TMPDIR/runner" -m 5
	guest_reboot "$G"
	outside
	guest_run "$G" docker version >/dev/null
	run ! ask "$BATS_TEST_TMPDIR/runner" -m 5
	guest_run "$G" sh -ec 'ip addr add 203.0.113.5/32 dev lo'
	[ "$(ask "$BATS_TEST_TMPDIR/runner")" = 200 ]
}

# refused WORDS [OPTION...]
refused() {
	run -3 up apply "${@:2}"
	[[ $output == *"$1"* ]] || { echo "$output"; false; }
	[[ $output == *"host: nothing was touched"* ]]
}

@test "what cannot be made safe is refused before anything is touched" {
	host bookworm
	outside
	snap before
	guest_run "$G" mv /root/ca.secret /root/away
	profile '{ "listen": ["'$ADDRESS':2376"], "names": ["other.example.org"] }'
	refused "there is no server certificate in force, its key here, for IP:$ADDRESS, DNS:other.example.org"
	[[ $output == *"sysboxup cert issue api --server --san $ADDRESS --san"*"other.example.org"* ]] || { echo "$output"; false; }
	profile '{ "listen": ["'$ADDRESS':2376"] }' '' '{ "name": "job-7", "ttl": "2h" }'
	refused "there is no client certificate 'job-7' in force, and the authority's key is not opened without a person"
	[[ $output == *"sysboxup cert issue job-7 --ttl 2h"* ]] || { echo "$output"; false; }
	guest_run "$G" mv /root/away /root/ca.secret
	profile '{ "listen": ["'$ADDRESS':2376"] }' '{}'
	guest_run "$G" docker run -d --name job bb:1 sleep 100000 >/dev/null
	refused "a restart of Docker, which the API needs, stops 1 containers"
	guest_run "$G" docker rm -f job >/dev/null
	guest_run "$G" sh -c 'mkdir -p /etc/systemd/system/docker.socket.d
		printf "[Socket]\nListenStream=127.0.0.1:2375\n" >/etc/systemd/system/docker.socket.d/open.conf; systemctl daemon-reload'
	refused "Docker listens on TCP already: '127.0.0.1:2375 (Stream)' in docker.socket"
	guest_run "$G" sh -c 'rm -r /etc/systemd/system/docker.socket.d; systemctl daemon-reload
		cp -p /etc/default/docker /run/docker.default; echo "DOCKER_OPTS=\"-H tcp://127.0.0.1:2375\"" >>/etc/default/docker'
	refused "Docker listens on TCP already: 'tcp://127.0.0.1:2375' in /etc/default/docker"
	guest_run "$G" cp -p /run/docker.default /etc/default/docker
	as_before
}

# ---- killed in the midst of it ----

# killed VERB CONDITION...: the run is killed, worker and supervisor, as soon as the command CONDITION succeeds.
killed() {
	guest_run "$G" sh -c '
		verb=$1; shift
		sysboxup $verb --profile /run/profile.json >/root/out 2>&1 & p=$!
		until w=$(pgrep -P $p) && "$@" >/dev/null 2>&1; do kill -0 $p || exit 9; done
		kill -KILL $p $w; wait $p; exit 0' sh "$@"
}

@test "killed when certificates are issued, when the keys are there, the units are, the socket is open, or Docker restarts: recover closes all of it; a boot does too" {
	host bookworm
	outside
	snap before
	local condition
	# the first run issues them, and all others find them in force
	profile '{ "listen": ["'$ADDRESS':2376"], "names": ["new.example.org"] }' '' '{ "name": "job-7" }'
	for condition in 'test -e /var/lib/sysboxup/pki/gen/000005' 'test -e /etc/sysboxup/api/server' 'grep -q tlsverify /etc/docker/daemon.json' \
		'test -e /etc/systemd/system/docker.service.d/50-sysboxup-api.conf' 'systemctl is-active sysboxup-api.socket' \
		'grep -q restarting /root/out'; do
		# shellcheck disable=SC2086 # words
		killed apply $condition
		run -0 guest_run "$G" sysboxup recover
		guest_run "$G" rm -f /root/out
		as_before
	done
	killed apply systemctl is-active sysboxup-api.socket
	guest_kill "$G"
	guest_reboot "$G"
	guest_wait "$G" sh -c '! systemctl is-active sysboxup-recover-late.service sysboxup-recover.service | grep -q activating'
	outside
	guest_run "$G" sysboxup status
	closed
	[ "$(guest_run "$G" sysboxup -q cert list | grep -cE '^(api|ci-job-7) ')" -eq 3 ]
	snap after
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after" | grep -v -e /var/log -e random-seed -e timers || :
	run ! guest_run "$G" test -e /etc/sysboxup/api
}
