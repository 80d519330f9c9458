/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "listener": see actions/kinds.h, which has the roles. What each does on the way there and on
 * the way back:
 *
 *		opens			closes
 *	OPEN	reload, restart, proof	the socket is stopped
 *	RELOAD	-			reload; restart, if the unit is gone
 *	SETTLE	-			restart, if the unit is there: it was open before
 *
 * An undo of one is the other, and so is its inverse. stage/listener exists, durably, from before
 * systemd first hears of the socket: without it there is nothing to close.
 */
#include "actions/kinds.h"
#include "backends/service/systemd.h"
#include "docker/api.h"
#include "docker/daemon.h"
#include "docker/gate.h"
#include "docker/impact.h"
#include "sys/fs.h"

#define MARK "listener"
#define STOP_SECONDS 30

struct listener_data {
	char *unit;
	struct strv addresses;
	enum listener_role role;
	bool closes;
	bool was_running;	/* Docker, when it was prepared */
};

extern const struct action_ops listener_ops;

static const struct {
	const char *name;
	int rank;
} roles[] = {
	[LISTENER_OPEN] = { "open", RANK_LISTEN_OPEN },
	[LISTENER_RELOAD] = { "reload", RANK_LISTEN_RELOAD },
	[LISTENER_SETTLE] = { "settle", RANK_LISTEN_SETTLE },
};

static void listener_release(struct action *a)
{
	struct listener_data *d = a->data;

	free(d->unit);
	strv_release(&d->addresses);
	free(d);
}

struct action *action_listener(const char *step, const char *unit, const struct strv *addresses,
			       enum listener_role role)
{
	struct listener_data *d = xcalloc(1, sizeof(*d));
	char *key CLEANUP(freep) = xasprintf("listener:%s:%s", unit, roles[role].name);

	d->unit = xstrdup(unit);
	strv_addv(&d->addresses, (const char *const *)addresses->v);
	d->role = role;
	return action_new(&listener_ops, key, step, roles[role].rank, d);
}

/* ---- may Docker be restarted ---- */

static bool live_restore_is_on(struct docker_api *api)
{
	struct json *info CLEANUP(json_freep) = NULL;
	struct err ignored = ERR_INIT;

	return !docker_info(api, &info, &ignored) &&
	       json_get_bool(info, "LiveRestoreEnabled", false);
}

static bool keeps_containers(const struct action_ctx *ctx, struct docker_api *api)
{
	const struct json *wanted = ctx->profile ? ctx->profile->docker.settings : NULL;

	return json_get_bool(wanted, "live-restore", false) || live_restore_is_on(api);
}

static int refuse_restart(const struct action_ctx *ctx, struct err *err)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	struct docker_impact impact;
	int r;

	if (docker_restart_possible(ctx->host, err) ||
	    docker_api_open(&api, ctx->host->docker.socket, err) ||
	    docker_restart_impact(ctx->host, api, NULL, NULL, &impact, err))
		return -1;
	r = docker_impact_refuse(&impact, ctx->allow_restart, err);
	if (!r && impact.running && !ctx->allow_restart && !keeps_containers(ctx, api)) {
		err_set(err, ERR_REFUSED,
			"a restart of Docker, which the API needs, stops %zu containers",
			impact.running);
		r = err_remedy(err, "set \"live-restore\": true in docker.settings, or allow it: "
				    "--allow-restart");
	}
	docker_impact_release(&impact);
	return r;
}

static int listener_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct listener_data *d = a->data;

	d->was_running = ctx->host->running && ctx->host->docker.main_pid > 0;
	if (!d->was_running || d->role != (d->closes ? LISTENER_RELOAD : LISTENER_OPEN))
		return 0;
	if (refuse_restart(ctx, err))
		return -1;
	return ctx->gate ? gate_pass(ctx->gate, ctx->host, ctx->state, ctx->rep, err) : 0;
}

/* ---- effects ---- */

