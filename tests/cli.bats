#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What the person sees: options, help, errors, exit codes, JSON, colours, completion. On made trees below
# --root, as the user who runs the tests.
bats_require_minimum_version 1.5.0

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export REPO
	export SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	[ -n "${SYSBOXUP:-}" ] || [ -x "$SYSBOXUP_BUILD/sysboxup" ] || make -s -C "$REPO" build/sysboxup
	export SYSBOXUP=${SYSBOXUP:-$SYSBOXUP_BUILD/sysboxup}
}

setup() {
	# shellcheck source=tests/lib/failures.bash
	. "$REPO/tests/lib/failures.bash"
	T=$BATS_TEST_TMPDIR/host
	mkdir -p "$T/etc/docker" "$T/usr/bin" "$T/var/lib"
	printf 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian for tests"\n' >"$T/etc/os-release"
	printf '{\n    "debug": false\n}\n' >"$T/etc/docker/daemon.json"
	P=$BATS_TEST_TMPDIR/profile.json
	echo '{ "docker": { "settings": { "live-restore": true } } }' >"$P"
	unset NO_COLOR
}

# The program on the made tree, with the profile of the test.
up() {
	"$SYSBOXUP" --root "$T" --profile "$P" "$@"
}

commands() {
	"$SYSBOXUP" --help | sed -n '/^Commands/,/^$/s/^  \([a-z-]*\) .*/\1/p'
}

# One bad profile: exit 2, what is said, and nothing touched.
refuses_profile() {
	local before
	before=$(find "$T" -printf '%p %T@ %s\n' | sort)
	run --separate-stderr up plan
	[ "$status" -eq 2 ]
	[ -z "$output" ]
	echo "$stderr" >&2
	[[ $stderr == "sysboxup: "*"$1"* ]]
	[[ $stderr == *"host: nothing was touched" ]]
	run -2 up apply
	[ "$before" = "$(find "$T" -printf '%p %T@ %s\n' | sort)" ]
}

@test "every command has help that names its options, and nothing is written to stderr" {
	[ "$(commands | wc -l)" -ge 10 ]
	for c in $(commands); do
		run --separate-stderr -0 "$SYSBOXUP" "$c" --help
		[ -z "$stderr" ]
		[[ $output == "Usage: sysboxup $c"* ]]
		[[ $output == *--profile\ FILE* ]]
		run -0 "$SYSBOXUP" help "$c"
		[[ $output == "Usage: sysboxup $c"* ]]
	done
	run -0 "$SYSBOXUP" plan --help
	[[ $output == *"--check "*"exit with 7 when changes are pending"* ]]
}

@test "the hidden command is not in help" {
	run -0 commands
	[[ $'\n'$output$'\n' != *$'\n'completion$'\n'* ]]
}

@test "firewall: words, addresses and options are looked at first; without a firewall nobody is let through" {
	run -2 "$SYSBOXUP" firewall open
	[[ $output == *"unknown word 'open' after firewall; it knows allow, deny, list and watch"* ]]
	run -2 "$SYSBOXUP" firewall deny 10.1.0.1 --for 20m
	[[ $output == *"'--for' and '--comment' have no meaning for 'firewall deny'"* ]]
	run -2 "$SYSBOXUP" firewall allow
	[[ $output == *"'firewall allow' is used so: sysboxup firewall allow ADDRESS [--for TIME] [--comment TEXT]"* ]]
	run -2 "$SYSBOXUP" firewall allow 010.1.0.1
	[[ $output == *"'010.1.0.1' has a leading zero, which some programs read as octal"* ]]
	run -2 "$SYSBOXUP" firewall allow 10.1.0.0/24
	[[ $output == *"'10.1.0.0/24' is a network: for a while one address is let in"* ]]
	run -2 "$SYSBOXUP" firewall allow 10.1.0.1 --comment $'a\nb'
	run -2 "$SYSBOXUP" firewall allow 10.1.0.1 --for 31d
	run -2 "$SYSBOXUP" --root "$BATS_TEST_TMPDIR" firewall list
	run -3 "$SYSBOXUP" firewall allow 10.1.0.1
	[[ $output == *"there is no firewall of sysboxup on this host"* ]]
}

