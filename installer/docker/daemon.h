/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making the running daemon take up its file: reload (SIGHUP to the main PID of the right unit, or
 * of the pid that serves the socket where there is no systemd), restart under systemd with start
 * limits reset, own deadlines. Nothing is taken from an exit status (facts/docker-tried.md 1, 2, 6;
 * facts/dockerd.md 1.5): a reload is proven by the daemon's own `reload` event, which it sends
 * after it took a file up and not for one that it rejects, and by GET /info.
 */
#ifndef DOCKER_DAEMON_H
#define DOCKER_DAEMON_H

#include "docker/api.h"
#include "docker/config.h"
#include "host/host.h"

#define DOCKER_RELOAD_TIMEOUT 30	/* seconds; dockerd runs `RUNTIME features` for each runtime */
#define DOCKER_RESTART_TIMEOUT 120	/* seconds; a TCP listener without TLS alone delays the start by 16 */

/* The daemon that serves now: MainPID of the unit, else what host knows if it still lives, else the
 * owner of the socket. */
int docker_daemon_pid(const struct host *h, pid_t *ret, struct err *err);

/* Within a second. */
bool docker_answers(const struct host *h);

/* SIGHUP once the daemon answers (one that is starting would be killed by it), then wait until the
 * reload is proven or timeout_s is over. */
int docker_reload(const struct host *h, const struct docker_expect *want, unsigned int timeout_s,
		  struct report *rep, struct err *err);

/* reset-failed of service and socket, restart (--no-block), wait until a NEW main pid answers the
 * API, the unit has failed for good, or the deadline. want may be NULL. With a daemon that was
 * started by hand there is no restart: ERR_REFUSED naming what to do. */
int docker_restart(const struct host *h, const struct docker_expect *want, unsigned int timeout_s,
		   struct report *rep, struct err *err);

/* A stop and a start instead: only so sockets that the service gets from systemd come and go with
 * it (a socket unit cannot start while its service runs). Not proven beyond an answer on the unix
 * socket. */
int docker_cycle(const struct host *h, unsigned int timeout_s, struct report *rep, struct err *err);

/* Whether docker_restart can be done here at all: for prepare. ERR_REFUSED. */
int docker_restart_possible(const struct host *h, struct err *err);

/* What a stage asks for, its text being in place. Nothing is done where no daemon runs. */
int docker_stage_takeup(const struct host *h, const struct docker_stage *s, struct report *rep,
			struct err *err);

/* NULL if GET /info says all of it, else what is missing, allocated: "runtime 'sysbox-runc' is not
 * there". */
char *docker_expect_unmet(const struct docker_expect *want, const struct json *info);

#endif
