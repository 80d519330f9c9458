/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "file": a file or symlink put, replaced or taken away through sys/replace.h. The
 * after-image's time is fixed in prepare, so that "is it still ours" can be answered by stat.
 */
#include "actions/kinds.h"
#include "actions/put.h"
#include "actions/stage.h"
#include "base/diff.h"
#include "journal/ballast.h"
#include "sys/io.h"
#include "sys/replace.h"
#include "sys/stamp.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define DIFF_MAX (256 * 1024)
#define SPACE_PER_NAME 8192

struct file_data {
	char *path;
	char *member;			/* content out of the unpacked package, or NULL */
	struct buf content;		/* or these bytes */
	unsigned int from_txn, from_index;	/* or the before-image of an older transaction (from_txn > 0) */
	bool inverted;			/* made by invert: after is final, expected says what must be there */
	struct node expected;
	bool edited_between;		/* somebody changed it between two of the transactions taken back */
	bool folded_edit;		/* the same, between two that are folded into this record */
	char *kept;			/* a stranger's version is copied to this path first, or NULL */
	struct node before, after;
};

extern const struct action_ops file_ops;

static void file_release(struct action *a)
{
	struct file_data *d = a->data;

	free(d->path);
	free(d->member);
	free(d->kept);
	buf_release(&d->content);
	node_release(&d->expected);
	node_release(&d->before);
	node_release(&d->after);
	free(d);
}

static struct file_data *file_data_new(const char *path)
{
	struct file_data *d = xcalloc(1, sizeof(*d));

	d->path = xstrdup(path);
	d->content = (struct buf)BUF_INIT;
	return d;
}

static struct action *file_action(const char *step, struct file_data *d)
{
	char *key CLEANUP(freep) = xasprintf("file:%s", d->path);

	return action_new(&file_ops, key, step, RANK_FILES, d);
}

struct action *action_file(const char *step, const char *path, mode_t mode, const void *data,
			   size_t len)
{
	struct file_data *d = file_data_new(path);

	d->after.type = NODE_FILE;
	d->after.mode = mode;
	buf_add(&d->content, data, len);
	return file_action(step, d);
}

struct action *action_file_member(const char *step, const char *path, mode_t mode,
				  const char *member)
{
	struct file_data *d = file_data_new(path);

	d->after.type = NODE_FILE;
	d->after.mode = mode;
	d->member = xstrdup(member);
	return file_action(step, d);
}

struct action *action_remove(const char *step, const char *path)
{
	return file_action(step, file_data_new(path));
}

struct action *action_remove_link(const char *step, const char *path, const char *target)
{
	struct file_data *d = file_data_new(path);

	d->expected.type = NODE_LINK;
	d->expected.target = xstrdup(target);
	return file_action(step, d);
}

struct action *action_link(const char *step, const char *path, const char *target)
{
	struct file_data *d = file_data_new(path);

	d->after.type = NODE_LINK;
	d->after.target = xstrdup(target);
	return file_action(step, d);
}

/* A link is put, replaced and taken away as a link; a file is reached through whatever links lead
 * to it. */
static bool is_link(const struct file_data *d)
{
	return d->after.type == NODE_LINK || d->before.type == NODE_LINK ||
	       d->expected.type == NODE_LINK;
}

static struct replace file_replace(struct file_data *d, const struct action_ctx *ctx)
{
	struct replace rp = REPLACE_INIT;

	rp.root = ctx->root;
	rp.path = d->path;
	rp.tag = ctx->tag;
	rp.nofollow = is_link(d);
	node_copy(&rp.before, &d->before);
	node_copy(&rp.after, &d->after);
	/* a link that comes back has the time of then */
	rp.set_mtime = d->after.type == NODE_FILE || d->after.mtime.tv_sec;
	return rp;
}

/* Where commit's bytes come from: *ret_fd to be closed, or -1 for those in memory. */
static int file_source(const struct file_data *d, const struct action_ctx *ctx, int *ret_fd,
		       struct err *err)
{
	*ret_fd = -1;
	if (d->after.type != NODE_FILE)
		return 0;
	if (d->from_txn)
		return txnlog_before_open(ctx->state, d->from_txn, d->from_index, ret_fd, err);
	return d->member ? stage_open(ctx, d->member, ret_fd, err) : 0;
}

