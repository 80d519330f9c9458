/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps that concern Sysbox share. */
#ifndef STEPS_SYSBOX_H
#define STEPS_SYSBOX_H

#include "engine/step.h"

#define SYSBOX_PACKAGE "sysbox-ce"
#define SYSBOX_RUNTIME "sysbox-runc"
#define SYSBOX_RUNC "/usr/bin/sysbox-runc"

/* The profile has a sysbox section that wants one. */
bool sysbox_wanted(const struct step_ctx *ctx);
/* It has one that wants none: what is ours of it goes. */
bool sysbox_unwanted(const struct step_ctx *ctx);

#endif
