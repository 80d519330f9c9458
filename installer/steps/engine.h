/* SPDX-License-Identifier: Apache-2.0 */
/* Docker itself, where there is none: what other steps and preflight need to know of it. */
#ifndef STEPS_ENGINE_H
#define STEPS_ENGINE_H

#include "engine/plan.h"

/* The profile wants the distribution's Docker on this host, which has none, and it can be had. */
bool engine_wanted(const struct host *h, const struct profile *p);
/* This plan installs it. */
bool plan_has_engine(const struct plan *p);

#endif
