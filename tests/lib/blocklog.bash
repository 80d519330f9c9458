# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A disk that keeps a log of all its writes and flushes, for tests/tools/writelog.c. Needs inside.bash, its namespace
# begun, and root; packages qemu-system-common, and xfsprogs or btrfs-progs for those file systems.
#
#   blocklog_make FS DIR [TREE]    DIR/disk.img, a disk with an empty FS (ext4, xfs, btrfs) or a copy of TREE in it
#   blocklog_start DIR             logs DIR/disk.img from now on in DIR/log.img, and keeps what it was in DIR/base.img;
#                                  DIR is inside.
#   blocklog_attach                its device is BLOCKLOG_DEV, for those who mount it themselves; once mounted, a
#                                  `losetup -d $BLOCKLOG_DEV` makes it go with the mount
#   blocklog_mount POINT           does that, inside
#   blocklog_mark                  the number of entries so far, as of the last flush: all that was acknowledged
#   blocklog_umount                as any other unmounting, with all that this writes
#   blocklog_vanish                from now on every read and write of the device fails
#   blocklog_stop                  nothing is left but the files in DIR; also in the middle, and twice
#
# How it hangs together: file system -> loop device -> file on FUSE -> qemu-storage-daemon with blklogwrites -> disk.img,
# log.img. It is dm-log-writes for a kernel without device mapper. fsync of the file system becomes FLUSH, the loop
# device's fsync, FUSE's, and a FLUSH entry. Timers of the file system are set so far apart that they hide no fsync.
#
# Mind: whoever ends the daemon while the file system on it is mounted must not wait for that file system. A daemon whose
# mount namespace holds the mount waits, while it dies, for its own answer, and every losetup of the machine with it.
# So it lives in a namespace of its own, that never sees the mount; and the connection of FUSE is cut where it is stuck.

# shellcheck source=tests/lib/failures.bash
. "${BASH_SOURCE[0]%/*}/failures.bash"

blocklog__mkfs()
{
	case $1 in
	ext4) truncate -s 1G "$2" && mkfs.ext4 -q -F -b 4096 -N 8192 -J size=8 -E lazy_itable_init=0,lazy_journal_init=0 "$2" ;;
	xfs) truncate -s 1G "$2" && mkfs.xfs -q -f "$2" ;;
	btrfs) truncate -s 1G "$2" && mkfs.btrfs -q -f --mixed "$2" >/dev/null ;;
	*) return 1 ;;
	esac
}

blocklog_make()
{
	local fs=$1 dir=$2 tree=${3:-}
	blocklog__mkfs "$fs" "$(inside_path "$dir/disk.img")" || return 1
	[ -z "$tree" ] || inside bash -euc '
		mkdir -p "$1/tree"
		mount -o loop "$1/disk.img" "$1/tree"
		cp -a "$2/." "$1/tree/"
		umount "$1/tree"
		rmdir "$1/tree"
	' - "$dir" "$tree" || return 1
	inside fallocate --dig-holes "$dir/disk.img"
}

# Waits until CMD succeeds, at most a minute.
blocklog__until()
{
	local i
	for ((i = 0; i < 6000; i++)); do
		if "$@"; then return 0; fi
		read -rt 0.01 <> <(:) || :
	done
	return 1
}

# A loop device is ours as long as it has our connection's file: another test may have its number by now.
blocklog__attached()
{
	[[ $(losetup "$BLOCKLOG_DEV" 2>/dev/null) == *"[$(printf %04d "$BLOCKLOG_CONNECTION")]:1 "* ]]
}

blocklog__detached()
{
	! blocklog__attached
}

blocklog__ready()
{
	[ -s "$1" ] || ! kill -0 "$BLOCKLOG_PID"
}

# The number of FUSE's connection, which is the device number's lower half.
blocklog__connection()
{
	awk -v at="$BLOCKLOG_FUSE" '$5 == at { split($3, dev, ":"); print dev[2] }' "/proc/$BLOCKLOG_PID/mountinfo"
}

blocklog_start()
{
	local dir here=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/blocklog
	BLOCKLOG_DEV='' BLOCKLOG_POINT='' BLOCKLOG_FUSE=$here/disk.fuse BLOCKLOG_DIR=$1
	dir=$(inside_path "$1")
	rm -rf "$here"
	mkdir "$here" || return 1
	: >"$BLOCKLOG_FUSE"
	cp --sparse=always "$dir/disk.img" "$dir/base.img" || return 1
	rm -f "$dir/log.img"
	truncate -s 4G "$dir/log.img" || return 1
	unshare -m --propagation private setpriv --pdeathsig KILL qemu-storage-daemon --pidfile "$here/pid" \
		--blockdev "driver=file,node-name=disk,filename=$dir/disk.img,cache.direct=off" \
		--blockdev "driver=file,node-name=log,filename=$dir/log.img" \
		--blockdev driver=blklogwrites,node-name=logged,file=disk,log=log,log-sector-size=512,log-super-update-interval=1 \
		--export "type=fuse,id=export,node-name=logged,mountpoint=$BLOCKLOG_FUSE,writable=on,growable=off" \
		</dev/null >"$here/out" 2>&1 3>&- &
	BLOCKLOG_PID=$!
	blocklog__until blocklog__ready "$here/pid"	# written when the export is there
	BLOCKLOG_CONNECTION=$(blocklog__connection)
	[ -n "$BLOCKLOG_CONNECTION" ] || { cat "$here/out"; return 1; }
}

blocklog_attach()
{
	BLOCKLOG_DEV=$(nsenter --mount="/proc/$BLOCKLOG_PID/ns/mnt" -- losetup -f --show "$BLOCKLOG_FUSE")
}

blocklog_mount()
{
	local options=noatime
	blocklog_attach || return 1
	case $(blkid -p -o value -s TYPE "$BLOCKLOG_DEV") in
	ext4) options=$options,commit=600 ;;
	btrfs) options=$options,commit=600,nodiscard ;;
	esac
	BLOCKLOG_POINT=$1
	inside mkdir -p "$1" || return 1
	inside mount -o "$options" "$BLOCKLOG_DEV" "$1" || return 1
	losetup -d "$BLOCKLOG_DEV"	# with the mount, whoever ends that
}

blocklog_mark()
{
	od -A n -t u8 -j 16 -N 8 "$(inside_path "$BLOCKLOG_DIR/log.img")" | tr -d ' '
}

blocklog_umount()
{
	inside umount "$BLOCKLOG_POINT" || return 1
	BLOCKLOG_POINT=''
}

blocklog_vanish()
{
	unshare -m --propagation private bash -euc '
		mount -t fusectl none /sys/fs/fuse/connections
		echo 1 >"/sys/fs/fuse/connections/$1/abort"
	' - "$BLOCKLOG_CONNECTION"
}

blocklog_stop()
{
	[ -n "${BLOCKLOG_PID:-}" ] || return 0
	if [ -n "$BLOCKLOG_POINT" ]; then
		blocklog_umount || inside umount -l "$BLOCKLOG_POINT"
	fi
	if [ -n "$BLOCKLOG_DEV" ] && blocklog__attached; then
		losetup -d "$BLOCKLOG_DEV" 2>/dev/null
		blocklog__until blocklog__detached || blocklog_vanish
	fi
	kill "$BLOCKLOG_PID" 2>/dev/null || :
	wait "$BLOCKLOG_PID" 2>/dev/null || :	# one whose disk has vanished may crash at its end
	BLOCKLOG_PID='' BLOCKLOG_DEV=''
	return 0
}
