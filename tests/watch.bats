#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Months later: somebody upgrades Docker by dpkg, to a version with which nothing works any more. The new dockerd is a
# stand-in that does not start; its package is the old one of this host, taken apart and put together again.
# shellcheck disable=SC2016 # what is quoted is for the shell in the guest
bats_require_minimum_version 1.5.0

setup_file() {
	export GUEST_DOCKER=--iptables=false
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup"
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/install.bash"
	BUILD=$SYSBOXUP_BUILD install_prepare "$BATS_FILE_TMPDIR" 0.7.0
}

setup() {
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/install.bash"
	G=watch-$BATS_TEST_NUMBER-$$
}

teardown() {
	guest_destroy "$G"
}

in_guest() {
	guest_run "$G" "$@"
}

# package DIR VERSION: docker.io as it is installed, as DIR.deb of that version; what is in DIR already stays as it is.
package() {
	in_guest bash -euc '
		mkdir -p "$1/DEBIAN"
		dpkg -L docker.io | while read -r f; do
			[ -d "$f" ] || [ -e "$1$f" ] || { mkdir -p "$1${f%/*}"; cp -a "$f" "$1$f"; }
		done
		dpkg -s docker.io | sed "/^Status:/d; /^Conffiles:/,/^[A-Z]/{/^Conffiles:/d; /^ /d}; s/^Version:.*/Version: $2/" >"$1/DEBIAN/control"
		printf "#!/bin/sh\nsystemctl reset-failed docker.service docker.socket\nsystemctl restart docker.service || true\n" >"$1/DEBIAN/postinst"
		chmod 0755 "$1/DEBIAN/postinst"
		dpkg-deb -Znone -b "$1" "$1.deb" >/dev/null' package "$1" "$2"
}

# noted EXPRESSION: what the look noted last is so, in jq's words, and the look is over.
noted() {
	in_guest timeout 600 bash -c 'until jq -e "$1" /var/lib/sysboxup/changed.json && [ "$(systemctl show -P SubState sysboxup-watch.service)" != start ]; do sleep 0.2; done >/dev/null' noted "$1"
}

seen() {
	local before
	guest_boot "$G" "$1"
	install_into "$G" "$BATS_FILE_TMPDIR"
	in_guest sysboxup --profile /srv/demo/profile.json -q apply --force container
	[ "$(in_guest systemctl is-active sysboxup-watch.path)" = active ]
	before=$(in_guest dpkg-query -W -f '${Version}' docker.io)
	package /root/old "$before"
	in_guest sh -c 'mkdir -p /root/new/usr/sbin; printf "#!/bin/sh\necho \"stand-in for a dockerd that does not start\" >&2\nexit 1\n" >/root/new/usr/sbin/dockerd; chmod 0755 /root/new/usr/sbin/dockerd'
	package /root/new 29.5.0-1

	run -0 in_guest sysboxup status
	in_guest systemctl -q stop docker.service docker.socket	# its package says the version then
	run -0 in_guest sysboxup status
	in_guest systemctl start docker.socket docker.service
	run -0 in_guest sysboxup verify --quick
	[[ $output == *"runtime-listed: Docker knows sysbox-runc"* && $output != *container:* ]]

	in_guest dpkg -i /root/new.deb
	noted '.docker == "29.5.0" and .bad > 1'
	run -0 in_guest sh -c 'journalctl --sync; journalctl -q -u sysboxup-watch.service -o cat'
	output=$(tr -s ' \n' ' ' <<<"$output")	# long lines are broken
	[[ $output == *"docker-time-namespaces: Docker 29.5.0 asks for time namespaces, Sysbox 0.7.0 knows none"* ]]
	[[ $output == *"install Sysbox 0.7.1 or later, or set docker.settings.features.time-namespaces to false"* ]]
	[[ $output == *"docker: does not answer"* ]]
	[[ $output == *"sysboxup: Docker changed from "*" to 29.5.0 (seen "*"), and since then "*" proofs fail"* ]]
	[ "$(in_guest systemctl is-failed sysboxup-watch.service)" = failed ]
	run -7 in_guest sysboxup status
	[[ $output == *"docker-time-namespaces: Docker 29.5.0 asks"*"Docker changed from "*" to 29.5.0 (seen "* ]]
	run -7 in_guest sysboxup verify --quick

	in_guest dpkg -i --force-downgrade /root/old.deb
	noted '.bad == 0'
	run -0 in_guest sysboxup status
	run -0 in_guest sysboxup -q verify

	# nothing of ours: it is not even asked
	in_guest sysboxup -q uninstall
	run -0 in_guest sysboxup verify --quick --changed
	[ -z "$output" ]
}

