/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked before Docker is restarted, while nothing has been touched: the hooks of
 * pre-restart (docker/hooks.h) and, where somebody waits for it and there are no such hooks,
 * whether the host is free of jobs.
 *
 * live-restore carries containers over a restart, but not clients: run, exec, logs, build and pull
 * in progress fail (facts/docker-tried.md 1). Docker has no list of builds and pulls; each has a
 * client that is connected. So a job is
 *
 *	a container that runs with no restart policy: what a service has, and `docker run` of a job
 *	has not;
 *	an exec that runs, in whatever container;
 *	a client that is connected to Docker's socket, but us. Those that are in a network namespace
 *	of their own are not seen here, nor those over TCP: in containers the two rules above see
 *	them as far as they are jobs.
 *
 * Between the last look and the restart lies what the transaction does before it.
 */
#ifndef DOCKER_GATE_H
#define DOCKER_GATE_H

#include "base/report.h"
#include "host/host.h"
#include "journal/state.h"

struct gate {
	const char *command;		/* for the hooks: "apply" ... */
	bool when_idle;			/* jobs count; without it only hooks do */
	bool closed;			/* the last look: not now */
};

/* 0: nobody is in the way. 1: not now, and why in words. */
int gate_ask(struct gate *g, const struct host *h, const struct state *s, struct buf *ret_why,
	     struct report *rep, struct err *err);
/* In prepare: what is not open is ERR_REFUSED. */
int gate_pass(struct gate *g, const struct host *h, const struct state *s, struct report *rep,
	      struct err *err);

#endif
