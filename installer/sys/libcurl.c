/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/libcurl.h"

#include "base/mem.h"
#include "sonames.h"

LIBCURL_FUNCTIONS(LIBRARY_DEFINE)

static const struct library_symbol functions[] = { LIBCURL_FUNCTIONS(LIBRARY_ENTRY) };

int libcurl_load(struct err *err)
{
	static struct library l = { .soname = SONAME_LIBCURL,
				    .symbols = functions,
				    .n = ARRAY_SIZE(functions),
				    .brings_gnutls = true };

	return library_load(&l, err);
}
