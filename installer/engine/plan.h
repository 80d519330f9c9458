/* SPDX-License-Identifier: Apache-2.0 */
/* The ordered list of actions. Adding sorts by rank (stable). A key that occurs twice is a
 * programming error: it aborts. */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "actions/action.h"

struct plan {
	struct action **v;
	size_t n;
	struct strv warnings;		/* said in the plan, every time */
};

#define PLAN_INIT { NULL, 0, STRV_INIT }

void plan_add(struct plan *p, struct action *a);	/* and its escorts; takes ownership; NULL is ignored */
void plan_warn(struct plan *p, const char *fmt, ...) PRINTF(2, 3);
struct action *plan_find(const struct plan *p, const char *key);	/* the plan's; NULL: none */
bool plan_has(const struct plan *p, const char *key);
void plan_release(struct plan *p);
/* Every action's line and diff, then the warnings. */
void plan_describe(const struct plan *p, const struct action_ctx *ctx, struct report *r);

#endif
