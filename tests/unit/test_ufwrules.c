/* SPDX-License-Identifier: Apache-2.0 */
/* The files of ufw as text. That ufw writes them so, and takes them so, is
 * tests/firewall-managers.bats. */
#include "backends/firewall/ufwrules.h"

#include "test.h"

#define HEAD "*filter\n:ufw-user-input - [0:0]\n### RULES ###\n\n"
#define TAIL "### END RULES ###\n\n### LOGGING ###\n-A x -j LOG\n### END LOGGING ###\nCOMMIT\n"
#define RULE(action, match, more) \
	"### tuple ### " action " tcp " match more "\n-A ufw-user-input -j ACCEPT\n\n"
#define COMMENT " comment=737973626f7875703a20446f636b657220415049"
#define CI "2376 0.0.0.0/0 any 10.1.0.0/24 in"
#define CI_OPENING "4 10.1.0.0/24 2376"
#define SSH RULE("allow", "22 0.0.0.0/0 any 0.0.0.0/0 in", "")
#define WEB RULE("allow", "80 0.0.0.0/0 any 0.0.0.0/0 in", "")
#define OURS RULE("allow", CI, COMMENT)
#define OTHER RULE("allow", "2376 0.0.0.0/0 any 10.2.0.5 in", COMMENT)
#define OTHER_OPENING "4 10.2.0.5 2376"

static enum opening_state find(const char *rules, const char *opening)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct opening o;

	buf_addf(&text, HEAD "%s" TAIL, rules);
	CHECK(!opening_parse(opening, &o));
	return ufwrules_find(&text, &o);
}

TEST(found,
     "a rule of the opening is ours by its comment alone, theirs otherwise, and no other rule counts")
{
	CHECK_INT(find("", CI_OPENING), OPENING_ABSENT);
	CHECK_INT(find(SSH OURS WEB, CI_OPENING), OPENING_OURS);
	CHECK_INT(find(SSH RULE("allow", CI, ""), CI_OPENING), OPENING_THEIRS);
	CHECK_INT(find(RULE("allow", CI, " comment=6d696e65"), CI_OPENING), OPENING_THEIRS);
	CHECK_INT(find(RULE("allow_log", CI, COMMENT), CI_OPENING), OPENING_THEIRS);
	CHECK_INT(find(OTHER, CI_OPENING), OPENING_ABSENT);
	CHECK_INT(find(RULE("allow", "23760 0.0.0.0/0 any 10.1.0.0/24 in", COMMENT), CI_OPENING),
		  OPENING_ABSENT);
	CHECK_INT(find(RULE("allow", "2376 10.9.9.9 any 10.1.0.0/24 in", COMMENT), CI_OPENING),
		  OPENING_ABSENT);
	CHECK_INT(find(RULE("allow", "2376 0.0.0.0/0 any 10.1.0.0/24 in_eth0", COMMENT),
		       CI_OPENING),
		  OPENING_ABSENT);
	CHECK_INT(find(RULE("allow", "2376 0.0.0.0/0 any 10.1.0.0/24 - App in", COMMENT),
		       CI_OPENING),
		  OPENING_ABSENT);
	CHECK_INT(find(RULE("allow", "2376 ::/0 any fd01::2 in", COMMENT), "6 fd01::2 2376"),
		  OPENING_OURS);
	CHECK_INT(find(RULE("allow", "2376 ::/0 any ::/0 in_wg0", COMMENT), "6 interface:wg0 2376"),
		  OPENING_OURS);
}

TEST(denied,
     "a rule that differs in the action alone says no, and so does one to everybody in front of it")
{
#define NO RULE("deny", "2376 0.0.0.0/0 any 0.0.0.0/0 in", "")
	CHECK_INT(find(RULE("deny", CI, ""), CI_OPENING), OPENING_DENIED);
	CHECK_INT(find(RULE("limit", CI, COMMENT), CI_OPENING), OPENING_DENIED);
	CHECK_INT(find(NO, CI_OPENING), OPENING_DENIED);
	CHECK_INT(find(NO RULE("allow", CI, ""), CI_OPENING), OPENING_DENIED);
	CHECK_INT(find(NO OURS, CI_OPENING), OPENING_OVERRULED); /* ours to take, all the same */
	CHECK_INT(find(OURS NO, CI_OPENING), OPENING_OURS);
	CHECK_INT(find("### tuple ### reject any any 0.0.0.0/0 any 0.0.0.0/0 in\n-A\n\n",
		       CI_OPENING),
		  OPENING_DENIED);
	CHECK_INT(find(RULE("deny", "22 0.0.0.0/0 any 0.0.0.0/0 in", ""), CI_OPENING),
		  OPENING_ABSENT);
}