/* Size, digest and time of what will be there; owner, mode and xattrs of a file that exists
 * stay. */
static int file_fill_after(struct file_data *d, const struct action_ctx *ctx, struct err *err)
{
	struct node source CLEANUP(node_release) = NODE_INIT;
	int fd CLEANUP(closep) = -1;

	if (d->inverted || d->after.type != NODE_FILE)
		return 0;
	if (file_source(d, ctx, &fd, err) ||
	    (fd >= 0 && node_read_fd(&source, fd, NODE_DIGEST, err)))
		return -1;
	if (fd < 0) {
		source.size = d->content.len;
		digest_hex(d->content.data, d->content.len, source.digest);
	}
	if (d->before.type == NODE_FILE) {
		mode_t mode = d->member ? d->after.mode : d->before.mode;

		node_copy(&d->after, &d->before);
		d->after.mode = mode;
	}
	d->after.size = source.size;
	snprintf(d->after.digest, sizeof(d->after.digest), "%s", source.digest);
	d->after.mtime = (struct timespec){ .tv_sec = stamp_now() };
	return 0;
}

static int file_check_expected(struct file_data *d, const struct action_ctx *ctx, struct err *err)
{
	if (!d->inverted || node_equal(&d->before, &d->after, NODE_CMP_PLAIN) ||
	    (!d->edited_between && node_equal(&d->before, &d->expected, NODE_CMP_PLAIN)))
		return 0;
	if (ctx->force && d->before.type == NODE_FILE) {
		d->kept = xasprintf("%s.sysboxup-kept-%u", d->path, ctx->log->id);
		return 0;
	}
	if (ctx->force)
		return 0;
	err_set(err, ERR_REFUSED, "'%s' was changed by somebody else since", d->path);
	return err_remedy(err, "rollback --force and uninstall --force keep their version beside as '%s.sysboxup-kept-N'", d->path);
}

static int file_keep_before(struct file_data *d, struct action_ctx *ctx, struct err *err)
{
	int fd CLEANUP(closep) = -1;

	if (d->before.type != NODE_FILE)
		return 0;
	fd = root_openat(ctx->root, d->path, O_RDONLY, 0);
	if (fd < 0)
		return err_errno(err, errno, "cannot read '%s'", d->path);
	return txnlog_before_put(ctx->log, ctx->index, fd, d->before.digest, err);
}

/* The directory may be made by an action before this one: then there is nothing to check and
 * nothing to undo yet. */
static bool parent_exists(const struct file_data *d, const struct action_ctx *ctx)
{
	char *dir CLEANUP(freep) = path_dirname(d->path);
	struct stat st;

	return !root_stat(ctx->root, dir, &st);
}

static int file_check(struct file_data *d, const struct action_ctx *ctx, struct err *err)
{
	struct replace rp = file_replace(d, ctx);
	int r = replace_check(&rp, err);

	if (!r)
		node_copy(&d->before, &rp.before);
	replace_release(&rp);
	return r ? err_raise(err, ERR_REFUSED) : 0;
}

/* An exchange needs none; a name that comes or goes may need a block of its directory. */
static int set_aside(const struct file_data *d, const struct action_ctx *ctx, struct err *err)
{
	char *dir CLEANUP(freep) = path_dirname(d->path);
	const char *const dirs[] = { dir, NULL };

	return ballast_need(ctx->log, dirs, SPACE_PER_NAME, err);
}

static int file_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct file_data *d = a->data;

	if (parent_exists(d, ctx) && file_check(d, ctx, err))
		return -1;
	if (file_check_expected(d, ctx, err) || file_keep_before(d, ctx, err) ||
	    set_aside(d, ctx, err))
		return -1;
	return file_fill_after(d, ctx, err);
}

static int file_put_beside(const struct file_data *d, const struct action_ctx *ctx, struct err *err)
{
	struct buf bytes CLEANUP(buf_release) = BUF_INIT;

	if (!d->kept)
		return 0;
	if (root_read(ctx->root, d->path, SIZE_MAX / 2, &bytes, err))
		return -1;
	return put_node(ctx, d->kept, &d->before, bytes.data, bytes.len, true, err);
}

