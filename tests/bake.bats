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
	guest_destroy "$G-b"
}

# A Debian on a disk, with Docker and what Sysbox needs of the distribution, and the program; it has not booted.
# disk [PACKAGE...]: and these.
disk() {
	guest_exec_root "$G" apt-get install -y -qq fuse3 rsync "$@" >/dev/null 2>&1
	guest_look "$G" sh -c 'mkdir -p etc/docker && printf "{\n\t\"debug\" : false\n}\n" >etc/docker/daemon.json'
	guest_look "$G" tar -C . --keep-directory-symlink -xf - < <(tar -C "$BATS_FILE_TMPDIR/tree" --owner=0 --group=0 -cf - .)
}

bake() {
	guest_look "$G" env SOURCE_DATE_EPOCH=1700000000 "$UP" --root . --profile "$PROFILE" apply "$@"
}

@test "a Debian is baked, boots, Docker comes up with the runtime, the first boot is proven; rollback takes all of it back" {
	disk jq lsb-release iptables
	PROFILE=$W/registered.json
	jq '.sysbox.register = true' "$BATS_FILE_TMPDIR/builder/profile.json" >"$PROFILE"
	guest_look "$G" cp var/lib/dpkg/status "$W/status"
	run -0 bake
	echo "$output"
	[[ $output == *"sysbox-mgr.service, sysbox-fs.service, sysbox.service  start at boot"* ]]
	[[ $output == *"+ /var/lib/sysboxup/first-boot  create"* ]]
	guest_reboot "$G"
	run guest_run "$G" systemctl --failed --plain --no-legend
	[ "$output" = "" ] || { guest_run "$G" journalctl -b -u 'sysboxup*' -u 'sysbox*'; false; }
	run -0 guest_run "$G" sysboxup status
	[[ $output == *"Last transaction: 2, first-boot, "*": committed"* ]]
	run -0 guest_run "$G" docker run --rm --runtime=sysbox-runc bb:1 cat /proc/self/uid_map
	[[ $output =~ 0\ +[1-9][0-9]+\ +65536 ]]
	guest__until "$GUEST_DEADLINE" grep -q 'First boot: done, transaction 2' "$(guest_dir "$G")/log"
	# dpkg and apt of the machine are content with a package that neither has installed
	run -0 guest_run "$G" dpkg --verify sysbox-ce
	[ "$output" = "" ]
	guest_run "$G" apt-get -qq check
	[ "$(guest_run "$G" dpkg -S /usr/bin/sysbox-runc)" = "sysbox-ce: /usr/bin/sysbox-runc" ]
	run -0 guest_run "$G" sysboxup rollback
	echo "$output"
	[[ $output == *"This host is as it was before transaction 1."* ]]
	guest_get "$G" /var/lib/dpkg/status | cmp - "$W/status"
	[ "$(guest_get "$G" /etc/docker/daemon.json)" = $'{\n\t"debug" : false\n}' ]
	run ! guest_run "$G" grep sysbox /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/subuid /etc/subgid
	run -0 guest_run "$G" docker info -f '{{json .Runtimes}}'
	[[ $output != *sysbox* ]]
	run guest_run "$G" sh -c 'ls -d /usr/bin/sysbox-* /etc/systemd/system/sysbox* /var/lib/sysbox /var/lib/sysboxfs /var/lib/sysboxup/first-boot 2>/dev/null; pgrep -a "^sysbox-"'
	[ "$output" = "" ] || { echo "$output"; false; }
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

first_boots() {
	guest_run "$G" sysboxup history --json | jq -r 'select(.event == "transaction" and .command == "first-boot") | .state' | tr '\n' ' '
}

@test "what other tools took away between bake and boot is back before Docker starts; one rollback takes back all of it" {
	disk
	run -0 bake
	guest_look "$G" sh -c 'echo "{ \"debug\": false }" >etc/docker/daemon.json
		rm usr/bin/sysbox-mgr etc/systemd/system/multi-user.target.wants/sysbox.service
		sed -i /sysbox/d etc/subuid etc/subgid'
	guest_reboot "$G"
	run -0 guest_run "$G" sysboxup status
	[ "$(first_boots)" = "committed committed " ]
	guest__until "$GUEST_DEADLINE" grep -q 'First boot: files that were missing are back' "$(guest_dir "$G")/log"
	# Docker read it when it started, and was told nothing since
	run ! guest_run "$G" journalctl -b -u docker --grep 'config reloaded|SIGHUP'
	run -0 guest_run "$G" docker info -f '{{json .Runtimes}}'
	[[ $output == *sysbox-runc* ]]
	run -0 guest_run "$G" sysboxup rollback
	run ! guest_run "$G" grep -r sysbox /etc/passwd /etc/subuid /etc/docker/daemon.json
	run ! guest_run "$G" sh -c 'ls /usr/bin/sysbox-*'
	[ "$(guest_get "$G" /etc/docker/daemon.json)" = '{ "debug": false }' ]
}

@test "a first boot that loses its power in the middle is completed by the next boot" {
	disk
	guest_look "$G" tee usr/bin/sysboxup <"$SYSBOXUP_BUILD/sysboxup-faults" >/dev/null
	run -0 bake
	guest_look "$G" sh -c 'mkdir etc/systemd/system/sysboxup-firstboot-late.service.d
		printf "[Service]\nEnvironment=SYSBOXUP_FAULT=die-before:70 SYSBOXUP_FAULT_ALONE=1\n" >etc/systemd/system/sysboxup-firstboot-late.service.d/cut.conf'
	guest_reboot "$G"
	run -6 guest_run "$G" sysboxup status
	[[ $output == *"transaction 2 (first-boot) was interrupted"* ]]
	guest_run "$G" rm /etc/systemd/system/sysboxup-firstboot-late.service.d/cut.conf
	guest_run "$G" sync -f /
	guest_kill "$G"
	guest_reboot "$G"
	run -0 guest_run "$G" sysboxup status
	[ "$(first_boots)" = "failed, undone committed " ] || [ "$(first_boots)" = "committed " ]
	[[ $output == *"first-boot"*": committed"* ]]
}

@test "a first boot that fails says so on the console, leaves the image as it was built, and the next one tries again" {
	disk
	run -0 bake
	guest_look "$G" ln -s /dev/null etc/systemd/system/docker.service
	guest_look "$G" ln -s /dev/null etc/systemd/system/docker.socket
	guest_reboot "$G"
	guest__until "$GUEST_DEADLINE" grep -q 'sysboxup: the first boot is not completed: .*proof' "$(guest_dir "$G")/log"
	[[ $(guest_run "$G" systemctl --failed --plain --no-legend) == sysboxup-firstboot-late.service* ]]
	[ "$(first_boots)" = "failed, undone " ]
	guest_run "$G" test -e /var/lib/sysboxup/first-boot
	guest_run "$G" rm /etc/systemd/system/docker.service /etc/systemd/system/docker.socket
	guest_reboot "$G"
	[ "$(first_boots)" = "failed, undone committed " ]
	[ "$(guest_run "$G" systemctl --failed --plain --no-legend)" = "" ]
	run ! guest_run "$G" test -e /var/lib/sysboxup/first-boot
	guest_reboot "$G"	# and a later boot does not even start the units
	[ "$(guest_run "$G" systemctl show -P ConditionResult sysboxup-firstboot.service sysboxup-firstboot-late.service | sort -u | xargs)" = no ]
}

# On the machine: which kernel settings, units and Docker there are; Docker answers with the moment of its start.
lives() {
	guest_run "$G" sh -c 'cat /proc/sys/fs/inotify/* /proc/sys/kernel/keys/maxkeys
		systemctl show -P MainPID -P ActiveEnterTimestamp docker
		systemctl list-units --plain --no-legend "sysbox*"
		docker info -f "{{json .Runtimes}}"
		journalctl -b -u docker --grep "config reloaded" -q | wc -l'
}

@test "a machine that runs becomes an image: nothing of it is told or asked; its clones differ in each id and key and prove themselves" {
	local name
	disk
	guest_reboot "$G"
	jq '. + { api: { listen: ["0.0.0.0:2376"], any_address: true }, clients: [ { name: "runner", ttl: "24h" } ], firewall: { allow: ["198.51.100.0/24"] } }' "$PROFILE" >"$W/profile.json"
	guest_put "$G" "$W/profile.json" /root/profile.json
	guest_run "$G" mkdir -p "$BATS_FILE_TMPDIR"
	guest_put_tree "$G" "$BATS_FILE_TMPDIR/builder" "$BATS_FILE_TMPDIR"
	guest_run "$G" sh -c "mkdir -p '$BATS_FILE_TMPDIR/builder' && mv $BATS_FILE_TMPDIR/*.* $BATS_FILE_TMPDIR/builder/"
	guest_run "$G" mkdir -p /etc/cloud/clean.d
	lives >"$W/before"
	run guest_run "$G" sysboxup --profile /root/profile.json apply --image
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"sysbox.service  start at boot"* ]]
	[[ $output == *"api: not now: the first boot makes keys of its own"* ]]
	run -0 guest_run "$G" sh -c '! { test -e /var/lib/sysboxup/pki || systemctl is-active sysboxup-api.socket || nft list table inet sysboxup; }'
	lives | diff "$W/before" -
	run -0 guest_run "$G" sysboxup history --json
	jq -es 'map(select(.event == "transaction")) | length == 1 and .[0].image and (.[0] | has("argv") or has("uid") | not)' <<<"$output"
	guest_run "$G" systemctl stop docker.socket docker
	run -0 guest_run "$G" run-parts /etc/cloud/clean.d # as cloud-init does
	run -0 guest_run "$G" sysboxup seal
	guest_poweroff "$G"
	for name in "$G" "$G-b"; do
		[ "$name" = "$G" ] || { mkdir -p "$(guest_dir "$name")/root" && cp --sparse=always "$(guest_dir "$G")/disk.img" "$(guest_dir "$name")/disk.img"; }
	done
	for name in "$G" "$G-b"; do
		guest_reboot "$name"
		run -0 guest_run "$name" sysboxup status
		[[ $output == *"Last transaction: 2, first-boot, "*": committed"* ]]
		guest_run "$name" sh -c 'cat /etc/machine-id; docker info -f "{{.ID}}"; cat /var/lib/containerd/io.containerd.grpc.v1.introspection/uuid 2>/dev/null || :' >"$W/ids.$name"
		[ "$(wc -w <"$W/ids.$name")" -ge 2 ]
		guest_run "$name" systemctl is-active sysboxup-api.socket
		guest_run "$name" nft list table inet sysboxup | grep -q 198.51.100.0/24
		# serials and digests of keys: of the authority, the server, the client
		guest_get "$name" /var/lib/sysboxup/pki/ledger | grep -oE '\<[0-9a-f]{32,}\>' | sort -u >"$W/keys.$name"
		[ "$(wc -l <"$W/keys.$name")" -ge 6 ]
		cat "$W/keys.$name" >>"$W/ids.$name"
	done
	sort "$W/ids.$G" "$W/ids.$G-b" | uniq -d >"$W/same"
	[ ! -s "$W/same" ]
}