static int mark(const struct action_ctx *ctx, struct err *err)
{
	int dir CLEANUP(closep) = -1;

	if (txnlog_stage(ctx->log, &dir, err) || fs_put(dir, MARK, 0600, "", 0, err))
		return err_prefix(err, "cannot note that systemd is told");
	return 0;
}

static bool is_marked(const struct action_ctx *ctx)
{
	struct buf nothing CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	return !fs_read_at(ctx->log->fd, "stage/" MARK, 1, &nothing, &ignored);
}

static int prove_open(const struct listener_data *d, struct err *err)
{
	const char *const units[] = { d->unit, NULL };
	struct unit_status st;

	if (unit_query_all(units, &st, err))
		return -1;
	if (str_eq(st.active, "active"))
		return 0;
	err_set(err, ERR_FAILED, "'%s' did not open: %s (%s)", d->unit, st.active, st.result);
	return err_remedy(err, "journalctl -b -u %s", d->unit);
}

/* What was so in prepare, daemon.json may have changed since. Not on the way back: on it goes. */
static int check_keeps(const struct action_ctx *ctx, struct err *err)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	struct docker_container *c = NULL;
	size_t n = 0;

	if (ctx->allow_restart || ctx->recovering)
		return 0;
	if (docker_api_open(&api, ctx->host->docker.socket, err) ||
	    docker_containers(api, false, &c, &n, err))
		return -1;
	docker_containers_free(c, n);
	return !n || live_restore_is_on(api) ?
		       0 :
		       err_set(err, ERR_FAILED,
			       "live-restore is off by now, and a restart of Docker would stop %zu containers",
			       n);
}

static int open_now(const struct listener_data *d, const struct action_ctx *ctx, struct err *err)
{
	if (mark(ctx, err) || systemd_reload(ctx->rep, err))
		return -1;
	if (!d->was_running)
		return 0;
	return check_keeps(ctx, err) ||
			       docker_cycle(ctx->host, DOCKER_RESTART_TIMEOUT, ctx->rep, err) ||
			       prove_open(d, err) ?
		       -1 :
		       0;
}

/* Docker goes on serving what it was given until its next start. */
static int stop_socket(const struct listener_data *d, const struct action_ctx *ctx, struct err *err)
{
	const char *const units[] = { d->unit, NULL };

	return units_stop(units, ctx->at_boot ? 0 : STOP_SECONDS, ctx->rep, err);
}

static bool is_there(const struct listener_data *d, const struct action_ctx *ctx)
{
	char *path CLEANUP(freep) = path_join("/etc/systemd/system", d->unit);

	return root_exists(ctx->root, path);
}

static int settle(const struct listener_data *d, const struct action_ctx *ctx, struct err *err)
{
	bool mine = is_there(d, ctx) == (d->role == LISTENER_SETTLE);

	if (d->role == LISTENER_RELOAD && systemd_reload(ctx->rep, err))
		return -1;
	return mine && !ctx->at_boot && docker_answers(ctx->host) ?
		       docker_cycle(ctx->host, DOCKER_RESTART_TIMEOUT, ctx->rep, err) :
		       0;
}

static int opens(const struct listener_data *d, const struct action_ctx *ctx, struct err *err)
{
	return d->role == LISTENER_OPEN ? open_now(d, ctx, err) : 0;
}

static int closes(const struct listener_data *d, const struct action_ctx *ctx, struct err *err)
{
	switch (d->role) {
	case LISTENER_OPEN:
		return stop_socket(d, ctx, err);
	case LISTENER_RELOAD:
	case LISTENER_SETTLE:
		return settle(d, ctx, err);
	}
	return 0;
}

static int listener_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct listener_data *d = a->data;

	if (!host_has_systemd(ctx->host))
		return 0;
	if (!d->closes)
		return opens(d, ctx, err);
	return mark(ctx, err) || closes(d, ctx, err) ? -1 : 0;
}

