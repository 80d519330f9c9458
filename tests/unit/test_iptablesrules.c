/* SPDX-License-Identifier: Apache-2.0 */
/* Table filter of iptables as text. That iptables writes it so, and takes it so, is
 * tests/firewall-iptables.bats. */
#include "backends/firewall/iptablesrules.h"

#include "test.h"

#define CHAINS(policy) ":INPUT " policy " [0:0]\n:FORWARD ACCEPT [0:0]\n"
#define DECLARED ":SYSBOXUP - [0:0]\n"
#define JUMP "-A INPUT -p tcp -m comment --comment \"sysboxup: Docker API\" -j SYSBOXUP\n"
#define RULE(match, port, family) \
	"-A SYSBOXUP " match "-p tcp -m tcp --dport " port \
	" -m comment --comment \"sysboxup: Docker API, IPv" family "\" -j ACCEPT\n"
#define CI RULE("-s 10.1.0.0/24 ", "2376", "4")
#define CI_OPENING "4 10.1.0.0/24 2376"
#define ONE RULE("-s 10.2.0.5/32 ", "2376", "4")
#define ONE_OPENING "4 10.2.0.5 2376"
#define SSH "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n"
#define NAT "*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n"

/* What INPUT with that policy and these rules does with it. */
static enum opening_state judge(const char *policy, const char *rules, const char *opening)
{
	struct iptables_filter f CLEANUP(iptables_filter_release) = { .n = 0 };
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct opening o;

	buf_addf(&text, NAT "*filter\n:INPUT %s [0:0]\n%sCOMMIT\n", policy, rules);
	iptables_filter_read(&f, text.data);
	CHECK(f.there);
	CHECK(!opening_parse(opening, &o));
	return iptables_filter_judge(&f, &o);
}

static enum opening_state ci(const char *rules) { return judge("DROP", rules, CI_OPENING); }

TEST(ours, "a rule in our chain is ours to the byte, and where INPUT leads to it")
{
	CHECK_INT(ci(JUMP CI), OPENING_OURS);
	CHECK_INT(ci(JUMP ONE CI SSH), OPENING_OURS);
	CHECK_INT(ci(SSH JUMP CI), OPENING_OURS);
	CHECK_INT(ci("[1:60] " JUMP "[1:60] " CI), OPENING_OURS);
	CHECK_INT(ci(CI), OPENING_ABSENT);
	CHECK_INT(ci(JUMP RULE("-s 10.0.0.0/8 ", "2376", "4")), OPENING_ABSENT);
	CHECK_INT(ci(JUMP RULE("-s 10.1.0.0/24 ", "2375", "4")), OPENING_ABSENT);
	CHECK_INT(judge("DROP", JUMP RULE("-i wg0 ", "2376", "6"), "6 interface:wg0 2376"),
		  OPENING_OURS);
	CHECK_INT(judge("DROP", JUMP RULE("-i wg0 ", "2376", "6"), "4 interface:wg0 2376"),
		  OPENING_ABSENT);
	CHECK_INT(judge("DROP", JUMP RULE("", "2376", "6"), "6 ::/0 2376"), OPENING_OURS);
	CHECK_INT(judge("DROP", JUMP RULE("-s fd01::2/128 ", "2376", "6"), "6 fd01::2 2376"),
		  OPENING_OURS);
}

