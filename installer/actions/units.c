/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "units": services that run now. Whether they start at boot is a matter of links, which are
 * files. What was active before stays active on the way back; what we started is stopped while its
 * unit file still exists (ranks see to that).
 */
#include "actions/kinds.h"
#include "backends/service/systemd.h"

static unsigned int deadline(const struct action_ctx *ctx)
{
	return ctx->at_boot ? 0 : 60;
}

struct units_data {
	struct strv units;
	struct strv active;	/* those that were active before */
	bool stop;		/* inverted: they go down again, but for `active` */
};

extern const struct action_ops units_ops;

static void units_release(struct action *a)
{
	struct units_data *d = a->data;

	strv_release(&d->units);
	strv_release(&d->active);
	free(d);
}

static struct action *units_action(const char *step, const char *const *units, bool stop,
				   struct units_data **ret)
{
	struct units_data *d = xcalloc(1, sizeof(*d));
	char *key CLEANUP(freep) = xasprintf("units:%s", units[0]);

	strv_addv(&d->units, units);
	d->stop = stop;
	*ret = d;
	return action_new(&units_ops, key, step, RANK_UNITS, d);
}

struct action *action_units(const char *step, const char *const *units)
{
	struct units_data *d;

	return units_action(step, units, false, &d);
}

static int units_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct units_data *d = a->data;

	if (d->stop)
		return 0;
	for (size_t i = 0; i < d->units.n; i++) {
		struct unit_status st;

		if (unit_query(d->units.v[i], &st, err))
			return -1;
		if (str_eq(st.load, "masked"))
			return err_set(err, ERR_REFUSED, "%s is masked: somebody does not want it to run", d->units.v[i]);
		if (str_eq(st.active, "active"))
			strv_add(&d->active, d->units.v[i]);
	}
	return 0;
}

static int units_up(const struct units_data *d, const struct action_ctx *ctx, struct err *err)
{
	for (size_t i = 0; i < d->units.n; i++)
		if (unit_start(d->units.v[i], deadline(ctx), ctx->rep, err))
			return -1;
	return 0;
}

static int units_down(const struct units_data *d, const struct action_ctx *ctx, struct err *err)
{
	for (size_t i = d->units.n; i-- > 0;)
		if (!strv_has(&d->active, d->units.v[i]) &&
		    unit_stop(d->units.v[i], deadline(ctx), ctx->rep, err))
			return -1;
	return 0;
}

static int units_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct units_data *d = a->data;

	return d->stop ? units_down(d, ctx, err) : units_up(d, ctx, err);
}

static int units_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct units_data *d = a->data;

	if (!host_has_systemd(ctx->host))
		return 0;
	return d->stop ? units_up(d, ctx, err) : units_down(d, ctx, err);
}

static int units_verify(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct units_data *d = a->data;
	struct unit_status st;

	for (size_t i = 0; !d->stop && i < d->units.n; i++) {
		if (unit_query(d->units.v[i], &st, err))
			return -1;
		if (!str_eq(st.active, "active"))
			return err_set(err, ERR_FAILED, "%s did not stay up: it is %s (%s)",
				       d->units.v[i], st.active, st.result);
	}
	return 0;
}

static int units_invert(const struct record *oldest, const struct record *newest,
			struct action **ret, struct err *err)
{
	const struct units_data *o = oldest->action->data;
	struct units_data *d;

	*ret = units_action("rollback", (const char *const *)o->units.v, !o->stop, &d);
	strv_addv(&d->active, (const char *const *)o->active.v);
	return 0;
}

static struct json *strv_encode(const struct strv *s)
{
	struct json *j = json_arr();

	for (size_t i = 0; i < s->n; i++)
		json_add_str(j, s->v[i]);
	return j;
}

static void strv_decode(struct strv *ret, const struct json *j)
{
	for json_each(s, j)
		strv_add(ret, json_string(s));
}

static int units_encode(const struct action *a, struct json *j)
{
	const struct units_data *d = a->data;

	json_set(j, "units", strv_encode(&d->units));
	json_set(j, "active", strv_encode(&d->active));
	json_set_bool(j, "stop", d->stop);
	return 0;
}

static int units_decode(struct action *a, const struct json *j, struct err *err)
{
	struct units_data *d = xcalloc(1, sizeof(*d));

	a->data = d;
	strv_decode(&d->units, json_get(j, "units"));
	strv_decode(&d->active, json_get(j, "active"));
	d->stop = json_get_bool(j, "stop", false);
	return d->units.n ? 0 : err_set(err, ERR_FAILED, "no units");
}

static void units_describe(const struct action *a, const struct action_ctx *ctx, struct report *r)
{
	const struct units_data *d = a->data;
	char *list CLEANUP(freep) = strv_join(&d->units, ", ");

	report_change(r, list, "%s", d->stop ? "stop" : "start");
}

static struct json *units_index(const struct action *a, const struct root *root)
{
	const struct units_data *d = a->data;
	struct json *j;

	if (d->stop)
		return NULL;
	j = json_obj();
	json_set(j, "units", strv_encode(&d->units));
	return j;
}

static enum report_state units_drift(const struct json *entry, const char *key,
				     const struct action_ctx *ctx, struct buf *found)
{
	struct strv units CLEANUP(strv_release) = STRV_INIT;
	struct unit_status *st CLEANUP(freep) = NULL;
	struct err err = ERR_INIT;

	strv_decode(&units, json_get(entry, "units"));
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
	.prepare = units_prepare,
	.commit = units_commit,
	.undo = units_undo,
	.verify = units_verify,
	.invert = units_invert,
	.encode = units_encode,
	.decode = units_decode,
	.describe = units_describe,
	.index = units_index,
	.drift = units_drift,
	.release = units_release,
};
