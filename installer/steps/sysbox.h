/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps that concern Sysbox share. */
#ifndef STEPS_SYSBOX_H
#define STEPS_SYSBOX_H

#include "engine/step.h"

#define SYSBOX_PACKAGE "sysbox-ce"
#define SYSBOX_RUNTIME "sysbox-runc"
#define SYSBOX_STEP "sysbox"
#define SYSBOX_UNITS_KEY "units:sysbox-mgr.service"
#define SYSBOX_UNPACK_KEY "unpack:" SYSBOX_PACKAGE
#define SYSBOX_SYSCTL_FILE "99-sysbox-sysctl.conf"	/* in sysctl.d */
#define SYSBOX_SYSCTL_TEMPLATE "templates/sysbox-sysctl.conf"

enum { SYSBOX_UNITS = 3 };

extern const char *const sysbox_programs[];	/* their names; ends with NULL */
/* In the order in which they start: sysbox.service wants the other two. Ends with NULL. */
extern const char *const sysbox_units[SYSBOX_UNITS + 1];

/* The profile has a sysbox section that wants one. */
bool sysbox_wanted(const struct step_ctx *ctx);
/* It has one that wants none: what is ours of it goes. */
bool sysbox_unwanted(const struct step_ctx *ctx);

/* Below /usr/lib, or /lib where this host keeps its units there; the package says /lib, which is a
 * link to /usr/lib on most systems. Allocated. */
char *sysbox_lib_path(const struct host *h, const char *rest);
/* This target is ours by the index, and as we left it. */
bool sysbox_intact(const struct step_ctx *ctx, const char *key);

#endif
