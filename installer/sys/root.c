/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/root.h"

#include "base/str.h"
#include "sys/fault.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RETRIES = 64, LINKS_MAX = 40 };

static int openat2_in_root(int fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? mode : 0,
		.resolve = RESOLVE_IN_ROOT,
	};
	long got = -1;

	/* EAGAIN: a rename or mount elsewhere raced a ".." of the walk */
	for (int i = 0; i < RETRIES; i++) {
		got = syscall(SYS_openat2, fd, path, &how, sizeof how);
		if (got >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)got;
}

static bool no_openat2(int errnum)
{
	return errnum == ENOSYS || errnum == EPERM;	/* EPERM: old seccomp filters of containers */
}

int root_open(struct root *ret, const char *path, struct err *err)
{
	bool is_host = path[strspn(path, "/")] == '\0' && *path;
	int fd CLEANUP(closep) = io_open_existing(AT_FDCWD, path, O_PATH | O_DIRECTORY);

	if (fd < 0)
		return err_errno(err, errno, "cannot open the root '%s'", path);
	int probe CLEANUP(closep) = openat2_in_root(fd, ".", O_PATH, 0);
	if (probe < 0 && !(is_host && no_openat2(errno))) {
		int errnum = errno;
		err_errno(err, errnum, "cannot keep to the root '%s'", path);
		return no_openat2(errnum) ?
			       err_remedy(err, "a root other than / needs openat2(2): Linux 5.6 or later") :
			       -1;
	}

	char *clean = xstrdup(path);
	for (size_t n = strlen(clean); n > 1 && clean[n - 1] == '/'; n--)
		clean[n - 1] = '\0';
	*ret = (struct root){ fd, clean, is_host };
	fd = -1;
	return 0;
}

void root_release(struct root *r)
{
	closep(&r->fd);
	free(STEAL(r->path));
}

/*
 * To open a device is enough to make it act (a watchdog, a tape), and the nodes of an image are the
 * devices of this machine. So in an image what is to be opened is looked at first, and what was
 * looked at is opened.
 */
static int open_in_image(const struct root *r, const char *path, int flags)
{
	int fd CLEANUP(closep) = openat2_in_root(r->fd, path, O_PATH | (flags & O_NOFOLLOW), 0);
	struct stat st;
	char proc[64];

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) || S_ISLNK(st.st_mode)) {
		errno = S_ISLNK(st.st_mode) ? ELOOP : ENXIO;
		return -1;
	}
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	return io_open_existing(AT_FDCWD, proc, flags & ~O_NOFOLLOW);
}

static int open_below(const struct root *r, const char *path, int flags, mode_t mode)
{
	if (!r->is_host && !(flags & (O_PATH | O_DIRECTORY | O_CREAT)))
		return open_in_image(r, path, flags);
	int fd = openat2_in_root(r->fd, path, flags, mode);

	if (fd >= 0 || !r->is_host || !no_openat2(errno))
		return fd;
	return openat(r->fd, path, flags | O_CLOEXEC, mode);
}

/* ---- looks that could not tell ---- */

static struct { int errnum; char path[256]; } blind;

static void note_blind(const char *path)
{
	int errnum = errno;

	if (blind.errnum ||
	    (errnum != EMFILE && errnum != ENFILE && errnum != EIO && errnum != ENOMEM))
		return;
	blind.errnum = errnum;
	err_quote(blind.path, sizeof blind.path, path);
}

int root_looks_good(struct err *err)
{
	int errnum = blind.errnum;

	blind.errnum = 0;
	return errnum ? err_errno(err, errnum, "cannot look at '%s'", blind.path) : 0;
}

int root_openat(const struct root *r, const char *path, int flags, mode_t mode)
{
	bool writes = !(flags & O_PATH) && (flags & (O_ACCMODE | O_CREAT | O_TRUNC));

	if (!writes) {
		int got = open_below(r, path, flags, mode);
		if (got < 0)
			note_blind(path);
		return got;
	}
	struct fault_op op = { .call = "open", .fd = r->fd, .entry = path,
			       .flags = (unsigned int)flags, .mode = mode };
	if (fault_enter(&op))
		return -1;
	int fd = open_below(r, path, flags, mode);
	fault_leave(&op, fd);
	return fd;
}

static int stat_flags(const struct root *r, const char *path, int flags, struct stat *ret)
{
	int fd CLEANUP(closep) = root_openat(r, path, O_PATH | flags, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	*ret = st;
	return 0;
}

int root_stat(const struct root *r, const char *path, struct stat *ret)
{
	return stat_flags(r, path, 0, ret);
}

int root_lstat(const struct root *r, const char *path, struct stat *ret)
{
	return stat_flags(r, path, O_NOFOLLOW, ret);
}

bool root_exists(const struct root *r, const char *path)
{
	struct stat st;

	return !root_lstat(r, path, &st);
}

bool root_same(const struct root *r, const char *a, const char *b)
{
	struct stat x, y;

	return !root_stat(r, a, &x) && !root_stat(r, b, &y) && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* dirfd and name, or the link itself (O_PATH) and "". */
static int read_link(int dirfd, const char *name, char **ret)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dirfd, name, target, sizeof target);

	if (n < 0)
		return -1;
	if ((size_t)n == sizeof target) {
		errno = ENAMETOOLONG;
		return -1;
	}
	*ret = xstrndup(target, (size_t)n);
	return 0;
}

