/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "openings": see actions/kinds.h. Rules of somebody else's firewall manager
 * (backends/firewall/manager.h), put and taken one by one through its own tool.
 *
 * Its files are before-images, all in one content, because the tool may die where it has truncated
 * one and not yet written it, and the next boot would find a firewall that drops everything. Undo
 * asks no tool to write: what is cut short comes back from the before-image, from the others our
 * rules are taken out of the text, and those that we took are put in, whatever others have added;
 * each by one rename. Then what runs is loaded from them; or, where the files are ours to write
 * (text_add), told by the tool rule for rule. Early at boot the manager comes behind us and does
 * that itself.
 *
 * An equal rule that is there is somebody else's, and a rule whose comment is not ours any more is,
 * too: both stay.
 */
#include "actions/openings.h"

#include "sys/io.h"

#define KEY "openings:"

enum { CHILD_SECONDS = 60 };

extern const struct action_ops openings_ops;

static void openings_release(struct action *a)
{
	struct openings *d = a->data;

	json_free(d->changes);
	json_free(d->files);
	json_free(d->from_files);
	strv_release(&d->ours);
	free(d);
}

static struct openings *openings_new(const struct manager_ops *ops)
{
	struct openings *d = xcalloc(1, sizeof(*d));

	d->ops = ops;
	d->changes = json_obj();
	d->files = json_obj();
	return d;
}

static struct action *action_of(struct openings *d, const char *step)
{
	char *key CLEANUP(freep) = xasprintf(KEY "%s", d->ops->name);

	return action_new(&openings_ops, key, step, RANK_OPENINGS, d);
}

char *openings_key(const struct manager_ops *ops)
{
	return xasprintf(KEY "%s", ops->name);
}

struct action *action_openings(const char *step, const struct manager_ops *ops,
			       const struct strv *put, const struct strv *take,
			       const struct strv *ours, bool reload)
{
	struct openings *d = openings_new(ops);

	for (size_t i = 0; i < put->n; i++)
		json_set_str(d->changes, put->v[i], PUT);
	for (size_t i = 0; i < take->n; i++)
		json_set_str(d->changes, take->v[i], TAKE);
	strv_addv(&d->ours, (const char *const *)ours->v);
	d->reload = reload;
	return action_of(d, step);
}

/* ---- states ---- */

static void keys_of(const struct json *changes, struct strv *ret)
{
	for json_each(c, changes)
		strv_add(ret, json_key(c));
}

static bool is_there(enum opening_state s)
{
	return s == OPENING_OURS || s == OPENING_UNLOADED || s == OPENING_OVERRULED ||
	       s == OPENING_UNSAVED;
}

static int denied(const struct openings *d, const char *opening, struct err *err)
{
	char *words CLEANUP(freep) = opening_words(opening);

	err_set(err, ERR_REFUSED, "%s has a rule of its own that keeps out %s", d->ops->name,
		words);
	return err_remedy(err, "take it out of %s, or the network out of 'firewall.allow'",
			  d->ops->name);
}

static void strv_drop(struct strv *s, const char *word)
{
	struct strv left = STRV_INIT;

	for (size_t i = 0; i < s->n; i++)
		if (!str_eq(s->v[i], word))
			strv_add(&left, s->v[i]);
	strv_release(s);
	*s = left;
}

/* One that others have changed or taken out by now is not ours to take. */
static void leave(struct openings *d, const struct action_ctx *ctx, const char *opening,
		  enum opening_state state)
{
	char *words CLEANUP(freep) = opening_words(opening);

	if (state != OPENING_ABSENT && state != OPENING_OPEN)
		report_warn(ctx->rep, NULL,
			    "%s: the rule for %s was changed by somebody else, and stays",
			    d->ops->name, words);
	strv_drop(&d->ours, opening);
}

