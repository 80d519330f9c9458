/* SPDX-License-Identifier: Apache-2.0 */
#include "host/distro.h"

#include "fixture.h"
#include "test.h"

#define HEAD \
	"{ \"format\": 1, \"id\": \"x\", \"name\": \"X\", \"package_manager\": \"apt\", \"tier\": \"proven\", \"kernel_min\": \"5.5\", "
#define DOCKER \
	"\"docker\": { \"unit\": \"docker.service\", \"config\": \"/etc/docker/daemon.json\" }"

/* The error of a text, or "" if it is accepted. Allocated. */
static char *parse(const char *text, const char *file)
{
	struct distro d = { 0 };
	struct err err = ERR_INIT;
	int got = distro_parse(&d, text, strlen(text), file, &err);

	if (!got)
		distro_release_all(&d);
	else
		CHECK_INT(err.kind, ERR_USAGE);
	CHECK(got || !err_is_set(&err));
	return xstrdup(err.msg);
}

static const struct {
	const char *text, *error;
} texts[] = {
	{ HEAD DOCKER " }", "" },
	{ "// a comment\n" HEAD DOCKER " }", "" },
	{ "[]", "'x.json': must be an object" },
	{ HEAD DOCKER ", \"kernal_min\": \"5\" }",
	  "'x.json': 'kernal_min' is not known; did you mean 'kernel_min'?" },
	{ HEAD DOCKER ", \"zzzzzzzzzzzz\": 1 }", "'x.json': 'zzzzzzzzzzzz' is not known" },
	{ HEAD "\"docker\": { \"unit\": \"docker.service\", \"config\": \"/c\", \"units\": 1 } }",
	  "'x.json': 'docker.units' is not known; did you mean 'unit'?" },
	{ HEAD "\"docker\": { \"unit\": \"docker.service\" } }",
	  "'x.json': 'docker.config' is missing" },
	{ HEAD "\"docker\": { \"unit\": \"docker\", \"config\": \"/c\" } }",
	  "'x.json': 'docker.unit' must be the name of a service" },
	{ HEAD "\"docker\": { \"unit\": \"docker.service\", \"config\": \"c\" } }",
	  "'x.json': 'docker.config' must be an absolute path" },
	{ HEAD
	  "\"docker\": { \"unit\": \"docker.service\", \"config\": \"/c\", \"env_files\": [\"e\"] } }",
	  "'x.json': 'docker.env_files' must hold absolute paths" },
	{ HEAD
	  "\"docker\": { \"unit\": \"docker.service\", \"config\": \"/c\", \"env_files\": \"/e\" } }",
	  "'x.json': 'docker.env_files' must be an array" },
	{ HEAD "\"docker\": { \"unit\": \"docker.service\", \"config\": \"/c\", \"third_party\": 1 } }",
	  "'x.json': 'docker.third_party' must be true or false" },
	{ HEAD "\"docker\": 1 }", "'x.json': 'docker' must be an object" },
	{ HEAD DOCKER ", \"packages\": { \"rsync\": 1 } }",
	  "'x.json': 'packages.rsync' must be a package's name" },
	{ HEAD DOCKER ", \"packages\": { \"rsync\": \"-y\" } }",
	  "'x.json': 'packages.rsync' must be a package's name" },
	{ HEAD DOCKER ", \"releases\": [ { \"tier\": \"proven\" } ] }",
	  "'x.json': 'releases[0].version_id' is missing" },
	{ HEAD DOCKER ", \"releases\": [ 1 ] }", "'x.json': 'releases[0]' must be an object" },
	{ HEAD DOCKER ", \"releases\": [ { \"version_id\": \"1\", \"tier\": \"gold\" } ] }",
	  "'x.json': 'releases[0].tier' must be \"proven\", \"recognised\" or \"refused\"" },
	{ HEAD DOCKER
	  ", \"releases\": [ { \"version_id\": \"1\", \"tier\": \"proven\" }, { \"version_id\": \"1\", \"tier\": \"proven\" } ] }",
	  "'x.json': 'releases[1].version_id' is there twice" },
	{ HEAD DOCKER
	  ", \"releases\": [ { \"version_id\": \"1\", \"tier\": \"proven\", \"kernel_min\": \"5.\" } ] }",
	  "'x.json': 'releases[0].kernel_min' must be numbers and dots" },
	{ HEAD DOCKER ", \"firewall\": \"moat\" }",
	  "'x.json': 'firewall' must be one of none, ufw, firewalld, nftables, iptables" },
	{ HEAD DOCKER ", \"remedies\": { \"arch\": \"\" } }", "'x.json': 'remedies.arch' must be words" },
	{ HEAD DOCKER ", \"derivatives\": [ { \"file\": \"/etc/y\", \"id\": \"y\" } ] }", "" },
	{ HEAD DOCKER ", \"derivatives\": [ { \"file\": \"y\", \"id\": \"y\" } ] }",
	  "'x.json': 'derivatives[0].file' must be an absolute path" },
	{ HEAD DOCKER ", \"derivatives\": [ { \"file\": \"/etc/y\" } ] }",
	  "'x.json': 'derivatives[0].id' is missing" },
	{ HEAD DOCKER ", \"refuse\": { \"why\": \"a\", \"instead\": \"b\" } }",
	  "'x.json': 'refuse' goes with the tier \"refused\"" },
	{ "{ \"format\": 1, \"id\": \"x\", \"name\": \"X\", \"package_manager\": \"none\", \"tier\": \"refused\", \"kernel_min\": \"5.5\", " DOCKER ", \"refuse\": { \"why\": \"a\" } }",
	  "'x.json': 'refuse.instead' is missing" },
	{ "{ \"id\": \"x\" }", "'x.json': 'format' is missing" },
	{ "{ \"format\": 2, \"later\": true }",
	  "'x.json': 'format' must be 1: made for another release of sysboxup" },
	{ "{ \"format\": \"1\" }", "'x.json': 'format' must be a number" },
	{ "{ \"format\": 1, \"id\": \"X\" }",
	  "'x.json': 'id' must be lower case letters, digits and ._-" },
	{ "{ \"format\": 1, \"id\": 1 }", "'x.json': 'id' must be a string" },
	{ "{ \"format\": 1, \"id\": \"x\", \"name\": \"X\", \"package_manager\": \"brew\" }",
	  "'x.json': 'package_manager' must be one of apt, dnf, zypper, pacman, apk, none" },
};

