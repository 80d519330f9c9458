/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/range.h"
#include "test.h"

static void reads(int line, const char *value, uint64_t start, uint64_t end, uint64_t total)
{
	struct content_range r = { 7, 7, 7 };

	test_int(__FILE__, line, content_range_parse(value, &r), 0);
	test_int(__FILE__, line, (long long)r.start, (long long)start);
	test_int(__FILE__, line, (long long)r.end, (long long)end);
	test_int(__FILE__, line, (long long)r.total, (long long)total);
}
#define READS(value, start, end, total) reads(__LINE__, value, start, end, total)

TEST(ranges, "ranges as mirrors send them, whatever the case of the unit")
{
	READS("bytes 0-0/1", 0, 0, 1);
	READS("bytes 100-199/200", 100, 199, 200);
	READS("Bytes 100-199/*", 100, 199, 0);
	READS("bytes 0-18446744073709551614/18446744073709551615", 0, UINT64_MAX - 1, UINT64_MAX);
}

TEST(refused, "what is no range, or written another way, is not believed")
{
	static const char *const values[] = {
		"", "bytes", "bytes ", "bytes 5", "bytes 5-", "bytes 5-6", "bytes 5-6/", "bytes */10",
		"items 1-2/3", "bytes=1-2/3", "bytes  1-2/3", " bytes 1-2/3", "bytes 1-2/3 ",
		"bytes 2-1/3", "bytes 1-3/3", "bytes -1-2/3", "bytes +1-2/3", "bytes 1--2/3",
		"bytes 01-2/3", "bytes 0x1-2/3", "bytes 1-2/3,4-5/6", "bytes 1-2/**",
		"bytes 18446744073709551616-18446744073709551617/*", "bytes 1-2/18446744073709551619",
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct content_range r = { 7, 7, 7 };

		CHECK_INT(content_range_parse(values[i], &r), -1);
		CHECK(r.start == 7 && r.end == 7 && r.total == 7);
	}
}

RUN_TESTS()
