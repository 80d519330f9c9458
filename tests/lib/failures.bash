# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# bats keeps a stack trace of each command of each function, by a trap that takes 0.4 ms: what waits by looking again costs more
# than what it waits for. Sourced in setup and setup_file (most libraries do), this takes the trace when a command has failed.

# shellcheck disable=SC2034 # what bats reads
failures_seen() {
	bats_check_status_from_trap	# first, it looks at $?
	bats_capture_stack_trace
	BATS_DEBUG_LAST_STACK_TRACE_IS_VALID=1
}

if declare -F bats_capture_stack_trace bats_check_status_from_trap >/dev/null; then
	trap - DEBUG
	# What ends otherwise, by an exit, in a teardown, interrupted, shows no place rather than a wrong one.
	# shellcheck disable=SC2034 # as above
	[ -n "${BATS_DEBUG_LAST_STACK_TRACE_IS_VALID:-}" ] || BATS_DEBUG_LAST_STACK_TRACE=() BATS_DEBUG_LASTLAST_STACK_TRACE=()
	trap failures_seen ERR
fi
