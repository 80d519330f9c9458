/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam: every system call that changes something goes through one of these, and nothing
 * outside sys/ makes such a call. They behave like the call they are named after (-1 and errno),
 * except that EINTR is retried and a short write is continued. A build with -DSYSBOXUP_FAULTS
 * counts them and can die before or after the n-th, fail it, or tear it (sys/fault.h); the release
 * build has none of that.
 */
#ifndef SYS_IO_H
#define SYS_IO_H

#include "base/mem.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

int io_openat(int dirfd, const char *name, int flags, mode_t mode);	/* O_CLOEXEC added; for O_CREAT, O_TRUNC, writing */
/* For reading: a file or directory that is there. Flags that make or write are refused (EINVAL).
 * Nothing outside sys/ opens in another way. */
int io_open_read(int dirfd, const char *name, int flags);
/* The same inside sys/, where O_PATH is wanted too. Not counted either; interrupted, they go on. */
int io_open_existing(int dirfd, const char *name, int flags);
int io_flock(int fd, int operation);					/* not counted */
int io_write_all(int fd, const void *data, size_t len);			/* 0 or -1; all or an error */
int io_pwrite_all(int fd, const void *data, size_t len, off_t at);
int io_ftruncate(int fd, off_t len);
int io_fallocate(int fd, off_t len);
int io_fsync(int fd);
int io_syncfs(int fd);
int io_close(int fd);							/* checked close; EINTR counts as closed */
int io_renameat2(int dirfd, const char *from, int todirfd, const char *to, unsigned int flags);
int io_linkat(int dirfd, const char *from, int todirfd, const char *to);
int io_unlinkat(int dirfd, const char *name, int flags);
int io_mkdirat(int dirfd, const char *name, mode_t mode);
int io_symlinkat(const char *target, int dirfd, const char *name);
int io_fchmod(int fd, mode_t mode);
int io_fchown(int fd, uid_t uid, gid_t gid);
int io_fchownat(int dirfd, const char *name, uid_t uid, gid_t gid);	/* AT_SYMLINK_NOFOLLOW: for links */
int io_fsetxattr(int fd, const char *name, const void *value, size_t len);
int io_fremovexattr(int fd, const char *name);
int io_lsetxattr(int dirfd, const char *entry, const char *name, const void *value, size_t len);	/* of a link itself */
int io_utimensat(int dirfd, const char *name, const struct timespec ts[2]);	/* AT_SYMLINK_NOFOLLOW */
int io_futimens(int fd, const struct timespec ts[2]);

/* First in main: of 0, 1 and 2, those that our caller left closed lead nowhere. Else the next file
 * opened had that number, and what is meant for a person would be written into it. */
void io_claim_standard(void);

/* int fd CLEANUP(closep) = -1; */
void closep(int *fd);

#endif
