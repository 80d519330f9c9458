/* SPDX-License-Identifier: Apache-2.0 */
#include "host/osrelease.h"

#include "fixture.h"
#include "test.h"

/* PRETTY_NAME as read from text, to be freed; NULL after an error. */
static char *pretty(const char *text, struct err *err)
{
	struct os_release o CLEANUP(osrelease_release) = { 0 };

	return osrelease_parse(&o, text, strlen(text), err) < 0 ? NULL : xstrdup(o.pretty_name);
}

static const struct {
	const char *text, *want;
} values[] = {
	{ "PRETTY_NAME=plain\n", "plain" },
	{ "PRETTY_NAME=plain", "plain" },
	{ "PRETTY_NAME=\n", "" },
	{ "PRETTY_NAME=\"\"\n", "" },
	{ "PRETTY_NAME=\"two words\"\n", "two words" },
	{ "PRETTY_NAME='two words'\n", "two words" },
	{ "PRETTY_NAME=  spaced  \n", "spaced" },
	{ "  PRETTY_NAME=indented\n", "indented" },
	{ "PRETTY_NAME=' kept '  \n", " kept " },
	{ "PRETTY_NAME=kept\\  \n", "kept " },
	{ "PRETTY_NAME=\"a \\\"b\\\" c\"\n", "a \"b\" c" },
	{ "PRETTY_NAME=\"\\$HOME \\`id\\` \\\\\"\n", "$HOME `id` \\" },
	{ "PRETTY_NAME=\"a\\nb\\q\"\n", "a\\nb\\q" },
	{ "PRETTY_NAME='a\\nb\\'\n", "a\\nb\\" },
	{ "PRETTY_NAME='a \"b\" $c'\n", "a \"b\" $c" },
	{ "PRETTY_NAME=\"it's\"\n", "it's" },
	{ "PRETTY_NAME=$HOME\n", "$HOME" },
	{ "PRETTY_NAME=\"$(id)\"\n", "$(id)" },
	{ "PRETTY_NAME=a\\\"b\\'c\\\\d\n", "a\"b'c\\d" },
	{ "PRETTY_NAME=one\\\ntwo\n", "onetwo" },
	{ "PRETTY_NAME=one\\\r\ntwo\r\n", "onetwo" },
	{ "PRETTY_NAME=\"one\\\ntwo\"\n", "onetwo" },
	{ "PRETTY_NAME=\"one\ntwo\"\n", "one\ntwo" },
	{ "PRETTY_NAME='one\\\ntwo'\n", "one\\\ntwo" },
	{ "PRETTY_NAME=\"a\"'b'c\n", "abc" },
	{ "PRETTY_NAME=a b\n", "a b" },
	{ "PRETTY_NAME=a#b # c\n", "a#b # c" },
	{ "PRETTY_NAME=a=b\n", "a=b" },
	{ "PRETTY_NAME=back\\", "back" },
	{ "PRETTY_NAME=crlf\r\n", "crlf" },
	{ "PRETTY_NAME=\"crlf\"\r\nNAME=x\r\n", "crlf" },
	{ "#PRETTY_NAME=no\n;PRETTY_NAME=no\nPRETTY_NAME=yes\n", "yes" },
	{ "PRETTY_NAME=first\nPRETTY_NAME=last\n", "last" },
	{ "\n\n \t\nPRETTY_NAME=x\n\n", "x" },
	{ "nonsense\n=x\n1A=x\nPRETTY NAME=x\nPRETTY_NAME =x\nPRETTY_NAME=yes\n", "yes" },
	{ "OTHER='PRETTY_NAME=no\n'\nPRETTY_NAME=yes\n", "yes" },
	{ "PRETTY_NAMES=no\nXPRETTY_NAME=no\npretty_name=no\n", "" },
	{ "", "" },
};

TEST(quoting, "values are read by the quoting rules of os-release(5), nothing is expanded")
{
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct err err = ERR_INIT;
		char *got CLEANUP(freep) = pretty(values[i].text, &err);
		CHECK_STR(got, values[i].want);
	}
}

