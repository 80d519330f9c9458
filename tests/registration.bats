#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# sysbox.register: what came as files is registered with dpkg. dpkg itself is the judge, on trees whose database it wrote.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup "$SYSBOXUP_BUILD/tools/hostdiff"
	. "$REPO/tests/lib/image.bash"
	F=$BATS_FILE_TMPDIR
	. "$REPO/tests/lib/dpkgtree.bash"
	dpkgtree_stage
}

setup() {
	. "$REPO/tests/lib/image.bash"
	. "$REPO/tests/lib/dpkgtree.bash"
	F=$BATS_FILE_TMPDIR R=$BATS_TEST_TMPDIR/root UP=$SYSBOXUP_BUILD/sysboxup
}

fresh() {
	cp -a "$F/tree" "$R"
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
}

as_before() {
	image_snap "$R" >"$BATS_TEST_TMPDIR/now"
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/now" || return 1
	cmp "$F/tree/var/lib/dpkg/status" "$R/var/lib/dpkg/status"
}

# What dpkg has of the package is what the package says, and what is there is what dpkg has.
registered() {
	local version=$1 deb=$F/sysbox-ce_$1.deb path
	run -0 dpkg_in "$R" --audit
	[ "$output" = "" ] || { echo "$output"; return 1; }
	run -0 dpkg_in "$R" --verify sysbox-ce
	[ "$output" = "" ] || { echo "$output"; return 1; }
	diff <(dpkg_in "$R" -s sysbox-ce | sort) <({ dpkg-deb -f "$deb"; echo "Status: install ok installed"; } | sort) || return 1
	rm -rf "$BATS_TEST_TMPDIR/control"
	dpkg-deb -e "$deb" "$BATS_TEST_TMPDIR/control"
	rm "$BATS_TEST_TMPDIR/control/control"
	for path in "$BATS_TEST_TMPDIR"/control/*; do
		cmp "$path" "$R/var/lib/dpkg/info/sysbox-ce.${path##*/}" || return 1
		[ "$(stat -c %a "$path")" = "$(stat -c %a "$R/var/lib/dpkg/info/sysbox-ce.${path##*/}")" ] || return 1
	done
	dpkg_in "$R" -L sysbox-ce | while read -r path; do [ -e "$R$path" ] || { echo "not there: $path"; return 1; }; done
	[ "$(dpkg_in "$R" -L sysbox-ce | grep -c sysbox)" -eq 7 ] || return 1
	[ "$(dpkg_in "$R" -S /usr/bin/sysbox-runc)" = "sysbox-ce: /usr/bin/sysbox-runc" ] || return 1
	[ "$(dpkg_in "$R" -S /lib/systemd/system/sysbox.service)" = "sysbox-ce: /lib/systemd/system/sysbox.service" ]
}

@test "dpkg has the package as if it had installed it, and nothing is left of that after a rollback" {
	fresh
	run -0 "$UP" --root "$R" --profile "$F/old.json" plan "${IMAGE_FORCE[@]}"
	[[ $output == *"dpkg  package 'sysbox-ce' registered as installed"* ]]
	bake old
	registered 0.7.0
	run -0 "$UP" --root "$R" status
	[[ $output == *"/var/lib/dpkg/info/sysbox-ce.list: as transaction 1 left it"* ]]
	run -0 "$UP" --root "$R" --profile "$F/old.json" apply "${IMAGE_FORCE[@]}"
	[[ $output == *"Nothing to do"* ]]
	up rollback
	as_before
	[ ! -e "$R/var/lib/dpkg/info/sysbox-ce.list" ]
}

@test "two bakes are the same to the bit" {
	fresh
	bake old
	mv "$R" "$R.one"
	cp -a "$F/tree" "$R"
	bake old
	[ "$(tar -C "$R" --sort=name --numeric-owner -cf - . | sha256sum)" = "$(tar -C "$R.one" --sort=name --numeric-owner -cf - . | sha256sum)" ]
}

@test "a newer version, none, and no registration any more: dpkg is told each time; uninstall leaves nothing, whatever was pruned" {
	fresh
	bake old
	bake new
	registered 0.7.1
	up rollback
	registered 0.7.0
	bake unregistered
	run ! dpkg_in "$R" -s sysbox-ce
	[ -e "$R/usr/bin/sysbox-runc" ]
	bake old
	registered 0.7.0
	bake absent
	run ! dpkg_in "$R" -s sysbox-ce
	[ ! -e "$R/usr/bin/sysbox-runc" ]
	jq '.history.keep = 1' "$F/new.json" >"$F/pruned.json"
	bake pruned
	registered 0.7.1
	up uninstall
	as_before
}

@test "what dpkg writes meanwhile stays: other packages come and go, a hold is put on it; a removed one comes back as it was" {
	fresh
	bake old
	dpkg_in "$R" -i "$F/another.deb" >/dev/null
	echo "sysbox-ce hold" | dpkg_in "$R" --set-selections
	run -3 bake new
	[[ $output == *"package 'sysbox-ce' is on hold"*"apt-mark unhold sysbox-ce, then try again"* ]]
	up rollback
	[ "$(dpkg-query --admindir="$R/var/lib/dpkg" -W | wc -l)" -eq 7 ]
	dpkg_in "$R" -s another >/dev/null
	run ! dpkg_in "$R" -s sysbox-ce
	# removed, not purged: its paragraph is the before-image
	rm -rf "$R"
	fresh
	bake old
	cp -a "$R/var/lib/dpkg/info/sysbox-ce.postrm" "$BATS_TEST_TMPDIR/postrm"
	printf '#!/bin/sh\nexit 0\n' | tee "$R/var/lib/dpkg/info/sysbox-ce.prerm" >"$R/var/lib/dpkg/info/sysbox-ce.postrm"
	dpkg_in "$R" -r sysbox-ce >/dev/null
	rm -r "$R/var/lib/sysboxup" "$R"/etc/systemd/system/*.wants "$R/var/lib/dpkg"/*-old
	[[ $(dpkg_in "$R" -s sysbox-ce) == *"Status: deinstall ok config-files"* ]]
	cp -a "$R" "$BATS_TEST_TMPDIR/removed"
	"$SYSBOXUP_BUILD/tools/hostdiff" snap "$R" >"$BATS_TEST_TMPDIR/before"
	up --profile "$F/old.json" apply "${IMAGE_FORCE[@]}"
	registered 0.7.0
	up rollback
	cmp "$BATS_TEST_TMPDIR/removed/var/lib/dpkg/status" "$R/var/lib/dpkg/status"
	diff -r "$BATS_TEST_TMPDIR/removed/var/lib/dpkg/info" "$R/var/lib/dpkg/info"
}

@test "upgraded by dpkg since: drift; a rollback names it and touches nothing, with --force it leaves that alone" {
	fresh
	bake old
	dpkg-deb -R "$F/sysbox-ce_0.7.1.deb" "$BATS_TEST_TMPDIR/newer"
	printf '#!/bin/sh\nexit 0\n' | tee "$BATS_TEST_TMPDIR"/newer/DEBIAN/{pre,post}{inst,rm} "$R"/var/lib/dpkg/info/sysbox-ce.{prerm,postrm} >/dev/null
	dpkg-deb --root-owner-group -Zgzip -b "$BATS_TEST_TMPDIR/newer" "$BATS_TEST_TMPDIR/newer.deb" >/dev/null
	dpkg_in "$R" -i "$BATS_TEST_TMPDIR/newer.deb" >/dev/null
	run -0 dpkg_in "$R" --verify sysbox-ce
	[ "$output" = "" ]
	run "$UP" --root "$R" status
	[ "$status" -eq 7 ]
	[[ $output == *"dpkg has sysbox-ce 0.7.1.linux, installed"* ]]
	run -3 bake old
	[[ $output == *"dpkg has package 'sysbox-ce' 0.7.1.linux (installed), and not by sysboxup"*"leave Sysbox to dpkg from now on: sysboxup forget"* ]]
	run -3 up rollback
	[[ $output == *"what dpkg has of package 'sysbox-ce' was changed by somebody else since"*"look at it: dpkg -s sysbox-ce"* ]]
	[ -e "$R/usr/bin/sysbox-runc" ]
	up rollback --force
	[[ $(dpkg_in "$R" -s sysbox-ce) == *"Version: 0.7.1.linux"* ]]
	[ ! -e "$R/usr/bin/sysbox-runc" ]
}

@test "registered and gone again is nothing to take back" {
	fresh
	bake old
	bake absent
	run -0 "$UP" --root "$R" uninstall
	[[ $output != *registered* ]]
	as_before
}

# refused WORDS...: by a bake of $R as it is now, which changes nothing.
refused() {
	image_snap "$R" >"$BATS_TEST_TMPDIR/before"
	run -3 bake old
	[[ $output == *"$1"* ]] || { echo "$output"; return 1; }
	image_snap "$R" >"$BATS_TEST_TMPDIR/now"
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/now"
}

@test "what cannot be registered is refused before anything is touched: no dpkg, a dependency that is missing, an interrupted dpkg, triggers" {
	fresh
	mv "$R/var/lib/dpkg/status" "$BATS_TEST_TMPDIR/status"
	refused "there is no '/var/lib/dpkg/status': dpkg is not used here"
	mv "$BATS_TEST_TMPDIR/status" "$R/var/lib/dpkg/status"
	echo interrupted >"$R/var/lib/dpkg/updates/0001"
	refused "dpkg was interrupted: '/var/lib/dpkg/updates' is not empty"
	rm "$R/var/lib/dpkg/updates/0001"
	dpkg_in "$R" --force-depends -P rsync fuse3 >/dev/null
	refused "package 'sysbox-ce' depends on what dpkg does not have here: fuse, rsync"
	dpkg_in "$R" -i "$F"/{rsync,fuse3}.deb >/dev/null
	mkdir -p "$BATS_TEST_TMPDIR/triggers"
	dpkg-deb -R "$F/sysbox-ce_0.7.0.deb" "$BATS_TEST_TMPDIR/triggers/tree"
	echo "interest-noawait /usr/lib/demo" >"$BATS_TEST_TMPDIR/triggers/tree/DEBIAN/triggers"
	dpkg-deb --root-owner-group -Zgzip -b "$BATS_TEST_TMPDIR/triggers/tree" "$BATS_TEST_TMPDIR/triggers/sysbox-ce_0.7.0.deb" >/dev/null
	CATALOG_METHOD=files catalog_make "$BATS_TEST_TMPDIR/triggers" "$BATS_TEST_TMPDIR/triggers" "$BATS_TEST_TMPDIR/triggers/sysbox-ce_0.7.0.deb"
	jq '.sysbox.register = true' "$BATS_TEST_TMPDIR/triggers/profile.json" >"$BATS_TEST_TMPDIR/old.json"
	F=$BATS_TEST_TMPDIR refused "package 'sysbox-ce' is interested in triggers: only dpkg itself can install that"
}

@test "a status file without a newline at its end is so again" {
	local ends
	for ends in 0 1 3; do
		rm -rf "$R"
		fresh
		{ printf %s "$(cat "$F/tree/var/lib/dpkg/status")"; head -c "$ends" /dev/zero | tr '\0' '\n'; } >"$R/var/lib/dpkg/status"
		cp "$R/var/lib/dpkg/status" "$BATS_TEST_TMPDIR/status"
		bake old
		registered 0.7.0
		up rollback
		cmp "$BATS_TEST_TMPDIR/status" "$R/var/lib/dpkg/status"
	done
}
