/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "json_rfc8259.h"
#include "test.h"

#include <math.h>

static struct json *parse(const char *text, int flags)
{
	struct json *j = NULL;
	struct err err = ERR_INIT;

	if (json_parse(text, strlen(text), flags, "'t'", &j, &err) < 0)
		printf("# %s\n", err.msg);
	return j;
}

static void reads(const char *file, int line, const char *text, int flags, const char *want)
{
	struct json *j CLEANUP(json_freep) = parse(text, flags);
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	if (j)
		json_print(j, &b);
	test_str(file, line, b.data, want);
}

static void refuses(const char *file, int line, const char *text, int flags, const char *msg)
{
	struct json *j = NULL;
	struct err err = ERR_INIT;

	test_int(file, line, json_parse(text, strlen(text), flags, "'t'", &j, &err), -1);
	test_str(file, line, err.msg, msg);
	test_int(file, line, !j, 1);
}

#define READS(text, flags, want) reads(__FILE__, __LINE__, text, flags, want)
#define REFUSES(text, flags, msg) refuses(__FILE__, __LINE__, text, flags, "'t': " msg)

TEST(values, "every kind of value is read and printed")
{
	READS(" { \"a\" : [ 1 , -2.5e3 , true , false , null , \"x\" , { } , [ ] ] } ", 0,
	      "{\"a\":[1,-2.5e3,true,false,null,\"x\",{},[]]}");
	READS("3", 0, "3");
	READS("\"\\u00e9\\ud83d\\ude00\\n\\/\\\\\\\"\\b\\u0001\\u007f\"", 0,
	      "\"\u00e9\U0001f600\\n/\\\\\\\"\\b\\u0001\\u007f\"");
	READS("{\"\":1,\"a\":{\"\":2}}", 0, "{\"\":1,\"a\":{\"\":2}}");
	READS("\xef\xbb\xbf{}", 0, "{}");
	READS("\xef\xbb\xbf" "1", 0, "1");
}

TEST(numbers_kept, "numbers keep their spelling")
{
	READS("[9007199254740993,1e400,-0,1.50,0.1E+2]", 0,
	      "[9007199254740993,1e400,-0,1.50,0.1E+2]");
}

TEST(comments, "comments are taken where they are allowed, and not inside strings")
{
	READS("// head\n{ /* a */ \"a\": 1, // b\r\n \"b//\": \"/* no */\", \"c\\\"//\": 2 } // end",
	      JSON_COMMENTS, "{\"a\":1,\"b//\":\"/* no */\",\"c\\\"//\":2}");
	REFUSES("{} /* x", JSON_COMMENTS, "line 1, column 4: comment is not closed");
	REFUSES("{} # x", JSON_COMMENTS, "line 1, column 4: comments are written // or /* */");
	REFUSES("{ /*\n*/ x }", JSON_COMMENTS, "line 2, column 4: a key in double quotes expected");
	REFUSES("{\n// x\n}", JSON_STRICT, "line 2, column 1: comments are not allowed");
	REFUSES("{/}", JSON_COMMENTS, "line 1, column 2: comments are written // or /* */");
	REFUSES("{\"a", JSON_COMMENTS, "line 1, column 4: the text ends inside a string");
	REFUSES("{\"a\\", JSON_COMMENTS, "line 1, column 4: unknown escape");
}

TEST(blank, "a blank text is an object only where that is asked for")
{
	READS(" \n", JSON_BLANK, "{}");
	READS("\xef\xbb\xbf", JSON_BLANK, "{}");
	REFUSES(" \n", JSON_STRICT, "line 2, column 1: the text is empty");
	REFUSES("", JSON_STRICT, "line 1, column 1: the text is empty");
}

