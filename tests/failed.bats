#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# An undo that fails, for each kind of action that works on files: what is said then is true and enough to act on, nothing
# new begins, and when the cause is gone recover ends before. The apply dies when all is done but COMMITTED.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build} SYSBOXUP_FAULT_ALONE=1
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD"/sysboxup{,-faults} "$SYSBOXUP_BUILD/tools/hostdiff"
	. "$REPO/tests/lib/image.bash"
	image_stage "$BATS_FILE_TMPDIR"
	make_torn
}

# $BATS_FILE_TMPDIR/torn: the interrupted root. before: the tree that it comes from.
make_torn() {
	local at image=$BATS_FILE_TMPDIR/image torn=$BATS_FILE_TMPDIR/torn
	local apply=(--profile "$BATS_FILE_TMPDIR/catalog/profile.json" -q apply "${IMAGE_FORCE[@]}")
	cp -a "$image" "$torn"
	image_snap "$torn" >"$BATS_FILE_TMPDIR/before"
	SYSBOXUP_FAULT=log:$BATS_FILE_TMPDIR/log "$SYSBOXUP_BUILD/sysboxup-faults" --root "$torn" "${apply[@]}"
	at=$(awk '$2 == "exchange" { n = $1 } END { print n }' "$BATS_FILE_TMPDIR/log")
	rm -rf "$torn"
	cp -a "$image" "$torn"
	SYSBOXUP_FAULT=die-after:$at "$SYSBOXUP_BUILD/sysboxup-faults" --root "$torn" "${apply[@]}" || [ $? -eq 137 ]
}

setup() {
	. "$REPO/tests/lib/image.bash"
	UP=$SYSBOXUP_BUILD/sysboxup FAULTY=$SYSBOXUP_BUILD/sysboxup-faults R=$BATS_TEST_TMPDIR/root
	WHOLE=$BATS_FILE_TMPDIR/catalog/profile.json LOCKED=
	begin
}

teardown() {
	unlock
}

begin() {
	rm -rf "$R"
	cp -a "$BATS_FILE_TMPDIR/torn" "$R"
}

lock() {
	LOCKED=$R$1
	chattr +i "$LOCKED"
}

unlock() {
	[ -z "$LOCKED" ] || chattr -i "$LOCKED"
	LOCKED=
}

same_tree() {
	image_snap "$R" >"$BATS_TEST_TMPDIR/now"
	"$SYSBOXUP_BUILD/tools/hostdiff" compare "$1" "$BATS_TEST_TMPDIR/now"
}

# The first line of $stderr is the one that says what failed, and one remedy and one state follow it.
is_clear() {
	[[ ${stderr_lines[0]} == "sysboxup: "*"$1"* ]] || return 1
	[ "$(grep -c '^sysboxup: ' <<<"$stderr")" -eq 1 ] || return 1
	[ "$(grep -c '^  try:  ' <<<"$stderr")" -eq 1 ] || return 1
	[ "$(grep -c '^  host: ' <<<"$stderr")" -eq 1 ] || return 1
	[[ $(tr -s ' \n' ' ' <<<"$stderr") == *"sysboxup recover"* ]]
}

# Not one of the verbs that begin something does, and each says why: code CODE.
nothing_begins() {
	local verb
	image_snap "$R" >"$BATS_TEST_TMPDIR/stuck"
	for verb in apply rollback; do
		run --separate-stderr "-$1" "$UP" --root "$R" --profile "$WHOLE" -q $verb "${IMAGE_FORCE[@]:$([ $verb = apply ] && echo 0 || echo 99)}"
		is_clear "transaction 1 " || return 1
	done
	same_tree "$BATS_TEST_TMPDIR/stuck"
}

# The words of status about what is left, one path or key a line.
left_of_status() {
	sed -n 's/^  FAILED  \(.*\): not undone yet$/\1/p' <<<"$output"
}

