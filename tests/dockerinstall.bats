#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# docker.install on a Debian without Docker: the distribution's own engine, in the same transaction as Sysbox. Its packages
# are those of the guest, put together again from what is installed, with their own scripts; then the guest loses Docker.
# shellcheck disable=SC2016 # what is quoted is for the shell in the guest
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup" "$SYSBOXUP_BUILD/tools/hostdiff"
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/install.bash"
	BUILD=$SYSBOXUP_BUILD install_prepare "$BATS_FILE_TMPDIR" 0.7.0
}

setup() {
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/install.bash"
	G=dockerinstall-$BATS_TEST_NUMBER-$$
}

teardown() {
	guest_destroy "$G"
}

in_guest() {
	guest_run "$G" "$@"
}

# begin SUITE: a host without Docker (and without iptables, which Docker and Sysbox need both), whose apt has it.
begin() {
	guest_boot "$G" "$1"
	install_into "$G" "$BATS_FILE_TMPDIR"
	in_guest bash -euc '
		cd /srv/pool
		for p in docker.io containerd runc iptables; do
			d=/root/again/$p
			mkdir -p "$d/DEBIAN"
			dpkg -L "$p" | while read -r f; do
				[ -d "$f" ] || [ -e "$d$f" ] || { mkdir -p "$d${f%/*}"; cp -a "$f" "$d$f"; }
			done
			dpkg -s "$p" | sed "/^Status:/d; /^Conffiles:/,/^[A-Z]/{/^Conffiles:/d; /^ /d}" >"$d/DEBIAN/control"
			for f in conffiles postinst postrm preinst prerm; do
				[ ! -e "/var/lib/dpkg/info/$p.$f" ] || cp -a "/var/lib/dpkg/info/$p.$f" "$d/DEBIAN/$f"
			done
			dpkg-deb -Znone -b "$d" "$p.deb" >/dev/null
			{ dpkg-deb -f "$p.deb"; echo "Filename: ./$p.deb"; echo "Size: $(stat -c %s "$p.deb")"
				echo "SHA256: $(sha256sum <"$p.deb" | cut -d" " -f1)"; echo; } >>Packages.new
			rm -rf "$d"
		done
		cat Packages >>Packages.new
		mv Packages.new Packages
		apt-get -qq update
		systemctl stop docker.service docker.socket containerd.service
		apt-get -qq -y purge docker.io containerd runc iptables >/dev/null 2>&1
		rm -rf /var/lib/docker /var/lib/containerd /etc/docker /root/again /run/docker*
		groupdel docker
		ip link del docker0
		systemctl reset-failed
		[ ! -e /usr/sbin/dockerd ]' begin
	profile '.docker.install = "distribution"'
}

# profile FILTER: made by jq of the one that wants Sysbox.
profile() {
	jq "$1" "$BATS_FILE_TMPDIR/catalog/profile.json" >"$BATS_TEST_TMPDIR/profile.json"
	guest_put "$G" "$BATS_TEST_TMPDIR/profile.json" /run/profile.json
}

apply() {
	in_guest sysboxup --profile /run/profile.json apply --force container 2>&1
}

# What dpkg knows of a package; nothing, or that it is unknown ("un"), is nothing.
state_of() {
	in_guest dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | sed '/^un /d'
}

snap() {
	in_guest sync -f /
	guest_snap "$G" >"$BATS_TEST_TMPDIR/$1"
	guest_get "$G" /var/lib/dpkg/status >"$BATS_TEST_TMPDIR/$1.status"
}

# As before, but for what Docker's users own: its data, what it made in /etc/docker, the group.
as_before() {
	snap now
	cmp "$BATS_TEST_TMPDIR/before.status" "$BATS_TEST_TMPDIR/now.status"
	run "$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/now"
	output=$(grep -vE '^/(var/lib/(docker|containerd)|etc/docker|opt/containerd)[ /]|^/etc/g?(group|shadow) ' <<<"$output" || :)
	echo "$output"
	[ -z "$output" ]
	[ -z "$(in_guest dpkg --audit)" ]
}