TEST(refusals, "what RFC 8259 does not allow is refused with its place")
{
	REFUSES("{'a':1}", 0, "line 1, column 2: a key in double quotes expected");
	REFUSES("{\"a\" 1}", 0, "line 1, column 6: ':' expected");
	REFUSES("[1 2]", 0, "line 1, column 4: ',' or ']' expected");
	REFUSES("[1,", 0, "line 1, column 4: the text ends where a value is expected");
	REFUSES("{,}", 0, "line 1, column 2: a key in double quotes expected");
	REFUSES("[,]", 0, "line 1, column 2: a value expected");
	REFUSES("[01]", 0, "line 1, column 2: malformed number");
	REFUSES("[-]", 0, "line 1, column 2: malformed number");
	REFUSES("[1.]", 0, "line 1, column 2: malformed number");
	REFUSES("[1e]", 0, "line 1, column 2: malformed number");
	REFUSES("[.5]", 0, "line 1, column 2: a value expected");
	REFUSES("[+1]", 0, "line 1, column 2: a value expected");
	REFUSES("[NaN]", 0, "line 1, column 2: a value expected");
	REFUSES("[\"\t\"]", 0, "line 1, column 3: control character in a string");
	REFUSES("[\"\\x\"]", 0, "line 1, column 3: unknown escape");
	REFUSES("[\"\\u12g4\"]", 0, "line 1, column 7: four hexadecimal digits expected after \\u");
	REFUSES("[\"\\u12@4\"]", 0, "line 1, column 7: four hexadecimal digits expected after \\u");
	REFUSES("[\"\\u\x10"
		"234\"]",
		0, "line 1, column 5: four hexadecimal digits expected after \\u");
	REFUSES("[\"\\u0000\"]", 0, "line 1, column 3: \\u0000 is not supported");
	REFUSES("[\"\xc3(\"]", 0, "line 1, column 3: invalid UTF-8");
	REFUSES("{\"k\":{\"\x1b\":1}}", 0, "line 1, column 8: control character in a string");
	REFUSES("{\"\\u001b\":1,\"\\u001b\":1}", 0, "line 1, column 13: duplicate key '\\x1b'");
	REFUSES("[1234567890123456789012345678901234567890123456789012345678901234]", 0,
		"line 1, column 2: number of more than 63 characters");
	REFUSES("\xef\xbb\xbf\xef\xbb\xbf{}", 0, "line 1, column 1: a value expected");
	REFUSES("true false", 0, "line 1, column 6: more text behind the value");
}

TEST(rfc_taken, "RFC 8259: what a reader must take is taken, and taken the same when printed again")
{
	for (size_t i = 0; i < ARRAY_SIZE(json_taken); i++) {
		const struct json_case *c = &json_taken[i];
		struct json *j CLEANUP(json_freep) = NULL, *again CLEANUP(json_freep) = NULL;
		struct buf b CLEANUP(buf_release) = BUF_INIT;
		struct err err = ERR_INIT;

		if (json_parse(c->text, c->len, JSON_STRICT, c->why, &j, &err) < 0) {
			CHECK_STR(err.msg, "");
			continue;
		}
		json_print(j, &b);
		CHECK_INT(json_parse(b.data, b.len, JSON_STRICT, c->why, &again, &err), 0);
		CHECK(json_equal(j, again));
	}
}

TEST(rfc_refused, "RFC 8259: what it does not allow, and what it leaves to us, is refused on one line")
{
	for (size_t i = 0; i < ARRAY_SIZE(json_refused); i++) {
		const struct json_case *c = &json_refused[i];
		struct json *j = NULL;
		struct err err = ERR_INIT;

		if (json_parse(c->text, c->len, JSON_STRICT, c->why, &j, &err) == 0)
			CHECK_STR("taken", c->why);
		CHECK(!j && strstr(err.msg, ": line ") && !strchr(err.msg, '\n'));
		json_free(j);
	}
}

TEST(rfc_copy, "nothing behind the text's length is looked at")
{
	for (size_t i = 0; i < ARRAY_SIZE(json_taken); i++) {
		const struct json_case *c = &json_taken[i];
		char *exact CLEANUP(freep) = xmemdup(c->text, c->len);	/* the sanitizer sees a byte more */
		struct json *j CLEANUP(json_freep) = NULL;

		CHECK_INT(json_parse(exact, c->len, JSON_STRICT, c->why, &j, NULL), 0);
	}
}

TEST(longest_number, "a number of 63 characters is read")
{
	READS("123456789012345678901234567890123456789012345678901234567890123", 0,
	      "123456789012345678901234567890123456789012345678901234567890123");
}

