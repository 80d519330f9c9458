/* SPDX-License-Identifier: Apache-2.0 */
#include "base/splice.h"
#include "test.h"

static struct json *parse(const char *text)
{
	struct json *j = NULL;
	struct err err = ERR_INIT;

	if (text && json_parse(text, strlen(text), JSON_STRICT, "test", &j, &err) < 0) {
		printf("# bad text in the test itself: %s\n", err.msg);
		abort();
	}
	return j;
}

static void splice_bytes(const char *file, int line, const char *text, size_t len,
			 const char *patch, const char *want)
{
	struct json *p CLEANUP(json_freep) = parse(patch);
	struct buf got CLEANUP(buf_release) = BUF_INIT, again CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	test_int(file, line, json_splice(text, len, p, "'daemon.json'", &got, &err), 0);
	test_str(file, line, err.msg, "");
	test_str(file, line, got.data, want);
	test_int(file, line, json_splice(got.data, got.len, p, "'daemon.json'", &again, &err), 0);
	test_str(file, line, again.data, want);
}

/* Spliced once it is `want`, spliced twice it still is. */
#define SPLICE(text, patch, want) splice_bytes(__FILE__, __LINE__, text, strlen(text), patch, want)

static void splice_refused(const char *file, int line, const char *text, size_t len,
			   const char *patch, const char *msg)
{
	struct json *p CLEANUP(json_freep) = parse(patch);
	struct buf got CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	test_int(file, line, json_splice(text, len, p, "'daemon.json'", &got, &err), -1);
	test_int(file, line, err.kind, ERR_FAILED);
	test_str(file, line, err.msg, msg);
	test_int(file, line, (long long)got.len, 0);
}

#define REFUSED(text, msg)                                                                         \
	splice_refused(__FILE__, __LINE__, text, strlen(text), "{\"live-restore\":true}",          \
		       "'daemon.json': " msg)

#define RUNTIME "{\"runtimes\":{\"sysbox-runc\":{\"path\":\"/usr/bin/sysbox-runc\"}}}"

TEST(adds_pretty, "a new member goes to the end, indented like its neighbours")
{
	SPLICE("{\n    \"debug\": true\n}\n", "{\"live-restore\":true}",
	       "{\n    \"debug\": true,\n    \"live-restore\": true\n}\n");
	SPLICE("{\n  \"debug\": true\n}", RUNTIME,
	       "{\n  \"debug\": true,\n  \"runtimes\": {\n    \"sysbox-runc\": {\n"
	       "      \"path\": \"/usr/bin/sysbox-runc\"\n    }\n  }\n}");
}

TEST(adds_nested, "a nested object is extended, not replaced")
{
	SPLICE("{\n  \"runtimes\": {\n    \"nvidia\": {\n      \"path\": \"nv\"\n    }\n  },\n  \"debug\": true\n}\n",
	       RUNTIME,
	       "{\n  \"runtimes\": {\n    \"nvidia\": {\n      \"path\": \"nv\"\n    },\n    \"sysbox-runc\": {\n"
	       "      \"path\": \"/usr/bin/sysbox-runc\"\n    }\n  },\n  \"debug\": true\n}\n");
	SPLICE("{\n  \"runtimes\": { \"nvidia\": {\"path\": \"nv\"} }\n}\n", RUNTIME,
	       "{\n  \"runtimes\": { \"nvidia\": {\"path\": \"nv\"}, \"sysbox-runc\": "
	       "{\"path\": \"/usr/bin/sysbox-runc\"} }\n}\n");
}

