#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# daemon.json as people leave it: what is merged into it and given back, byte for byte, and what is refused
# with one line that names place and reason. On made trees below --root, with no daemon. Needs root, and
# ext4 (or the like) below BATS_TMPDIR for chattr.
# shellcheck disable=SC2030,SC2031 # each test is a subshell, and sets what it needs
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO
	export SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	[ -n "${SYSBOXUP:-}" ] || [ -x "$SYSBOXUP_BUILD/sysboxup" ] || make -s -C "$REPO" build/sysboxup
	export SYSBOXUP=${SYSBOXUP:-$SYSBOXUP_BUILD/sysboxup}
	[ -x "$SYSBOXUP_BUILD/sysboxup-faults" ] ||
		make -s -C "$REPO" BUILD="${SYSBOXUP_BUILD#"$REPO/"}" "${SYSBOXUP_BUILD#"$REPO/"}/sysboxup-faults"
	make -s -C "$BATS_TEST_DIRNAME/tools"
	export HOSTDIFF=$REPO/build/tools/hostdiff
}

setup() {
	# shellcheck source=tests/lib/failures.bash
	. "$REPO/tests/lib/failures.bash"
	T=$BATS_TEST_TMPDIR/host
	F=$T/etc/docker/daemon.json
	mkdir -p "$T/etc/docker" "$T/usr/bin" "$T/var/lib/dpkg"
	printf 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian for tests"\n' >"$T/etc/os-release"
	: >"$T/usr/bin/dockerd"
	P=$BATS_TEST_TMPDIR/profile.json
	profile '{ "live-restore": true }'
}

teardown() {
	chattr -R -f -i "$T/etc" || :
}

profile() {
	echo "{ \"docker\": { \"settings\": $1 } }" >"$P"
}

# docker VERSION: the Docker that dpkg knows below the root.
docker() {
	printf 'Package: docker.io\nStatus: install ok installed\nVersion: %s\n\n' "$1" >"$T/var/lib/dpkg/status"
}

up() {
	"$SYSBOXUP" --root "$T" --profile "$P" "$@"
}

# found TEXT [FILE]: printf's backslashes; a time that a copy would not have.
found() {
	printf '%b' "$1" >"${2:-$F}"
	touch -d @1500000000.123456789 "${2:-$F}"
}

snap() {
	"$HOSTDIFF" snap "$T" --skip /var/lib/sysboxup >"$BATS_TEST_TMPDIR/$1"
}

as_before() {
	snap after
	run "$HOSTDIFF" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	echo "$output" >&2
	[ -z "$output" ]
	# shellcheck disable=SC2154 # bats sets status
	[ "$status" -eq 0 ]
}

meta() {
	stat -c '%u:%g %a' "$F"
	getfattr --absolute-names -h -d -m - "$F" | tail -n +2 | sort
}

# has TEXT: the file, to the byte.
has() {
	printf '%b' "$1" | cmp - "$F"
}

# refused STATUS LINE COMMAND...: that exit status, that one line, nothing on stdout, and nothing touched.
refused() {
	local status_wanted=$1 line=$2
	shift 2
	[ -e "$BATS_TEST_TMPDIR/before" ] || snap before
	run --separate-stderr "$@"
	# shellcheck disable=SC2154 # bats sets stderr
	echo "$output$stderr" >&2
	[ "$status" -eq "$status_wanted" ]
	# shellcheck disable=SC2154 # and this
	[ "${stderr_lines[0]}" = "sysboxup: $line" ]
	[ "${stderr_lines[-1]}" = "  host: nothing was touched" ]
	as_before
}

# not_understood LINE: plan and apply both refuse, with exit status 3.
not_understood() {
	refused 3 "$1" up plan --quiet
	refused 3 "$1" up apply --quiet
}

# round_trip TEXT: apply makes TEXT of the file and keeps owner, mode and attributes; a second apply finds
# nothing to do; the old text is in the history; rollback gives back every byte and time.
round_trip() {
	local old=$BATS_TEST_TMPDIR/old
	cp -p "$F" "$old"
	meta >"$BATS_TEST_TMPDIR/meta"
	snap before
	run -7 up plan --check --quiet
	as_before
	up apply --quiet
	has "$1"
	meta | diff "$BATS_TEST_TMPDIR/meta" -
	[ -z "$(find "$T/etc" -name '*sysboxup*')" ]
	run --separate-stderr -0 up apply
	[ "${lines[-1]}" = "Nothing to do: this host is as the profile wants it." ]
	run -0 up plan --check --quiet
	up history show 1 /etc/docker/daemon.json | cmp - "$old"
	up rollback --quiet
	as_before
}

