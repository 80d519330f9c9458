/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/libarchive.h"

#include "base/mem.h"
#include "sonames.h"

LIBARCHIVE_FUNCTIONS(LIBRARY_DEFINE)

static const struct library_symbol functions[] = { LIBARCHIVE_FUNCTIONS(LIBRARY_ENTRY) };

int libarchive_load(struct err *err)
{
	static struct library l = { .soname = SONAME_LIBARCHIVE,
				    .symbols = functions,
				    .n = ARRAY_SIZE(functions) };

	return library_load(&l, err);
}