# What the interrupted run had made is there exactly where status says that it is left. The first that it names is the one
# over which the undo stopped: it may be half done.
status_is_true() {
	local path first
	first=$(left_of_status | head -n 1)
	for path in /usr/bin/sysbox-{fs,mgr,runc} /usr/lib/systemd/system/sysbox{,-fs,-mgr}.service \
		/usr/lib/sysctl.d/99-sysbox-sysctl.conf /etc/systemd/system/multi-user.target.wants{,/sysbox.service} \
		/etc/systemd/system/sysbox.service.wants{,/sysbox-{fs,mgr}.service} /var/lib/sysbox{,fs}; do
		[ "$path" != "$first" ] || continue
		if left_of_status | grep -qxF "$path"; then
			[ -e "$R$path" ] || [ -L "$R$path" ]
		else
			[ ! -e "$R$path" ] && [ ! -L "$R$path" ]
		fi || { echo "status and the tree differ on $path" && return 1; }
	done
	[ "$first" != account:sysbox ] || return 0
	if left_of_status | grep -qx account:sysbox; then grep -q '^sysbox:' "$R/etc/passwd"; fi || return 1
	if left_of_status | grep -qx /etc/docker/daemon.json; then return 0; fi
	[ "$(cat "$R/etc/docker/daemon.json")" = "$(cat "$BATS_FILE_TMPDIR/image/etc/docker/daemon.json")" ]
}

recovers() {
	"$UP" --root "$R" -q recover
	same_tree "$BATS_FILE_TMPDIR/before"
	run -0 --separate-stderr "$UP" --root "$R" recover
	[ "$output" = "Nothing to recover." ]
	same_tree "$BATS_FILE_TMPDIR/before"
	run -0 "$UP" --root "$R" status
}

# stuck PATH FIRST: recover fails over PATH, twice alike; status begins with FIRST, the next to be tried.
stuck() {
	local n
	for n in 1 2; do
		run --separate-stderr -5 "$UP" --root "$R" -q recover
		is_clear "$1"
		[[ ${stderr_lines[0]} == *"cannot undo "* ]]
	done
	run --separate-stderr -5 "$UP" --root "$R" status
	is_clear "could not be rolled back: cannot undo "
	[[ $stderr == *"$1"* ]]
	[ "$(left_of_status | head -n 1)" = "$2" ]
	[ "$(left_of_status | tail -n 1)" = account:sysbox ]
	status_is_true
	nothing_begins 5
}

# locked WHAT PATH: PATH cannot be undone while WHAT is immutable.
locked() {
	lock "$1"
	stuck "'$2'" "$2"
	[[ $(tr -s ' \n' ' ' <<<"$stderr") == *"chattr -i -a '$2'"*"sysboxup recover"* ]]
	unlock
	recovers
}

@test "a file that is immutable" {
	locked /usr/bin/sysbox-fs /usr/bin/sysbox-fs
}

@test "a file whose directory is immutable" {
	locked /usr/bin /usr/bin/sysbox-runc
}

@test "a file that somebody replaced: theirs is not touched, and status says to move it away" {
	local file=/usr/bin/sysbox-mgr
	echo "theirs" >"$R$file"
	stuck "'$file' was changed by somebody else" "$file"
	[[ $(tr -s ' \n' ' ' <<<"$stderr") == *"move your version of '$file' away, then run: sysboxup recover"* ]]
	[ "$(cat "$R$file")" = theirs ]
	mv "$R$file" "$BATS_TEST_TMPDIR/theirs"
	recovers
}

@test "a link of an enabled unit, its directory immutable" {
	locked /etc/systemd/system/sysbox.service.wants /etc/systemd/system/sysbox.service.wants/sysbox-mgr.service
	begin
	locked /etc/systemd/system/multi-user.target.wants /etc/systemd/system/multi-user.target.wants/sysbox.service
}