TEST(fills_empty, "an empty object is filled in the way its place is written")
{
	SPLICE("{}", "{\"a\":1}", "{\n  \"a\": 1\n}");
	SPLICE("{ }\n", "{\"a\":1,\"b\":[]}", "{\n  \"a\": 1,\n  \"b\": []\n}\n");
	SPLICE("{\r\n}\r\n", "{\"a\":1}", "{\r\n  \"a\": 1\r\n}\r\n");
	SPLICE("{\n\t\"runtimes\": {}\n}\n", RUNTIME,
	       "{\n\t\"runtimes\": {\n\t\t\"sysbox-runc\": {\n\t\t\t\"path\": \"/usr/bin/sysbox-runc\"\n\t\t}\n\t}\n}\n");
	SPLICE("{\"runtimes\":{}}", RUNTIME,
	       "{\"runtimes\":{\"sysbox-runc\":{\"path\":\"/usr/bin/sysbox-runc\"}}}");
}

TEST(blank_text, "an empty or blank text becomes a fresh object with a final newline")
{
	SPLICE("", "{\"a\":1}", "{\n  \"a\": 1\n}\n");
	SPLICE(" \n\t\n", "{\"a\":{\"b\":1}}", "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n");
	SPLICE("\r\n", "{\"a\":1}", "{\r\n  \"a\": 1\r\n}\r\n");
	SPLICE("\xef\xbb\xbf", "{\"a\":1}", "\xef\xbb\xbf{\n  \"a\": 1\n}\n");
	SPLICE("", "{\"a\":null}", "");
}

TEST(bom_crlf_tabs, "BOM, CRLF and tabs are kept, and used in what is new")
{
	SPLICE("\xef\xbb\xbf{\r\n\t\"debug\": true\r\n}\r\n", "{\"a\":{\"b\":1}}",
	       "\xef\xbb\xbf{\r\n\t\"debug\": true,\r\n\t\"a\": {\r\n\t\t\"b\": 1\r\n\t}\r\n}\r\n");
	SPLICE("\xef\xbb\xbf{\"a\":1}", "{\"a\":2}", "\xef\xbb\xbf{\"a\":2}");
	SPLICE("\xef\xbb\xbf{}", "{\"a\":2}", "\xef\xbb\xbf{\n  \"a\": 2\n}");
}

TEST(one_line, "a one-line text stays one line, spaced as it was")
{
	SPLICE("{\"debug\":true}", RUNTIME,
	       "{\"debug\":true,\"runtimes\":{\"sysbox-runc\":{\"path\":\"/usr/bin/sysbox-runc\"}}}");
	SPLICE("{ \"debug\": true }\n", "{\"a\":{\"b\":[1,2]}}",
	       "{ \"debug\": true, \"a\": {\"b\": [1, 2]} }\n");
	SPLICE("{\"a\" : 1,  \"b\" : 2}", "{\"c\":3}", "{\"a\" : 1,  \"b\" : 2,  \"c\" : 3}");
}

TEST(odd_layouts, "comma-first, unindented and crooked texts keep what is not ours")
{
	SPLICE("{\n    \"a\": 1\n  , \"b\": 2\n  , \"c\": 3\n}\n", "{\"b\":null}",
	       "{\n    \"a\": 1\n  , \"c\": 3\n}\n");
	SPLICE("{\n\"a\": 1\n}", "{\"b\":{\"c\":2}}", "{\n\"a\": 1,\n\"b\": {\n\"c\": 2\n}\n}");
	SPLICE("{\"a\":\n1}", "{\"b\":2}", "{\"a\":\n1, \"b\": 2}");
	SPLICE("  {\n    \"a\": 1\n  }\n", "{\"a\":[]}", "  {\n    \"a\": []\n  }\n");
	SPLICE("{\"a\":1,\n \"b\":2}", "{\"a\":null}", "{\"b\":2}");
}

