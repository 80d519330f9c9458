/* SPDX-License-Identifier: Apache-2.0 */
#include "base/embedded.h"
#include "fetch/catalog.h"
#include "fetch_help.h"
#include "sys/clock.h"

#define HASH "9d6d5484f980d0a17f86c492c1262015c2afb66280bdb97215b79fde6a0261c5"

static struct err err;
static struct catalog c;
static struct root root = ROOT_INIT;
static struct profile profile;

static int parse(const char *text)
{
	catalog_release(&c);
	err = (struct err)ERR_INIT;
	return catalog_parse(&c, text, strlen(text), "c.json", &err);
}

static void check_refused(const char *text, const char *msg)
{
	CHECK_INT(parse(text), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK_STR(err.msg, msg);
}

#define HEAD \
	"{ \"format\": 1, \"serial\": 3, \"created\": \"2026-11-01T00:00:00Z\", \"packages\": [ "
#define ENTRY(v, provenance, more) \
	"{ \"name\": \"sysbox-ce\", \"version\": \"" v \
	"\", \"arch\": \"amd64\", \"sha256\": \"" HASH "\", " \
	"\"provenance\": \"" provenance "\", " more "\"urls\": [\"https://a/b\"] }"

TEST(embedded, "the embedded catalog holds the upstream releases for both architectures, two "
	"hosts and two names each")
{
	const struct embedded *e = embedded_find("templates/catalog.json");

	CHECK(e);
	CHECK_INT(catalog_parse(&c, e->data, e->len, "it", &err), 0);
	CHECK_STR(err.msg, "");
	CHECK_INT(c.n, 17);
	CHECK_INT(c.expires, 0);
	for (size_t i = 0; i < c.n; i++) {
		CHECK_STR(c.v[i].name, "sysbox-ce");
		CHECK_INT(c.v[i].urls.n, 4);
		CHECK(c.v[i].source != NULL);
		CHECK(!c.v[i].upstream || str_eq(c.v[i].arch, "amd64"));
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(c.v[i].sha256, c.v[k].sha256));
	}
}

TEST(latest, "latest is the newest release whose hash upstream published; others must be named")
{
	CHECK_STR(catalog_find(&c, "sysbox-ce", "latest", "amd64", &err)->version, "0.7.0");
	CHECK_STR(catalog_find(&c, "sysbox-ce", "0.7.1", "amd64", &err)->sha256, HASH);
	CHECK_STR(catalog_find(&c, "sysbox-ce", "0.6.2", "arm64", &err)->arch, "arm64");
	CHECK(!catalog_find(&c, "sysbox-ce", "latest", "arm64", &err));
	CHECK_INT(err.kind, ERR_USAGE);
	CHECK_STR(err.msg, "for sysbox-ce on arm64 upstream published no hash, others did: name "
		"a version: "
			   "0.7.1, 0.7.0, 0.6.7, 0.6.6, 0.6.5, 0.6.2");
	CHECK(!catalog_find(&c, "sysbox-ce", "0.9.0", "arm64", &err));
	CHECK_INT(err.kind, ERR_USAGE);
	CHECK_STR(err.msg, "the catalog has no sysbox-ce 0.9.0 for arm64; known: 0.7.1, 0.7.0, "
		"0.6.7, 0.6.6, 0.6.5, 0.6.2");
	CHECK(!catalog_find(&c, "sysbox-ce", "latest", "riscv64", &err));
	CHECK_STR(err.msg, "the catalog has no sysbox-ce latest for riscv64; known: none");
}

TEST(order, "0.10.0 is newer than 0.9.0, wherever it stands")
{
	CHECK_INT(parse(HEAD ENTRY("0.10.0", "upstream", "") "," ENTRY("0.9.0", "upstream",
								       "\"size\": 12, ") "] }"),
		  0);
	CHECK_STR(catalog_find(&c, "sysbox-ce", "latest", "amd64", &err)->version, "0.10.0");
	CHECK_INT(c.v[1].size, 12);
	CHECK_INT(c.v[0].size, 0);
	CHECK_INT(c.serial, 3);
}

