/* SPDX-License-Identifier: Apache-2.0 */
/* What of step "firewall" the command of that name shares. */
#ifndef STEPS_FIREWALL_H
#define STEPS_FIREWALL_H

#include "profile/profile.h"

#define FIREWALL_FILE "/etc/sysboxup/firewall.nft"
#define FIREWALL_UNIT "sysboxup-firewall.service"
#define FIREWALL_WATCH "sysboxup-firewall-watch.service"

bool firewall_on(const struct profile *p);	/* wanted, and not by "backend": "none" */
/* The ports of api.listen, each once. */
void firewall_ports(const struct profile *p, struct strv *ret);

#endif
