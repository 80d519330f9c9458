/* SPDX-License-Identifier: Apache-2.0 */
#include "base/template.h"
#include "test.h"

static const struct template_var vars[] = {
	{ "BINDIR", "/usr/bin" }, { "BIN", "x" },   { "N_1", "@BIN@" },
	{ "EMPTY", "" },	  { "NONE", NULL }, { "LF", "a\nExecStart=/bin/sh" },
	{ "CR", "a\rb" },	  { NULL, NULL },
};

static void render_is(const char *file, int line, const char *text, const char *want,
		      const char *msg)
{
	struct buf got CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	test_int(file, line, template_render("t.service", text, strlen(text), vars, &got, &err),
		 msg[0] ? -1 : 0);
	test_str(file, line, got.data, want);
	test_str(file, line, err.msg, msg);
}

#define RENDER(text, want) render_is(__FILE__, __LINE__, text, want, "")
#define FAILS(text, msg) render_is(__FILE__, __LINE__, text, "", "template 't.service', " msg)

TEST(replaced, "variables are replaced once, @@ is one @")
{
	RENDER("", "");
	RENDER("no variable\n", "no variable\n");
	RENDER("a=@BINDIR@/@BIN@@EMPTY@@NONE@;", "a=/usr/bin/x;");
	RENDER("x@@y.service @@@@", "x@y.service @@");
	RENDER("@N_1@", "@BIN@");
}

TEST(refused, "unknown and unterminated names are errors with their line, and nothing is rendered")
{
	FAILS("a\n\n@NOPE@\n", "line 3: unknown variable '@NOPE@'");
	FAILS("@BINDI@", "line 1: unknown variable '@BINDI@'");
	FAILS("ok @BIN@\nuser@host\n", "line 2: '@' is not terminated (write @@ for one @)");
	FAILS("@BIN", "line 1: '@BIN' is not terminated (write @@ for one @)");
	FAILS("@BIN x@", "line 1: '@BIN' is not terminated (write @@ for one @)");
	FAILS("@", "line 1: '@' is not terminated (write @@ for one @)");
}

TEST(injection, "a value with a line break is refused")
{
	FAILS("a=@LF@\n", "line 1: the value of '@LF@' has a line break");
	FAILS("a=@CR@\n", "line 1: the value of '@CR@' has a line break");
}

RUN_TESTS()
