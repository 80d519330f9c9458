# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the files of tests on programs that let us down have in common: tests/tools/meddle.c and meddled.c in a guest, and a
# chosen call at which they do. The host is that of livehost.bash. A bats file loads it: setup and teardown are here too.
# STATE is "before" or "after".
#
#   $G                          the name of a test's guest; $APPLY and $ROLLBACK, the verbs. A test may change JUDGE, the options of
#                               live_judge; AFTERWARDS, a function between run and judge; SWALLOWED, which judges an exit 0 from
#                               before; CALLS, of which alone samples are
#   put_before STAND-IN TOOL... it stands before them, in a guest that is up
#   each STATE "HOW/COUNT..." VERB...
#                               an untouched run to see what calls there are; then each HOW at COUNT of them ("all"; at every
#                               one where SYSBOXUP_EVERY says so), each judged. The points are added up in TOTAL
#   learn STATE VERB...         its first half
#   learned STATE "HOW/COUNT..." VERB...    its second half
#   one_point STATE HOW N VERB...           one of these; $rc and $said are the run's, else $why
#   call_of PATTERN             the number of the first such call

setup_file() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export REPO SYSBOXUP_BUILD=${SYSBOXUP_BUILD:-$REPO/build}
	make -s -C "$REPO" BUILD="$SYSBOXUP_BUILD" "$SYSBOXUP_BUILD/sysboxup" "$SYSBOXUP_BUILD"/tools/{ask,killat,hostdiff,meddle,meddled,haste.so}
	. "$REPO/tests/lib/install.bash"
	BUILD=$SYSBOXUP_BUILD install_prepare "$BATS_FILE_TMPDIR" 0.7.0
}

setup() {
	. "$REPO/tests/guest/guest.bash"
	. "$REPO/tests/lib/install.bash"
	. "$REPO/tests/lib/points.bash"
	. "$BATS_TEST_DIRNAME/livehost.bash"
	G=meddle-$BATS_TEST_NUMBER-$$ TOTAL=0
	AFTERWARDS=: SWALLOWED=false JUDGE=() CALLS=''
	# shellcheck disable=SC2034 # the tests'
	APPLY=(apply --force container) ROLLBACK=(rollback)
}

teardown() {
	guest_destroy "$G"
}

# put_before STAND-IN TOOL...: it stands before them, in a guest that is up.
put_before() {
	local file
	guest_run "$G" mkdir -p /srv/meddle/real
	for file in meddle meddled killat haste.so; do guest_put "$G" "$SYSBOXUP_BUILD/tools/$file" "/srv/meddle/$file"; done
	guest_run "$G" bash -euc '
		touch /srv/meddle/hangs
		for tool in "${@:2}"; do
			path=$(readlink -f "$(command -v "$tool")")
			cp -a "$path" "/srv/meddle/real/$tool"
			mount --bind "/srv/meddle/$1" "$path"
		done' put "$@"
}

# meddled PLAN VERB...: a run with PLAN in place; $rc, $said.
meddled() {
	rc=0
	guest_run "$G" sh -c 'rm -f /srv/meddle/calls; echo "$1" >/srv/meddle/plan' sh "$1"
	said=$(guest_run "$G" timeout -k 5 600 env LD_PRELOAD=/srv/meddle/haste.so HASTE=/srv/meddle/hangs \
		/usr/bin/sysboxup --profile /srv/demo/profile.json -q "${@:2}" </dev/null 2>&1) || rc=$?
	guest_run "$G" mv /srv/meddle/plan /srv/meddle/plan.last
}

# sample HOW COUNT: so many of the calls that $CALLS matches, evenly spread; or "all". Half of its work does only what does
# something.
sample() {
	guest_run "$G" sh -c 'cd /srv/meddle
		if [ "$1" = half ]; then grep -l K log.* | cut -d. -f2 | sort -n; else grep -n -e "$2" learned | cut -d: -f1; fi' \
		sh "$1" "$CALLS" | awk -v want="$2" -v every="${SYSBOXUP_EVERY:-}" '
		{ call[NR] = $1 }
		END {
			if (every || want == "all" || want + 0 > NR)
				want = NR
			for (i = 0; i < want; i++)
				print call[int((i + 0.5) * NR / want) + 1]
		}'
}

# learn STATE VERB...: the calls of an untouched run, and what they call. The host is then in STATE again.
learn() {
	guest_run "$G" sh -c 'rm -f /srv/meddle/log.*'
	meddled "0 trace" "${@:2}"
	[ "$rc" -eq 0 ] || { why="untouched, exit $rc: $said"; return 1; }
	guest_run "$G" cp /srv/meddle/calls /srv/meddle/learned
	[ "$1" != before ] || live_keep after
	live_settle "$1" "${JUDGE[@]}"
}

# one_point STATE HOW N VERB...
one_point() {
	local state=$1 how=$2 n=$3 ended=after at=
	[ "$state" = before ] || ended=before
	[ "$how" != half ] ||
		at=$(guest_run "$G" awk '$5 ~ /K/ { call[++i] = $1 } END { print call[int(i / 2) + 1] }' "/srv/meddle/log.$n")
	meddled "$n $how $at" "${@:4}"
	$AFTERWARDS
	live_judge "$rc" "$said" "$state" "$ended" "${JUDGE[@]}" ||
		{ [ "$rc-$state" = 0-before ] && $SWALLOWED "$state" "$said"; } || return 1
	TOTAL=$((TOTAL + 1))
}

# each STATE "HOW/COUNT..." VERB...
each() {
	learn "$1" "${@:3}" || { echo "$why"; return 1; }
	learned "$@"
}

# learned STATE "HOW/COUNT..." VERB...: the same, of calls that are known.
learned() {
	local state=$1 modes=$2 mode n tried
	shift 2
	for mode in $modes; do
		tried=$TOTAL
		for n in $(sample "${mode%/*}" "${mode#*/}"); do
			one_point "$state" "${mode%/*}" "$n" "$@" || {
				echo "$* from $state, ${mode%/*} at call $n: $(guest_run "$G" sed -n "${n}p" /srv/meddle/calls): $why"
				return 1
			}
		done
		echo "# $* from $state: ${mode%/*}${CALLS:+ at $CALLS}: $((TOTAL - tried)) calls" >&3
	done
}

# call_of PATTERN: the number of the first such call.
call_of() {
	guest_run "$G" grep -n -m 1 -e "$1" /srv/meddle/learned | cut -d: -f1
}
