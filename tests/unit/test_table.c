/* SPDX-License-Identifier: Apache-2.0 */
/* The firewall's table as text and as nft lists it, and what other firewalls' listings say. That
 * nft takes the text, and what the kernel makes of it, is tests/firewall.bats. */
#include "backends/firewall/nft.h"
#include "backends/firewall/others.h"
#include "backends/firewall/table.h"

#include "test.h"

static void render(const char *const *networks, const char *const *interfaces,
		   const char *const *ports, struct buf *ret)
{
	struct network_list l CLEANUP(network_list_release) = NETWORK_LIST_INIT;
	struct strv i CLEANUP(strv_release) = STRV_INIT, p CLEANUP(strv_release) = STRV_INIT;
	const struct table t = { &l, &i, &p };
	char why[NETWORK_WHY];
	struct network n;

	for (; *networks; networks++)
		if (!network_parse(*networks, &n, why))
			network_list_add(&l, &n);
	strv_addv(&i, interfaces);
	strv_addv(&p, ports);
	table_render(&t, ret);
}

static const char *const none[] = { NULL };
static const char *const port[] = { "2376", NULL };

TEST(text, "the base chain judges the API's ports and no other packet; sets are flushed and filled, not made anew")
{
	static const char *const networks[] = { "10.1.0.0/24", "10.2.0.5", "fd01::2", NULL };
	static const char *const interfaces[] = { "eth1", NULL };
	static const char *const ports[] = { "2376", "2377", NULL };
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	render(networks, interfaces, ports, &text);
	CHECK(strstr(text.data, "\tchain input {\n\t\ttcp dport 2376 goto api\n\t\ttcp dport 2377 goto api\n\t}\n"));
	CHECK(strstr(text.data, "hook input priority filter - 5; policy accept;"));
	CHECK(strstr(text.data, "flush set inet sysboxup allow4\n"
				"add element inet sysboxup allow4 {\n\t10.1.0.0/24,\n\t10.2.0.5\n}\n"));
	CHECK(strstr(text.data, "add element inet sysboxup allow6 {\n\tfd01::2\n}\n"));
	CHECK(strstr(text.data, "add element inet sysboxup allowif { \"eth1\" }\n"));
	CHECK(!strstr(text.data, "flush set inet sysboxup timed") && !strstr(text.data, "delete") &&
	      !strstr(text.data, "ruleset") && !strstr(text.data, "established"));
}

TEST(halves, "anew it is loaded in two halves: sets and elements, then chains and rules")
{
	static const char *const networks[] = { "10.1.0.0/24", NULL };
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	render(networks, none, port, &text);
	size_t split = table_split(text.data);
	char *first CLEANUP(freep) = xstrndup(text.data, split);
	CHECK(split > 0 && split < text.len);
	CHECK(strstr(first, "10.1.0.0/24") && !strstr(first, "chain"));
	CHECK(strstr(text.data + split, "goto api") && !strstr(text.data + split, "element"));
	CHECK_INT(table_split("nothing of ours"), strlen("nothing of ours"));
}

TEST(allowed, "who is let in and where is read from the text; with an interface nobody can be told apart")
{
	static const char *const networks[] = { "10.1.0.0/24", "fd01::2", NULL };
	static const char *const eth[] = { "eth1", NULL };
	static const char *const ports[] = { "2376", "2377", NULL };
	struct network_list l CLEANUP(network_list_release) = NETWORK_LIST_INIT;
	struct strv p CLEANUP(strv_release) = STRV_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT, with CLEANUP(buf_release) = BUF_INIT;

	render(networks, none, ports, &text);
	render(networks, eth, ports, &with);
	CHECK(table_allowed(text.data, &l, &p));
	CHECK_INT(l.n, 2);
	CHECK_INT(l.v[0].bits, 24);
	CHECK(l.v[1].six);
	CHECK_INT(p.n, 2);
	CHECK_STR(p.v[1], "2377");
	CHECK(!table_allowed(with.data, &l, &p));
}

