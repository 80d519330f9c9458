/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/put.h"

#include "sys/replace.h"

static struct replace put_start(const struct action_ctx *ctx, const char *path)
{
	struct replace rp = REPLACE_INIT;

	rp.root = ctx->root;
	rp.path = path;
	rp.tag = ctx->tag;
	return rp;
}

static int put_run(struct replace *rp, struct err *err)
{
	if (replace_check(rp, err) || replace_commit(rp, err))
		return -1;
	return replace_finish(rp, err);
}

static int tidy(const struct action_ctx *ctx, const char *path, bool nofollow, struct err *err)
{
	struct replace rp = put_start(ctx, path);

	rp.nofollow = nofollow;
	rp.before.type = NODE_FILE;	/* before and after differ: there may be something to tidy */
	int got = replace_finish(&rp, err);
	replace_release(&rp);
	return got;
}

int put_node(const struct action_ctx *ctx, const char *path, const struct node *want,
	     const void *content, size_t len, bool set_mtime, struct err *err)
{
	struct replace rp = put_start(ctx, path);

	rp.nofollow = true;
	rp.set_mtime = set_mtime;
	rp.content = content;
	rp.content_len = len;
	node_copy(&rp.after, want);
	int got = tidy(ctx, path, true, err) ? -1 : put_run(&rp, err);
	replace_release(&rp);
	return got;
}

int put_content(const struct action_ctx *ctx, const char *path, const struct buf *text, mode_t mode,
		struct err *err)
{
	struct replace rp = put_start(ctx, path);
	int got = tidy(ctx, path, false, err) || replace_check(&rp, err) ? -1 : 0;	/* fills in what is there */

	if (!got) {
		node_copy(&rp.after, &rp.before);
		if (rp.before.type == NODE_ABSENT)
			rp.after = (struct node){ .type = NODE_FILE, .mode = mode };
		rp.content = text->data;
		rp.content_len = text->len;
		rp.after.digest[0] = '\0';
		got = put_run(&rp, err);
	}
	replace_release(&rp);
	return got;
}

int put_tidy(const struct action_ctx *ctx, const char *path, struct err *err)
{
	return tidy(ctx, path, false, err);
}
