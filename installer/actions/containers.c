/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "containers": escort of "units" that containers of a runtime need while they run. Two
 * halves: one stops those containers in front of everything, while daemons and runtime are the old
 * ones and can sync what they hold; the other starts the same ones again behind everything. Undone,
 * each does what the other one commits, so that the containers run again on every way out, from
 * the record alone.
 *
 * Without --stop-containers a running one is a refusal that names it. So is one that would not
 * come back: --rm, or paused.
 */
#include "actions/units.h"

#include "docker/api.h"
#include "sys/clock.h"

enum { STOP_SECONDS = 300, START_SECONDS = 120, PING_MS = 5000 };

struct containers_data {
	char *runtime;
	char *socket;		/* of a daemon beside the host's own; or NULL */
	bool stop;		/* which half */
	struct json *list;	/* [{ id, name, policy }] that run, in the order in which they were started */
	char *boot_id;
};

extern const struct action_ops containers_ops;

static void containers_release(struct action *a)
{
	struct containers_data *d = a->data;

	json_free(d->list);
	free(d->runtime);
	free(d->socket);
	free(d->boot_id);
	free(d);
}

static struct action *containers_action(const char *step, const char *runtime, const char *socket,
					bool stop)
{
	struct containers_data *d = xcalloc(1, sizeof(*d));
	char *key CLEANUP(freep) = xasprintf("containers:%s%s%s:%s", socket ? socket : "",
					     socket ? ":" : "", runtime, stop ? "stop" : "start");

	d->runtime = xstrdup(runtime);
	d->socket = xstrdup(socket);
	d->stop = stop;
	d->list = json_arr();
	return action_new(&containers_ops, key, step, stop ? -RANK_CONTAINERS : RANK_CONTAINERS, d);
}

struct action *action_containers(const char *step, const char *runtime, const char *socket,
				 bool stop)
{
	return containers_action(step, runtime, socket, stop);
}

static int containers_rank(const struct action *a, bool forward)
{
	const struct containers_data *d = a->data;

	return d->stop == forward ? -RANK_CONTAINERS : RANK_CONTAINERS;
}

/* ---- which ---- */

static bool docker_runs(const struct containers_data *d, const struct action_ctx *ctx)
{
	return ctx->host->running &&
	       (d->socket ? root_exists(ctx->root, d->socket) : ctx->host->docker.main_pid > 0);
}

static int open_api(const struct containers_data *d, const struct action_ctx *ctx,
		    struct docker_api **ret, struct err *err)
{
	return docker_api_open(ret, d->socket ? d->socket : ctx->host->docker.socket, err);
}

static int by_start(const void *a, const void *b)
{
	const struct docker_container *x = a, *y = b;

	return strcmp(x->started_at ? x->started_at : "", y->started_at ? y->started_at : "");
}

/* It runs, or Docker is about to start it again. */
static bool is_at_work(const struct docker_container *c, const char *runtime)
{
	return (str_eq(runtime, ANY_RUNTIME) || str_eq(c->runtime, runtime)) &&
	       (c->pid > 0 || str_eq(c->state, "restarting"));
}

/* In the order in which they were started: one may live in the network of another. */
static int containers_of(struct docker_api *api, const char *runtime, struct docker_container **ret,
			 size_t *ret_n, struct err *err)
{
	struct docker_container *c = NULL;
	size_t n = 0;

	if (docker_containers(api, true, &c, &n, err))
		return -1;
	n = docker_containers_keep(c, n, is_at_work, runtime);
	if (n)
		qsort(c, n, sizeof(*c), by_start);
	*ret = c;
	*ret_n = n;
	return 0;
}

static char *names_of(const struct docker_container *c, size_t n)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < n; i++)
		strv_add(&names, c[i].name);
	return strv_join(&names, ", ");
}

static char *list_names(const struct json *list)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	for json_each(c, list)
		strv_add(&names, json_get_str(c, "name"));
	return strv_join(&names, ", ");
}

/* ---- prepare ---- */

/* rollback --force: they lose what they need while they run. */
static bool goes_on_regardless(const struct action_ctx *ctx)
{
	return ctx->force && !ctx->stop_containers;
}