TEST(building, "objects and arrays are built, changed in place, and read back")
{
	struct json *o CLEANUP(json_freep) = json_obj(), *arr = json_arr();
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	json_set_str(o, "s", "x");
	json_set_i64(o, "n", 9007199254740992);
	json_set_i64(o, "big", INT64_MIN);
	json_set_bool(o, "t", true);
	json_set_str(o, "nul", NULL);
	json_add_str(arr, "e");
	json_add(arr, json_num(0.1));
	json_add(arr, json_num(1e300));
	json_add(arr, json_num(INFINITY));
	json_set(o, "a", arr);
	json_set_str(o, "s", "y");
	json_del(o, "t");
	json_del(o, "absent");
	json_print(o, &b);
	CHECK_STR(
		b.data,
		"{\"s\":\"y\",\"n\":9007199254740992,\"big\":\"-9223372036854775808\",\"nul\":null,"
		"\"a\":[\"e\",0.1,1e+300,null]}");
	CHECK_STR(json_get_str(o, "s"), "y");
	CHECK_INT(json_get_i64(o, "n", 0), 9007199254740992);
	CHECK_INT(json_get_i64(o, "big", 0), INT64_MIN);
	CHECK_INT(json_get_i64(o, "s", -1), -1);
	CHECK_INT(json_get_i64(o, "a", -1), -1);
	CHECK(!json_get_str(o, "n") && !json_get(o, "S") && !json_get(NULL, "s") &&
	      !json_get(json_get(o, "s"), "s"));
	CHECK(json_get_bool(o, "t", true) && !json_get_bool(o, "s", false));
	CHECK_INT(json_len(o), 5);
	CHECK_INT(json_len(NULL), 0);
	CHECK_STR(json_type_name(json_type(json_get(o, "a"))), "an array");
}

TEST(pretty, "pretty is two spaces and a final newline")
{
	struct json *j CLEANUP(json_freep) = parse("{\"a\":{\"b\":[1,{}]},\"c\":[]}", 0);
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	json_print_pretty(j, &b);
	CHECK_STR(b.data,
		  "{\n  \"a\": {\n    \"b\": [\n      1,\n      {}\n    ]\n  },\n  \"c\": []\n}\n");
}

TEST(foreign_bytes, "bytes that are no UTF-8 do not make a text that cannot be read again")
{
	struct json *s CLEANUP(json_freep) = json_str("a\xff"
						      "b\xc3"),
		       *again CLEANUP(json_freep) = NULL;
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	json_print(s, &b);
	CHECK_STR(b.data, "\"a\ufffd" "b\ufffd\"");
	again = parse(b.data, 0);
	CHECK(again);
}

static bool same(const char *a, const char *b)
{
	struct json *x CLEANUP(json_freep) = parse(a, 0), *y CLEANUP(json_freep) = parse(b, 0);
	bool equal = json_equal(x, y);

	CHECK(equal == json_equal(y, x));
	return equal;
}

TEST(equality, "equal is by meaning, and exact for numbers")
{
	CHECK(same("{\"a\":1,\"b\":[true,null]}", "{\"b\":[true,null],\"a\":1.0}"));
	CHECK(!same("{\"a\":1}", "{\"a\":1,\"b\":1}"));
	CHECK(!same("{\"a\":1}", "{\"b\":1}"));
	CHECK(!same("{\"a\":1}", "{\"A\":1}"));
	CHECK(!same("[1,2]", "[2,1]") && !same("[1]", "[1,2]") && !same("[]", "{}") &&
	      !same("0", "false"));
	CHECK(!same("9007199254740993", "9007199254740992") &&
	      same("9007199254740993", "9007199254740993"));
	CHECK(!same("1e400", "1e401") && same("1e400", "1e400"));
	CHECK(!same("0.1", "0.10000000000000001") && same("0.1", "0.10") && same("100", "1e2"));
	CHECK(!same("1e-400", "0") && same("0", "-0") && same("0.0", "0e9"));
	CHECK(json_equal(NULL, NULL));
}

TEST(equal_built, "a number that was built equals the same one read")
{
	struct json *built CLEANUP(json_freep) = json_num(1234567890123456.0);
	struct json *read CLEANUP(json_freep) = parse("1234567890123456", 0);

	CHECK(json_equal(built, read));
	CHECK(!json_equal(built, NULL));
}

