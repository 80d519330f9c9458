/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "units": services that run now. Whether they start at boot is a matter of links, which are
 * files. On the way back those that were active before are active again, and those that we started
 * are stopped while their unit files still exist.
 *
 * Starting stands behind the files, stopping in front of them. With `restart` their files change
 * while they run: escorts then stop them in front of the files (actions/halt.c), and the
 * containers that need them before that (actions/containers.c).
 */
#include "actions/units.h"

#include "backends/service/systemd.h"

/* A daemon that starts and dies of what it finds later, does so within this time. */
#define WATCH_SECONDS 10

static unsigned int deadline(const struct action_ctx *ctx)
{
	return ctx->at_boot ? 0 : 60;
}

struct units_data {
	struct strv units;	/* in the order in which they start */
	struct strv up;		/* those that are active afterwards; the others are not */
	struct strv before;	/* those that were active before */
	struct strv invocations;	/* beside each of them, which run of it that was */
	char *runtime;		/* containers of it need them; or NULL */
	char *socket;		/* of the daemon whose containers those are; NULL: of the host's own */
	bool restart;		/* their files change */
	bool watch;		/* a new version: does it stay up? */
	bool daemon;		/* Docker's own: behind daemon.json on the way there */
};

extern const struct action_ops units_ops;

static void units_release(struct action *a)
{
	struct units_data *d = a->data;

	strv_release(&d->units);
	strv_release(&d->up);
	strv_release(&d->before);
	strv_release(&d->invocations);
	free(d->runtime);
	free(d->socket);
	free(d);
}

static struct action *units_action(const char *step, const char *const *units,
				   const char *const *up, const char *runtime, bool restart)
{
	struct units_data *d = xcalloc(1, sizeof(*d));
	char *key CLEANUP(freep) = xasprintf("units:%s", units[0]);

	strv_addv(&d->units, units);
	strv_addv(&d->up, up);
	d->runtime = xstrdup(runtime);
	d->restart = restart;
	return action_new(&units_ops, key, step, RANK_UNITS, d);
}

struct action *action_units(const char *step, const char *const *units, const char *runtime,
			    bool restart)
{
	struct action *a = units_action(step, units, units, runtime, restart);
	struct units_data *d = a->data;

	d->watch = restart;
	return a;
}

struct action *action_units_stop(const char *step, const char *const *units, const char *runtime)
{
	static const char *const none[] = { NULL };

	return units_action(step, units, none, runtime, true);
}

struct action *action_daemon(const char *step, const char *const *units)
{
	struct action *a = units_action(step, units, units, ANY_RUNTIME, false);
	struct units_data *d = a->data;

	d->daemon = true;
	a->rank = RANK_DAEMON;
	return a;
}

struct action *action_units_of(const char *step, const char *const *units, const char *socket,
			       bool restart)
{
	struct action *a = units_action(step, units, units, ANY_RUNTIME, restart);
	struct units_data *d = a->data;

	d->socket = xstrdup(socket);
	return a;
}

static int units_rank(const struct action *a, bool forward)
{
	const struct units_data *d = a->data;

	if (d->daemon && d->up.n && forward)
		return RANK_DAEMON;
	return (d->up.n > 0) == forward ? RANK_UNITS : -RANK_UNITS;
}

/* What stops needs its containers stopped; what is started again, them started again. */
static struct action *units_escort(const struct action *a, unsigned int i)
{
	const struct units_data *d = a->data;
	bool again = d->restart && d->up.n;

	if (!d->restart)
		return NULL;
	if (!d->runtime)
		return again && i == 0 ? action_halt(a->step, (const char *const *)d->units.v) :
					 NULL;
	if ((d->daemon || d->socket) && !again)	/* they do not come back: there is nobody to start them */
		return i == 0 ? action_containers(a->step, d->runtime, d->socket, true) : NULL;
	switch (i) {
	case 0:
		return action_containers(a->step, d->runtime, d->socket, true);
	case 1:
		return again ? action_halt(a->step, (const char *const *)d->units.v) : NULL;
	case 2:
		return action_containers(a->step, d->runtime, d->socket, false);
	default:
		return NULL;
	}
}

static bool is_up(const struct unit_status *st)
{
	return str_eq(st->active, "active") || str_eq(st->active, "reloading") ||
	       str_eq(st->active, "activating");
}

static int query(const struct strv *units, struct unit_status **ret, struct err *err)
{
	struct unit_status *st CLEANUP(freep) = xcalloc(units->n + 1, sizeof(*st));

	if (unit_query_all((const char *const *)units->v, st, err))
		return -1;
	*ret = STEAL(st);
	return 0;
}

static void add_active(const struct strv *units, const struct unit_status *st, struct strv *ret,
		       struct strv *ret_invocations)
{
	for (size_t i = 0; i < units->n; i++) {
		if (!is_up(&st[i]))
			continue;
		strv_add(ret, units->v[i]);
		if (ret_invocations)
			strv_add(ret_invocations, st[i].invocation);
	}
}

int units_active(const struct action_ctx *ctx, const struct strv *units, struct strv *ret,
		 struct strv *ret_invocations, struct err *err)
{
	struct unit_status *st CLEANUP(freep) = NULL;

	if (!host_has_systemd(ctx->host))
		return 0;
	if (query(units, &st, err))
		return -1;
	add_active(units, st, ret, ret_invocations);
	return 0;
}

