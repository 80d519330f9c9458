/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "base/utf8.h"
#include "test.h"

#define JOINED(strv, want)                                              \
	do {                                                            \
		char *joined_ CLEANUP(freep) = strv_join(&(strv), "|"); \
		CHECK_STR(joined_, want);                               \
	} while (0)

TEST(vector, "a vector grows, stays NULL-terminated, sorts and finds")
{
	struct strv s CLEANUP(strv_release) = STRV_INIT;
	const char *const list[] = { "pear", "apple", NULL };

	CHECK(!strv_has(&s, "x"));
	strv_sort(&s);
	JOINED(s, "");
	strv_addv(&s, list);
	strv_addf(&s, "n%d", 7);
	for (int i = 0; i < 30; i++)
		strv_add(&s, "zz");
	CHECK_INT(s.n, 33);
	CHECK(!s.v[s.n]);
	strv_sort(&s);
	CHECK_STR(s.v[0], "apple");
	CHECK_STR(s.v[1], "n7");
	CHECK(strv_has(&s, "pear") && !strv_has(&s, "pea"));
}

TEST(split, "splitting keeps empty pieces, words drops white space")
{
	struct strv a CLEANUP(strv_release) = STRV_INIT, b CLEANUP(strv_release) = STRV_INIT;
	struct strv c CLEANUP(strv_release) = STRV_INIT;

	str_split(&a, "a,,b,", ',');
	JOINED(a, "a||b|");
	str_split(&b, "", ',');
	CHECK_INT(b.n, 1);
	str_words(&c, " \ta  bc\n");
	JOINED(c, "a|bc");
}

TEST(affixes, "prefixes, suffixes, trimming")
{
	char text[] = " \t a b \n";
	char blank[] = " \n";

	CHECK(str_starts("abc", "ab") && str_starts("abc", "") && !str_starts("ab", "abc"));
	CHECK(str_ends("abc", "bc") && str_ends("abc", "") && !str_ends("bc", "abc"));
	CHECK_STR(str_trim(text), "a b");
	CHECK_STR(str_trim(blank), "");
	CHECK(str_eq(NULL, NULL) && !str_eq(NULL, "") && str_eq("a", "a"));
}

TEST(paths, "names, directories and joins of paths")
{
	static const struct {
		const char *path, *dir, *base;
	} t[] = {
		{ "/a/b", "/a", "b" },	{ "/a", "/", "a" },  { "a", ".", "a" },
		{ "/a//b", "/a", "b" }, { "//a", "/", "a" }, { "a/b", "a", "b" },
	};
	char *joined[4];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		char *dir CLEANUP(freep) = path_dirname(t[i].path);

		CHECK_STR(dir, t[i].dir);
		CHECK_STR(path_basename(t[i].path), t[i].base);
	}
	joined[0] = path_join("/a", "b");
	joined[1] = path_join("/a/", "/b");
	joined[2] = path_join("/", "b");
	joined[3] = path_join("a", "b/c");
	CHECK_STR(joined[0], "/a/b");
	CHECK_STR(joined[1], "/a/b");
	CHECK_STR(joined[2], "/b");
	CHECK_STR(joined[3], "a/b/c");
	for (size_t i = 0; i < ARRAY_SIZE(joined); i++)
		free(joined[i]);
}

TEST(numbers, "a number is the whole string and in its range, or nothing is stored")
{
	static const char *const bad[] = { "",	  "-",	 "+1",
					   " 1",  "1 ",	 "0x1",
					   "1e3", "--1", "9223372036854775808" };
	int64_t n = 42;
	uint64_t u = 42;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(str_to_i64(bad[i], INT64_MIN, INT64_MAX, &n) < 0 && n == 42);
	CHECK(str_to_i64(NULL, 0, 1, &n) < 0 && str_to_i64("2", 0, 1, &n) < 0 &&
	      str_to_i64("-1", 0, 1, &n) < 0);
	CHECK(!str_to_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &n) && n == INT64_MIN);
	CHECK(!str_to_i64("9223372036854775807", INT64_MIN, INT64_MAX, &n) && n == INT64_MAX);
	CHECK(!str_to_i64("007", 0, 10, &n) && n == 7);
	CHECK(str_to_u64("-1", UINT64_MAX, &u) < 0 &&
	      str_to_u64("18446744073709551616", UINT64_MAX, &u) < 0);
	CHECK(str_to_u64("11", 10, &u) < 0 && u == 42);
	CHECK(!str_to_u64("18446744073709551615", UINT64_MAX, &u) && u == UINT64_MAX);
}

TEST(quantities, "sizes and durations take one unit letter and do not overflow")
{
	static const char *const bad[] = { "",	 "G",	"1GB", "1.5G",
					   "-1", "1 G", "1g",  "18446744073709551615K" };
	uint64_t n = 42;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(str_to_size(bad[i], &n) < 0 && n == 42);
	CHECK(!str_to_size("100", &n) && n == 100);
	CHECK(!str_to_size("512K", &n) && n == 524288);
	CHECK(!str_to_size("64M", &n) && n == 67108864);
	CHECK(!str_to_size("1G", &n) && n == 1073741824);
	CHECK(!str_to_seconds("60s", &n) && n == 60);
	CHECK(!str_to_seconds("45m", &n) && n == 2700);
	CHECK(!str_to_seconds("24h", &n) && n == 86400);
	CHECK(!str_to_seconds("2d", &n) && n == 172800);
	CHECK(!str_to_seconds("90", &n) && n == 90);
	CHECK(str_to_seconds("1w", &n) < 0 && str_to_seconds("213503982334602d", &n) < 0);
}

