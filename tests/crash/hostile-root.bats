#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# An image whose owner is no friend of the machine that works on it with --root: links at every level of every path we touch, to the
# same path outside (where what we look for is to be found), absolute, by .., through /proc, to nowhere and in circles; the same
# exchanged under our hands; a journal that was made up. Whatever we do, we do inside, or we refuse on one line. That nothing outside
# is opened for writing is shown twice: everything but the image is read-only (tests/tools/jail.c checks that it is), and strace
# logs where each open and each change really went.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults} "$SYSBOXUP_BUILD"/tools/{hostdiff,jail,swapper}
	. "$REPO/tests/lib/image.bash"
	local dir=$BATS_FILE_TMPDIR
	image_stage "$dir"
	mkdir "$dir/image/proc"
	# what is to be recovered, and what is to be rolled back
	cp -a "$dir/image" "$dir/applied"
	"$SYSBOXUP_BUILD/sysboxup" --root "$dir/applied" --profile "$dir/catalog/profile.json" -q apply "${IMAGE_FORCE[@]}" 2>"$dir/err"
	cp -a "$dir/image" "$dir/torn"
	SYSBOXUP_FAULT_ALONE=1 SYSBOXUP_FAULT=log:$dir/calls "$SYSBOXUP_BUILD/sysboxup-faults" --root "$dir/torn" \
		--profile "$dir/small.json" -q apply "${IMAGE_FORCE[@]}" 2>"$dir/err"
	rm -rf "$dir/torn"
	cp -a "$dir/image" "$dir/torn"
	! SYSBOXUP_FAULT_ALONE=1 SYSBOXUP_FAULT=die-before:$(($(wc -l <"$dir/calls") * 2 / 3)) "$SYSBOXUP_BUILD/sysboxup-faults" \
		--root "$dir/torn" --profile "$dir/small.json" -q apply "${IMAGE_FORCE[@]}" 2>"$dir/err"
	[ -e "$dir/torn/var/lib/sysboxup/txn" ]
}

setup() {
	. "$REPO/tests/lib/image.bash"
	UP=$SYSBOXUP_BUILD/sysboxup TOOLS=$SYSBOXUP_BUILD/tools
	WHOLE=$BATS_FILE_TMPDIR/catalog/profile.json SMALL=$BATS_FILE_TMPDIR/small.json
	W=$BATS_TEST_TMPDIR R=$BATS_TEST_TMPDIR/root O=$BATS_TEST_TMPDIR/outside
	POINTS=0
	mkdir -p "$W/log"
	export ASAN_OPTIONS=detect_leaks=0 # what strace traces cannot be looked through for leaks
}

teardown() {
	[ -z "${SWAPPER:-}" ] || kill "$SWAPPER" 2>/dev/null || true
}

# begin IMAGE: a fresh copy of it at R, and outside a fresh copy of what could be taken for it.
begin() {
	rm -rf --one-file-system "$R" "$O"
	cp -a "$BATS_FILE_TMPDIR/$1" "$R"
	cp -a "$BATS_FILE_TMPDIR/$1" "$O"
}

# target KIND PATH: where the link goes.
target() {
	case $1 in
	absolute) echo "$O/$2" ;;
	dots) echo "../../../../../../../../../../../..$O/$2" ;;
	magic) echo "/proc/self/root$O/$2" ;;
	cwd) echo "/proc/self/cwd/../../../../../../..$O/$2" ;;
	same) echo "/$2" ;;
	dangling) echo "/nowhere/$2" ;;
	loop) basename "$2" ;;
	esac
}

KINDS="absolute dots magic cwd same dangling loop"

# lead_out KIND PATH: R/PATH is a link now. What was there is inside no more.
lead_out() {
	mkdir -p "$(dirname "$R/$2")"
	rm -rf --one-file-system "${R:?}/$2"
	ln -s "$(target "$1" "$2")" "$R/$2"
}

