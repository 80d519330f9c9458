/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/fs.h"

#include "base/digest.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { CHUNK = 128 * 1024 };

int fs_sync_dir(int dirfd, struct err *err)
{
	return io_fsync(dirfd) ? err_errno(err, errno, "cannot sync the directory") : 0;
}

int fs_settle(int fd, const char *path, struct err *err)
{
	return io_fsync(fd) && errno != EINVAL && errno != EROFS ?
		       err_errno(err, errno, "cannot sync '%s'", path) :
		       0;
}

int fs_mkdir(int dirfd, const char *name, mode_t mode, struct err *err)
{
	struct stat st;
	bool made = !io_mkdirat(dirfd, name, mode);

	if (!made && errno != EEXIST)
		return err_errno(err, errno, "cannot make the directory '%s'", name);
	int fd CLEANUP(closep) = io_open_existing(dirfd, name,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "cannot use '%s' as a directory", name);
	/* the umask took bits away */
	if (made && (st.st_mode & 07777) != mode && io_fchmod(fd, mode))
		return err_errno(err, errno, "cannot set the mode of '%s'", name);
	if (io_fsync(fd) || io_fsync(dirfd))
		return err_errno(err, errno, "cannot sync the directory '%s'", name);
	return 0;
}

static int mkdir_one(const struct root *r, const char *path, mode_t mode, struct err *err)
{
	int dirfd CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;
	struct stat st;

	if (!root_stat(r, path, &st) && S_ISDIR(st.st_mode))
		return 0;
	if (root_parent(r, path, true, &dirfd, &name, NULL, err))
		return -1;
	return fs_mkdir(dirfd, name, mode, err);
}

int fs_mkdir_path(const struct root *r, const char *path, mode_t mode, struct err *err)
{
	for (size_t i = 1; path[i - 1]; i++) {
		if ((path[i] && path[i] != '/') || path[i - 1] == '/')
			continue;
		char *prefix CLEANUP(freep) = xstrndup(path, i);
		if (mkdir_one(r, prefix, mode, err))
			return err_prefix(err, "cannot make '%s'", path);
	}
	return 0;
}

static int put_temp(int dirfd, const char *temp, mode_t mode, const void *data, size_t len,
		    struct err *err)
{
	int fd CLEANUP(closep) = io_openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
					   0600);

	if (fd < 0 || io_write_all(fd, data, len) || io_fchmod(fd, mode) || io_fsync(fd))
		return err_errno(err, errno, "cannot write '%s'", temp);
	return io_close(STEAL_FD(fd)) ? err_errno(err, errno, "cannot write '%s'", temp) : 0;
}

int fs_put(int dirfd, const char *name, mode_t mode, const void *data, size_t len, struct err *err)
{
	char *temp CLEANUP(freep) = xasprintf(".%s.tmp", name);

	if (fs_unlink(dirfd, temp, err))
		return -1;
	if (put_temp(dirfd, temp, mode, data, len, err)) {
		(void)io_unlinkat(dirfd, temp, 0);	/* the first error is the one to tell */
		return -1;
	}
	if (io_renameat2(dirfd, temp, dirfd, name, 0)) {
		err_errno(err, errno, "cannot rename '%s' to '%s'", temp, name);
		(void)io_unlinkat(dirfd, temp, 0);
		return -1;
	}
	return fs_sync_dir(dirfd, err);
}

int fs_copy_fd(int from, int to, uint64_t max, char hex[65], struct err *err)
{
	struct digest *d CLEANUP(digest_freep) = digest_new();
	char *chunk CLEANUP(freep) = xmalloc(CHUNK);
	uint64_t at = 0;

	for (;;) {
		ssize_t n = pread(from, chunk, CHUNK, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "cannot read what is to be copied");
		if (!n)
			break;
		at += (uint64_t)n;
		if (at > max)
			return err_errno(err, EFBIG, "cannot copy more than %llu bytes",
					 (unsigned long long)max);
		digest_add(d, chunk, (size_t)n);
		if (to >= 0 && io_write_all(to, chunk, (size_t)n))
			return err_errno(err, errno, "cannot write the copy");
	}
	if (hex)
		digest_end(STEAL(d), hex);
	return 0;
}

int fs_unlink(int dirfd, const char *name, struct err *err)
{
	if (!io_unlinkat(dirfd, name, 0) || errno == ENOENT)
		return 0;
	return err_errno(err, errno, "cannot remove '%s'", name);
}

static int remove_entry(int dirfd, const char *name, dev_t dev, struct err *err);

static int remove_contents(int dirfd, dev_t dev, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (fs_list_fd(dirfd, &names, err))
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (remove_entry(dirfd, names.v[i], dev, err))
			return -1;
	return 0;
}

static int remove_entry(int dirfd, const char *name, dev_t dev, struct err *err)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : err_errno(err, errno, "cannot look at '%s'", name);
	if (!S_ISDIR(st.st_mode))
		return fs_unlink(dirfd, name, err);

	int fd CLEANUP(closep) = io_open_existing(dirfd, name,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st))
		return err_errno(err, errno, "cannot open '%s'", name);
	if (st.st_dev != dev)
		return err_errno(err, EXDEV, "cannot remove '%s', something is mounted there", name);
	if (remove_contents(fd, dev, err))
		return err_prefix(err, "in '%s'", name);
	if (io_unlinkat(dirfd, name, AT_REMOVEDIR) && errno != ENOENT)
		return err_errno(err, errno, "cannot remove '%s'", name);
	return 0;
}