TEST(replaces, "a differing value is replaced, an equal one left as it is spelt")
{
	SPLICE("{\n  \"a\": 1.0,\n  \"b\": \"\\u0061\"\n}", "{\"a\":1,\"b\":\"a\"}",
	       "{\n  \"a\": 1.0,\n  \"b\": \"\\u0061\"\n}");
	SPLICE("{\"a\": [1, 2],\n\"b\": 0}", "{\"a\":[1,2,3]}", "{\"a\": [1, 2, 3],\n\"b\": 0}");
	SPLICE("{\n  \"a\": {\"x\": 1}\n}", "{\"a\":7}", "{\n  \"a\": 7\n}");
	SPLICE("{\n  \"a\": 7\n}", "{\"a\":{\"x\":{\"y\":1,\"n\":null}}}",
	       "{\n  \"a\": {\n    \"x\": {\n      \"y\": 1\n    }\n  }\n}");
	SPLICE("{\"a\": [7]}", "{\"a\":{\"n\":null}}", "{\"a\": {}}");
}

TEST(multi_line_array, "an array over several lines stays so")
{
	SPLICE("{\n  \"dns\": [\n    \"1.1.1.1\"\n  ]\n}\n", "{\"dns\":[\"9.9.9.9\",\"8.8.8.8\"]}",
	       "{\n  \"dns\": [\n    \"9.9.9.9\",\n    \"8.8.8.8\"\n  ]\n}\n");
}

TEST(removes, "a removed member takes its comma and its line, and nothing else")
{
	const char *text = "{\n  \"a\": 1,\n  \"b\": {\n    \"x\": 1\n  },\n\n  \"c\": 3\n}\n";

	SPLICE(text, "{\"a\":null}", "{\n  \"b\": {\n    \"x\": 1\n  },\n\n  \"c\": 3\n}\n");
	SPLICE(text, "{\"b\":null}", "{\n  \"a\": 1,\n\n  \"c\": 3\n}\n");
	SPLICE(text, "{\"c\":null}", "{\n  \"a\": 1,\n  \"b\": {\n    \"x\": 1\n  }\n}\n");
	SPLICE(text, "{\"a\":null,\"b\":null,\"c\":null}", "{}\n");
	SPLICE(text, "{\"b\":{\"x\":null}}", "{\n  \"a\": 1,\n  \"b\": {},\n\n  \"c\": 3\n}\n");
	SPLICE("{\"a\": 1, \"b\": 2, \"c\": 3}", "{\"b\":null}", "{\"a\": 1, \"c\": 3}");
	SPLICE("{ \"a\": 1, \"b\": 2 }", "{\"a\":null}", "{ \"b\": 2 }");
	SPLICE("{\r\n  \"a\": 1,\r\n  \"b\": 2\r\n}", "{\"a\":null}", "{\r\n  \"b\": 2\r\n}");
}

TEST(removes_absent, "taking out what is not there changes nothing")
{
	SPLICE("{\"a\":1}", "{\"b\":null}", "{\"a\":1}");
	SPLICE("{\"a\":{}}", "{\"a\":{\"b\":null}}", "{\"a\":{}}");
}

TEST(swaps, "old members out and new ones in keeps the layout")
{
	SPLICE("{\n\t\"old\": 1\n}\n", "{\"old\":null,\"new\":2}", "{\n\t\"new\": 2\n}\n");
}

TEST(untouched_numbers, "numbers that no double can hold keep their spelling")
{
	SPLICE("{\"n\": 9007199254740993, \"e\": 1e400, \"f\": 1.10, \"z\": -0}", "{\"a\":1}",
	       "{\"n\": 9007199254740993, \"e\": 1e400, \"f\": 1.10, \"z\": -0, \"a\": 1}");
	SPLICE("{\"n\": 9007199254740993}", "{\"n\": 9007199254740992}",
	       "{\"n\": 9007199254740992}");
	SPLICE("{\"n\": 1e400}", "{\"n\": 1e401}", "{\"n\": 1e401}");
	SPLICE("{\"a\": 0}", "{\"n\": 9007199254740993}", "{\"a\": 0, \"n\": 9007199254740993}");
}

