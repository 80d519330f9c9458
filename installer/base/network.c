/* SPDX-License-Identifier: Apache-2.0 */
#include "base/network.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned int length_of(const struct network *n)
{
	return n->six ? 128 : 32;
}

static bool has_leading_zero(const char *s)
{
	for (size_t len; *s; s += len + (s[len] == '.')) {
		len = strcspn(s, ".");
		if (len > 1 && *s == '0')
			return strspn(s, "0123456789.") == strlen(s);
	}
	return false;
}

static int wrong(char why[NETWORK_WHY], const char *words)
{
	snprintf(why, NETWORK_WHY, "%s", words);
	return -1;
}

static int parse_address(const char *s, struct network *ret, char why[NETWORK_WHY])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	ret->six = strchr(s, ':') != NULL;
	if (inet_pton(ret->six ? AF_INET6 : AF_INET, s, ret->addr) != 1)
		return wrong(why, has_leading_zero(s) ?
					  "has a leading zero, which some programs read as octal" :
					  "is no IPv4 or IPv6 address");
	if (!ret->six || memcmp(ret->addr, mapped, sizeof(mapped)))
		return 0;
	snprintf(why, NETWORK_WHY, "is IPv4 written as IPv6, which no packet has: write %u.%u.%u.%u",
		 ret->addr[12], ret->addr[13], ret->addr[14], ret->addr[15]);
	return -1;
}

static void mask(struct network *n)
{
	for (unsigned int i = 0; i < length_of(n) / 8; i++) {
		unsigned int keep = n->bits > i * 8 ? n->bits - i * 8 : 0;

		n->addr[i] &= keep >= 8 ? 0xff : (unsigned char)(0xff00 >> keep);
	}
}

static int check_host_bits(const struct network *n, char why[NETWORK_WHY])
{
	struct network masked = *n;
	char text[NETWORK_TEXT];

	mask(&masked);
	if (!memcmp(masked.addr, n->addr, sizeof(n->addr)))
		return 0;
	network_format(&masked, text);
	snprintf(why, NETWORK_WHY, "has bits of a host set: the network is %s", text);
	return -1;
}

int network_parse(const char *s, struct network *ret, char why[NETWORK_WHY])
{
	char *address CLEANUP(freep) = xstrndup(s, strcspn(s, "/"));
	const char *slash = strchr(s, '/');
	struct network n = { 0 };
	uint64_t bits;

	if (parse_address(address, &n, why))
		return -1;
	n.bits = length_of(&n);
	if (slash && (str_to_u64(slash + 1, n.bits, &bits) || (slash[1] == '0' && slash[2])))
		return wrong(why, "has no length of a prefix behind the slash");
	if (slash)
		n.bits = (unsigned int)bits;
	if (check_host_bits(&n, why))
		return -1;
	*ret = n;
	return 0;
}

void network_format(const struct network *n, char ret[NETWORK_TEXT])
{
	size_t len;

	inet_ntop(n->six ? AF_INET6 : AF_INET, n->addr, ret, NETWORK_TEXT);
	len = strlen(ret);
	if (n->bits < length_of(n))
		snprintf(ret + len, NETWORK_TEXT - len, "/%u", n->bits);
}

bool network_contains(const struct network *outer, const struct network *inner)
{
	struct network cut = *inner;

	if (outer->six != inner->six || outer->bits > inner->bits)
		return false;
	cut.bits = outer->bits;
	mask(&cut);
	return !memcmp(cut.addr, outer->addr, sizeof(cut.addr));
}

void network_list_add(struct network_list *l, const struct network *n)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
	}
	l->v[l->n++] = *n;
}

void network_list_release(struct network_list *l)
{
	free(l->v);
	*l = (struct network_list)NETWORK_LIST_INIT;
}

static int compare(const void *va, const void *vb)
{
	const struct network *a = va, *b = vb;
	int by_address = memcmp(a->addr, b->addr, sizeof(a->addr));

	if (a->six != b->six)
		return a->six ? 1 : -1;
	return by_address ? by_address : (int)a->bits - (int)b->bits;
}

void network_list_sort(struct network_list *l)
{
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), compare);
}

/* Networks contain each other or have nothing in common; so one that overlaps any before it
 * overlaps the last one that none before it contains. */
bool network_list_overlap(const struct network_list *l, const struct network **ret_outer,
			  const struct network **ret_inner)
{
	for (size_t i = 1; i < l->n; i++)
		if (network_contains(&l->v[i - 1], &l->v[i])) {
			*ret_outer = &l->v[i - 1];
			*ret_inner = &l->v[i];
			return true;
		}
	return false;
}

void network_list_merge(struct network_list *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (!kept || !network_contains(&l->v[kept - 1], &l->v[i]))
			l->v[kept++] = l->v[i];
	l->n = kept;
}

/* The last that does not come behind it is the only one that can contain it. */
bool network_list_has(const struct network_list *l, const struct network *n)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&l->v[middle], n) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low && network_contains(&l->v[low - 1], n);
}
