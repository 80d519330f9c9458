/* SPDX-License-Identifier: Apache-2.0 */
#include "base/diff.h"
#include "base/str.h"
#include "test.h"

static void diff_is(const char *file, int line, const char *a, const char *b, const char *want)
{
	struct buf got CLEANUP(buf_release) = BUF_INIT;

	diff_unified("a", a, strlen(a), "b", b, strlen(b), &got);
	test_str(file, line, got.data, want);
}

#define DIFF(a, b, want) diff_is(__FILE__, __LINE__, a, b, want)
#define HEAD "--- a\n+++ b\n"

TEST(equal, "equal texts have no diff")
{
	DIFF("", "", "");
	DIFF("a\nb\n", "a\nb\n", "");
}

TEST(new_and_gone, "a text that is new or gone is one hunk")
{
	DIFF("", "a\nb\n", HEAD "@@ -0,0 +1,2 @@\n+a\n+b\n");
	DIFF("a\n", "", HEAD "@@ -1 +0,0 @@\n-a\n");
}

TEST(context, "three lines of context, cut at both ends")
{
	DIFF("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nX\n6\n7\n8\n9\n",
	     HEAD "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+X\n 6\n 7\n 8\n");
	DIFF("1\n2\n", "0\n1\n2\n", HEAD "@@ -1,2 +1,3 @@\n+0\n 1\n 2\n");
	DIFF("1\n2\n", "1\n2\n3\n", HEAD "@@ -1,2 +1,3 @@\n 1\n 2\n+3\n");
}

TEST(hunks, "changes six lines apart share a hunk, seven apart do not")
{
	DIFF("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
	     HEAD "@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n");
	DIFF("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
	     HEAD "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n");
}

TEST(no_newline, "a missing newline at the end is said, and is a difference")
{
	DIFF("a", "a\n", HEAD "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
	DIFF("a\nb", "x\nb", HEAD "@@ -1,2 +1,2 @@\n-a\n+x\n b\n\\ No newline at end of file\n");
}

TEST(unprintable, "bytes that are not printable are shown as hex")
{
	DIFF("", "\ta\r\n\x1b[m\xff\u00e9\n",
	     HEAD "@@ -0,0 +1,2 @@\n+\ta\\x0d\n+\\x1b[m\\xff\u00e9\n");
}

TEST(shortest, "the edit script is the shortest")
{
	DIFF("a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n",
	     HEAD "@@ -1,7 +1,6 @@\n-a\n-b\n c\n+b\n a\n b\n-b\n a\n+c\n");
}

static void numbers(struct buf *b, int n, const char *suffix)
{
	for (int i = 0; i < n; i++)
		buf_addf(b, "%d%s\n", i, suffix);
}

TEST(bounded, "texts with nothing in common cost no more than one hunk that replaces everything")
{
	struct buf a CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;
	struct buf got CLEANUP(buf_release) = BUF_INIT;
	size_t lines = 0;

	numbers(&a, 3000, "a");
	numbers(&b, 3000, "b");
	diff_unified("a", a.data, a.len, "b", b.data, b.len, &got);
	for (size_t i = 0; i < got.len; i++)
		lines += got.data[i] == '\n';
	CHECK(str_starts(got.data, HEAD "@@ -1,3000 +1,3000 @@\n-0a\n-1a\n"));
	CHECK_INT(lines, 6003);
}

RUN_TESTS()