TEST(escaped_keys, "a key is matched by what it means")
{
	SPLICE("{\"\\u0072untimes\": {\"a\\/b\": 1}}", "{\"runtimes\":{\"a/b\":2}}",
	       "{\"\\u0072untimes\": {\"a\\/b\": 2}}");
	SPLICE("{\"a\": 1}", "{\"\\u00e9 \\\"\\n\":1}", "{\"a\": 1, \"\u00e9 \\\"\\n\": 1}");
	SPLICE("{\"Debug\": 1}", "{\"debug\":1}", "{\"Debug\": 1, \"debug\": 1}");
}

TEST(braces_in_strings, "brackets, commas and newlines in strings do not confuse")
{
	SPLICE("{\"a\": \"},{\", \"b,\": \"\\n{\"}", "{\"b,\":null,\"c\":1}",
	       "{\"a\": \"},{\", \"c\": 1}");
}

TEST(bad_texts, "what is not one sound object is refused with line and column")
{
	REFUSED("null", "line 1, column 1: an object expected, not null");
	REFUSED("\n\n []\n", "line 3, column 2: an object expected, not an array");
	REFUSED("{\n  \"a\": 1,\n  \"a\": 2\n}", "line 3, column 3: duplicate key 'a'");
	REFUSED("{\"a\":1,\"\\u0061\":2}", "line 1, column 8: duplicate key 'a'");
	REFUSED("{\n  // no\n}", "line 2, column 3: comments are not allowed");
	REFUSED("{} /* no */", "line 1, column 4: comments are not allowed");
	REFUSED("{\"a\": # no\n1}", "line 1, column 7: comments are not allowed");
	REFUSED("{\n  \"a\": 1,\n}", "line 2, column 9: comma behind the last one");
	REFUSED("{\"a\": [1,]}", "line 1, column 9: comma behind the last one");
	REFUSED("{}\r\n{}", "line 2, column 1: more text behind the value");
	REFUSED("{\"a\": \"\\ud800\"}", "line 1, column 8: lone surrogate");
	REFUSED("{\"a\": \"\\udc00\"}", "line 1, column 8: lone surrogate");
	REFUSED("{\"a\": \"\\ud800\\u0041\"}", "line 1, column 8: lone surrogate");
	REFUSED("{\"a\": \"\\ud800x\"}", "line 1, column 8: lone surrogate");
	REFUSED("{\"a\": \"\xed\xa0\x80\"}", "line 1, column 8: invalid UTF-8");
	REFUSED("\xef\xbb\xbf{,}", "line 1, column 2: a key in double quotes expected");
	REFUSED("{\"a\": 1", "line 1, column 8: ',' or '}' expected");
	REFUSED("{\"a\": tru}", "line 1, column 7: a value expected");
}

TEST(nul_byte, "a NUL byte in the text is refused")
{
	splice_refused(__FILE__, __LINE__, "{}\0", 3, "{\"a\":1}",
		       "'daemon.json': line 1, column 3: more text behind the value");
	splice_refused(__FILE__, __LINE__, "{\"a\0\":1}", 8, "{\"a\":1}",
		       "'daemon.json': line 1, column 4: control character in a string");
}

static void nest(struct buf *b, int depth)
{
	buf_adds(b, "{\"a\":");
	for (int i = 1; i < depth; i++)
		buf_addc(b, '[');
	for (int i = 1; i < depth; i++)
		buf_addc(b, ']');
	buf_addc(b, '}');
}

TEST(nesting, "128 levels are taken, 129 refused")
{
	struct buf ok CLEANUP(buf_release) = BUF_INIT, deep CLEANUP(buf_release) = BUF_INIT;
	struct buf want CLEANUP(buf_release) = BUF_INIT;

	nest(&ok, 128);
	buf_add(&want, ok.data, ok.len - 1);
	buf_adds(&want, ",\"b\":1}");
	SPLICE(ok.data, "{\"b\":1}", want.data);
	nest(&deep, 129);
	REFUSED(deep.data, "line 1, column 133: nested more than 128 deep");
}

