/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table that guards the API's port, as text for nft and as nft lists it. Pure; nft.h runs it.
 *
 * One table, `inet sysboxup`, whose base chain holds nothing but `tcp dport PORT goto api`: no
 * other packet is ever judged. (`tcp dport != PORT return` before a drop would drop all that is not
 * TCP, IPv6 neighbour discovery among it.) Its priority is before that of every firewall manager,
 * so its no is final and its yes is theirs to take back. No accept for established connections: who
 * leaves the list is cut off at once. facts/firewall-tried.md 1.
 *
 * The text can be loaded over the table as well as anew, in one batch: it keeps table, chains and
 * sets, flushes and fills them. An interval set and a rule that reads it, both new in one batch,
 * have a moment in which the set looks empty: so what loads it anew in a running system does so in
 * two batches, split at table_split. Timed entries are no part of it, and stay.
 */
#ifndef BACKENDS_FIREWALL_TABLE_H
#define BACKENDS_FIREWALL_TABLE_H

#include "base/json.h"
#include "base/network.h"

#define TABLE "inet sysboxup"

struct table {
	const struct network_list *networks;	/* sorted, none in another */
	const struct strv *interfaces;
	const struct strv *ports;
};

void table_render(const struct table *t, struct buf *ret);
/* The networks of the text, merged, and its ports. false: it lets in an interface, too. */
bool table_allowed(const char *text, struct network_list *ret_networks, struct strv *ret_ports);
/* Bytes up to the chains: the first batch; the rest is the second. */
size_t table_split(const char *text);

/* `listing`: what `nft -j list table` says. Commands that take out of the table what is no part of
 * it; to be put in front of the text, in one batch. "": nothing is strange. */
void table_strip(const struct json *listing, struct buf *ret);
/*
 * Two listings by the same nft: the same, but for handles, counts, and timed entries? If not, what
 * of `now` differs, in words: "set allow4: 10.1.0.0/24 is missing". Listings of different versions
 * of nft cannot be compared.
 */
bool table_same(const struct json *now, const struct json *wanted, struct buf *ret_words);
/*
 * The same, where `wanted` lists the table without the elements of the text (table_bare), which
 * come on top as the text has them. true is true; false may be false, because nft has several ways
 * to list the same elements.
 */
bool table_same_bare(const struct json *now, const struct json *wanted, const char *text);
void table_bare(const char *text, struct buf *ret);	/* the text without them */

#endif