static int file_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct file_data *d = a->data;
	struct replace rp = file_replace(d, ctx);
	int fd CLEANUP(closep) = -1, r;

	r = file_put_beside(d, ctx, err) || file_source(d, ctx, &fd, err) ? -1 : 0;
	rp.content_fd = fd;
	rp.content = d->content.data;
	rp.content_len = d->content.len;
	if (!r)
		r = replace_commit(&rp, err);
	replace_release(&rp);
	return r;
}

static int file_undo_kept(const struct file_data *d, const struct action_ctx *ctx, struct err *err)
{
	const struct node absent = NODE_INIT;

	return d->kept ? put_node(ctx, d->kept, &absent, NULL, 0, false, err) : 0;
}

/* Their version beside; what is no file and no link is not to be moved by us. */
static int keep_beside(const struct file_data *d, const struct action_ctx *ctx, struct err *err)
{
	struct node now CLEANUP(node_release) = NODE_INIT;
	struct buf bytes CLEANUP(buf_release) = BUF_INIT;
	char *beside CLEANUP(freep) = xasprintf("%s.sysboxup-kept-%u", d->path, ctx->log->id);

	if (node_read(&now, ctx->root, d->path, NODE_DIGEST, err))
		return -1;
	if (now.type == NODE_ABSENT)
		return 0;
	if (now.type != NODE_FILE && now.type != NODE_LINK)
		return err_set(err, ERR_FAILED, "'%s' is no file any more", d->path);
	if (now.type == NODE_FILE && root_read(ctx->root, d->path, SIZE_MAX / 2, &bytes, err))
		return -1;
	report_warn(ctx->rep, NULL, "'%s' was changed by somebody else: their version is kept as '%s'",
		    d->path, beside);
	return put_node(ctx, beside, &now, bytes.data, bytes.len, true, err);
}

/* Nobody is there to ask: what was before us goes over what somebody else made of it since. */
static int undo_over(struct file_data *d, const struct action_ctx *ctx, int content_fd,
		     struct err *err)
{
	struct replace rp = file_replace(d, ctx);
	int r = keep_beside(d, ctx, err) || replace_finish(&rp, err) ? -1 : 0;

	node_release(&rp.before);
	node_release(&rp.after);
	node_copy(&rp.after, &d->before);
	rp.content_fd = content_fd;
	rp.set_mtime = true;
	if (!r && (replace_check(&rp, err) || replace_commit(&rp, err) || replace_finish(&rp, err)))
		r = -1;
	replace_release(&rp);
	return r;
}

static int file_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct file_data *d = a->data;
	struct replace rp = file_replace(d, ctx);
	struct err why = ERR_INIT;
	int fd CLEANUP(closep) = -1, r = 0;

	if (!parent_exists(d, ctx)) {
		replace_release(&rp);
		return 0;
	}
	if (d->before.type == NODE_FILE)
		r = txnlog_before_open(ctx->state, ctx->log->id, ctx->index, &fd, &why);
	rp.content_fd = fd;
	if (!r)
		r = replace_undo(&rp, &why);
	replace_release(&rp);
	if (r == REPLACE_CONFLICT && ctx->force)
		return undo_over(d, ctx, fd, err) || file_undo_kept(d, ctx, err) ? -1 : 0;
	if (r)
		*err = why;
	if (r == REPLACE_CONFLICT && d->before.type == NODE_ABSENT)
		err_remedy(err, "move your version of '%s' away, then run: sysboxup recover", d->path);
	else if (r == REPLACE_CONFLICT)
		err_remedy(
			err,
			"save your version of '%s', put back what `sysboxup history show %u %s` prints, then run: sysboxup recover",
			d->path, ctx->log->id, d->path);
	return r ? r : file_undo_kept(d, ctx, err);
}

static int file_finish(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct replace rp = file_replace(a->data, ctx);
	int r = parent_exists(a->data, ctx) ? replace_finish(&rp, err) : 0;

	replace_release(&rp);
	return r;
}

static int file_verify(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct file_data *d = a->data;
	struct node now CLEANUP(node_release) = NODE_INIT;
	int fd CLEANUP(closep) = -1;

	if (d->after.type != NODE_FILE)
		return 0;
	fd = root_openat(ctx->root, d->path, O_RDONLY, 0);
	if (fd < 0)
		return err_errno(err, errno, "cannot read '%s' back", d->path);
	if (node_read_fd(&now, fd, NODE_META, err))
		return -1;
	if (now.size == d->after.size && now.mode == d->after.mode)
		return 0;
	return err_set(err, ERR_FAILED, "'%s' is not as it was written", d->path);
}

