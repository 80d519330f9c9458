#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Containers that run under Sysbox while it is to be taken away. The package is the stand-in.

bats_require_minimum_version 1.5.0

load_libs() {
	# shellcheck source=tests/guest/guest.bash
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
	# shellcheck source=tests/lib/install.bash
	. "$BATS_TEST_DIRNAME/lib/install.bash"
}

setup_file() {
	export GUEST_DOCKER=--iptables=false
	load_libs
	install_prepare "$BATS_FILE_TMPDIR"
	guest_boot inuse
	install_into inuse "$BATS_FILE_TMPDIR"
	guest_run inuse sysboxup --quiet apply --force container --profile /srv/demo/profile.json
}

setup() {
	load_libs
}

teardown_file() {
	load_libs
	guest_destroy inuse
}

@test "rollback is refused while a container runs under the runtime, names it, and touches nothing" {
	guest_run inuse docker run -d --name job --runtime sysbox-runc bb:1 sleep 1000
	guest_run inuse docker run -d --name other bb:1 sleep 1000
	run -3 --separate-stderr guest_run inuse sysboxup rollback --quiet
	# shellcheck disable=SC2154 # set by run
	[[ $stderr == *"containers run under sysbox-runc: job"* ]]
	[[ $stderr != *other* ]]
	run -0 guest_run inuse sysboxup verify --quiet
	run -0 guest_run inuse docker exec job true
}

@test "rollback --force goes on" {
	run -0 guest_run inuse sysboxup rollback --quiet --force
	run ! guest_run inuse test -e /usr/bin/sysbox-runc
	guest_run inuse sysboxup --quiet apply --force container --profile /srv/demo/profile.json
}

@test "rollback goes on when that container has stopped, and the others run on" {
	guest_run inuse docker rm -f job
	run -0 guest_run inuse sysboxup rollback --quiet
	run -0 guest_run inuse docker ps --format '{{.Names}}'
	[ "$output" = other ]
}