static int refuse_running(const struct containers_data *d, const struct docker_container *c,
			  size_t n, struct err *err)
{
	char *names CLEANUP(freep) = names_of(c, n);

	if (str_eq(d->runtime, ANY_RUNTIME)) {
		err_set(err, ERR_REFUSED, "Docker would go, and containers run: %s", names);
		return err_remedy(
			err,
			"stop them first (docker %s%s%sstop ...); images, volumes and containers stay on the disk",
			d->socket ? "-H unix://" : "",
			d->socket ? d->socket : "", d->socket ? " " : "");
	}
	err_set(err, ERR_REFUSED, "containers run under %s: %s", d->runtime, names);
	return err_remedy(err, "stop them first (docker stop ...); with --stop-containers they are stopped, and started again");
}

static int refuse_lost(const struct docker_container *c, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (c[i].auto_remove)
			err_set(err, ERR_REFUSED, "container %s was started with --rm: stopped, it is gone", c[i].name);
		else if (str_eq(c[i].state, "paused"))
			err_set(err, ERR_REFUSED, "container %s is paused: it would not come back as it is", c[i].name);
		else
			continue;
		return err_remedy(err, "end it yourself first: docker stop %s", c[i].name);
	}
	return 0;
}

static void remember(struct json *list, const struct docker_container *c)
{
	struct json *j = json_obj();

	json_set_str(j, "id", c->id);
	json_set_str(j, "name", c->name);
	json_set(j, "policy", json_str(c->restart_policy));
	json_add(list, j);
}

