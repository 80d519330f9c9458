/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other firewalls of this host. Our table says who is not let in; where another one drops what
 * nobody allowed, ours cannot open the port: only a line in the other one can.
 */
#ifndef BACKENDS_FIREWALL_OTHERS_H
#define BACKENDS_FIREWALL_OTHERS_H

#include "base/json.h"
#include "base/network.h"
#include "sys/root.h"

enum manager {
	MANAGER_FIREWALLD = 1,
	MANAGER_UFW = 2,
	MANAGER_NFTABLES = 4,	/* nftables.service */
	MANAGER_LEGACY = 8,	/* tables of iptables-legacy, which nft does not list */
};

/* Whose rules are at work: by what they have loaded and by ufw's own configuration (its unit says
 * "active" with ENABLED=no). A mask of enum manager. */
int managers_find(const struct root *r);
/* "ufw, firewalld"; allocated. */
char *managers_words(int managers);

/*
 * The first table but ours in `ruleset` (nft_list_all) whose input hook drops or rejects what no
 * rule of it accepts, and that has no rule that accepts TCP to `port` for that family. *ret_where:
 * "ip filter INPUT", allocated. false: there is none. skip (or NULL): those are left out.
 */
bool others_block(const struct json *ruleset, const char *port, bool six,
		  bool (*skip)(const char *where), char **ret_where);
/* The same of what iptables-legacy-save or ip6tables-legacy-save says about table filter. */
bool legacy_blocks(const char *saved, const char *port);
/* That text, where the kernel has such a table; asking for more would make one. "": it has none. */
int legacy_save(const struct root *r, bool six, struct buf *ret, struct err *err);

/* The command that opens the port for n in the first of these; where: others_block's, "": in what
 * they leave to iptables. Allocated. */
char *others_remedy(int managers, const char *where, const struct network *n, const char *port);

#endif
