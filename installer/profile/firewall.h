/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The section "firewall": who is meant by `allow`, whose entries are networks, "set:NAME" (of
 * `sets`) and "interface:NAME".
 */
#ifndef PROFILE_FIREWALL_H
#define PROFILE_FIREWALL_H

#include "profile/profile.h"

struct firewall_fault {
	char *key;		/* below "firewall"; NULL: the section itself */
	struct buf words;
};

#define FIREWALL_FAULT_INIT { NULL, BUF_INIT }

void firewall_fault_release(struct firewall_fault *f);
/* Fills in networks and interfaces. -1: what is wrong, and with which key. */
int firewall_resolve(struct profile *p, struct firewall_fault *ret_fault);

#endif