TEST(size, "1 MiB is taken, one byte more refused, and so is growing past it")
{
	struct buf b CLEANUP(buf_release) = BUF_INIT, got CLEANUP(buf_release) = BUF_INIT;
	struct json *same CLEANUP(json_freep) = parse("{\"b\":null}"),
			  *more CLEANUP(json_freep) = parse("{\"b\":1}");
	struct err err = ERR_INIT;

	buf_adds(&b, "{\"a\":\"");
	while (b.len < SPLICE_MAX - 2)
		buf_addc(&b, 'x');
	buf_adds(&b, "\"}");
	CHECK_INT(json_splice(b.data, b.len, same, "'f'", &got, &err), 0);
	CHECK(buf_equal(&b, &got));
	buf_clear(&got);
	CHECK_INT(json_splice(b.data, b.len, more, "'f'", &got, &err), -1);
	CHECK_STR(err.msg, "'f': would become larger than 1 MiB");
	buf_addc(&b, '\n');
	CHECK_INT(json_splice(b.data, b.len, same, "'f'", &got, &err), -1);
	CHECK_STR(err.msg, "'f': larger than 1 MiB");
	CHECK_INT(got.len, 0);
}

TEST(many_keys, "a hundred thousand keys are no trouble")
{
	struct buf b CLEANUP(buf_release) = BUF_INIT, got CLEANUP(buf_release) = BUF_INIT;
	struct json *p CLEANUP(json_freep) = parse("{\"k5\":null,\"z\":1}");
	struct err err = ERR_INIT;

	buf_adds(&b, "{\"z\":0");
	for (int i = 0; b.len < SPLICE_MAX - 32; i++)
		buf_addf(&b, ",\"k%x\":1", i);
	buf_adds(&b, "}");
	CHECK_INT(json_splice(b.data, b.len, p, "'f'", &got, &err), 0);
	CHECK_INT(got.len, b.len - strlen(",\"k5\":1"));
	CHECK(str_starts(got.data,
			 "{\"z\":1,\"k0\":1,\"k1\":1,\"k2\":1,\"k3\":1,\"k4\":1,\"k6\":1"));
}

TEST(bad_patch, "a patch that is no object is refused")
{
	splice_refused(__FILE__, __LINE__, "{}", 2, "[1]",
		       "'daemon.json': the change must be an object, at most 128 deep");
}

static void unmerge_is(const char *file, int line, const char *today, const char *before,
		       const char *ours, const char *want, const char *want_conflicts)
{
	struct json *t CLEANUP(json_freep) = parse(today), *b CLEANUP(json_freep) = parse(before);
	struct json *o CLEANUP(json_freep) = parse(ours), *got CLEANUP(json_freep) = NULL;
	struct json *w CLEANUP(json_freep) = parse(want);
	struct strv conflicts CLEANUP(strv_release) = STRV_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	char *list CLEANUP(freep) = NULL;

	test_int(file, line, json_unmerge(t, b, o, &got, &conflicts), 0);
	json_print(got, &text);
	list = strv_join(&conflicts, " ");
	if (!json_equal(got, w))
		test_str(file, line, text.data, want);
	test_str(file, line, list, want_conflicts);
}

#define UNMERGE(today, before, ours, want, conflicts) \
	unmerge_is(__FILE__, __LINE__, today, before, ours, want, conflicts)

TEST(undo_untouched, "untouched since: every leaf goes, or back to the value before")
{
	UNMERGE("{\"live-restore\":true}", "{}", "{\"live-restore\":true}",
		"{\"live-restore\":null}", "");
	UNMERGE("{\"live-restore\":true}", NULL, "{\"live-restore\":true}",
		"{\"live-restore\":null}", "");
	UNMERGE("{\"dns\":[\"a\"]}", "{\"dns\":[\"b\"]}", "{\"dns\":[\"a\"]}", "{\"dns\":[\"b\"]}",
		"");
	UNMERGE("{\"a\":1}", "{\"a\":{\"b\":2}}", "{\"a\":1}", "{\"a\":{\"b\":2}}", "");
	UNMERGE("{\"a\":{\"b\":2}}", "{\"a\":1}", "{\"a\":{\"b\":2}}", "{\"a\":1}", "");
	UNMERGE("{}", "{\"a\":1}", "{\"a\":null}", "{\"a\":1}", "");
	UNMERGE("{}", "{\"a\":{\"b\":[1]}}", "{\"a\":null}", "{\"a\":{\"b\":[1]}}", "");
}