TEST(theirs,
     "whom another rule lets in, by source, port, chain or new connections, needs none of ours")
{
	static const char *const yes[] = {
		"-A INPUT -s 10.1.0.0/24 -p tcp -m tcp --dport 2376 -j ACCEPT\n",
		"-A INPUT -p tcp -m tcp --dport 2376 -m comment --comment \"a -j DROP\" -j ACCEPT\n",
		"-A INPUT -s 10.0.0.0/8 -j ACCEPT\n",
		"-A INPUT -p tcp -m multiport --dports 80,2300:2400 -j ACCEPT\n",
		"-A INPUT -p tcp -m state --state NEW,ESTABLISHED -m tcp --dport 2376 -j ACCEPT\n",
		"-A INPUT -p tcp -m tcp --dport 2376 --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT\n",
		"-A INPUT -j LOG\n-A INPUT -j A\n-A A -p tcp -g B\n-A B -s 10.1.0.0/16 -j ACCEPT\n",
		"-A INPUT -j A\n-A A -j RETURN\n-A A -j DROP\n-A INPUT -s 10.1.0.0/24 -j ACCEPT\n",
	};
	static const char *const no[] = {
		SSH,
		"-A INPUT -s 10.1.0.0/25 -p tcp -m tcp --dport 2376 -j ACCEPT\n",
		"-A INPUT ! -s 10.1.0.0/24 -p tcp -m tcp --dport 2376 -j ACCEPT\n",
		"-A INPUT -p udp -m udp --dport 2376 -j ACCEPT\n",
		"-A INPUT -p tcp -m multiport --dports 80,2377:2400 -j ACCEPT\n",
		"-A INPUT -i eth0 -p tcp -m tcp --dport 2376 -j ACCEPT\n",
		"-A INPUT -p tcp -m tcp --dport 2376 -m limit --limit 5/min -j ACCEPT\n",
		"-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n",
		"-A FORWARD -j ACCEPT\n",
		"-A INPUT -j DROP\n-A INPUT -s 10.1.0.0/24 -j ACCEPT\n",
		"-A INPUT -g A\n-A INPUT -s 10.1.0.0/24 -j ACCEPT\n",
		"-A INPUT -j A\n-A A -j A\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		CHECK_INT(ci(yes[i]), OPENING_THEIRS);
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		CHECK_INT(ci(no[i]), OPENING_ABSENT);
	CHECK_INT(judge("DROP", "-A INPUT -i wg0 -j ACCEPT\n", "4 interface:wg0 2376"),
		  OPENING_THEIRS);
}

TEST(denied,
     "a rule that says no to a part of it, or to the port, is not overruled; one to all the rest is")
{
	static const char *const no[] = {
		"-A INPUT -p tcp -m tcp --dport 2376 -j DROP\n" JUMP CI,
		"-A INPUT -s 10.1.0.66/32 -j DROP\n" JUMP CI,
		"-A INPUT -s 10.1.0.0/24 -p tcp -j REJECT --reject-with tcp-reset\n",
		"-A INPUT -i eth0 -s 10.0.0.0/8 -j DROP\n",
		"-A INPUT -s 10.1.0.0/24 -j A\n-A A -j DROP\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		CHECK_INT(ci(no[i]), OPENING_DENIED);
	CHECK_INT(ci(JUMP CI "-A INPUT -p tcp -m tcp --dport 2376 -j DROP\n"), OPENING_OURS);
	CHECK_INT(ci("-A INPUT -s 10.9.0.0/24 -j DROP\n"), OPENING_ABSENT);
	CHECK_INT(ci("-A INPUT -i eth0 -j DROP\n" JUMP CI), OPENING_OURS);
	CHECK_INT(judge("ACCEPT",
			JUMP SSH "-A INPUT -j REJECT --reject-with icmp-port-unreachable\n",
			CI_OPENING),
		  OPENING_ABSENT);
	CHECK_INT(judge("DROP", "-A INPUT -i wg0 -j DROP\n", "4 interface:wg0 2376"),
		  OPENING_DENIED);
}

static bool dropping(const char *filter)
{
	struct iptables_filter f CLEANUP(iptables_filter_release) = { .n = 0 };

	iptables_filter_read(&f, filter);
	return iptables_filter_drops(&f);
}

TEST(drops,
     "INPUT drops by its policy, by its last rule, or in a chain; what asks for more does not count")
{
#define FILTER(policy, rules) "*filter\n" CHAINS(policy) rules "COMMIT\n"
	CHECK(dropping(FILTER("DROP", "")));
	CHECK(dropping(FILTER("ACCEPT",
			      SSH "-A INPUT -j REJECT --reject-with icmp-host-prohibited\n")));
	CHECK(dropping(FILTER("ACCEPT", "-A INPUT -j END\n-A END -j LOG\n-A END -j DROP\n")));
	CHECK(dropping(FILTER("ACCEPT", "-A INPUT -p tcp -m conntrack --ctstate NEW -j DROP\n")));
	CHECK(!dropping(FILTER("ACCEPT", SSH)));
	CHECK(!dropping(FILTER("ACCEPT",
			       "-A INPUT -s 10.0.0.0/8 -j DROP\n-A INPUT -i eth0 -j DROP\n")));
	CHECK(!dropping(FILTER("ACCEPT", "-A FORWARD -j DROP\n-A INPUT -p udp -j DROP\n")));
	CHECK(!dropping(FILTER("DROP", "-A INPUT -j ACCEPT\n")));
	CHECK(!dropping("") && !dropping(NAT));
	CHECK(!dropping("*raw\n:INPUT DROP [0:0]\nCOMMIT\n"));
	CHECK_INT(judge("ACCEPT", SSH, CI_OPENING), OPENING_OPEN);
}

static const char *batch(struct buf *ret, const char *rules, bool put, const char *const *openings)
{
	struct iptables_filter f CLEANUP(iptables_filter_release) = { .n = 0 };
	struct strv all CLEANUP(strv_release) = STRV_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	buf_addf(&text, "*filter\n" CHAINS("DROP") "%sCOMMIT\n", rules);
	iptables_filter_read(&f, text.data);
	strv_addv(&all, openings);
	buf_clear(ret);
	(put ? iptables_filter_put : iptables_filter_take)(&f, &all, false, ret);
	return ret->data;
}

TEST(told,
     "iptables is told what is missing, and with the last rule takes chain and jump out, if nobody else uses them")
{
	struct buf b CLEANUP(buf_release) = BUF_INIT;
	const char *const both[] = { CI_OPENING, ONE_OPENING, "6 fd01::2 2376", NULL },
			  *const first[] = { CI_OPENING, NULL }, *const six[] = { both[2], NULL };
#define BATCH(lines) "*filter\n" lines "COMMIT\n"
#define INSERT "-I INPUT 1 -p tcp -m comment --comment \"sysboxup: Docker API\" -j SYSBOXUP\n"
#define DELETE "-D INPUT -p tcp -m comment --comment \"sysboxup: Docker API\" -j SYSBOXUP\n"

	CHECK_STR(batch(&b, SSH, true, both), BATCH(DECLARED CI ONE INSERT));
	CHECK_STR(batch(&b, DECLARED JUMP CI SSH, true, both), BATCH(ONE));
	CHECK_STR(batch(&b, DECLARED SSH CI, true, first), BATCH(INSERT));
	CHECK_STR(batch(&b, DECLARED JUMP CI SSH, true, first), "");
	CHECK_STR(batch(&b, "-A INPUT -s 10.0.0.0/8 -j ACCEPT\n", true, both), "");
	CHECK_STR(batch(&b, SSH, true, six), "");
	/* out again */
	char *gone CLEANUP(freep) = xasprintf(BATCH("-D %s" DELETE "-X SYSBOXUP\n"), &CI[3]);

	CHECK_STR(batch(&b, DECLARED JUMP CI SSH, false, both), gone);
	char *one CLEANUP(freep) = xasprintf(BATCH("-D %s"), &CI[3]);

	CHECK_STR(batch(&b, DECLARED JUMP CI ONE, false, first), one);
	CHECK_STR(batch(&b, DECLARED JUMP CI "-A SYSBOXUP -s 10.7.0.1/32 -j ACCEPT\n", false,
			first),
		  one);
	CHECK_STR(batch(&b, DECLARED JUMP CI "-A FORWARD -j SYSBOXUP\n", false, first), one);
	CHECK_STR(batch(&b, SSH, false, both), "");
}

static const char *added(struct buf *text, const char *before, size_t file, const char *opening)
{
	buf_clear(text);
	buf_adds(text, before);
	iptablesrules_add(text, file, opening);
	return text->data;
}

#define BEGIN "# Generated by me\n" NAT "*filter\n" CHAINS("DROP")
#define END SSH "COMMIT\n# Completed\n"

TEST(files,
     "in a file ours stands in front of all rules, of its family alone; out again, not a byte differs")
{
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	CHECK_STR(added(&b, BEGIN END, 0, CI_OPENING), BEGIN DECLARED JUMP CI END);
	iptablesrules_add(&b, 2, ONE_OPENING);
	CHECK_STR(b.data, BEGIN DECLARED JUMP CI ONE END);
	iptablesrules_add(&b, 0, CI_OPENING);
	CHECK_STR(b.data, BEGIN DECLARED JUMP CI ONE END);
	iptablesrules_take(&b, CI_OPENING);
	CHECK_STR(b.data, BEGIN DECLARED JUMP ONE END);
	iptablesrules_take(&b, ONE_OPENING);
	CHECK_STR(b.data, BEGIN END);
	iptablesrules_take(&b, ONE_OPENING);
	CHECK_STR(b.data, BEGIN END);
	CHECK_STR(added(&b, BEGIN END, 1, CI_OPENING), BEGIN END);
	CHECK_STR(added(&b, "", 0, CI_OPENING), "");
	CHECK_STR(added(&b, NAT, 0, CI_OPENING), NAT);
	CHECK_STR(added(&b, "*filter\nCOMMIT", 0, CI_OPENING),
		  "*filter\n" DECLARED JUMP CI "COMMIT");
	CHECK_STR(added(&b, "*filter\n:A - [0:0]\n-A INPUT -j A\n:B - [0:0]\nCOMMIT\n", 0,
			CI_OPENING),
		  "*filter\n:A - [0:0]\n" DECLARED JUMP CI "-A INPUT -j A\n:B - [0:0]\nCOMMIT\n");
	/* saved again by somebody, with counters, and with a rule of his own in our chain */
	buf_clear(&b);
	buf_adds(&b, "*filter\n:SYSBOXUP - [3:4]\n[1:2] " JUMP SSH "[1:2] " CI "COMMIT\n");
	iptablesrules_take(&b, CI_OPENING);
	CHECK_STR(b.data, "*filter\n" SSH "COMMIT\n");
	buf_clear(&b);
	buf_adds(&b, BEGIN DECLARED JUMP CI "-A SYSBOXUP -s 10.7.0.1/32 -j ACCEPT\n" END);
	iptablesrules_take(&b, CI_OPENING);
	CHECK_STR(b.data, BEGIN DECLARED JUMP "-A SYSBOXUP -s 10.7.0.1/32 -j ACCEPT\n" END);
}

TEST(back,
     "put back is what stood there before; the same are the same rules of ours in the bytes of others")
{
	struct buf now CLEANUP(buf_release) = BUF_INIT, before CLEANUP(buf_release) = BUF_INIT;

	buf_adds(&before, BEGIN DECLARED JUMP CI ONE END);
	buf_adds(&now, BEGIN DECLARED JUMP ONE END);
	CHECK(!iptablesrules_same(&now, &before));
	iptablesrules_put(&now, &before, CI_OPENING);
	CHECK_STR(now.data, BEGIN DECLARED JUMP ONE CI END);
	CHECK(iptablesrules_same(&now, &before));
	iptablesrules_put(&now, &before, "4 10.9.0.1 2376");
	CHECK_STR(now.data, BEGIN DECLARED JUMP ONE CI END);
	buf_adds(&now, "# of mine\n");
	CHECK(!iptablesrules_same(&now, &before));
	buf_clear(&now);
	CHECK(!iptablesrules_same(&now, &before));
}

TEST(whole,
     "a file that was cut short in a table is not whole, nor one with zeros in it; an empty one is")
{
	static const char text[] = "*nat\nCOMMIT\n*filter\n" SSH "COMMIT\n";
	struct buf part CLEANUP(buf_release) = BUF_INIT;

	for (size_t n = 0; n < strlen(text) - 1; n++) {
		bool between = !n || n == strlen("*nat\nCOMMIT") || n == strlen("*nat\nCOMMIT\n");

		CHECK_INT(iptablesrules_whole(&part), between);
		buf_addc(&part, text[n]);
	}
	CHECK(iptablesrules_whole(&part));
	part.data[3] = '\0';
	CHECK(!iptablesrules_whole(&part));
	buf_clear(&part);
	buf_adds(&part, "*nat\n*filter\nCOMMIT\n");
	CHECK(!iptablesrules_whole(&part));
}

TEST(listed, "listed are ours alone, each in the spelling of an opening")
{
	struct iptables_filter f CLEANUP(iptables_filter_release) = { .n = 0 };
	struct strv all CLEANUP(strv_release) = STRV_INIT;

	iptables_filter_read(
		&f,
		"*filter\n" DECLARED JUMP CI ONE RULE("-i wg0 ", "2376", "6") RULE("", "2376", "4")
			RULE("-s fd01::/64 ", "99",
			     "6") "-A SYSBOXUP -s 10.7.0.1/32 -j ACCEPT\n"
				  "-A SYSBOXUP -s 10.7.0.1/32 -p tcp -m tcp --dport 2376 -m comment "
				  "--comment \"sysboxup: Docker API, IPv4\" -j DROP\nCOMMIT\n");
	iptables_filter_list(&f, &all);
	char *joined CLEANUP(freep) = strv_join(&all, ";");

	CHECK_STR(joined, CI_OPENING ";" ONE_OPENING ";6 interface:wg0 2376;4 0.0.0.0/0 2376;"
				     "6 fd01::/64 99");
}

RUN_TESTS()
