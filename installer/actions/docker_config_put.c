/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/docker_config_put.h"

#include "base/hex.h"
#include "sys/clock.h"
#include "sys/fs.h"

#define MARK "taken-up"

const struct buf *docker_config_text(const struct buf *text, const struct node *n)
{
	return n->type == NODE_FILE ? text : NULL;
}

/* ---- the file ---- */

struct replace docker_config_replace(const struct docker_config_data *d,
				     const struct action_ctx *ctx, const char *tag)
{
	struct replace rp = REPLACE_INIT;

	rp.root = ctx->root;
	rp.path = d->path;
	rp.tag = tag;
	return rp;
}

static void node_for(struct node *ret, const struct node *like, const struct buf *text)
{
	node_copy(ret, like);
	if (ret->type != NODE_FILE)
		ret->mode = 0644;
	ret->type = NODE_FILE;
	ret->size = text->len;
	digest_hex(text->data, text->len, ret->digest);
}

int docker_config_tidy(const struct docker_config_data *d, const struct action_ctx *ctx,
		       const char *tag, struct err *err)
{
	struct replace rp = docker_config_replace(d, ctx, tag);

	rp.before.type = NODE_FILE;	/* before and after differ: there may be something to tidy */
	return replace_finish(&rp, err);
}

/* An interim text is finished as soon as it is there. r: what preparing rp came to; rp is
 * released. */
static int commit_over(struct replace *rp, int r, struct err *err)
{
	if (!r)
		r = replace_commit(rp, err);
	if (!r)
		r = replace_finish(rp, err);
	replace_release(rp);
	return r;
}

static int check_over(const struct docker_config_data *d, struct replace *rp, struct err *err)
{
	return replace_check(rp, err) ? docker_config_nowhere(d, rp->root, err) : 0;
}

int docker_config_put_over(const struct docker_config_data *d, const struct action_ctx *ctx,
			   const struct buf *text, bool absent, const struct node *seen,
			   struct err *err)
{
	char *tag CLEANUP(freep) = xasprintf("%s.i", ctx->tag);
	struct replace rp = docker_config_replace(d, ctx, tag);
	int r = docker_config_tidy(d, ctx, tag, err) || check_over(d, &rp, err) ? -1 : 0;

	if (!r && seen && !node_equal(&rp.before, seen, NODE_CMP_MTIME))
		r = CONFIG_EDITED;
	if (!r && !absent)
		node_for(&rp.after, rp.before.type == NODE_FILE ? &rp.before : &d->after, text);
	rp.content = text->data;
	rp.content_len = text->len;
	return commit_over(&rp, r, err);
}

int docker_config_put_first(const struct docker_config_data *d, const struct action_ctx *ctx,
			    const struct buf *text, bool absent, struct err *err)
{
	struct replace rp = docker_config_replace(d, ctx, ctx->tag);
	bool final = !absent && d->after.type == NODE_FILE && buf_equal(text, &d->after_text);
	int r;

	node_copy(&rp.before, &d->before);
	if (final)
		node_copy(&rp.after, &d->after);
	else if (!absent)
		node_for(&rp.after, d->before.type == NODE_FILE ? &d->before : &d->after, text);
	rp.set_mtime = final;
	rp.content = text->data;
	rp.content_len = text->len;
	r = replace_commit(&rp, err);
	replace_release(&rp);
	return r;
}

/* The last text when others came first: owner, mode and time as the after-image has them. */
static int put_last(const struct docker_config_data *d, const struct action_ctx *ctx,
		    struct err *err)
{
	char *tag CLEANUP(freep) = xasprintf("%s.i", ctx->tag);
	struct replace rp = docker_config_replace(d, ctx, tag);
	int r = check_over(d, &rp, err);

	node_copy(&rp.after, &d->after);
	rp.set_mtime = d->after.type == NODE_FILE;
	rp.content = d->after_text.data;
	rp.content_len = d->after_text.len;
	return commit_over(&rp, r, err);
}

int docker_config_put_stage(const struct docker_config_data *d, const struct action_ctx *ctx,
			    const struct docker_stage *s, size_t i, size_t n, struct err *err)
{
	if (i == 0)
		return docker_config_put_first(d, ctx, &s->text, s->absent, err);
	return i + 1 == n ? put_last(d, ctx, err) :
			    docker_config_put_over(d, ctx, &s->text, s->absent, NULL, err);
}

/* ---- the mark ---- */

int docker_config_mark(const struct action_ctx *ctx, struct err *err)
{
	const char *boot = clock_boot_id();
	int dir CLEANUP(closep) = -1;

	if (txnlog_stage(ctx->log, &dir, err) || fs_put(dir, MARK, 0600, boot, strlen(boot), err))
		return err_prefix(err, "cannot note that Docker is told");
	return 0;
}

bool docker_config_is_marked(const struct action_ctx *ctx)
{
	struct buf boot CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	return fs_read_at(ctx->log->fd, "stage/" MARK, 64, &boot, &ignored) == 0 &&
	       str_eq(boot.data, clock_boot_id());
}

int docker_config_unmark(const struct action_ctx *ctx, struct err *err)
{
	return fs_unlink(ctx->log->fd, "stage/" WAY, err) ||
			       fs_unlink(ctx->log->fd, "stage/" MARK, err) ?
		       -1 :
		       0;
}