TEST(undo_other_key, "a stranger's other key is left alone")
{
	UNMERGE("{\"live-restore\":true,\"debug\":true}", "{}", "{\"live-restore\":true}",
		"{\"live-restore\":null}", "");
	UNMERGE("{\"runtimes\":{\"a\":{\"path\":\"x\"},\"b\":{}}}", "{\"runtimes\":{\"b\":{}}}",
		"{\"runtimes\":{\"a\":{\"path\":\"x\"}}}", "{\"runtimes\":{\"a\":null}}", "");
}

TEST(undo_conflict, "a leaf that a stranger changed is a conflict and stays")
{
	UNMERGE("{\"live-restore\":false,\"debug\":true}", "{}",
		"{\"live-restore\":true,\"debug\":true}", "{\"debug\":null}", "live-restore");
	UNMERGE("{\"runtimes\":{\"a\":{\"path\":\"y\",\"n\":1}}}", "{}",
		"{\"runtimes\":{\"a\":{\"path\":\"x\",\"n\":1}}}",
		"{\"runtimes\":{\"a\":{\"n\":null}}}", "runtimes.a.path");
	UNMERGE("{\"dns\":[\"a\",\"c\"]}", "{}", "{\"dns\":[\"a\"]}", "{}", "dns");
	UNMERGE("{\"a\":3}", "{\"a\":1}", "{\"a\":null}", "{}", "a");
	UNMERGE("{\"a\":7}", "{}", "{\"a\":{\"b\":1}}", "{}", "a");
	UNMERGE("{\"a\":9007199254740993}", "{}", "{\"a\":9007199254740992}", "{}", "a");
}

TEST(undo_gone, "a leaf that a stranger took out, or set back, needs nothing and is no conflict")
{
	UNMERGE("{}", "{}", "{\"a\":1}", "{}", "");
	UNMERGE("{}", "{\"a\":0}", "{\"a\":1}", "{}", "");
	UNMERGE("{\"a\":0}", "{\"a\":0}", "{\"a\":1}", "{}", "");
	UNMERGE("{\"a\":1}", "{\"a\":1}", "{\"a\":null}", "{}", "");
	UNMERGE("{}", "{}", "{\"a\":{\"b\":{\"c\":1}}}", "{}", "");
	UNMERGE("{\"a\":5}", "{\"a\":5}", "{\"a\":{\"b\":1}}", "{}", "");
	UNMERGE(NULL, "{\"a\":1}", "{\"a\":null,\"b\":2}", "{}", "");
}

TEST(undo_not_ours, "an equal value found was never ours, whatever became of it")
{
	UNMERGE("{\"a\":1}", "{\"a\":1}", "{\"a\":1}", "{}", "");
	UNMERGE("{\"a\":2}", "{\"a\":1}", "{\"a\":1}", "{}", "");
	UNMERGE("{\"b\":2}", "{}", "{\"b\":null}", "{}", "");
	UNMERGE("{\"a\":3}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}", "{}", "");
}

