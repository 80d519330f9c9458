/* SPDX-License-Identifier: Apache-2.0 */
/* Packages of the distribution where dpkg is not: what other steps want of them. */
#ifndef STEPS_DEPENDENCIES_H
#define STEPS_DEPENDENCIES_H

#include "engine/plan.h"

/* These come with whatever else of the kind the plan brings: its one action, which stays the
 * plan's. */
struct action *dependencies_want(struct plan *p, const char *step, const struct strv *names);

#endif
