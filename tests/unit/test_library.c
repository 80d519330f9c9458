/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/mem.h"
#include "sys/library.h"

#include <math.h>
#include <string.h>

/* Some library of this machine that nothing of ours is linked with. */
#define FUNCTIONS(X) X(hypot) X(floor)
FUNCTIONS(LIBRARY_DEFINE)
static const struct library_symbol functions[] = { FUNCTIONS(LIBRARY_ENTRY) };

static struct err err = ERR_INIT;

TEST(loaded, "all its functions are there then, and a second call is content")
{
	struct library l = { .soname = "libm.so.6", .symbols = functions, .n = ARRAY_SIZE(functions) };

	CHECK(!sym_floor);
	CHECK(!library_load(&l, &err) && !library_load(&l, &err));
	CHECK(sym_hypot(3, 4) == 5 && sym_floor(2.5) == 2);
}

TEST(unloaded, "no function is left to be called, and it can be loaded once more")
{
	struct library l = { .soname = "libm.so.6", .symbols = functions, .n = ARRAY_SIZE(functions) };

	CHECK(!library_load(&l, &err));
	library_unload(&l);
	CHECK(!l.handle && !sym_hypot && !sym_floor);
	library_unload(&l);
	CHECK(!library_load(&l, &err) && sym_hypot(3, 4) == 5);
}

TEST(missing, "a library that is not installed is named, with the remedy")
{
	struct library l = { .soname = "libnosuch.so.7", .symbols = functions, .n = ARRAY_SIZE(functions) };

	CHECK(library_load(&l, &err) < 0);
	CHECK(err.kind == ERR_FAILED && strstr(err.msg, "cannot load libnosuch.so.7: "));
	CHECK(strstr(err.remedy, "libnosuch.so.7"));
}

TEST(another, "one without a function that we need is not taken")
{
	static void *where;
	const struct library_symbol wanted[] = { { "no_such_function", &where } };
	struct library l = { .soname = "libm.so.6", .symbols = wanted, .n = 1 };

	CHECK(library_load(&l, &err) < 0 && !l.handle && !where);
	CHECK(strstr(err.msg, "no_such_function"));
}

RUN_TESTS()
