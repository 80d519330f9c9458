/* SPDX-License-Identifier: Apache-2.0 */
/* Docker itself, where there is none: what other steps and preflight need to know of it. */
#ifndef STEPS_ENGINE_H
#define STEPS_ENGINE_H

#include "engine/plan.h"

/* The profile wants the distribution's Docker on this host, which has none, and it can be had. */
bool engine_wanted(const struct host *h, const struct profile *p);
/* Who would bring it: "apt", "dnf" ... NULL: nobody, and *ret_why says why (else NULL). */
const char *engine_manager(const struct host *h, const char **ret_why);
/* This plan installs it through dpkg, the only one that holds its packages. */
bool plan_has_docker_io(const struct plan *p);

#endif