@test "a unit's file and a sysctl file that are immutable" {
	locked /usr/lib/systemd/system/sysbox.service /usr/lib/systemd/system/sysbox.service
	begin
	locked /usr/lib/sysctl.d/99-sysbox-sysctl.conf /usr/lib/sysctl.d/99-sysbox-sysctl.conf
}

@test "an account whose passwd, group or shadow is immutable" {
	local file
	for file in passwd group shadow gshadow subuid subgid; do
		begin
		lock "/etc/$file"
		stuck "'/etc/$file'" account:sysbox
		[[ $stderr == *"chattr -i -a on the file"* ]]
		unlock
		recovers
	done
}

@test "daemon.json that is immutable" {
	locked /etc/docker/daemon.json /etc/docker/daemon.json
}

@test "daemon.json that somebody broke: theirs is not touched, and status says where it is wrong" {
	local file=/etc/docker/daemon.json
	cp -p "$R$file" "$BATS_TEST_TMPDIR/ours"
	echo '{ oops' >"$R$file"
	stuck "$file: line 1, column 3: " "$file"
	[[ $(tr -s ' \n' ' ' <<<"$stderr") == *"make '$file' valid JSON again, then run: sysboxup recover"* ]]
	[ "$(cat "$R$file")" = '{ oops' ]
	cp -p "$BATS_TEST_TMPDIR/ours" "$R$file"
	recovers
}

@test "a directory that is immutable, or the one it is in" {
	locked /var/lib/sysboxfs /var/lib/sysboxfs
	begin
	locked /var/lib /var/lib/sysboxfs
	begin
	locked /etc/systemd/system /etc/systemd/system/sysbox.service.wants
}

@test "a rollback whose directory cannot be removed is refused before it touches anything" {
	local what
	"$UP" --root "$R" -q recover
	"$UP" --root "$R" --profile "$WHOLE" -q apply "${IMAGE_FORCE[@]}"
	image_snap "$R" >"$BATS_TEST_TMPDIR/applied"
	for what in /var/lib/sysboxfs /var/lib; do
		lock "$what"
		run --separate-stderr -3 "$UP" --root "$R" -q rollback
		[ "${stderr_lines[0]}" = "sysboxup: cannot remove directory '/var/lib/sysboxfs': operation not permitted" ]
		[[ $(tr -s ' \n' ' ' <<<"$stderr") == *"chattr -i -a '/var/lib/sysboxfs'"*"host: nothing was touched"* ]]
		same_tree "$BATS_TEST_TMPDIR/applied"
		run -0 "$UP" --root "$R" status
		unlock
	done
	"$UP" --root "$R" -q rollback
	same_tree "$BATS_FILE_TMPDIR/before"
}

@test "a directory that somebody used by then stays, and so does what is in it" {
	echo theirs >"$R/var/lib/sysboxfs/file"
	"$UP" --root "$R" -q recover
	[ "$(cat "$R/var/lib/sysboxfs/file")" = theirs ]
	rm "$R/var/lib/sysboxfs/file"
	rmdir "$R/var/lib/sysboxfs"
	run -0 "$UP" --root "$R" status
	same_tree "$BATS_FILE_TMPDIR/before"
}

# clean_fails FAULT WORD...: the run, of which a first one on the same tree tells where it begins to clean up, cannot.
clean_fails() {
	local fault=$1 log=$BATS_TEST_TMPDIR/log at
	shift
	rm -rf "$R.copy" "$log"
	cp -a "$R" "$R.copy"
	SYSBOXUP_FAULT=log:$log$fault "$FAULTY" --root "$R.copy" "$@" || [ $? -eq 1 ]
	at=$(awk '$2 == "unlink" && /ballast$/ { n = $1 } END { print n }' "$log")
	run --separate-stderr env "SYSBOXUP_FAULT=fail-from:$at:EIO$fault" "$FAULTY" --root "$R" "$@"
}