/* What needs doing. Equal rules of others need none of ours. */
static int take_stock(struct openings *d, const struct action_ctx *ctx, struct err *err)
{
	struct strv all CLEANUP(strv_release) = STRV_INIT;
	struct json *left CLEANUP(json_freep) = json_obj();

	keys_of(d->changes, &all);
	enum opening_state *states CLEANUP(freep) = xcalloc(all.n + 1, sizeof(*states));
	if (d->ops->look(ctx->root, &all, states, err))
		return err_raise(err, ERR_REFUSED);
	for (size_t i = 0; i < all.n; i++) {
		bool put = opening_is_put(json_get(d->changes, all.v[i]));

		if (put && (states[i] == OPENING_DENIED || states[i] == OPENING_OVERRULED))
			return denied(d, all.v[i], err);
		if (put ? states[i] == OPENING_ABSENT || states[i] == OPENING_UNSAVED :
			  is_there(states[i]))
			json_set_str(left, all.v[i], put ? PUT : TAKE);
		else if (!put)
			leave(d, ctx, all.v[i], states[i]);
	}
	json_free(d->changes);
	d->changes = STEAL(left);
	return 0;
}

static int check(const struct openings *d, const struct action_ctx *ctx, struct err *err)
{
	struct strv put CLEANUP(strv_release) = STRV_INIT;

	for json_each(c, d->changes)
		if (opening_is_put(c))
			strv_add(&put, json_key(c));
	if (!put.n)
		return 0;
	if (!d->ops->available(ctx->root))
		return err_set(err, ERR_REFUSED, "there is no %s on this host any more",
			       d->ops->name);
	return d->ops->check(ctx->root, &put, err);
}

static int openings_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct openings *d = a->data;

	if (check(d, ctx, err) || take_stock(d, ctx, err))
		return -1;
	return openings_keep_before(d, ctx, err);
}

/* ---- commit ---- */

static int scratch(const struct action_ctx *ctx, char **ret, struct err *err)
{
	int fd CLEANUP(closep) = -1;

	if (txnlog_stage(ctx->log, &fd, err))
		return -1;
	char *inside CLEANUP(freep) = xasprintf(STATE_DIR "/txn/%06u/stage", ctx->log->id);
	*ret = root_outside(ctx->root, inside);
	return 0;
}

/* The changes; or with `back`, what they changed put back. Who is let in by another rule from now
 * on is so before the old one goes. tmp: see manager_ops. */
static int run_tool(const struct openings *d, const struct action_ctx *ctx, bool back,
		    const char *tmp, struct err *err)
{
	struct strv put CLEANUP(strv_release) = STRV_INIT, take CLEANUP(strv_release) = STRV_INIT;

	for json_each(c, d->changes)
		strv_add(opening_is_put(c) != back ? &put : &take, json_key(c));
	if ((put.n && d->ops->put(ctx->root, &put, tmp, ctx->rep, err)) ||
	    (take.n && d->ops->take(ctx->root, &take, tmp, ctx->rep, err)))
		return err_prefix(err, "%s", d->ops->name);
	return 0;
}

static int change(const struct openings *d, const struct action_ctx *ctx, struct err *err)
{
	char *tmp CLEANUP(freep) = NULL;

	if (!json_len(d->changes))
		return 0;
	if (d->ops->available(ctx->root) &&
	    (scratch(ctx, &tmp, err) || run_tool(d, ctx, false, tmp, err)))
		return -1;
	return d->ops->text_add ? openings_files_write(d, ctx, err) : 0;
}

/* Our rules are out of the text, whether by the tool or, where that is gone, by us; the rest is as
 * the tool writes it, or as it was before the first of ours. */
static int finish_back(const struct openings *d, const struct action_ctx *ctx, struct err *err)
{
	struct buf all CLEANUP(buf_release) = BUF_INIT;
	bool changed = false;

	if (!d->from_txn)
		return 0;
	if (openings_read_before(ctx, d->from_txn, d->from_index, &all, err))
		return -1;
	return openings_files_back(d, ctx, d->from_files, &all, false, &changed, err);
}

static int openings_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct openings *d = a->data;

	if (change(d, ctx, err) || openings_sync_files(d, ctx, err) || finish_back(d, ctx, err))
		return -1;
	return d->reload ? d->ops->reload(ctx->root, ctx->rep, err) : 0;
}

/* ---- undo ---- */

/* A manager that reloads may write its files anew, as it would write them (ufw does, and truncates
 * them first): so they are looked at again behind it. */
