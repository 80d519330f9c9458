#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Each kind of stand-in package is what it says, or the tests of failures prove nothing.

bats_require_minimum_version 1.5.0

setup() {
	deb=$BATS_TEST_TMPDIR/x.deb
}

build() {
	"$BATS_TEST_DIRNAME/standin/build" "$deb" "$@"
}

# Long listing of the data, in C order.
members() {
	dpkg-deb --fsys-tarfile "$deb" | tar -tvPf -
}

program() {
	dpkg-deb --fsys-tarfile "$deb" | tar -xOf - "./usr/bin/$1" >"$BATS_TEST_TMPDIR/$1"
	chmod +x "$BATS_TEST_TMPDIR/$1"
}

@test "it has the control fields and the files of the real package" {
	build 0.7.0.linux arm64
	run -0 dpkg-deb -f "$deb" Package Version Architecture Pre-Depends Depends
	[ "$output" = "Package: sysbox-ce
Version: 0.7.0.linux
Architecture: arm64
Pre-Depends: jq
Depends: debconf, jq, fuse, lsb-release, rsync, iptables" ]
	run -0 bash -c 'dpkg-deb --fsys-tarfile "$1" | tar -tf - | grep -v "/$" | sort' x "$deb"
	[ "$output" = "./lib/sysctl.d/99-sysbox-sysctl.conf
./lib/systemd/system/sysbox-fs.service
./lib/systemd/system/sysbox-mgr.service
./lib/systemd/system/sysbox.service
./usr/bin/sysbox-fs
./usr/bin/sysbox-mgr
./usr/bin/sysbox-runc
./usr/share/doc/sysbox-ce/changelog
./usr/share/doc/sysbox-ce/copyright" ]
}

@test "equal arguments give equal bytes, another version does not" {
	build 0.7.0.linux
	cp "$deb" "$BATS_TEST_TMPDIR/first"
	build 0.7.0.linux
	cmp "$deb" "$BATS_TEST_TMPDIR/first"
	build 0.7.1.linux
	run ! cmp -s "$deb" "$BATS_TEST_TMPDIR/first"
}

@test "its programs say the version of the package" {
	build 0.6.7.linux
	local name
	for name in sysbox-runc sysbox-mgr sysbox-fs; do
		program "$name"
		run -0 "$BATS_TEST_TMPDIR/$name" --version
		[ "${lines[0]}" = "$name" ]
		[[ $output == *$'\tversion: \t0.6.7\n'* ]]
	done
}

@test "no-start: the daemons exit 1" {
	build 0.7.0.linux no-start
	program sysbox-mgr
	run -1 "$BATS_TEST_TMPDIR/sysbox-mgr"
	[[ $output == *"built not to start"* ]]
}

@test "no-run: the runtime refuses every container, and still says its version" {
	build 0.7.0.linux no-run
	program sysbox-runc
	run -1 "$BATS_TEST_TMPDIR/sysbox-runc" --log "$BATS_TEST_TMPDIR/log" create --bundle "$BATS_TEST_TMPDIR" x
	[[ $output == *"built not to run"* ]]
	run -0 jq -r .level "$BATS_TEST_TMPDIR/log"
	[ "$output" = error ]
	run -0 "$BATS_TEST_TMPDIR/sysbox-runc" --version
}

@test "fail- and hang-: the script of that name, and no other" {
	build 0.7.0.linux fail-postinst hang-prerm
	dpkg-deb -e "$deb" "$BATS_TEST_TMPDIR/control"
	run -0 grep -lx "exit 1" "$BATS_TEST_TMPDIR"/control/{preinst,postinst,prerm,postrm}
	[ "$output" = "$BATS_TEST_TMPDIR/control/postinst" ]
	run -0 grep -lx "exec sleep infinity" "$BATS_TEST_TMPDIR"/control/{preinst,postinst,prerm,postrm}
	[ "$output" = "$BATS_TEST_TMPDIR/control/prerm" ]
}

@test "other-name: another package's control data" {
	build 0.7.0.linux other-name
	run -0 dpkg-deb -f "$deb" Package
	[ "$output" = sysbox-other ]
}

@test "hostile members are in the data under their own names" {
	build 0.7.0.linux evil-dotdot evil-abs evil-symlink setuid device
	run -0 members
	[[ $output == *" ./../../etc/standin-evil"* ]]
	[[ $output == *" /etc/standin-evil"* ]]
	[[ $output == *" ./usr/lib/standin -> /etc"*" ./usr/lib/standin/standin-evil"* ]]
	[[ $output == *"-rwsr-xr-x root/root "*" ./usr/bin/sysbox-evil"* ]]
	[[ $output == *"crw"*" ./usr/lib/standin-device"* ]]
}

@test "bomb: a few megabytes that unpack to 16 GiB" {
	build 0.7.0.linux bomb
	[ "$(stat -c %s "$deb")" -lt 8000000 ]
	run bash -c 'dpkg-deb --fsys-tarfile "$1" 2>/dev/null | tar -tvf - 2>/dev/null | grep -m 1 bomb' x "$deb"
	[[ $output == *" 17179869184 "* ]]
}