readonly KEY='"live-restore": true'

# ---- taken as they are ----

@test "an empty file becomes one with our key, and empty again" {
	found ''
	docker 26.1.5+dfsg1-9
	round_trip "{\n  $KEY\n}\n"
}

@test "blank lines become a file with our key, and the same blank lines again" {
	found '\n \t\r\n'
	docker 26.1.5+dfsg1-9
	round_trip "{\n  $KEY\n}\n"
}

@test "a byte order mark is kept" {
	found '\xef\xbb\xbf{\n  "debug": true\n}\n'
	docker 26.1.5+dfsg1-9
	round_trip "\xef\xbb\xbf{\n  \"debug\": true,\n  $KEY\n}\n"
}

@test "Windows line ends are kept" {
	found '{\r\n    "debug": true\r\n}\r\n'
	round_trip "{\r\n    \"debug\": true,\r\n    $KEY\r\n}\r\n"
}

@test "tabs are kept, and used for ours" {
	found '{\n\t"debug": true\n}\n'
	round_trip "{\n\t\"debug\": true,\n\t$KEY\n}\n"
}

@test "one line without a newline stays one" {
	found '{"debug":true}'
	round_trip '{"debug":true,"live-restore":true}'
}

@test "the order and spelling of everything else stays: numbers that no double holds" {
	found '{\n  "shutdown-timeout": 1e400,\n  "max-concurrent-uploads": 9007199254740993,\n  "mtu": -0, "a": 1E+2\n}\n'
	round_trip "{\n  \"shutdown-timeout\": 1e400,\n  \"max-concurrent-uploads\": 9007199254740993,\n  \"mtu\": -0, \"a\": 1E+2, $KEY\n}\n"
}

@test "escapes and characters of other scripts stay as they are spelled" {
	found '{ "labels": ["\\/\\u002f\\uD83D\\uDE00", "\xc3\xa4\xf0\x9f\x98\x80"] }\n'
	round_trip '{ "labels": ["\\/\\u002f\\uD83D\\uDE00", "\xc3\xa4\xf0\x9f\x98\x80"], "live-restore": true }\n'
}

@test "a key spelled with escapes is the same key" {
	found '{ "live\\u002drestore": false }\n'
	round_trip '{ "live\\u002drestore": true }\n'
}

@test "nesting of 128 is taken" {
	local open close
	open=$(printf '[%.0s' {1..127}) close=$(printf ']%.0s' {1..127})
	found "{ \"labels\": $open$close }\n"
	round_trip "{ \"labels\": $open$close, $KEY }\n"
}

@test "another's runtime whose program is gone is a warning, not a refusal" {
	found '{ "runtimes": { "gone": { "path": "/opt/gone" } } }\n'
	run --separate-stderr -0 up apply
	[ "$stderr" = "warning: runtime 'gone' has a program that does not exist: '/opt/gone' (so it was before)" ]
	up rollback --quiet
	found '{ "runtimes": { "gone": { "path": "/opt/gone" } } }\n'
	rm -rf "$T/var/lib/sysboxup"
	round_trip "{ \"runtimes\": { \"gone\": { \"path\": \"/opt/gone\" } }, $KEY }\n"
}

@test "no file: one is made, 0644 of root, and taken away again" {
	snap before
	up apply --quiet
	has "{\n  $KEY\n}\n"
	[ "$(stat -c '%u:%g %a' "$F")" = "0:0 644" ]
	up rollback --quiet
	as_before
	run -2 up history show 1 /etc/docker/daemon.json
	[ "${lines[0]}" = "sysboxup: there was no file '/etc/docker/daemon.json' before transaction 1" ]
}

@test "no directory: it is made, and taken away again" {
	rmdir "$T/etc/docker"
	snap before
	up apply --quiet
	has "{\n  $KEY\n}\n"
	up rollback --quiet
	as_before
}

@test "mode 0600 and an owner are kept, there and back" {
	found '{}\n'
	chmod 0600 "$F"
	chown 12:34 "$F"
	round_trip "{\n  $KEY\n}\n"
}

