/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of firewalld as text. That firewalld takes it so is tests/firewall-firewalld.bats. */
#include "backends/firewall/firewalldpolicy.h"

#include "test.h"

#define HEAD \
	"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<policy priority=\"-100\" target=\"CONTINUE\">\n" \
	"  <short>sysboxup: Docker API</short>\n"
#define TAIL "  <ingress-zone name=\"ANY\"/>\n  <egress-zone name=\"HOST\"/>\n</policy>\n"
#define RULE(family, source, port) \
	"  <rule family=\"" family "\">\n    <source address=\"" source "\"/>\n" \
	"    <port port=\"" port "\" protocol=\"tcp\"/>\n    <accept/>\n  </rule>\n"
#define CI RULE("ipv4", "10.1.0.0/24", "2376")
#define CI_OPENING "4 10.1.0.0/24 2376"
#define SIX RULE("ipv6", "fd01::2", "2376")
#define SIX_OPENING "6 fd01::2 2376"
#define SERVICE "  <service name=\"ssh\"/>\n"

static const char *after_add(struct buf *text, const char *before, const char *opening)
{
	buf_clear(text);
	buf_adds(text, before);
	firewalldpolicy_add(text, 0, opening);
	return text->data;
}

static const char *after_take(struct buf *text, const char *before, const char *opening)
{
	buf_clear(text);
	buf_adds(text, before);
	firewalldpolicy_take(text, opening);
	return text->data;
}

TEST(added, "the first rule makes the policy, the next stands behind it, one that is there is not made twice")
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	CHECK_STR(after_add(&text, "", CI_OPENING), HEAD CI TAIL);
	CHECK_STR(after_add(&text, HEAD CI TAIL, SIX_OPENING), HEAD CI SIX TAIL);
	CHECK_STR(after_add(&text, HEAD CI SIX TAIL, CI_OPENING), HEAD CI SIX TAIL);
	CHECK_STR(after_add(&text, HEAD SERVICE "</policy>\n", CI_OPENING), HEAD SERVICE CI "</policy>\n");
	/* an interface is a zone to firewalld, and what is cut short is left alone */
	CHECK_STR(after_add(&text, "", "4 interface:wg0 2376"), "");
	CHECK_STR(after_add(&text, HEAD CI, SIX_OPENING), HEAD CI);
}

TEST(taken, "ours is taken out to the byte, and with the last one the policy; a rule in another spelling stays")
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	CHECK_STR(after_take(&text, HEAD CI SIX TAIL, CI_OPENING), HEAD SIX TAIL);
	CHECK_STR(after_take(&text, HEAD CI TAIL, CI_OPENING), "");
	CHECK_STR(after_take(&text, HEAD CI SERVICE TAIL, CI_OPENING), HEAD SERVICE TAIL);
	CHECK_STR(after_take(&text, HEAD SIX TAIL, CI_OPENING), HEAD SIX TAIL);
	CHECK_STR(after_take(&text, HEAD RULE("ipv4", "10.1.0.0/24", "23760") TAIL, CI_OPENING),
		  HEAD RULE("ipv4", "10.1.0.0/24", "23760") TAIL);
	CHECK_STR(after_take(&text, "", CI_OPENING), "");
}

TEST(put_back, "put back is what was there before, into a policy made anew where that is gone")
{
	struct buf text CLEANUP(buf_release) = BUF_INIT, before CLEANUP(buf_release) = BUF_INIT;

	buf_adds(&before, HEAD CI TAIL);
	firewalldpolicy_put(&text, &before, SIX_OPENING);
	CHECK_STR(text.data, "");
	firewalldpolicy_put(&text, &before, CI_OPENING);
	CHECK_STR(text.data, HEAD CI TAIL);
}

TEST(listed, "the openings of a policy are those of its rules that are written as ours are")
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv all CLEANUP(strv_release) = STRV_INIT;

	buf_adds(&text, HEAD CI "  <rule priority=\"5\" family=\"ipv4\">\n    <source address=\"10.9.0.0/24\"/>\n"
			"    <port port=\"2376\" protocol=\"tcp\"/>\n    <accept/>\n  </rule>\n"
			"  <rule>\n    <drop/>\n  </rule>\n" SIX
			"  <rule family=\"ipv4\">\n    <source address=\"10.8.0.0/24\"/>\n"
			"    <port port=\"2376\" protocol=\"tcp\"/>\n    <drop/>\n  </rule>\n" TAIL);
	firewalldpolicy_list(&text, &all);
	CHECK_INT(all.n, 2);
	CHECK_STR(all.v[0], CI_OPENING);
	CHECK_STR(all.v[1], SIX_OPENING);
}

TEST(whole, "a policy that was cut short at any byte is not whole, nor one with zeros in it; no policy is")
{
	static const char text[] = HEAD CI TAIL;
	struct buf part CLEANUP(buf_release) = BUF_INIT;

	CHECK(firewalldpolicy_whole(&part));
	for (size_t n = 0; n < strlen(text); n++) {
		buf_addc(&part, text[n]);
		CHECK_INT(firewalldpolicy_whole(&part), n + 1 == strlen(text));
	}
	part.data[20] = '\0';
	CHECK(!firewalldpolicy_whole(&part));
}

TEST(same, "the same are rules in whatever order, and all the rest to the byte")
{
	struct buf a CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;

	buf_adds(&a, HEAD CI SIX TAIL);
	buf_adds(&b, HEAD SIX CI TAIL);
	CHECK(firewalldpolicy_same(&a, &b));
	buf_clear(&b);
	buf_adds(&b, HEAD SIX TAIL);
	CHECK(!firewalldpolicy_same(&a, &b));
	buf_clear(&b);
	buf_adds(&b, HEAD SIX CI SERVICE TAIL);
	CHECK(!firewalldpolicy_same(&a, &b));
	buf_clear(&a);
	buf_clear(&b);
	CHECK(firewalldpolicy_same(&a, &b));
}

RUN_TESTS()