TEST(merging, "the examples of RFC 7396, appendix A")
{
	static const char *const t[][3] = {
		{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
		{ "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
		{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
		{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
		  "{\"a\":{\"b\":\"d\"}}" },
		{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
		{ "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
		{ "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
		{ "{\"a\":\"foo\"}", "null", "null" },
		{ "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
		{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
		{ "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
		{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct json *target CLEANUP(json_freep) = parse(t[i][0], 0),
				    *patch CLEANUP(json_freep) = parse(t[i][1], 0);
		struct json *got CLEANUP(json_freep) = json_merge(target, patch);
		struct buf b CLEANUP(buf_release) = BUF_INIT;

		json_print(got, &b);
		CHECK_STR(b.data, t[i][2]);
	}
}

TEST(merging_nothing, "a target that is absent is an empty object")
{
	struct json *patch CLEANUP(json_freep) = parse("{\"a\":9007199254740993}", 0);
	struct json *got CLEANUP(json_freep) = json_merge(NULL, patch);

	CHECK(json_equal(got, patch));
}

TEST(joining, "one patch that does what two do keeps the nulls of both")
{
	struct json *first CLEANUP(json_freep) = parse("{\"a\":{\"x\":null,\"y\":1},\"b\":2}", 0),
			  *second CLEANUP(json_freep) = parse("{\"a\":{\"z\":null,\"y\":null},\"c\":null}", 0);
	struct json *got CLEANUP(json_freep) = json_patch_join(first, second),
			  *alone CLEANUP(json_freep) = json_patch_join(NULL, second);
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	json_print(got, &b);
	CHECK_STR(b.data, "{\"a\":{\"x\":null,\"y\":null,\"z\":null},\"b\":2,\"c\":null}");
	CHECK(json_equal(alone, second));
}

/* A patch, or a tree, of two levels and few keys; the numbers come from *seed. */
static struct json *any_tree(unsigned int *seed, int depth, bool nulls)
{
	static const char *const keys[] = { "a", "b", "c" };
	struct json *j = json_obj();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		unsigned int what = (*seed = *seed * 1103515245 + 12345) >> 16 & 7;

		if (what < 3 && depth)
			json_set(j, keys[i], any_tree(seed, depth - 1, nulls));
		else if (what < 5)
			json_set_i64(j, keys[i], what);
		else if (what < 7 && nulls)
			json_set(j, keys[i], json_null());
	}
	return j;
}

TEST(fold, "any number of patches, one after the other, are two")
{
	unsigned int seed = 1;

	for (int round = 0; round < 3000; round++) {
		struct json *tree CLEANUP(json_freep) = any_tree(&seed, 2, false),
				 *two CLEANUP(json_freep) = json_dup(tree);
		struct json *reset CLEANUP(json_freep) = json_obj(),
				 *set CLEANUP(json_freep) = json_obj();

		for (int i = 0; i < 5; i++) {
			struct json *patch CLEANUP(json_freep) = any_tree(&seed, 2, true),
					 *before CLEANUP(json_freep) = tree;

			tree = json_merge(before, patch);
			json_patch_fold(reset, set, patch);
		}
		struct json *between CLEANUP(json_freep) = json_merge(two, reset),
				 *after CLEANUP(json_freep) = json_merge(between, set);
		CHECK(json_equal(after, tree));
	}
}

TEST(between, "the patch between two trees makes one of the other, and names nothing that is equal")
{
	static const char *const t[][3] = {
		{ "{\"a\":1,\"b\":{\"x\":1,\"y\":2}}", "{\"a\":1,\"b\":{\"y\":3,\"z\":4}}",
		  "{\"b\":{\"x\":null,\"y\":3,\"z\":4}}" },
		{ "{\"a\":[1],\"e\":null}", "{\"a\":{},\"e\":null}", "{\"a\":{}}" },
		{ "{\"a\":{\"x\":1}}", "{\"a\":{}}", "{\"a\":{\"x\":null}}" },
		{ "{}", "{}", "{}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct json *from CLEANUP(json_freep) = parse(t[i][0], 0),
				 *to CLEANUP(json_freep) = parse(t[i][1], 0);
		struct json *got CLEANUP(json_freep) = json_patch_between(from, to);
		struct json *made CLEANUP(json_freep) = json_merge(from, got);
		struct buf b CLEANUP(buf_release) = BUF_INIT;

		json_print(got, &b);
		CHECK_STR(b.data, t[i][2]);
		CHECK(json_equal(made, to));
	}
}

RUN_TESTS()
