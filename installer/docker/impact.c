/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/impact.h"

#define KEEPS_RM "26"		/* the first version that was seen to keep --rm containers */

void docker_impact_release(struct docker_impact *i)
{
	strv_release(&i->removed);
	strv_release(&i->stopped);
	strv_release(&i->bridge_keys);
	strv_release(&i->refused_keys);
	*i = (struct docker_impact){ 0 };
}

static void impact_container(struct docker_impact *i, const struct docker_container *c,
			     bool rm_is_lost)
{
	bool runs = c->pid > 0;

	i->running += runs;
	if (runs && c->auto_remove && rm_is_lost)
		strv_add(&i->removed, c->name);
	if (!runs && str_eq(c->restart_policy, "always") && !str_eq(c->state, "restarting"))
		strv_add(&i->stopped, c->name);
}

static bool snapshotter(const struct json *config)
{
	return json_get_bool(json_get(config, "features"), "containerd-snapshotter", false);
}

static void impact_keys(struct docker_impact *i, const struct json *from, const struct json *to)
{
	struct strv keys CLEANUP(strv_release) = STRV_INIT;

	docker_config_takeup(from, to, &keys);
	for (size_t k = 0; k < keys.n; k++) {
		enum docker_key_class class = docker_key_class(keys.v[k]);
		if (class == KEY_BRIDGE)
			strv_add(&i->bridge_keys, keys.v[k]);
		else if (class == KEY_REFUSED_RUNNING)
			strv_add(&i->refused_keys, keys.v[k]);
	}
	if (snapshotter(from) != snapshotter(to))
		strv_add(&i->refused_keys, "features.containerd-snapshotter");
}

int docker_restart_impact(const struct host *h, struct docker_api *api, const struct json *from,
			  const struct json *to, struct docker_impact *ret, struct err *err)
{
	struct json *info CLEANUP(json_freep) = NULL;
	struct docker_container *c = NULL;
	struct docker_impact i = { 0 };
	size_t n = 0;

	if (docker_info(api, &info, err) || docker_containers(api, true, &c, &n, err))
		return -1;
	const char *version = json_get_str(info, "ServerVersion");
	for (size_t k = 0; k < n; k++)
		impact_container(&i, &c[k],
				 !version || version_compare_numeric(version, KEEPS_RM) < 0);
	docker_containers_free(c, n);
	impact_keys(&i, from, to);
	const char *swarm = json_get_str(json_get(info, "Swarm"), "LocalNodeState");
	i.swarm = !str_empty(swarm) && strcmp(swarm, "inactive") != 0;
	i.authz_flag = docker_flag_find(h->docker.flags, "authorization-plugin");
	i.keep_containers = i.running && !i.swarm &&
			    (!i.authz_flag || json_get_bool(info, "LiveRestoreEnabled", false));
	*ret = i;
	return 0;
}

static int refuse(struct err *err, const char *what, const struct strv *names)
{
	char *list CLEANUP(freep) = strv_join(names, ", ");

	return err_set(err, ERR_REFUSED, "%s: %s", what, list);
}

static int refuse_losses(const struct docker_impact *i, struct err *err)
{
	if (i->removed.n)
		return refuse(err, "a restart of Docker removes containers that run with --rm", &i->removed);
	if (i->stopped.n)
		return refuse(err, "a restart of Docker starts stopped containers with restart=always", &i->stopped);
	if (i->running && i->bridge_keys.n)
		return refuse(err, "has no effect while containers run", &i->bridge_keys);
	if (i->running && !i->keep_containers)
		return err_set(
			err, ERR_REFUSED,
			"a restart of Docker stops %zu containers: %s does not go with live-restore",
			i->running, i->swarm ? "swarm" : "an authorization plugin given by flag");
	return 0;
}

int docker_impact_refuse(const struct docker_impact *i, bool allow_restart, struct err *err)
{
	if (i->running && i->refused_keys.n) {
		refuse(err, "cannot be changed while containers run", &i->refused_keys);
		return err_remedy(err, "stop all containers first");
	}
	if (allow_restart || !refuse_losses(i, err))
		return 0;
	return err_remedy(err, "allow it with --allow-restart, or with docker.allow_restart in the profile");
}