# jailed CMD...: everything but the tree is read-only, /run is empty; each signal, each program and each name of a setting is logged.
jailed() {
	# what strace traces cannot be looked through for leaks
	ASAN_OPTIONS=detect_leaks=0 "$SYSBOXUP_BUILD/tools/jail" --rw "$W/root" --rw "$W/log" --scratch /run -- \
		strace -f -qq -o "$W/log/trace" -e trace=kill,tkill,tgkill,pidfd_send_signal,rt_sigqueueinfo,rt_tgsigqueueinfo,execve,execveat,connect,openat,openat2 "$@"
}

@test "a bake with everything outside of the tree read-only: no signal is sent, no program of the image is run, no setting and no daemon touched" {
	tree "$W/root"
	mkdir "$W/log"
	# programs of the image that would tell
	for name in gpg dockerd systemctl useradd setfiles sysctl; do
		printf '#!/bin/sh\necho "%s" >>/ran\n' "$name" >"$W/root/usr/bin/$name"
		chmod 0755 "$W/root/usr/bin/$name"
	done
	run -0 jailed "$UP" --root "$W/root" --profile "$PROFILE" apply "${IMAGE_FORCE[@]}"
	[ -x "$W/root/usr/bin/sysbox-runc" ] && [ ! -e "$W/root/ran" ]
	# control: the trace sees programs and files
	grep -q 'execve(.*sysboxup' "$W/log/trace"
	grep -q 'daemon.json' "$W/log/trace"
	run ! grep -E '(kill|sigqueueinfo|pidfd_send_signal)\(' "$W/log/trace"
	run ! grep -E "execve(at)?\([^\"]*\"$W/root" "$W/log/trace"
	[ "$(grep -oE 'execve\("[^"]*"' "$W/log/trace" | grep -vE 'sysboxup"|/gpg[a-z-]*"' | sort -u)" = "" ]
	run ! grep -E 'connect\(.*(docker|containerd|systemd|dbus)' "$W/log/trace"
	run ! grep -E '"(/proc/sys|sys)/(fs|kernel)/.*O_(WRONLY|RDWR)' "$W/log/trace"
	run -0 jailed "$UP" --root "$W/root" rollback
	run ! grep -E '(kill|sigqueueinfo|pidfd_send_signal)\(' "$W/log/trace"
	[ ! -e "$W/root/usr/bin/sysbox-runc" ]
}

# Bytes that say "a program for a 64-bit arm", as dpkg's own would.
arm64_program() {
	printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\267\0\1\0\0\0' >"$1"
	head -c 64 /dev/zero >>"$1"
	chmod 0755 "$1"
}

@test "an arm64 image is baked on another processor: the package for it, by the image's own programs and login.defs" {
	. "$REPO/tests/lib/catalog.bash"
	"$REPO/tests/standin/build" "$W/other.deb" 0.7.0.linux arm64
	catalog_make "$W/catalog" "$W/catalog" "$W/other.deb" "$BATS_FILE_TMPDIR"/debs/*.deb
	PROFILE=$W/catalog/profile.json
	tree "$W/root"
	echo arm64 >"$W/root/var/lib/dpkg/arch"
	arm64_program "$W/root/usr/bin/dpkg"
	printf 'SYS_UID_MIN 300\nSYS_UID_MAX 310\nSYS_GID_MIN 300\nSYS_GID_MAX 310\nSUB_UID_MIN 3000000\nSUB_GID_MIN 3000000\n' >"$W/root/etc/login.defs"
	bake_tree "$W/root"
	[ "$(ls "$W/root/var/lib/sysboxup/cache")" = "$(sha256sum <"$W/other.deb" | cut -d' ' -f1)" ]
	dpkg-deb --fsys-tarfile "$W/other.deb" | tar -xOf - ./usr/bin/sysbox-runc | cmp - "$W/root/usr/bin/sysbox-runc"
	[ "$(grep ^sysbox: "$W/root/etc/passwd")" = "sysbox:x:310:310::/nonexistent:/bin/false" ]
	[ "$(cat "$W/root/etc/subuid")" = $'somebody:100000:65536\nsysbox:3000000:65536' ]
}

# ---- templates/examples ----

@test "examples: scripts and templates are in order, and the profile in the user-data is one" {
	local examples=$REPO/templates/examples json
	run -0 shellcheck "$examples"/{bake,image-here,mkosi.finalize,virt-customize} "$REPO/templates/cloud-init-clean"
	for json in "$examples"/*.json; do
		run -0 jq -e '.build' "$json"
	done
	jq -r '.build.provisioner["shell-local"] | .inline_shebang as $s | ["#!" + $s] + .inline | .[]' "$examples/packer-local.pkr.json" >"$W/inline"
	run -0 shellcheck "$W/inline"
	[ "$(head -n 1 "$examples/user-data")" = '#cloud-config' ]
	tail -n +2 "$examples/user-data" | jq -r '.write_files[] | select(.path == "/etc/sysboxup/profile.json").content' >"$W/profile.json"
	tree "$W/root"
	mkdir -p "$W/root/etc/sysboxup"
	cp "$W/profile.json" "$W/root/etc/sysboxup/"
	run "$UP" --root "$W/root" plan
	[ "$status" -ne 2 ]
	sed -i 's/"sysbox"/"sysbax"/' "$W/root/etc/sysboxup/profile.json"
	run -2 "$UP" --root "$W/root" plan
}

@test "examples: bake, and mkosi's script with it, make an image of a tree, the same twice" {
	local examples=$REPO/templates/examples
	export SYSBOXUP=$BATS_FILE_TMPDIR/tree SYSBOXUP_PROFILE=$PROFILE SYSBOXUP_PROGRAM=$UP SOURCE_DATE_EPOCH=1700000000
	image_make "$W/one"
	touch "$W/one/usr/lib/systemd/systemd"
	echo 0123456789abcdef0123456789abcdef >"$W/one/etc/machine-id"
	find "$W/one" -exec touch -h -d '2024-01-02 03:04:05' {} +
	cp -a "$W/one" "$W/two"
	run -0 "$examples/bake" "$W/one" "${IMAGE_FORCE[@]}"
	[ -e "$W/one/var/lib/sysboxup/first-boot" ] && [ -x "$W/one/usr/bin/sysboxup" ] && [ ! -s "$W/one/etc/machine-id" ]
	# mkosi has no --force to pass on: there everything is in the tree
	run -3 env BUILDROOT="$W/two" "$examples/mkosi.finalize"
	touch "$W/two"/usr/bin/{fusermount3,rsync,modprobe,iptables}
	chmod 0755 "$W/two"/usr/bin/{fusermount3,rsync,modprobe,iptables}
	run -0 env BUILDROOT="$W/two" "$examples/mkosi.finalize"
	[ -e "$W/two/var/lib/sysboxup/first-boot" ]
	diff -r --no-dereference -x fusermount3 -x rsync -x modprobe -x iptables "$W/one" "$W/two"
}

@test "examples: virt-customize is called with the program, the package and image-here (a stand-in for it logs)" {
	printf '#!/bin/sh\nprintf "%%s\\n" "$@" >"%s/args"\ntar -tf "%s/disk.sysboxup.tar" >"%s/list"\n' "$W" "$W" "$W" >"$W/stand-in"
	chmod +x "$W/stand-in"
	SYSBOXUP=$BATS_FILE_TMPDIR/tree VIRT_CUSTOMIZE=$W/stand-in run -0 "$REPO/templates/examples/virt-customize" "$W/disk" "$W/sysbox.deb"
	grep -qx './usr/bin/sysboxup' "$W/list"
	[ "$(grep -A1 -x -- --run-command "$W/args" | tail -n 1)" = "/root/image-here --package /root/sysbox.deb" ]
	[ ! -e "$W/disk.sysboxup.tar" ]
}

@test "examples: image-here in a chroot of the image, where no systemd runs; it boots and proves itself" {
	disk
	guest_look "$G" sh -c 'cat >root/image-here && chmod 0755 root/image-here' <"$REPO/templates/examples/image-here"
	guest_look "$G" cp -a "$BATS_FILE_TMPDIR/catalog" srv/demo
	run guest_exec_root "$G" env SYSBOXUP_PROFILE=/srv/demo/profile.json /root/image-here
	echo "$output"
	[ "$status" -eq 0 ]
	guest_reboot "$G"
	run -0 guest_run "$G" sysboxup status
	[[ $output == *"Last transaction: 2, first-boot, "*": committed"* ]]
}

# ---- SELinux ----

# selinux MODE: the tree is one that boots with it, and has a policy.
selinux() {
	local files=$W/root/etc/selinux/targeted/contexts/files
	tree "$W/root"
	mkdir -p "$files"
	printf '# by the test\nSELINUX=%s\nSELINUXTYPE=targeted\n' "$1" >"$W/root/etc/selinux/config"
	printf '%s\t%s\n' '/.*' system_u:object_r:default_t:s0 '/usr/bin(/.*)?' system_u:object_r:bin_t:s0 \
		'/etc/systemd(/.*)?' system_u:object_r:systemd_unit_file_t:s0 '/var/lib(/.*)?' system_u:object_r:var_lib_t:s0 >"$files/file_contexts"
}

label() {
	getfattr -h --absolute-names --only-values -n security.selinux "$W/root$1" 2>/dev/null | tr -d '\0'
}

@test "SELinux: what is new is labelled by setfiles and the policy in the tree, nothing else is, and rollback leaves no trace" {
	selinux permissive
	setfattr -n security.selinux -v system_u:object_r:mine_t:s0 "$W/root/etc/docker/daemon.json"
	image_snap "$W/root" >"$W/before"
	bake_tree "$W/root"
	grep -q "SELinux labels  set on what is new, by setfiles and '/etc/selinux/targeted/contexts/files/file_contexts'" "$W/out"
	[ "$(label /usr/bin/sysbox-runc)" = system_u:object_r:bin_t:s0 ]
	[ "$(label /var/lib/sysbox)" = system_u:object_r:var_lib_t:s0 ]
	[ "$(label /etc/systemd/system/multi-user.target.wants/sysbox.service)" = system_u:object_r:systemd_unit_file_t:s0 ]
	[ "$(label /etc/docker/daemon.json)" = system_u:object_r:mine_t:s0 ]
	[ "$(label /etc/os-release)" = "" ]
	[ ! -e "$W/root/.autorelabel" ]
	bake_tree "$W/root"
	grep -q 'Nothing to do' "$W/out"
	run -0 "$UP" --root "$W/root" rollback
	image_snap "$W/root" >"$W/after"
	run -0 "$HOSTDIFF" compare "$W/before" "$W/after"
}

@test "SELinux: without a policy in the tree the image is asked to label itself, the plan says so, and rollback takes that back" {
	selinux permissive
	rm "$W/root/etc/selinux/targeted/contexts/files/file_contexts"
	bake_tree "$W/root"
	grep -q 'SELinux labels are not set here (no policy is in the tree): the image labels itself' "$W/out"
	[ -e "$W/root/.autorelabel" ]
	rm "$W/root/.autorelabel"	# as its first boot does
	run -0 "$UP" --root "$W/root" rollback
	[ ! -e "$W/root/.autorelabel" ]
}

@test "SELinux: an image that would enforce it is refused for Sysbox; a setfiles that fails undoes the bake" {
	selinux enforcing
	run -3 "$UP" --root "$W/root" --profile "$PROFILE" apply "${IMAGE_FORCE[@]}"
	[[ $output == *"SELinux is enforcing"* ]]
	sed -i 's/=enforcing/=permissive/' "$W/root/etc/selinux/config"
	echo 'this is no rule at all, nor is it' >"$W/root/etc/selinux/targeted/contexts/files/file_contexts"
	image_snap "$W/root" >"$W/before"
	run -1 "$UP" --root "$W/root" --profile "$PROFILE" apply "${IMAGE_FORCE[@]}"
	[[ $output == *"setfiles failed"* ]]
	image_snap "$W/root" >"$W/after"
	run -0 "$HOSTDIFF" compare "$W/before" "$W/after"
}
