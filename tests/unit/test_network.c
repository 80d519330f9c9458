/* SPDX-License-Identifier: Apache-2.0 */
#include "base/network.h"

#include "test.h"

static char why[NETWORK_WHY];

/* The one way to write s; or, behind "!", why it is refused. */
static const char *canonical(const char *s)
{
	static char text[NETWORK_WHY + 1];
	struct network n;

	if (!network_parse(s, &n, why))
		network_format(&n, text);
	else
		snprintf(text, sizeof(text), "!%s", why);
	return text;
}

TEST(written, "networks are read in every way to write them, and written in one")
{
	CHECK_STR(canonical("10.1.0.0/24"), "10.1.0.0/24");
	CHECK_STR(canonical("10.1.0.5"), "10.1.0.5");
	CHECK_STR(canonical("10.1.0.5/32"), "10.1.0.5");
	CHECK_STR(canonical("0.0.0.0/0"), "0.0.0.0/0");
	CHECK_STR(canonical("10.1.0.128/25"), "10.1.0.128/25");
	CHECK_STR(canonical("FD01:0:0::0002"), "fd01::2");
	CHECK_STR(canonical("fd01::/64"), "fd01::/64");
	CHECK_STR(canonical("fd01::/128"), "fd01::");
	CHECK_STR(canonical("::/0"), "::/0");
}

TEST(refused, "what others read in another way, or look up, is refused with the reason")
{
	CHECK_STR(canonical("10.1.0.5/24"), "!has bits of a host set: the network is 10.1.0.0/24");
	CHECK_STR(canonical("fd01::5/64"), "!has bits of a host set: the network is fd01::/64");
	CHECK_STR(canonical("010.1.0.1"), "!has a leading zero, which some programs read as octal");
	CHECK_STR(canonical("10.1.0.00/24"), "!has a leading zero, which some programs read as octal");
	CHECK_STR(canonical("::ffff:10.1.0.1"),
		  "!is IPv4 written as IPv6, which no packet has: write 10.1.0.1");
	CHECK_STR(canonical("ci.example.org"), "!is no IPv4 or IPv6 address");
	CHECK_STR(canonical("0ff.example"), "!is no IPv4 or IPv6 address");
	CHECK_STR(canonical("10.1.0"), "!is no IPv4 or IPv6 address");
	CHECK_STR(canonical("fe80::1%eth0"), "!is no IPv4 or IPv6 address");
	CHECK_STR(canonical(""), "!is no IPv4 or IPv6 address");
	CHECK_STR(canonical("10.1.0.0/"), "!has no length of a prefix behind the slash");
	CHECK_STR(canonical("10.1.0.0/33"), "!has no length of a prefix behind the slash");
	CHECK_STR(canonical("10.1.0.0/08"), "!has no length of a prefix behind the slash");
	CHECK_STR(canonical("10.1.0.0/24/24"), "!has no length of a prefix behind the slash");
	CHECK_STR(canonical("10.1.0.0/255.255.255.0"), "!has no length of a prefix behind the slash");
	CHECK_STR(canonical("10.1.0.1\n"), "!is no IPv4 or IPv6 address");
}

static void add(struct network_list *l, const char *s)
{
	struct network n;

	CHECK_INT(network_parse(s, &n, why), 0);
	network_list_add(l, &n);
}

static bool has(const struct network_list *l, const char *s)
{
	struct network n;

	return !network_parse(s, &n, why) && network_list_has(l, &n);
}

TEST(lists, "a list is sorted, tells of an overlap wherever it stands, and is merged")
{
	struct network_list l CLEANUP(network_list_release) = NETWORK_LIST_INIT;
	const struct network *outer, *inner;
	char text[NETWORK_TEXT];

	add(&l, "fd01::/64");
	add(&l, "10.1.2.3");
	add(&l, "10.9.0.0/16");
	add(&l, "10.1.1.0/24");
	network_list_sort(&l);
	CHECK(!network_list_overlap(&l, &outer, &inner));
	add(&l, "10.0.0.0/15");
	network_list_sort(&l);
	CHECK(network_list_overlap(&l, &outer, &inner));
	network_format(outer, text);
	CHECK_STR(text, "10.0.0.0/15");
	network_list_merge(&l);
	CHECK_INT(l.n, 3);
	network_format(&l.v[0], text);
	CHECK_STR(text, "10.0.0.0/15");
	CHECK(has(&l, "10.1.255.255") && has(&l, "10.9.0.0/16") && has(&l, "fd01::7"));
	CHECK(!has(&l, "10.2.0.0") && !has(&l, "9.255.255.255") && !has(&l, "fd01:0:0:1::") &&
	      !has(&l, "10.8.0.0/15"));
}

TEST(alike, "the same network twice is an overlap; an IPv6 network overlaps no IPv4 one")
{
	struct network_list l CLEANUP(network_list_release) = NETWORK_LIST_INIT;
	const struct network *outer, *inner;

	add(&l, "::/0");
	add(&l, "10.0.0.0/8");
	network_list_sort(&l);
	CHECK(!network_list_overlap(&l, &outer, &inner));
	add(&l, "10.0.0.0/8");
	network_list_sort(&l);
	CHECK(network_list_overlap(&l, &outer, &inner));
}

RUN_TESTS()
