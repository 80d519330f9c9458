/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/openings.h"

#include "actions/put.h"
#include "journal/ballast.h"
#include "sys/fs.h"
#include "sys/memfile.h"

#include <errno.h>

#define FILE_MAX (16 * 1024 * 1024)

enum { SPACE_PER_FILE = 16 * 1024 };

/* 1: it is not there. */
static int read_now(const struct action_ctx *ctx, const char *path, struct buf *ret,
		    struct err *err)
{
	return root_read_optional(ctx->root, path, FILE_MAX, ret, err);
}

struct image {
	struct node node;
	struct buf text;
};

static void image_release(struct image *i)
{
	node_release(&i->node);
	buf_release(&i->text);
}

int openings_read_before(const struct action_ctx *ctx, unsigned int txn, unsigned int index,
		       struct buf *ret, struct err *err)
{
	int fd CLEANUP(closep) = -1;

	return txnlog_before_open(ctx->state, txn, index, &fd, err) ||
			       fs_read_fd(fd, 2 * FILE_MAX, ret, err) ?
		       -1 :
		       0;
}

static int keep_files(struct openings *d, const struct action_ctx *ctx, struct buf *all,
		      struct err *err)
{
	for (size_t i = 0; d->ops->files[i]; i++) {
		struct buf text CLEANUP(buf_release) = BUF_INIT;
		struct node n CLEANUP(node_release) = NODE_INIT;
		int absent = read_now(ctx, d->ops->files[i], &text, err);

		if (absent < 0 || node_read(&n, ctx->root, d->ops->files[i], NODE_DIGEST, err))
			return -1;
		if (absent) {
			if (d->ops->text_add)
				json_set(d->files, d->ops->files[i], node_encode(&n));
			continue;
		}
		if (!d->ops->whole(&text)) {
			err_set(err, ERR_REFUSED, "'%s' is cut short: %s would not load it",
				d->ops->files[i], d->ops->name);
			return err_remedy(err, "bring it back from a backup, or have %s make a new one",
					  d->ops->name);
		}
		if (n.type != NODE_FILE || n.size != text.len) {
			err_set(err, ERR_REFUSED,
				"'%s' is no regular file, or was changed this instant",
				d->ops->files[i]);
			return err_remedy(err, "sysboxup apply again, when it is one");
		}
		json_set(d->files, d->ops->files[i], node_encode(&n));
		buf_add(all, text.data, text.len);
	}
	return 0;
}

int openings_keep_before(struct openings *d, struct action_ctx *ctx, struct err *err)
{
	struct buf all CLEANUP(buf_release) = BUF_INIT;
	char hex[DIGEST_HEX + 1];
	int fd CLEANUP(closep) = -1;

	if (keep_files(d, ctx, &all, err))
		return -1;
	fd = memfile_new("openings", all.data, all.len, err);
	if (fd < 0 || txnlog_before_put(ctx->log, ctx->index, fd, hex, err))
		return -1;
	for json_each(it, d->files) {
		char *dir CLEANUP(freep) = path_dirname(json_key(it));
		const char *const dirs[] = { dir, NULL };

		if (ballast_need(ctx->log, dirs, 2 * all.len + SPACE_PER_FILE, err))
			return -1;
	}
	return 0;
}

/* ---- back ---- */

/* What `now` is to be: our changes undone in it, or with `undo` false those that take done. The
 * bytes of before, where only the way they are written differs. */
static void text_back(const struct openings *d, bool undo, const struct buf *before,
		      struct buf *now)
{
	for json_each(c, d->changes) {
		if (opening_is_put(c) == undo)
			d->ops->text_take(now, json_key(c));
		else if (undo)
			d->ops->text_put(now, before, json_key(c));
	}
	if (d->ops->text_same(now, before)) {
		buf_clear(now);
		buf_add(now, before->data, before->len);
	}
}

/* Without a rule of anybody there is no file. */
static int put_text(const struct action_ctx *ctx, const char *path, const struct buf *text,
		    struct err *err)
{
	const struct node none = NODE_INIT;

	return text->len ? put_content(ctx, path, text, 0644, err) :
			   put_node(ctx, path, &none, NULL, 0, false, err);
}