/* Of what closes: the files are back in front of it, and one restart is enough. */
static int listener_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct listener_data *d = a->data;

	if (!host_has_systemd(ctx->host) || !is_marked(ctx))
		return 0;
	if (!d->closes)
		return closes(d, ctx, err);
	if (d->role != LISTENER_OPEN)
		return 0;
	return ctx->at_boot ? systemd_reload(ctx->rep, err) : open_now(d, ctx, err);
}

/* ---- later ---- */

static int listener_invert(const struct record *oldest, const struct record *newest,
			   struct action **ret, struct err *err)
{
	const struct listener_data *o = oldest->action->data, *n = newest->action->data;
	struct listener_data *d;

	/* opened and closed again, or the other way round */
	*ret = NULL;
	if (o->closes != n->closes)
		return 0;
	*ret = action_listener("rollback", o->unit, &o->addresses, o->role);
	d = (*ret)->data;
	d->closes = !o->closes;
	return 0;
}

static int listener_encode(const struct action *a, struct json *j)
{
	const struct listener_data *d = a->data;

	json_set_str(j, "unit", d->unit);
	json_set(j, "addresses", strv_json(&d->addresses));
	json_set_str(j, "role", roles[d->role].name);
	json_set_bool(j, "closes", d->closes);
	json_set_bool(j, "was_running", d->was_running);
	return 0;
}

static int listener_decode(struct action *a, const struct json *j, struct err *err)
{
	struct listener_data *d = xcalloc(1, sizeof(*d));
	const char *role = json_get_str(j, "role");

	a->data = d;
	d->unit = xstrdup(json_get_str(j, "unit"));
	json_strv(json_get(j, "addresses"), &d->addresses);
	d->closes = json_get_bool(j, "closes", false);
	d->was_running = json_get_bool(j, "was_running", false);
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (str_eq(role, roles[i].name)) {
			d->role = (enum listener_role)i;
			return d->unit ? 0 : err_set(err, ERR_FAILED, "no unit");
		}
	return err_set(err, ERR_FAILED, "no role");
}

static void listener_describe(const struct action *a, const struct action_ctx *ctx,
			      struct report *r)
{
	const struct listener_data *d = a->data;
	char *list CLEANUP(freep) = strv_join(&d->addresses, ", ");

	if (d->role != LISTENER_OPEN)
		return;
	if (d->closes)
		report_change(r, d->unit, "closes %s; Docker restarts", list);
	else
		report_change(r, d->unit,
			      "opens %s to holders of a client certificate; Docker restarts", list);
}

static struct json *listener_index(const struct action *a, const struct root *root)
{
	const struct listener_data *d = a->data;
	struct json *j;

	if (d->role != LISTENER_OPEN || d->closes)
		return NULL;
	j = json_obj();
	json_set_str(j, "unit", d->unit);
	json_set(j, "addresses", strv_json(&d->addresses));
	return j;
}

static enum report_state listener_drift(const struct json *entry, const char *key,
					const struct action_ctx *ctx, struct buf *found)
{
	const char *const units[] = { json_get_str(entry, "unit"), NULL };
	struct unit_status st;
	struct err err = ERR_INIT;

	if (!units[0] || !host_has_systemd(ctx->host))
		return STATE_UNKNOWN;
	if (unit_query_all(units, &st, &err)) {
		buf_adds(found, err.msg);
		return STATE_UNKNOWN;
	}
	if (str_eq(st.active, "active"))
		return STATE_OK;
	buf_addf(found, "does not listen: %s", st.active);
	return STATE_BAD;
}

const struct action_ops listener_ops = {
	.kind = "listener",
	.prepare = listener_prepare,
	.commit = listener_commit,
	.undo = listener_undo,
	.invert = listener_invert,
	.fold = action_fold_oldest,
	.encode = listener_encode,
	.decode = listener_decode,
	.describe = listener_describe,
	.index = listener_index,
	.drift = listener_drift,
	.release = listener_release,
};
