/* SPDX-License-Identifier: Apache-2.0 */
/* A test program is a list of TEST(name) { ... } and RUN_TESTS(). It prints TAP; exit 1 if one
 * failed. */
#ifndef UNIT_TEST_H
#define UNIT_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

static struct test *test_first, **test_tail = &test_first;
static bool test_failed;

static inline void test_add(struct test *t)
{
	*test_tail = t;
	test_tail = &t->next;
}

/* TEST(id, "what is promised") { body } */
#define TEST(id, what)                                                                     \
	static void id(void);                                                              \
	static struct test test_##id = { what, id, NULL };                                 \
	__attribute__((constructor)) static void add_##id(void) { test_add(&test_##id); }  \
	static void id(void)

#define CHECK(cond)                                                                        \
	do {                                                                               \
		if (!(cond)) {                                                             \
			test_failed = true;                                                \
			printf("# %s:%d: not true: %s\n", __FILE__, __LINE__, #cond);      \
		}                                                                          \
	} while (0)

#define CHECK_STR(got, want) test_str(__FILE__, __LINE__, (got), (want))
#define CHECK_INT(got, want) test_int(__FILE__, __LINE__, (long long)(got), (long long)(want))

__attribute__((unused)) static void test_str(const char *file, int line, const char *got,
					     const char *want)
{
	if (got == want || (got && want && !strcmp(got, want)))
		return;
	test_failed = true;
	printf("# %s:%d: got  <%s>\n# %s:%d: want <%s>\n", file, line, got ? got : "(null)", file, line,
	       want ? want : "(null)");
}

__attribute__((unused)) static void test_int(const char *file, int line, long long got,
					     long long want)
{
	if (got == want)
		return;
	test_failed = true;
	printf("# %s:%d: got %lld, want %lld\n", file, line, got, want);
}

static inline int test_main(void)
{
	int n = 0, bad = 0;

	for (struct test *t = test_first; t; t = t->next) {
		test_failed = false;
		t->run();
		printf("%s %d - %s\n", test_failed ? "not ok" : "ok", ++n, t->name);
		bad += test_failed;
	}
	printf("1..%d\n", n);
	return bad ? 1 : 0;
}

#define RUN_TESTS() int main(void) { return test_main(); }

#endif
