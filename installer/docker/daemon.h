/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making the running daemon take up its file: reload (SIGHUP to the main PID of the right unit, or of the pid that serves the
 * socket where there is no systemd), restart under systemd with live-restore, start limits reset, own deadlines, effect proven
 * by GET /info and never taken from an exit status (facts/docker-tried.md 1, 2, 6).
 */
#ifndef DOCKER_DAEMON_H
#define DOCKER_DAEMON_H

#include "docker/api.h"
#include "docker/config.h"
#include "host/host.h"

/* What /info must say before a change counts as taken up; NULL fields are not asked. */
struct docker_expect {
	const char *runtime_present;
	const char *runtime_absent;
	const char *default_runtime;
	int live_restore;		/* -1 not asked, 0, 1 */
};

/* SIGHUP, then poll /info until it is as expected or timeout_s is over. A marker label... nothing is taken from an exit status. */
int docker_reload(const struct host *h, const struct json *config, const struct docker_expect *want, unsigned int timeout_s,
		  struct report *rep, struct err *err);
/* reset-failed of service and socket, restart (--no-block), wait until a NEW main pid answers the API, or the deadline. With a daemon
 * that was started by hand there is no restart: ERR_REFUSED naming what to do. */
int docker_restart(const struct host *h, unsigned int timeout_s, struct report *rep, struct err *err);
/* Derived from a daemon.json tree: what /info should show for the keys it reports. */
void docker_expect_from(const struct json *config, const struct json *before, struct docker_expect *ret);

#endif
