/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds "units" and "halt" share. Inside of actions/ only. */
#ifndef ACTIONS_UNITS_H
#define ACTIONS_UNITS_H

#include "actions/kinds.h"

/*
 * Those of `units` that are active, in that order, and, if ret_invocations is not NULL, beside each
 * the id that systemd gave to this run of it. Nothing where the services of this root do not run.
 */
int units_active(const struct action_ctx *ctx, const struct strv *units, struct strv *ret,
		 struct strv *ret_invocations, struct err *err);
/* Those in `up` run, the others do not, except that those in `spared` are not stopped. Nothing
 * where the services of this root do not run: systemctl would speak to those of another one. */
int units_settle(const struct action_ctx *ctx, const struct strv *units, const struct strv *up,
		 const struct strv *spared, struct err *err);

/* The runtime of those that all containers need. */
#define ANY_RUNTIME "*"

struct action *action_halt(const char *step, const char *const *units);
/* Escorts of units that containers of this runtime need while they run; socket: of the daemon that
 * they are of, NULL for the host's own. See actions/containers.c. */
struct action *action_containers(const char *step, const char *runtime, const char *socket,
				 bool stop);

#endif