/* Who took away what was not there before us either left no version that could be lost. */
static bool removed_since(const struct file_data *older, const struct file_data *newer)
{
	return older->before.type == NODE_ABSENT && newer->before.type == NODE_ABSENT;
}

static bool edited_since(const struct file_data *older, const struct file_data *newer)
{
	return older->folded_edit || newer->folded_edit ||
	       (!removed_since(older, newer) &&
		!node_equal(&older->after, &newer->before, NODE_CMP_PLAIN));
}

static bool edited_between(const struct record *oldest)
{
	const struct file_data *only = oldest->action->data;

	for (const struct record *r = oldest; r->next; r = r->next)
		if (edited_since(r->action->data, r->next->action->data))
			return true;
	return only->folded_edit;
}

static bool file_fold(struct action *older, const struct action *newer)
{
	struct file_data *o = older->data;
	const struct file_data *n = newer->data;

	o->folded_edit = edited_since(o, n);
	node_release(&o->after);
	node_copy(&o->after, &n->after);
	return true;
}

static int file_invert(const struct record *oldest, const struct record *newest,
		       struct action **ret, struct err *err)
{
	const struct file_data *o = oldest->action->data, *n = newest->action->data;
	struct file_data *d;

	if (node_equal(&o->before, &n->after, NODE_CMP_MTIME)) {
		*ret = NULL;
		return 0;
	}
	d = file_data_new(o->path);
	d->inverted = true;
	d->edited_between = edited_between(oldest);
	node_copy(&d->after, &o->before);
	node_copy(&d->expected, &n->after);
	d->from_txn = oldest->txn;
	d->from_index = oldest->index;
	*ret = file_action("rollback", d);
	return 0;
}

static int file_encode(const struct action *a, struct json *j)
{
	const struct file_data *d = a->data;

	json_set_str(j, "path", d->path);
	if (d->kept)
		json_set_str(j, "kept", d->kept);
	json_set(j, "before", node_encode(&d->before));
	json_set(j, "after", node_encode(&d->after));
	if (d->folded_edit)
		json_set_bool(j, "folded_edit", true);
	return 0;
}

static int file_decode(struct action *a, const struct json *j, struct err *err)
{
	struct file_data *d = file_data_new(json_get_str(j, "path"));

	a->data = d;
	d->kept = xstrdup(json_get_str(j, "kept"));
	d->folded_edit = json_get_bool(j, "folded_edit", false);
	if (!d->path)
		return err_set(err, ERR_FAILED, "no path");
	return node_decode(&d->before, json_get(j, "before"), err) ||
			       node_decode(&d->after, json_get(j, "after"), err) ?
		       -1 :
		       0;
}

/* ---- describe ---- */

static bool looks_like_text(const struct buf *b)
{
	return !memchr(b->data, 0, b->len) && b->len <= DIFF_MAX;
}

static int wanted_text(const struct file_data *d, const struct action_ctx *ctx, struct buf *ret)
{
	struct err ignored = ERR_INIT;
	int fd CLEANUP(closep) = -1;
	char chunk[16384];
	ssize_t n;

	if (!d->from_txn) {
		buf_add(ret, d->content.data, d->content.len);
		return d->member ? -1 : 0;
	}
	if (d->after.type != NODE_FILE || d->after.size > DIFF_MAX)
		return d->after.type == NODE_ABSENT ? 0 : -1;
	if (txnlog_before_open(ctx->state, d->from_txn, d->from_index, &fd, &ignored))
		return -1;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(ret, chunk, (size_t)n);
	return 0;
}

static void file_describe_diff(const struct file_data *d, const struct action_ctx *ctx,
			       struct report *r)
{
	struct buf now CLEANUP(buf_release) = BUF_INIT, then CLEANUP(buf_release) = BUF_INIT,
		       diff CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	int absent = root_read_optional(ctx->root, d->path, DIFF_MAX, &now, &ignored);

