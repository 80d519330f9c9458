/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/names.h"

#include "test.h"

static const char *san(const char *name, char **keep)
{
	struct err err = ERR_INIT;
	static char said[1100];

	free(*keep);
	*keep = NULL;
	if (!name_to_san(name, keep, &err))
		return *keep;
	CHECK_INT(err.kind, ERR_USAGE);
	snprintf(said, sizeof(said), "! %s", err.msg);
	return said;
}

TEST(sans, "names and addresses of a server: what is taken, and what is wrong with the others")
{
	static const struct { const char *name, *want; } all[] = {
		{ "ci-1.example.org", "DNS:ci-1.example.org" },
		{ "CI-1.Example.ORG", "DNS:ci-1.example.org" },
		{ "localhost", "DNS:localhost" },
		{ "1.example.org", "DNS:1.example.org" },
		{ "10.0.0.5", "IP:10.0.0.5" },
		{ "FD00::1", "IP:fd00::1" },
		{ "::", "IP:::" },
		{ "example.org.", "! the name 'example.org.' has an empty label: no dot at its ends, and no two together" },
		{ ".example.org", "! the name '.example.org' has an empty label: no dot at its ends, and no two together" },
		{ "a..b", "! the name 'a..b' has an empty label: no dot at its ends, and no two together" },
		{ "", "! the name '' has an empty label: no dot at its ends, and no two together" },
		{ "a_b.example.org", "! the name 'a_b.example.org' has an underscore, which no host name may have" },
		{ "*.example.org", "! the name '*.example.org' is a wildcard: name each host" },
		{ "fe80::1%eth0", "! the address 'fe80::1%eth0' has a zone, which means nothing to other hosts" },
		{ "[fd00::1]", "! the address '[fd00::1]' is none (without port and brackets)" },
		{ "host:2376", "! the address 'host:2376' is none (without port and brackets)" },
		{ "10.0.0.256", "! the name '10.0.0.256' is neither an address nor a name: it ends in a number" },
		{ "10.0.0.0/8", "! the name '10.0.0.0/8' is no DNS name: letters, digits, '-' and dots" },
		{ "a,DNS", "! the name 'a,DNS' is no DNS name: letters, digits, '-' and dots" },
		{ "a\nb", "! the name 'a\\x0ab' is no DNS name: letters, digits, '-' and dots" },
		{ "-a.example.org", "! the name '-a.example.org' has a label that begins or ends with '-'" },
		{ "b\xc3\xbc" "cher.example", "! the name 'b\xc3\xbc" "cher.example' is not ASCII: write it as its A-label (xn--...)" },
	};
	char *keep CLEANUP(freep) = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		CHECK_STR(san(all[i].name, &keep), all[i].want);
}

TEST(long_sans, "a label of 64 letters or a name of 254 is refused, and said by its beginning")
{
	char label[65] = "", name[300] = "", *keep CLEANUP(freep) = NULL;

	memset(label, 'a', 64);
	CHECK(strstr(san(label, &keep), "a label of more than 63 letters"));
	label[63] = '\0';
	CHECK_STR(san(label, &keep) + 4, label);
	for (size_t i = 0; i < 254; i++)
		name[i] = i % 2 ? '.' : 'a';
	CHECK(strstr(san(name, &keep), "...' is longer than 253 letters"));
	name[253] = '\0';
	CHECK(str_starts(san(name, &keep), "DNS:a.a."));
}

TEST(client_names, "one DNS label of 60 letters at most, and nothing else")
{
	static const char *const bad[] = { "", "a/b", "..", "a.b", "a\n", "A", "a_b", "-a", "a-", "a b", "\xc3\xa4", "a,b", "a'b" };
	char name[302] = "";
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK(name_check(bad[i], &err) < 0);
		CHECK_INT(err.kind, ERR_USAGE);
		CHECK(!strchr(err.msg, '\n'));
	}
	memset(name, 'a', 60);
	CHECK_INT(name_check(name, &err), 0);
	CHECK_INT(name_check("runner-7", &err), 0);
	name[60] = 'a';
	CHECK(name_check(name, &err) < 0);
	memset(name, 'a', 300);
	CHECK(name_check(name, &err) < 0);
	CHECK(strlen(err.msg) < 200);
}

TEST(constraints, "domains and networks in libcrypto's words")
{
	static const struct { const char *name, *want; } all[] = {
		{ "Example.org", "permitted;DNS:example.org" },
		{ "10.0.0.0/8", "permitted;IP:10.0.0.0/255.0.0.0" },
		{ "10.0.0.1", "permitted;IP:10.0.0.1/255.255.255.255" },
		{ "0.0.0.0/0", "permitted;IP:0.0.0.0/0.0.0.0" },
		{ "fd00::/9", "permitted;IP:fd00::/ff80::" },
	};
	static const char *const bad[] = { "10.0.0.0/33", "10.0.0.0/", "x/8", "10.0.0.0/-1", "fd00::/129", "*.a", "10.0.0/8", "" };
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		char *got CLEANUP(freep) = NULL;

		CHECK_INT(name_to_constraint(all[i].name, &got, &err), 0);
		CHECK_STR(got, all[i].want);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *got CLEANUP(freep) = NULL;

		CHECK(name_to_constraint(bad[i], &got, &err) < 0);
		CHECK_INT(err.kind, ERR_USAGE);
	}
}

TEST(ttls, "how long each kind may live")
{
	static const char *const bad[] = { "0", "0s", "-1h", "36500d", "1y", "", "59s", "91d", "1h 2m", "99999999999999999999d" };
	struct err err = ERR_INIT;
	int64_t t;

	CHECK_INT(ttl_read(PKI_CLIENT, NULL, &t, &err), 0);
	CHECK_INT(t, 86400);
	CHECK_INT(ttl_read(PKI_SERVER, NULL, &t, &err), 0);
	CHECK_INT(t, 90 * 86400);
	CHECK_INT(ttl_read(PKI_CLIENT, "1h", &t, &err), 0);
	CHECK_INT(t, 3600);
	CHECK_INT(ttl_read(PKI_CLIENT, "60", &t, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		t = 5;
		CHECK(ttl_read(PKI_CLIENT, bad[i], &t, &err) < 0);
		CHECK_INT(err.kind, ERR_USAGE);
		CHECK_INT(t, 5);
	}
	CHECK(ttl_read(PKI_SERVER, "1h", &t, &err) < 0);
	CHECK(ttl_read_ca("36500d", &t, &err) < 0);
	CHECK(ttl_read_crl("1m", &t, &err) < 0);
}

TEST(docker_hosts, "addresses of daemons")
{
	static const char *const good[] = { "tcp://h:2376", "tcp://10.0.0.5:1", "tcp://[fd00::1]:2376" };
	static const char *const bad[] = { "h:2376", "tcp://h", "tcp://:2376", "tcp://h:0x1", "tcp://h:99999", "tcp://a b:1", "tcp://h\n:1",
					   "tcp://\":1", "http://h:1", "tcp://" };
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CHECK_INT(name_check_docker_host(good[i], &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(name_check_docker_host(bad[i], &err) < 0);
}

RUN_TESTS()