static int look(struct containers_data *d, const struct action_ctx *ctx,
		const struct docker_container *c, size_t n, struct err *err)
{
	if (n && goes_on_regardless(ctx))
		return 0;
	if (n && (!ctx->stop_containers || str_eq(d->runtime, ANY_RUNTIME)))
		return refuse_running(d, c, n, err);
	if (refuse_lost(c, n, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		remember(d->list, &c[i]);
	return 0;
}

static bool is_own(const struct host *h, const char *socket)
{
	struct stat a, b;

	return !root_stat(h->root, socket, &a) && !root_stat(h->root, h->docker.socket, &b) &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Those that need the same units, of a daemon that is not the one that is looked after: nobody
 * stops and starts them. */
static int refuse_others(const struct containers_data *d, const struct action_ctx *ctx,
			 const char *socket, struct err *err)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	struct docker_container *c = NULL;
	size_t n = 0;

	if (is_own(ctx->host, socket))
		return 0;
	if (docker_api_open(&api, socket, err))
		return -1;
	if (!docker_api_ping(api, PING_MS))	/* dockerd has others, for plugins and metrics */
		return 0;
	if (containers_of(api, d->runtime, &c, &n, err))
		return err_raise(err, ERR_REFUSED);
	char *names CLEANUP(freep) = names_of(c, n);
	docker_containers_free(c, n);
	if (!n)
		return 0;
	err_set(err, ERR_REFUSED, "containers run under %s in the Docker at '%s': %s", d->runtime,
		socket, names);
	return err_remedy(err, "stop them first: docker -H unix://%s stop ...", socket);
}

static int look_at_others(const struct containers_data *d, const struct action_ctx *ctx,
			  struct err *err)
{
	struct strv sockets CLEANUP(strv_release) = STRV_INIT;

	if (d->socket || !d->stop || !ctx->host->docker.socket || goes_on_regardless(ctx) ||
	    str_eq(d->runtime, ANY_RUNTIME))
		return 0;
	host_docker_sockets(ctx->host, &sockets);
	for (size_t i = 0; i < sockets.n; i++)
		if (refuse_others(d, ctx, sockets.v[i], err))
			return -1;
	return 0;
}

/* The directory of its socket is there as long as its containers may run. */
static bool is_stopped(const struct containers_data *d, const struct action_ctx *ctx)
{
	char *dir CLEANUP(freep) = d->socket ? path_dirname(d->socket) : NULL;

	return dir && ctx->host->running && root_exists(ctx->root, dir) && !docker_runs(d, ctx);
}

static int refuse_unasked(const struct containers_data *d, struct err *err)
{
	err_raise(err, ERR_REFUSED);
	return d->socket ? err_remedy(err,
				      "make it answer first; with --force it goes with whatever runs there") :
			   -1;
}

static int containers_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct containers_data *d = a->data;
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	struct docker_container *c = NULL;
	size_t n = 0;

	str_replace(&d->boot_id, clock_boot_id());
	if (d->socket && goes_on_regardless(ctx))
		return 0;
	if (is_stopped(d, ctx)) {
		err_set(err, ERR_REFUSED,
			"the Docker at '%s' is stopped, and cannot tell whether containers run",
			d->socket);
		return refuse_unasked(d, err);
	}
	if (look_at_others(d, ctx, err))
		return -1;
	if (!docker_runs(d, ctx))
		return 0;
	if (open_api(d, ctx, &api, err) ||
	    containers_of(api, d->runtime, &c, &n, err))
		return refuse_unasked(d, err);
	int r = look(d, ctx, c, n, err);
	docker_containers_free(c, n);
	return r;
}

/* ---- stopping and starting ---- */

/* 304: it is so already; 404: somebody has removed it meanwhile. */
static int order(struct docker_api *api, const struct json *c, const char *verb,
		 unsigned int seconds, struct err *err)
{
	char *path CLEANUP(freep) = xasprintf("/containers/%s/%s", json_get_str(c, "id"), verb);
	struct json *answer CLEANUP(json_freep) = NULL;
	const char *why;
	char quoted[256];
	long status = 0;

	if (docker_api_call(api, "POST", path, NULL, seconds, &status, &answer, err))
		return err_prefix(err, "container %s", json_get_str(c, "name"));
	if (status == 204 || status == 304 || status == 404)
		return 0;
	why = json_get_str(answer, "message");
	err_quote(quoted, sizeof(quoted), why ? why : "no reason given");
	return err_set(err, ERR_FAILED, "Docker does not %s container %s (HTTP %ld): %s", verb,
		       json_get_str(c, "name"), status, quoted);
}

/* The members of list, the last one first; to be freed. */
static const struct json **reversed(const struct json *list, size_t *ret_n)
{
	size_t n = json_len(list), i = n;
	const struct json **all = xcalloc(n + 1, sizeof(*all));

	for json_each(c, list)
		all[--i] = c;
	*ret_n = n;
	return all;
}

/* The last started first. */
static int stop_all(const struct containers_data *d, struct docker_api *api, struct err *err)
{
	size_t n;
	const struct json **all CLEANUP(freep) = reversed(d->list, &n);

	for (size_t i = 0; i < n; i++)
		if (order(api, all[i], "stop", STOP_SECONDS, err))
			return -1;
	return 0;
}

static int start_all(const struct containers_data *d, struct docker_api *api, struct err *err)
{
	for json_each(c, d->list)
		if (order(api, c, "start", START_SECONDS, err))
			return -1;
	return 0;
}

/* Docker is at nobody's command but its users': one more may have begun since. */
static int check_none_left(const struct containers_data *d, struct docker_api *api, struct err *err)
{
	struct docker_container *c = NULL;
	size_t n = 0;

	if (containers_of(api, d->runtime, &c, &n, err))
		return -1;
	char *names CLEANUP(freep) = names_of(c, n);
	docker_containers_free(c, n);
	if (!n)
		return 0;
	err_set(err, ERR_FAILED, "containers were started under %s meanwhile: %s", d->runtime,
		names);
	return err_remedy(err, "keep jobs away from this host for so long, then try again");
}

static int containers_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct containers_data *d = a->data;
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	char *names CLEANUP(freep) = list_names(d->list);

	if (!docker_runs(d, ctx) || goes_on_regardless(ctx) || (!d->stop && !json_len(d->list)))
		return 0;
	if (open_api(d, ctx, &api, err))
		return -1;
	if (json_len(d->list))
		report_info(ctx->rep, "%s containers: %s", d->stop ? "stopping" : "starting",
			    names);
	if (!d->stop)
		return start_all(d, api, err);
	return stop_all(d, api, err) || check_none_left(d, api, err) ? -1 : 0;
}

/* ---- undo ---- */

/* What a boot in between has done about it by itself. */
static void say_after_boot(const struct containers_data *d, const struct action_ctx *ctx)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	for json_each(c, d->list)
		if (str_eq(json_get_str(c, "policy"), "unless-stopped"))
			strv_add(&names, json_get_str(c, "name"));
	char *list CLEANUP(freep) = strv_join(&names, " ");
	if (names.n)
		report_warn(
			ctx->rep, NULL,
			"containers that we had stopped before the boot do not start by themselves: docker start %s",
			list);
}

