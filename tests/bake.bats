#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Golden images: a Debian that never ran is baked, boots, proves itself, and can be taken back; two bakes are the same.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup" "$SYSBOXUP_BUILD"/tools/{hostdiff,jail}
	. "$REPO/tests/lib/install.bash"
	BUILD=$SYSBOXUP_BUILD install_prepare "$BATS_FILE_TMPDIR" 0.7.0
	# the builder's own: nothing of these paths is on the machine that boots
	catalog_make "$BATS_FILE_TMPDIR/builder" "$BATS_FILE_TMPDIR/builder" "$BATS_FILE_TMPDIR"/debs/*.deb
}

setup() {
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/image.bash"
	G=bake-$BATS_TEST_NUMBER-$$
	UP=$SYSBOXUP_BUILD/sysboxup HOSTDIFF=$SYSBOXUP_BUILD/tools/hostdiff
	W=$BATS_TEST_TMPDIR PROFILE=$BATS_FILE_TMPDIR/builder/profile.json
}

teardown() {
	[ -z "${INSIDE_PID:-}" ] || inside_end || :
	guest_destroy "$G"
}

# A Debian on a disk, with Docker and what Sysbox needs of the distribution, and the program; it has not booted.
disk() {
	guest_exec_root "$G" apt-get install -y -qq fuse3 rsync >/dev/null 2>&1
	guest_look "$G" sh -c 'mkdir -p etc/docker && printf "{\n\t\"debug\" : false\n}\n" >etc/docker/daemon.json'
	guest_look "$G" tar -C . --keep-directory-symlink -xf - < <(tar -C "$BATS_FILE_TMPDIR/tree" --owner=0 --group=0 -cf - .)
}

bake() {
	guest_look "$G" env SOURCE_DATE_EPOCH=1700000000 "$UP" --root . --profile "$PROFILE" apply "$@"
}

@test "a Debian is baked, boots, Docker comes up with the runtime, the first boot is proven; rollback takes all of it back" {
	disk
	run -0 bake
	echo "$output"
	[[ $output == *"sysbox-mgr.service, sysbox-fs.service, sysbox.service  start at boot"* ]]
	[[ $output == *"+ /var/lib/sysboxup/first-boot  create"* ]]
	guest_reboot "$G"
	run guest_run "$G" systemctl --failed --plain --no-legend
	[ "$output" = "" ] || { guest_run "$G" journalctl -b -u 'sysboxup*' -u 'sysbox*'; false; }
	run -0 guest_run "$G" sysboxup status
	[[ $output == *"Last transaction: 2, first-boot, "*": committed"* ]]
	guest_run "$G" docker import /root/bb.tar bb:1 >/dev/null
	run -0 guest_run "$G" docker run --rm --runtime=sysbox-runc bb:1 cat /proc/self/uid_map
	[[ $output =~ 0\ +[1-9][0-9]+\ +65536 ]]
	grep -q 'First boot: done, transaction 2' "$(guest_dir "$G")/log"
	run -0 guest_run "$G" sysboxup rollback
	echo "$output"
	[[ $output == *"This host is as it was before transaction 1."* ]]
	[ "$(guest_get "$G" /etc/docker/daemon.json)" = $'{\n\t"debug" : false\n}' ]
	run ! guest_run "$G" grep sysbox /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/subuid /etc/subgid
	run -0 guest_run "$G" docker info -f '{{json .Runtimes}}'
	[[ $output != *sysbox* ]]
	run guest_run "$G" sh -c 'ls -d /usr/bin/sysbox-* /etc/systemd/system/sysbox* /var/lib/sysbox /var/lib/sysboxfs /var/lib/sysboxup/first-boot 2>/dev/null; pgrep -a sysbox'
	[ "$output" = "" ]
}

# A made tree with the program in it; the same each time.
tree() {
	image_make "$1"
	cp -a "$BATS_FILE_TMPDIR"/tree/. "$1"
	touch "$1/usr/lib/systemd/systemd"
	find "$1" -exec touch -h -d '2024-01-02 03:04:05' {} +
}

# bake_tree ROOT [BUILDER]: by somebody else each time.
bake_tree() {
	SOURCE_DATE_EPOCH=1700000000 SUDO_USER=${2:-ann} "$UP" --root "$1" --profile "$PROFILE" apply "${IMAGE_FORCE[@]}" >"$W/out" 2>&1 ||
		{ cat "$W/out"; false; }
}

# Everything that a tar has of a tree: content, owners, modes, times to the nanosecond, attributes; in the order in which the file
# system lists it, unless sorted.
tar_sum() {
	tar -C "$1" --numeric-owner --xattrs --xattrs-include='*' --format=posix \
		--pax-option='delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f' "${@:2}" -cf - . | sha256sum
}

@test "two bakes of one tree are the same to the bit, on ext4 and on tmpfs, whoever makes them" {
	. "$REPO/tests/lib/inside.bash"
	local dir
	inside_begin "$W/ram"
	tree "$W/origin"
	truncate -s 1G "$W/one.img"
	mkfs.ext4 -q -d "$W/origin" "$W/one.img"
	cp --sparse=always "$W/one.img" "$W/two.img"
	mkdir "$W/one" "$W/two"
	for dir in one two; do
		inside mount -o loop "$W/$dir.img" "$W/$dir"
		inside touch -r "$W/origin" "$W/$dir" # mkfs's own
		inside cp -a "$W/origin" "$W/ram/$dir"
	done
	bake_tree "$(inside_path "$W/one")" ann
	bake_tree "$(inside_path "$W/ram/one")" bob
	inside cp -a "$W/origin" "$W/ram/undated"
	env -u SOURCE_DATE_EPOCH "$UP" --root "$(inside_path "$W/ram/undated")" --profile "$PROFILE" -q apply "${IMAGE_FORCE[@]}" 2>/dev/null
	bake_tree "$(inside_path "$W/two")" cat
	bake_tree "$(inside_path "$W/ram/two")" dan
	[ "$(tar_sum "$(inside_path "$W/one")")" = "$(tar_sum "$(inside_path "$W/two")")" ]
	[ "$(tar_sum "$(inside_path "$W/ram/one")")" = "$(tar_sum "$(inside_path "$W/ram/two")")" ]
	[ "$(tar_sum "$(inside_path "$W/one")" --sort=name --exclude=./lost+found)" = "$(tar_sum "$(inside_path "$W/ram/one")" --sort=name)" ]
	# and without a date they are not
	[ "$(tar_sum "$(inside_path "$W/ram/undated")" --sort=name)" != "$(tar_sum "$(inside_path "$W/ram/one")" --sort=name)" ]
}

@test "a bake leaves one transaction, and nothing of the builder: no name, no path, no time but SOURCE_DATE_EPOCH" {
	tree "$W/root"
	bake_tree "$W/root" somebody-else
	run -0 "$UP" --root "$W/root" history --json
	jq -es 'map(select(.event == "transaction")) | length == 1 and (.[0] | .time == "2023-11-14T22:13:20Z" and
		(has("argv") or has("uid") or has("login_uid") or has("sudo_user") or has("run") | not) and (.profile | has("source") | not))' <<<"$output"
	run -0 "$UP" --root "$W/root" history
	[[ $output == *"the image's builder"* ]]
	# what the profile names is the user's own word, and stays
	run ! grep -rlaE "somebody-else|$(cat /proc/sys/kernel/random/boot_id)|$W" "$W/root/etc" "$W/root/var" "$W/root/usr/lib"
	[ "$(grep -c "^sysbox:!:$((1700000000 / 86400)):" "$W/root/etc/shadow")" = 1 ]
	[ ! -e "$W/root/var/lib/sysboxup/run" ] && [ ! -e "$W/root/var/lib/sysboxup/index.json" ]
	[ "$(find "$W/root" ! -newermt @1700000000 -newermt @1699999999 -path '*sysbox*' | wc -l)" -gt 30 ]
	run -0 find "$W/root" -newermt '2024-01-02 03:04:06'
	[ "$output" = "" ]
	bake_tree "$W/root"
	grep -q 'Nothing to do' "$W/out"
}

@test "rollback in the tree: as before, byte for byte; SOURCE_DATE_EPOCH that is no number is an error before anything is made" {
	tree "$W/root"
	image_snap "$W/root" >"$W/before"
	SOURCE_DATE_EPOCH=yesterday run -2 "$UP" --root "$W/root" --profile "$PROFILE" apply "${IMAGE_FORCE[@]}"
	[[ $output == *"SOURCE_DATE_EPOCH is no number"* ]]
	[ ! -e "$W/root/var/lib/sysboxup" ]
	bake_tree "$W/root"
	run -0 "$UP" --root "$W/root" rollback
	image_snap "$W/root" >"$W/after"
	run -0 "$HOSTDIFF" compare "$W/before" "$W/after"
	[ ! -e "$W/root/var/lib/sysboxup/first-boot" ]
}
