/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/libyaml.h"

#include "base/mem.h"
#include "sonames.h"

LIBYAML_FUNCTIONS(LIBRARY_DEFINE)

static const struct library_symbol functions[] = { LIBYAML_FUNCTIONS(LIBRARY_ENTRY) };

int libyaml_load(struct err *err)
{
	static struct library l = { .soname = SONAME_LIBYAML,
				    .symbols = functions,
				    .n = ARRAY_SIZE(functions) };

	return library_load(&l, err);
}
