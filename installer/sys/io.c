/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/io.h"

#include "sys/fault.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The frame of each function here: fault seam, the call until it is not interrupted, fault seam. */
#define IO_CALL(what, fd, name, call)                           \
	do {                                                    \
		int ret_;                                       \
		if (fault_enter((what), (fd), (name)))          \
			return -1;                              \
		do                                              \
			ret_ = (int)(call);                     \
		while (ret_ < 0 && errno == EINTR);             \
		fault_leave();                                  \
		return ret_;                                    \
	} while (0)

int io_openat(int dirfd, const char *name, int flags, mode_t mode)
{
	IO_CALL("open", dirfd, name, openat(dirfd, name, flags | O_CLOEXEC, mode));
}

/* at < 0: at the descriptor's own offset. */
static int write_rest(int fd, const char *data, size_t len, off_t at)
{
	while (len) {
		ssize_t n = at < 0 ? write(fd, data, len) : pwrite(fd, data, len, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n ? errno : ENOSPC;
			return -1;
		}
		data += n;
		len -= (size_t)n;
		at += at < 0 ? 0 : n;
	}
	return 0;
}

int io_write_all(int fd, const void *data, size_t len)
{
	IO_CALL("write", fd, NULL, write_rest(fd, data, fault_torn(len), -1));
}

int io_pwrite_all(int fd, const void *data, size_t len, off_t at)
{
	IO_CALL("pwrite", fd, NULL, write_rest(fd, data, fault_torn(len), at));
}

int io_ftruncate(int fd, off_t len)
{
	IO_CALL("ftruncate", fd, NULL, ftruncate(fd, len));
}

int io_fallocate(int fd, off_t len)
{
	IO_CALL("fallocate", fd, NULL, fallocate(fd, 0, 0, len));
}

int io_fsync(int fd)
{
	IO_CALL("fsync", fd, NULL, fsync(fd));
}

int io_syncfs(int fd)
{
	IO_CALL("syncfs", fd, NULL, syncfs(fd));
}

int io_close(int fd)
{
	int failed = fault_enter("close", fd, NULL), errnum = errno;
	int ret = close(fd);

	if (ret < 0 && errno == EINTR)
		ret = 0;
	fault_leave();
	if (!failed)
		return ret;
	errno = errnum;
	return -1;
}

int io_renameat2(int dirfd, const char *from, int todirfd, const char *to, unsigned int flags)
{
	/* flags 0 must work on kernels and in sandboxes without renameat2 too */
	if (!flags)
		IO_CALL("rename", todirfd, to, renameat(dirfd, from, todirfd, to));
	IO_CALL(flags & RENAME_EXCHANGE ? "exchange" : "rename-new", todirfd, to,
		syscall(SYS_renameat2, dirfd, from, todirfd, to, flags));
}

int io_linkat(int dirfd, const char *from, int todirfd, const char *to)
{
	IO_CALL("link", todirfd, to, linkat(dirfd, from, todirfd, to, 0));
}

int io_unlinkat(int dirfd, const char *name, int flags)
{
	IO_CALL(flags & AT_REMOVEDIR ? "rmdir" : "unlink", dirfd, name,
		unlinkat(dirfd, name, flags));
}

int io_mkdirat(int dirfd, const char *name, mode_t mode)
{
	IO_CALL("mkdir", dirfd, name, mkdirat(dirfd, name, mode));
}

int io_symlinkat(const char *target, int dirfd, const char *name)
{
	IO_CALL("symlink", dirfd, name, symlinkat(target, dirfd, name));
}

int io_fchmod(int fd, mode_t mode)
{
	IO_CALL("fchmod", fd, NULL, fchmod(fd, mode));
}

int io_fchown(int fd, uid_t uid, gid_t gid)
{
	IO_CALL("fchown", fd, NULL, fchown(fd, uid, gid));
}

int io_fchownat(int dirfd, const char *name, uid_t uid, gid_t gid)
{
	IO_CALL("fchownat", dirfd, name, fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW));
}

int io_fsetxattr(int fd, const char *name, const void *value, size_t len)
{
	IO_CALL("fsetxattr", fd, NULL, fsetxattr(fd, name, value, len, 0));
}

int io_fremovexattr(int fd, const char *name)
{
	IO_CALL("fremovexattr", fd, NULL, fremovexattr(fd, name));
}

int io_lsetxattr(int dirfd, const char *entry, const char *name, const void *value, size_t len)
{
	char path[300];

	/* no *at form before Linux 6.13: the directory's descriptor by its /proc name, so no path
	 * is walked again */
	if (snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dirfd, entry) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	IO_CALL("lsetxattr", dirfd, entry, lsetxattr(path, name, value, len, 0));
}

int io_utimensat(int dirfd, const char *name, const struct timespec ts[2])
{
	IO_CALL("utimens", dirfd, name, utimensat(dirfd, name, ts, AT_SYMLINK_NOFOLLOW));
}

int io_futimens(int fd, const struct timespec ts[2])
{
	IO_CALL("utimens", fd, NULL, futimens(fd, ts));
}

void closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}
