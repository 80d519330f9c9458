/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sandboxmount.h"

#include "sys/io.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define COPY_MAX (1024 * 1024)	/* bytes; a larger file is bound instead */

static int set_readonly(const char *path, bool on, unsigned int flags)
{
	struct mount_attr attr = { .attr_set = on ? MOUNT_ATTR_RDONLY : 0,
				   .attr_clr = on ? 0 : MOUNT_ATTR_RDONLY };

	return (int)syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attr, sizeof(attr));
}

int sandbox_mount_private(void)
{
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	if (set_readonly("/", true, AT_RECURSIVE) && errno != ENOSYS)
		return -1;
	return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static int mount_tmpfs(const char *at, mode_t mode)
{
	char options[32];
	struct statfs fs;

	snprintf(options, sizeof(options), "mode=%04o", mode & 07777);
	if (mount("none", at, "tmpfs", MS_NOSUID | MS_NODEV, options) || statfs(at, &fs))
		return -1;
	if (fs.f_type == TMPFS_MAGIC)
		return 0;
	errno = EIO;
	return -1;
}

static int mount_bind(const char *from, const char *at)
{
	struct stat want, got;

	if (stat(from, &want) || mount(from, at, NULL, MS_BIND | MS_REC, NULL) || stat(at, &got))
		return -1;
	if (want.st_dev != got.st_dev || want.st_ino != got.st_ino) {
		errno = EIO;
		return -1;
	}
	return set_readonly(at, false, 0) && errno != ENOSYS ? -1 : 0;
}

/* --- cover --- */

static int copy_file(int from_dir, const char *name, int to_dir, const struct stat *st)
{
	static char data[COPY_MAX];
	int from CLEANUP(closep) = openat(from_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int to CLEANUP(closep) = -1;

	if (from < 0)
		return -1;
	ssize_t n = read(from, data, sizeof(data));
	to = io_openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (n < 0 || to < 0 || io_write_all(to, data, (size_t)n) ||
	    io_fchown(to, st->st_uid, st->st_gid))
		return -1;
	return io_fchmod(to, st->st_mode & 07777);
}

static int copy_link(int from_dir, const char *name, int to_dir)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return -1;
	target[n] = '\0';
	return io_symlinkat(target, to_dir, name);
}

static int bind_entry(int from_dir, const char *name, int to_dir, const struct stat *st)
{
	char from[PATH_MAX], to[PATH_MAX];

	snprintf(from, sizeof(from), "/proc/self/fd/%d/%s", from_dir, name);
	snprintf(to, sizeof(to), "/proc/self/fd/%d/%s", to_dir, name);
	if (S_ISDIR(st->st_mode)) {
		if (io_mkdirat(to_dir, name, 0700))
			return -1;
	} else {
		int fd = io_openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd < 0 || io_close(fd))
			return -1;
	}
	return mount(from, to, NULL, MS_BIND | MS_REC, NULL);
}

static int cover_entry(int from_dir, const char *name, int to_dir)
{
	struct stat st;

	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -1;
	if (S_ISLNK(st.st_mode))
		return copy_link(from_dir, name, to_dir);
	if (S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode))
		return 0;
	if (S_ISREG(st.st_mode) && st.st_size <= COPY_MAX)
		return copy_file(from_dir, name, to_dir, &st);
	return bind_entry(from_dir, name, to_dir, &st);
}

static int mount_cover(const char *at)
{
	struct stat st;
	int from = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0 || fstat(from, &st) || mount_tmpfs(at, st.st_mode))
		return -1;
	int to CLEANUP(closep) = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(from);
	if (to < 0 || !dir)
		return -1;
	int r = 0;
	for (struct dirent *d; !r && (d = readdir(dir));)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			r = cover_entry(from, d->d_name, to);
	int errnum = errno;
	closedir(dir);
	errno = errnum;
	return r;
}

/* --- inside --- */

/* The directory is on a tmpfs that one of our operations mounted: the host's own tmpfs are
 * read-only here, or covered. */
static int inside_ours(const char *dir)
{
	struct statfs fs;

	if (statfs(dir, &fs))
		return -1;
	if (fs.f_type == TMPFS_MAGIC && !(fs.f_flags & MS_RDONLY))
		return 0;
	errno = EROFS;
	return -1;
}

static int make_dirs(const char *at)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", at);
	for (char *p = path + 1;; p++) {
		if (*p && *p != '/')
			continue;
		char c = *p, *slash;
		*p = '\0';
		if (access(path, F_OK)) {
			slash = strrchr(path, '/');
			*slash = '\0';
			int r = inside_ours(*path ? path : "/");
			*slash = '/';
			if (r || io_mkdirat(AT_FDCWD, path, 0755))
				return -1;
		}
		if (!c)
			return 0;
		*p = c;
	}
}

static int make_file(const struct sandbox_op *op)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s", op->at);
	*strrchr(dir, '/') = '\0';
	if (inside_ours(*dir ? dir : "/") || (io_unlinkat(AT_FDCWD, op->at, 0) && errno != ENOENT))
		return -1;
	int fd CLEANUP(closep) = io_openat(AT_FDCWD, op->at, O_WRONLY | O_CREAT | O_EXCL, 0600);
	return fd < 0 ? -1 : io_write_all(fd, op->data, op->len);
}

int sandbox_mount_op(const struct sandbox_op *op)
{
	switch (op->kind) {
	case SANDBOX_TMPFS:
		return mount_tmpfs(op->at, 0755);
	case SANDBOX_BIND:
		return mount_bind(op->from, op->at);
	case SANDBOX_COVER:
		return mount_cover(op->at);
	case SANDBOX_DIR:
		return make_dirs(op->at);
	case SANDBOX_FILE:
		return make_file(op);
	}
	errno = EINVAL;
	return -1;
}