@test "Docker comes in the same transaction as Sysbox, a container proves both; rollback takes out the engine, never its data" {
	begin bookworm
	snap before
	run -0 in_guest sysboxup --profile /run/profile.json plan --force container
	[[ $output == *"+ packages:docker.io  install docker.io (dpkg) and what it depends on"* ]]
	[[ $output == *"docker-present: Docker is not installed yet: apt will install docker.io"* ]]
	run -0 apply
	[ "$(state_of docker.io)$(state_of runc)$(state_of iptables)$(state_of sysbox-ce)" = "ii ii ii ii " ]
	run -0 in_guest apt-mark -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= showmanual docker.io containerd runc iptables
	[ "$output" = docker.io ]
	run -0 in_guest docker info -f '{{ range $k, $v := .Runtimes }}{{ $k }} {{ end }}'
	[[ $output == *sysbox-runc* ]]
	run -0 apply
	[[ $output == *othing* ]]
	run -0 in_guest sysboxup status

	in_guest sh -c 'docker import /root/bb.tar bb:1 && docker volume create kept && docker run -d --name busy -v kept:/v bb:1 sh -c "echo mine >/v/file; sleep 100000"' >/dev/null
	run -3 in_guest sysboxup rollback
	[[ $output == *"Docker would go, and containers run: busy"* ]]
	run -3 in_guest sysboxup rollback --stop-containers
	in_guest docker stop -t 1 busy >/dev/null
	run -0 in_guest sysboxup rollback
	[ -z "$(state_of docker.io)$(state_of containerd)$(state_of runc)$(state_of iptables)$(state_of sysbox-ce)" ]
	[ "$(in_guest systemctl is-active docker.service docker.socket containerd.service | sort -u)" = inactive ]
	as_before

	run -0 apply
	[ "$(in_guest docker run --rm -v kept:/v bb:1 cat /v/file)" = mine ]
	in_guest docker rm busy >/dev/null
	run -0 in_guest sysboxup -q uninstall
	as_before
	run -0 in_guest sysboxup rollback 4	# of the uninstall
	run -0 in_guest docker info -f '{{ range $k, $v := .Runtimes }}{{ $k }} {{ end }}'
	[[ $output == *sysbox-runc* ]]
	run -0 in_guest sysboxup status
}

# killed_when PATH: apply and with it dpkg are killed as soon as that is there.
killed_when() {
	in_guest sh -c 'sysboxup --profile /run/profile.json apply --force container >/run/out 2>&1 & p=$!
		until [ -e "$1" ]; do kill -0 $p || exit 9; done
		kill -KILL $p $(pgrep -P $p); wait $p; exit 0' sh "$1"
	run -6 apply
	run -0 in_guest sysboxup recover
	[ -z "$(state_of docker.io)$(state_of containerd)$(state_of iptables)$(state_of sysbox-ce)" ]
	[ "$(in_guest systemctl is-active docker.service docker.socket containerd.service | sort -u)" = inactive ]
	as_before
}

@test "killed while dpkg unpacks Docker, and when Docker has started: recover takes it out again" {
	begin bookworm
	snap before
	killed_when /usr/sbin/dockerd
	killed_when /run/docker.pid
}

@test "a Docker that does not start takes all of it back; without docker.install preflight says what to type" {
	begin trixie
	in_guest sh -c 'mkdir -p /etc/systemd/system/docker.service.d; printf "[Service]\nExecStartPre=/bin/false\n" >/etc/systemd/system/docker.service.d/no.conf; systemctl daemon-reload'
	snap before
	run -1 apply
	[[ $output == *"docker.service"* ]]
	[ -z "$(state_of docker.io)$(state_of containerd)$(state_of runc)$(state_of sysbox-ce)" ]
	as_before
	profile 'del(.docker)'
	run -3 apply
	[[ $output == *"docker-present: Docker is not installed"*"try: apt-get install docker.io"* ]]

	# with docker.hold, and then upgraded all the same
	in_guest rm -r /etc/systemd/system/docker.service.d
	in_guest systemctl daemon-reload
	snap before
	profile '.docker = { "install": "distribution", "hold": true }'
	run -0 apply
	[ "$(in_guest dpkg --get-selections | awk '$2 == "hold" { printf "%s ", $1 }')" = "containerd docker-cli docker.io runc " ]
	local version
	version=$(in_guest dpkg-query -W -f '${Version}' docker.io)
	in_guest sed -i "/^Package: docker.io$/,/^$/s/^Version: .*/Version: $version+later/" /var/lib/dpkg/status
	run -0 in_guest sysboxup status
	run -3 in_guest sysboxup uninstall
	[[ $(tr -s ' \n' ' ' <<<"$output") == *"package 'docker.io' was upgraded since: $version+later is installed, and was $version"*"dpkg -i /var/lib/sysboxup/debs/docker.io_"* ]]
	in_guest sed -i "/^Package: docker.io$/,/^$/s/^Version: .*/Version: $version/" /var/lib/dpkg/status
	run -0 in_guest sysboxup uninstall
	[ -z "$(state_of docker.io)$(state_of containerd)$(state_of runc)$(state_of sysbox-ce)" ]
	as_before
}
