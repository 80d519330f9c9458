/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "hold": see actions/kinds.h. What a package is wanted to be is one word in dpkg's status
 * file, and one call of dpkg changes it for all of them: dpkg writes that file anew and renames it.
 * So a kill leaves it as before or as after, and beside it at most what dpkg had begun to write.
 *
 * A word that is not the one we left is somebody's decision since then: it stays, either way.
 */
#include "actions/kinds.h"
#include "actions/packages_data.h"

#define KEY "hold:docker"
#define HOLD "hold"
#define FREE "install" /* what dpkg says of a package that is on no hold */

enum { CHILD_SECONDS = 60 };

struct hold {
	/* NAME: { "from", "to" }, words of dpkg; without "from" as constructed: prepare looks */
	struct json *changes;
	struct strv ours; /* on hold by us already */
};

extern const struct action_ops hold_ops;

static void hold_release(struct action *a)
{
	struct hold *d = a->data;

	json_free(d->changes);
	strv_release(&d->ours);
	free(d);
}

static void change_add(struct json *changes, const char *name, const char *from, const char *to)
{
	struct json *change = json_obj();

	if (from)
		json_set_str(change, "from", from);
	json_set_str(change, "to", to);
	json_set(changes, name, change);
}

static struct hold *hold_new(void)
{
	struct hold *d = xcalloc(1, sizeof(*d));

	d->changes = json_obj();
	return d;
}

struct action *action_hold(const char *step, const struct strv *names, const struct strv *ours)
{
	struct hold *d = hold_new();

	for (size_t i = 0; i < names->n; i++)
		change_add(d->changes, names->v[i], NULL, HOLD);
	strv_addv(&d->ours, (const char *const *)ours->v);
	return action_new(&hold_ops, KEY, step, RANK_LATE, d);
}

/* ---- what is there ---- */

/* What an installed package is wanted to be; NULL: it is not installed. Allocated. */
static char *want_of(const struct buf *status, const char *name)
{
	struct stanza s;
	char *want CLEANUP(freep) = NULL, *state CLEANUP(freep) = NULL;

	if (!dpkgdb_find(status, name, &s) || !stanza_status(&s, &want, NULL, &state) ||
	    !str_eq(state, "installed"))
		return NULL;
	return STEAL(want);
}

/* ---- prepare, commit, undo ---- */

/* What is as it should be, or as somebody else wants it by now, is no change of ours. */
static void take_stock(struct hold *d, const struct action_ctx *ctx, const struct buf *status)
{
	struct json *left = json_obj();

	for json_each(c, d->changes) {
		const char *from = json_get_str(c, "from");
		char *want CLEANUP(freep) = want_of(status, json_key(c));

		if (!want && !from && packages_to_come(ctx, json_key(c)))
			want = xstrdup(FREE);
		if (str_eq(want, from ? from : FREE))
			change_add(left, json_key(c), want, json_get_str(c, "to"));
	}
	json_free(d->changes);
	d->changes = left;
}

static int hold_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct hold *d = a->data;
	const struct pkg_ops *ops = pkg_backend(ctx->host);
	struct buf status CLEANUP(buf_release) = BUF_INIT;

	if (!ops)
		return err_set(err, ERR_REFUSED,
			       "no package manager that sysboxup knows runs here");
	if (ops->lock(ctx->host, packages_lock_seconds(), ctx->rep, err) ||
	    ops->audit(ctx->host, err) || dpkgdb_read(ctx->root, &status, err))
		return -1;
	take_stock(d, ctx, &status);
	return packages_set_aside(ctx, 0, err);
}

/* Each that still is `is` becomes `be`, which name members of a change. ret: dpkg's lines. */
static void selections(const struct hold *d, const struct buf *status, const char *is,
		       const char *be, struct buf *ret)
{
	for json_each(c, d->changes) {
		char *want CLEANUP(freep) = want_of(status, json_key(c));

		if (str_eq(want, json_get_str(c, is)))
			buf_addf(ret, "%s %s\n", json_key(c), json_get_str(c, be));
	}
}

static int hold_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct buf status CLEANUP(buf_release) = BUF_INIT, lines CLEANUP(buf_release) = BUF_INIT;

	if (dpkgdb_read(ctx->root, &status, err))
		return -1;
	selections(a->data, &status, "from", "to", &lines);
	if (!lines.len)
		return 0;
	return dpkg_selections(ctx, lines.data, err) ? -1 : packages_sync(ctx->root, err);
}

/* What a killed dpkg leaves, and the next one that writes takes away. */
static bool half_written(const struct root *r)
{
	return root_exists(r, DPKG_DIR "/status-new") || root_exists(r, DPKG_DIR "/updates/tmp.i");
}

static int take_back(const struct hold *d, const struct action_ctx *ctx, struct err *err)
{
	struct buf status CLEANUP(buf_release) = BUF_INIT, lines CLEANUP(buf_release) = BUF_INIT;

	if (dpkgdb_read(ctx->root, &status, err))
		return -1;
	selections(d, &status, "to", "from", &lines);
	if (!lines.len && !half_written(ctx->root))
		return 0;
	return dpkg_selections(ctx, lines.data ? lines.data : "", err) ?
		       -1 :
		       packages_sync(ctx->root, err);
}

static int hold_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct hold *d = a->data;
	const struct pkg_ops *ops = pkg_backend(ctx->host);

	if (!json_len(d->changes))
		return 0;
	if (!ops)
		return err_set(err, ERR_FAILED, "no package manager that sysboxup knows runs here");
	if (state_wait_child(ctx->state, CHILD_SECONDS, err) ||
	    ops->lock(ctx->host, packages_lock_seconds(), ctx->rep, err) ||
	    dpkg_clear_shield(ctx, err))
		return -1;
	return take_back(d, ctx, err);
}