@test "an ACL and attributes are kept, there and back" {
	found '{}\n'
	setfacl -m u:1234:r,g:2345:rw "$F"
	setfattr -n user.note -v mine "$F"
	setfattr -n security.selinux -v system_u:object_r:container_config_t:s0 "$F"
	touch -d @1500000000.123456789 "$F"
	run meta
	[[ $output == *security.selinux=*posix_acl_access=*user.note=\"mine\"* ]]
	round_trip "{\n  $KEY\n}\n"
}

@test "a second name of the file (a hard link) keeps the old text" {
	found '{}\n'
	ln "$F" "$T/etc/second"
	up apply --quiet
	has "{\n  $KEY\n}\n"
	[ "$(cat "$T/etc/second")" = '{}' ]
}

# ---- links ----

@test "a symlink is followed and kept" {
	mkdir "$T/srv"
	found '{}\n' "$T/srv/real.json"
	ln -s ../../srv/real.json "$F"
	round_trip "{\n  $KEY\n}\n"
	[ -L "$F" ]
}

@test "a symlink that points out of the root stays inside" {
	local outside=$BATS_TEST_TMPDIR/outside.json link=$F
	echo '{ "outside": true }' >"$outside"
	mkdir -p "$T$BATS_TEST_TMPDIR"
	F=$T$outside
	found '{}\n'
	ln -s "$outside" "$link"
	round_trip "{\n  $KEY\n}\n"
	ln -sfn "../../../../../../../../../../../../../..$outside" "$link"
	rm -rf "$T/var/lib/sysboxup"
	round_trip "{\n  $KEY\n}\n"
	[ "$(cat "$outside")" = '{ "outside": true }' ]
}

@test "a dangling symlink: its target is made, and taken away again" {
	ln -s real.json "$F"
	snap before
	up apply --quiet
	[ "$(readlink "$F")" = real.json ]
	has "{\n  $KEY\n}\n"
	up rollback --quiet
	as_before
}

@test "a dangling symlink into no directory is refused" {
	ln -s /nowhere/real.json "$F"
	refused 3 "'/etc/docker/daemon.json' is a symbolic link into a directory that does not exist" up apply --quiet
	[ "${stderr_lines[1]}" = "  try:  mend or remove the link" ]
}

@test "a symlink loop is refused" {
	ln -s other "$F"
	ln -s daemon.json "$T/etc/docker/other"
	not_understood "cannot read '/etc/docker/daemon.json': too many levels of symbolic links"
}

# ---- not understood ----

@test "null is refused" {
	found 'null\n'
	not_understood "/etc/docker/daemon.json: line 1, column 1: an object expected, not null"
}

@test "an array is refused" {
	found '\n [{}]\n'
	not_understood "/etc/docker/daemon.json: line 2, column 2: an object expected, not an array"
}

@test "a duplicate key is refused, also deep down and in another spelling" {
	found '{ "debug": true,\n  "debug": true }\n'
	not_understood "/etc/docker/daemon.json: line 2, column 3: duplicate key 'debug'"
	found '{ "runtimes": { "a": {}, "\\u0061": {} } }\n'
	rm "$BATS_TEST_TMPDIR/before"
	not_understood "/etc/docker/daemon.json: line 1, column 26: duplicate key 'a'"
}

@test "comments are refused" {
	found '{\n  // debug\n  "debug": true\n}\n'
	not_understood "/etc/docker/daemon.json: line 2, column 3: comments are not allowed"
}

@test "a trailing comma is refused" {
	found '{\n  "debug": true,\n}\n'
	not_understood "/etc/docker/daemon.json: line 2, column 16: comma behind the last one"
}

@test "trailing data is refused" {
	found '{}\n{}\n'
	not_understood "/etc/docker/daemon.json: line 2, column 1: more text behind the value"
}

@test "nesting of 129 and of 200000 is refused" {
	local open close
	open=$(printf '[%.0s' {1..128}) close=$(printf ']%.0s' {1..128})
	found "{ \"labels\": $open$close }\n"
	not_understood "/etc/docker/daemon.json: line 1, column 140: nested more than 128 deep"
	head -c 200000 /dev/zero | tr '\0' '[' >"$F"
	rm "$BATS_TEST_TMPDIR/before"
	not_understood "/etc/docker/daemon.json: line 1, column 129: nested more than 128 deep"
}

@test "a file that ends too early is refused" {
	found '{ "debug": tr'
	not_understood "/etc/docker/daemon.json: line 1, column 12: a value expected"
}

@test "lone surrogates and NUL, of which each reader makes something else, are refused" {
	found '{ "labels": ["\\ud800"] }\n'
	not_understood "/etc/docker/daemon.json: line 1, column 15: lone surrogate"
	found '{ "labels": ["a\\udc00\\ud800"] }\n'
	rm "$BATS_TEST_TMPDIR/before"
	not_understood "/etc/docker/daemon.json: line 1, column 16: lone surrogate"
	found '{ "labels": ["\\u0000"] }\n'
	rm "$BATS_TEST_TMPDIR/before"
	not_understood "/etc/docker/daemon.json: line 1, column 15: \\u0000 is not supported"
}

@test "bytes that are no UTF-8 are refused" {
	found '{ "labels": ["\xff"] }'
	not_understood "/etc/docker/daemon.json: line 1, column 15: invalid UTF-8"
}

@test "more than 1 MiB is refused" {
	{ printf '{ "labels": ["'; head -c 1048576 /dev/zero | tr '\0' x; echo '"] }'; } >"$F"
	not_understood "cannot read '/etc/docker/daemon.json': larger than 1048576 bytes"
}

@test "a directory, a pipe and a device in its place are refused" {
	mkdir "$F"
	not_understood "cannot read '/etc/docker/daemon.json': not a regular file"
	rmdir "$F"
	rm "$BATS_TEST_TMPDIR/before"
	mkfifo "$F"
	not_understood "cannot read '/etc/docker/daemon.json': not a regular file"
	rm "$F" "$BATS_TEST_TMPDIR/before"
	mknod "$F" c 1 5
	not_understood "cannot read '/etc/docker/daemon.json': not a regular file"
}

@test "Docker 20.10 takes neither an empty file nor a byte order mark: refused" {
	docker 20.10.24+dfsg1-1+deb12u1
	found ' \n'
	refused 3 "'/etc/docker/daemon.json' is empty, which Docker 20.10.24+dfsg1 does not accept" up apply --quiet
	[ "${stderr_lines[1]}" = "  try:  write {} into it" ]
	found '\xef\xbb\xbf{}\n'
	rm "$BATS_TEST_TMPDIR/before"
	refused 3 "'/etc/docker/daemon.json' begins with a byte order mark, which Docker 20.10.24+dfsg1 does not accept" \
		up apply --quiet
}

# ---- where nothing can be written ----

@test "an immutable directory is refused with the remedy" {
	found '{}\n'
	chattr +i "$T/etc/docker"
	refused 3 "cannot replace '/etc/docker/daemon.json': its directory is immutable or append-only" up apply --quiet
	[ "${stderr_lines[1]}" = "  try:  chattr -i -a on the directory, if that is not on purpose" ]
}

@test "an immutable file is refused with the remedy" {
	found '{}\n'
	chattr +i "$F"
	refused 3 "cannot replace '/etc/docker/daemon.json': it is immutable or append-only" up apply --quiet
	[ "${stderr_lines[1]}" = "  try:  chattr -i -a on the file, if that is not on purpose" ]
}

# mounted COMMAND: our apply in a mount namespace where COMMAND ran before.
mounted() {
	SHELL_T=$T unshare -m --propagation private sh -ec "$1; shift; exec \"\$@\"" sh "$1" \
		"$SYSBOXUP" --root "$T" --profile "$P" apply --quiet
}

@test "a directory on a read-only file system is refused" {
	found '{}\n'
	# shellcheck disable=SC2016 # for the inner shell
	refused 3 "cannot write in the directory of '/etc/docker/daemon.json': read-only file system" \
		mounted 'd=$SHELL_T/etc/docker; mount --bind $d $d; mount -o remount,ro,bind $d'
}

@test "a bind mount on the file is refused with the remedy" {
	found '{}\n'
	found '{}\n' "$T/etc/elsewhere"
	# shellcheck disable=SC2016 # for the inner shell
	refused 3 "cannot replace '/etc/docker/daemon.json': something is mounted on it" \
		mounted 'mount --bind $SHELL_T/etc/elsewhere $SHELL_T/etc/docker/daemon.json'
	[ "${stderr_lines[1]}" = "  try:  unmount it, or change the file where it comes from" ]
}

# ---- what dockerd would refuse ----

# settings_refused SETTINGS LINE
settings_refused() {
	profile "$1"
	refused 3 "$2" up apply --quiet
}

@test "settings that dockerd would refuse or trip over are refused" {
	found '{}\n'
	settings_refused '{ "default-runtime": "nope" }' "default-runtime 'nope' is not among the runtimes"
	settings_refused '{ "runtimes": { "runc": { "path": "/x" } } }' "runtime 'runc' has a name that dockerd keeps for itself"
	settings_refused '{ "runtimes": { "r": { "path": "/opt/r" } } }' "runtime 'r' has a program that does not exist: '/opt/r'"
	settings_refused '{ "bip": "10.0.0.1/24", "bridge": "br7" }' "'bip' and 'bridge' exclude each other"
	settings_refused '{ "bip": "10.0.0.0/24" }' "bip '10.0.0.0/24' is the network's address, not one of a host in it"
	settings_refused '{ "icc": false, "iptables": false }' "'icc': false needs iptables, which 'iptables': false switches off"
	settings_refused '{ "tlsverify": true }' \
		"'tlsverify' without 'tlscacert' lets in every certificate of the system's public authorities"
	settings_refused '{ "data-root": "srv/docker" }' "'data-root' is no absolute path: 'srv/docker'"
	settings_refused '{ "live-restor": true }' "'live-restor' is no key that dockerd knows (did you mean 'live-restore'?)"
}

@test "a key that is a flag of the unit too is named with file and line" {
	found '{}\n'
	mkdir -p "$T/usr/lib/systemd/system" "$T/etc/default"
	# shellcheck disable=SC2016 # systemd's
	printf '[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=/usr/bin/dockerd -H fd:// $DOCKER_OPTS\n' \
		>"$T/usr/lib/systemd/system/docker.service"
	printf '# ours\n\nDOCKER_OPTS="--log-level=warn --live-restore"\n' >"$T/etc/default/docker"
	refused 3 "'live-restore' is given as a flag too (--live-restore in '/etc/default/docker' line 3): dockerd refuses a key that is in both places" \
		up apply --quiet
	settings_refused '{ "hosts": ["tcp://127.0.0.1:2375"] }' \
		"'hosts' is given as a flag too (--host=fd:// in '/usr/lib/systemd/system/docker.service' line 3): dockerd refuses a key that is in both places"
}

# ---- going back when others were there too ----

@test "rollback keeps another key that somebody else set since, and takes out ours" {
	found '{\n  "debug": true\n}\n'
	up apply --quiet
	found "{\n  \"debug\": false,\n  $KEY,\n  \"mtu\": 1400\n}\n"
	up rollback --quiet
	has '{\n  "debug": false,\n  "mtu": 1400\n}\n'
}

@test "rollback stops before it touches anything where somebody else changed our key, and --force keeps theirs" {
	found '{ "debug": true }\n'
	profile '{ "live-restore": true, "mtu": 1400 }'
	up apply --quiet
	found '{ "debug": true, "live-restore": false, "mtu": 1400 }\n'
	refused 3 "somebody else changed live-restore in '/etc/docker/daemon.json' since" up rollback --quiet
	[ "${stderr_lines[1]}" = "  try:  look at it; rollback --force and uninstall --force let their values stay" ]
	run --separate-stderr -0 up rollback --force
	[ "$stderr" = "warning: live-restore in '/etc/docker/daemon.json' stays as somebody else set it" ]
	has '{ "debug": true, "live-restore": false }\n'
}

@test "rollback of a file that somebody else took away leaves it away" {
	found '{}\n'
	up apply --quiet
	rm "$F"
	run up rollback
	echo "$output" >&2
	[ "$status" -eq 0 ]
	[ ! -e "$F" ]
}

@test "rollback of a file that somebody else broke is refused and leaves it as it is" {
	found '{}\n'
	up apply --quiet
	found '{ broken\n'
	refused 3 "/etc/docker/daemon.json: line 1, column 3: a key in double quotes expected" up rollback --quiet
}

@test "rollback of a mode that somebody else changed since keeps the mode and takes out our key" {
	found '{}\n'
	up apply --quiet
	chmod 0600 "$F"
	up rollback --quiet
	has '{}\n'
	[ "$(stat -c %a "$F")" = 600 ]
}

@test "a key that left the profile goes back to its old value, and the plan shows it" {
	found '{\n  "debug": false\n}\n'
	profile '{ "debug": true, "live-restore": true, "runtimes": { "r": { "path": "/usr/bin/dockerd" } } }'
	up apply --quiet
	profile '{ "mtu": 1400 }'
	run --separate-stderr -7 up plan --check
	[[ $output == *'-  "debug": true,'*'-  "live-restore": true,'*'-  "runtimes": {'*'+  "debug": false,'*'+  "mtu": 1400'* ]]
	up apply --quiet
	has '{\n  "debug": false,\n  "mtu": 1400\n}\n'
	profile '{}'
	up apply --quiet
	has '{\n  "debug": false\n}\n'
}

@test "a runtime that left the profile goes with the objects made for it, those found before stay" {
	profile '{ "runtimes": { "r": { "path": "/usr/bin/dockerd" }, "s": { "path": "/usr/bin/dockerd" } } }'
	found '{\n  "debug": true\n}\n'
	up apply --quiet
	profile '{ "runtimes": { "s": { "path": "/usr/bin/dockerd" } } }'
	up apply --quiet
	has '{\n  "debug": true,\n  "runtimes": {\n    "s": {\n      "path": "/usr/bin/dockerd"\n    }\n  }\n}\n'
	profile '{}'
	up apply --quiet
	has '{\n  "debug": true\n}\n'
	found '{\n  "runtimes": {}\n}\n'
	profile '{ "runtimes": { "r": { "path": "/usr/bin/dockerd" } } }'
	up apply --quiet
	profile '{}'
	up apply --quiet
	has '{\n  "runtimes": {}\n}\n'
}

@test "a runtime of somebody else beside ours stays when ours leaves the profile" {
	found '{}\n'
	profile '{ "runtimes": { "r": { "path": "/usr/bin/dockerd" } } }'
	up apply --quiet
	found '{ "runtimes": { "r": { "path": "/usr/bin/dockerd" }, "x": { "path": "/usr/bin/dockerd" } } }\n'
	profile '{}'
	up apply --quiet
	has '{ "runtimes": { "x": { "path": "/usr/bin/dockerd" } } }\n'
}

@test "a key that left the profile and that somebody else changed stays, and the plan says so" {
	found '{}\n'
	profile '{ "debug": true, "mtu": 1400 }'
	up apply --quiet
	found '{ "debug": true, "mtu": 1500 }\n'
	profile '{ "debug": true }'
	run --separate-stderr -0 up apply
	[[ $output$stderr == *"mtu was ours and was changed by somebody else: it stays as it is"* ]]
	has '{ "debug": true, "mtu": 1500 }\n'
}

@test "null takes a key out, and rollback gives it back in its place" {
	found '{\n  "mtu": 1400,\n  "debug": true\n}\n'
	profile '{ "mtu": null }'
	round_trip '{\n  "debug": true\n}\n'
}

@test "a value that is there already is not ours: nothing to do, and it stays when it leaves the profile" {
	found "{ $KEY }\n"
	run -0 up apply
	[[ $output == *"Nothing to do"* ]]
	profile '{ "debug": true }'
	up apply --quiet
	profile '{}'
	up apply --quiet
	has "{ $KEY }\n"
}

@test "rollback to an older transaction goes through all of them, and each old text is in the history" {
	found '{ "debug": false }\n'
	snap before
	up apply --quiet
	profile '{ "live-restore": true, "mtu": 1400 }'
	up apply --quiet
	profile '{ "debug": true }'
	up apply --quiet
	has '{ "debug": true }\n'
	[ "$(up history show 1 /etc/docker/daemon.json)" = '{ "debug": false }' ]
	[ "$(up history show 2 /etc/docker/daemon.json)" = '{ "debug": false, "live-restore": true }' ]
	[ "$(up history show 3 /etc/docker/daemon.json)" = '{ "debug": false, "live-restore": true, "mtu": 1400 }' ]
	up rollback 2 --quiet
	has '{ "debug": false, "live-restore": true }\n'
	up rollback 1 --quiet
	as_before
	run -0 up rollback
	[ "$output" = "Nothing to roll back." ]
}

@test "rollback through several transactions keeps what somebody else set in between" {
	found '{ "debug": false }\n'
	up apply --quiet
	found '{ "debug": false, "live-restore": true, "mtu": 1300 }\n'
	profile '{ "live-restore": true, "labels": ["a=b"] }'
	up apply --quiet
	up rollback 1 --quiet
	has '{ "debug": false, "mtu": 1300 }\n'
}

@test "a rollback can be taken back" {
	found '{}\n'
	up apply --quiet
	cp -p "$F" "$BATS_TEST_TMPDIR/applied"
	up rollback --quiet
	up rollback 2 --quiet
	cmp "$F" "$BATS_TEST_TMPDIR/applied"
	[ "$(stat -c %y "$F")" = "$(stat -c %y "$BATS_TEST_TMPDIR/applied")" ]
}

# ---- in the instant between compare and exchange ----

# faulty SPEC: the arguments of our apply with this fault, in the array `faulty`.
faulty() {
	faulty=(env SYSBOXUP_FAULT="$1" "$SYSBOXUP_BUILD/sysboxup-faults" --root "$T" --profile "$P" apply --quiet)
}

# the_call NAME: its number in a run on a host like this one; the host is as before.
the_call() {
	local log=$BATS_TEST_TMPDIR/calls
	cp -a "$T" "$T.copy"
	T=$T.copy faulty "log:$log"
	"${faulty[@]}"
	rm -rf "$T.copy"
	sed -n "s|^\([0-9]*\) $1 .*/etc/docker/daemon.json\$|\1|p" "$log"
}

# stopped_child PID: wait until the child of PID has stopped, print its PID.
stopped_child() {
	local child state tries
	for ((tries = 0; tries < 1000; tries++)); do
		child=$(pgrep -P "$1") && read -r _ _ state _ <"/proc/$child/stat" && [ "$state" = T ] && echo "$child" && return
		sleep 0.01
	done
	return 1
}

# last_instant CALL EDIT...: EDIT is done by somebody else while we are about to make CALL. It stays, and we go back.
last_instant() {
	local call pid child rc=0
	call=$(the_call "$1")
	[ -n "$call" ]
	shift
	faulty "stop-before:$call"
	"${faulty[@]}" 2>"$BATS_TEST_TMPDIR/said" 3>&- &
	pid=$!
	child=$(stopped_child "$pid") || { kill -KILL "$pid"; return 1; }
	"$@"
	snap before
	kill -CONT "$child"
	wait "$pid" || rc=$?
	cat "$BATS_TEST_TMPDIR/said" >&2
	[ "$rc" -eq 1 ]
	[ "$(cat "$BATS_TEST_TMPDIR/said")" = "sysboxup: '/etc/docker/daemon.json' was changed this instant by somebody else
  host: as before" ]
	snap after
	run -1 "$HOSTDIFF" compare "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	[ "$output" = "/etc/docker/.daemon.json.sysboxup-000001.0 only before" ]
	run -0 up apply --quiet
}

@test "an edit in the instant before the exchange stays: written in place" {
	found '{ "debug": true }\n'
	last_instant exchange found '{ "debug": false, "mtu": 1400 }\n'
	has "{ \"debug\": false, \"mtu\": 1400, $KEY }\n"
}

@test "an edit in the instant before the exchange stays: another file moved over it" {
	found '{ "debug": true }\n'
	edit() { found '{}' "$F.new" && mv "$F.new" "$F"; }
	last_instant exchange edit
}

@test "a file taken away in the instant before the exchange stays away" {
	found '{ "debug": true }\n'
	last_instant exchange rm "$F"
	has "{\n  $KEY\n}\n"
}

@test "a file made in the instant before ours is kept" {
	last_instant rename-new found '{ "mtu": 1400 }\n'
	has "{ \"mtu\": 1400, $KEY }\n"
}

@test "status names the keys that somebody else took out, changed or put in again" {
	found '{"debug": false, "hosts": [ "unix:///x" ]}'
	profile '{ "runtimes": { "r": { "path": "/usr/bin/dockerd" } }, "log-level": "warn", "log-opts": { "max-size": "1m", "max-file": "3" }, "hosts": null }'
	up -q apply
	run -0 up status
	found '{"debug": false, "log-level": "info", "log-opts": { "max-size": "1m" }, "hosts": [ "unix:///x" ]}'
	run -7 up status
	[[ $output == *"/etc/docker/daemon.json: runtimes.r, log-opts.max-file were taken out by somebody else; log-level, hosts were changed by somebody else"* ]]
	found '{"debug": false, "log-level": "warn", "log-opts": { "max-size": "1m", "max-file": "3" }, "runtimes": {}}'
	run -7 up status
	[[ $output == *"/etc/docker/daemon.json: runtimes.r was taken out by somebody else"* ]]
	rm "$F"
	run -7 up status
	[[ $output == *"runtimes.r, log-level, log-opts were taken out by somebody else"* ]]
}
