#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The comparer of hosts must fail on every kind of difference, or the tests that use it prove nothing.

setup_file() {
	make -s -C "$BATS_TEST_DIRNAME/tools"
}

setup() {
	hostdiff=$BATS_TEST_DIRNAME/../build/tools/hostdiff
	root=$BATS_TEST_TMPDIR/root
	mkdir -p "$root"/{etc,usr/bin,var/lib/{dpkg/info,apt,docker,sysboxup},var/cache/{man/man8,debconf},var/log/apt,home}
	echo '{}' >"$root/etc/config"
	printf 'root:x:0:0\nuser:x:1000:1000\n' >"$root/etc/passwd"
	printf 'old\n' >"$root/etc/passwd-"
	printf 'Package: a\nStatus: install ok installed\n\nPackage: b\nStatus: install ok installed\n\n' \
		>"$root/var/lib/dpkg/status"
	echo 'a.list' >"$root/var/lib/dpkg/info/a.list"
	echo binary >"$root/usr/bin/tool"
	ln -s tool "$root/usr/bin/link"
	mknod "$root/etc/null" c 1 3
	echo index >"$root/var/cache/man/man8/index.db"
	find "$root" -exec touch -h -d @1700000000 {} +
	snap before
}

snap() {
	"$hostdiff" snap "$root" >"$BATS_TEST_TMPDIR/$1"
}

# compare OPTIONS...: against the root as it is now.
compare() {
	snap after
	run "$hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after" "$@"
}

