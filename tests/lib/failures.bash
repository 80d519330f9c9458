# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# bats keeps a stack trace of each command of each function, by a trap that takes 0.4 ms: what waits by looking again costs more
# than what it waits for. Sourced in setup and setup_file (all libraries do), this takes the trace when a command has failed.

# shellcheck disable=SC2034 # what bats reads
failures_seen() {
	bats_capture_stack_trace
	BATS_DEBUG_LAST_STACK_TRACE_IS_VALID=1
	bats_check_status_from_trap
}

if declare -F bats_capture_stack_trace bats_check_status_from_trap >/dev/null; then
	trap - DEBUG
	# shellcheck disable=SC2034 # as above
	BATS_DEBUG_LAST_STACK_TRACE=() BATS_DEBUG_LASTLAST_STACK_TRACE=() # an exit shows no place, rather than a wrong one
	trap failures_seen ERR
fi