int units_settle(const struct action_ctx *ctx, const struct strv *units, const struct strv *up,
		 const struct strv *spared, struct err *err)
{
	struct strv start CLEANUP(strv_release) = STRV_INIT, stop CLEANUP(strv_release) = STRV_INIT;

	if (!host_has_systemd(ctx->host))
		return 0;
	for (size_t i = 0; i < units->n; i++)
		if (strv_has(up, units->v[i]))
			strv_add(&start, units->v[i]);
	for (size_t i = units->n; i-- > 0;)
		if (!strv_has(up, units->v[i]) && !strv_has(spared, units->v[i]))
			strv_add(&stop, units->v[i]);
	if (start.n && units_start((const char *const *)start.v, deadline(ctx), ctx->rep, err))
		return -1;
	return stop.n ? units_stop((const char *const *)stop.v, deadline(ctx), ctx->rep, err) : 0;
}

static int refuse_masked(const struct units_data *d, const struct unit_status *st, struct err *err)
{
	for (size_t i = 0; i < d->units.n; i++)
		if (strv_has(&d->up, d->units.v[i]) && str_eq(st[i].load, "masked"))
			return err_set(err, ERR_REFUSED, "%s is masked: somebody does not want it to run", d->units.v[i]);
	return 0;
}

static int units_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct unit_status *st CLEANUP(freep) = NULL;
	struct units_data *d = a->data;

	if (!host_has_systemd(ctx->host))
		return 0;
	if (query(&d->units, &st, err) || refuse_masked(d, st, err))
		return -1;
	add_active(&d->units, st, &d->before, &d->invocations);
	return 0;
}

static int units_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct strv none = STRV_INIT;
	struct units_data *d = a->data;

	return units_settle(ctx, &d->units, &d->up, &none, err);
}

/* Those of before that still run as they did then: the halt was not reached. */
static int never_halted(const struct units_data *d, const struct action_ctx *ctx, struct strv *ret,
			struct err *err)
{
	struct strv now CLEANUP(strv_release) = STRV_INIT,
			invocations CLEANUP(strv_release) = STRV_INIT;

	if (units_active(ctx, &d->units, &now, &invocations, err))
		return -1;
	for (size_t i = 0; i < now.n; i++)
		if (*invocations.v[i] && strv_has(&d->invocations, invocations.v[i]))
			strv_add(ret, now.v[i]);
	return 0;
}

/* With a halt in front only what was started since is stopped: the halt starts what ran before,
 * when the files are there for it. */
static int units_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct strv none = STRV_INIT;
	struct strv spared CLEANUP(strv_release) = STRV_INIT;
	struct units_data *d = a->data;

	if (!d->restart || !d->up.n)
		return units_settle(ctx, &d->units, &d->before, &none, err);
	return never_halted(d, ctx, &spared, err) ||
			       units_settle(ctx, &d->units, &none, &spared, err) ?
		       -1 :
		       0;
}

static int units_verify(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct units_data *d = a->data;
	bool watch = d->watch && d->before.n;

	if (!d->up.n || !host_has_systemd(ctx->host))
		return 0;
	if (watch)
		report_info(ctx->rep, "looking for %u s whether %s and the others stay up",
			    WATCH_SECONDS, d->up.v[0]);
	return units_watch((const char *const *)d->up.v, watch ? WATCH_SECONDS : 0, err);
}

static bool any_restart(const struct record *oldest)
{
	for (const struct record *r = oldest; r; r = r->next) {
		const struct units_data *d = r->action->data;

		if (d->restart)
			return true;
	}
	return false;
}

static int units_invert(const struct record *oldest, const struct record *newest,
			struct action **ret, struct err *err)
{
	const struct units_data *o = oldest->action->data;

	*ret = units_action("rollback", (const char *const *)o->units.v,
			    (const char *const *)o->before.v, o->runtime,
			    any_restart(oldest) || !o->before.n);
	struct units_data *d = (*ret)->data;

	d->daemon = o->daemon;
	d->socket = xstrdup(o->socket);
	return 0;
}

static bool units_fold(struct action *older, const struct action *newer)
{
	struct units_data *o = older->data;
	const struct units_data *n = newer->data;

	o->restart = o->restart || n->restart;
	return true;
}

static int units_encode(const struct action *a, struct json *j)
{
	const struct units_data *d = a->data;

	json_set(j, "units", strv_json(&d->units));
	json_set(j, "up", strv_json(&d->up));
	json_set(j, "before", strv_json(&d->before));
	json_set(j, "invocations", strv_json(&d->invocations));
	if (d->runtime)
		json_set_str(j, "runtime", d->runtime);
	if (d->socket)
		json_set_str(j, "socket", d->socket);
	json_set_bool(j, "restart", d->restart);
	if (d->daemon)
		json_set_bool(j, "daemon", true);
	return 0;
}

static int units_decode(struct action *a, const struct json *j, struct err *err)
{
	struct units_data *d = xcalloc(1, sizeof(*d));

	a->data = d;
	json_strv(json_get(j, "units"), &d->units);
	json_strv(json_get(j, "up"), &d->up);
	json_strv(json_get(j, "before"), &d->before);
	json_strv(json_get(j, "invocations"), &d->invocations);
	d->runtime = xstrdup(json_get_str(j, "runtime"));
	d->socket = xstrdup(json_get_str(j, "socket"));
	d->restart = json_get_bool(j, "restart", false);
	d->daemon = json_get_bool(j, "daemon", false);
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
		report_change(r, up, ctx->host && !ctx->host->running ? "start at boot" :
			     d->restart				      ? "restart" :
									"start");
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

static int units_adopt(const char *key, const struct json *as, const struct action_ctx *ctx,
		       struct json **ret, struct err *err)
{
	*ret = json_dup(as);
	return 0;
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
	.rank = units_rank,
	.escort = units_escort,
	.invert = units_invert,
	.fold = units_fold,
	.encode = units_encode,
	.decode = units_decode,
	.describe = units_describe,
	.index = units_index,
	.adopt = units_adopt,
	.drift = units_drift,
	.release = units_release,
};
