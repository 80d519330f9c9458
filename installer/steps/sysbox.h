/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps that concern Sysbox share. */
#ifndef STEPS_SYSBOX_H
#define STEPS_SYSBOX_H

#include "engine/step.h"

#define SYSBOX_PACKAGE "sysbox-ce"
#define SYSBOX_RUNTIME "sysbox-runc"
#define SYSBOX_STEP "sysbox"
#define SYSBOX_UNITS_KEY "units:sysbox-mgr.service"

enum { SYSBOX_UNITS = 3 };

extern const char *const sysbox_programs[];	/* their names; ends with NULL */
/* In the order in which they start: sysbox.service wants the other two. Ends with NULL. */
extern const char *const sysbox_units[SYSBOX_UNITS + 1];

/* The profile has a sysbox section that wants one. */
bool sysbox_wanted(const struct step_ctx *ctx);
/* It has one that wants none: what is ours of it goes. */
bool sysbox_unwanted(const struct step_ctx *ctx);

#endif