static int load_again(const struct openings *d, const struct action_ctx *ctx, const struct buf *all,
		      struct err *err)
{
	bool ignored;

	return d->ops->reload(ctx->root, ctx->rep, err) ||
			       openings_files_back(d, ctx, d->files, all, true, &ignored, err) ?
		       -1 :
		       0;
}

static int openings_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct openings *d = a->data;
	struct buf all CLEANUP(buf_release) = BUF_INIT;
	bool changed = false;

	if (state_wait_child(ctx->state, CHILD_SECONDS, err) ||
	    openings_read_before(ctx, ctx->log->id, ctx->index, &all, err) ||
	    openings_files_back(d, ctx, d->files, &all, true, &changed, err))
		return -1;
	if (ctx->early || !d->ops->available(ctx->root))
		return 0;
	if (d->ops->text_add)
		return run_tool(d, ctx, true, NULL, err);
	/* A tool that was killed may have changed what runs, and not the file, or the other way. */
	return changed || ctx->recovering ? load_again(d, ctx, &all, err) : 0;
}

/* ---- proof ---- */

static int openings_verify(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct openings *d = a->data;
	struct strv all CLEANUP(strv_release) = STRV_INIT;

	keys_of(d->changes, &all);
	enum opening_state *states CLEANUP(freep) = xcalloc(all.n + 1, sizeof(*states));
	if (d->ops->look(ctx->root, &all, states, err))
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		bool put = opening_is_put(json_get(d->changes, all.v[i]));
		bool in = opening_is_open(states[i]) && states[i] != OPENING_UNSAVED;
		char *words CLEANUP(freep) = opening_words(all.v[i]);

		if (put ? !in : is_there(states[i]))
			return err_set(err, ERR_FAILED, "%s %s the rule for %s", d->ops->name,
				       put ? "was told of, and has not," : "still has", words);
	}
	return 0;
}

/* ---- later ---- */

/* One after the other: put and taken again is nothing. */
static void join(struct json *to, const struct json *newer)
{
	for json_each(c, newer) {
		const struct json *have = json_get(to, json_key(c));

		if (have && opening_is_put(have) != opening_is_put(c))
			json_del(to, json_key(c));
		else
			json_set(to, json_key(c), json_dup(c));
	}
}

static int openings_invert(const struct record *oldest, const struct record *newest,
			   struct action **ret, struct err *err)
{
	const struct openings *o = oldest->action->data;
	struct json *all CLEANUP(json_freep) = json_obj();
	struct openings *d = openings_new(o->ops);

	for (const struct record *r = oldest; r; r = r->next)
		join(all, ((const struct openings *)r->action->data)->changes);
	for json_each(c, all)
		json_set_str(d->changes, json_key(c), opening_is_put(c) ? TAKE : PUT);
	d->from_txn = oldest->txn;
	d->from_index = oldest->index;
	d->from_files = json_dup(o->files);
	struct action *a CLEANUP(action_freep) = action_of(d, "rollback");
	*ret = json_len(d->changes) ? STEAL(a) : NULL;
	return 0;
}

static bool openings_fold(struct action *older, const struct action *newer)
{
	struct openings *o = older->data;
	const struct openings *n = newer->data;

	join(o->changes, n->changes);
	return true;
}

static int openings_encode(const struct action *a, struct json *j)
{
	const struct openings *d = a->data;

	json_set_str(j, "manager", d->ops->name);
	json_set(j, "changes", json_dup(d->changes));
	json_set(j, "ours", strv_json(&d->ours));
	json_set_bool(j, "reload", d->reload);
	json_set(j, "files", json_dup(d->files));
	if (d->from_txn) {
		json_set_i64(j, "from_txn", d->from_txn);
		json_set_i64(j, "from_index", d->from_index);
		json_set(j, "from_files", json_dup(d->from_files));
	}
	return 0;
}

