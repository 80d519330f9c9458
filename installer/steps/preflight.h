/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preflight: everything known to make Sysbox or a change of Docker fail, asked before anything is
 * touched, as one ordered table of checks. Ids are stable: people write them behind --force and in
 * scripts. What each check rests on: facts/sysbox.md 1.3 to 1.5, 3.6, 7, 9; facts/docker-tried.md
 * (swarm); DESIGN.md 5 (dpkg's state, the mount of our state).
 *
 * Nothing here changes the host. A check that concerns Sysbox alone does not run for a profile
 * without it, and a check of what runs does not run for an image.
 */
#ifndef STEPS_PREFLIGHT_H
#define STEPS_PREFLIGHT_H

#include "base/report.h"
#include "host/host.h"
#include "profile/profile.h"

struct preflight_ctx {
	const char *sysbox_version;	/* the resolved one ("0.7.1"), "" if none is to be installed */
	bool sysbox;			/* Sysbox is wanted on this host */
	enum sysbox_method method;	/* resolved: METHOD_DEB or METHOD_FILES */
};

struct preflight_finding {
	struct buf found;		/* what is there, in words */
	struct buf remedy;		/* instead of the table's, when it depends on what was found */
};

/*
 * run says STATE_OK, STATE_BAD (a refusal), STATE_WARN, STATE_UNKNOWN (could not be found out: no
 * refusal), or STATE_NONE: nothing is wrong, but worth a line.
 */
struct preflight_check {
	const char *id;
	const char *summary;
	const char *why;
	const char *remedy;
	bool (*applies)(const struct host *h, const struct profile *p,
			const struct preflight_ctx *ctx);
	enum report_state (*run)(const struct host *h, const struct profile *p,
				 const struct preflight_ctx *ctx, struct preflight_finding *f);
	bool can_force;
};

extern const struct preflight_check preflight_checks[];		/* ends with id == NULL */

/*
 * Runs what applies. A line of REPORT_CHECK for each that is not OK (a forced refusal is a
 * warning), REPORT_LOG for those that are. resolved_sysbox_version may be NULL; forced are check
 * ids, may be NULL. Errors: ERR_REFUSED in one line with all ids that refuse; ERR_USAGE for an id
 * in forced that does not exist (nothing has run then).
 */
int preflight_run(const struct host *h, const struct profile *p,
		  const char *resolved_sysbox_version, const struct strv *forced,
		  struct report *rep, struct err *err);

/* One check of the table, reported in the same way; STATE_OK where it does not apply. */
enum report_state preflight_one(const char *id, const struct host *h, const struct profile *p,
				const char *sysbox_version, struct report *rep);

/* How Sysbox is installed here: what the profile says; for "auto" by the package manager of a
 * running system that has one that we can drive (backends/pkg/), else by files. */
enum sysbox_method preflight_method(const struct host *h, const struct profile *p);

#endif
