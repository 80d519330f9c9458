/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "adopt": what is here already becomes ours as it is. Nothing on the host is changed, neither
 * by it nor by any way back: it only puts into the index what the kinds of its targets would have
 * put there, had they made these things (action_ops.adopt). From then on they drift, are upgraded
 * and go as ours do. The before-image of a target is taken by the first action that changes it, so
 * that is what a rollback gives back, however much of the history is pruned.
 */
#include "actions/kinds.h"

struct adopt_data {
	char *subject, *text;
	struct json *targets;	/* { KEY: { "kind", "as" } }; of a record: { KEY: { "kind", its entry } } */
};

extern const struct action_ops adopt_ops;

static void adopt_release(struct action *a)
{
	struct adopt_data *d = a->data;

	free(d->subject);
	free(d->text);
	json_free(d->targets);
	free(d);
}

struct action *action_adopt(const char *step, const char *subject, const char *text)
{
	struct adopt_data *d = xcalloc(1, sizeof(*d));
	char *key CLEANUP(freep) = xasprintf(ADOPT_KEY "%s", step);

	d->subject = xstrdup(subject);
	d->text = xstrdup(text);
	d->targets = json_obj();
	/* in front of everything: what an action of the same plan makes of a target counts */
	return action_new(&adopt_ops, key, step, RANK_FETCH, d);
}

void adopt_target(struct action *a, const char *kind, const char *key, const struct json *as)
{
	struct adopt_data *d = a->data;
	struct json *target = json_obj();

	json_set_str(target, "kind", kind);
	if (as)
		json_set(target, "as", json_dup(as));
	json_set(d->targets, key, target);
}

static int look_at(const struct json *target, const struct action_ctx *ctx, struct json *entries,
		   struct err *err)
{
	const char *kind = json_get_str(target, "kind");
	const struct action_ops *ops = action_kind(kind);
	struct json *entry = NULL;

	if (ops->adopt(json_key(target), json_get(target, "as"), ctx, &entry, err))
		return err_prefix(err, "cannot adopt what is here");
	json_set_str(entry, "kind", kind);
	json_set(entries, json_key(target), entry);
	return 0;
}

static int adopt_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct adopt_data *d = a->data;
	struct json *entries CLEANUP(json_freep) = json_obj();

	for json_each(target, d->targets)
		if (look_at(target, ctx, entries, err))
			return err_raise(err, ERR_REFUSED);
	json_free(d->targets);
	d->targets = STEAL(entries);
	return 0;
}

static int nothing(struct action *a, struct action_ctx *ctx, struct err *err)
{
	return 0;
}

static int adopt_encode(const struct action *a, struct json *j)
{
	const struct adopt_data *d = a->data;

	json_set_str(j, "subject", d->subject);
	json_set_str(j, "text", d->text);
	json_set(j, "targets", json_dup(d->targets));
	return 0;
}

static int adopt_decode(struct action *a, const struct json *j, struct err *err)
{
	struct adopt_data *d = xcalloc(1, sizeof(*d));

	a->data = d;
	d->subject = xstrdup(json_get_str(j, "subject"));
	d->text = xstrdup(json_get_str(j, "text"));
	if (!d->subject || !d->text || !json_get(j, "targets"))
		return err_set(err, ERR_FAILED, "no subject, text or targets");
	d->targets = json_dup(json_get(j, "targets"));
	return 0;
}

static void adopt_describe(const struct action *a, const struct action_ctx *ctx, struct report *r)
{
	const struct adopt_data *d = a->data;

	report_change(r, d->subject, "adopt: %s; it stays as it is", d->text);
}

static struct json *adopt_index(const struct action *a, const struct root *root)
{
	const struct adopt_data *d = a->data;

	return json_dup(d->targets);
}

const struct action_ops adopt_ops = {
	.kind = "adopt",
	.several = true,
	.prepare = adopt_prepare,
	.commit = nothing,
	.undo = nothing,
	.invert = action_invert_nothing,
	.fold = action_fold_oldest,
	.encode = adopt_encode,
	.decode = adopt_decode,
	.describe = adopt_describe,
	.index = adopt_index,
	.release = adopt_release,
};
