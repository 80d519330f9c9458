/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "dir": a directory made where none is. Undo, which comes behind that of all that is in it,
 * removes it if it is ours and empty; what others put into it stays, and so does it. A rollback
 * removes it last of all, in finish: until COMMITTED its files of before wait in it under their
 * temporary names. Whether it can go is asked in prepare, for there is no way back behind that.
 */
#include "actions/kinds.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <unistd.h>

struct dir_data {
	char *path;
	mode_t mode;
	bool existed;
	bool remove;		/* inverted: take it away if it is empty */
	bool data;		/* others keep something in it: said when it is taken back */
};

extern const struct action_ops dir_ops;

static void dir_release(struct action *a)
{
	struct dir_data *d = a->data;

	free(d->path);
	free(d);
}

static struct action *dir_action(const char *step, const char *path, mode_t mode, bool remove)
{
	struct dir_data *d = xcalloc(1, sizeof(*d));
	char *key CLEANUP(freep) = xasprintf("dir:%s", path);

	d->path = xstrdup(path);
	d->mode = mode;
	d->remove = remove;
	return action_new(&dir_ops, key, step, RANK_FILES, d);
}

struct action *action_dir(const char *step, const char *path, mode_t mode)
{
	return dir_action(step, path, mode, false);
}

struct action *action_data_dir(const char *step, const char *path, mode_t mode)
{
	struct action *a = dir_action(step, path, mode, false);
	struct dir_data *d = a->data;

	d->data = true;
	return a;
}

static int not_taken(const struct dir_data *d, int errnum, struct err *err)
{
	err_errno(err, errnum, "cannot remove directory '%s'", d->path);
	if (errnum != EPERM)
		return -1;
	return err_remedy(err, "chattr -i -a '%s', or the directory it is in, whichever is immutable", d->path);
}

static bool is_locked(int dirfd, const char *name)
{
	struct statx sx;

	return !statx(dirfd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &sx) &&
	       (sx.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND));
}

static int check_going(const struct dir_data *d, const struct action_ctx *ctx, struct err *err)
{
	int parent CLEANUP(closep) = -1, errnum = 0;
	char *name CLEANUP(freep) = NULL;

	if (root_parent(ctx->root, d->path, false, &parent, &name, NULL, err))
		return -1;
	if (is_locked(parent, "") || is_locked(parent, name))
		errnum = EPERM;
	else if (faccessat(parent, ".", W_OK | X_OK, AT_EACCESS))
		errnum = errno;
	if (!errnum)
		return 0;
	not_taken(d, errnum, err);
	return err_raise(err, ERR_REFUSED);
}

static int dir_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct dir_data *d = a->data;
	struct stat st;

	d->existed = root_stat(ctx->root, d->path, &st) == 0;
	if (d->existed ? !S_ISDIR(st.st_mode) : root_exists(ctx->root, d->path))
		return err_set(err, ERR_REFUSED, "'%s' is in the way: a directory is needed there", d->path);
	return d->remove && d->existed ? check_going(d, ctx, err) : 0;
}

static int dir_make(const struct dir_data *d, struct action_ctx *ctx, struct err *err)
{
	int parent CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;

	if (root_parent(ctx->root, d->path, true, &parent, &name, NULL, err))
		return -1;
	return fs_mkdir(parent, name, d->mode, err);
}

/* Gone, not empty, something is mounted on it, or somebody put a link in its place: not ours to
 * take. */
static bool is_in_use(int errnum)
{
	return errnum == ENOENT || errnum == ENOTEMPTY || errnum == EEXIST || errnum == EBUSY ||
	       errnum == ENOTDIR;
}

static int dir_take(const struct dir_data *d, struct action_ctx *ctx, struct err *err)
{
	int parent CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;

	if (!root_exists(ctx->root, d->path))
		return 0;
	if (root_parent(ctx->root, d->path, false, &parent, &name, NULL, err))
		return -1;
	if (io_unlinkat(parent, name, AT_REMOVEDIR) && !is_in_use(errno))
		return not_taken(d, errno, err);
	return fs_sync_dir(parent, err);
}

static int dir_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct dir_data *d = a->data;

	return d->remove || d->existed ? 0 : dir_make(d, ctx, err);
}

static int dir_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct dir_data *d = a->data;

	if (d->remove)	/* finish may have begun behind a COMMITTED that is torn now */
		return d->existed ? dir_make(d, ctx, err) : 0;
	return d->existed ? 0 : dir_take(d, ctx, err);
}

static int dir_finish(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct dir_data *d = a->data;

	return d->remove && d->existed && ctx->committed ? dir_take(d, ctx, err) : 0;
}

static int dir_invert(const struct record *oldest, const struct record *newest, struct action **ret,
		      struct err *err)
{
	const struct dir_data *o = oldest->action->data;

	*ret = NULL;
	if (o->remove)
		*ret = o->existed ? dir_action("rollback", o->path, o->mode, false) : NULL;
	else if (!o->existed)
		*ret = dir_action("rollback", o->path, o->mode, true);
	if (*ret)
		((struct dir_data *)(*ret)->data)->data = o->data;
	return 0;
}

static int dir_encode(const struct action *a, struct json *j)
{
	const struct dir_data *d = a->data;

	json_set_str(j, "path", d->path);
	json_set_i64(j, "mode", d->mode);
	json_set_bool(j, "existed", d->existed);
	json_set_bool(j, "remove", d->remove);
	if (d->data)
		json_set_bool(j, "data", true);
	return 0;
}

static int dir_decode(struct action *a, const struct json *j, struct err *err)
{
	struct dir_data *d = xcalloc(1, sizeof(*d));

	a->data = d;
	d->path = xstrdup(json_get_str(j, "path"));
	d->mode = (mode_t)json_get_i64(j, "mode", 0755);
	d->existed = json_get_bool(j, "existed", false);
	d->remove = json_get_bool(j, "remove", false);
	d->data = json_get_bool(j, "data", false);
	return d->path ? 0 : err_set(err, ERR_FAILED, "no path");
}

static void dir_describe(const struct action *a, const struct action_ctx *ctx, struct report *r)
{
	const struct dir_data *d = a->data;

	if (d->remove && d->data) {
		report_change(r, d->path, "stays, with the data in it; to delete it: rm -r '%s'",
			      d->path);
		return;
	}
	report_change(r, d->path, "%s",
		      d->remove ? "remove directory, if empty" : "create directory");
}

static struct json *dir_index(const struct action *a, const struct root *root)
{
	const struct dir_data *d = a->data;

	return d->existed ? NULL : json_obj();
}

static enum report_state dir_drift(const struct json *entry, const char *key,
				   const struct action_ctx *ctx, struct buf *found)
{
	struct stat st;

	if (!root_stat(ctx->root, key + strlen("dir:"), &st) && S_ISDIR(st.st_mode))
		return STATE_OK;
	buf_adds(found, "missing");
	return STATE_BAD;
}

const struct action_ops dir_ops = {
	.kind = "dir",
	.prepare = dir_prepare,
	.commit = dir_commit,
	.undo = dir_undo,
	.finish = dir_finish,
	.invert = dir_invert,
	.fold = action_fold_oldest,
	.encode = dir_encode,
	.decode = dir_decode,
	.describe = dir_describe,
	.index = dir_index,
	.drift = dir_drift,
	.release = dir_release,
};
