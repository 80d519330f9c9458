/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/libgpgme.h"

#include "base/mem.h"
#include "sonames.h"

LIBGPGME_FUNCTIONS(LIBRARY_DEFINE)

static const struct library_symbol functions[] = { LIBGPGME_FUNCTIONS(LIBRARY_ENTRY) };

int libgpgme_load(struct err *err)
{
	static struct library l = { SONAME_LIBGPGME, functions, ARRAY_SIZE(functions), NULL };

	return library_load(&l, err);
}