/* Bytes of before with their time, but whatever owner and mode somebody has given it. */
static int put_before(const struct action_ctx *ctx, const char *path, const struct image *before,
		      const struct node *now, struct err *err)
{
	struct node want CLEANUP(node_release) = NODE_INIT;

	if (before->node.type == NODE_ABSENT)
		return put_text(ctx, path, &before->text, err);
	node_copy(&want, now->type == NODE_ABSENT ? &before->node : now);
	want.mtime = before->node.mtime;
	want.size = before->node.size;
	memcpy(want.digest, before->node.digest, sizeof(want.digest));
	return put_node(ctx, path, &want, before->text.data, before->text.len, true, err);
}

/* Its package went, or was never there. */
static bool is_purged(const struct openings *d, const struct action_ctx *ctx, const char *path)
{
	char *dir CLEANUP(freep) = path_dirname(path);

	return !d->ops->text_add || !root_exists(ctx->root, dir);
}

static int file_back(const struct openings *d, const struct action_ctx *ctx, const char *path,
		     const struct image *before, bool undo, bool *ret_changed, struct err *err)
{
	struct buf now CLEANUP(buf_release) = BUF_INIT, want CLEANUP(buf_release) = BUF_INIT;
	struct node node CLEANUP(node_release) = NODE_INIT;

	if (read_now(ctx, path, &now, err) < 0 ||
	    node_read(&node, ctx->root, path, NODE_DIGEST, err))
		return -1;
	if (node.type == NODE_ABSENT && is_purged(d, ctx, path))
		return 0;
	if (d->ops->whole(&now)) {
		buf_add(&want, now.data, now.len);
		text_back(d, undo, &before->text, &want);
	} else {
		buf_add(&want, before->text.data, before->text.len);
	}
	*ret_changed = *ret_changed || !buf_equal(&want, &now);
	if (buf_equal(&want, &before->text))
		return put_before(ctx, path, before, &node, err);
	return buf_equal(&want, &now) ? put_tidy(ctx, path, err) : put_text(ctx, path, &want, err);
}

int openings_files_back(const struct openings *d, const struct action_ctx *ctx,
		      const struct json *files, const struct buf *all, bool undo, bool *ret_changed,
		      struct err *err)
{
	size_t at = 0;

	for json_each(it, files) {
		struct image before CLEANUP(image_release) = { NODE_INIT, BUF_INIT };

		if (node_decode(&before.node, it, err))
			return -1;
		if (before.node.size > all->len - at)
			return err_set(err, ERR_FAILED, "the before-image of '%s' is cut short",
				       json_key(it));
		buf_add(&before.text, all->data + at, before.node.size);
		at += before.node.size;
		if (file_back(d, ctx, json_key(it), &before, undo, ret_changed, err))
			return -1;
	}
	return 0;
}

static int write_file(const struct openings *d, const struct action_ctx *ctx, size_t file,
		      struct err *err)
{
	struct buf now CLEANUP(buf_release) = BUF_INIT, want CLEANUP(buf_release) = BUF_INIT;
	const char *path = d->ops->files[file];

	if (read_now(ctx, path, &now, err) < 0)
		return -1;
	buf_add(&want, now.data, now.len);
	for json_each(c, d->changes) {
		if (opening_is_put(c))
			d->ops->text_add(&want, file, json_key(c));
		else
			d->ops->text_take(&want, json_key(c));
	}
	return buf_equal(&want, &now) ? 0 : put_text(ctx, path, &want, err);
}

int openings_files_write(const struct openings *d, const struct action_ctx *ctx, struct err *err)
{
	for (size_t i = 0; d->ops->files[i]; i++)
		if (write_file(d, ctx, i, err))
			return -1;
	return 0;
}

int openings_sync_files(const struct openings *d, const struct action_ctx *ctx, struct err *err)
{
	for (size_t i = 0; d->ops->files[i]; i++) {
		int fd CLEANUP(closep) = root_openat(ctx->root, d->ops->files[i], O_RDONLY, 0);

		if (fd >= 0 && io_fsync(fd))
			return err_errno(err, errno, "cannot sync '%s'", d->ops->files[i]);
	}
	return 0;
}