@test "cleaning up that fails behind a way back: the host is as before and said to be, recover goes on" {
	local n at apply=(--profile "$WHOLE" apply "${IMAGE_FORCE[@]}")
	rm -rf "$R"
	cp -a "$BATS_FILE_TMPDIR/image" "$R"
	at=$(awk '$2 == "exchange" { n = $1 } END { print n }' "$BATS_FILE_TMPDIR/log")
	clean_fails ",fail:$at:EIO" "${apply[@]}"
	[ "$status" -eq 1 ]
	[[ $(tr -s ' \n' ' ' <<<"$stderr") == *"rolled back, but not cleaned up yet: "*"sysboxup recover"*"host: as before"* ]]
	same_tree "$BATS_FILE_TMPDIR/before"
	for n in 1 2; do
		run --separate-stderr -6 "$UP" --root "$R" status
		is_clear "after its way back: only cleaning up is left"
		nothing_begins 6
		clean_fails '' recover
		[ "$status" -eq 6 ]
		is_clear "input/output error"
		[ "${stderr_lines[2]}" = "  host: as before the interrupted run, or as after it; only cleaning up is left" ]
		same_tree "$BATS_FILE_TMPDIR/before"
	done
	recovers
}

# One point: call N of recover fails, or from it on all do, when FAILED cannot be recorded either and status says 6. The code
# is 0 (everything was done by then), 5 or 6; status says only what is true.
failing() {
	local code
	begin
	run --separate-stderr env SYSBOXUP_FAULT="$1" "$FAULTY" --root "$R" -q recover
	code=$status
	case $code in 0) ;; 5 | 6) is_clear "" || [[ $stderr == *"try:  sysboxup status"* ]] || return 1 ;; *) return 1 ;; esac
	[ "$code" -eq 0 ] || [ -n "${stderr_lines[0]}" ] || return 1
	run --separate-stderr "$UP" --root "$R" status
	case $code:$status in 0:0 | 0:6 | [56]:[056]) ;; *) return 1 ;; esac
	if [ "$status" -eq 5 ]; then
		is_clear "could not be rolled back: " && status_is_true || return 1
		STUCK=$((STUCK + 1))
	fi
	[ "$status" -eq 0 ] || nothing_begins "$status" || return 1
	recovers
}

@test "a call of recover that fails, or all from it on, with EIO, ENOSPC or EROFS" {
	local total n errno mode step=17 points=0
	local -a errnos=(EIO ENOSPC EROFS) modes=(fail fail-from)
	STUCK=0
	case $SYSBOXUP_BUILD in */sanitize | */coverage) step=85 ;; esac
	SYSBOXUP_FAULT=log:$BATS_TEST_TMPDIR/log "$FAULTY" --root "$R" -q recover
	total=$(wc -l <"$BATS_TEST_TMPDIR/log")
	[ "$total" -gt 100 ]
	for ((n = 1; n <= total; n += (points % 2 ? 0 : step))); do
		errno=${errnos[points / 2 % 3]} mode=${modes[points % 2]}
		failing "$mode:$n:$errno" || {
			echo "$mode:$n:$errno of $total: $(sed -n "${n}p" "$BATS_TEST_TMPDIR/log")"
			echo "exit $status: $output $stderr"
			return 1
		}
		points=$((points + 1))
	done
	echo "# $points points of $total calls, $STUCK of them FAILED" >&3
	[ "$STUCK" -gt 0 ]
}

@test "negative control: a status that leaves out a path, or names one that is undone, is seen" {
	local all
	lock /usr/bin/sysbox-fs
	run -5 "$UP" --root "$R" -q recover
	run -5 "$UP" --root "$R" status
	all=$output
	status_is_true
	output=$(grep -v sysbox-fs <<<"$all")
	run ! status_is_true
	output="$all"$'\n  FAILED  /usr/bin/sysbox-runc: not undone yet'
	run ! status_is_true
}