TEST(cut, "a text that somebody cut short is read to its end, wherever that is")
{
	static const char *const networks[] = { "10.1.0.0/24", "fd01::2", NULL };
	static const char *const ports[] = { "2376", "2377", NULL };
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	render(networks, none, ports, &text);
	for (size_t len = text.len; len-- > 0;) {
		struct network_list l CLEANUP(network_list_release) = NETWORK_LIST_INIT;
		struct strv p CLEANUP(strv_release) = STRV_INIT;
		char *some CLEANUP(freep) = xstrndup(text.data, len);

		CHECK(table_allowed(some, &l, &p) && l.n <= 2 && p.n <= 2);
	}
}

TEST(empty, "an empty list leaves empty sets")
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	render(none, none, port, &text);
	CHECK(strstr(text.data, "flush set inet sysboxup allow4\n") && !strstr(text.data, "element"));
}

/* ---- listings ---- */

#define HEAD "{\"nftables\": [{\"metainfo\": {\"version\": \"1.0.6\"}}, {\"table\": {\"family\": \"inet\", \"name\": \"sysboxup\", \"handle\": 4}},"
#define COUNTER(n) "{\"counter\": {\"name\": \"refused\", \"handle\": 1, \"packets\": " n ", \"bytes\": 60}},"
#define SET(elements) "{\"set\": {\"name\": \"allow4\", \"handle\": 2, \"flags\": [\"interval\"], \"elem\": [" elements "]}},"
#define TIMED(elements) "{\"set\": {\"name\": \"timed4\", \"handle\": 3, \"flags\": [\"timeout\"], \"elem\": [" elements "]}},"
#define CHAIN "{\"chain\": {\"name\": \"api\", \"handle\": 5}},"
#define RULE(handle, verdict) "{\"rule\": {\"chain\": \"api\", \"handle\": " handle ", \"expr\": [{\"" verdict "\": null}]}}"
#define NET "{\"prefix\": {\"addr\": \"10.1.0.0\", \"len\": 24}}"
#define OURS HEAD COUNTER("0") SET(NET ", \"10.2.0.5\"") TIMED("") CHAIN RULE("7", "accept") "," RULE("8", "drop") "]}"

/* What differs, or "same". */
static const char *difference(const char *now)
{
	static struct buf words = BUF_INIT;
	struct json *a CLEANUP(json_freep) = NULL, *b CLEANUP(json_freep) = NULL;
	struct err err = ERR_INIT;

	buf_clear(&words);
	CHECK_INT(json_parse(now, strlen(now), 0, "now", &a, &err), 0);
	CHECK_INT(json_parse(OURS, strlen(OURS), 0, "ours", &b, &err), 0);
	return table_same(a, b, &words) ? "same" : words.data;
}

TEST(same, "handles, counts, timed entries and the order of elements are no drift")
{
	CHECK_STR(difference(OURS), "same");
	CHECK_STR(difference(HEAD COUNTER("9") SET("\"10.2.0.5\", " NET) TIMED("{\"elem\": {\"val\": \"10.3.0.1\"}}")
			     CHAIN RULE("17", "accept") "," RULE("18", "drop") "]}"), "same");
}

TEST(drift, "everything else is, and is named")
{
	CHECK_STR(difference(HEAD COUNTER("0") SET("\"10.2.0.5\"") TIMED("") CHAIN RULE("7", "accept") "," RULE("8", "drop") "]}"),
		  "set allow4: 10.1.0.0/24 is missing");
	CHECK_STR(difference(HEAD COUNTER("0") SET(NET ", \"10.2.0.4\", \"10.2.0.5\"") TIMED("") CHAIN RULE("7", "accept") "," RULE("8", "drop") "]}"),
		  "set allow4: 10.2.0.4 is not ours");
	CHECK_STR(difference(HEAD COUNTER("0") SET(NET ", \"10.2.0.5\"") TIMED("") CHAIN RULE("8", "drop") "]}"),
		  "chain api is not as it was loaded");
	CHECK_STR(difference(HEAD COUNTER("0") SET(NET ", \"10.2.0.5\"") TIMED("") CHAIN RULE("8", "drop") "," RULE("7", "accept") "]}"),
		  "chain api is not as it was loaded");
	CHECK_STR(difference(HEAD COUNTER("0") SET(NET ", \"10.2.0.5\"") TIMED("") "{\"chain\": {\"name\": \"more\"}}," CHAIN
			     RULE("7", "accept") "," RULE("8", "drop") "]}"),
		  "chain more is not as it was loaded");
}

