/* SPDX-License-Identifier: Apache-2.0 */
/* Who suffers from a restart of Docker in spite of live-restore (DESIGN.md section 7,
 * facts/docker-tried.md 1). For the plan. */
#ifndef DOCKER_IMPACT_H
#define DOCKER_IMPACT_H

#include "docker/api.h"
#include "docker/config.h"

struct docker_impact {
	size_t running;			/* containers that run now */
	/* names: run with --rm, which Docker before 26 removes at a restart (seen on 20.10; not run
	 * between) */
	struct strv removed;
	/* names: stopped with restart=always; the restart starts them, they are to be stopped
	 * again */
	struct strv stopped;
	struct strv bridge_keys;	/* changed keys without effect while containers run */
	struct strv refused_keys;	/* changed keys that hide or damage containers that run */
	bool swarm;			/* active: no live-restore, containers stop */
	bool authz_flag;		/* --authorization-plugin: a reload would forget the plugin, so no live-restore by reload */
	bool keep_containers;		/* for docker_config_stages: containers run and live-restore can carry them over */
};

/* from and to as in docker_config_takeup. */
int docker_restart_impact(const struct host *h, struct docker_api *api, const struct json *from,
			  const struct json *to, struct docker_impact *ret, struct err *err);
void docker_impact_release(struct docker_impact *i);
/* 0, or ERR_REFUSED with the names: refused_keys while containers run always, the rest unless
 * allow_restart. */
int docker_impact_refuse(const struct docker_impact *i, bool allow_restart, struct err *err);

#endif
