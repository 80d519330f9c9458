/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd, through systemctl. Every call has a deadline of ours: a unit's own may be infinite
 * (facts/dockerd.md 1.10). Only for a host on which host_has_systemd() is true.
 */
#ifndef BACKENDS_SERVICE_SYSTEMD_H
#define BACKENDS_SERVICE_SYSTEMD_H

#include "base/report.h"

#include <sys/types.h>

struct unit_status {
	char load[32];		/* "loaded", "not-found", "masked" ... */
	char active[32];	/* "active", "inactive", "failed", "activating" ... */
	char result[32];	/* "success", "exit-code", "start-limit-hit" ... */
	char enabled[32];	/* "enabled", "disabled", "static" ... */
	pid_t main_pid;
};

int unit_query(const char *unit, struct unit_status *ret, struct err *err);
/* The same for a NULL-terminated list with one call of systemctl; ret has room for as many. */
int unit_query_all(const char *const *units, struct unit_status *ret, struct err *err);
/*
 * Clears the start limit first, starts, waits until active. A failed unit ends it at once, with its
 * result in the error. Both with seconds 0: the job is queued (a stop cancels a queued start), and
 * that is all.
 */
int unit_start(const char *unit, unsigned int seconds, struct report *log, struct err *err);
/* Stops and waits until it is neither active nor changing. A unit that is not there is stopped. */
int unit_stop(const char *unit, unsigned int seconds, struct report *log, struct err *err);

#endif
