#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every call of the real binary, as released, children included (tests/tools/killat.c): killed, torn and failed there,
# and judged by tests/tools/everycall.c: before or after, nothing else. On a made root, so that only files are
# concerned; dpkg and a real host are undo.bats and powercut.bats. SYSBOXUP_EVERY=1 tries every point (make check-killat).
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup "$SYSBOXUP_BUILD"/tools/{killat,everycall,hostdiff}
	. "$REPO/tests/lib/image.bash"
	W=$(mktemp -d /dev/shm/sysboxup-killat-XXXXXX)	# no disk: what is tried is the order, not the durability
	export W UP=$SYSBOXUP_BUILD/sysboxup TOOLS=$SYSBOXUP_BUILD/tools
	image_stage "$W"
	. "$REPO/tests/lib/catalog.bash"
	mkdir "$W/debs"
	cp "$W"/catalog/*.deb "$W/debs/"
	"$REPO/tests/standin/build" "$W/debs/sysbox-ce_0.7.1.deb" 0.7.1.linux
	CATALOG_METHOD=files catalog_make "$W/versions" "$W/versions" "$W"/debs/*.deb
	sed 's/"latest"/"0.7.1"/' "$W/versions/profile.json" >"$W/newer.json"
	sed 's/"latest"/"absent"/' "$W/versions/profile.json" >"$W/absent.json"
	setfattr -n user.note -v mine "$W/image/etc/docker/daemon.json"
	setfacl -m u:daemon:r "$W/image/etc/docker/daemon.json"
	mkdir "$W/root"
	starts small --profile "$W/small.json"
	starts whole --profile "$W/catalog/profile.json"
}

teardown_file() {
	rm -rf --one-file-system "$W"
}

setup() {
	. "$REPO/tests/lib/points.bash"
	. "$REPO/tests/lib/everycall.bash"
	. "$REPO/tests/lib/image.bash"
	SMALL=(--profile "$W/small.json" -q apply) WHOLE=(--profile "$W/catalog/profile.json" -q apply "${IMAGE_FORCE[@]}")
	TOTAL=0
}

fresh() {
	rm -rf --one-file-system "$W/root"
	cp -a "$1" "$W/root"
}

# starts NAME ARG...: where rollback and recover begin: $W/NAME-applied, and $W/NAME-torn, killed as the last thing
# before its commit.
starts() {
	local name=$1 at
	shift
	fresh "$W/image"
	"$TOOLS/killat" --log "$W/log" -- "$UP" --root "$W/root" "$@" -q apply "${IMAGE_FORCE[@]}"
	cp -a "$W/root" "$W/$name-applied"
	at=$(awk '$5 ~ /K/ { k++ } $4 == "renameat" && $6 ~ /txn\/000001\/[0-9]+$/ { n = k } END { print n }' "$W/log")
	fresh "$W/image"
	"$TOOLS/killat" --exact --at "$at" kill -- "$UP" --root "$W/root" "$@" -q apply "${IMAGE_FORCE[@]}" || [ $? -eq 137 ]
	cp -a "$W/root" "$W/$name-torn"
}

@test "apply of docker.settings, killed and torn at every call, ends before or after" {
	each image "kill tear worker" -- "${SMALL[@]}"
	points killat-apply "$TOTAL"
}

@test "rollback of docker.settings, killed and torn at every call, ends before or after" {
	each small-applied "kill tear worker" -- -q rollback
	points killat-rollback "$TOTAL"
}

@test "uninstall of docker.settings, killed and torn at every call, ends before or after" {
	each small-applied "kill tear worker" -- -q uninstall
	points killat-uninstall "$TOTAL"
}

@test "recover of docker.settings, killed and torn at every call, still ends before" {
	each small-torn "kill tear worker" --recovery -- -q recover
	points killat-recover "$TOTAL"
}

@test "apply and rollback killed at a call, then recover killed at every call of its own, end before or after" {
	# Every 12th gave 469 points, as recover has come to make more calls.
	each image "recover/16" -- "${SMALL[@]}"
	each small-applied "recover/16" -- -q rollback
	points killat-compound "$TOTAL"
}

# Every call is failed with every error; that takes a while, so here so many-th each.
ERRORS="ENOSPC EIO/7 EROFS/3 EMFILE/5 EINTR/7 ENOSPC+/3 EIO+/9 EROFS+/5"

@test "a call of apply, rollback or recover that fails leaves before or after, a right exit status and one clear line" {
	each image "$ERRORS" -- "${SMALL[@]}"
	each small-applied "$ERRORS" -- -q rollback
	each small-torn "$ERRORS" --recovery -- -q recover
	points killat-errors "$TOTAL"
}

@test "the whole job by files and its rollback, killed and torn at calls of ours and of our children" {
	each image "kill/16 tear/24 worker/32" -- "${WHOLE[@]}"
	each whole-applied "kill/16 tear/12 worker/32" -- -q rollback
	each whole-torn "kill/11 tear/6" --recovery -- -q recover
	points killat-whole "$TOTAL"
}

@test "another version by files, and none, killed and torn at calls of ours and of our children" {
	each whole-applied "kill/24 tear/16 worker/32" -- --profile "$W/newer.json" -q apply "${IMAGE_FORCE[@]}"
	each whole-applied "kill/24 tear/16 worker/32" -- --profile "$W/absent.json" -q apply "${IMAGE_FORCE[@]}"
	points killat-versions "$TOTAL"
}

# ---- controls: the tracer sees what there is, and the judge can say no ----

# A program with calls that are known: CONTROL_CALLS, in two processes and four programs.
CONTROL='cd "$1" && echo a >one; (echo bb >two); mv one three; mkdir dir; ln -s three link'
CONTROL_CALLS="execve openat write openat write execve renameat2 execve mkdir execve symlinkat"

# tracer OPTION... -- CMD...: its descriptors are always the same kind of file, or other calls would be counted.
tracer() {
	timeout -k 5 600 "$TOOLS/killat" "$@" </dev/null >/dev/null 2>"$W/errout"
}

control() {
	rm -rf --one-file-system "$W/root"
	mkdir "$W/root"
	tracer "$@" -- /bin/dash -c "$CONTROL" control "$W/root"
}

@test "control: killat counts the calls of a program that is known, and those of its children" {
	control --log "$W/log"
	[ "$(awk '$5 ~ /K/ { print $4 }' "$W/log" | xargs)" = "$CONTROL_CALLS" ]
	[ "$(awk '$5 ~ /K/ { print $2 }' "$W/log" | uniq | wc -l)" -eq 5 ]
	[ "$(awk '$5 ~ /T/ { print $6 }' "$W/log" | xargs)" = "$W/root/one $W/root/two" ]
	[ "$(cd "$W/root" && echo *)" = "dir link three two" ]
}

@test "control: a kill at call N leaves exactly what the calls before N did" {
	local n want
	shopt -s nullglob
	while read -r n want; do
		run -137 control --exact --at "$n" kill --hit "$W/hit"
		[ "$(wc -l <"$W/hit")" -eq 1 ]
		[ "$(cd "$W/root" && for f in *; do echo "$f$(stat -c :%F:%s "$f" | tr -d ' ')"; done | xargs)" = "$want" ]
	done <<-EOF
		2
		3 one:regularemptyfile:0
		4 one:regularfile:2
		5 one:regularfile:2 two:regularemptyfile:0
		6 one:regularfile:2 two:regularfile:3
		7 one:regularfile:2 two:regularfile:3
		8 three:regularfile:2 two:regularfile:3
		10 dir:directory:40 three:regularfile:2 two:regularfile:3
		11 dir:directory:40 three:regularfile:2 two:regularfile:3
	EOF
}

@test "control: a torn write is half there, an error is seen by the program, from then on by all" {
	control --log "$W/log"
	run -137 control --exact --at 2 tear
	[ "$(cat "$W/root/two")" = b ]
	control --at "$(awk '/one$/ { print $1; exit }' "$W/log")" ENOSPC
	grep -q "one: No space left on device" "$W/errout"
	[ -s "$W/root/two" ]
	run ! control --at "$(awk '/one$/ { print $1; exit }' "$W/log")" EROFS+
	[ -z "$(ls "$W/root")" ]
}

@test "control: a kill ends the whole tree, also in namespaces of its own and where the parent is gone" {
	# The daemon says when it has made its last call, so that the order is always the same.
	local script='trap go=1 USR1; mkfifo "$1/g"; exec 3<>"$1/g"; (setsid dash -c "echo $$ >\"$1/daemon\"; kill -USR1 $$; read y <&3" &)
		until [ $go ]; do :; done; unshare -fp dash -c "echo x >\"$1/inner\"; $2"'
	rm -rf --one-file-system "$W/root" && mkdir "$W/root"
	tracer --log "$W/log" -- /usr/bin/env dash -c "$script" control "$W/root" :
	[ -s "$W/root/inner" ]
	at=$(awk '$5 ~ /K/ { n++ } $4 == "write" && /inner$/ { print n }' "$W/log")
	rm "$W/root"/*
	run -137 tracer --exact --at "$at" kill -- /usr/bin/env dash -c "$script" control "$W/root" "read y <&3"
	[ -e "$W/root/inner" ] && [ ! -s "$W/root/inner" ]
	[ -z "$(readlink "/proc/$(cat "$W/root/daemon")/exe")" ]
}

@test "control: --one kills the process that makes the call, the others go on" {
	control --log "$W/log"
	at=$(awk '$5 ~ /K/ { n++ } $4 == "write" && /two$/ { print n }' "$W/log")
	control --one --exact --at "$at" kill
	[ -e "$W/root/two" ] && [ ! -s "$W/root/two" ]
	[ -L "$W/root/link" ]
}

# stand-in BODY: in place of sysboxup, a script that is not worth the name; what everycall says of it.
standin() {
	printf '#!/bin/bash\nroot=$2 verb=${!#}\n%s\n' "$1" >"$W/standin"
	chmod 755 "$W/standin"
	run "$TOOLS/everycall" --start "$W/image" --root "$W/root" --mode "$2" -- "$W/standin" --root "$W/root" "${@:3}"
	[ "$status" -eq 1 ]
}

@test "control: everycall sees a tree that is neither, a recover that fails or changes its mind, a lie about success" {
	standin '[ $verb = recover ] || { echo 1 >$root/etc/a; echo 2 >$root/etc/b; }' kill apply
	[[ $output == *"not before (/etc/a: only there now), not after (/etc/"* ]]
	standin '[ $verb = recover ] && exit 5; echo 1 >$root/etc/a' kill apply
	[[ $output == *"recover fails"* ]]
	standin '[ $verb = recover ] && { mkdir -p $root/var/lib/sysboxup; date +%N >$root/var/lib/sysboxup/index.json; exit; }; echo 1 >$root/etc/a' kill apply
	[[ $output == *"second recover ends with 0 and changes /var/lib/sysboxup/index.json"* ]]
	standin '[ $verb = recover ] || echo 1 >$root/etc/a; exit 0' ENOSPC apply
	[[ $output == *"after exit 0"*"not after (/etc/a"* ]]
	standin '[ $verb = recover ] || echo 1 >$root/etc/a || exit 1' ENOSPC apply
	[[ $output == *"not one clear line"* ]]
	standin 'umask 077; [ $verb = recover ] && chmod 600 $root/etc/docker/daemon.json; echo 1 >$root/etc/a' kill apply
	[[ $output == *"/etc/docker/daemon.json: "* ]]
}
