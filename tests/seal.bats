#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# No secret and no identity that clones would share: in a tree, in a hostile tree, and on a machine that runs.
bats_require_minimum_version 1.5.0

setup_file() {
	export GUEST_DOCKER=--iptables=false
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup "$SYSBOXUP_BUILD/tools/hostdiff"
}

setup() {
	# shellcheck source=tests/guest/guest.bash
	. "$REPO/tests/guest/guest.bash"
	GUEST=seal-$$
	. "$REPO/tests/lib/image.bash"
	UP=$SYSBOXUP_BUILD/sysboxup
	R=$BATS_TEST_TMPDIR/root
	image_make "$R"
}

teardown() {
	guest_destroy "$GUEST"
}

# Everything that a machine which ran once has.
lived_in() {
	mkdir -p "$R"/var/lib/{docker/{swarm/certificates,containers},dbus,systemd} "$R/etc/ssh" \
		"$R/var/lib/containerd/io.containerd.grpc.v1.introspection"
	echo 7d4e7f2c-0000-4000-8000-000000000001 >"$R/var/lib/docker/engine-id"
	echo '{ "kty": "EC", "d": "secret" }' >"$R/etc/docker/key.json"
	echo key >"$R/var/lib/docker/swarm/certificates/swarm-node.key"
	echo 7d4e7f2c-0000-4000-8000-000000000002 >"$R/var/lib/containerd/io.containerd.grpc.v1.introspection/uuid"
	echo 0123456789abcdef0123456789abcdef | tee "$R/etc/machine-id" >"$R/var/lib/dbus/machine-id"
	head -c 512 /dev/zero >"$R/var/lib/systemd/random-seed"
	head -c 64 /dev/zero >"$R/var/lib/systemd/credential.secret"
	touch "$R"/etc/ssh/ssh_host_{rsa,ed25519}_key{,.pub} "$R/etc/ssh/sshd_config"
}

seal() {
	"$UP" --root "$R" seal "$@"
}

# The output, wherever its lines were broken.
flat() {
	tr -s ' \n' ' ' <<<"$output"
}

ids() {
	seal --json 2>/dev/null | jq -r 'select(.event == "check") | .id' | sort -u | tr '\n' ' '
}

@test "a tree that never ran is sealed" {
	run -0 seal
	[ "$output" = "Sealed: nothing here would be the same in every clone." ]
}

@test "each secret and each identity is named, with the reason; looking changes nothing; exit 7" {
	lived_in
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
	run -7 seal
	[[ $output == *"ssh-host-keys: /etc/ssh/ssh_host_ed25519_key"*"can pose as any other"* ]]
	[[ $(flat) == *"try: sysboxup seal --fix --root $R "* ]]
	[[ $output == *"sysboxup: 12 things would be the same in every clone"*"host: nothing was touched" ]]
	[ "$(ids)" = "containerd-uuid credential-secret dbus-machine-id docker-engine-id docker-key docker-swarm machine-id random-seed ssh-host-keys " ]
	image_snap "$R" | cmp - "$BATS_TEST_TMPDIR/before"
}

@test "--fix takes away exactly that, leaves an empty machine-id for systemd to fill, and the second look finds nothing" {
	lived_in
	find "$R" -printf '%P\n' | sort >"$BATS_TEST_TMPDIR/before"
	run -0 seal --fix
	[ -e "$R/etc/machine-id" ] && [ ! -s "$R/etc/machine-id" ]
	[ -e "$R/etc/ssh/sshd_config" ] && [ -e "$R/etc/docker/daemon.json" ]
	run -0 seal
	find "$R" -printf '%P\n' | sort | comm -23 "$BATS_TEST_TMPDIR/before" - >"$BATS_TEST_TMPDIR/gone"
	[ "$(cat "$BATS_TEST_TMPDIR/gone")" = "etc/docker/key.json
etc/ssh/ssh_host_ed25519_key
etc/ssh/ssh_host_ed25519_key.pub
etc/ssh/ssh_host_rsa_key
etc/ssh/ssh_host_rsa_key.pub
var/lib/containerd/io.containerd.grpc.v1.introspection/uuid
var/lib/dbus/machine-id
var/lib/docker/engine-id
var/lib/docker/swarm/certificates
var/lib/docker/swarm/certificates/swarm-node.key
var/lib/systemd/credential.secret
var/lib/systemd/random-seed" ]
}

@test "containers, what opens an authority's key, and an interrupted run are not ours to take away: named with what to do, exit 7 after --fix too" {
	lived_in
	mkdir -p "$R/var/lib/docker/containers/0123" "$R"/{var/lib,etc}/sysboxup
	touch "$R/var/lib/sysboxup/unfinished" "$R/etc/sysboxup/ca.secret"
	run -7 seal --fix
	[[ $output == *"docker-containers: /var/lib/docker/containers/0123"*"try: docker rm those"* ]]
	[[ $(flat) == *"authority-secret: /etc/sysboxup/ca.secret "*"try: rm $R/etc/sysboxup/ca.secret, together with that authority"* ]]
	[[ $(flat) == *"unfinished: /var/lib/sysboxup/unfinished "*"try: sysboxup recover --root $R "* ]]
	[[ $output == *"host: what is said to be removed is removed; there is no way back from that" ]]
	[ -d "$R/var/lib/docker/containers/0123" ] && [ -e "$R/var/lib/sysboxup/unfinished" ] && [ -e "$R/etc/sysboxup/ca.secret" ]
}

@test "an id that is not made yet, and links, are none" {
	echo uninitialized >"$R/etc/machine-id"
	mkdir -p "$R/var/lib/dbus"
	ln -s /etc/machine-id "$R/var/lib/dbus/machine-id"
	run -0 seal
}

@test "a hostile tree: links lead nowhere outside of it" {
	local outside=$BATS_TEST_TMPDIR/outside
	lived_in
	mkdir -p "$outside"
	touch "$outside/ssh_host_rsa_key" "$outside/engine-id"
	rm -r "$R/etc/ssh" "$R/var/lib/docker"
	ln -s "$outside" "$R/etc/ssh"
	ln -s "../../../../../../../..$outside" "$R/var/lib/docker"
	run -0 seal --fix
	[ -e "$outside/ssh_host_rsa_key" ] && [ -e "$outside/engine-id" ]
}

@test "on a machine that runs: clones get an engine id, a machine id and keys of their own" {
	local guest=$GUEST engine machine
	guest_boot "$guest"
	guest_put "$guest" "$UP" /usr/bin/sysboxup
	engine=$(guest_run "$guest" docker info -f '{{.ID}}')
	machine=$(guest_run "$guest" cat /etc/machine-id)
	run -7 guest_run "$guest" sysboxup seal
	run guest_run "$guest" sysboxup seal --fix
	echo "$output"
	[ "$status" -eq 0 ]
	guest_reboot "$guest"
	guest_run "$guest" docker version >/dev/null
	[ "$(guest_run "$guest" docker info -f '{{.ID}}')" != "$engine" ]
	[ "$(guest_run "$guest" cat /etc/machine-id)" != "$machine" ]
}
