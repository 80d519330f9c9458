/* SPDX-License-Identifier: Apache-2.0 */
/* What of step "firewall" the command of that name shares. */
#ifndef STEPS_FIREWALL_H
#define STEPS_FIREWALL_H

#include "backends/firewall/manager.h"
#include "engine/step.h"

#define FIREWALL_FILE "/etc/sysboxup/firewall.nft"
#define FIREWALL_UNIT "sysboxup-firewall.service"
#define FIREWALL_WATCH "sysboxup-firewall-watch.service"

bool firewall_on(const struct profile *p);	/* wanted, and not by "backend": "none" */
/* The ports of api.listen, each once. */
void firewall_ports(const struct profile *p, struct strv *ret);

/*
 * The firewall manager of others that is to let through who may (steps/openings.c): the one that
 * the profile names, or that is at work here. *ret NULL: none needs to be asked.
 */
int openings_manager(const struct step_ctx *ctx, const struct manager_ops **ret, struct err *err);
/* Its rules as the profile wants them, and those of another manager taken back. m may be NULL. */
int openings_plan(struct plan *p, const struct step_ctx *ctx, const struct manager_ops *m,
		  struct err *err);
void openings_verify(const struct step_ctx *ctx, struct report *rep);

#endif