@test "Docker 20.10: an upgrade after which nothing works is seen: journal, status with exit 7, the known bad pair by name; back again, all is well" {
	seen bookworm
}

@test "Docker 26.1: the same" {
	seen trixie
}

@test "a rollback in the midst of the look is not taken for something that broke: it is looked once more" {
	guest_boot "$G"
	install_into "$G" "$BATS_FILE_TMPDIR"
	in_guest sysboxup --profile /srv/demo/profile.json -q apply --force container
	in_guest systemctl stop sysboxup-watch.path
	# a pipe that is full holds it at its first line
	run -0 in_guest bash -euc 'mkfifo /run/full
		exec 5<>/run/full
		dd if=/dev/zero of=/run/full bs=4096 count=4096 oflag=nonblock conv=notrunc 2>/dev/null || :
		sysboxup verify --quick --changed >/run/full 2>&1 & p=$!
		until [[ $(</proc/$p/wchan) == *pipe* ]]; do kill -0 $p; sleep 0.1; done
		sysboxup -q rollback
		cat /run/full >/run/out & c=$!
		rc=0; wait $p || rc=$?
		kill $c
		exit $rc'
	run -0 in_guest sh -c 'tr -d "\000" </run/out'
	[[ $output == *"FAILED"*"what a run did meanwhile proves nothing: looking once more"* ]] || { echo "$output"; false; }
	in_guest grep -q "\"bad\": 0" /var/lib/sysboxup/changed.json
}

@test "an upgrade that nobody has looked at, for the look was killed or a boot came before it: status says so, exit 7, and what looks" {
	local before
	guest_boot "$G"
	install_into "$G" "$BATS_FILE_TMPDIR"
	in_guest sysboxup --profile /srv/demo/profile.json -q apply --force container
	before=$(in_guest dpkg-query -W -f '${Version}' docker.io)
	package /root/old "$before"
	in_guest sh -c 'mkdir -p /root/new/usr/sbin; printf "#!/bin/sh\nexit 1\n" >/root/new/usr/sbin/dockerd; chmod 0755 /root/new/usr/sbin/dockerd'
	package /root/new 29.5.0-1
	run -0 in_guest sysboxup status
	# it waits for the package manager until it is killed
	in_guest perl -e 'use Fcntl; open(F, "+<", "/var/lib/dpkg/lock-frontend") or die;
		my $lock = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $lock) or die; exit(system("bash", "-c", @ARGV) >> 8)' '
		touch /var/lib/dpkg/status
		until journalctl --sync; journalctl -q -u sysboxup-watch.service -o cat | grep "waiting for the end of: .*perl"; do sleep 0.1; done
		systemctl stop sysboxup-watch.path; systemctl kill -s KILL sysboxup-watch.service
		until [ "$(systemctl is-active sysboxup-watch.service)" = failed ]; do sleep 0.1; done
		DPKG_FRONTEND_LOCKED=1 dpkg -i /root/new.deb'
	run -7 in_guest sysboxup status
	[[ $output == *"Docker changed from ${before%%-*} to 29.5.0, and sysboxup-watch has not looked since whether everything still works"*"sysboxup verify --quick --changed"* ]] || { echo "$output"; false; }
	run -7 in_guest sysboxup verify --quick --changed
	run -7 in_guest sysboxup status
	[[ $output == *"docker-time-namespaces: Docker 29.5.0 asks"*"Docker changed from "*" to 29.5.0 (seen "* ]]
	in_guest dpkg -i --force-downgrade /root/old.deb
	run -0 in_guest sysboxup verify --quick --changed
	run -0 in_guest sysboxup status
}