/* All of them are tried, whatever becomes of one; those that do not run again are what is left. */
static int start_each(const struct containers_data *d, struct docker_api *api, struct err *err)
{
	struct strv left CLEANUP(strv_release) = STRV_INIT;
	struct err first = ERR_INIT;

	for json_each(c, d->list) {
		struct err why = ERR_INIT;

		if (!order(api, c, "start", START_SECONDS, &why))
			continue;
		strv_add(&left, json_get_str(c, "name"));
		if (!err_is_set(&first))
			first = why;
	}
	if (!left.n)
		return 0;
	char *names CLEANUP(freep) = strv_join(&left, " ");
	*err = first;
	return err_remedy(err, "start what does not run again, or remove what nobody needs: docker start %s",
			  names);
}

/* One that does not stop must not keep the version before from coming back, which may be what it
 * waits for: it is said. */
static void stop_each(const struct containers_data *d, struct docker_api *api,
		      const struct action_ctx *ctx)
{
	size_t n;
	const struct json **all CLEANUP(freep) = reversed(d->list, &n);

	for (size_t i = 0; i < n; i++) {
		struct err why = ERR_INIT;

		if (order(api, all[i], "stop", STOP_SECONDS, &why))
			report_warn(ctx->rep, "docker ps", "%s", why.msg);
	}
}

static int containers_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct containers_data *d = a->data;
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;

	if (!json_len(d->list))
		return 0;
	if (!str_eq(d->boot_id, clock_boot_id()) || !docker_runs(d, ctx)) {
		if (d->stop)
			say_after_boot(d, ctx);
		return 0;
	}
	if (open_api(d, ctx, &api, err))
		return -1;
	if (d->stop)
		return start_each(d, api, err);
	stop_each(d, api, ctx);
	return 0;
}

/* ---- records ---- */

static int containers_encode(const struct action *a, struct json *j)
{
	const struct containers_data *d = a->data;

	json_set_str(j, "runtime", d->runtime);
	if (d->socket)
		json_set_str(j, "socket", d->socket);
	json_set_bool(j, "stop", d->stop);
	json_set(j, "list", json_dup(d->list));
	json_set(j, "boot_id", json_str(d->boot_id));
	return 0;
}

static int containers_decode(struct action *a, const struct json *j, struct err *err)
{
	struct containers_data *d = xcalloc(1, sizeof(*d));
	const struct json *list = json_get(j, "list");

	a->data = d;
	d->runtime = xstrdup(json_get_str(j, "runtime"));
	d->socket = xstrdup(json_get_str(j, "socket"));
	d->stop = json_get_bool(j, "stop", false);
	d->boot_id = xstrdup(json_get_str(j, "boot_id"));
	d->list = list && json_type(list) == JSON_ARRAY ? json_dup(list) : json_arr();
	return d->runtime ? 0 : err_set(err, ERR_FAILED, "no runtime");
}

/* In a plan nothing is recorded yet: Docker is asked. Where it cannot be, apply will say so. */
static char *names_now(const struct containers_data *d, const struct action_ctx *ctx)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	struct docker_container *c = NULL;
	struct err ignored = ERR_INIT;
	size_t n = 0;

	if (!docker_runs(d, ctx) || open_api(d, ctx, &api, &ignored) ||
	    containers_of(api, d->runtime, &c, &n, &ignored))
		return xstrdup("");
	char *names = names_of(c, n);
	docker_containers_free(c, n);
	return names;
}

static void containers_describe(const struct action *a, const struct action_ctx *ctx,
				struct report *r)
{
	const struct containers_data *d = a->data;
	char *names CLEANUP(freep) = ctx->log ? list_names(d->list) : names_now(d, ctx);

	if (*names)
		report_change(r, names, d->stop ? "stop: runs under %s%s" : "start again%.0s%.0s",
			      d->runtime,
			      ctx->log || ctx->stop_containers ? "" :
								 ", needs --stop-containers");
}

const struct action_ops containers_ops = {
	.kind = "containers",
	.prepare = containers_prepare,
	.commit = containers_commit,
	.undo = containers_undo,
	.rank = containers_rank,
	.invert = action_invert_nothing,
	.fold = action_fold_oldest,
	.encode = containers_encode,
	.decode = containers_decode,
	.describe = containers_describe,
	.release = containers_release,
};