static int openings_decode(struct action *a, const struct json *j, struct err *err)
{
	const char *name = json_get_str(j, "manager");
	const struct manager_ops *ops = name ? manager_named(name) : NULL;
	struct openings *d = openings_new(ops);

	a->data = d;
	if (!ops)
		return err_set(err, ERR_FAILED, "no firewall manager of that name");
	json_free(d->changes);
	json_free(d->files);
	d->changes = json_dup(json_get(j, "changes"));
	d->files = json_dup(json_get(j, "files"));
	d->reload = json_get_bool(j, "reload", false);
	json_strv(json_get(j, "ours"), &d->ours);
	d->from_txn = (unsigned int)json_get_i64(j, "from_txn", 0);
	d->from_index = (unsigned int)json_get_i64(j, "from_index", 0);
	d->from_files = json_dup(json_get(j, "from_files"));
	return 0;
}

/* ---- shown ---- */

static void openings_describe(const struct action *a, const struct action_ctx *ctx,
			      struct report *r)
{
	const struct openings *d = a->data;

	for json_each(c, d->changes) {
		char *words CLEANUP(freep) = opening_words(json_key(c));

		report_change(r, d->ops->name, "%s %s",
			      opening_is_put(c) ? "allow" : "no longer allow", words);
	}
	if (d->reload)
		report_change(r, d->ops->name, "loaded again: rules of ours are not at work");
	else if (!json_len(d->changes))
		report_change(r, d->ops->name, "rules that others have changed are theirs now");
}

static struct json *openings_index(const struct action *a, const struct root *root)
{
	const struct openings *d = a->data;
	struct strv ours CLEANUP(strv_release) = STRV_INIT;
	struct json *j;

	for (size_t i = 0; i < d->ours.n; i++)
		if (!json_get(d->changes, d->ours.v[i]))
			strv_add(&ours, d->ours.v[i]);
	for json_each(c, d->changes)
		if (opening_is_put(c))
			strv_add(&ours, json_key(c));
	if (!ours.n)
		return NULL;
	strv_sort(&ours);
	j = json_obj();
	json_set_str(j, "manager", d->ops->name);
	json_set(j, "rules", strv_json(&ours));
	return j;
}

static const char *drift_words(enum opening_state s)
{
	static const char *const words[] = {
		[OPENING_ABSENT] = "is gone",
		[OPENING_THEIRS] = "was changed by somebody else",
		[OPENING_UNLOADED] = "is not loaded",
		[OPENING_UNSAVED] = "is not kept for the next boot",
		[OPENING_DENIED] = "does not count: one of somebody else says no",
		[OPENING_OVERRULED] = "does not count: one of somebody else says no",
		[OPENING_OURS] = NULL,
		[OPENING_OPEN] = NULL,
	};

	return words[s];
}

static void say_drift(const struct strv *rules, const enum opening_state *states, struct buf *found)
{
	for (size_t i = 0; i < rules->n; i++) {
		char *words CLEANUP(freep) = opening_words(rules->v[i]);

		if (drift_words(states[i]))
			buf_addf(found, "%sthe rule for %s %s", found->len ? ", " : "", words,
				 drift_words(states[i]));
	}
}

static enum report_state openings_drift(const struct json *entry, const char *key,
					const struct action_ctx *ctx, struct buf *found)
{
	const char *name = json_get_str(entry, "manager");
	const struct manager_ops *ops = name ? manager_named(name) : NULL;
	struct strv rules CLEANUP(strv_release) = STRV_INIT;
	struct err why = ERR_INIT;

	if (!ctx->host->running || !ops)
		return STATE_UNKNOWN;
	json_strv(json_get(entry, "rules"), &rules);
	enum opening_state *states CLEANUP(freep) = xcalloc(rules.n + 1, sizeof(*states));
	if (ops->look(ctx->root, &rules, states, &why)) {
		buf_adds(found, why.msg);
		return STATE_UNKNOWN;
	}
	say_drift(&rules, states, found);
	return found->len ? STATE_BAD : STATE_OK;
}

const struct action_ops openings_ops = {
	.kind = "openings",
	.prepare = openings_prepare,
	.commit = openings_commit,
	.undo = openings_undo,
	.verify = openings_verify,
	.invert = openings_invert,
	.fold = openings_fold,
	.encode = openings_encode,
	.decode = openings_decode,
	.describe = openings_describe,
	.index = openings_index,
	.drift = openings_drift,
	.release = openings_release,
};
