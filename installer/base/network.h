/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4 and IPv6 networks as people write them, read strictly and written in one way only. What
 * others read leniently is refused here with the reason: 010.1.0.1 (nft takes it for octal),
 * 10.1.0.5/24 (nft masks it without a word), ::ffff:10.1.0.1 (no packet ever has that source),
 * names.
 */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define NETWORK_TEXT 64		/* bytes for any of them, with its length and the NUL */
#define NETWORK_WHY 160

struct network {
	bool six;
	unsigned int bits;		/* of the prefix; 32 or 128: one address */
	unsigned char addr[16];		/* network order; of IPv4 the first four */
};

struct network_list {
	struct network *v;
	size_t n, cap;
};

#define NETWORK_LIST_INIT { NULL, 0, 0 }

/* 0, or -1 and in why what is wrong with it: "is no IPv4 or IPv6 address". */
int network_parse(const char *s, struct network *ret, char why[NETWORK_WHY]);
void network_format(const struct network *n, char ret[NETWORK_TEXT]);	/* "10.1.0.0/24", "fd00::5" */
bool network_contains(const struct network *outer, const struct network *inner);

void network_list_add(struct network_list *l, const struct network *n);
void network_list_release(struct network_list *l);
/* IPv4 first, by address, the wider first. */
void network_list_sort(struct network_list *l);
/* Of a sorted list: the first two that overlap; false: none do. */
bool network_list_overlap(const struct network_list *l, const struct network **ret_outer,
			  const struct network **ret_inner);
/* Of a sorted list, what another one contains goes. */
void network_list_merge(struct network_list *l);
bool network_list_has(const struct network_list *l, const struct network *n);	/* sorted, merged; contained in one of it */

#endif
