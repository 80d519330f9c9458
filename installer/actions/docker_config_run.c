/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/docker_config_put.h"

#include "docker/api.h"
#include "docker/daemon.h"

/* ---- commit ---- */

/* POST /containers/ID/VERB for each; 304: it is so already. */
static void each_container(const struct action_ctx *ctx, struct docker_api *api,
			   const struct json *list, const char *verb, const char *complaint)
{
	for json_each(c, list) {
		char *path CLEANUP(freep) = xasprintf("/containers/%s/%s",
						      json_get_str(c, "id"), verb);
		struct err err = ERR_INIT;
		long status = 0;

		if (docker_api_call(api, "POST", path, NULL, 60, &status, NULL, &err) ||
		    (status != 204 && status != 304))
			report_warn(ctx->rep, "docker ps -a", "container %s %s",
				    json_get_str(c, "name"), complaint);
	}
}

void docker_config_settle(const struct docker_config_data *d, const struct action_ctx *ctx)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	struct err err = ERR_INIT;

	if (!d->restarts || docker_api_open(&api, ctx->host->docker.socket, &err))
		return;
	each_container(ctx, api, d->containers, "start", "does not run any more");
	each_container(ctx, api, d->stopped, "stop", "was stopped and runs now");
}

int docker_config_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct docker_config_data *d = a->data;
	struct docker_way way = docker_config_way(d, ctx);
	struct docker_stage *stages = NULL;
	size_t n = 0;
	int r = 0;

	if (docker_config_stages(&way, docker_config_text(&d->before_text, &d->before),
				 docker_config_text(&d->after_text, &d->after), &stages, &n, err))
		return -1;
	if (!n)		/* the same bytes; on the way back the time may be another one */
		r = docker_config_put_first(d, ctx, &d->after_text, d->after.type == NODE_ABSENT,
					    err);
	/* Where no daemon listens the interim texts have nobody to speak to. */
	for (size_t i = d->was_running || !n ? 0 : n - 1; !r && i < n; i++) {
		r = docker_config_put_stage(d, ctx, &stages[i], d->was_running ? i : 0, n, err);
		if (!r && d->was_running && stages[i].takeup != TAKEUP_NONE)
			r = docker_config_mark(ctx, err) ||
					    docker_stage_takeup(ctx->host, &stages[i], ctx->rep,
								err) ?
				    -1 :
				    0;
	}
	docker_stages_free(stages, n);
	if (!r && d->was_running)
		docker_config_settle(d, ctx);
	return r == REPLACE_CONFLICT ? -1 : r;
}

int docker_config_finish(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct docker_config_data *d = a->data;
	char *tag CLEANUP(freep) = xasprintf("%s.i", ctx->tag),
		  *dir CLEANUP(freep) = path_dirname(d->path);
	const char *const tags[] = { ctx->tag, tag };
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(tags) && root_exists(ctx->root, dir); i++) {
		struct replace rp = docker_config_replace(d, ctx, tags[i]);

		node_copy(&rp.before, &d->before);
		node_copy(&rp.after, &d->after);
		rp.set_mtime = d->after.type == NODE_FILE;
		r = replace_finish(&rp, err);
		replace_release(&rp);
	}
	return r;
}

/* ---- verify ---- */

static const struct docker_container *find_container(const struct docker_container *c, size_t n,
						     const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(c[i].id, id))
			return &c[i];
	return NULL;
}

/* The containers of before run after, same pids: unless the operator allowed a restart that stops
 * them. */
int docker_config_verify(struct action *a, struct action_ctx *ctx, struct err *err)
{
	struct docker_config_data *d = a->data;
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	struct docker_container *now = NULL;
	size_t n = 0;
	int r = 0;

	if (!d->was_running || !d->restarts || ctx->allow_restart)
		return 0;
	if (docker_api_open(&api, ctx->host->docker.socket, err) ||
	    docker_containers(api, false, &now, &n, err))
		return -1;
	for json_each(c, d->containers) {
			const struct docker_container *found = find_container(now, n,
									      json_get_str(c,
											   "id"));

			if (!r && (!found || found->pid != (pid_t)json_get_i64(c, "pid", 0)))
				r = err_set(err, ERR_FAILED,
					    "container %s did not outlive the restart of Docker",
					    json_get_str(c, "name"));
	}
	docker_containers_free(now, n);
	return r;
}