	if (absent < 0 || wanted_text(d, ctx, &then) || !looks_like_text(&now) ||
	    !looks_like_text(&then))
		return;
	diff_unified(absent ? "/dev/null" : d->path, now.data, now.len,
		     d->after.type == NODE_ABSENT ? "/dev/null" : d->path, then.data, then.len,
		     &diff);
	if (diff.len)
		report_diff(r, diff.data);
}

static void file_describe(const struct action *a, const struct action_ctx *ctx, struct report *r)
{
	const struct file_data *d = a->data;
	bool exists = ctx->log ? d->before.type != NODE_ABSENT : root_exists(ctx->root, d->path);

	if (is_link(d)) {
		report_change(r, d->path,
			      d->after.type == NODE_LINK ? "link to %s" : "remove link to %s",
			      d->after.type == NODE_LINK    ? d->after.target :
			      d->expected.type == NODE_LINK ? d->expected.target :
							      d->before.target);
		return;
	}
	report_change(r, d->path, "%s",
		      d->after.type == NODE_ABSENT ? "remove" :
		      exists                       ? "replace" :
						     "create");
	/* of a record the new text is not kept, only its digest */
	if (!ctx->log && (d->after.type == NODE_FILE || exists))
		file_describe_diff(d, ctx, r);
}

/* ---- index ---- */

/* The fingerprint is believed only if size and time are those that we gave it. */
static struct json *file_index(const struct action *a, const struct root *root)
{
	const struct file_data *d = a->data;
	struct node now CLEANUP(node_release) = NODE_INIT;
	struct err ignored = ERR_INIT;
	struct json *j;

	if (d->after.type == NODE_ABSENT)
		return NULL;
	j = json_obj();
	json_set(j, "node", node_encode(&d->after));
	if (!node_read(&now, root, d->path, NODE_META, &ignored) && now.size == d->after.size &&
	    now.mtime.tv_sec == d->after.mtime.tv_sec &&
	    now.mtime.tv_nsec == d->after.mtime.tv_nsec)
		json_set(j, "seen", node_encode(&now));
	return j;
}

static int file_adopt(const char *key, const struct json *as, const struct action_ctx *ctx,
		      struct json **ret, struct err *err)
{
	const char *path = key + strlen("file:");
	struct node now CLEANUP(node_release) = NODE_INIT;
	struct json *j;

	if (node_read(&now, ctx->root, path, NODE_DIGEST, err))
		return -1;
	if (now.type != NODE_FILE && now.type != NODE_LINK)
		return err_set(err, ERR_REFUSED, "'%s' is no file", path);
	j = json_obj();
	json_set(j, "node", node_encode(&now));
	json_set(j, "seen", node_encode(&now));
	*ret = j;
	return 0;
}

static enum report_state file_drift(const struct json *entry, const char *key,
				    const struct action_ctx *ctx, struct buf *found)
{
	struct node want CLEANUP(node_release) = NODE_INIT, seen CLEANUP(node_release) = NODE_INIT;
	struct node now CLEANUP(node_release) = NODE_INIT;
	const char *path = key + strlen("file:");
	struct err err = ERR_INIT;

	if (node_decode(&want, json_get(entry, "node"), &err) ||
	    node_read(&now, ctx->root, path, NODE_META, &err)) {
		buf_adds(found, err.msg);
		return STATE_UNKNOWN;
	}
	if (json_get(entry, "seen") && !node_decode(&seen, json_get(entry, "seen"), &err) &&
	    node_same_fingerprint(&seen, &now))
		return STATE_OK;
	if (node_read(&now, ctx->root, path, NODE_DIGEST, &err)) {
		buf_adds(found, err.msg);
		return STATE_UNKNOWN;
	}
	if (node_equal(&want, &now, NODE_CMP_PLAIN))
		return STATE_OK;
	buf_adds(found, now.type == NODE_ABSENT ? "missing" : "changed");
	return STATE_BAD;
}

const struct action_ops file_ops = {
	.kind = "file",
	.prepare = file_prepare,
	.commit = file_commit,
	.undo = file_undo,
	.finish = file_finish,
	.verify = file_verify,
	.invert = file_invert,
	.fold = file_fold,
	.encode = file_encode,
	.decode = file_decode,
	.describe = file_describe,
	.index = file_index,
	.adopt = file_adopt,
	.drift = file_drift,
	.release = file_release,
};