TEST(unterminated, "quotes that never close are an error that names their line")
{
	struct err err = ERR_INIT;

	CHECK_STR(pretty("NAME=x\n\nPRETTY_NAME=\"open\nmore\n", &err), NULL);
	CHECK_STR(err.msg, "line 3: quotes that never close");
	CHECK_STR(pretty("PRETTY_NAME='open\n", &err), NULL);
	CHECK_STR(err.msg, "line 1: quotes that never close");
	CHECK_STR(pretty("PRETTY_NAME=\"open\\\"\n", &err), NULL);
}

TEST(nul, "a NUL byte is an error, and the output is untouched")
{
	struct os_release o = { .id = (char *)"before" };
	struct err err = ERR_INIT;

	CHECK_INT(osrelease_parse(&o, "ID=a\0b\n", 7, &err), -1);
	CHECK_STR(o.id, "before");
}

TEST(fields, "the fields we need are found, ID_LIKE in its order")
{
	static const char text[] =
		"NAME=\"Linux Mint\"\nVERSION_ID=\"21.3\"\nID=linuxmint\n"
		"ID_LIKE=\"ubuntu  debian\"\nVERSION_CODENAME=virginia\nPRETTY_NAME='Linux Mint 21.3'\n";
	struct os_release o CLEANUP(osrelease_release) = { 0 };
	struct err err = ERR_INIT;

	CHECK_INT(osrelease_parse(&o, text, strlen(text), &err), 0);
	CHECK_STR(o.id, "linuxmint");
	CHECK_STR(o.version_id, "21.3");
	CHECK_STR(o.codename, "virginia");
	CHECK_STR(o.pretty_name, "Linux Mint 21.3");
	CHECK_INT(o.id_like.n, 2);
	CHECK_STR(o.id_like.v[0], "ubuntu");
	CHECK_STR(o.id_like.v[1], "debian");
}

TEST(last_id_like, "the last ID_LIKE wins whole")
{
	static const char text[] = "ID_LIKE='a b'\nID_LIKE=c\n";
	struct os_release o CLEANUP(osrelease_release) = { 0 };
	struct err err = ERR_INIT;

	CHECK_INT(osrelease_parse(&o, text, strlen(text), &err), 0);
	CHECK_INT(o.id_like.n, 1);
	CHECK_STR(o.id_like.v[0], "c");
}

TEST(defaults, "an absent ID is linux, other absent fields are empty")
{
	struct os_release o CLEANUP(osrelease_release) = { 0 };
	struct err err = ERR_INIT;

	CHECK_INT(osrelease_parse(&o, "ID=''\n", 6, &err), 0);
	CHECK_STR(o.id, "linux");
	CHECK_STR(o.version_id, "");
	CHECK_STR(o.codename, "");
	CHECK_INT(o.id_like.n, 0);
}

static char *id_of(const struct fixture *f)
{
	struct os_release o CLEANUP(osrelease_release) = { 0 };
	struct err err = ERR_INIT;

	return osrelease_read(&o, &f->root, &err) < 0 ? xstrdup(err.msg) : xstrdup(o.id);
}

TEST(places, "/etc/os-release goes before /usr/lib/os-release; without both nothing is known; a bad one is named")
{
	struct fixture f;

	fixture_open(&f, false);
	char *none CLEANUP(freep) = id_of(&f);
	CHECK_STR(none, "linux");
	fixture_put(&f, "/usr/lib/os-release", "ID=vendor\n");
	char *vendor CLEANUP(freep) = id_of(&f);
	CHECK_STR(vendor, "vendor");
	fixture_link(&f, "/etc/os-release", "../usr/lib/os-release");
	char *link CLEANUP(freep) = id_of(&f);
	CHECK_STR(link, "vendor");
	fixture_unlink(&f, "/etc/os-release");
	fixture_put(&f, "/etc/os-release", "ID=local\n");
	char *local CLEANUP(freep) = id_of(&f);
	CHECK_STR(local, "local");
	fixture_put(&f, "/etc/os-release", "ID='local\n");
	char *bad CLEANUP(freep) = id_of(&f);
	CHECK_STR(bad, "cannot read '/etc/os-release': line 1: quotes that never close");
	fixture_close(&f);
}

RUN_TESTS()