int fs_remove_tree(int dirfd, const char *name, struct err *err)
{
	struct stat st;

	if (fstat(dirfd, &st))
		return err_errno(err, errno, "cannot look at the directory of '%s'", name);
	return remove_entry(dirfd, name, st.st_dev, err);
}

static int usage_below(int dirfd, const char *name, uint64_t *ret, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	int fd CLEANUP(closep) = io_open_existing(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

	if (fd < 0)
		return err_errno(err, errno, "cannot open '%s'", name);
	if (fs_list_fd(fd, &names, err))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		uint64_t one;

		if (fs_usage(fd, names.v[i], &one, err))
			return -1;
		*ret += one;
	}
	return 0;
}

int fs_usage(int dirfd, const char *name, uint64_t *ret, struct err *err)
{
	struct stat st;
	uint64_t all;

	*ret = 0;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : err_errno(err, errno, "cannot look at '%s'", name);
	all = (uint64_t)st.st_blocks * 512;
	if (S_ISDIR(st.st_mode) && usage_below(dirfd, name, &all, err))
		return -1;
	*ret = all;
	return 0;
}

/* Straight into ret, so that a secret leaves no copy. */
static int read_rest(int fd, size_t before, size_t max, struct buf *ret, struct err *err)
{
	for (;;) {
		if (ret->cap < ret->len + 2)	/* one of it is the NUL's */
			buf_reserve(ret, CHUNK);
		ssize_t n = read(fd, ret->data + ret->len, ret->cap - ret->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "cannot read the file");
		if (!n)
			return 0;
		ret->len += (size_t)n;
		ret->data[ret->len] = '\0';
		if (ret->len - before > max)
			return err_set(err, ERR_FAILED, "larger than %zu bytes", max);
	}
}

int fs_read_fd(int fd, size_t max, struct buf *ret, struct err *err)
{
	size_t before = ret->len;
	struct stat st;

	if (fstat(fd, &st))
		return err_errno(err, errno, "cannot look at the file");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_FAILED, "not a regular file");
	if (st.st_size > 0 && (uint64_t)st.st_size <= max)
		buf_reserve(ret, (size_t)st.st_size + 1);	/* one more: what says that it ended */
	if (!read_rest(fd, before, max, ret, err))
		return 0;
	ret->len = before;
	if (ret->cap)
		ret->data[before] = '\0';
	return -1;
}

int fs_read_at(int dirfd, const char *name, size_t max, struct buf *ret, struct err *err)
{
	struct stat st;

	/* before it is opened: that alone makes some devices act */
	if (!fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) &&
	    (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
		return err_set(err, ERR_FAILED, "cannot read '%s': not a regular file", name);
	int fd CLEANUP(closep) = io_open_existing(dirfd, name,
					O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return errno == ENOENT ? 1 : err_errno(err, errno, "cannot read '%s'", name);
	return fs_read_fd(fd, max, ret, err) < 0 ? err_prefix(err, "cannot read '%s'", name) : 0;
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

int fs_list_fd(int dirfd, struct strv *ret, struct err *err)
{
	/* a descriptor of its own: the offset of a directory is shared by its duplicates */
	int fd = io_open_existing(dirfd, ".", O_RDONLY | O_DIRECTORY);
	DIR *dir CLEANUP(closedirp) = fd < 0 ? NULL : fdopendir(fd);
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (!dir) {
		err_errno(err, errno, "cannot open the directory");
		closep(&fd);
		return -1;
	}
	for (errno = 0;;) {
		struct dirent *e = readdir(dir);
		if (!e)
			break;
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			strv_add(&names, e->d_name);
	}
	if (errno)
		return err_errno(err, errno, "cannot read the directory");
	strv_sort(&names);
	for (size_t i = 0; i < names.n; i++)
		strv_take(ret, STEAL(names.v[i]));
	return 0;
}

static int open_nearest(const struct root *r, const char *path)
{
	char *at CLEANUP(freep) = xstrdup(path);

	for (;;) {
		int fd = root_openat(r, at, O_PATH, 0);
		if (fd >= 0 || (errno != ENOENT && errno != ENOTDIR) || str_eq(at, "/"))
			return fd;
		char *up = path_dirname(at);
		free(at);
		at = up;
	}
}

int fs_free_space(const struct root *r, const char *path, uint64_t *ret_bytes, uint64_t *ret_inodes,
		  struct err *err)
{
	int fd CLEANUP(closep) = open_nearest(r, path);
	struct statvfs st;

	if (fd < 0 || fstatvfs(fd, &st))
		return err_errno(err, errno, "cannot ask for the free space of '%s'", path);
	*ret_bytes = (uint64_t)st.f_bavail * st.f_frsize;
	/* file systems without a table of inodes (btrfs) say 0 of 0 */
	*ret_inodes = st.f_files ? (uint64_t)st.f_favail : UINT64_MAX;
	return 0;
}
