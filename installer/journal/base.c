/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/base.h"

#include "journal/record.h"
#include "journal/txnlog.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define DIR_FLAGS (O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define NEW ".new"
#define GONE ".gone-"
#define RECORD "record"
#define RECORD_MAX (256 * 1024 * 1024)
#define NUMBER_MAX 999999

static bool number_of(const char *name, unsigned int *ret)
{
	int64_t id;

	if (strlen(name) != 6 || str_to_i64(name, 1, NUMBER_MAX, &id))
		return false;
	*ret = (unsigned int)id;
	return true;
}

static int base_dir(const struct state *s)
{
	return s->txn_fd < 0 ? -1 : io_open_read(s->fd, "base", DIR_FLAGS);
}

static int base_list(const struct state *s, struct strv *ret, struct err *err)
{
	int fd CLEANUP(closep) = base_dir(s);

	if (fd < 0)
		return s->txn_fd < 0 || errno == ENOENT ?
			       0 :
			       err_errno(err, errno, "cannot open '%s/base'", STATE_DIR);
	return fs_list_fd(fd, ret, err);
}

int base_find(const struct state *s, unsigned int *ret, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	unsigned int id, newest = 0;

	if (base_list(s, &names, err))
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (number_of(names.v[i], &id) && id > newest)
			newest = id;
	*ret = newest;
	return 0;
}

int base_open(const struct state *s, unsigned int id)
{
	int fd CLEANUP(closep) = base_dir(s);
	char name[16];

	snprintf(name, sizeof(name), "%06u", id);
	return fd < 0 ? -1 : io_open_read(fd, name, DIR_FLAGS);
}

int base_read(const struct state *s, struct json **ret, struct err *err)
{
	struct buf bytes CLEANUP(buf_release) = BUF_INIT;
	enum record_type type = RECORD_BASE;
	int fd CLEANUP(closep) = -1, r = 0;

	*ret = NULL;
	if (!s->pruned)
		return 0;
	fd = base_open(s, s->pruned);
	if (fd < 0)
		err_errno(err, errno, "cannot open '%s/base/%06u'", STATE_DIR, s->pruned);
	else if ((r = fs_read_at(fd, RECORD, RECORD_MAX, &bytes, err)) > 0)
		err_set(err, ERR_UNDO, "it is missing");
	else if (!r && !record_decode(bytes.data, bytes.len, &type, ret, err) &&
		 type == RECORD_BASE)
		return 0;
	if (!err_is_set(err))
		err_set(err, ERR_UNDO, "no record of a base");
	json_free(STEAL(*ret));
	err_prefix(err, "'%s/base/%06u/" RECORD "'", STATE_DIR, s->pruned);
	return err_raise(err, ERR_UNDO);
}

int base_usage(const struct state *s, uint64_t *ret, struct err *err)
{
	return fs_usage(s->fd, "base", ret, err);
}

int base_begin(struct state *s, int *ret_fd, struct err *err)
{
	int dir CLEANUP(closep) = -1, fd CLEANUP(closep) = -1;

	if (fs_mkdir(s->fd, "base", 0700, err))
		return -1;
	dir = base_dir(s);
	if (dir < 0)
		return err_errno(err, errno, "cannot open '%s/base'", STATE_DIR);
	if (fs_remove_tree(dir, NEW, err) || fs_mkdir(dir, NEW, 0700, err))
		return -1;
	fd = io_open_read(dir, NEW, DIR_FLAGS);
	if (fd < 0)
		return err_errno(err, errno, "cannot open '%s/base/" NEW "'", STATE_DIR);
	if (fs_mkdir(fd, "before", 0700, err))
		return -1;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

/* Where the file system cannot link, or not so often. */
static int copy_into(int from, int dir, const char *name, struct err *err)
{
	int to CLEANUP(closep) = io_openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
					   0600);

	if (to < 0)
		return err_errno(err, errno, "cannot make '%s'", name);
	if (fs_copy_fd(from, to, UINT64_MAX, NULL, err))
		return -1;
	return io_fsync(to) ? err_errno(err, errno, "cannot sync '%s'", name) : 0;
}

