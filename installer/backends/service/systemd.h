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
	char invocation[40];	/* of this run of it: another one after each start; "" if it never ran */
	uint64_t restarts;	/* by systemd itself, since it was started */
	char fragment[256];	/* the file that it is read from; "" if there is none */
	bool job;		/* a start, a stop or the like is queued or under way */
	pid_t main_pid;
};

/* For a NULL-terminated list with one call of systemctl: each costs more than what it asks for. ret
 * has room for as many. */
int unit_query_all(const char *const *units, struct unit_status *ret, struct err *err);
/* systemd reads its unit files again. */
int systemd_reload(struct report *log, struct err *err);
/*
 * What IPAddressAllow= and IPAddressDeny= say by now is what the kernel judges by. systemd 257 goes
 * on with the filter of before a reload until a unit of the slice starts (252 does not; tried on
 * Debian 13): so one does, which does nothing.
 */
int systemd_apply_filters(struct report *log, struct err *err);
/* What a socket unit listens on, one a line, as systemd says it: "/run/docker.sock (Stream)". ""
 * for a unit that is not there. Allocated. */
int unit_listens(const char *unit, char **ret, struct err *err);
/*
 * Likewise. Start clears the start limits first and waits until all are active; a failed unit ends
 * it at once, with its result in the error. Stop waits until none is active or changing; one that
 * is not there is stopped, and one that failed is remembered as such no longer: systemd would show
 * it when its file is gone. With seconds 0 the jobs are queued (a stop cancels a queued start), and
 * that is all.
 */
int units_start(const char *const *units, unsigned int seconds, struct report *log,
		struct err *err);
int units_stop(const char *const *units, unsigned int seconds, struct report *log, struct err *err);
/* All of them stay active for so long, each in one and the same run, without systemd's help; the
 * first that does not ends it at once. */
int units_watch(const char *const *units, unsigned int seconds, struct err *err);

#endif