TEST(undo_containers,
     "a container of ours goes when empty, stays with a stranger's key; one from before stays")
{
	UNMERGE("{\"runtimes\":{\"s\":{\"path\":\"p\"}}}", "{}",
		"{\"runtimes\":{\"s\":{\"path\":\"p\"}}}", "{\"runtimes\":null}", "");
	UNMERGE("{\"runtimes\":{\"s\":{\"path\":\"p\"},\"x\":{}}}", "{}",
		"{\"runtimes\":{\"s\":{\"path\":\"p\"}}}", "{\"runtimes\":{\"s\":null}}", "");
	UNMERGE("{\"runtimes\":{\"s\":{\"path\":\"p\",\"args\":[]}}}", "{}",
		"{\"runtimes\":{\"s\":{\"path\":\"p\"}}}", "{\"runtimes\":{\"s\":{\"path\":null}}}",
		"");
	UNMERGE("{\"runtimes\":{\"s\":{\"path\":\"p\"}}}", "{\"runtimes\":{}}",
		"{\"runtimes\":{\"s\":{\"path\":\"p\"}}}", "{\"runtimes\":{\"s\":null}}", "");
	UNMERGE("{\"runtimes\":{\"s\":{}}}", "{}", "{\"runtimes\":{\"s\":{\"path\":\"p\"}}}",
		"{\"runtimes\":null}", "");
	UNMERGE("{\"features\":{}}", "{}", "{\"features\":{}}", "{\"features\":null}", "");
	UNMERGE("{\"features\":{\"x\":1}}", "{}", "{\"features\":{}}", "{}", "");
	UNMERGE("{\"features\":{}}", "{\"features\":{}}", "{\"features\":{}}", "{}", "");
	UNMERGE("{\"a\":{}}", "{\"a\":1}", "{\"a\":{}}", "{\"a\":1}", "");
	UNMERGE("{\"a\":{\"b\":1,\"x\":1}}", "{\"a\":1}", "{\"a\":{\"b\":1}}",
		"{\"a\":{\"b\":null}}", "a");
}

TEST(undo_no_object, "a file that is no object today is refused")
{
	struct json *today CLEANUP(json_freep) = parse("[1]"),
			   *ours CLEANUP(json_freep) = parse("{\"a\":1}");
	struct strv conflicts CLEANUP(strv_release) = STRV_INIT;
	struct json *got = NULL;

	CHECK_INT(json_unmerge(today, NULL, ours, &got, &conflicts), -1);
	CHECK(!got);
	CHECK_INT(conflicts.n, 0);
}

static void round_trip(const char *file, int line, const char *text, const char *ours)
{
	struct json *before CLEANUP(json_freep) = parse(text),
			    *patch CLEANUP(json_freep) = parse(ours);
	struct json *today CLEANUP(json_freep) = NULL, *undo CLEANUP(json_freep) = NULL;
	struct buf done CLEANUP(buf_release) = BUF_INIT, undone CLEANUP(buf_release) = BUF_INIT;
	struct strv conflicts CLEANUP(strv_release) = STRV_INIT;
	struct err err = ERR_INIT;

	test_int(file, line, json_splice(text, strlen(text), patch, "x", &done, &err), 0);
	today = parse(done.data);
	test_int(file, line, json_unmerge(today, before, patch, &undo, &conflicts), 0);
	test_int(file, line, json_splice(done.data, done.len, undo, "x", &undone, &err), 0);
	test_str(file, line, undone.data, text);
	test_int(file, line, (long long)conflicts.n, 0);
}

TEST(there_and_back, "what was added and is taken back leaves the bytes as they were")
{
	round_trip(__FILE__, __LINE__, "{\n    \"debug\": true\n}\n", RUNTIME);
	round_trip(__FILE__, __LINE__, "{\"debug\":true, \"x\": 1e400}", RUNTIME);
	round_trip(__FILE__, __LINE__,
		   "\xef\xbb\xbf{\r\n\t\"runtimes\": {\r\n\t\t\"x\": {}\r\n\t}\r\n}", RUNTIME);
	round_trip(__FILE__, __LINE__, "{}\n", RUNTIME);
	round_trip(__FILE__, __LINE__,
		   "{\n  \"a\": [1, 2],\n  \"runtimes\": {},\n  \"b\": false\n}\n",
		   "{\"a\":[3],\"b\":true,\"runtimes\":{\"s\":{\"path\":\"p\"}}}");
}

RUN_TESTS()
