/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths under a root. Every path of a host is absolute ("/etc/docker/daemon.json") and is opened
 * with openat2(RESOLVE_IN_ROOT) from the root's descriptor, so that the symlinks of an image
 * cannot lead out to the build host; EAGAIN (a rename somewhere raced us) is retried up to 64
 * times. For "/" the same code runs. Where the kernel has no openat2 (< 5.6), root_open refuses any
 * root but "/" and falls back to plain openat there.
 */
#ifndef SYS_ROOT_H
#define SYS_ROOT_H

#include "base/buf.h"
#include "base/err.h"

#include <fcntl.h>
#include <sys/stat.h>

struct root {
	int fd;			/* O_PATH | O_DIRECTORY */
	char *path;		/* as given, without trailing slash; "/" for the host */
	bool is_host;		/* "/": the running system */
};

#define ROOT_INIT { -1, NULL, false }

int root_open(struct root *ret, const char *path, struct err *err);
void root_release(struct root *r);

/* Open below the root; symlinks are followed inside it unless O_NOFOLLOW. -1 and errno. O_CLOEXEC
 * is added. */
int root_openat(const struct root *r, const char *path, int flags, mode_t mode);
int root_stat(const struct root *r, const char *path, struct stat *ret);	/* follows */
int root_lstat(const struct root *r, const char *path, struct stat *ret);	/* does not follow the last part */
bool root_exists(const struct root *r, const char *path);			/* lstat succeeds */
int root_readlink(const struct root *r, const char *path, char **ret);		/* -1 and errno */
bool root_same(const struct root *r, const char *a, const char *b);		/* both are there, and one file or directory */

/*
 * Those above can say no for another reason than that nothing is there: no descriptors left, a disk
 * that fails. Whoever acts on a no ("nothing to undo") asks afterwards whether all looks were good.
 * -1 and err with the first that was not, since the last call; it is forgotten then. Of this
 * process.
 */
int root_looks_good(struct err *err);

/*
 * The directory in which the last part of path lives, opened O_RDONLY | O_DIRECTORY, and that
 * part's name. With follow, a symlink there is followed inside the root to where it points (also
 * when dangling), so that the name is never a symlink: "replace the target, keep the link". ELOOP
 * after 40. ret_real (may be NULL) gets the path so reached, for messages.
 */
int root_parent(const struct root *r, const char *path, bool follow, int *ret_dirfd,
		char **ret_name, char **ret_real, struct err *err);

/* The whole file, at most max bytes (more is an error). Error text: cannot read 'PATH': ... */
int root_read(const struct root *r, const char *path, size_t max, struct buf *ret, struct err *err);
/* The same, but an absent file gives 1 and leaves ret empty. */
int root_read_optional(const struct root *r, const char *path, size_t max, struct buf *ret,
		       struct err *err);
/* Names in a directory, sorted, without . and ..; an absent directory gives 1. */
struct strv;
int root_list(const struct root *r, const char *path, struct strv *ret, struct err *err);
/* path as it is outside of the root, for messages and children: "/mnt/image/etc/x". Allocated. */
char *root_outside(const struct root *r, const char *path);

#endif
