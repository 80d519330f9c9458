/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Engine API over the unix socket, with libcurl. Every call has a deadline. One handle per
 * struct, reused. An answer outside 2xx is an error that carries Docker's own message.
 */
#ifndef DOCKER_API_H
#define DOCKER_API_H

#include "base/json.h"
#include "base/report.h"

struct docker_api;		/* opaque */

int docker_api_open(struct docker_api **ret, const char *socket_path, struct err *err);	/* does not connect yet */
void docker_api_close(struct docker_api *a);
void docker_api_closep(struct docker_api **a);

bool docker_api_ping(struct docker_api *a, unsigned int timeout_ms);
/* method "GET", "POST", "DELETE", "PUT"; body JSON or NULL; ret may be NULL. status in *ret_status
 * if not NULL (then any HTTP status is success). */
int docker_api_call(struct docker_api *a, const char *method, const char *path,
		    const struct json *body, unsigned int timeout_s, long *ret_status,
		    struct json **ret, struct err *err);
/* The same with raw bytes (image load: application/x-tar). */
int docker_api_post_raw(struct docker_api *a, const char *path, const char *type, const void *data,
			size_t len, unsigned int timeout_s, struct buf *ret, struct err *err);
int docker_api_get_raw(struct docker_api *a, const char *path, unsigned int timeout_s,
		       struct buf *ret, struct err *err);

int docker_info(struct docker_api *a, struct json **ret, struct err *err);			/* GET /info */
int docker_version(struct docker_api *a, char **ret, struct err *err);			/* engine version "20.10.24+dfsg1" */

/* The IPv4 address of the default bridge, "172.17.0.1/16", allocated; NULL where it cannot be
 * told. */
char *docker_bridge_address(struct docker_api *a);

/* Containers, all of them or only running ones. */
struct docker_container {
	char *id, *name, *state, *runtime, *restart_policy, *started_at;
	bool auto_remove;
	pid_t pid;
};
int docker_containers(struct docker_api *a, bool all, struct docker_container **ret, size_t *ret_n,
		      struct err *err);
/* Those that `keep` says are left, in their order; how many. */
size_t docker_containers_keep(struct docker_container *c, size_t n,
			      bool (*keep)(const struct docker_container *c, const char *arg),
			      const char *arg);
void docker_containers_free(struct docker_container *c, size_t n);

#endif
