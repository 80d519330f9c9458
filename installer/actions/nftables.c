/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "nftables": see actions/kinds.h. What is loaded follows from the file, whatever was loaded
 * before: so it needs no before-image, both ways are the same, and twice is once. In another boot
 * nothing of it is left, and it follows from the file again.
 */
#include "actions/kinds.h"
#include "backends/firewall/guard.h"
#include "backends/firewall/nft.h"
#include "base/digest.h"

#define FILE_MAX (4 * 1024 * 1024)

struct nftables_data {
	char *path;
	struct buf text;		/* what the plan will have put there; of an inverted one nobody knows */
	enum reload_when when;
};

extern const struct action_ops nftables_ops;

static const char *const when_names[] = {
	[RELOAD_ON_UNDO] = "undo", [RELOAD_ON_COMMIT] = "commit"
};

static void nftables_release(struct action *a)
{
	struct nftables_data *d = a->data;

	free(d->path);
	buf_release(&d->text);
	free(d);
}

struct action *action_nftables(const char *step, const char *path, const struct buf *text,
			       enum reload_when when)
{
	struct nftables_data *d = xcalloc(1, sizeof(*d));
	d->path = xstrdup(path);
	d->text = (struct buf)BUF_INIT;
	if (text)
		buf_add(&d->text, text->data, text->len);
	d->when = when;
	return when == RELOAD_ON_UNDO ? action_new(&nftables_ops, NFTABLES_KEY ":undo", step,
						   RANK_RELOAD_UNDO, d) :
					action_new(&nftables_ops, NFTABLES_KEY, step, RANK_RELOAD,
						   d);
}

static int nftables_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct nftables_data *d = a->data;

	if (!ctx->host->running || !d->text.len)
		return 0;
	if (nft_available(err))
		return -1;
	return nft_check(&d->text, err) ? err_raise(err, ERR_REFUSED) : 0;
}

/* 1: there is no file. */
static int read_file(const struct nftables_data *d, const struct action_ctx *ctx, struct buf *ret,
		     struct err *err)
{
	return root_read_optional(ctx->root, d->path, FILE_MAX, ret, err);
}

static int follow_file(const struct nftables_data *d, const struct action_ctx *ctx, struct err *err)
{
	enum guard_done done;

	if (!ctx->host->running)
		return 0;
	return guard_follow(ctx->root, d->path, true, &done, NULL, ctx->rep, err) ||
			       guard_timed_sockets(ctx->root, ctx->rep, err) ?
		       -1 :
		       0;
}

static int nftables_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct nftables_data *d = a->data;

	return d->when == RELOAD_ON_COMMIT ? follow_file(d, ctx, err) : 0;
}

static int nftables_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct nftables_data *d = a->data;

	return d->when == RELOAD_ON_UNDO ? follow_file(d, ctx, err) : 0;
}

static int nftables_verify(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT, words CLEANUP(buf_release) = BUF_INIT;
	const struct nftables_data *d = a->data;
	int absent, same;

	if (!ctx->host->running || d->when != RELOAD_ON_COMMIT)
		return 0;
	absent = read_file(d, ctx, &text, err);
	if (absent)
		return absent < 0 ? -1 : 0;
	same = nft_compare(&text, &words, err);
	return same ? (same < 0 ? -1 : 0) :
		      err_set(err, ERR_FAILED, "'%s' was loaded, but %s", d->path, words.data);
}

/* On the other side of the file. */
static int nftables_invert(const struct record *oldest, const struct record *newest,
			   struct action **ret, struct err *err)
{
	const struct nftables_data *d = oldest->action->data;

	*ret = action_nftables("rollback", d->path, NULL, reload_when_inverted(oldest, newest));
	return 0;
}

static int nftables_encode(const struct action *a, struct json *j)
{
	const struct nftables_data *d = a->data;

	json_set_str(j, "path", d->path);
	json_set_str(j, "when", when_names[d->when]);
	return 0;
}

static int nftables_decode(struct action *a, const struct json *j, struct err *err)
{
	struct nftables_data *d = xcalloc(1, sizeof(*d));

	a->data = d;
	d->path = xstrdup(json_get_str(j, "path"));
	d->text = (struct buf)BUF_INIT;
	d->when = str_eq(json_get_str(j, "when"), when_names[RELOAD_ON_COMMIT]) ? RELOAD_ON_COMMIT :
										  RELOAD_ON_UNDO;
	return d->path ? 0 : err_set(err, ERR_FAILED, "no path");
}

static void nftables_describe(const struct action *a, const struct action_ctx *ctx,
			      struct report *r)
{
	const struct nftables_data *d = a->data;

	if (d->when == RELOAD_ON_COMMIT && ctx->host->running)
		report_change(r, "table inet sysboxup", "loaded as %s says", d->path);
}

static struct json *nftables_index(const struct action *a, const struct root *root)
{
	const struct nftables_data *d = a->data;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	char digest[65];
	struct json *j;

	if (d->when != RELOAD_ON_COMMIT ||
	    root_read_optional(root, d->path, FILE_MAX, &text, &ignored))
		return NULL;
	digest_hex(text.data, text.len, digest);
	j = json_obj();
	json_set_str(j, "path", d->path);
	json_set_str(j, "loaded", digest);
	return j;
}

/* The text that was loaded is kept in the file alone: if that is another one by now, it is the file
 * that differs, and of the table nobody can say. */
static bool is_what_was_loaded(const struct json *entry, const struct buf *text)
{
	char digest[65];

	digest_hex(text->data, text->len, digest);
	return str_eq(digest, json_get_str(entry, "loaded"));
}

static enum report_state nftables_drift(const struct json *entry, const char *key,
					const struct action_ctx *ctx, struct buf *found)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	const char *path = json_get_str(entry, "path");
	struct err err = ERR_INIT;
	int same;

	if (!ctx->host->running || !path)
		return STATE_UNKNOWN;
	if (root_read_optional(ctx->root, path, FILE_MAX, &text, &err) ||
	    !is_what_was_loaded(entry, &text)) {
		buf_addf(found, "'%s' is not what was loaded", path);
		return STATE_UNKNOWN;
	}
	same = nft_compare(&text, found, &err);
	if (same < 0)
		buf_adds(found, err.msg);
	return same < 0 ? STATE_UNKNOWN : same ? STATE_OK : STATE_BAD;
}

const struct action_ops nftables_ops = {
	.kind = "nftables",
	.prepare = nftables_prepare,
	.commit = nftables_commit,
	.undo = nftables_undo,
	.verify = nftables_verify,
	.invert = nftables_invert,
	.fold = action_fold_oldest,
	.encode = nftables_encode,
	.decode = nftables_decode,
	.describe = nftables_describe,
	.index = nftables_index,
	.drift = nftables_drift,
	.release = nftables_release,
};