same() {
	compare "$@"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

# differs LINE OPTIONS...: LINE is a pattern for the whole output.
differs() {
	local line=$1
	shift
	compare "$@"
	echo "$output"
	[ "$status" -eq 1 ]
	# shellcheck disable=SC2053 # a pattern
	[[ $output == $line ]]
}

@test "an untouched tree has no difference" {
	same
	same --ours /etc
}

@test "changed bytes are a difference" {
	echo '[]' >"$root/etc/config"
	touch -d @1700000000 "$root/etc/config"
	differs "/etc/config differs: content"
}

@test "a changed time alone is a difference, down to the nanosecond" {
	touch -d @1700000000.000000001 "$root/etc/config"
	differs "/etc/config differs: mtime *"
}

@test "a changed mode is a difference, of a directory too" {
	chmod 0600 "$root/etc/config"
	chmod 1777 "$root/home"
	differs "/etc/config differs: mode 0644 -> 0600
/home differs: mode 0755 -> 1777"
}

@test "a changed owner or group is a difference" {
	chown 1:2 "$root/etc/config"
	differs "/etc/config differs: owner 0:0 -> 1:2"
}

@test "an ACL and an extended attribute are differences" {
	setfacl -m u:1:r "$root/usr/bin/tool"
	setfattr -n user.x -v y "$root/etc/config"
	differs "/etc/config differs: xattrs
/usr/bin/tool differs: *xattrs"
}

@test "a link that points elsewhere is a difference" {
	ln -sfn else "$root/usr/bin/link"
	touch -h -d @1700000000 "$root/usr/bin/link"
	differs "/usr/bin/link differs: link tool -> else"
}

@test "another kind of node is a difference" {
	rm "$root/usr/bin/link"
	cp "$root/usr/bin/tool" "$root/usr/bin/link"
	differs "/usr/bin/link differs: type l -> f*"
}

@test "another device number is a difference" {
	rm "$root/etc/null"
	mknod "$root/etc/null" c 1 5
	touch -d @1700000000 "$root/etc/null"
	differs "/etc/null differs: device 1:3 -> 1:5"
}

@test "a new and a missing path are differences" {
	mkdir "$root/opt"
	rm "$root/etc/config"
	differs "/etc/config only before
/opt only after"
}

@test "a name with a newline, a tab and a backslash stays one path" {
	: >"$root/etc/a"$'\n\t'"\\b"
	differs '/etc/a\\012\\011\\134b only after'
}

@test "the closed list is not compared" {
	echo new >"$root/etc/passwd-"
	echo new >"$root/etc/subuid-"
	echo new >"$root/var/lib/dpkg/status-old"
	echo new >"$root/var/cache/debconf/config.dat-old"
	rm -r "$root/var/cache/man/man8"
	echo new >"$root/var/log/apt/history.log"
	echo new >"$root/var/lib/sysboxup/0001"
	same
}

@test "what only looks like the closed list is compared" {
	echo new >"$root/etc/passwd--"
	echo new >"$root/var/cache/manual"
	differs "/etc/passwd-- only after
/var/cache/manual only after"
}

@test "Docker's data is left out, and what is asked to be" {
	echo new >"$root/var/lib/docker/layer"
	same
	echo new >"$root/home/file"
	run bash -c "'$hostdiff' snap '$root' --skip /home >'$BATS_TEST_TMPDIR/after'"
	run "$hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	[ "$output" = "/home only before" ]
}

@test "files that the system's tools rewrite may have another time, not other bytes" {
	touch "$root/var/lib/dpkg/info/a.list" "$root/etc/passwd"
	same
	echo other >"$root/var/lib/dpkg/info/a.list"
	differs "/var/lib/dpkg/info/a.list differs: *content"
}

@test "accounts and packages may be in another order, and stanzas of no meaning may appear" {
	printf 'user:x:1000:1000\nroot:x:0:0\n' >"$root/etc/passwd"
	printf 'Package: b\nStatus: install ok installed\n\nPackage: a\nStatus: install ok installed\n\nPackage: c\nStatus: unknown ok not-installed\n\n' \
		>"$root/var/lib/dpkg/status"
	same
}

@test "another account and another package state are differences" {
	printf 'sysbox:x:1001:1001\n' >>"$root/etc/passwd"
	sed -i '0,/install ok installed/s//install ok half-configured/' "$root/var/lib/dpkg/status"
	differs "/etc/passwd differs: *content
/var/lib/dpkg/status differs: *content"
}

@test "the mode of such a file is still compared" {
	chmod 0600 "$root/etc/passwd"
	differs "/etc/passwd differs: mode 0644 -> 0600"
}

@test "for a path of ours no exception holds" {
	touch "$root/etc/passwd"
	echo new >"$root/etc/passwd-"
	same
	differs "/etc/passwd differs: mtime *" --ours /etc/passwd
	differs "/etc/passwd differs: mtime *
/etc/passwd- differs: *content" --ours /etc
}

@test "trouble is not sameness" {
	run "$hostdiff" compare "$BATS_TEST_TMPDIR/before" /nonexistent
	[ "$status" -eq 2 ]
	: >"$BATS_TEST_TMPDIR/empty"
	run "$hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/empty"
	[ "$status" -eq 2 ]
	run "$hostdiff" snap /nonexistent
	[ "$status" -eq 2 ]
	run "$hostdiff"
	[ "$status" -eq 2 ]
}

@test "with a known snapshot, what was changed after it is read, what was not is not" {
	find "$root" -exec chown -h 0:0 {} +
	until [ "$(date +%s)" -gt "$(stat -c %Z "$root/etc/config")" ]; do sleep 0.05; done
	touch "$BATS_TEST_TMPDIR/stamp"
	snap before
	touch -r "$BATS_TEST_TMPDIR/stamp" "$BATS_TEST_TMPDIR/before"
	echo '[]' >"$root/etc/config"
	touch -d @1700000000 "$root/etc/config"
	mv "$root/usr/bin/tool" "$root/usr/bin/other"
	setfattr -n user.note -v mine "$root/var/lib/dpkg/status"
	ln -sfn other "$root/usr/bin/link"
	"$hostdiff" snap "$root" --known "$BATS_TEST_TMPDIR/before" >"$BATS_TEST_TMPDIR/short"
	snap full
	cmp "$BATS_TEST_TMPDIR/short" "$BATS_TEST_TMPDIR/full"
	sed -i "s|\($(sha256sum <"$root/etc/passwd" | cut -d' ' -f1)\)|known|" "$BATS_TEST_TMPDIR/before"
	touch -r "$BATS_TEST_TMPDIR/stamp" "$BATS_TEST_TMPDIR/before"
	"$hostdiff" snap "$root" --known "$BATS_TEST_TMPDIR/before" | grep -q '^/etc/passwd.*known'
}
