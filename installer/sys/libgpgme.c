/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/libgpgme.h"

#include "base/mem.h"
#include "sonames.h"

LIBGPGME_FUNCTIONS(LIBRARY_DEFINE)

static const struct library_symbol functions[] = { LIBGPGME_FUNCTIONS(LIBRARY_ENTRY) };

static struct library l = { .soname = SONAME_LIBGPGME,
				    .symbols = functions,
				    .n = ARRAY_SIZE(functions) };

int libgpgme_load(struct err *err)
{
	return library_load(&l, err);
}

void libgpgme_unload(void)
{
	library_unload(&l);
}