int root_readlink(const struct root *r, const char *path, char **ret)
{
	int fd CLEANUP(closep) = root_openat(r, path, O_PATH | O_NOFOLLOW, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (!S_ISLNK(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	return read_link(fd, "", ret);
}

/* Where a directory really is, seen from the root; the path as walked when /proc cannot tell. */
static char *real_path(const struct root *r, int dirfd, const char *dir, const char *name)
{
	char proc[64], *inside = NULL;
	char *base CLEANUP(freep) = NULL, *full CLEANUP(freep) = NULL;

	snprintf(proc, sizeof proc, "/proc/self/fd/%d", r->fd);
	if (!read_link(AT_FDCWD, proc, &base)) {
		snprintf(proc, sizeof proc, "/proc/self/fd/%d", dirfd);
		if (!read_link(AT_FDCWD, proc, &full) && str_starts(full, base))
			inside = full + (str_eq(base, "/") ? 0 : strlen(base));
	}
	if (!inside || (*inside && *inside != '/'))
		return path_join(dir, name);
	return path_join(*inside ? inside : "/", name);
}

static bool is_entry_name(const char *s)
{
	return *s && !str_eq(s, ".") && !str_eq(s, "..") && !strchr(s, '/');
}

/* "/a/b//" -> "/a", "b". */
static void split_last(const char *path, char **ret_dir, char **ret_name)
{
	size_t end = strlen(path);

	while (end > 0 && path[end - 1] == '/')
		end--;
	size_t begin = end;
	while (begin > 0 && path[begin - 1] != '/')
		begin--;
	*ret_name = xstrndup(path + begin, end - begin);
	*ret_dir = begin ? xstrndup(path, begin) : xstrdup("/");
}

int root_parent(const struct root *r, const char *path, bool follow, int *ret_dirfd,
		char **ret_name, char **ret_real, struct err *err)
{
	char *at CLEANUP(freep) = xstrdup(path);

	for (int links = 0; links <= LINKS_MAX; links++) {
		char *dir CLEANUP(freep) = NULL, *name CLEANUP(freep) = NULL,
			  *target CLEANUP(freep) = NULL;

		split_last(at, &dir, &name);
		if (!is_entry_name(name))
			return err_errno(err, EISDIR, "cannot use '%s' as the name of a file",
					 path);
		int fd CLEANUP(closep) = root_openat(r, dir, O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0)
			return err_errno(err, errno, "cannot open the directory of '%s'", path);
		if (!follow || read_link(fd, name, &target)) {
			if (follow && errno != EINVAL && errno != ENOENT)
				return err_errno(err, errno, "cannot read the link '%s'", path);
			if (ret_real)
				*ret_real = real_path(r, fd, dir, name);
			*ret_dirfd = fd;
			*ret_name = STEAL(name);
			fd = -1;
			return 0;
		}
		char *next = *target == '/' ? xstrdup(target) : path_join(dir, target);
		free(at);
		at = next;
	}
	return err_errno(err, ELOOP, "cannot follow the link '%s'", path);
}

int root_read_optional(const struct root *r, const char *path, size_t max, struct buf *ret,
		       struct err *err)
{
	int fd CLEANUP(closep) = root_openat(r, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 1;
	if (fd < 0 && errno == ENXIO)	/* a device of an image, or a socket */
		return err_set(err, ERR_FAILED, "cannot read '%s': not a regular file", path);
	if (fd < 0)
		return err_errno(err, errno, "cannot read '%s'", path);
	if (fs_read_fd(fd, max, ret, err) < 0)
		return err_prefix(err, "cannot read '%s'", path);
	return 0;
}

int root_read(const struct root *r, const char *path, size_t max, struct buf *ret, struct err *err)
{
	int got = root_read_optional(r, path, max, ret, err);

	return got == 1 ? err_errno(err, ENOENT, "cannot read '%s'", path) : got;
}

int root_list(const struct root *r, const char *path, struct strv *ret, struct err *err)
{
	int fd CLEANUP(closep) = root_openat(r, path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return err_errno(err, errno, "cannot list '%s'", path);
	return fs_list_fd(fd, ret, err) < 0 ? err_prefix(err, "cannot list '%s'", path) : 0;
}

char *root_outside(const struct root *r, const char *path)
{
	return r->is_host ? xstrdup(path) : path_join(r->path, path + strspn(path, "/"));
}
