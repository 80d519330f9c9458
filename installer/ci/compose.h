/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compose file of a CI system that hands the host's Docker to its jobs: which services do, and
 * the override that ends it. An override cannot take a mount away in every version of Compose, but
 * one of the same target takes its place: so /dev/null comes over the socket.
 */
#ifndef CI_COMPOSE_H
#define CI_COMPOSE_H

#include "base/json.h"

struct compose_service {
	char *name;
	struct strv sockets;		/* where in it a socket of Docker, containerd or Podman is mounted */
	bool privileged;
};

struct compose {
	char *version;			/* as the file says it; NULL: not at all */
	struct compose_service *v;	/* those with a socket, or privileged */
	size_t n;
};

/* text: the file's. ERR_USAGE: no compose file, or with names and paths that cannot be meant. */
int compose_read(struct compose *ret, const char *text, size_t len, const char *what,
		 struct err *err);
void compose_release(struct compose *c);

struct compose_way {
	bool tls;
	const char *host, *certs;	/* with tls: tcp://NAME:PORT, the directory with the three PEM files */
};

/* The override, added to ret. what: the file that it is for. */
int compose_override(const struct compose *c, const struct compose_way *way, const char *what,
		     struct buf *ret, struct err *err);

#endif