TEST(bare, "the elements of the text come on top of a listing without them")
{
	static const char *const networks[] = { "10.1.0.0/24", "10.2.0.5", NULL };
	static const char *const eth[] = { "eth1", NULL };
	struct json *now CLEANUP(json_freep) = NULL, *bare CLEANUP(json_freep) = NULL;
	struct buf text CLEANUP(buf_release) = BUF_INIT, rest CLEANUP(buf_release) = BUF_INIT,
		       more CLEANUP(buf_release) = BUF_INIT;
	const char *empty = HEAD COUNTER("0") SET("") TIMED("") CHAIN RULE("7", "accept") "," RULE("8", "drop") "]}";
	struct err err = ERR_INIT;

	render(networks, none, port, &text);
	buf_adds(&text, "add element inet sysboxup timed4 { 10.3.0.1 }\ndelete element inet sysboxup timed4 { 10.3.0.1 }\n");
	table_bare(text.data, &rest);
	CHECK(!strstr(rest.data, "10.2.0.5") && strstr(rest.data, "goto api") &&
	      strstr(rest.data, "add element inet sysboxup timed4 { 10.3.0.1 }\ndelete element inet sysboxup timed4 { 10.3.0.1 }\n"));
	CHECK_INT(json_parse(OURS, strlen(OURS), 0, "", &now, &err), 0);
	CHECK_INT(json_parse(empty, strlen(empty), 0, "", &bare, &err), 0);
	CHECK(table_same_bare(now, bare, text.data));
	render(none, eth, port, &more);
	CHECK(!table_same_bare(now, bare, more.data));
	buf_adds(&text, "add element inet sysboxup allowif { \"eth1\" }\n");
	CHECK(!table_same_bare(now, bare, text.data));
}

TEST(strip, "what is no part of the table is taken out, rules first; a name that could be read as a command is left")
{
	struct json *a CLEANUP(json_freep) = NULL;
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;
	const char *strange = HEAD "{\"set\": {\"name\": \"theirs\"}}, {\"chain\": {\"name\": \"x; flush ruleset\"}}, {\"chain\": {\"name\": \"more\"}},"
			      CHAIN RULE("7", "accept") "]}";

	CHECK_INT(json_parse(strange, strlen(strange), 0, "", &a, &err), 0);
	table_strip(a, &out);
	CHECK_STR(out.data, "flush chain inet sysboxup more\nflush chain inet sysboxup api\n"
			    "delete chain inet sysboxup more\ndelete set inet sysboxup theirs\n");
	json_freep(&a);
	a = NULL;
	buf_clear(&out);
	CHECK_INT(json_parse(OURS, strlen(OURS), 0, "", &a, &err), 0);
	table_strip(a, &out);
	CHECK_STR(out.data, "");
}

TEST(versions, "an nft of before 0.9.3, or whose version nobody knows, is too old")
{
	CHECK(nft_version_ok("nftables v1.0.6 (Lester Gooch #5)\n"));
	CHECK(nft_version_ok("nftables v0.9.3 (Topsy)\n"));
	CHECK(!nft_version_ok("nftables v0.8.2 (Joe Btfsplk)\n"));
	CHECK(!nft_version_ok("what?\n"));
}

/* ---- other firewalls ---- */

#define INPUT(policy) "{\"nftables\": [{\"chain\": {\"family\": \"ip\", \"table\": \"filter\", \"name\": \"INPUT\", \"hook\": \"input\", \"policy\": \"" policy "\"}}"
#define IN(chain, expr) ", {\"rule\": {\"family\": \"ip\", \"table\": \"filter\", \"chain\": \"" chain "\", \"expr\": [" expr "]}}"
#define DPORT(value) "{\"match\": {\"op\": \"==\", \"left\": {\"payload\": {\"protocol\": \"tcp\", \"field\": \"dport\"}}, \"right\": " value "}}"
#define COUNT "{\"counter\": {\"packets\": 1, \"bytes\": 2}}, "

