/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/ballast.h"

#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define SPACE "ballast"
#define DIRS "ballast-dirs"
#define DIRS_MAX (1024 * 1024)
#define CHUNK (128 * 1024)

struct ballast {
	char *dir;		/* NULL: that of the transaction */
	dev_t dev;
	uint64_t bytes;
};

void ballast_release(struct txnlog *t)
{
	for (size_t i = 0; i < t->ballast_n; i++)
		free(t->ballast[i].dir);
	free(STEAL(t->ballast));
	t->ballast_n = 0;
}

static struct ballast *add(struct txnlog *t, const char *dir, dev_t dev)
{
	t->ballast = xreallocarray(t->ballast, t->ballast_n + 1, sizeof(*t->ballast));
	t->ballast[t->ballast_n] = (struct ballast){ .dir = xstrdup(dir), .dev = dev };
	return &t->ballast[t->ballast_n++];
}

static int open_dir(const struct root *r, const char *dir)
{
	return root_openat(r, dir, O_RDONLY | O_DIRECTORY, 0);
}

/* The place for the file system on which dir lies, made if it is new; its index, or -1. */
static int place_of(struct txnlog *t, const char *dir, struct err *err)
{
	char *at CLEANUP(freep) = xstrdup(dir);
	struct stat st;

	if (!t->ballast_n) {
		if (fstat(t->fd, &st))
			return err_errno(err, errno, "cannot look at transaction %u", t->id);
		add(t, NULL, st.st_dev);
	}
	while (root_stat(t->state->root, at, &st) || !S_ISDIR(st.st_mode)) {
		char *up = path_dirname(at);

		if (str_eq(up, at)) {
			free(up);
			return err_errno(err, ENOTDIR, "cannot look at '%s'", dir);
		}
		free(at);
		at = up;
	}
	for (size_t i = 0; i < t->ballast_n; i++)
		if (t->ballast[i].dev == st.st_dev)
			return (int)i;
	add(t, at, st.st_dev);
	return (int)t->ballast_n - 1;
}

int ballast_need(struct txnlog *t, const char *const *dirs, uint64_t bytes, struct err *err)
{
	for (size_t i = 0; dirs[i]; i++) {
		int at = place_of(t, dirs[i], err);
		bool met = false;

		for (size_t k = 0; at >= 0 && k < i; k++)
			met = met || place_of(t, dirs[k], err) == at;
		if (at < 0)
			return -1;
		t->ballast[at].bytes += met ? 0 : bytes;
	}
	return 0;
}

static void space_name(unsigned int id, char name[40])
{
	snprintf(name, 40, ".sysboxup-%06u.ballast", id);
}

static int write_zeros(int fd, uint64_t bytes)
{
	char *zeros CLEANUP(freep) = xcalloc(1, CHUNK);

	for (uint64_t at = 0; at < bytes; at += CHUNK)
		if (io_write_all(fd, zeros, bytes - at < CHUNK ? (size_t)(bytes - at) : CHUNK))
			return -1;
	return 0;
}

static int allocate(int fd, uint64_t bytes)
{
	if (!io_fallocate(fd, (off_t)bytes))
		return 0;
	return errno == EOPNOTSUPP || errno == ENOSYS ? write_zeros(fd, bytes) : -1;
}

static int fill(int dirfd, const char *name, uint64_t bytes)
{
	int fd CLEANUP(closep) = io_openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW,
					   0600);

	return fd < 0 || allocate(fd, bytes) || io_fsync(fd) || io_fsync(dirfd) ? -1 : 0;
}

static int no_room(const struct ballast *b, struct err *err)
{
	err_errno(err, errno, "cannot set aside %llu KiB for undo on the file system of '%s'",
		  (unsigned long long)(b->bytes >> 10), b->dir ? b->dir : STATE_DIR);
	err_raise(err, ERR_REFUSED);
	return err_remedy(err, "free some space there, then try again");
}

static int fill_one(const struct txnlog *t, const struct ballast *b, struct err *err)
{
	int dirfd CLEANUP(closep) = -1;
	char name[40] = SPACE;

	if (!b->bytes)
		return 0;
	if (!b->dir)
		return fill(t->fd, name, b->bytes) ? no_room(b, err) : 0;
	space_name(t->id, name);
	dirfd = open_dir(t->state->root, b->dir);
	return dirfd < 0 || fill(dirfd, name, b->bytes) ? no_room(b, err) : 0;
}

static int write_dirs(const struct txnlog *t, struct err *err)
{
	struct json *dirs CLEANUP(json_freep) = json_arr();
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	for (size_t i = 0; i < t->ballast_n; i++)
		if (t->ballast[i].dir)
			json_add_str(dirs, t->ballast[i].dir);
	if (!json_len(dirs))
		return 0;
	json_print(dirs, &text);
	return fs_put(t->fd, DIRS, 0600, text.data, text.len, err);
}

int ballast_set_aside(struct txnlog *t, struct err *err)
{
	if (write_dirs(t, err))
		return -1;
	for (size_t i = 0; i < t->ballast_n; i++)
		if (fill_one(t, &t->ballast[i], err))
			return -1;
	return 0;
}

static int free_in(const struct root *r, const char *dir, unsigned int id, struct err *err)
{
	int dirfd CLEANUP(closep) = open_dir(r, dir);
	char name[40];

	if (dirfd < 0)	/* its file system is not mounted: it is not there that undo has to go */
		return errno == ENOENT || errno == ENOTDIR ?
			       0 :
			       err_errno(err, errno, "cannot open '%s'", dir);
	space_name(id, name);
	if (fs_unlink(dirfd, name, err) || fs_sync_dir(dirfd, err))
		return err_prefix(err, "in '%s'", dir);
	return 0;
}

int ballast_free(const struct state *s, unsigned int id, int txn_fd, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct json *dirs CLEANUP(json_freep) = NULL;
	int got;

	if (fs_unlink(txn_fd, SPACE, err))
		return -1;
	got = fs_read_at(txn_fd, DIRS, DIRS_MAX, &text, err);
	if (got)
		return got < 0 ? -1 : 0;
	if (json_parse(text.data, text.len, JSON_STRICT, DIRS, &dirs, err))
		return -1;
	for json_each(d, dirs)
		if (json_string(d) && free_in(s->root, json_string(d), id, err))
			return -1;
	return fs_unlink(txn_fd, DIRS, err);
}
