/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/libcurl.h"

#include "base/mem.h"
#include "sonames.h"

LIBCURL_FUNCTIONS(LIBRARY_DEFINE)

static const struct library_symbol functions[] = { LIBCURL_FUNCTIONS(LIBRARY_ENTRY) };

int libcurl_load(struct err *err)
{
	static struct library l = { SONAME_LIBCURL, functions, ARRAY_SIZE(functions), NULL };

	return library_load(&l, err);
}
