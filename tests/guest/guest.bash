# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Throw-away Debian hosts with systemd and a real Docker, for tests. Source this file; needs root and the
# packages of `scripts/deps guest`. NAME is yours to choose ([a-z0-9-], unique among what runs at a time).
#
#   guest_boot NAME [SUITE]        a fresh host (bookworm or trixie; default $GUEST_SUITE, else this machine's),
#                                  returns when its boot has finished, so Docker answers. About 1.5 s.
#   guest_run NAME CMD...          run CMD in it as root, clean environment, stdin and exit status pass through
#   guest_put NAME FILE DEST       copy a file into it (mode kept), directories on the way are made
#   guest_put_tree NAME DIR DEST   what is in DIR (say, a `make install DESTDIR=DIR`) into its DEST, owned by root
#   guest_get NAME PATH            its content on stdout
#   guest_snap NAME [OPTION...]    the snapshot of it by tests/tools/hostdiff.c, from outside, on stdout. What is as in the image
#                                  is known since the first one of that image: 0.1 s of work instead of 1
#   guest_image NAME, guest_known IMAGE     the image it was made of; the file with what is known of it, for hostdiff's --known
#   guest_wait NAME CMD...         until CMD succeeds in the guest; fails after GUEST_DEADLINE (300) seconds: on a busy machine a
#                                  boot takes a minute, and what comes is not waited for any longer than it takes
#   guest_kill NAME                kill -9 of the whole host at once; the disk stays as it is
#   guest_poweroff NAME            an orderly end; the disk stays, and GUEST_LIKE=NAME guest_boot OTHER begins with it
#   guest_reboot NAME              boot again on the same disk (if it still runs: after an orderly poweroff)
#   guest_look NAME CMD...         while it does not run: CMD on this machine, in the guest's root directory
#   guest_exec_root NAME CMD...    no systemd: CMD alone in a container of the same root (fresh unless NAME has
#                                  been used before and not destroyed), foreground, for a dockerd started by hand
#   guest_alive NAME               does it run?
#   guest_pid NAME                 PID of its init as this machine sees it
#   guest_dir NAME                 its directory here: disk.img, log (console)
#   guest_destroy NAME             nothing is left: processes, mounts, loop device, cgroups, files
#   guest_sweep                    destroy the guests whose test run has ended without doing so
#
# What the guest is: see rootfs. The root is an ext4 image of 4 GiB on a loop device, private to the guest's
# mount namespace. It has a network of its own without a way out: uplink0 (192.0.2.2/24) with a default route
# that leads nowhere. `apt-get install jq fuse3 rsync lsb-release iptables man-db ufw firewalld` works (/srv/pool).
# bb:1 is an image to run. Its sysctls that Sysbox raises are private files
# bound over /proc/sys, reset at each boot; whoever mounts a fresh /proc in it sees this machine's own, which
# are recorded at the first boot and put back when the last guest of this machine, of whatever checkout, is destroyed.
#
# GUEST_DOCKER is an option of its dockerd: --iptables=false saves it a hundred processes at each start, where nobody looks
# at networks.
#
# A bats file boots in setup_file or setup, and destroys in teardown_file or teardown. bats calls teardown from an
# EXIT trap, where a bare `return` gives the status of the failed test: every return here has a number.

GUEST_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/failures.bash
. "$GUEST_HERE/../lib/failures.bash"
GUEST_RUN=${SYSBOXUP_GUEST_RUN:-$(cd "$GUEST_HERE/../.." && pwd)/build/guest/run}
GUEST_MACHINE=/run/sysboxup-guests	# of all checkouts: a lock, the sysctls of before, a link for each guest
GUEST_HOSTDIFF=$GUEST_HERE/../../build/tools/hostdiff
GUEST_DEADLINE=${GUEST_DEADLINE:-300}
GUEST_SYSCTLS="fs/inotify/max_queued_events fs/inotify/max_user_instances fs/inotify/max_user_watches
	kernel/keys/maxkeys kernel/keys/maxbytes kernel/pid_max"

guest_dir() {
	echo "$GUEST_RUN/$1"
}

# Run with the lock that orders the making and removing of guests.
guest__locked() {
	{ [ -d "$GUEST_RUN" ] && [ -d "$GUEST_MACHINE" ]; } || mkdir -p "$GUEST_RUN" "$GUEST_MACHINE"
	(
		flock 8
		"$@"
	) 8>"$GUEST_MACHINE/.lock"
}