@test "the version is one line on stdout" {
	run --separate-stderr -0 "$SYSBOXUP" --version
	[[ $output =~ ^sysboxup\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	[ -z "$stderr" ]
}

@test "an unknown command exits 2 and names the nearest one" {
	run --separate-stderr -2 "$SYSBOXUP" aply
	[ -z "$output" ]
	[ "${stderr_lines[0]}" = "sysboxup: unknown command 'aply'; did you mean 'apply'?" ]
	[ "${stderr_lines[1]}" = "  try:  sysboxup --help" ]
	[ "${stderr_lines[2]}" = "  host: nothing was touched" ]
	run --separate-stderr -2 "$SYSBOXUP" zzzzzzzzzz
	[ "${stderr_lines[0]}" = "sysboxup: unknown command 'zzzzzzzzzz'" ]
}

@test "an unknown option exits 2 and names the nearest one, global or the command's" {
	run --separate-stderr -2 "$SYSBOXUP" plan --chek
	[ "${stderr_lines[0]}" = "sysboxup: unknown option '--chek'; did you mean '--check'?" ]
	[ "${stderr_lines[1]}" = "  try:  sysboxup plan --help" ]
	run --separate-stderr -2 "$SYSBOXUP" plan --profil=x
	[ "${stderr_lines[0]}" = "sysboxup: unknown option '--profil'; did you mean '--profile'?" ]
	run --separate-stderr -2 "$SYSBOXUP" plan -x
	[ "${stderr_lines[0]}" = "sysboxup: unknown option '-x'" ]
}

@test "an option of another command is unknown" {
	run --separate-stderr -2 "$SYSBOXUP" status --check
	[[ ${stderr_lines[0]} == "sysboxup: unknown option '--check'"* ]]
}

@test "each way of misusing an option exits 2 and says what is wrong" {
	run --separate-stderr -2 "$SYSBOXUP" plan --profile
	[[ ${stderr_lines[0]} == *"'--profile' needs a value: --profile FILE" ]]
	run --separate-stderr -2 "$SYSBOXUP" plan --profile=
	[[ ${stderr_lines[0]} == *"'--profile' needs a value, not an empty word" ]]
	run --separate-stderr -2 "$SYSBOXUP" plan --profile a --profile b
	[[ ${stderr_lines[0]} == *"'--profile' is given twice" ]]
	run --separate-stderr -2 "$SYSBOXUP" plan --json=yes
	[[ ${stderr_lines[0]} == *"'--json' takes no value" ]]
	run --separate-stderr -2 "$SYSBOXUP" plan --color=maybe
	[[ ${stderr_lines[0]} == *"'--color' takes one of auto, always, never, not 'maybe'" ]]
}

@test "too many and too few words exit 2" {
	run --separate-stderr -2 "$SYSBOXUP"
	[ "${stderr_lines[0]}" = "sysboxup: no command given" ]
	run --separate-stderr -2 "$SYSBOXUP" plan now
	[ "${stderr_lines[0]}" = "sysboxup: 'now' is one word too many for 'plan'" ]
	run --separate-stderr -2 up history shw
	[[ ${stderr_lines[0]} == *"did you mean 'history show'?" ]]
	run --separate-stderr -2 up history show
	[[ ${stderr_lines[0]} == *"'history show' needs a transaction's number" ]]
	run --separate-stderr -2 up rollback yesterday
	[[ ${stderr_lines[0]} == *"'yesterday' is no transaction's number" ]]
}

@test "options may stand before and behind the command, joined or apart, and -- ends them" {
	run -7 "$SYSBOXUP" -qv --root="$T" plan --check --profile="$P"
	[ "$output" = "$(up -q -v plan 2>&1)" ]
	run --separate-stderr -2 "$SYSBOXUP" help -- --json
	[ "${stderr_lines[0]}" = "sysboxup: unknown command '--json'" ]
}

@test "bytes that a terminal would obey are escaped in errors" {
	run --separate-stderr -2 "$SYSBOXUP" $'pl\e[31man'
	[[ ${stderr_lines[0]} == *'pl\x1b[31man'* ]]
	[[ $stderr != *$'\e'* ]]
}

@test "a profile that does not exist, or is no JSON, exits 2 and nothing is touched" {
	P=$BATS_TEST_TMPDIR/none.json
	refuses_profile "there is no profile '$P'"
	P=$BATS_TEST_TMPDIR/profile.json
	echo 'hello' >"$P"
	refuses_profile "'$P'"
	: >"$P"
	refuses_profile "'$P'"
	echo '[]' >"$P"
	refuses_profile "must be an object"
	echo '{ "version": 1, }' >"$P"
	refuses_profile "line 1"
}

@test "an unknown key of the profile exits 2 with line and the nearest key" {
	printf '{\n  "sysbox": {\n    "verson": "latest"\n  }\n}\n' >"$P"
	refuses_profile "line 3: 'sysbox.verson' is not a known key; did you mean 'sysbox.version'?"
	printf '{ "dokcer": {} }\n' >"$P"
	refuses_profile "did you mean 'docker'?"
}

@test "a wrong type and a value out of range exit 2" {
	echo '{ "sysbox": "latest" }' >"$P"
	refuses_profile "'sysbox' must be an object, not a string"
	echo '{ "docker": { "allow_restart": "yes" } }' >"$P"
	refuses_profile "'docker.allow_restart' must be"
	echo '{ "history": { "keep": 0 } }' >"$P"
	refuses_profile "'history.keep' must be a whole number from 1 to 10000"
	echo '{ "history": { "keep": 1e400 } }' >"$P"
	refuses_profile "'history.keep' must be"
	echo '{ "version": 2 }' >"$P"
	refuses_profile "'version' must be 1"
	echo '{ "sysbox": { "version": "newest" } }' >"$P"
	refuses_profile "'sysbox.version' must be"
}

@test "a profile of 2 MiB exits 2" {
	{ printf '{ "version": 1 }'; head -c 2097152 /dev/zero | tr '\0' ' '; } >"$P"
	refuses_profile "$P"
}

@test "plan --check exits 7 while changes are pending, plan alone 0, and neither makes anything" {
	run -0 up plan
	[[ $output == *'+    "live-restore": true'* ]]
	run -7 up plan --check
	[ ! -e "$T/var/lib/sysboxup" ]
}

@test "--json: one object per line, the summary last, nothing on stderr" {
	run --separate-stderr -7 up plan --check --json
	[ -z "$stderr" ]
	[ "$(jq -r .event <<<"$output" | sort -u | tr '\n' ' ')" = "change check diff summary " ] ||
		[ "$(jq -r .event <<<"$output" | sort -u | tr '\n' ' ')" = "change diff summary " ]
	[ "$(jq -r 'select(.event == "change").subject' <<<"$output")" = /etc/docker/daemon.json ]
	tail -n 1 <<<"$output" | jq -e '. == {event: "summary", command: "plan", changed: false, transaction: null, actions: 1,
		warnings: .warnings, exit: 7}'
}

@test "--json tells apply, rollback, history and status from one another, with numbers" {
	run -0 up apply --json
	tail -n 1 <<<"$output" | jq -e '.command == "apply" and .changed and .transaction == 1 and .actions == 1 and .exit == 0'
	run -0 up apply --json
	tail -n 1 <<<"$output" | jq -e '(.changed | not) and .transaction == null and .actions == 0'
	run -0 up status --json
	jq -se '[.[] | select(.event == "check" and .state == "ok")] | length == 1' <<<"$output"
	run -0 up rollback --json
	tail -n 1 <<<"$output" | jq -e '.command == "rollback" and .transaction == 2'
	run -0 up history --json
	jq -se '[.[] | select(.event == "transaction") | .class] == ["apply", "rollback"]' <<<"$output"
	jq -se '.[0].rolled_back_by == 2 and .[0].image' <<<"$output"
	jq -se '[.[] | .profile.text? // empty] == []' <<<"$output"
}

@test "--json: an error is in the summary and on stderr" {
	run --separate-stderr -2 "$SYSBOXUP" --json plan --chek
	jq -e '.event == "summary" and .exit == 2 and .error.kind == "usage"' <<<"$output"
	[ "$(jq -r .error.message <<<"$output")" = "unknown option '--chek'; did you mean '--check'?" ]
	[ "${stderr_lines[0]}" = "sysboxup: unknown option '--chek'; did you mean '--check'?" ]
}

@test "apply keeps the file's bytes, history shows the old text, rollback gives it back" {
	cp -p "$T/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/old"
	run -0 up apply
	[ "$(jq '."live-restore"' "$T/etc/docker/daemon.json")" = true ]
	up history show 1 /etc/docker/daemon.json | cmp - "$BATS_TEST_TMPDIR/old"
	run --separate-stderr -2 up history show 1 /etc/passwd
	[[ ${stderr_lines[0]} == *"transaction 1 did not change a file '/etc/passwd'" ]]
	run --separate-stderr up history show 9
	[ "$status" -ne 0 ]
	run -0 up history show 1
	[[ $output == *"Transaction 1: committed"*"the image's builder"*"command  apply"*"profile  (SHA-256 "*"/etc/docker/daemon.json"* ]]
	run -0 up rollback
	cmp "$T/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/old"
	[ "$(stat -c %Y "$T/etc/docker/daemon.json")" = "$(stat -c %Y "$BATS_TEST_TMPDIR/old")" ]
	run -0 up rollback
	[ "$output" = "Nothing to roll back." ]
}

@test "the profile last applied is kept, and rollback puts the one before back" {
	cp "$P" "$BATS_TEST_TMPDIR/first.json"
	up -q apply
	cmp "$T/var/lib/sysboxup/profile.json" "$BATS_TEST_TMPDIR/first.json"
	echo '{ "docker": { "settings": { "live-restore": true, "debug": true } } }' >"$P"
	up -q apply
	cmp "$T/var/lib/sysboxup/profile.json" "$P"
	up -q rollback
	cmp "$T/var/lib/sysboxup/profile.json" "$BATS_TEST_TMPDIR/first.json"
	up -q rollback
	[ ! -e "$T/var/lib/sysboxup/profile.json" ]
}

@test "status exits 7 for what somebody else changed, and names it" {
	up -q apply
	run -0 up status
	echo '{ "live-restore": false }' >"$T/etc/docker/daemon.json"
	run --separate-stderr -7 up status
	[[ $output == *"FAILED"*"/etc/docker/daemon.json"* ]]
	[[ ${stderr_lines[0]} == "sysboxup: 1 of 1 things are not as sysboxup left them" ]]
}

@test "while another run holds the lock, apply exits 4 and plan works" {
	up -q apply
	exec 9>>"$T/var/lib/sysboxup/lock"
	flock -n 9
	run --separate-stderr -4 up rollback
	[[ ${stderr_lines[0]} == *"lock"* ]]
	[[ $stderr == *"host: nothing was touched by this run" ]]
	run -0 up plan
	exec 9>&-
	run -0 up rollback
}

@test "--quiet says nothing where all is well, and errors all the same" {
	run -0 up --quiet apply
	[ -z "$output" ]
	run -0 up -q status
	[ -z "$output" ]
	run -2 up -q plan --chek
	[[ $output == sysboxup:* ]]
}

@test "colours: none in a pipe, with --color=always, obeying NO_COLOR, --color=never wins on a terminal" {
	run -0 up plan
	[[ $output != *$'\e'* ]]
	run -0 up plan --color=always
	[[ $output == *$'\e[32m'* ]]
	NO_COLOR=1 run -0 up plan --color=always
	[[ $output == *$'\e[32m'* ]]
	local line="$SYSBOXUP --root $T --profile $P"
	TERM=xterm run script -qec "$line plan" /dev/null
	[[ $output == *$'\e[32m'* ]]
	TERM=xterm NO_COLOR=1 run script -qec "$line plan" /dev/null
	[[ $output != *$'\e[32m'* ]]
	TERM=xterm run script -qec "$line plan --color never" /dev/null
	[[ $output != *$'\e[32m'* ]]
	TERM=dumb run script -qec "$line plan" /dev/null
	[[ $output != *$'\e[32m'* ]]
}

@test "a reader that goes away is no failure, a full disk is one" {
	run bash -c '"$@" | true; exit ${PIPESTATUS[0]}' _ "$SYSBOXUP" --help
	[ "$status" -eq 0 ] || [ "$status" -eq 141 ]
	[ -z "$output" ]
	# What changes the host goes on to its end.
	run -0 bash -c '"$@" | true; exit ${PIPESTATUS[0]}' _ "$SYSBOXUP" --root "$T" --profile "$P" apply
	[ "$(jq '."live-restore"' "$T/etc/docker/daemon.json")" = true ]
	run --separate-stderr -1 bash -c '"$1" --help >/dev/full' _ "$SYSBOXUP"
	[[ $stderr == "sysboxup: cannot write to standard output: no space left on device"* ]]
}

@test "without root, what changes the host is refused with exit 3, and plan works" {
	[ "$(id -u)" -eq 0 ] || skip "needs root to become somebody else"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.." 2>/dev/null
	cp "$SYSBOXUP" "$BATS_TEST_TMPDIR/up"
	local somebody=(setpriv --reuid 65534 --regid 65534 --clear-groups "$BATS_TEST_TMPDIR/up" --root "$T" --profile "$P")
	run --separate-stderr -3 "${somebody[@]}" apply
	[ "${stderr_lines[0]}" = "sysboxup: 'apply' must be run as root" ]
	[ "${stderr_lines[1]}" = "  try:  sudo sysboxup apply" ]
	run -7 "${somebody[@]}" plan --check
	up -q apply
	run --separate-stderr "${somebody[@]}" plan
	[[ $stderr == *"what sysboxup has done here before cannot be read"* ]]
	run --separate-stderr -1 "${somebody[@]}" status
	[[ ${stderr_lines[0]} == "sysboxup: cannot open '/var/lib/sysboxup': permission denied" ]]
	[[ ${stderr_lines[1]} == "  try:  run it as root: sudo sysboxup status" ]]
}

@test "a worker that is killed: its parent undoes what it had done, exit 1" {
	local faults=$SYSBOXUP_BUILD/sysboxup-faults n=0 code undone=0
	[ -x "$faults" ] || make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup-faults"
	cp -p "$T/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/old"
	for n in $(seq 20 20 200); do
		code=0
		SYSBOXUP_FAULT=die-before:$n "$faults" --root "$T" --profile "$P" apply >"$BATS_TEST_TMPDIR/out" 2>&1 || code=$?
		[ "$code" -eq 0 ] || [ "$code" -eq 1 ]
		if [ "$code" -eq 1 ]; then
			cmp "$T/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/old"
			grep -q 'sysboxup: the working process was killed by SIGKILL' "$BATS_TEST_TMPDIR/out"
			grep -q 'host: as before' "$BATS_TEST_TMPDIR/out"
			undone=$((undone + 1))
		else
			up -q rollback
		fi
	done
	[ "$undone" -gt 0 ]
	run -0 up recover
	[ "$output" = "Nothing to recover." ]
}

# Leaves a transaction on the disk as a power cut would, at the first point where something has to be undone.
interrupt() {
	local faults=$SYSBOXUP_BUILD/sysboxup-faults n
	[ -x "$faults" ] || make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup-faults"
	for n in $(seq 20 5 300); do
		SYSBOXUP_FAULT_ALONE=1 SYSBOXUP_FAULT=die-before:$n "$faults" --root "$T" --profile "$P" apply >/dev/null 2>&1 || :
		! grep -qs live-restore "$T/etc/docker/daemon.json" || return 0
		up -q recover
	done
	false
}

@test "an interrupted run: apply, rollback and status exit 6, plan warns, recover puts everything back" {
	cp -p "$T/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/old"
	interrupt
	run --separate-stderr -6 up apply
	[[ ${stderr_lines[0]} == "sysboxup: transaction "*" was interrupted" ]]
	[[ $stderr == *"try:  run: sysboxup recover"* ]]
	[[ $stderr == *"host: as the interrupted run left it; nothing was touched now" ]]
	run -6 up rollback
	run --separate-stderr -6 up status
	[[ ${stderr_lines[0]} == "sysboxup: transaction "*" (apply) was interrupted" ]]
	run --separate-stderr -0 up plan
	[[ $stderr == *"warning: transaction "*" was interrupted; this plan is made from what it left"* ]]
	run -0 up recover --json
	tail -n 1 <<<"$output" | jq -e '.command == "recover" and .changed'
	cmp "$T/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/old"
	run -0 up status
}

@test "what cannot be undone: recover and status exit 5 and name it, and recover works once the cause is gone" {
	cp -p "$T/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/old"
	interrupt
	cp -p "$T/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/ours"
	echo 'somebody was here' >"$T/etc/docker/daemon.json"
	run --separate-stderr -5 up recover
	[[ $stderr == *"host: not fully as before; what is left is kept in the history" ]]
	run --separate-stderr -5 up status
	[[ $output == *"FAILED"*" /etc/docker/daemon.json: not undone yet"* ]]
	[[ ${stderr_lines[0]} == "sysboxup: transaction "*" could not be rolled back: "* ]]
	run -5 up apply
	cp -p "$BATS_TEST_TMPDIR/ours" "$T/etc/docker/daemon.json"
	run -0 up recover
	cmp "$T/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/old"
}

# The words that bash would offer for a command line.
complete_line() {
	bash -c '
		source <("$1" completion bash)
		shift
		COMP_WORDS=("$@")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_sysboxup
		printf "%s\n" "${COMPREPLY[@]}"
	' _ "$SYSBOXUP" "$@" | sort
}

@test "completion offers commands, options of the command, choices and files" {
	"$SYSBOXUP" completion bash | shellcheck -
	[ "$(complete_line sysboxup ro)" = rollback ]
	[ "$(complete_line sysboxup '' | wc -l)" -eq "$(commands | wc -l)" ]
	[ "$(complete_line sysboxup plan --ch)" = --check ]
	[ -z "$(complete_line sysboxup status --ch)" ]
	[ "$(complete_line sysboxup --color a)" = $'always\nauto' ]
	[ "$(complete_line sysboxup --color = n)" = never ]
	[ "$(complete_line sysboxup --profile plan ap)" = apply ]
	[ "$(complete_line sysboxup history s)" = show ]
	[ "$(complete_line sysboxup plan --profile "$T/etc/os-")" = "$T/etc/os-release" ]
	[ "$(complete_line sysboxup plan --root "$T/et")" = "$T/etc" ]
}

# loads COMMAND...: which of the libraries that are loaded when needed it loads, by what the loader says.
loads() {
	rm -f "$BATS_TEST_TMPDIR"/loader.*
	LD_DEBUG=files LD_DEBUG_OUTPUT=$BATS_TEST_TMPDIR/loader up "$@" >/dev/null 2>&1 || :
	cat "$BATS_TEST_TMPDIR"/loader.* | sed -n 's/.*calling init: .*\/\(lib\(curl\|archive\|gpgme\|yaml\|crypto\)\)[-.].*/\1/p' | sort | tr '\n' ' '
}

@test "libcurl, libarchive, gpgme and libyaml are loaded by what needs them, and by nothing else" {
	local SYSBOXUP=$REPO/build/sysboxup # with sanitizers they are linked (Makefile)
	make -s -C "$REPO" build/sysboxup
	run ! grep -E 'NEEDED.*lib(curl|archive|gpgme|yaml)' <(readelf -d "$SYSBOXUP")
	[ "$(loads status)" = "libcrypto " ]
	[ "$(loads apply)" = "libcrypto " ]
	cat >"$P" <<-E
		{ "sysbox": {}, "catalog": { "url": "https://127.0.0.1:1/catalog.json", "keyring": "$P",
			"fingerprints": ["0123456789ABCDEF0123456789ABCDEF01234567"] } }
	E
	cp /usr/bin/true "$T/usr/bin/dpkg" # tells the processor of the tree
	[ "$(loads fetch)" = "libcrypto libcurl " ]
	echo 'services: {}' >"$BATS_TEST_TMPDIR/compose.yaml"
	[ "$(loads ci --for compose "$BATS_TEST_TMPDIR/compose.yaml")" = "libcrypto libyaml " ]
}

@test "make install puts program, man pages and completion below DESTDIR, and uninstall takes them away" {
	make -s -C "$REPO" install DESTDIR="$BATS_TEST_TMPDIR/dest" PREFIX=/usr
	cd "$BATS_TEST_TMPDIR/dest"
	[ -x usr/bin/sysboxup ]
	[ -s usr/share/man/man5/sysboxup.json.5 ]
	grep -q '_sysboxup' usr/share/bash-completion/completions/sysboxup
	make -s -C "$REPO" uninstall DESTDIR="$BATS_TEST_TMPDIR/dest" PREFIX=/usr
	[ -z "$(find usr/bin usr/share -type f)" ]
}

@test "the man page names every command and option of the program, and mandoc has nothing to say" {
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" man
	local page c o
	page=$(mandoc -T ascii "$SYSBOXUP_BUILD/man/sysboxup.8" | sed 's/.\x08//g')
	for c in $(commands); do
		grep -Eq "^     $c( |\$)" <<<"$page"
		for o in $("$SYSBOXUP" "$c" --help | grep -o -- '--[a-z-]*' | sort -u); do
			grep -qe "$o" <<<"$page"
		done
	done
	run -0 mandoc -T lint -W warning "$SYSBOXUP_BUILD/man/sysboxup.8" "$SYSBOXUP_BUILD/man/sysboxup.json.5"
}

@test "every key of the profile is in sysboxup.json(5)" {
	local key page
	page=$(mandoc -T ascii "$REPO/installer/man/sysboxup.json.5" | sed 's/.\x08//g')
	while read -r key; do
		grep -qw "$key" <<<"$page"
	done < <(sed -n '/^static const struct field fields/,/^};/s/.*{ "*[a-zA-Z]*"*, "\([a-z_]*\)".*/\1/p' \
		"$REPO/installer/profile/profile.c")
}
