/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/cidr.h"

#include "base/str.h"

#include <arpa/inet.h>

int cidr_parse(const char *s, struct cidr *ret)
{
	const char *slash = s ? strchr(s, '/') : NULL;
	struct in_addr in;
	int64_t bits;

	if (!slash || str_to_i64(slash + 1, 0, 32, &bits))
		return -1;
	char *addr CLEANUP(freep) = xstrndup(s, (size_t)(slash - s));
	if (inet_pton(AF_INET, addr, &in) != 1)
		return -1;
	*ret = (struct cidr){ ntohl(in.s_addr), (unsigned int)bits };
	return 0;
}

uint32_t cidr_mask(const struct cidr *c)
{
	return c->bits ? ~0u << (32 - c->bits) : 0;
}

bool cidr_contains(const struct cidr *outer, const struct cidr *inner)
{
	return outer->bits <= inner->bits && !((outer->addr ^ inner->addr) & cidr_mask(outer));
}

bool cidr_overlaps(const struct cidr *a, const struct cidr *b)
{
	return cidr_contains(a->bits < b->bits ? a : b, a->bits < b->bits ? b : a);
}
