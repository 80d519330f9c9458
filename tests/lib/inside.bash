# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A mount namespace that belongs to the test alone: what is mounted in it goes with it, also when the test fails or is
# killed. For setup and teardown of a bats file (or setup_file and teardown_file); needs root.
#
#   inside_begin DIR [SIZE]    begins it, with a tmpfs of SIZE (1g) on DIR, seen inside only
#   inside CMD...              CMD there; paths are absolute, the working directory is /
#   inside_path PATH           PATH there, as seen from outside
#   inside_end                 all that is left in it ends, then the namespace
#
# Its holder is a process of ours that dies with the test's shell. No other process should hold it for longer than a
# command: above all not one that serves a file system mounted in it (blocklog.bash says what came of that).

# shellcheck source=tests/lib/failures.bash
. "${BASH_SOURCE[0]%/*}/failures.bash"

inside_begin()
{
	local dir=$1 size=${2:-1g}
	unshare -m --propagation private setpriv --pdeathsig KILL sleep infinity </dev/null >/dev/null 2>&1 3>&- &
	INSIDE_PID=$!
	until [ "$(cat "/proc/$INSIDE_PID/comm")" = sleep ]; do
		kill -0 "$INSIDE_PID" || return 1
	done
	[ "$(readlink "/proc/$INSIDE_PID/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ] || return 1
	mkdir -p "$dir"
	inside mount -t tmpfs -o "size=$size,mode=0755" inside "$dir"
}

inside()
{
	nsenter --mount="/proc/$INSIDE_PID/ns/mnt" -- "$@"
}

inside_path()
{
	echo "/proc/$INSIDE_PID/root$1"
}

inside_end()
{
	[ -n "${INSIDE_PID:-}" ] || return 0
	kill -9 "$INSIDE_PID" 2>/dev/null
	wait "$INSIDE_PID" 2>/dev/null
	INSIDE_PID=
	return 0
}
