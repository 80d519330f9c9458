/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "test.h"

TEST(empty, "an untouched buffer is an empty string and needs no release")
{
	struct buf b = BUF_INIT;

	CHECK_STR(b.data, "");
	buf_clear(&b);
	buf_add(&b, NULL, 0);
	CHECK_INT(b.cap, 0);
}

TEST(adding, "what is added stands there, NUL-terminated")
{
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	buf_adds(&b, "ab");
	buf_addc(&b, 'c');
	buf_addf(&b, "%d-%s", 12, "x");
	CHECK_STR(b.data, "abc12-x");
	CHECK_INT(b.len, 7);
	buf_add(&b, "\0y", 2);
	CHECK_INT(b.len, 9);
	CHECK_INT(b.data[9], 0);
	buf_clear(&b);
	CHECK_STR(b.data, "");
}

TEST(growing, "a buffer grows without losing a byte")
{
	struct buf b CLEANUP(buf_release) = BUF_INIT;
	bool same = true;

	for (int i = 0; i < 100000; i++)
		buf_addc(&b, (char)i);
	for (int i = 0; i < 100000; i++)
		same = same && b.data[i] == (char)i;
	CHECK(same);
	CHECK_INT(b.len, 100000);
}

TEST(splicing, "bytes are replaced in the middle, at the start and at the end")
{
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	buf_adds(&b, "hello world");
	buf_splice(&b, 6, 5, "all", 3);
	CHECK_STR(b.data, "hello all");
	buf_splice(&b, 0, 0, ">> ", 3);
	CHECK_STR(b.data, ">> hello all");
	buf_splice(&b, b.len, 0, "!", 1);
	CHECK_STR(b.data, ">> hello all!");
	buf_splice(&b, 0, 3, NULL, 0);
	CHECK_STR(b.data, "hello all!");
}

TEST(detaching, "a detached string is the caller's, the buffer new")
{
	struct buf b = BUF_INIT;
	char *s, *none;

	buf_adds(&b, "text");
	s = buf_detach(&b);
	none = buf_detach(&b);
	CHECK_STR(s, "text");
	CHECK_STR(none, "");
	CHECK_INT(b.cap, 0);
	free(s);
	free(none);
}

TEST(equality, "buffers are equal byte for byte, NULs included")
{
	struct buf a CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;

	CHECK(buf_equal(&a, &b));
	buf_add(&a, "x\0y", 3);
	buf_add(&b, "x\0z", 3);
	CHECK(!buf_equal(&a, &b));
	b.data[2] = 'y';
	CHECK(buf_equal(&a, &b));
}

TEST(strings, "copies, formats and replacements")
{
	char *s = xstrdup(NULL), *f CLEANUP(freep) = xasprintf("%s-%d", "a", 1);
	char *stolen CLEANUP(freep) = NULL;

	CHECK(!s);
	str_replace(&s, "one");
	CHECK_STR(s, "one");
	str_replace(&s, s + 1);
	CHECK_STR(s, "ne");
	CHECK_STR(f, "a-1");
	stolen = STEAL(s);
	CHECK(!s);
	CHECK_STR(stolen, "ne");
}

RUN_TESTS()
