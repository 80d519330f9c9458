/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 networks as daemon.json writes them. IPv6 ones are left to dockerd. */
#ifndef DOCKER_CIDR_H
#define DOCKER_CIDR_H

#include <stdbool.h>
#include <stdint.h>

struct cidr {
	uint32_t addr;			/* host order, as written */
	unsigned int bits;
};

int cidr_parse(const char *s, struct cidr *ret);	/* "10.1.0.1/24": 0, else -1 */
uint32_t cidr_mask(const struct cidr *c);
bool cidr_overlaps(const struct cidr *a, const struct cidr *b);
bool cidr_contains(const struct cidr *outer, const struct cidr *inner);

#endif
