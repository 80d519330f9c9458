/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that are let in for a while; and what of a loaded table says who is. */
#include "backends/firewall/guard.h"

#include "sys/clock.h"
#include "test.h"

static struct network network(const char *s)
{
	char why[NETWORK_WHY];
	struct network n = { 0 };

	CHECK_INT(network_parse(s, &n, why), 0);
	return n;
}

TEST(clocks, "within a boot the boot clock counts, over one the wall clock, and never more than was given")
{
	char boot[] = "b1";
	const struct timed t = {
		.seconds = 60, .boot_id = boot, .until_boot_ms = 100000, .until = 5000
	};

	CHECK_INT(timed_left_at(&t, "b1", 70000, 9999999), 30000);
	CHECK_INT(timed_left_at(&t, "b1", 100000, 0), 0);
	CHECK_INT(timed_left_at(&t, "b1", 200000, 0), 0);
	CHECK_INT(timed_left_at(&t, "b2", 1, 4990), 10000);
	CHECK_INT(timed_left_at(&t, "b2", 1, 5000), 0);
	CHECK_INT(timed_left_at(&t, "b2", 1, 0), 60000);	/* the clock went back */
}

TEST(commands, "one that is there is replaced, one that is not there can be taken out: in one batch each")
{
	struct timed_list l CLEANUP(timed_list_release) = TIMED_LIST_INIT;
	struct network four = network("10.1.2.3"), six = network("fd01::7");
	struct buf out CLEANUP(buf_release) = BUF_INIT;

	timed_put(&l, &four, 1200, "job 4711");
	timed_put(&l, &four, 600, NULL);
	CHECK_INT(l.n, 1);
	timed_render(&l, &out);
	CHECK_STR(out.data, "add element inet sysboxup timed4 { 10.1.2.3 }\n"
			    "delete element inet sysboxup timed4 { 10.1.2.3 }\n"
			    "add element inet sysboxup timed4 { 10.1.2.3 timeout 600s expires 600s }\n");
	buf_clear(&out);
	timed_render_deny(&six, &out);
	CHECK_STR(out.data, "add element inet sysboxup timed6 { fd01::7 }\n"
			    "delete element inet sysboxup timed6 { fd01::7 }\n");
	CHECK(!timed_drop(&l, &six) && timed_drop(&l, &four) && !l.n);
}

TEST(comments, "a comment has no quotes, no backslash, no line end")
{
	CHECK(timed_comment_ok("job 4711 of lab/x") && timed_comment_ok(""));
	CHECK(!timed_comment_ok("a\"b") && !timed_comment_ok("a'b") && !timed_comment_ok("a\\b") &&
	      !timed_comment_ok("a\nb") && !timed_comment_ok("\x1b[1m") && !timed_comment_ok("\xc3\xa4"));
}

TEST(listing, "who is let in and where, as nft lists it; with an interface nobody can be told apart")
{
	static const char *const text =
		"{\"nftables\": [{\"set\": {\"name\": \"allow4\", \"elem\": [{\"prefix\": {\"addr\": \"10.1.0.0\", \"len\": 24}}, \"10.2.0.5\"]}},"
		"{\"set\": {\"name\": \"timed4\", \"elem\": [{\"elem\": {\"val\": \"10.3.0.9\", \"timeout\": 60, \"expires\": 5}}]}},"
		"{\"set\": {\"name\": \"allowif\"}},"
		"{\"rule\": {\"chain\": \"input\", \"expr\": [{\"match\": {\"left\": {\"payload\": {\"protocol\": \"tcp\", \"field\": \"dport\"}}, \"right\": 2376}}]}}]}";
	static const char *const with =
		"{\"nftables\": [{\"set\": {\"name\": \"allowif\", \"elem\": [\"eth1\"]}}]}";
	struct network_list l CLEANUP(network_list_release) = NETWORK_LIST_INIT;
	struct strv ports CLEANUP(strv_release) = STRV_INIT;
	struct network in = network("10.1.0.77"), timed = network("10.3.0.9"), out = network("10.3.0.8");
	struct json *a CLEANUP(json_freep) = NULL, *b CLEANUP(json_freep) = NULL;
	struct err err = ERR_INIT;

	CHECK_INT(json_parse(text, strlen(text), 0, "", &a, &err), 0);
	CHECK_INT(json_parse(with, strlen(with), 0, "", &b, &err), 0);
	CHECK(guard_allowed(a, &l, &ports));
	CHECK(network_list_has(&l, &in) && network_list_has(&l, &timed) &&
	      !network_list_has(&l, &out));
	CHECK_INT(ports.n, 1);
	CHECK_STR(ports.v[0], "2376");
	CHECK(!guard_allowed(b, &l, &ports));
}

RUN_TESTS()
