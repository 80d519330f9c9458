#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The distributions that people have: each is recognised by its own os-release (tests/fixtures), told proven from
# recognised from refused, and the refused ones say what to do instead.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup"
}

setup() {
	UP=$SYSBOXUP_BUILD/sysboxup
	FIXTURES=$REPO/tests/fixtures
	SYSBOX='{ "sysbox": { "version": "0.7.0", "method": "files" } }'
}

distros() {
	"$UP" --root "$FIXTURES/$1" distros --json "${@:2}"
}

# recognised FIXTURE: "DISTRO BY TIER", as `distros` says it of that tree.
recognised() {
	distros "$1" | jq -r 'select(.event == "host") | "\(.distro // "-") \(.by // "-") \(.tier)"'
}

# What preflight would say of a check in that tree, as it stands in the plan.
finding() {
	echo "$SYSBOX" >"$BATS_TEST_TMPDIR/profile.json"
	cp -r "$FIXTURES/$1" "$BATS_TEST_TMPDIR/$1"
	mkdir -p "$BATS_TEST_TMPDIR/$1/bin"
	cp /bin/true "$BATS_TEST_TMPDIR/$1/bin/sh" # tells the processor
	"$UP" --root "$BATS_TEST_TMPDIR/$1" --profile "$BATS_TEST_TMPDIR/profile.json" plan 2>&1 | tr -s ' \n' ' ' |
		grep -o "$2: .*" | head -n 1
}

@test "each distribution is recognised by its own id, and its tier is said" {
	local fixture expected id n=0
	while read -r fixture expected; do
		[ "$(recognised "$fixture")" = "$expected" ] || {
			echo "$fixture: $(recognised "$fixture"), expected: $expected"
			return 1
		}
		n=$((n + 1))
	done <"$FIXTURES/expected"
	[ "$n" -eq "$(find "$FIXTURES" -mindepth 1 -maxdepth 1 -type d | wc -l)" ]
}

@test "no distribution is without a fixture, and no listed release either" {
	local id version
	while read -r id version; do
		compgen -G "$FIXTURES/*/etc/os-release" | xargs grep -lx "ID=$id" |
			xargs grep -lE "^VERSION_ID=\"$version([.\"]|\$)" | grep -q . || {
			echo "no fixture of $id $version"
			return 1
		}
	done < <(distros debian-12 | jq -r 'select(.event == "distro") | .id as $id | .releases[] | "\($id) \(.version_id)"')
	for id in $(distros debian-12 | jq -r 'select(.event == "distro") | .id'); do
		grep -qx "ID=$id" "$FIXTURES"/*/etc/os-release
	done
}

@test "proven are Debian 12 and 13 alone: what guests of the tests run" {
	[ "$(awk '$NF == "proven" { print $1 }' "$FIXTURES/expected")" = $'debian-12\ndebian-13' ]
	compgen -G "$REPO/tests/guest/rootfs" >/dev/null
	grep -q bookworm "$REPO/tests/guest/rootfs"
	grep -q trixie "$REPO/tests/guest/rootfs"
}

@test "a derivative that nobody listed falls back through ID_LIKE, and the plan says so" {
	[ "$(recognised elementary)" = "ubuntu id_like ubuntu recognised" ]
	run finding elementary distro
	[[ $output == "distro: 'elementary' is not known; taken for Ubuntu by its id_like ubuntu "* ]]
}

@test "Raspberry Pi OS of 64 bit calls itself Debian, and is not taken for the proven one" {
	[ "$(recognised raspios-12)" = "raspbian /etc/rpi-issue recognised" ]
	run finding raspios-12 distro
	[[ $output == "distro: Raspberry Pi OS is known from others' reports, not proven by our tests; it calls itself Debian "* ]]
	run -0 distros raspios-12 --distro debian
	[[ $output == *'"distro":"debian","by":"--distro"'* ]]
}

@test "of each distribution is said: package manager, Docker's unit and where its options live, packages, kernel, firewall" {
	local all
	all=$(distros debian-12 | jq -c 'select(.event == "distro")')
	[ "$(wc -l <<<"$all")" -ge 20 ]
	jq -e '.package_manager and (.docker_unit | endswith(".service")) and (.docker_config | startswith("/")) and
		(.docker_options | type == "array") and .kernel_min and .firewall and (.remedies | type == "object")' <<<"$all" >/dev/null
	[ "$(jq -r 'select(.tier != "refused" and (.packages.fusermount3 and .packages.rsync and .docker_package | not)) | .id' <<<"$all")" = "" ]
	[ "$(jq -r 'select(.tier == "refused" and (.refused and .instead | not)) | .id' <<<"$all")" = "" ]
	[ "$(jq -r 'select(.id == "rhel" or .id == "ubuntu") | .docker_options[]' <<<"$all" | xargs)" = "/etc/sysconfig/docker /etc/default/docker" ]
	run -0 "$UP" --root "$FIXTURES/fedora-42" distros
	[[ ${lines[1]} == "  package manager dnf; Docker is docker.service, its options in /etc/docker/daemon.json, /etc/sysconfig/docker; kernel from "* ]]
}

@test "a system that nothing is known of is refused, until --distro names one" {
	run finding slackware distro
	[[ $output == "distro: 'slackware' (Slackware 15.0 x86_64) is not known "*"/etc/sysboxup/distros.d/"* ]]
	run -0 distros slackware --distro debian
	[[ $output == *'"distro":"debian","by":"--distro","tier":"recognised"'* ]]
}

@test "--distro with an unknown id: one line, exit 2" {
	run -2 distros debian-12 --distro debain
	[[ ${lines[0]} == *"no distribution is called 'debain'"* ]]
}

@test "refused are systems that Sysbox cannot run on, with the reason and what to do instead" {
	run finding alpine distro
	[[ $output == "distro: Alpine Linux: its init is OpenRC, and Sysbox comes as systemd units "*"use a distribution with systemd"* ]]
	[[ $output != *TLS* ]]
	run finding nixos distro
	[[ $output == "distro: NixOS: its /etc is generated"*"virtualisation.docker.daemon.settings"* ]]
	run finding flatcar distro
	[[ $output == "distro: Flatcar Container Linux: /usr is read-only"*"systemd-sysext"* ]]
	local tree
	for tree in fedora-coreos-42 fedora-silverblue-43; do
		run finding $tree immutable
		[[ $output == "immutable: this is an ostree system"*"Butane"* ]]
	done
}
