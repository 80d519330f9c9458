#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Another version, an older one, none: by both methods, on a whole Debian with systemd and a real Docker, and back again
# by itself when the new one does not do. The packages are stand-ins; what is wrong with each is in tests/standin/build.
bats_require_minimum_version 1.5.0

# 0.8.1 and so on; the last one breaks daemon.json and then runs no container: breaking it alone comes to nothing.
BAD="no-start dies no-run hang-postinst half-postinst kill-dpkg break-config+no-run"

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup" "$SYSBOXUP_BUILD/tools/hostdiff"
	. "$REPO/tests/lib/install.bash"
	BUILD=$SYSBOXUP_BUILD install_prepare "$BATS_FILE_TMPDIR" 0.7.0 0.7.1
	local mode n=0 debs=("$BATS_FILE_TMPDIR"/debs/*.deb)
	for mode in $BAD; do
		n=$((n + 1))
		# shellcheck disable=SC2046 # words
		"$REPO/tests/standin/build" "$BATS_FILE_TMPDIR/debs/sysbox-ce_0.8.$n.deb" "0.8.$n.linux" $(tr + " " <<<"$mode")
		debs+=("$BATS_FILE_TMPDIR/debs/sysbox-ce_0.8.$n.deb")
	done
	catalog_make "$BATS_FILE_TMPDIR/catalog" /srv/demo "${debs[@]}"
}

setup() {
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/install.bash"
	G=upgrade-$BATS_TEST_NUMBER-$$
	guest_boot "$G"
	install_into "$G" "$BATS_FILE_TMPDIR"
	guest_put "$G" "$SYSBOXUP_BUILD/tools/hostdiff" /root/hostdiff
	guest_run "$G" bash -c 'docker import /root/bb.tar bb:1 >/dev/null
		printf "{\n\t\"debug\" : false,\n  \"labels\": [\"rack=7\"]}" >/etc/docker/daemon.json
		systemctl reload docker'
}

teardown() {
	guest_destroy "$G"
}

# want VERSION METHOD: the profile.
want() {
	guest_run "$G" sed -i -E "s/\"version\": \"[^\"]*\", *\"method\": \"[a-z]*\"/\"version\": \"$1\", \"method\": \"$2\"/" \
		/srv/demo/profile.json
}

up() {
	guest_run "$G" sysboxup "$1" --profile /srv/demo/profile.json --force container "${@:2}"
}

snap() {
	guest_run "$G" /root/hostdiff snap / --skip /var/lib/sysboxup --skip /srv >"$BATS_TEST_TMPDIR/$1"
}

# same NAME: the host is as it was at `snap NAME`, and dpkg has nothing to complain about.
same() {
	snap now
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/$1" "$BATS_TEST_TMPDIR/now"
	[ -z "$(guest_run "$G" dpkg --audit)" ]
}

# runs VERSION: that one is what runs: daemons, runtime, and a container with ids of its own.
runs() {
	run -0 guest_run "$G" systemctl is-active sysbox sysbox-mgr sysbox-fs
	run -0 guest_run "$G" sh -c '/proc/$(systemctl show -P MainPID sysbox-mgr)/exe --version'
	[[ $output == *"version: "*"$1"* ]]
	run -0 guest_run "$G" sysbox-runc --version
	[[ $output == *"version: "*"$1"* ]]
	run -0 guest_run "$G" docker run --rm --runtime sysbox-runc bb:1 cat /proc/self/uid_map
	[[ $output =~ ^\ +0\ +[1-9][0-9]{5,}\ +65536$ ]]
}

dependencies() {
	guest_run "$G" bash -c 'apt-get install -y -qq fuse3 rsync jq lsb-release >/dev/null 2>&1'
}

docker_pid() {
	guest_run "$G" systemctl show -P MainPID docker
}

# up, down, back, away, back: each is one transaction and exact.
versions() {
	local method=$1 arrow=$2 pid
	dependencies
	snap none
	pid=$(docker_pid)
	want 0.7.0 "$method"
	run -0 up apply
	runs 0.7.0
	snap old

	want 0.7.1 "$method"
	run -7 up plan --check
	[[ $output == *"sysbox-ce 0.7.0 -> 0.7.1 ($arrow"* || $output == *"sysbox-ce  0.7.0 -> 0.7.1 ($arrow"* ]]
	[[ $output == *"sysbox-mgr.service, sysbox-fs.service, sysbox.service  restart"* ]]
	[[ $output != *"daemon.json"*"merge"* ]]
	run -0 up apply
	[[ $output == *"looking for 10 s whether sysbox-mgr.service and the others stay up"* ]]
	runs 0.7.1
	snap new
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]]
	run -0 guest_run "$G" sysboxup status

	run -0 guest_run "$G" sysboxup rollback
	same old
	runs 0.7.0
	run -0 guest_run "$G" sysboxup rollback 3
	same new
	runs 0.7.1
	want 0.7.0 "$method"
	run -0 up apply
	[[ $output == *"0.7.1 -> 0.7.0 ($arrow"* ]]
	runs 0.7.0
	[ "$method" = files ] || same old	# files put anew have a time of their own
	snap old

	want absent "$method"
	run -7 up plan --check
	[[ $output == *"sysbox-mgr.service, sysbox-fs.service, sysbox.service  stop"* ]]
	run -0 up apply
	same none
	run -0 up apply
	[[ ${lines[-1]} == "Nothing to do"* ]]
	run -0 guest_run "$G" sysboxup status
	run -0 guest_run "$G" sysboxup rollback
	same old
	runs 0.7.0
	run -0 guest_run "$G" sysboxup uninstall
	same none
	[ "$(docker_pid)" = "$pid" ]
	run guest_run "$G" docker info -f '{{json .Runtimes}}'
	[[ $output != *sysbox-runc* ]]
}

@test "by deb: up, down and away are one transaction each, said in the plan, and each is taken back exactly" {
	versions deb dpkg
}

@test "by files: up, down and away are one transaction each, said in the plan, and each is taken back exactly" {
	versions files files
}

# ---- a new version that does not do ----

# fails N METHOD WORDS [OPTION...]: version 0.8.N is applied, fails with WORDS, and all is as it was.
fails() {
	local words=$3
	want "0.8.$1" "$2"
	run -1 up apply "${@:4}"
	[[ $output == *"$words"* ]] || { echo "$output"; return 1; }
	[[ $output == *"host: as before"* ]] || { echo "$output"; return 1; }
	same old
	runs 0.7.0
}

old_one() {
	dependencies
	want 0.7.0 "$1"
	run -0 up apply
	snap old
	DAEMON_JSON=$(guest_run "$G" sha256sum /etc/docker/daemon.json)
	PID=$(docker_pid)
}

@test "by deb: a new version that does not start, dies after 5 s, runs no container, or breaks daemon.json: the old one is back and works" {
	old_one deb
	fails 1 deb "sysbox-mgr.service did not start"
	fails 2 deb "did not stay up"
	fails 3 deb "FAILED  container: no container runs under runtime 'sysbox-runc'"
	fails 7 deb "FAILED  container: no container runs under runtime 'sysbox-runc'"
	[ "$(guest_run "$G" sha256sum /etc/docker/daemon.json)" = "$DAEMON_JSON" ]
	[ "$(docker_pid)" = "$PID" ]
	# control: without us that script does break it
	guest_run "$G" bash -c 'dpkg -i /srv/demo/sysbox-ce_0.8.7.deb >/dev/null 2>&1 </dev/null || :'
	[ "$(guest_run "$G" sha256sum /etc/docker/daemon.json)" != "$DAEMON_JSON" ]
}

@test "by deb: a postinst that hangs, fails half-way, or has its dpkg killed: the old version is back and works" {
	old_one deb
	fails 4 deb "took longer than" --deadline 8
	fails 5 deb "dpkg --install failed"
	fails 6 deb "dpkg"
	[ "$(docker_pid)" = "$PID" ]
}

@test "by files: a new version that does not start, dies after 5 s, or runs no container: the old one is back and works" {
	old_one files
	fails 1 files "sysbox-mgr.service did not start"
	fails 2 files "did not stay up"
	fails 3 files "FAILED  container: no container runs under runtime 'sysbox-runc'"
	[ "$(docker_pid)" = "$PID" ]
}
