/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /etc/ufw/user.rules and user6.rules as text. A rule is a line that tells ufw what it is, and
 * behind it the lines for iptables-restore, up to an empty one:
 *
 *	### tuple ### allow tcp 2376 0.0.0.0/0 any 10.1.0.2 in comment=737973...
 *	-A ufw-user-input -p tcp --dport 2376 -s 10.1.0.2 -j ACCEPT
 *
 * The comment is hexadecimal. To ufw, rules that differ in action or comment alone are one and the
 * same: `ufw allow` would put ours in the place of theirs. Seen with 0.36.2.
 */
#ifndef BACKENDS_FIREWALL_UFWRULES_H
#define BACKENDS_FIREWALL_UFWRULES_H

#include "backends/firewall/manager.h"

enum opening_state ufwrules_find(const struct buf *text, const struct opening *o);
/* From first line to last: ufw truncates before it writes, and does not sync. */
bool ufwrules_whole(const struct buf *text);
/* As manager_ops has them. */
void ufwrules_take(struct buf *text, const char *opening);
void ufwrules_put(struct buf *text, const struct buf *before, const char *opening);
bool ufwrules_same(const struct buf *a, const struct buf *b);

#endif
