#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The throw-away guests and the stand-in package are what other tests rest on: they are proven here, together
# with the harm that sysboxup exists to prevent.

bats_require_minimum_version 1.5.0

setup_file() {
	# shellcheck source=tests/guest/guest.bash
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
	make -s -C "$BATS_TEST_DIRNAME/tools"
	"$BATS_TEST_DIRNAME/standin/build" "$BATS_FILE_TMPDIR/sysbox.deb" 0.7.0.linux
	guest_boot harness
}

teardown_file() {
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
	guest_destroy harness
	guest_destroy harness-b
}

setup() {
	. "$BATS_TEST_DIRNAME/guest/guest.bash"
	hostdiff=$BATS_TEST_DIRNAME/../build/tools/hostdiff
}

# What a person types before `dpkg -i`.
install_dependencies() {
	guest_run "$1" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends jq fuse3 rsync lsb-release iptables >/dev/null 2>&1
}

install_standin() {
	guest_put "$1" "$BATS_FILE_TMPDIR/sysbox.deb" /root/sysbox.deb
	guest_run "$1" env DEBIAN_FRONTEND=noninteractive dpkg -i /root/sysbox.deb
}

dockerd_of() {
	guest_run "$1" systemctl show -P MainPID docker.service
}

@test "a guest boots to a running system in which Docker answers" {
	run -0 guest_run harness systemctl is-system-running
	[ "$output" = running ]
	run -0 guest_run harness docker version --format '{{.Server.Version}}'
	[[ $output =~ ^(20\.10|26\.1)\. ]]
	run -0 guest_run harness docker run --rm bb:1 echo hello
	[ "$output" = hello ]
}

@test "a guest lacks what Sysbox's package depends on, and has a package source without a network" {
	run -0 guest_run harness sh -c 'for p in jq rsync fusermount3 lsb_release; do command -v $p; done; true'
	[ -z "$output" ]
	run -0 guest_run harness apt-get -s -qq install jq fuse3 rsync lsb-release
	[[ $output == *"Inst jq "* && $output == *"Inst fuse3 "* && $output == *"Inst rsync "* ]]
}

@test "exit status, standard input and files pass through" {
	run -7 guest_run harness sh -c 'exit 7'
	run -0 guest_run harness cat <<<"over there"
	[ "$output" = "over there" ]
	printf 'a\0b' >"$BATS_TEST_TMPDIR/file"
	chmod 0750 "$BATS_TEST_TMPDIR/file"
	guest_put harness "$BATS_TEST_TMPDIR/file" /root/new/dir/file
	guest_get harness /root/new/dir/file | cmp - "$BATS_TEST_TMPDIR/file"
	run -0 guest_run harness stat -c %a /root/new/dir/file
	[ "$output" = 750 ]
	mkdir -p "$BATS_TEST_TMPDIR/tree/lib/tree"
	echo leaf >"$BATS_TEST_TMPDIR/tree/lib/tree/leaf"
	guest_put_tree harness "$BATS_TEST_TMPDIR/tree" /
	run -0 guest_get harness /usr/lib/tree/leaf
	[ "$output" = leaf ]
}

@test "a guest reaches nothing outside, and its sysctls are not this machine's" {
	run ! guest_run harness timeout 1 sh -c 'busybox nc -w 1 198.51.100.1 80 </dev/null'
	local before
	before=$(cat /proc/sys/fs/inotify/max_user_instances)
	guest_run harness sysctl -q -w fs.inotify.max_user_instances=4321
	run -0 guest_run harness sysctl -n fs.inotify.max_user_instances
	[ "$output" = 4321 ]
	[ "$(cat /proc/sys/fs/inotify/max_user_instances)" = "$before" ]
}

@test "nothing begins by the clock in a guest: no timer of the distribution, nor that of man-db once it is there" {
	run -0 guest_run harness systemctl list-timers --no-legend
	[ -z "$output" ]
	run ! guest_run harness systemctl is-enabled man-db.timer
	[ "$output" = masked ]
}

