/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that are let in for a while. */
#include "backends/firewall/timed.h"

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
	CHECK(timed_left_of(&l, &four) > 0 && timed_left_of(&l, &four) <= 600 * 1000);
	CHECK_INT(timed_left_of(&l, &six), 0);
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

RUN_TESTS()
