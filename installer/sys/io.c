/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/io.h"

#include "sys/fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The frame of each function here: fault seam, the call until it is not interrupted, fault seam.
 * What follows the call itself are the operands, for the seam. */
#define IO_CALL(what, made, ...)                                        \
	do {                                                            \
		struct fault_op op_ = { .call = (what), __VA_ARGS__ };  \
		int ret_ = fault_enter(&op_);                           \
		if (ret_)                                               \
			return ret_ < 0 ? -1 : 0;                       \
		do                                                      \
			ret_ = (int)(made);                             \
		while (ret_ < 0 && errno == EINTR);                     \
		fault_leave(&op_, ret_);                                \
		return ret_;                                            \
	} while (0)

/* Nothing is changed: no seam. */
int io_open_existing(int dirfd, const char *name, int flags)
{
	int fd;

	do
		fd = openat(dirfd, name, flags | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int io_flock(int fd, int operation)
{
	int r;

	do
		r = flock(fd, operation);
	while (r < 0 && errno == EINTR);
	return r;
}

int io_openat(int dirfd, const char *name, int flags, mode_t mode)
{
	IO_CALL("open", openat(dirfd, name, flags | O_CLOEXEC, mode), .fd = dirfd, .entry = name,
		.flags = (unsigned int)flags, .mode = mode);
}

int io_open_read(int dirfd, const char *name, int flags)
{
	if (flags & (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND)) {
		errno = EINVAL;
		return -1;
	}
	return io_open_existing(dirfd, name, O_RDONLY | flags);
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
	IO_CALL("write", write_rest(fd, data, fault_torn(len), -1), .fd = fd, .data = data,
		.len = len);
}

int io_pwrite_all(int fd, const void *data, size_t len, off_t at)
{
	IO_CALL("pwrite", write_rest(fd, data, fault_torn(len), at), .fd = fd, .data = data,
		.len = len, .at = at);
}

int io_ftruncate(int fd, off_t len)
{
	IO_CALL("ftruncate", ftruncate(fd, len), .fd = fd, .at = len);
}

int io_fallocate(int fd, off_t len)
{
	IO_CALL("fallocate", fallocate(fd, 0, 0, len), .fd = fd, .at = len);
}

int io_fsync(int fd)
{
	IO_CALL("fsync", fsync(fd), .fd = fd);
}

int io_syncfs(int fd)
{
	IO_CALL("syncfs", syncfs(fd), .fd = fd);
}

int io_close(int fd)
{
	struct fault_op op = { .call = "close", .fd = fd };
	int failed = fault_enter(&op), errnum = errno;
	int ret = close(fd);

	if (ret < 0 && errno == EINTR)
		ret = 0;
	fault_leave(&op, ret);
	if (failed >= 0)
		return ret;
	errno = errnum;
	return -1;
}

int io_renameat2(int dirfd, const char *from, int todirfd, const char *to, unsigned int flags)
{
	/* flags 0 must work on kernels and in sandboxes without renameat2 too */
	if (!flags)
		IO_CALL("rename", renameat(dirfd, from, todirfd, to), .fd = dirfd, .entry = from,
			.to_fd = todirfd, .to = to);
	IO_CALL(flags & RENAME_EXCHANGE ? "exchange" : "rename-new",
		syscall(SYS_renameat2, dirfd, from, todirfd, to, flags), .fd = dirfd, .entry = from,
		.to_fd = todirfd, .to = to, .flags = flags);
}

int io_linkat(int dirfd, const char *from, int todirfd, const char *to)
{
	IO_CALL("link", linkat(dirfd, from, todirfd, to, 0), .fd = dirfd, .entry = from,
		.to_fd = todirfd, .to = to);
}

int io_unlinkat(int dirfd, const char *name, int flags)
{
	IO_CALL(flags & AT_REMOVEDIR ? "rmdir" : "unlink", unlinkat(dirfd, name, flags),
		.fd = dirfd, .entry = name);
}

int io_mkdirat(int dirfd, const char *name, mode_t mode)
{
	IO_CALL("mkdir", mkdirat(dirfd, name, mode), .fd = dirfd, .entry = name, .mode = mode);
}

int io_symlinkat(const char *target, int dirfd, const char *name)
{
	IO_CALL("symlink", symlinkat(target, dirfd, name), .fd = dirfd, .entry = name,
		.data = target, .len = strlen(target));
}

int io_fchmod(int fd, mode_t mode)
{
	IO_CALL("fchmod", fchmod(fd, mode), .fd = fd, .mode = mode);
}

int io_fchown(int fd, uid_t uid, gid_t gid)
{
	IO_CALL("fchown", fchown(fd, uid, gid), .fd = fd, .uid = uid, .gid = gid);
}

int io_fchownat(int dirfd, const char *name, uid_t uid, gid_t gid)
{
	IO_CALL("fchownat", fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW), .fd = dirfd,
		.entry = name, .uid = uid, .gid = gid);
}

int io_fsetxattr(int fd, const char *name, const void *value, size_t len)
{
	IO_CALL("fsetxattr", fsetxattr(fd, name, value, len, 0), .fd = fd, .attr = name,
		.data = value, .len = len);
}

int io_fremovexattr(int fd, const char *name)
{
	IO_CALL("fremovexattr", fremovexattr(fd, name), .fd = fd, .attr = name);
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
	IO_CALL("lsetxattr", lsetxattr(path, name, value, len, 0), .fd = dirfd, .entry = entry,
		.attr = name, .data = value, .len = len);
}

int io_utimensat(int dirfd, const char *name, const struct timespec ts[2])
{
	IO_CALL("utimens", utimensat(dirfd, name, ts, AT_SYMLINK_NOFOLLOW), .fd = dirfd,
		.entry = name);
}

int io_futimens(int fd, const struct timespec ts[2])
{
	IO_CALL("utimens", futimens(fd, ts), .fd = fd);
}

void io_claim_standard(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			(void)open("/", O_RDONLY | O_DIRECTORY);	/* the lowest free number; in a chroot without /dev */
}

void closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}