@test "a guest's /var/lib can be idmapped" {
	run -0 guest_run harness stat -f -c %T /var/lib
	[ "$output" = ext2/ext3 ]
}

@test "a user namespace in a guest may mount proc and sysfs of its own" {
	guest_run harness unshare -Urmpfn --mount-proc mount -t sysfs sysfs /sys
}

@test "a waited-for condition that never comes fails" {
	GUEST_DEADLINE=1 run ! guest_wait harness test -e /nonexistent
	guest_wait harness test -e /root/bb.tar
}

@test "two snapshots of an idle guest show no difference, seen from inside or from outside" {
	guest_put harness "$hostdiff" /run/hostdiff
	guest_run harness /run/hostdiff snap / >"$BATS_TEST_TMPDIR/inside"
	"$hostdiff" snap "/proc/$(guest_pid harness)/root" >"$BATS_TEST_TMPDIR/outside"
	run -0 "$hostdiff" compare "$BATS_TEST_TMPDIR/inside" "$BATS_TEST_TMPDIR/outside" --ours /
	[ "$(wc -l <"$BATS_TEST_TMPDIR/inside")" -gt 5000 ]
}

@test "a snapshot that looks only into what is not the image's is the whole one" {
	guest_snap harness >"$BATS_TEST_TMPDIR/untouched"
	guest_run harness sh -ec '
		touch -r /etc/hosts /root/time
		echo 127.0.0.1 otherhost guest >/etc/hosts	# as long as before
		touch -r /root/time /etc/hosts
		chmod 0600 /etc/issue; setfattr -n user.note -v mine /etc/passwd; ln -sfn /nowhere /etc/mtab
		cp -a /etc/docker /etc/docker.new; mv /etc/docker /root/docker.old; mv /etc/docker.new /etc/docker'
	guest_snap harness >"$BATS_TEST_TMPDIR/short"
	"$hostdiff" snap "/proc/$(guest_pid harness)/root" >"$BATS_TEST_TMPDIR/full"
	cmp "$BATS_TEST_TMPDIR/short" "$BATS_TEST_TMPDIR/full"
	run -1 "$hostdiff" compare "$BATS_TEST_TMPDIR/untouched" "$BATS_TEST_TMPDIR/short"
	[[ $output == *"/etc/hosts differs: content"* ]]
}

@test "kill -9 of the host keeps the disk, and it boots again" {
	guest_run harness sh -c 'echo kept >/root/kept; sync /root/kept'
	guest_kill harness
	run ! guest_alive harness
	run -0 guest_look harness cat root/kept
	[ "$output" = kept ]
	guest_reboot harness
	run -0 guest_get harness /root/kept
	[ "$output" = kept ]
	run -0 guest_run harness docker run --rm bb:1 echo again
	[ "$output" = again ]
}

@test "kill -9 of the host ends all at once: who waits for another one does not live to see its end" {
	guest_run harness sh -c "systemd-run --unit=endless -p Type=oneshot --no-block sleep 1000; touch /root/waits
		systemctl start endless; rm /root/waits" 3>&- &
	guest_wait harness pgrep -fx 'systemctl start endless'
	guest_kill harness
	wait $! || :
	run -0 guest_look harness ls root/waits
	guest_reboot harness
}

@test "without systemd a command runs alone in the same root" {
	run -0 guest_exec_root harness-b sh -c 'cat /proc/1/comm; test -e /run/docker.sock || echo alone'
	[[ $output == *alone ]]
	run -3 guest_exec_root harness-b sh -c 'exit 3'
	guest_destroy harness-b
}

@test "on a machine with cgroup v2 alone a guest boots and runs containers too" {
	run -0 unshare -m --propagation private bash -c '
		umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit
		. "$1"
		guest_boot harness-b && guest_run harness-b docker info --format "{{.CgroupVersion}}" 2>/dev/null &&
			guest_run harness-b docker run --rm bb:1 echo hello && guest_destroy harness-b' \
		x "$BATS_TEST_DIRNAME/guest/guest.bash"
	[ "$output" = 2$'\n'hello ]
}

