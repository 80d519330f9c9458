# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A verb of the test build, killed, torn and failed at each of its own calls.
#
#   hit NAME CHECK WORD...     sysboxup WORD... on copies of the tree $FROM at $R, hit at its calls by each of $FAULTS. CHECK
#                              looks at what is left, as the next runs find it; $STATUS is the exit status. NAME counts the points
#   again                      a fresh copy; who needs more of it defines `hit_begin`
#
# SYSBOXUP is the release binary; T is for what is in between. STEP: every so many-th call only; SYSBOXUP_EVERY=1 tries them all.
# Needs points.bash.

# shellcheck disable=SC2034 # for who sources this
hit_setup() {
	export SYSBOXUP=$SYSBOXUP_BUILD/sysboxup SYSBOXUP_FAULT_ALONE=1
	STEP=${1:-1} FAULTS="die-before:N die-after:N tear:N fail:N:ENOSPC fail-from:N:EIO"
	[ -z "${SYSBOXUP_EVERY:-}" ] || STEP=1
	T=$BATS_TEST_TMPDIR R=$BATS_TEST_TMPDIR/root
}

declare -F hit_begin >/dev/null || hit_begin() { :; }

again() {
	rm -rf "$R"
	cp -a "$FROM" "$R"
	hit_begin
}

hit__ended_as() {
	case $1:$STATUS in die*:137 | tear*:137 | fail*:[013]) ;; *) return 1 ;; esac
}

hit() {
	local name=$1 check=$2 total n fault points=0 first=0
	shift 2
	again
	rm -f "$T/log"
	SYSBOXUP_FAULT=log:$T/log "$SYSBOXUP-faults" --root "$R" -q "$@" >/dev/null 2>&1
	total=$(wc -l <"$T/log")
	for fault in $FAULTS; do
		# each kind begins at another call, so that together they hit each of them
		first=$((first % STEP + 1))
		for ((n = first; n <= total; n += STEP)); do
			again
			STATUS=0
			SYSBOXUP_FAULT=${fault/:N/:$n} "$SYSBOXUP-faults" --root "$R" -q "$@" >"$T/out" 2>&1 || STATUS=$?
			if ! { hit__ended_as "$fault" && "$check"; }; then
				echo "$fault at call $n of $total, exit status $STATUS: $(sed -n "${n}p" "$T/log")"
				cat "$T/out"
				find "$R/var" -ls
				return 1
			fi
			points=$((points + 1))
		done
	done
	points "$name" "$points"
}
