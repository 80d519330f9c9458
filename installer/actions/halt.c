/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "halt": escort of "units". Units that run while their files change do not run meanwhile:
 * stopped in front of the files, while those are still the old ones, and what was active is
 * started again when undone, when they are the old ones again. Behind the files "units" starts
 * what shall run then.
 */
#include "actions/units.h"

struct halt_data {
	struct strv units;	/* in the order in which they start */
	struct strv before;	/* those that were active before */
};

extern const struct action_ops halt_ops;

static void halt_release(struct action *a)
{
	struct halt_data *d = a->data;

	strv_release(&d->units);
	strv_release(&d->before);
	free(d);
}

struct action *action_halt(const char *step, const char *const *units)
{
	struct halt_data *d = xcalloc(1, sizeof(*d));
	char *key CLEANUP(freep) = xasprintf("halt:%s", units[0]);

	strv_addv(&d->units, units);
	return action_new(&halt_ops, key, step, -RANK_UNITS, d);
}

static int halt_rank(const struct action *a, bool forward)
{
	return forward ? -RANK_UNITS : RANK_UNITS;
}

static int halt_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct halt_data *d = a->data;

	return units_active(ctx, &d->units, &d->before, NULL, err);
}

static int halt_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct strv none = STRV_INIT;
	struct halt_data *d = a->data;

	return d->before.n ? units_settle(ctx, &d->units, &none, &none, err) : 0;
}

static int halt_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct halt_data *d = a->data;

	return units_settle(ctx, &d->units, &d->before, &d->units, err);
}

static int halt_encode(const struct action *a, struct json *j)
{
	const struct halt_data *d = a->data;

	json_set(j, "units", strv_json(&d->units));
	json_set(j, "before", strv_json(&d->before));
	return 0;
}

static int halt_decode(struct action *a, const struct json *j, struct err *err)
{
	struct halt_data *d = xcalloc(1, sizeof(*d));

	a->data = d;
	json_strv(json_get(j, "units"), &d->units);
	json_strv(json_get(j, "before"), &d->before);
	return d->units.n ? 0 : err_set(err, ERR_FAILED, "no units");
}

/* The units say that they are started again. */
static void halt_describe(const struct action *a, const struct action_ctx *ctx, struct report *r)
{
}

const struct action_ops halt_ops = {
	.kind = "halt",
	.unbidden = true,	/* as units, which may have been stopped once more */
	.prepare = halt_prepare,
	.commit = halt_commit,
	.undo = halt_undo,
	.rank = halt_rank,
	.invert = action_invert_nothing,
	.fold = action_fold_oldest,
	.encode = halt_encode,
	.decode = halt_decode,
	.describe = halt_describe,
	.release = halt_release,
};