static int before_of(const struct state *s, unsigned int txn)
{
	char path[32];
	int fd CLEANUP(closep) = -1;

	snprintf(path, sizeof(path), "%06u", txn);
	fd = txn <= s->pruned ? base_open(s, txn) : io_open_read(s->txn_fd, path, DIR_FLAGS);
	return fd < 0 ? -1 : io_open_read(fd, "before", DIR_FLAGS);
}

int base_keep(struct state *s, int fd, unsigned int txn, unsigned int index, unsigned int as,
	      struct err *err)
{
	int from CLEANUP(closep) = before_of(s, txn), to CLEANUP(closep) = -1,
	    file CLEANUP(closep) = -1;
	char old[16], new[16];

	snprintf(old, sizeof(old), "%u", index);
	snprintf(new, sizeof(new), "%u", as);
	to = io_open_read(fd, "before", DIR_FLAGS);
	if (from < 0 || to < 0)
		return err_errno(err, errno, "cannot open the before-images of transaction %u", txn);
	file = io_open_read(from, old, O_NOFOLLOW);
	if (file < 0)
		return errno == ENOENT ? 0 :
					 err_errno(err, errno, "cannot open before-image %u of transaction %u", index, txn);
	if (!io_linkat(from, old, to, new))
		return 0;
	if (copy_into(file, to, new, err))
		return err_prefix(err, "cannot keep before-image %u of transaction %u", index, txn);
	return 0;
}

static int write_record(int fd, const struct json *body, struct err *err)
{
	struct buf bytes CLEANUP(buf_release) = BUF_INIT;
	int before CLEANUP(closep) = io_open_read(fd, "before", DIR_FLAGS);

	record_encode(RECORD_BASE, body, &bytes);
	if (before < 0)
		return err_errno(err, errno, "cannot open the before-images");
	return fs_sync_dir(before, err) || fs_put(fd, RECORD, 0600, bytes.data, bytes.len, err);
}

int base_publish(struct state *s, int fd, unsigned int id, const struct json *body, struct err *err)
{
	int dir CLEANUP(closep) = base_dir(s);
	char name[16];

	snprintf(name, sizeof(name), "%06u", id);
	if (write_record(fd, body, err))
		return -1;
	if (dir < 0 || io_renameat2(dir, NEW, dir, name, 0) || io_fsync(dir))
		return err_errno(err, errno, "cannot publish '%s/base/%s'", STATE_DIR, name);
	s->pruned = id;
	return 0;
}

/* ---- rubbish ---- */

static int drop_bases(struct state *s, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	int dir CLEANUP(closep) = base_dir(s);
	unsigned int id;

	if (dir < 0)
		return errno == ENOENT ? 0 :
					 err_errno(err, errno, "cannot open '%s/base'", STATE_DIR);
	if (fs_list_fd(dir, &names, err))
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if ((!number_of(names.v[i], &id) || id < s->pruned) &&
		    fs_remove_tree(dir, names.v[i], err))
			return -1;
	return 0;
}

static int rename_away(struct state *s, unsigned int id, struct err *err)
{
	char name[16], gone[32];

	snprintf(name, sizeof(name), "%06u", id);
	snprintf(gone, sizeof(gone), GONE "%06u", id);
	if (!io_renameat2(s->txn_fd, name, s->txn_fd, gone, 0) || errno == ENOENT)
		return 0;
	return err_errno(err, errno, "cannot take away '%s/txn/%s'", STATE_DIR, name);
}

static int remove_gone(struct state *s, unsigned int id, struct err *err)
{
	char gone[32];

	snprintf(gone, sizeof(gone), GONE "%06u", id);
	return fs_remove_tree(s->txn_fd, gone, err);
}

int base_drop(struct state *s, unsigned int first, struct err *err)
{
	for (unsigned int id = first; id <= s->pruned; id++)
		if (rename_away(s, id, err))
			return -1;
	if (fs_sync_dir(s->txn_fd, err))
		return -1;
	for (unsigned int id = first; id <= s->pruned; id++)
		if (remove_gone(s, id, err))
			return -1;
	return drop_bases(s, err);
}

int base_tidy(struct state *s, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	unsigned int id, first = s->pruned + 1;

	if (fs_list_fd(s->txn_fd, &names, err))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		if (str_starts(names.v[i], GONE) && fs_remove_tree(s->txn_fd, names.v[i], err))
			return -1;
		if (number_of(names.v[i], &id) && id < first)
			first = id;
	}
	return base_drop(s, first, err);
}
