# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Campaigns of tests/tools/everycall.c on images in $W, with the program $UP and the tools of $TOOLS.
#
# each START "MODE[/STEP]..." [OPTION...] -- ARG...: everycall from START in each mode, at every STEP-th call (at every
# one where SYSBOXUP_EVERY says so). The points are added up in TOTAL.

# shellcheck source=tests/lib/failures.bash
. "${BASH_SOURCE[0]%/*}/failures.bash"

each() {
	local start=$1 modes=$2 mode step out options=()
	shift 2
	while [ "$1" != -- ]; do options+=("$1") && shift; done
	shift
	for mode in $modes; do
		step=1
		[[ $mode != */* || -n ${SYSBOXUP_EVERY:-} ]] || step=${mode#*/}
		out=$("$TOOLS/everycall" --start "$W/$start" --root "$W/root" --mode "${mode%/*}" --step "$step" "${options[@]}" \
			-- "$UP" --root "$W/root" "$@") || { echo "$out"; return 1; }
		echo "# $start: $out" >&3
		TOTAL=$((TOTAL + $(cut -d' ' -f2 <<<"$out")))
	done
}
