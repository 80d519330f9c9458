/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch_help.h"
#include "profile/locate.h"
#include "profile/profile.h"

static struct err err;
static struct profile p;

static int parse(const char *text)
{
	profile_release(&p);
	err = (struct err)ERR_INIT;
	return profile_parse(&p, text, strlen(text), "p.json", &err);
}

static void check_refused(const char *text, const char *msg)
{
	CHECK_INT(parse(text), -1);
	CHECK_INT(err.kind, ERR_USAGE);
	CHECK_STR(err.msg, msg);
}

TEST(empty, "an empty profile wants nothing and has the defaults")
{
	CHECK_INT(parse("{}"), 0);
	CHECK(!p.sysbox.present && !p.docker.present && !p.catalog.present);
	CHECK_STR(p.sysbox.version, "latest");
	CHECK_INT(p.history.keep, 50);
	CHECK_INT(p.history.max_size, 1 << 30);
	CHECK_STR(p.source, "p.json");
	CHECK_STR(p.text.data, "{}");
	CHECK_STR(p.digest, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
}

TEST(whole, "every key of the profile is read, with comments and copied fingerprints")
{
	CHECK_INT(
		parse("// mine\n{ \"version\": 1,\n"
		      "\"sysbox\": { \"version\": \"0.7.1\", \"method\": \"files\", "
		      "\"default_runtime\": true },\n"
		      "\"docker\": { \"install\": \"distribution\", \"settings\": { \"live-restore\": "
		      "true, \"x\": null }, \"allow_restart\": true, \"hold\": true },\n"
		      "\"catalog\": { \"url\": \"http://10.0.0.5/c.json\", \"keyring\": "
		      "\"/k.gpg\", /* copied */ \"fingerprints\":"
		      " [\"9dc8 5822 9fc7 dd38 854a e2d8 8d81 803c 0ebf cd88\"], \"proxy\": "
		      "\"http://proxy:3128\","
		      " \"ca_file\": \"/ca.pem\", \"plain_mirrors\": [\"http://10.0.0.5/\"] },\n"
		      "\"history\": { \"keep\": 7, \"max_size\": \"64M\" } }"),
		0);
	CHECK_STR(err.msg, "");
	CHECK(p.sysbox.present && p.docker.present && p.catalog.present);
	CHECK_STR(p.sysbox.version, "0.7.1");
	CHECK_INT(p.sysbox.method, METHOD_FILES);
	CHECK(p.sysbox.default_runtime && p.docker.allow_restart);
	CHECK(p.docker.hold && p.docker.install);
	CHECK(json_get_bool(p.docker.settings, "live-restore", false));
	CHECK_STR(p.catalog.url, "http://10.0.0.5/c.json");
	CHECK_STR(p.catalog.keyring, "/k.gpg");
	CHECK_STR(p.catalog.fingerprints.v[0], "9DC858229FC7DD38854AE2D88D81803C0EBFCD88");
	CHECK_STR(p.catalog.proxy, "http://proxy:3128");
	CHECK_STR(p.catalog.ca_file, "/ca.pem");
	CHECK_STR(p.catalog.plain_mirrors.v[0], "http://10.0.0.5/");
	CHECK_INT(p.history.keep, 7);
	CHECK_INT(p.history.max_size, 64 << 20);
}

TEST(unknown, "an unknown key is refused with its path, its line and the nearest known one")
{
	check_refused("{\n \"sysbox\": {\n  \"versionx\": \"0.7.0\" } }",
		      "'p.json', line 3: 'sysbox.versionx' is not a known key; did you mean "
		      "'sysbox.version'?");
	check_refused("{ \"sysbx\": {} }",
		      "'p.json', line 1: 'sysbx' is not a known key; did you mean 'sysbox'?");
	check_refused("{\n\"settings\": {} }",
		      "'p.json', line 2: 'settings' is not a known key; did you mean "
		      "'docker.settings'?");
	check_refused("{ \"quite-something-else\": 1 }",
		      "'p.json', line 1: 'quite-something-else' is not a known key");
	check_refused("{ \"\\u001b[2J\": 1 }", "'p.json', line 1: '\\x1b[2J' is not a known key");
}

TEST(types, "a wrong type is refused and both types are named")
{
	check_refused("{ \"sysbox\": { \"default_runtime\": \"yes\" } }",
		      "'p.json', line 1: 'sysbox.default_runtime' must be true or false, not a "
		      "string");
	check_refused("{ \"docker\": { \"install\": \"yes\" } }",
		      "'p.json', line 1: 'docker.install' must be \"no\" or \"distribution\", not \"yes\"");
	check_refused("{ \"docker\": {\n\"hold\": \"docker.io\" } }",
		      "'p.json', line 2: 'docker.hold' must be true or false, not a string");
	check_refused("{ \"docker\": {\n\"settings\": [] } }",
		      "'p.json', line 2: 'docker.settings' must be an object, not an array");
	check_refused("{ \"sysbox\": null }",
		      "'p.json', line 1: 'sysbox' must be an object, not null");
	check_refused("{ \"catalog\": { \"fingerprints\": [ 1 ] } }",
		      "'p.json', line 1: 'catalog.fingerprints' must hold strings only, not a "
		      "number");
	check_refused("[]", "'p.json' must be an object, not an array");
}

TEST(ranges, "a value out of range is refused")
{
	check_refused("{ \"version\": 2 }", "'p.json', line 1: 'version' must be 1, not 2");
	check_refused("{ \"history\": { \"keep\": 0 } }",
		      "'p.json', line 1: 'history.keep' must be a whole number from 1 to 10000, "
		      "not 0");
	check_refused("{ \"history\": { \"keep\": 1e300 } }",
		      "'p.json', line 1: 'history.keep' must be a whole number from 1 to 10000, "
		      "not 1.0000000000000001e+300");
	check_refused("{ \"history\": { \"keep\": 1.5 } }",
		      "'p.json', line 1: 'history.keep' must be a whole number from 1 to 10000, "
		      "not 1.5");
	check_refused("{ \"history\": { \"max_size\": \"12\" } }",
		      "'p.json', line 1: 'history.max_size' must be a size of at least 1M, such "
		      "as \"1G\", not \"12\"");
	check_refused(
		"{ \"sysbox\": { \"version\": \"../0\" } }",
		"'p.json', line 1: 'sysbox.version' must be \"latest\", \"absent\" or a version "
		"such as \"0.7.0\", not \"../0\"");
	check_refused("{ \"docker\": { \"managed\": \"ansible\" } }",
		      "'p.json', line 1: 'docker.managed' must be \"here\" or \"elsewhere\", not "
		      "\"ansible\"");
	check_refused("{ \"sysbox\": { \"method\": \"rpm\" } }",
		      "'p.json', line 1: 'sysbox.method' must be \"auto\", \"deb\" or \"files\", "
		      "not \"rpm\"");
}

TEST(api, "an address is one, with its port, in the one way to write it; all of them only where it is said twice")
{
	static const char *const bad[] = {
		"2376", "10.0.0.5", "10.0.0.5:", "10.0.0.5:0", "10.0.0.5:65536", "10.0.0.5:02376",
		"010.0.0.5:2376", "10.0.0:2376", "ci.example.org:2376", "fd00::5:2376", "[fd00::5]",
		"[FD00::5]:2376", "[fd00:0::5]:2376", "[fe80::1%eth0]:2376", "[]:2376", ":2376",
		"[10.0.0.5]:2376", "tcp://10.0.0.5:2376", "10.0.0.5:2376\n", "[:2376", "",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct json *tree = json_obj(), *section = json_obj(), *list = json_arr();
		struct buf text = BUF_INIT;

		json_add(list, json_str(bad[i]));
		json_set(section, "listen", list);
		json_set(tree, "api", section);
		json_print(tree, &text);
		err = (struct err)ERR_INIT;
		CHECK_INT(parse(text.data), -1);
		CHECK_INT(err.kind, ERR_USAGE);
		CHECK(strstr(err.msg, "'api.listen' must hold addresses with a port"));
		buf_release(&text);
		json_free(tree);
	}
	check_refused("{ \"api\": { \"listen\": [ \"10.0.0.5:2376\", \"10.0.0.5:2376\" ] } }",
		      "'p.json', line 1: 'api.listen' must hold addresses with a port, each once, such as "
		      "\"10.0.0.5:2376\" or \"[fd00::5]:2376\", not \"10.0.0.5:2376\"");
	check_refused("{ \"api\": {} }", "'p.json', line 1: 'api' needs 'api.listen': the addresses that it is for");
	check_refused("{ \"api\": {\n\"listen\": [ \"0.0.0.0:2376\" ] } }",
		      "'p.json', line 2: 'api.listen' has '0.0.0.0:2376', every address of this host; if that is "
		      "meant, say it twice: \"any_address\": true");
	check_refused("{ \"api\": { \"listen\": [ \"10.0.0.5:2376\" ], \"names\": [ \"a b\" ] } }",
		      "'p.json', line 1: 'api.names' must hold names of hosts in lower case, or addresses, such as "
		      "\"ci-1.example.org\", not \"a b\"");
	CHECK_INT(parse("{ \"api\": { \"listen\": [ \"[::]:2376\", \"10.0.0.5:2376\" ], \"any_address\": true } }"), 0);
	CHECK_INT(p.api.listen.n, 2);
}

static int parse_api(const char *more)
{
	char *text CLEANUP(freep) = xasprintf(
		"{ \"sysbox\": {},\n\"api\": { \"listen\": [ \"10.0.0.5:2376\" ],\n%s } }", more);

	return parse(text);
}

TEST(dedicated, "a daemon of its own has a network, ports, a default runtime and limits, and the host's own has none of them")
{
	static const struct {
		const char *text, *msg;
	} bad[] = {
		{ "\"daemon\": \"other\"",
		  "'p.json', line 3: 'api.daemon' must be \"host\" or \"dedicated\", not \"other\"" },
		{ "\"network\": \"10.1.0.0/16\"",
		  "'p.json', line 3: 'api.network' needs \"daemon\": \"dedicated\"" },
		{ "\"limits\": {}", "'p.json', line 3: 'api.limits' needs \"daemon\": \"dedicated\"" },
		{ "\"daemon\": \"dedicated\", \"network\": \"8.8.0.0/16\"",
		  "'p.json', line 3: 'api.network' must be a private network of 16 bits, such as "
		  "\"10.209.0.0/16\", not \"8.8.0.0/16\"" },
		{ "\"daemon\": \"dedicated\", \"network\": \"10.1.0.0/24\"",
		  "'p.json', line 3: 'api.network' must be a private network of 16 bits, such as "
		  "\"10.209.0.0/16\", not \"10.1.0.0/24\"" },
		{ "\"daemon\": \"dedicated\", \"publish\": \"30100-30000\"",
		  "'p.json', line 3: 'api.publish' must be two ports, the lower one first, such as "
		  "\"30000-30100\", not \"30100-30000\"" },
		{ "\"daemon\": \"dedicated\", \"publish\": \"1-2 drop\"",
		  "'p.json', line 3: 'api.publish' must be two ports, the lower one first, such as "
		  "\"30000-30100\", not \"1-2 drop\"" },
		{ "\"daemon\": \"dedicated\", \"prune_after\": \"7d\"",
		  "'p.json', line 3: 'api.prune_after' must be a number of hours, such as \"168h\", "
		  "not \"7d\"" },
		{ "\"daemon\": \"dedicated\", \"limits\": {\n\"memory\": \"12\" }",
		  "'p.json', line 4: 'api.limits.memory' must be a size of at least 1M, such as "
		  "\"1G\", not \"12\"" },
		{ "\"daemon\": \"dedicated\", \"limits\": {\n\"cpus\": 0 }",
		  "'p.json', line 4: 'api.limits.cpus' must be a number of processors from 0.01, not 0" },
		{ "\"daemon\": \"dedicated\", \"limits\": { \"tasks\": 1.5 }",
		  "'p.json', line 3: 'api.limits.tasks' must be a whole number from 1, not 1.5" },
		{ "\"daemon\": \"dedicated\", \"limits\": {\n\n\"memry\": \"1G\" }",
		  "'p.json', line 5: 'api.limits.memry' is not a known key; did you mean "
		  "'api.limits.memory'?" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_INT(parse_api(bad[i].text), -1);
		CHECK_STR(err.msg, bad[i].msg);
	}
	CHECK_INT(parse_api("\"daemon\": \"dedicated\", \"default_runtime\": true, \"network\": "
			    "\"172.31.0.0/16\", \"publish\": \"1-65535\", \"prune_after\": \"24h\", "
			    "\"limits\": { \"cpus\": 1.5, \"memory\": \"8G\", \"tasks\": 4096, "
			    "\"io_read\": \"50M\", \"io_write\": \"40M\" }"),
		  0);
	CHECK(p.api.dedicated && p.api.default_runtime);
	CHECK_STR(p.api.network, "172.31.0.0/16");
	CHECK(p.api.limits.cpus == 1.5);
	CHECK_INT(p.api.limits.memory, 8ll << 30);
	CHECK_INT(p.api.limits.tasks, 4096);
	CHECK_INT(p.api.limits.io_read, 50 << 20);
	CHECK_INT(p.api.limits.io_write, 40 << 20);
	check_refused("{ \"api\": { \"listen\": [ \"10.0.0.5:2376\" ], \"daemon\": \"dedicated\", "
		      "\"default_runtime\": true } }",
		      "'p.json', line 1: 'api.default_runtime' needs Sysbox: a section 'sysbox'");
}

#define WITH_API "{ \"api\": { \"listen\": [ \"10.0.0.5:2376\" ] }, \"firewall\": "

static void check_allow(const char *allow, const char *words)
{
	char *text CLEANUP(freep) = xasprintf(WITH_API "{ \"allow\": [ %s ] } }", allow),
		   *msg CLEANUP(freep) =
			   xasprintf("'p.json', line 1: 'firewall.allow' %s", words);

	check_refused(text, msg);
}

TEST(firewall, "networks, interfaces and named sets are who reaches the API")
{
	char text[NETWORK_TEXT];

	CHECK_INT(parse(WITH_API "{ \"sets\": { \"lab\": [ \"fd01::/64\", \"10.1.2.3\" ], \"unused\": [ \"10.5.0.0/16\" ] }, "
				 "\"allow\": [ \"10.1.0.0/16\", \"set:lab\", \"interface:eth1\" ], \"backend\": \"nftables\" } }"),
		  0);
	CHECK_STR(err.msg, "");
	CHECK_INT(p.firewall.networks.n, 2);	/* of two lists, one address in the other's network */
	network_format(&p.firewall.networks.v[0], text);
	CHECK_STR(text, "10.1.0.0/16");
	CHECK_STR(p.firewall.interfaces.v[0], "eth1");
	CHECK_INT(p.firewall.backend, FIREWALL_NFTABLES);
	CHECK_INT(parse(WITH_API "{ \"allow\": [ \"0.0.0.0/0\" ], \"any_address\": true } }"), 0);
	CHECK_INT(parse(WITH_API "{} }"), 0);
	CHECK_INT(p.firewall.networks.n, 0);
}

TEST(firewall_refused, "what is ambiguous in them is refused, with the key and what is meant")
{
	check_refused("{ \"firewall\": {} }",
		      "'p.json', line 1: 'firewall' needs 'api.listen': the port that it is for");
	check_allow("\"10.1.0.5/24\"", "has \"10.1.0.5/24\", which has bits of a host set: the network is 10.1.0.0/24");
	check_allow("\"10.1.0.0/16\", \"10.1.2.0/24\"", "has 10.1.0.0/16 and 10.1.2.0/24, which overlap: leave one of them out");
	check_allow("\"0.0.0.0/0\"", "has \"0.0.0.0/0\", which is everybody; if that is meant, say it twice: \"any_address\": true");
	check_allow("\"::ffff:10.1.0.1\"", "has \"::ffff:10.1.0.1\", which is IPv4 written as IPv6, which no packet has: write 10.1.0.1");
	check_allow("\"010.1.0.1\"", "has \"010.1.0.1\", which has a leading zero, which some programs read as octal");
	check_allow("\"ci.example.org\"", "has \"ci.example.org\", which is no IPv4 or IPv6 address");
	check_allow("\"10.1.0.1\\n\"", "has \"10.1.0.1\\x0a\", which is no IPv4 or IPv6 address");
	check_allow("\"interface:a\\\"b\"", "has \"a\"b\", which is no name of an interface");
	check_allow("\"interface:averyveryverylongname\"", "has \"averyveryverylongname\", which is no name of an interface");
	check_allow("\"set:lab\"", "has \"set:lab\", which 'firewall.sets' does not have");
	check_refused(WITH_API "{ \"sets\": { \"lab\": [ \"10.1.0.0/8\" ] } } }",
		      "'p.json', line 1: 'firewall.sets.lab' has \"10.1.0.0/8\", which has bits of a host set: the network is 10.0.0.0/8");
	check_refused(WITH_API "{ \"sets\": { \"lab\": \"10.1.0.0/16\" } } }",
		      "'p.json', line 1: 'firewall.sets.lab' must be an array, not a string");
	check_refused(WITH_API "{ \"backend\": \"pf\" } }",
		      "'p.json', line 1: 'firewall.backend' must be \"auto\", \"nftables\", \"firewalld\", \"ufw\", \"iptables\" or \"none\", not \"pf\"");
}

TEST(clients, "each has a name, once, and a ttl or none")
{
	CHECK_INT(parse("{ \"clients\": [ { \"name\": \"a\", \"ttl\": \"1h\" }, { \"name\": \"b\" } ] }"), 0);
	CHECK_INT(p.clients.n, 2);
	CHECK_STR(p.clients.v[0].ttl, "1h");
	CHECK(!p.clients.v[1].ttl);
	check_refused("{\n\n\"clients\": [ \"a\" ] }", "'p.json', line 3: 'clients' must hold objects only, not a string");
	check_refused("{\n\n\"clients\": [ { \"ttl\": \"1h\" } ] }", "'p.json', line 3: 'clients' holds a client without a 'name'");
	check_refused("{ \"clients\": [ { \"name\": \"a\", \"life\": \"1h\" } ] }",
		      "'p.json', line 1: 'clients' holds 'life', which is not a known key: a client has 'name' and 'ttl'");
	check_refused("{ \"clients\": [ { \"name\": 7 } ] }", "'p.json', line 1: 'clients' holds a 'name' that must be a string, not a number");
	check_refused("{ \"clients\": [ { \"name\": \"a\" }, { \"name\": \"a\" } ] }",
		      "'p.json', line 1: 'clients' must hold each name once, not \"a\"");
}

TEST(trust, "a catalog that could not be verified is refused in the profile")
{
	check_refused("{ \"catalog\": { \"url\": \"https://a/c.json\" } }",
		      "'p.json', line 1: 'catalog.url' needs 'catalog.keyring' too: without it "
		      "nothing can be verified");
	check_refused(
		"{ \"catalog\": { \"url\": \"https://a/c.json\", \"keyring\": \"/k\", "
		"\"fingerprints\": [] } }",
		"'p.json', line 1: 'catalog.url' needs 'catalog.fingerprints' too: without it "
		"nothing can be verified");
	check_refused("{ \"catalog\": { \"fingerprints\": [\"0EBFCD88\"] } }",
		      "'p.json', line 1: 'catalog.fingerprints' must hold fingerprints of 40 hex "
		      "digits, not \"0EBFCD88\"");
	check_refused(
		"{ \"catalog\": { \"url\": \"http://a/c\", \"keyring\": \"/k\", \"fingerprints\":"
		" [\"9DC858229FC7DD38854AE2D88D81803C0EBFCD88\"], \"plain_mirrors\": "
		"[\"http://b/\"] } }",
		"'p.json', line 1: 'catalog.url' is plain http and not below one of "
		"'catalog.plain_mirrors'");
	check_refused(
		"{ \"catalog\": { \"plain_mirrors\": [\"http://10.0.0.5\"] } }",
		"'p.json', line 1: 'catalog.plain_mirrors' must hold prefixes such as "
		"\"http://10.0.0.5/\", not \"http://10.0.0.5\"");
	check_refused("{ \"catalog\": { \"keyring\": \"k.gpg\" } }",
		      "'p.json', line 1: 'catalog.keyring' must be an absolute path, not "
		      "\"k.gpg\"");
}

TEST(not_json, "what is not JSON is refused with line and column")
{
	CHECK_INT(parse("{\n  sysbox: 1 }"), -1);
	CHECK_INT(err.kind, ERR_USAGE);
	CHECK(strstr(err.msg, "'p.json'") && strstr(err.msg, "line 2"));
	CHECK_INT(parse(""), -1);
	CHECK_INT(err.kind, ERR_USAGE);
	CHECK_INT(parse("{ \"version\": 1, \"version\": 1 }"), -1);
	CHECK_INT(err.kind, ERR_USAGE);
}

TEST(load, "a profile of 2 MiB or one that is not there is a usage error; without any the "
	"default counts")
{
	struct root root = ROOT_INIT;
	char *big = xmalloc(2 << 20);

	dir_make();
	memset(big, ' ', 2 << 20);
	big[0] = '{', big[1] = '}';
	file_put("big.json", big, 2 << 20);
	char *path CLEANUP(freep) = in_dir("big.json"), *none CLEANUP(freep) = in_dir("none.json");

	CHECK_INT(root_open(&root, test_dir, &err), 0);
	profile_release(&p);
	CHECK_INT(profile_load(&p, &root, path, &err), -1);
	CHECK_INT(err.kind, ERR_USAGE);
	CHECK(strstr(err.msg, "big.json"));
	CHECK_INT(profile_parse(&p, big, 2 << 20, "p.json", &err), -1);
	CHECK_STR(err.msg, "'p.json' is larger than 1 MiB");
	CHECK_INT(profile_load(&p, &root, none, &err), -1);
	CHECK_INT(err.kind, ERR_USAGE);
	CHECK_INT(profile_load(&p, &root, NULL, &err), 0);
	CHECK_STR(p.source, "embedded default");
	CHECK(p.sysbox.present);
	profile_release(&p);
	lib_run("mkdir -p $1/etc/sysboxup; echo '{ \"sysbox\": { \"version\": \"absent\" } }' > "
		"$1/etc/sysboxup/profile.json");
	CHECK_INT(profile_load(&p, &root, NULL, &err), 0);
	CHECK_STR(p.sysbox.version, "absent");
	CHECK_STR(p.source, "/etc/sysboxup/profile.json");
	profile_release(&p);
	root_release(&root);
	dir_remove();
	free(big);
}

TEST(locate, "lines are found past comments, strings with braces and nested keys of the same name")
{
	const char *text = "\xef\xbb\xbf/* { \"a\": */ {\n \"x\": \"}{\\\"a\", \"b\": { \"a\": "
		"[1,\n{}] }, // \"a\":\n \"a\": {\n\n\"k\": 1 } }";
	size_t len = strlen(text);

	CHECK_INT(locate_line(text, len, "a", NULL), 4);
	CHECK_INT(locate_line(text, len, "a", "k"), 6);
	CHECK_INT(locate_line(text, len, "a", "none"), 4);
	CHECK_INT(locate_line(text, len, NULL, "x"), 2);
	for (size_t n = 0; n < len; n++)
		CHECK(locate_line(text, n, "a", "k") >= 1);
}

RUN_TESTS()