TEST(shape, "what is not a catalog is refused")
{
	check_refused("[]", "c.json is not a catalog of format 1");
	check_refused("{ \"format\": 2 }", "c.json is not a catalog of format 1");
	check_refused("{ \"format\": 1 }", "c.json: 'serial' must be a number from 1");
	check_refused("{ \"format\": 1, \"serial\": 1, \"created\": \"yesterday\" }",
		      "c.json: 'created' must be a time such as \"2026-11-01T00:00:00Z\"");
	check_refused("{ \"format\": 1, \"serial\": 1, \"created\": \"2026-11-01T00:00:00Z\" }",
		      "c.json lists no packages");
	check_refused(HEAD "1 ] }", "c.json: 'packages[0].name' must be a word");
	check_refused(HEAD ENTRY("../x", "upstream", "") "] }",
		      "c.json: 'packages[0].version' must be a word");
	check_refused(HEAD "{ \"name\": \"a\", \"version\": \"1\", \"arch\": \"amd64\", \"sha256\": \"" HASH "\", \"source\": \"s\", "
			   "\"provenance\": \"upstream\", \"urls\": { \"a\": \"https://a/b\" } } ] }",
		      "c.json: 'packages[0].urls' must be a list of addresses");
	check_refused(HEAD ENTRY("1", "rumour", "") "] }",
		      "c.json: 'packages[0].provenance' must be \"upstream\" or \"third-party\"");
	check_refused(HEAD ENTRY("1", "upstream", "") "," ENTRY("2", "upstream",
								"\"size\": -1, ") "] }",
		      "c.json: 'packages[1].size' must be a number of bytes");
	CHECK_INT(parse("{ \"format\": 1,"), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
}

/* --- external ones --- */

static void write_catalog(const char *name, int serial, int64_t created, int64_t expires)
{
	struct buf b CLEANUP(buf_release) = BUF_INIT;
	char from[32], to[32];

	clock_iso(created, from);
	clock_iso(expires, to);
	buf_addf(&b, "{ \"format\": 1, \"serial\": %d, \"created\": \"%s\", ", serial, from);
	if (expires)
		buf_addf(&b, "\"expires\": \"%s\", ", to);
	buf_adds(&b, "\"packages\": [ " ENTRY("0.7.1", "upstream", "") " ] }\n");
	file_put(name, b.data, b.len);
}

static int load(const char *name)
{
	char *url CLEANUP(freep) = xasprintf("file://%s/%s", test_dir, name);

	str_replace(&profile.catalog.url, url);
	catalog_release(&c);
	err = (struct err)ERR_INIT;
	return catalog_load(&c, &root, &profile, NULL, &err);
}

static void check_load_refused(const char *name, const char *words)
{
	CHECK_INT(load(name), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK(strstr(err.msg, words));
	if (!strstr(err.msg, words))
		printf("# got <%s>\n", err.msg);
}

TEST(signed_, "an external catalog is read if its signature is good")
{
	struct buf fpr CLEANUP(buf_release) = BUF_INIT;
	int64_t now = clock_now();

	dir_make();
	CHECK_INT(root_open(&root, test_dir, &err), 0);
	write_catalog("c5", 5, now - 60, now + 90 * 86400);
	write_catalog("c4", 4, now - 60, now + 90 * 86400);
	write_catalog("future", 9, now + 3600, now + 90 * 86400);
	write_catalog("expired", 9, now - 86400, now - 1);
	write_catalog("forever", 9, now - 86400, 0);
	write_catalog("unsigned", 9, now - 60, now + 90 * 86400);
	write_catalog("stranger", 9, now - 60, now + 90 * 86400);
	write_catalog("two", 9, now - 60, now + 90 * 86400);
	lib_run("d=$1; keys_make $d good; keys_make $d stranger; keys_sign $d stranger "
		"$d/stranger $d/stranger.sig;"
		"for f in c5 c4 future expired forever; do keys_sign $d good $d/$f $d/$f.sig; done;"
		"keys_sign $d good $d/two $d/a; keys_sign $d stranger $d/two $d/b; cat $d/b $d/a "
		"> $d/two.sig; keys_stop $d");
	file_get("good.fpr", &fpr);
	strv_add(&profile.catalog.fingerprints, str_trim(fpr.data));
	profile.catalog.keyring = in_dir("good.gpg");
	CHECK_INT(load("c5"), 0);
	CHECK_STR(err.msg, "");
	CHECK_INT(c.serial, 5);
	CHECK(!c.embedded);
	CHECK_INT(load("two"), 0);
}

TEST(refused, "unsigned, by a stranger, expired, from the future, without an end: refused")
{
	CHECK_INT(load("unsigned"), -1);
	CHECK(strstr(err.msg, "cannot download signature"));
	check_load_refused("stranger",
			   "the catalog is refused: its signature is by a stranger's key");
	check_load_refused("future", "the catalog is from the future: created ");
	check_load_refused("expired", "the catalog expired ");
	check_load_refused("forever", "the catalog does not say when it expires");
}

TEST(serial, "a serial lower than one seen is refused; what was seen is never forgotten")
{
	struct buf seen CLEANUP(buf_release) = BUF_INIT;

	CHECK_INT(load("c4"), 0);
	CHECK_INT(load("c5"), 0);
	CHECK(!file_exists("var"));
	CHECK_INT(catalog_remember(&c, &root, &err), 0);
	check_load_refused("c4", "the catalog is older than one seen before: serial 4, seen 5");
	c.serial = 2;
	CHECK_INT(catalog_remember(&c, &root, &err), 0);
	file_get("var/lib/sysboxup/known/catalog-serial", &seen);
	CHECK_STR(seen.data, "5\n");
	CHECK_INT(load("c5"), 0);
}

TEST(end, "nothing is left behind")
{
	catalog_release(&c);
	profile_release(&profile);
	root_release(&root);
	dir_remove();
	CHECK(access(test_dir, F_OK) < 0);
}

RUN_TESTS()