TEST(strict, "each mistake in a file is an error with file and key")
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char *got CLEANUP(freep) = parse(texts[i].text, "x.json");
		CHECK_STR(got, texts[i].error);
	}
}

TEST(file_name, "the id is the file's name")
{
	char *got CLEANUP(freep) = parse(HEAD DOCKER " }", "/etc/sysboxup/distros.d/y.json");

	CHECK_STR(got, "'/etc/sysboxup/distros.d/y.json': 'id' is 'x', so the file must be called 'x.json'");
}

TEST(syntax, "a syntax error names file, line and column")
{
	char *got CLEANUP(freep) = parse("{\n  \"format\": 1,\n}", "x.json");
	char *twice CLEANUP(freep) = parse("{ \"id\": 1, \"id\": 2 }", "x.json");

	CHECK(strstr(got, "x.json") && strstr(got, "line 2"));
	CHECK(strstr(twice, "x.json"));
}

TEST(embedded, "the embedded distributions are valid, sorted, and name a package for each tool")
{
	static const char *const tools[] = { "rsync",      "modprobe",    "iptables",
					     "fusermount", "fusermount3", "jq" };
	struct distro_list l CLEANUP(distro_list_release) = { 0 };
	struct err err = ERR_INIT;
	struct fixture f;

	fixture_open(&f, true);
	CHECK_INT(distro_list_load(&l, &f.root, NULL, &err), 0);
	CHECK_STR(err.msg, "");
	CHECK(l.n >= 20);
	for (size_t i = 0; i < l.n; i++) {
		CHECK(!i || strcmp(l.v[i - 1].id, l.v[i].id) < 0);
		CHECK(l.v[i].firewall);
		if (l.v[i].refuse.why)
			continue;
		CHECK(l.v[i].docker.package);
		CHECK_INT(l.v[i].docker.third_party, str_eq(l.v[i].docker.package, "docker-ce"));
		for (size_t t = 0; t < ARRAY_SIZE(tools); t++)
			CHECK(json_get_str(l.v[i].packages, tools[t]));
	}
	fixture_close(&f);
}

TEST(find, "a distribution is found by its id, then by ID_LIKE in its order, else not at all")
{
	struct distro_list l CLEANUP(distro_list_release) = { 0 };
	struct strv like CLEANUP(strv_release) = STRV_INIT, none = STRV_INIT;
	struct err err = ERR_INIT;
	struct fixture f;
	char *by_id CLEANUP(freep) = NULL, *by_like CLEANUP(freep) = NULL,
		    *by_none CLEANUP(freep) = NULL;

	fixture_open(&f, true);
	CHECK_INT(distro_list_load(&l, &f.root, NULL, &err), 0);
	str_words(&like, "nobody ubuntu debian");
	CHECK_STR(distro_find(&l, "debian", &like, &by_id)->id, "debian");
	CHECK_STR(by_id, "id");
	CHECK_STR(distro_find(&l, "elementary", &like, &by_like)->id, "ubuntu");
	CHECK_STR(by_like, "id_like ubuntu");
	CHECK(!distro_find(&l, "slackware", &none, &by_none));
	CHECK_STR(by_none, NULL);
	CHECK_STR(distro_release_find(distro_find(&l, "debian", &none, NULL), "12")->codename,
		  "bookworm");
	CHECK(!distro_release_find(distro_find(&l, "debian", &none, NULL), "99"));
	fixture_close(&f);
}