@test "plain dpkg -i of the stand-in with 10 containers restarts Docker under them" {
	install_dependencies harness
	guest_run harness sh -c 'for i in 0 1 2 3 4 5 6 7 8 9; do docker run -d --name c$i bb:1 sleep 1000; done'
	local before
	before=$(dockerd_of harness)
	install_standin harness
	[ "$(dockerd_of harness)" != "$before" ]
	run -0 guest_run harness docker ps -q
	[ -z "$output" ]
	run -0 guest_get harness /etc/docker/daemon.json
	[[ $output == *'"sysbox-runc"'*'"bip": "172.20.0.1/16"'*'"default-address-pools"'* ]]
	run -0 guest_get harness /etc/subuid
	[[ $output == *sysbox:*:65536 ]]
	run -0 guest_run harness sysctl -n fs.inotify.max_user_instances
	[ "$output" = 1048576 ]
}

@test "the stand-in's units run and its runtime maps a container into the range of user sysbox" {
	run -0 guest_run harness systemctl is-active sysbox sysbox-mgr sysbox-fs
	[ "$output" = active$'\n'active$'\n'active ]
	run -0 guest_run harness sysbox-runc --version
	[[ $output == sysbox-runc*version:*0.7.0* ]]
	local start
	start=$(guest_get harness /etc/subuid | sed -n 's/^sysbox:\([0-9]*\):65536$/\1/p')
	run -0 guest_run harness docker run --rm --runtime sysbox-runc bb:1 cat /proc/self/uid_map
	[[ $output =~ ^\ *0\ +$start\ +65536$ ]]
	run -0 guest_run harness docker run --rm bb:1 cat /proc/self/uid_map
	[[ $output =~ ^\ *0\ +0\ +4294967295$ ]]
}

@test "the stand-in's runtime refuses when its daemons are down, and they wipe /var/lib/sysbox" {
	guest_run harness touch /var/lib/sysbox/data
	guest_run harness systemctl stop sysbox
	run ! guest_run harness test -e /var/lib/sysbox/data
	run ! guest_run harness docker run --rm --runtime sysbox-runc bb:1 true
	[[ $output == *sysmgr.sock* ]]
}

@test "purge of the stand-in leaves what the real one leaves" {
	guest_run harness env DEBIAN_FRONTEND=noninteractive dpkg --purge sysbox-ce
	run -0 guest_get harness /etc/docker/daemon.json
	[[ $output == *'"runtimes": {}'*'"bip"'* ]]
	guest_run harness test -d /var/lib/sysboxfs
	guest_run harness grep -q ^sysbox: /etc/passwd
	run ! guest_run harness test -e /usr/bin/sysbox-runc
}

@test "two containers present: the stand-in refuses and stays half-configured" {
	guest_run harness sh -c 'docker rm -f $(docker ps -aq); rm /etc/docker/daemon.json; systemctl restart docker' >/dev/null
	guest_run harness sh -c 'docker run -d bb:1 sleep 1000; docker run -d bb:1 sleep 1000' >/dev/null
	run -1 install_standin harness
	run -0 guest_run harness dpkg-query -W -f '${db:Status-Abbrev}' sysbox-ce
	[[ $output == iF* ]]
}

@test "a destroyed guest leaves nothing" {
	local dir pid
	dir=$(guest_dir harness)
	pid=$(guest_pid harness)
	mapfile -t groups <"$dir/cgroups"
	guest_destroy harness
	[ ! -e "$dir" ]
	[ ! -e "/proc/$pid" ]
	for group in "${groups[@]}"; do [ ! -e "$group" ]; done
	run losetup -n -O BACK-FILE
	[[ $output != *"$dir/"* ]]
	run ! grep -q "$dir/" /proc/self/mountinfo
}