# Before a guest is made. A record that is there is of the time before all guests, also of those that nobody destroyed.
guest__enter() {
	local key value dir
	dir=$(guest_dir "$1")
	[ -e "$GUEST_MACHINE/.sysctls" ] ||
		for key in $GUEST_SYSCTLS; do
			read -r value <"/proc/sys/$key"
			echo "$key $value"
		done >"$GUEST_MACHINE/.sysctls"
	mkdir -p "$dir/root"
	ln -sfn "$dir" "$GUEST_MACHINE/$(cksum <<<"$dir" | tr ' ' -)"
}

# When its directory is gone. A link whose guest went without us goes, too.
guest__leave() {
	local key value now link
	for link in "$GUEST_MACHINE"/*; do
		[ -e "$link" ] || rm -f "$link"
	done
	if compgen -G "$GUEST_MACHINE/*" >/dev/null || [ ! -e "$GUEST_MACHINE/.sysctls" ]; then
		return 0
	fi
	while read -r key value; do
		read -r now <"/proc/sys/$key"
		[ "$now" = "$value" ] || echo "$value" >"/proc/sys/$key"
	done <"$GUEST_MACHINE/.sysctls"
	rm -f "$GUEST_MACHINE/.sysctls"
}

# The disk of a fresh guest. The owner is the process that guest_sweep asks whether the test run still lives;
# a guest that a person made by hand has none.
guest__disk() {
	local name=$1 suite=${2:-${GUEST_SUITE:-}} dir image from
	dir=$(guest_dir "$name")
	# shellcheck disable=SC2086 # no suite: no argument
	if [ -n "${GUEST_LIKE:-}" ]; then image=$(guest_image "$GUEST_LIKE"); else image=$("$GUEST_HERE/rootfs" $suite); fi || return 1
	from=${GUEST_LIKE:+$(guest_dir "$GUEST_LIKE")/disk.img}
	guest__locked guest__enter "$name" || return 1
	echo "$image" >"$dir/image"
	[ -z "${BATS_ROOT_PID:-}" ] || echo "$BATS_ROOT_PID" >"$dir/owner"
	if [ -z "${SYSBOXUP_GUEST_DISKS:-}" ]; then
		cp --sparse=always --reflink=auto "${from:-$image}" "$dir/disk.img"
	else
		guest__locked guest__base "$image"
		cp --reflink=always "${from:-$SYSBOXUP_GUEST_DISKS/$(basename "$image")}" "$SYSBOXUP_GUEST_DISKS/$name.disk" &&
			ln -sf "$SYSBOXUP_GUEST_DISKS/$name.disk" "$dir/disk.img"
	fi
}

# SYSBOXUP_GUEST_DISKS: a directory on a file system that copies by reference, where the disks of guests are to be (tests/run).
guest__base() {
	local base
	base=$SYSBOXUP_GUEST_DISKS/$(basename "$1")
	[ -e "$base" ] || { cp --sparse=always "$1" "$base.new" && mv "$base.new" "$base"; }
}

# What is asked again and again is answered without another process: in GUEST_NSPAWN and GUEST_INIT.

# GUEST_NSPAWN, the PID of nspawn, if it is still ours (a PID may have been given to somebody else).
guest__nspawn() {
	local IFS=$'\n' cmdline dir=$GUEST_RUN/$1
	{ read -r GUEST_NSPAWN <"$dir/pid"; } 2>/dev/null || return 1
	{ mapfile -td '' cmdline <"/proc/$GUEST_NSPAWN/cmdline"; } 2>/dev/null || return 1
	case $IFS${cmdline[*]}$IFS in *"$IFS$dir$IFS"* | *"$IFS$dir"/*) return 0 ;; esac
	return 1
}

# GUEST_INIT, the PID of its init. The kernel's list of children may miss one while another one comes or goes.
guest__init() {
	local children _
	for _ in {1..20}; do
		guest__nspawn "$1" || return 1
		children=''
		read -r children 2>/dev/null <"/proc/$GUEST_NSPAWN/task/$GUEST_NSPAWN/children" || :
		for GUEST_INIT in $children; do
			[ -e "/proc/$GUEST_INIT/ns/pid" ] && ! [ "/proc/$GUEST_INIT/ns/pid" -ef /proc/self/ns/pid ] && return 0
		done
	done
	return 1
}

guest_alive() {
	guest__nspawn "$1"
}

guest_pid() {
	guest__init "$1" && echo "$GUEST_INIT"
}

# systemd listens for systemctl. Not before: what runs until then is nspawn's own, and unfinished.
guest__listens() {
	guest__init "$1" && [ -S "/proc/$GUEST_INIT/root/run/systemd/private" ]
}

# guest__until SECONDS CMD...: poll a condition of this machine.
guest__until() {
	local deadline=$((SECONDS + $1)) silence=$GUEST_MACHINE/.silence
	shift
	[ -p "$silence" ] || { mkdir -p "$GUEST_MACHINE" && mkfifo "$silence" 2>/dev/null; } || :
	until "$@" 2>/dev/null; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		read -rt 0.02 <>"$silence" || :
	done
}

guest__gone() {
	! guest_alive "$1"
}

guest__start() {
	local name=$1 dir
	dir=$(guest_dir "$name")
	rm -f "$dir/pid"
	setsid "$GUEST_HERE/boot" "$dir" "$name" </dev/null >"$dir/log" 2>&1 3>&- 4>&- 8>&- 9>&- &
	disown $!
	# Until the queue of the boot is empty; "degraded" is a boot that ended, too.
	if ! guest__until "$GUEST_DEADLINE" guest__listens "$name" ||
		[[ $(guest_run "$name" timeout "$GUEST_DEADLINE" systemctl is-system-running --wait) != @(running|degraded) ]]; then
		echo "guest '$name' did not boot:" >&2
		tail -n 20 "$dir/log" >&2
		return 1
	fi
	[ -z "${GUEST_COVERAGE:-}" ] || guest_run "$name" mkdir -p /run/sysboxup-coverage
}

guest_boot() {
	guest_destroy "$1" && guest__disk "$@" && guest__start "$1"
}

guest_run() {
	guest__init "$1" || { echo "guest '$1' does not run" >&2; return 125; }
	shift
	nsenter -t "$GUEST_INIT" -m -u -i -n -p -C -r -w -- /usr/bin/env -i HOME=/root TERM=dumb LC_ALL=C.UTF-8 \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

guest_put() {
	# shellcheck disable=SC2094 # reads the mode of what it copies
	guest_run "$1" sh -c 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"' sh \
		"$3" "$(stat -c %a "$2")" <"$2"
}

guest_put_tree() {
	tar -C "$2" --owner=0 --group=0 -cf - . | guest_run "$1" tar --keep-directory-symlink -C "$3" -xf -
}

guest_get() {
	guest_run "$1" cat "$2"
}

# What the image holds, and its time: guests were made of it later. Snapshots of another hostdiff may look otherwise, and an
# image that was made again, or in another cache, has another time.
guest__knows() {
	[ -e "$2" ] && ! [ "$1" -nt "$2" ] && { ! [ -e "$1" ] || ! [ "$1" -ot "$2" ]; }
}

guest__known() {
	local image=$1 known=$2
	! guest__knows "$image" "$known" || return 0
	rm -f "$GUEST_RUN"/.known-*-"$(basename "$image")"
	unshare -m --propagation slave bash -euc '
		mkdir -p "$1"
		mount -o loop,ro "$2" "$1"
		exec "$3" snap "$1"' known "$GUEST_RUN/.look" "$image" "$GUEST_HOSTDIFF" >"$known.new" &&
		touch -r "$image" "$known.new" && mv "$known.new" "$known"
}

guest_known() {
	local known
	[ -x "$GUEST_HOSTDIFF" ] || make -s -C "$GUEST_HERE/../tools" || return 1
	known=$GUEST_RUN/.known-$(cksum <"$GUEST_HOSTDIFF" | tr ' ' -)-$(basename "$1")
	guest__knows "$1" "$known" || guest__locked guest__known "$1" "$known" || return 1
	echo "$known"
}

guest_image() {
	cat "$(guest_dir "$1")/image"
}

guest_snap() {
	local known
	known=$(guest_known "$(guest_image "$1")") && guest__init "$1" || return 1
	"$GUEST_HOSTDIFF" snap "/proc/$GUEST_INIT/root" --known "$known" "${@:2}"
}

guest_wait() {
	local name=$1
	shift
	if ! guest__until "$GUEST_DEADLINE" guest_run "$name" "$@" >/dev/null; then
		echo "guest '$name': not within ${GUEST_DEADLINE} s: $*" >&2
		return 1
	fi
}

# Groups that are empty by now are removed: true when none is left.
guest__groups_gone() {
	local groups group left=0
	mapfile -t groups <"$(guest_dir "$1")/cgroups"
	find "${groups[@]}" -depth -type d -exec rmdir {} + 2>/dev/null || :
	for group in "${groups[@]}"; do
		[ ! -d "$group" ] || left=1
	done
	return $left
}

# Nobody sees another one end and acts on it: a systemctl whose systemd is gone fails, and whoever called it undoes what it did.
# So systemd holds still, all others are ended by one call, and it behind them. Nothing of the guest is needed for that; and
# that call is made in a namespace of pids that is not ours, or not at all.
guest_kill() {
	local name=$1
	if guest__init "$name" && kill -STOP "$GUEST_INIT"; then
		nsenter -t "$GUEST_INIT" -p bash -c '! [ /proc/self/ns/pid -ef "/proc/$1/ns/pid" ] && kill -KILL -1' all $$ || :
		kill -KILL "$GUEST_INIT" && guest__until 60 guest__gone "$name"
	fi
	# Without an init, or when that did not end it: nspawn's own end is the guest's.
	if guest__nspawn "$name" && kill -KILL "$GUEST_NSPAWN"; then guest__until 60 guest__gone "$name"; fi
	guest__settled "$name"
}

# What ended is gone when its groups are empty and its loop device is free.
guest__settled() {
	[ ! -e "$(guest_dir "$1")/cgroups" ] || guest__until 60 guest__groups_gone "$1"
	guest__until 60 guest__loop_free "$1"
}

guest__loop_free() {
	[ -z "$(losetup -n -O NAME -j "$(guest_dir "$1")/disk.img")" ]
}

guest_poweroff() {
	guest__counters "$1"
	guest_run "$1" systemctl poweroff >/dev/null 2>&1
	guest__until "$GUEST_DEADLINE" guest__gone "$1" && guest__settled "$1"
}

guest_reboot() {
	if guest_alive "$1"; then
		guest_poweroff "$1" || return 1
	fi
	guest__settled "$1" && guest__start "$1"
}

guest_look() {
	local dir
	dir=$(guest_dir "$1")
	shift
	unshare -m --propagation slave bash -c 'mount -o loop "$1/disk.img" "$1/root" && cd "$1/root" && shift && "$@"' \
		look "$dir" "$@"
}

guest_exec_root() {
	local name=$1 dir rc=0
	dir=$(guest_dir "$name")
	shift
	[ -e "$dir/disk.img" ] || guest__disk "$name" || return 1
	"$GUEST_HERE/boot" "$dir" "$name" /usr/bin/env -i HOME=/root TERM=dumb LC_ALL=C.UTF-8 \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" || rc=$?
	guest__settled "$name"
	return $rc
}

# GUEST_COVERAGE: a directory for the counters of a coverage build's program (scripts/coverage), taken while the guest still runs.
guest__counters() {
	local dir
	if [ -n "${GUEST_COVERAGE:-}" ] && guest_alive "$1"; then
		dir=$(mktemp -d "$GUEST_COVERAGE/$1.XXXXXX")
		guest_run "$1" tar -C /run/sysboxup-coverage -cf - . 2>/dev/null | tar -C "$dir" -xf - || :
	fi
}

guest_destroy() {
	local name=$1 dir rc=0
	dir=$(guest_dir "$name")
	[ -d "$dir" ] || return 0
	guest__counters "$name"
	guest_kill "$name" || rc=$?
	rm -rf "$dir"
	[ -z "${SYSBOXUP_GUEST_DISKS:-}" ] || rm -f "$SYSBOXUP_GUEST_DISKS/$name.disk"
	guest__locked guest__leave
	return $rc
}

guest_sweep() {
	local dir owner
	for dir in "$GUEST_RUN"/*/; do
		owner=$(cat "$dir/owner" 2>/dev/null) || :
		[ -n "$owner" ] || continue	# nobody's; or it comes or goes this moment
		kill -0 "$owner" 2>/dev/null || guest_destroy "$(basename "$dir")"
	done
}