TEST(lazy, "only what may be this host is read, and all that was put there by hand")
{
	struct distro_list l CLEANUP(distro_list_release) = { 0 };
	struct strv only CLEANUP(strv_release) = STRV_INIT;
	struct err err = ERR_INIT;
	struct fixture f;

	fixture_open(&f, true);
	fixture_put(&f, "/etc/sysboxup/distros.d/x.json", HEAD DOCKER " }");
	str_words(&only, "elementary ubuntu debian");
	CHECK_INT(distro_list_load(&l, &f.root, &only, &err), 0);
	CHECK_INT(l.n, 3);
	CHECK_STR(l.v[0].id, "debian");
	CHECK_STR(l.v[1].id, "ubuntu");
	CHECK_STR(l.v[2].id, "x");
	fixture_close(&f);
}

TEST(numbers, "a release is found by its whole number, else by what stands before its first dot")
{
	struct distro_list l CLEANUP(distro_list_release) = { 0 };
	struct err err = ERR_INIT;
	struct fixture f;

	fixture_open(&f, true);
	CHECK_INT(distro_list_load(&l, &f.root, NULL, &err), 0);
	const struct distro *mint = distro_find(&l, "linuxmint", NULL, NULL),
			    *rocky = distro_find(&l, "rocky", NULL, NULL);
	CHECK_STR(distro_release_find(mint, "21.1")->codename, "vera");
	CHECK_STR(distro_release_find(mint, "21")->codename, "vanessa");
	CHECK_STR(distro_release_find(rocky, "9.6")->version_id, "9");
	CHECK(!distro_release_find(rocky, "19.6"));
	CHECK(!distro_release_find(distro_find(&l, "ubuntu", NULL, NULL), "22"));
	CHECK(!distro_release_find(rocky, ""));
	CHECK(distro_remedy(rocky, "selinux") && !distro_remedy(rocky, "arch") && !distro_remedy(NULL, "arch"));
	fixture_close(&f);
}

TEST(override, "a file under /etc/sysboxup/distros.d goes before the embedded one, a new one joins")
{
	struct distro_list l CLEANUP(distro_list_release) = { 0 };
	struct strv none = STRV_INIT;
	struct err err = ERR_INIT;
	struct fixture f;

	fixture_open(&f, true);
	fixture_put(&f, "/etc/sysboxup/distros.d/x.json", HEAD DOCKER " }");
	fixture_put(
		&f, "/etc/sysboxup/distros.d/debian.json",
		"{ \"format\": 1, \"id\": \"debian\", \"name\": \"Ours\", \"package_manager\": \"apt\","
		"\"tier\": \"proven\", \"kernel_min\": \"6.1\"," DOCKER "}");
	fixture_put(&f, "/etc/sysboxup/distros.d/README", "not a distribution");
	CHECK_INT(distro_list_load(&l, &f.root, NULL, &err), 0);
	CHECK_STR(distro_find(&l, "debian", &none, NULL)->name, "Ours");
	CHECK_STR(distro_find(&l, "debian", &none, NULL)->file,
		  "/etc/sysboxup/distros.d/debian.json");
	CHECK_STR(distro_find(&l, "x", &none, NULL)->name, "X");
	fixture_close(&f);
}

TEST(bad_override, "a wrong file there is an error, not skipped")
{
	struct distro_list l = { 0 };
	struct err err = ERR_INIT;
	struct fixture f;

	fixture_open(&f, true);
	fixture_put(&f, "/etc/sysboxup/distros.d/x.json", "{ \"format\": 1, \"nome\": \"x\" }");
	CHECK_INT(distro_list_load(&l, &f.root, NULL, &err), -1);
	CHECK_STR(err.msg, "'/etc/sysboxup/distros.d/x.json': 'nome' is not known; did you mean 'name'?");
	CHECK(!l.v);
	fixture_close(&f);
}

TEST(words, "the command that installs packages is in the distribution's words")
{
	struct distro d = { .package_manager = (char *)"zypper" };
	struct strv packages CLEANUP(strv_release) = STRV_INIT;

	str_words(&packages, "rsync kmod");
	char *with CLEANUP(freep) = distro_install_command(&d, &packages);
	char *without CLEANUP(freep) = distro_install_command(NULL, &packages);
	CHECK_STR(with, "zypper install rsync kmod");
	CHECK_STR(without, "install rsync kmod");
	CHECK_STR(distro_package(&d, "rsync"), "rsync");
	CHECK_STR(distro_package(NULL, "modprobe"), "modprobe");
}

RUN_TESTS()
