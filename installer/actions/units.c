/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "units": services that run now. Whether they start at boot is a matter of links, which are
 * files. On the way back those that were active before are active again, and those that we started
 * are stopped while their unit files still exist (ranks see to that).
 */
#include "actions/kinds.h"
#include "backends/service/systemd.h"

static unsigned int deadline(const struct action_ctx *ctx)
{
	return ctx->at_boot ? 0 : 60;
}

struct units_data {
	struct strv units;	/* in the order in which they start */
	struct strv up;		/* those that are active afterwards; the others are not */
	struct strv before;	/* those that were active before */
};

extern const struct action_ops units_ops;

static void units_release(struct action *a)
{
	struct units_data *d = a->data;

	strv_release(&d->units);
	strv_release(&d->up);
	strv_release(&d->before);
	free(d);
}

static struct action *units_action(const char *step, const char *const *units,
				   const char *const *up)
{
	struct units_data *d = xcalloc(1, sizeof(*d));
	char *key CLEANUP(freep) = xasprintf("units:%s", units[0]);

	strv_addv(&d->units, units);
	strv_addv(&d->up, up);
	return action_new(&units_ops, key, step, RANK_UNITS, d);
}

struct action *action_units(const char *step, const char *const *units)
{
	return units_action(step, units, units);
}

static bool is_up(const struct unit_status *st)
{
	return str_eq(st->active, "active") || str_eq(st->active, "reloading") ||
	       str_eq(st->active, "activating");
}

static int units_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct units_data *d = a->data;
	struct unit_status *st CLEANUP(freep) = xcalloc(d->units.n + 1, sizeof(*st));

	if (!host_has_systemd(ctx->host))
		return 0;
	if (unit_query_all((const char *const *)d->units.v, st, err))
		return -1;
	for (size_t i = 0; i < d->units.n; i++) {
		const char *unit = d->units.v[i];

		if (strv_has(&d->up, unit) && str_eq(st[i].load, "masked"))
			return err_set(err, ERR_REFUSED, "%s is masked: somebody does not want it to run", unit);
		if (is_up(&st[i]))
			strv_add(&d->before, unit);
	}
	return 0;
}

/*
 * Those in `up` run, the others do not. Nothing where the services of this root do not run:
 * systemctl would speak to those of another one.
 */
static int settle(const struct units_data *d, const struct strv *up, const struct action_ctx *ctx,
		  struct err *err)
{
	struct strv start CLEANUP(strv_release) = STRV_INIT, stop CLEANUP(strv_release) = STRV_INIT;

	if (!host_has_systemd(ctx->host))
		return 0;
	for (size_t i = 0; i < d->units.n; i++)
		if (strv_has(up, d->units.v[i]))
			strv_add(&start, d->units.v[i]);
	for (size_t i = d->units.n; i-- > 0;)
		if (!strv_has(up, d->units.v[i]))
			strv_add(&stop, d->units.v[i]);
	if (start.n && units_start((const char *const *)start.v, deadline(ctx), ctx->rep, err))
		return -1;
	return stop.n ? units_stop((const char *const *)stop.v, deadline(ctx), ctx->rep, err) : 0;
}

static int units_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct units_data *d = a->data;

	return settle(d, &d->up, ctx, err);
}

static int units_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct units_data *d = a->data;

	return settle(d, &d->before, ctx, err);
}

static int units_verify(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct units_data *d = a->data;
	struct unit_status *st CLEANUP(freep) = xcalloc(d->up.n + 1, sizeof(*st));

	if (!d->up.n || !host_has_systemd(ctx->host))
		return 0;
	if (unit_query_all((const char *const *)d->up.v, st, err))
		return -1;
	for (size_t i = 0; i < d->up.n; i++)
		if (!str_eq(st[i].active, "active"))
			return err_set(err, ERR_FAILED, "%s did not stay up: it is %s (%s)",
				       d->up.v[i], st[i].active, st[i].result);
	return 0;
}

static int units_invert(const struct record *oldest, const struct record *newest,
			struct action **ret, struct err *err)
{
	const struct units_data *o = oldest->action->data;

	*ret = units_action("rollback", (const char *const *)o->units.v,
			    (const char *const *)o->before.v);
	return 0;
}

static int units_encode(const struct action *a, struct json *j)
{
	const struct units_data *d = a->data;

	json_set(j, "units", strv_json(&d->units));
	json_set(j, "up", strv_json(&d->up));
	json_set(j, "before", strv_json(&d->before));
	return 0;
}

static int units_decode(struct action *a, const struct json *j, struct err *err)
{
	struct units_data *d = xcalloc(1, sizeof(*d));

	a->data = d;
	json_strv(json_get(j, "units"), &d->units);
	json_strv(json_get(j, "up"), &d->up);
	json_strv(json_get(j, "before"), &d->before);
	return d->units.n ? 0 : err_set(err, ERR_FAILED, "no units");
}

static void units_describe(const struct action *a, const struct action_ctx *ctx, struct report *r)
{
	const struct units_data *d = a->data;
	char *up CLEANUP(freep) = strv_join(&d->up, ", "), *down CLEANUP(freep) = NULL;
	struct strv rest CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < d->units.n; i++)
		if (!strv_has(&d->up, d->units.v[i]))
			strv_add(&rest, d->units.v[i]);
	down = strv_join(&rest, ", ");
	if (d->up.n)
		report_change(r, up, ctx->host && !ctx->host->running ? "start at boot" : "start");
	if (rest.n)
		report_change(r, down, "stop");
}

static struct json *units_index(const struct action *a, const struct root *root)
{
	const struct units_data *d = a->data;
	struct json *j = json_obj();

	json_set(j, "units", strv_json(&d->up));
	return j;
}

static enum report_state units_drift(const struct json *entry, const char *key,
				     const struct action_ctx *ctx, struct buf *found)
{
	struct strv units CLEANUP(strv_release) = STRV_INIT;
	struct unit_status *st CLEANUP(freep) = NULL;
	struct err err = ERR_INIT;

	json_strv(json_get(entry, "units"), &units);
	st = xcalloc(units.n + 1, sizeof(*st));
	if (!host_has_systemd(ctx->host) ||
	    unit_query_all((const char *const *)units.v, st, &err)) {
		buf_adds(found, "systemd cannot be asked");
		return STATE_UNKNOWN;
	}
	for (size_t i = 0; i < units.n; i++) {
		if (str_eq(st[i].active, "active"))
			continue;
		buf_addf(found, "%s is %s", units.v[i], st[i].active);
		return STATE_BAD;
	}
	return STATE_OK;
}

const struct action_ops units_ops = {
	.kind = "units",
	.unbidden = true,	/* a package that was cut short may have enabled its units */
	.prepare = units_prepare,
	.commit = units_commit,
	.undo = units_undo,
	.verify = units_verify,
	.invert = units_invert,
	.fold = action_fold_oldest,
	.encode = units_encode,
	.decode = units_decode,
	.describe = units_describe,
	.index = units_index,
	.drift = units_drift,
	.release = units_release,
};
