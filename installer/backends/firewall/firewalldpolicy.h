/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /etc/firewalld/policies/sysboxup.xml as text: a policy of our own, in front of all zones, whose
 * rules open the port. It is written as firewalld 1.3 itself writes one (--runtime-to-permanent
 * leaves the same bytes), and one rule is one block of lines:
 *
 *	  <rule family="ipv4">
 *	    <source address="10.1.0.0/24"/>
 *	    <port port="2376" protocol="tcp"/>
 *	    <accept/>
 *	  </rule>
 *
 * A rule in any other spelling is none of ours. Interfaces are zones to firewalld, and have none.
 */
#ifndef BACKENDS_FIREWALL_FIREWALLDPOLICY_H
#define BACKENDS_FIREWALL_FIREWALLDPOLICY_H

#include "backends/firewall/manager.h"

#define FIREWALLD_POLICY "sysboxup"

/* The openings that it has rules for. */
void firewalldpolicy_list(const struct buf *text, struct strv *ret);
/* As manager_ops has them. An empty text is whole: the policy of nobody. */
bool firewalldpolicy_whole(const struct buf *text);
void firewalldpolicy_add(struct buf *text, size_t file, const char *opening);
void firewalldpolicy_take(struct buf *text, const char *opening);
void firewalldpolicy_put(struct buf *text, const struct buf *before, const char *opening);
bool firewalldpolicy_same(const struct buf *a, const struct buf *b);

#endif