# Where opens for writing and changes went, from strace -f -y: each line that is outside of R and of the scratch directory.
outside_writes() {
	awk -v root="$R" '
	function inside(p) {
		sub(/ \(deleted\)$/, "", p)
		return p == root || index(p, root "/") == 1 || p ~ /^\/run\/sysboxup-fetch\./ || p == "/run" ||
			p ~ /^\/dev\/(null|tty)$/ || p !~ /^\//	# pipe:[], socket:[], /memfd: has a slash
	}
	function fine(p) { return inside(p) || p ~ /^\/memfd:/ }
	/ = -1 / || /resumed>/ || /^[0-9]+ +[+-]/ { next }
	{ sub(/^[0-9]+ +/, "") ; call = $0; sub(/\(.*/, "", call) }
	call == "execve" { next }
	call ~ /^(open|openat|openat2|creat)$/ {
		if ($0 !~ /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/ && call != "creat") next
		n++
		p = $0
		if (!sub(/.* = [0-9]+</, "", p)) next
		sub(/>$/, "", p)
		if (!fine(p)) print
		next
	}
	{
		n++
		# each directory descriptor and each absolute path that is named
		rest = $0
		if (call ~ /^symlink/) sub(/\("[^"]*", /, "(", rest)	# the text of a link is no path yet
		while (match(rest, /[0-9]+<[^>]*>|AT_FDCWD<[^>]*>, "[^"]*"|"\/[^"]*"/)) {
			p = substr(rest, RSTART, RLENGTH)
			rest = substr(rest, RSTART + RLENGTH)
			if (p ~ /^AT_FDCWD/) { sub(/.*, "/, "", p); sub(/"$/, "", p) }
			else if (p ~ /^"/) gsub(/"/, "", p)
			else { sub(/^[0-9]+</, "", p); sub(/>$/, "", p) }
			if (!fine(p)) { print; break }
		}
	}
	END { print n + 0 " changes" }' "$1"
}

CALLS=open,openat,openat2,creat,truncate,mkdir,mkdirat,mknod,mknodat,unlink,unlinkat,rmdir,rename,renameat,renameat2
CALLS+=,link,linkat,symlink,symlinkat,chmod,fchmodat,chown,lchown,fchownat,utimensat,setxattr,lsetxattr,removexattr,lremovexattr
CALLS+=,mount,umount2,pivot_root,chroot

# jailed CMD...: in the jail, traced into W/log/trace.
jailed() {
	"$TOOLS/jail" --rw "$R" --rw "$W/log" --scratch /run --proc "$R/proc" -- strace -f -y -qq -o "$W/log/trace" -e "trace=$CALLS" "$@"
}

# verb ARG...: one run. It ends with one of our exit codes and, unless with 0 or as asked, one clear line; the way it failed is not
# that something outside could not be written; and nothing there was opened for writing.
verb() {
	local status=0
	jailed "$UP" --root "$R" --color=never "$@" >"$W/out" 2>"$W/err" || status=$?
	POINTS=$((POINTS + 1))
	[ "$status" -le 7 ] || { echo "exit $status: $*"; cat "$W/err"; return 1; }
	if [ "$status" != 0 ] && [ "$status" != 7 ]; then
		grep -q '^sysboxup: .' "$W/err" || { echo "exit $status and not a word: $*"; cat "$W/out" "$W/err"; return 1; }
	fi
	if grep -i 'read-only file system' "$W/out" "$W/err"; then
		echo "something outside was to be written: $*"
		return 1
	fi
	outside_writes "$W/log/trace" >"$W/writes"
	CHANGES=$(sed -n '$s/ changes$//p' "$W/writes")
	if [ "$(wc -l <"$W/writes")" != 1 ]; then
		echo "outside of the root: $*"
		cat "$W/writes"
		return 1
	fi
	STATUS=$status
}

# attack IMAGE PROFILE KIND PATH VERB...: each verb on an image with that link. Outside is as before, and a verb that fails leaves the
# image as it was.
attack() {
	local image=$1 profile=$2 kind=$3 path=$4 words
	shift 4
	begin "$image"
	lead_out "$kind" "$path"
	"$TOOLS/hostdiff" snap "$O" >"$W/outside.before"
	for words; do
		"$TOOLS/hostdiff" snap "$R" --skip /var/lib/sysboxup --skip /proc >"$W/before"
		# shellcheck disable=SC2086 # a verb with its words
		verb --profile "$profile" $words || { echo "$image, $kind link at /$path"; return 1; }
		[ "$STATUS" = 0 ] || [ "$STATUS" = 5 ] || {
			"$TOOLS/hostdiff" snap "$R" --skip /var/lib/sysboxup --skip /proc >"$W/now"
			"$TOOLS/hostdiff" compare "$W/before" "$W/now" >"$W/diff" || {
				echo "exit $STATUS, but not as before: $words ($image, $kind link at /$path)"
				cat "$W/err" "$W/diff"
				return 1
			}
		}
	done
	"$TOOLS/hostdiff" snap "$O" | cmp - "$W/outside.before" || { echo "$image, $kind link at /$path: outside was changed"; return 1; }
}

# every IMAGE PROFILE KINDS "PATH..." VERB...
every() {
	local image=$1 profile=$2 kinds=$3 paths=$4 kind path
	shift 4
	for path in $paths; do
		for kind in $kinds; do
			attack "$image" "$profile" "$kind" "$path" "$@"
		done
	done
	echo "# $POINTS runs on hostile trees" >&3
}

APPLY="apply ${IMAGE_FORCE[*]:---force systemd-pid1 --force fusermount --force tools}"

@test "control: without any link the job is done in the jail, and the trace sees its changes" {
	begin image
	verb --profile "$WHOLE" fetch
	[ "$STATUS" = 0 ]
	[ "$CHANGES" -gt 3 ]
	# shellcheck disable=SC2086
	verb --profile "$WHOLE" $APPLY
	[ "$STATUS" = 0 ]
	[ "$CHANGES" -gt 50 ]
	[ -x "$R/usr/bin/sysbox-runc" ]
	verb rollback
	[ "$STATUS" = 0 ]
	[ "$CHANGES" -gt 20 ]
	[ ! -e "$R/usr/bin/sysbox-runc" ]
}

@test "control: a write outside is stopped by the jail, and seen in the trace" {
	begin image
	ln -s "$O/etc/passwd" "$R/link"
	run jailed sh -c "echo x >>'$R/link'"
	[ "$status" != 0 ]
	[[ $output == *"Read-only file system"* ]]
	cmp "$O/etc/passwd" "$BATS_FILE_TMPDIR/image/etc/passwd"
	# not in the jail, it is the trace alone that sees it
	strace -f -y -qq -o "$W/log/trace" -e "trace=$CALLS" sh -c "echo x >>'$R/link'; echo y >'$R/z'; ln -s x '$O/y'"
	outside_writes "$W/log/trace" >"$W/writes"
	grep -q "outside/etc/passwd" "$W/writes"
	grep -q "outside/y" "$W/writes"
	run ! grep -q "root/z" "$W/writes"
}

@test "plan, apply, status, history of a small job: every kind of link at every level of its paths" {
	every image "$SMALL" "$KINDS" \
		"etc etc/docker etc/docker/daemon.json etc/os-release etc/sysboxup etc/sysboxup/distros.d var var/lib var/lib/sysboxup" \
		plan "$APPLY" status history
}

@test "fetch and apply of the whole job: links at every level of its paths" {
	every image "$WHOLE" "dots magic" \
		"usr usr/bin usr/lib usr/lib/systemd usr/lib/systemd/system usr/lib/sysctl.d usr/lib/tmpfiles.d etc/passwd etc/group
		etc/shadow etc/subuid etc/.pwd.lock etc/systemd etc/systemd/system etc/apparmor.d var/lib/sysboxfs
		var/lib/sysboxup/cache var/lib/sysboxup/known" \
		fetch "$APPLY"
}

@test "rollback, status and history of what was applied: links at every level of files and state" {
	local state
	state=$(cd "$BATS_FILE_TMPDIR/applied" && find var/lib/sysboxup -mindepth 1 -maxdepth 2 -printf '%p ')
	every applied "$SMALL" "dots magic" \
		"etc etc/docker etc/docker/daemon.json etc/passwd usr/bin usr/bin/sysbox-runc usr/lib/systemd/system var var/lib
		var/lib/sysboxup $state" \
		status history rollback
}

@test "recover of what was interrupted: every kind of link at every level of files and state" {
	local state
	state=$(cd "$BATS_FILE_TMPDIR/torn" && find var/lib/sysboxup -mindepth 1 -printf '%p ')
	every torn "$SMALL" "absolute dots magic" \
		"etc etc/docker etc/docker/daemon.json var var/lib var/lib/sysboxup $state" \
		status recover
}

@test "recover behind a daemon.json that is a link to nowhere: said, left alone, and done once the link is gone" {
	begin torn
	lead_out dangling etc/docker/daemon.json
	"$TOOLS/hostdiff" snap "$R" --skip /var/lib/sysboxup >"$W/before"
	run -5 --separate-stderr "$UP" --root "$R" --profile "$SMALL" -q recover
	[[ $stderr == *"'/etc/docker/daemon.json' is a symbolic link into a directory that does not exist"*"mend or remove the link"* ]]
	"$TOOLS/hostdiff" snap "$R" --skip /var/lib/sysboxup | cmp - "$W/before"
	rm "$R/etc/docker/daemon.json"
	"$UP" --root "$R" --profile "$SMALL" -q recover
	[ ! -e "$R/etc/docker/daemon.json" ]
	# the same of its directory
	begin torn
	lead_out dangling etc/docker
	run -5 --separate-stderr "$UP" --root "$R" --profile "$SMALL" -q recover
	[[ $stderr == *"'/etc/docker' is a symbolic link into a directory that does not exist"*"mend or remove the link"* ]] || { echo "$stderr"; false; }
}

# swapped PATH KIND: PATH is exchanged with a link, as fast as it goes, while the job is done and taken back; in the end nothing outside was
# changed, and once no link is left in its place what is left can be recovered.
swapped() {
	local at=$1 kind=$2 i status
	begin image
	[ -e "$R/$at" ] || mkdir -p "$R/$at"
	ln -s "$(target "$kind" "$at")" "$R/$at.x"
	"$TOOLS/hostdiff" snap "$O" >"$W/outside.before"
	"$TOOLS/swapper" "$R/$at" "$R/$at.x" >"$W/swaps" 2>"$W/swaps.err" 3>&- &
	SWAPPER=$!
	until grep -q ready "$W/swaps"; do kill -0 "$SWAPPER"; done
	for ((i = 0; i < 6; i++)); do
		for words in "$APPLY" rollback recover; do
			status=0
			# shellcheck disable=SC2086
			"$TOOLS/jail" --rw "$R" --rw "$W/log" --scratch /run --proc "$R/proc" -- "$UP" --root "$R" --profile "$SMALL" $words \
				>"$W/out" 2>"$W/err" || status=$?
			POINTS=$((POINTS + 1))
			[ "$status" -le 7 ] || { echo "exit $status: $words, swapped /$at"; cat "$W/err"; return 1; }
			if grep -i 'read-only file system' "$W/out" "$W/err"; then return 1; fi
			[ "$status" = 0 ] || grep -q "^sysboxup: ." "$W/err" || { echo "exit $status and not a word: $words, swapped /$at"; cat "$W/out" "$W/err"; return 1; }
		done
	done
	# shellcheck disable=SC2086
	verb --profile "$SMALL" $APPLY
	kill "$SWAPPER"
	wait "$SWAPPER" || { cat "$W/swaps.err"; return 1; }
	SWAPPER=
	[ "$(tail -n 1 "$W/swaps")" -gt 100 ]
	"$TOOLS/hostdiff" snap "$O" | cmp - "$W/outside.before"
	if [ -L "$R/$at" ]; then
		rm "$R/$at"
		[ ! -e "$R/$at.x" ] || mv -T "$R/$at.x" "$R/$at"
	fi
	"$UP" --root "$R" --profile "$SMALL" -q recover 2>"$W/err" || { cat "$W/err"; return 1; }
}

@test "a directory exchanged with a link by another process while we work: nothing outside is touched" {
	for at in etc etc/docker var/lib var/lib/sysboxup; do
		for kind in absolute dots; do
			swapped "$at" "$kind"
		done
	done
	echo "# $POINTS runs under the swapper" >&3
}

@test "a file exchanged with a link by another process while we work: nothing outside is touched" {
	for at in etc/docker/daemon.json var/lib/sysboxup/lock; do
		mkdir -p "$BATS_FILE_TMPDIR/image/var/lib/sysboxup"
		[ "$at" = etc/docker/daemon.json ] || : >"$BATS_FILE_TMPDIR/image/$at"
		swapped "$at" dots
		rm -rf "$BATS_FILE_TMPDIR/image/var/lib/sysboxup"
	done
	echo "# $POINTS runs under the swapper" >&3
}

# record TYPE BODY: as journal/record.h has it.
record() {
	printf 'sysboxup-record 1 %s %d %s\n%s\n' "$1" $((${#2} + 1)) "$(printf '%s\n%s\n' "$1" "$2" | sha256sum | cut -c1-64)" "$2"
}

# planted TERMINAL [KIND]: in the image a transaction that nobody ran, of every kind that reaches beyond files. Its owner knows the boot id and
# the values of the machine: containers on it may read them.
planted() {
	local dir=$R/var/lib/sysboxup/txn/000001 now i prepared only=${2:-}
	now=$(cat /proc/sys/vm/swappiness)
	prepared=$(jq -cn --arg boot "$(cat /proc/sys/kernel/random/boot_id)" --arg now "$now" --arg other $((now + 1)) --arg out "$O" \
		--arg sha "$(sha256sum <"$O/etc/passwd" | cut -c1-64)" --arg only "$only" --arg size "$(stat -c %s "$O/etc/passwd")" '
		def act(kind; key; rank; data): { kind: kind, key: key, step: "x", rank: rank, data: data };
		def node: { type: "file", mode: 420, uid: 0, gid: 0, mtime: "1706933106.000000000", ctime: "1706933106.000000000",
			size: $size, dev: "1", ino: "1", sha256: $sha };
		{ boot_id: $boot, actions: [
			act("sysctl"; "sysctl:vm.swappiness"; 30; { name: "vm.swappiness", want: ($now | tonumber),
				before: ($other | tonumber), boot_id: $boot, skip: false }),
			act("reload"; "reload:systemd:undo"; 38; { what: "systemd", when: "undo" }),
			act("reload"; "reload:apparmor:undo"; 38; { what: "apparmor", when: "undo", argument: "/etc/passwd" }),
			act("dir"; "dir:out"; 40; { path: ("/../../../../../.." + $out + "/proc"), mode: 493, existed: false, remove: false }),
			act("file"; "file:out"; 40; { path: ("/../../../../../.." + $out + "/etc/passwd"),
				before: { type: "absent" }, after: node }),
			act("units"; "units:x"; 50; { units: ["cron.service"], up: ["cron.service"], before: [] }),
			act("packages"; "packages:x"; 40; { names: ["dash"], name: "dash", version: "1", arch: "amd64", plan: [
				{ what: "install", name: "dash", new_version: "1", arch: "amd64", file: "x.deb" }], autos: [], kept: [],
				before: { packages: { dash: { state: "not-installed" } } } }),
			act("docker-config"; "docker-config:/etc/docker/daemon.json"; 60; { path: "/etc/docker/daemon.json", patch: {}, ours: {},
				was: {}, before: { type: "absent" }, after: node, after_text: "{}", was_running: true, restarts: true })
		] } | .actions |= map(select($only == "" or .kind == $only))')
	mkdir -p "$dir/before"
	record begin '{"class":"apply","command":"apply","argv":[],"time":"2026-01-01T00:00:00Z","program":"0.1.0","run":"x","uid":0}' >"$dir/0000"
	record prepared "$prepared" >"$dir/0001"
	for ((i = 0; i < $(jq '.actions | length' <<<"$prepared"); i++)); do
		record intent "{\"action\":$i}" >"$dir/000$((i + 2))"
	done
	if [ "$1" = committed ]; then
		record committed '{"time":"2026-01-01T00:00:00Z"}' >"$dir/$(printf %04d $((i + 2)))"
	else
		for ((i = 10; i < 40; i++)); do
			head -c 65536 /dev/zero >"$dir/spare-00$i"
		done
	fi
	chmod -R go= "$R/var/lib/sysboxup"
}

# made_up TERMINAL KIND VERB
made_up() {
	local now
	now=$(cat /proc/sys/vm/swappiness)
	begin image
	mkdir "$O/proc" 2>/dev/null || true
	"$TOOLS/hostdiff" snap "$O" >"$W/outside.before"
	planted "$1" "$2"
	# shellcheck disable=SC2086
	verb --profile "$SMALL" $3
	echo "$1 $3 $2: $STATUS $(head -n 1 "$W/err")" >>"$W/said"
	[ "$(grep -c 'execve(' "$W/log/trace")" = 1 ] || { grep 'execve(' "$W/log/trace"; return 1; }
	if grep '/proc/sys/' "$W/log/trace" | grep -E 'O_WRONLY|O_RDWR'; then return 1; fi
	[ "$(cat /proc/sys/vm/swappiness)" = "$now" ]
	"$TOOLS/hostdiff" snap "$O" | cmp - "$W/outside.before"
}

@test "a journal that the image's owner made up: nothing is run, and neither the kernel nor the files of this machine are changed" {
	local terminal verb kind
	CALLS+=,execve
	for terminal in none committed; do
		for verb in status history "$APPLY" rollback "rollback --force" uninstall; do
			made_up "$terminal" "" "$verb"
		done
		for kind in "" sysctl reload dir file units packages docker-config; do
			made_up "$terminal" "$kind" recover
		done
	done
	# it was really read as a transaction
	cat "$W/said"
	grep -q '^none recover : 5 ' "$W/said"
	grep -q '^none recover sysctl: 0 ' "$W/said"
	grep -q '^none apply.*: 6 ' "$W/said"
	echo "# $POINTS runs on a journal that was made up" >&3
}

@test "control: one who opens by name is led out by the swapper, and that is seen" {
	local i out=0
	begin image
	ln -s "$O/etc/docker" "$R/etc/docker.x"
	"$TOOLS/swapper" "$R/etc/docker" "$R/etc/docker.x" >"$W/swaps" 3>&- &
	SWAPPER=$!
	until grep -q ready "$W/swaps"; do kill -0 "$SWAPPER"; done
	for ((i = 0; i < 20 && !out; i++)); do
		"$TOOLS/jail" --rw "$R" -- sh -c "for i in 1 2 3 4 5 6 7 8 9; do echo x >'$R/etc/docker/naive'; done" 2>"$W/err" || true
		! grep -qi 'read-only file system' "$W/err" || out=1
	done
	kill "$SWAPPER"
	wait "$SWAPPER" || { cat "$W/swaps.err"; return 1; }
	SWAPPER=
	[ "$out" = 1 ]
}

@test "device nodes where files should be: refused, and not even opened" {
	local path
	for path in etc/os-release etc/docker/daemon.json etc/passwd etc/login.defs var/lib/dpkg/status var/lib/sysboxup/lock \
		var/lib/sysboxup/txn/000001/0001; do
		begin torn
		mkdir -p "$(dirname "$R/$path")"
		rm -f "$R/$path"
		mknod "$R/$path" c 1 5
		for words in plan "$APPLY" status history recover; do
			# shellcheck disable=SC2086
			verb --profile "$WHOLE" $words
			run ! grep -E "= [0-9]+<${R}/${path}[<>]" <(grep -v O_PATH "$W/log/trace")
		done
		[ -c "$R/$path" ]
	done
	echo "# $POINTS runs with devices" >&3
}
