/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's own nft, and what it makes of our table. No libnftables is linked: a table with a
 * named set that another version made lets nft 1.0.6 die (facts/firewall-tried.md 2.4). All of it
 * needs CAP_NET_ADMIN, also the looks.
 */
#ifndef BACKENDS_FIREWALL_NFT_H
#define BACKENDS_FIREWALL_NFT_H

#include "base/err.h"
#include "base/json.h"

/* "nftables v1.0.6 (Lester Gooch #5)": is that new enough? */
bool nft_version_ok(const char *said);
/* ERR_REFUSED with the remedy: there is no nft here, or one that is too old. */
int nft_available(struct err *err);

/* Would it be taken? Loads nothing. */
int nft_check(const struct buf *text, struct err *err);
/* The table is as the text says, and nothing else is in it. Timed entries stay. */
int nft_load(const struct buf *text, struct err *err);
int nft_delete(struct err *err);		/* none is there: fine */
/* *ret NULL: there is no such table. */
int nft_list(struct json **ret, struct err *err);
/* Likewise, without the elements: where those are many they are most of the work. */
int nft_list_names(struct json **ret, struct err *err);
int nft_run(const struct buf *commands, struct err *err);	/* one batch */
/* Everything that nft knows on this host, without the elements of sets. */
int nft_list_all(struct json **ret, struct err *err);
/* 1: the table is as the text says. 0: it is not, ret_words say how. The text is loaded into a
 * throw-away namespace and listed by the same nft. */
int nft_compare(const struct buf *text, struct buf *ret_words, struct err *err);

#endif