static int hold_verify(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct hold *d = a->data;
	struct buf status CLEANUP(buf_release) = BUF_INIT;

	if (dpkgdb_read(ctx->root, &status, err))
		return -1;
	for json_each(c, d->changes) {
		char *want CLEANUP(freep) = want_of(&status, json_key(c));

		if (want && !str_eq(want, json_get_str(c, "to")))
			return err_set(err, ERR_FAILED,
				       "package '%s' should be '%s', and is '%s'",
				       json_key(c), json_get_str(c, "to"),
				       want ? want : "gone");
	}
	return 0;
}

/* ---- later ---- */

/* Over all of them: the first word before, and the last one after. */
static void join(struct json *to, const struct json *newer)
{
	for json_each(c, newer) {
		struct json *have = json_get_mut(to, json_key(c));

		if (have)
			json_set_str(have, "to", json_get_str(c, "to"));
		else
			json_set(to, json_key(c), json_dup(c));
	}
}

static int hold_invert(const struct record *oldest, const struct record *newest,
		       struct action **ret, struct err *err)
{
	struct json *all CLEANUP(json_freep) = json_obj();
	struct hold *d = hold_new();

	for (const struct record *r = oldest; r; r = r->next)
		join(all, ((const struct hold *)r->action->data)->changes);
	for json_each(c, all)
		if (!str_eq(json_get_str(c, "from"), json_get_str(c, "to")))
			change_add(d->changes, json_key(c), json_get_str(c, "to"),
				   json_get_str(c, "from"));
	struct action *a CLEANUP(action_freep) = action_new(&hold_ops, KEY, "rollback", RANK_LATE,
							    d);
	*ret = json_len(d->changes) ? STEAL(a) : NULL;
	return 0;
}

static bool hold_fold(struct action *older, const struct action *newer)
{
	struct hold *o = older->data;
	const struct hold *n = newer->data;

	join(o->changes, n->changes);
	return true;
}

static int hold_encode(const struct action *a, struct json *j)
{
	const struct hold *d = a->data;

	json_set(j, "changes", json_dup(d->changes));
	json_set(j, "ours", strv_json(&d->ours));
	return 0;
}

static int hold_decode(struct action *a, const struct json *j, struct err *err)
{
	const struct json *changes = json_get(j, "changes");
	struct hold *d = hold_new();

	a->data = d;
	json_strv(json_get(j, "ours"), &d->ours);
	for json_each(c, changes) {
		const char *from = json_get_str(c, "from"), *to = json_get_str(c, "to");

		if (!from || !to)
			return err_set(err, ERR_FAILED,
				       "a hold without what was before, or is after");
		change_add(d->changes, json_key(c), from, to);
	}
	return 0;
}

/* ---- shown ---- */

static void describe_those(const struct hold *d, bool held, const char *words, struct report *r)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	for json_each(c, d->changes)
		if (str_eq(json_get_str(c, "to"), HOLD) == held)
			strv_add(&names, json_key(c));
	char *list CLEANUP(freep) = strv_join(&names, ", ");
	if (names.n)
		report_change(r, list, "%s", words);
}

static void hold_describe(const struct action *a, const struct action_ctx *ctx, struct report *r)
{
	describe_those(a->data, true, "put on hold: no upgrade until it is lifted", r);
	describe_those(a->data, false, "hold lifted, where it is still there", r);
}

static struct json *hold_index(const struct action *a, const struct root *root)
{
	const struct hold *d = a->data;
	struct strv ours CLEANUP(strv_release) = STRV_INIT;
	struct json *j;

	strv_addv(&ours, (const char *const *)d->ours.v);
	for json_each(c, d->changes)
		if (str_eq(json_get_str(c, "to"), HOLD) && !strv_has(&ours, json_key(c)))
			strv_add(&ours, json_key(c));
	if (!ours.n)
		return NULL;
	j = json_obj();
	json_set(j, "packages", strv_json(&ours));
	return j;
}

/* One that is not installed any more cannot be upgraded either. */
static enum report_state hold_drift(const struct json *entry, const char *key,
				    const struct action_ctx *ctx, struct buf *found)
{
	struct buf status CLEANUP(buf_release) = BUF_INIT;
	struct strv names CLEANUP(strv_release) = STRV_INIT, lost CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;

	json_strv(json_get(entry, "packages"), &names);
	if (dpkgdb_read(ctx->root, &status, &ignored))
		return STATE_UNKNOWN;
	for (size_t i = 0; i < names.n; i++) {
		char *want CLEANUP(freep) = want_of(&status, names.v[i]);

		if (want && !str_eq(want, HOLD))
			strv_add(&lost, names.v[i]);
	}
	if (!lost.n)
		return STATE_OK;
	char *list CLEANUP(freep) = strv_join(&lost, ", ");
	buf_addf(found, "not on hold any more: %s", list);
	return STATE_BAD;
}

const struct action_ops hold_ops = {
	.kind = "hold",
	.late = true,
	.prepare = hold_prepare,
	.commit = hold_commit,
	.undo = hold_undo,
	.verify = hold_verify,
	.invert = hold_invert,
	.fold = hold_fold,
	.encode = hold_encode,
	.decode = hold_decode,
	.describe = hold_describe,
	.index = hold_index,
	.drift = hold_drift,
	.release = hold_release,
};