TEST(nearest, "the nearest name is found for a typo, none for a guess")
{
	static const char *const keys[] = { "version", "sysbox", "docker", "catalog", NULL };

	CHECK_STR(str_nearest("verison", keys), "version");
	CHECK_STR(str_nearest("Docker", keys), "docker");
	CHECK_STR(str_nearest("sysbx", keys), "sysbox");
	CHECK_STR(str_nearest("catalogue", keys), "catalog");
	CHECK_STR(str_nearest("docker", keys), "docker");
	CHECK_STR(str_nearest("frobnicate", keys), NULL);
	CHECK_STR(str_nearest("", keys), NULL);
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

/* The third column is what dpkg 1.21.22 --compare-versions says. */
TEST(versions, "versions compare as dpkg compares them")
{
	static const struct {
		const char *a, *b;
		int want;
	} t[] = {
		{ "1.0~rc1", "1.0", -1 },
		{ "1.0~~", "1.0~", -1 },
		{ "1.0~~a", "1.0~", -1 },
		{ "1.0", "1.0-0", 0 },
		{ "1.0-1", "1.0-1.1", -1 },
		{ "1:0.9", "1.0", 1 },
		{ "0:1", "1", 0 },
		{ "00:1.0", "1.0", 0 },
		{ "2-1", "1:1", -1 },
		{ "1.0a", "1.0", 1 },
		{ "1.0+b", "1.0a", 1 },
		{ "1.0", "1.0.", -1 },
		{ "1.10", "1.9", 1 },
		{ "1.010", "1.10", 0 },
		{ "1.0-1-2", "1.0-1", 1 },
		{ "1-a-1", "1-a", 1 },
		{ "1.0a1", "1.0a~1", 1 },
		{ "1.2.z", "1.2.+", -1 },
		{ "1.a", "1.A", 1 },
		{ "1.0.0", "1.0", 1 },
		{ "1.0-~1", "1.0", -1 },
		{ "a", "1", 1 },
		{ "99999999999999999999999", "100000000000000000000000", -1 },
		{ "20.10.24+dfsg1-1+deb12u1+b2", "20.10.24+dfsg1-1+deb12u1", 1 },
		{ "5:28.1.1-1~debian.12~bookworm", "5:28.1.0-1~debian.13~trixie", 1 },
		{ "0.7.0-0.linux", "0.7.0", 1 },
		{ "0.6.7-0", "0.6.7-0~1", 1 },
		{ "1.0-1~bpo12+1", "1.0-1", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		CHECK_INT(sign(version_compare(t[i].a, t[i].b)), t[i].want);
		CHECK_INT(sign(version_compare(t[i].b, t[i].a)), -t[i].want);
		CHECK_INT(version_compare(t[i].a, t[i].a), 0);
	}
}

TEST(versions_numeric, "only leading dotted numbers count")
{
	CHECK(version_compare_numeric("6.1.0-13-amd64", "5.12") > 0);
	CHECK(version_compare_numeric("5.12", "6.1.0-13-amd64") < 0);
	CHECK(version_compare_numeric("5.9", "5.12") < 0);
	CHECK_INT(version_compare_numeric("5.12", "5.12.0-rc1"), 0);
	CHECK_INT(version_compare_numeric("6.1-13", "6.1-14"), 0);
	CHECK_INT(version_compare_numeric("6.1.x.3", "6.1"), 0);
	CHECK(version_compare_numeric("20.10.24+dfsg1", "20.10.9") > 0);
	CHECK(version_compare_numeric("", "1") < 0);
	CHECK_INT(version_compare_numeric("", "x"), 0);
}

TEST(utf8, "only well-formed UTF-8 is decoded, and encoding gives it back")
{
	static const char *const good[] = { "a",
					    "\xc2\x80",
					    "\xdf\xbf",
					    "\xe0\xa0\x80",
					    "\xed\x9f\xbf",
					    "\xef\xbf\xbf",
					    "\xf0\x90\x80\x80",
					    "\xf4\x8f\xbf\xbf" };
	static const char *const bad[] = { "",
					   "\x80",
					   "\xc0\x80",
					   "\xc1\xbf",
					   "\xe0\x9f\xbf",
					   "\xed\xa0\x80",
					   "\xc3",
					   "\xf0\x8f\xbf\xbf",
					   "\xf4\x90\x80\x80",
					   "\xff",
					   "\xe2\x82",
					   "\xe2\x28\xa1" };
	uint32_t c = 0;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct buf b CLEANUP(buf_release) = BUF_INIT;

		CHECK_INT(utf8_decode(good[i], strlen(good[i]), &c), strlen(good[i]));
		utf8_encode(&b, c);
		CHECK_STR(b.data, good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(utf8_decode(bad[i], strlen(bad[i]), &c), 0);
}

RUN_TESTS()