TEST(whole, "a file that was cut short at any byte is not whole, nor one with zeros in it")
{
	static const char text[] = HEAD SSH OURS TAIL;
	struct buf part CLEANUP(buf_release) = BUF_INIT;

	for (size_t n = 0; n < strlen(text); n++) {
		CHECK(!ufwrules_whole(&part));
		buf_addc(&part, text[n]);
	}
	CHECK(ufwrules_whole(&part));
	part.data[20] = '\0';
	CHECK(!ufwrules_whole(&part));
}

static const char *after_take(struct buf *text, const char *rules, const char *opening)
{
	buf_clear(text);
	buf_addf(text, HEAD "%s" TAIL, rules);
	ufwrules_take(text, opening);
	return text->data;
}

static const char *after_put(struct buf *text, const char *rules, const char *before)
{
	struct buf was CLEANUP(buf_release) = BUF_INIT;

	buf_clear(text);
	buf_addf(text, HEAD "%s" TAIL, rules);
	buf_addf(&was, HEAD "%s" TAIL, before);
	ufwrules_put(text, &was, CI_OPENING);
	return text->data;
}

TEST(taken, "ours is taken out to the byte, theirs is not")
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	CHECK_STR(after_take(&text, SSH OURS WEB, CI_OPENING), HEAD SSH WEB TAIL);
	CHECK_STR(after_take(&text, OURS, CI_OPENING), HEAD TAIL);
	CHECK_STR(after_take(&text, SSH OURS OTHER, OTHER_OPENING), HEAD SSH OURS TAIL);
	CHECK_STR(after_take(&text, SSH RULE("allow", CI, ""), CI_OPENING),
		  HEAD SSH RULE("allow", CI, "") TAIL);
	CHECK_STR(after_take(&text, "", CI_OPENING), HEAD TAIL);
}

TEST(put_back,
     "put back it stands behind the rule that it followed and that is still there, or first")
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	CHECK_STR(after_put(&text, SSH WEB, SSH OURS WEB), HEAD SSH OURS WEB TAIL);
	CHECK_STR(after_put(&text, WEB SSH OTHER, SSH OURS WEB), HEAD WEB SSH OURS OTHER TAIL);
	CHECK_STR(after_put(&text, WEB, SSH OURS WEB), HEAD OURS WEB TAIL);
	CHECK_STR(after_put(&text, SSH, WEB SSH OTHER OURS), HEAD SSH OURS TAIL);
	CHECK_STR(after_put(&text, "", OURS), HEAD OURS TAIL);
	/* it is there, by whomever; or it never was */
	CHECK_STR(after_put(&text, RULE("allow", CI, ""), OURS), HEAD RULE("allow", CI, "") TAIL);
	CHECK_STR(after_put(&text, SSH, SSH), HEAD SSH TAIL);
	CHECK_STR(after_put(&text, OURS, OURS), HEAD OURS TAIL);
}

TEST(same,
     "the same are rules in their order and what is logged; a file as packaged says nothing of that")
{
	struct buf a CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;

	buf_adds(&a, HEAD SSH WEB TAIL);
	buf_adds(&b, "*filter\n:ufw-user-input - [0:0]\n# of mine\n### RULES ###\n\n" SSH WEB TAIL);
	CHECK(ufwrules_same(&a, &b));
	buf_clear(&b);
	buf_adds(&b, HEAD WEB SSH TAIL);
	CHECK(!ufwrules_same(&a, &b));
	buf_clear(&b);
	buf_adds(&b, HEAD SSH WEB "### LOGGING ###\n-A y -j LOG\n### END LOGGING ###\nCOMMIT\n");
	CHECK(!ufwrules_same(&a, &b));
	buf_clear(&a);
	buf_clear(&b);
	buf_adds(&a, HEAD TAIL);
	buf_adds(&b, "*filter\n### RULES ###\nCOMMIT\n");
	CHECK(ufwrules_same(&a, &b));
}

TEST(words, "an opening is text in one spelling, and words for a person")
{
	struct strv all CLEANUP(strv_release) = STRV_INIT;
	struct network n;
	char why[NETWORK_WHY];
	struct opening o;

	CHECK(!network_parse("10.1.0.0/24", &n, why));
	opening_add_network(&all, &n, "2376");
	opening_add_interface(&all, "wg0", "2376");
	CHECK_INT(all.n, 3);
	CHECK_STR(all.v[0], CI_OPENING);
	char *network CLEANUP(freep) = opening_words(all.v[0]);
	char *interface CLEANUP(freep) = opening_words(all.v[2]);

	CHECK_STR(network, "10.1.0.0/24 to port 2376");
	CHECK_STR(interface, "interface wg0 to port 2376 (IPv6)");
	CHECK(opening_parse("5 10.1.0.0/24 2376", &o) && opening_parse("", &o) &&
	      opening_parse("4 10.1.0.0/24 2376 x", &o) && opening_parse("4 a 1234567890", &o));
}

RUN_TESTS()
