/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/files.h"

#include "pki/secret.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>

#define DIR_FLAGS (O_DIRECTORY | O_NOFOLLOW)

/* From so many on, one flush of the file system costs less than one of each file. */
enum { MANY = 16 };

void files_release(struct pki_files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].path);
		secret_release(&f->v[i].data);
	}
	free(f->v);
	*f = (struct pki_files)PKI_FILES_INIT;
}

static struct pki_file *add(struct pki_files *f, const char *path)
{
	f->v = xreallocarray(f->v, f->n + 1, sizeof(*f->v));
	f->v[f->n] = (struct pki_file){ .path = xstrdup(path), .data = BUF_INIT };
	return &f->v[f->n++];
}

struct buf *files_add(struct pki_files *f, mode_t mode, const char *path)
{
	struct pki_file *one = add(f, path);

	one->mode = mode;
	return &one->data;
}

void files_add_link(struct pki_files *f, const char *path, const char *target)
{
	struct pki_file *one = add(f, path);

	one->link = true;
	buf_adds(&one->data, target);
}

static int write_one(int dirfd, const char *name, const struct pki_file *f, bool sync,
		     struct err *err)
{
	if (f->link)
		return io_symlinkat(f->data.data, dirfd, name) ?
			       err_errno(err, errno, "cannot make '%s'", f->path) :
			       0;
	int fd CLEANUP(closep) = io_openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
					   0600);

	if (fd < 0 || io_write_all(fd, f->data.data, f->data.len) || io_fchmod(fd, f->mode) ||
	    (sync && io_fsync(fd)))
		return err_errno(err, errno, "cannot write '%s'", f->path);
	return io_close(STEAL_FD(fd)) ? err_errno(err, errno, "cannot write '%s'", f->path) : 0;
}

static int open_new_dir(int dirfd, const char *name, struct err *err)
{
	int fd;

	if (io_mkdirat(dirfd, name, 0700)) {
		err_errno(err, errno, "cannot make the directory '%s'", name);
		return -1;
	}
	fd = io_open_read(dirfd, name, DIR_FLAGS);
	if (fd < 0)
		err_errno(err, errno, "cannot open '%s'", name);
	return fd;
}

static int write_dir(const struct pki_files *f, size_t *i, int fd, const char *prefix, bool sync,
		     struct err *err);

/* All that is below the directory in which file *i is. */
static int write_sub(const struct pki_files *f, size_t *i, int fd, size_t prefix, bool sync,
		     struct err *err)
{
	const char *path = f->v[*i].path;
	char *below CLEANUP(freep) = xstrndup(path,
					      (size_t)(strchr(path + prefix, '/') - path) + 1);
	char *dir CLEANUP(freep) = xstrndup(below + prefix, strlen(below) - prefix - 1);
	int sub CLEANUP(closep) = open_new_dir(fd, dir, err);

	return sub < 0 ? -1 : write_dir(f, i, sub, below, sync, err);
}

/* The files of one directory, those from *i on that have `prefix` in front. */
static int write_dir(const struct pki_files *f, size_t *i, int fd, const char *prefix, bool sync,
		     struct err *err)
{
	size_t len = strlen(prefix);

	while (*i < f->n && !strncmp(f->v[*i].path, prefix, len)) {
		const char *name = f->v[*i].path + len;

		if (strchr(name, '/')) {
			if (write_sub(f, i, fd, len, sync, err))
				return -1;
		} else if (write_one(fd, name, &f->v[(*i)++], sync, err)) {
			return -1;
		}
	}
	return sync && io_fsync(fd) ? err_errno(err, errno, "cannot sync the directory") : 0;
}

static int write_all(const struct pki_files *f, int dirfd, const char *name, struct err *err)
{
	int fd CLEANUP(closep) = open_new_dir(dirfd, name, err);
	bool many = f->n >= MANY;
	size_t i = 0;

	if (fd < 0 || write_dir(f, &i, fd, "", !many, err))
		return -1;
	return many && io_syncfs(fd) ? err_errno(err, errno, "cannot sync '%s'", name) : 0;
}

int files_write(const struct pki_files *f, int dirfd, const char *name, struct err *err)
{
	struct err ignored = ERR_INIT;

	if (fs_remove_tree(dirfd, name, err))
		return -1;
	if (!write_all(f, dirfd, name, err))
		return 0;
	(void)fs_remove_tree(dirfd, name, &ignored);	/* the first error is the one to tell */
	return -1;
}
