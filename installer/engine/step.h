/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A step is one concern of the product: it compares host and profile and adds actions to a plan. It
 * never changes anything. The ordered table is steps/registry.c; the engine names no step.
 */
#ifndef ENGINE_STEP_H
#define ENGINE_STEP_H

#include "engine/plan.h"

struct step_ctx {
	const struct host *host;
	const struct profile *profile;
	const struct json *index;	/* engine/index.h: what is ours */
	struct state *state;
	const struct catalog *catalog;	/* NULL when sysbox is no concern */
	const struct catalog_entry *entry;	/* the resolved package, or NULL */
	const char *package_file;
	bool allow_restart;
	bool quick;			/* verify: no container is run; what is known of the versions instead */
	bool proving;			/* verify: for a transaction that is not committed yet */
	struct report *rep;
};

struct step {
	const char *name;		/* stable id: shown, journalled, tested */
	const char *summary;
	bool (*wanted)(const struct step_ctx *ctx);
	int (*plan)(struct plan *ret, const struct step_ctx *ctx, struct err *err);
	/* Proof by asking the running services: one report_check line per fact; STATE_BAD
	 * counts. */
	int (*verify)(const struct step_ctx *ctx, struct report *rep, struct err *err);
};

extern const struct step *const steps[];	/* steps/registry.c; ends with NULL */

#endif