static const char *block(const char *ruleset, bool six)
{
	static char *where;
	struct json *j CLEANUP(json_freep) = NULL;
	struct err err = ERR_INIT;

	freep(&where);
	where = NULL;
	CHECK_INT(json_parse(ruleset, strlen(ruleset), 0, "", &j, &err), 0);
	return others_block(j, "2376", six, NULL, &where) ? where : "";
}

TEST(blocks, "a table that drops by policy or by its last rule blocks, unless something in it accepts the port")
{
	CHECK_STR(block(INPUT("accept") "]}", false), "");
	CHECK_STR(block(INPUT("drop") "]}", false), "ip filter INPUT");
	CHECK_STR(block(INPUT("drop") "]}", true), "");
	CHECK_STR(block(INPUT("accept") IN("INPUT", COUNT "{\"reject\": {\"type\": \"icmp\"}}") "]}", false), "ip filter INPUT");
	CHECK_STR(block(INPUT("accept") IN("INPUT", DPORT("22") ", {\"drop\": null}") "]}", false), "");
	CHECK_STR(block(INPUT("drop") IN("ufw-user-input", DPORT("2376") ", " COUNT "{\"accept\": null}") "]}", false), "");
	CHECK_STR(block(INPUT("drop") IN("x", DPORT("{\"set\": [22, {\"range\": [2300, 2400]}]}") ", {\"accept\": null}") "]}", false), "");
	CHECK_STR(block(INPUT("drop") IN("x", DPORT("\"@ports\"") ", {\"accept\": null}") "]}", false), "");
	CHECK_STR(block(INPUT("drop") IN("x", DPORT("22") ", {\"accept\": null}") "]}", false), "ip filter INPUT");
	CHECK_STR(block(INPUT("drop") IN("x", DPORT("2376") ", {\"drop\": null}") "]}", false), "ip filter INPUT");
}

TEST(legacy, "and so does what iptables-legacy-save says")
{
	CHECK(legacy_blocks("*filter\n:INPUT DROP [0:0]\nCOMMIT\n", "2376"));
	CHECK(legacy_blocks("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\nCOMMIT\n", "2376"));
	CHECK(!legacy_blocks("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", "2376"));
	CHECK(!legacy_blocks("", "2376"));
	CHECK(!legacy_blocks(":INPUT DROP [0:0]\n-A INPUT -s 10.1.0.0/24 -p tcp -m tcp --dport 2376 -j ACCEPT\n", "2376"));
	CHECK(legacy_blocks(":INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 23760 -j ACCEPT\n", "2376"));
}

TEST(remedies, "the line to add is that of the manager whose table it is")
{
	struct network n;
	char why[NETWORK_WHY], *said;

	CHECK_INT(network_parse("10.1.0.0/24", &n, why), 0);
	said = others_remedy(MANAGER_UFW, "ip filter INPUT", &n, "2376");
	CHECK_STR(said, "ufw allow proto tcp from 10.1.0.0/24 to any port 2376");
	free(said);
	said = others_remedy(0, "ip filter INPUT", &n, "2376");
	CHECK_STR(said, "iptables -I INPUT -s 10.1.0.0/24 -p tcp --dport 2376 -j ACCEPT");
	free(said);
	said = others_remedy(MANAGER_FIREWALLD, "inet mine input", &n, "2376");
	CHECK_STR(said, "nft insert rule inet mine input ip saddr 10.1.0.0/24 tcp dport 2376 accept");
	free(said);
	said = others_remedy(MANAGER_FIREWALLD, "inet firewalld filter_INPUT", &n, "2376");
	CHECK(strstr(said, "source address=\"10.1.0.0/24\" port port=\"2376\""));
	free(said);
}

RUN_TESTS()
