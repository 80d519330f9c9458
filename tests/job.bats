#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The main job on real hosts: Debian 12 and 13 with systemd and Docker, the stand-in package, both methods.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup"
	make -s -C "$REPO/tests/tools"
	. "$REPO/tests/lib/install.bash"
	BUILD=$SYSBOXUP_BUILD install_prepare "$BATS_FILE_TMPDIR" 0.7.0
}

setup() {
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/install.bash"
	G=job-$BATS_TEST_NUMBER-$$
}

teardown() {
	guest_destroy "$G"
}

up() {
	guest_run "$G" sysboxup --profile /srv/demo/profile.json "$@"
}

snap() {
	guest_snap "$G" --skip /var/lib/sysboxup >"$BATS_TEST_TMPDIR/$1"
}

# host SUITE METHOD: boots it, everything in place, three containers at work.
host() {
	guest_boot "$G" "$1"
	install_into "$G" "$BATS_FILE_TMPDIR"
	guest_run "$G" sed -i "s/\"version\": \"latest\"/\"version\": \"latest\", \"method\": \"$2\"/; s/\"method\": \"auto\", *//; s/, *\"method\": \"auto\"//" /srv/demo/profile.json
	guest_run "$G" bash -c '
		docker network create extra >/dev/null
		docker run -d --name one bb:1 sleep 10000 >/dev/null
		docker run -d --name two --network extra --restart always bb:1 sleep 10000 >/dev/null
		docker create --name three bb:1 true >/dev/null'
}

containers() {
	guest_run "$G" docker inspect -f '{{.Name}} {{.State.Pid}} {{.State.StartedAt}} {{.State.Status}}' one two three
}

docker_pid() {
	guest_run "$G" systemctl show -P MainPID docker
}

whole_job() {
	local containers pid
	host "$1" "$2"
	[ "$2" = deb ] || guest_run "$G" bash -c 'apt-get install -y -qq fuse3 rsync >/dev/null 2>&1'
	containers=$(containers)
	pid=$(docker_pid)
	snap before

	run -7 up plan --check --force container
	run -0 up apply --force container
	[[ $output == *"ran under sysbox-runc; its ids 0-65535 are "* ]]
	[ "$(containers)" = "$containers" ]
	[ "$(docker_pid)" = "$pid" ]
	run -0 guest_run "$G" docker run --rm --runtime=sysbox-runc bb:1 cat /proc/self/uid_map
	[[ $output =~ ^\ +0\ +[1-9][0-9]{5,}\ +65536$ ]]
	run -0 guest_run "$G" systemctl is-active sysbox sysbox-mgr sysbox-fs
	run -0 guest_run "$G" systemctl is-enabled sysbox sysbox-mgr sysbox-fs

	snap applied
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]]
	snap again
	"$REPO/build/tools/hostdiff" compare "$BATS_TEST_TMPDIR/applied" "$BATS_TEST_TMPDIR/again" \
		--ours /etc --ours /usr --ours /var/lib/dpkg
	run up verify
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	run -0 up status
	# who did it is written down: on a host, not in an image
	run -0 guest_run "$G" sysboxup history --json
	head -n 1 <<<"$output" | jq -e '.class == "apply" and .argv[-2:] == ["--force", "container"] and .uid == 0 and (has("image") | not)'

	run -0 guest_run "$G" sysboxup rollback
	snap after
	"$REPO/build/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	[ "$(containers)" = "$containers" ]
	[ "$(docker_pid)" = "$pid" ]
	run guest_run "$G" docker info -f '{{json .Runtimes}}'
	[[ $output != *sysbox-runc* ]]
	run -0 guest_run "$G" bash -c '! getent passwd sysbox && ! dpkg -s sysbox-ce 2>/dev/null && docker run --rm bb:1 true'
}

@test "Debian 12 by deb: applied, proven, nothing to do, rolled back to the byte; Docker and its containers never noticed" {
	whole_job bookworm deb
}

@test "Debian 12 by files: applied, proven, nothing to do, rolled back to the byte; Docker and its containers never noticed" {
	whole_job bookworm files
}

@test "Debian 13 by deb: applied, proven, nothing to do, rolled back to the byte; Docker and its containers never noticed" {
	whole_job trixie deb
}

@test "Debian 13 by files: applied, proven, nothing to do, rolled back to the byte; Docker and its containers never noticed" {
	whole_job trixie files
}

@test "Debian 12: forget leaves package, units, account and Docker's runtime at work, and no state; the next boot knows nothing of us" {
	host bookworm deb
	run -0 up apply --force container
	snap applied
	run -0 guest_run "$G" sysboxup forget
	[[ $output == *"packages: stays as it is"* ]]
	snap forgotten
	"$REPO/build/tools/hostdiff" compare "$BATS_TEST_TMPDIR/applied" "$BATS_TEST_TMPDIR/forgotten" \
		--ours /etc --ours /usr --ours /var/lib/dpkg
	run -0 guest_run "$G" bash -c '! ls -d /var/lib/sysboxup 2>/dev/null && getent passwd sysbox && dpkg -s sysbox-ce | grep -x "Status: install ok installed"'
	run -0 guest_run "$G" docker run --rm --runtime=sysbox-runc bb:1 cat /proc/self/uid_map
	[[ $output =~ ^\ +0\ +[1-9][0-9]{5,}\ +65536$ ]]
	run -0 guest_run "$G" sysboxup uninstall
	[ "$output" = "Nothing was ever changed here by sysboxup." ]
	guest_reboot "$G"
	run -0 guest_run "$G" docker run --rm --runtime=sysbox-runc bb:1 true
	run -0 guest_run "$G" sysboxup status
	[[ $output == *"Nothing was ever changed here by sysboxup."* ]]
}
