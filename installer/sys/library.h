/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries that only some commands need, loaded by the first one that does. Linked, they and the
 * 40 that they bring in turn cost each run 10 ms and 7 MiB: `status`, and recovery at each boot. */
#ifndef SYS_LIBRARY_H
#define SYS_LIBRARY_H

#include "base/err.h"

#include <stddef.h>

/* A list of functions L(X) is declared by L(LIBRARY_DECLARE), and kept by L(LIBRARY_DEFINE) and
 * L(LIBRARY_ENTRY): sym_NAME, of the type that the library's own header gives NAME. NULL until the
 * library is loaded. */
#define LIBRARY_DECLARE(name) extern __typeof__(name) *sym_##name;
#define LIBRARY_DEFINE(name) __typeof__(name) *sym_##name;
#define LIBRARY_ENTRY(name) { #name, (void *)&sym_##name },

struct library_symbol {
	const char *name;
	void *pointer;			/* to the sym_ of that name */
};

struct library {
	const char *soname;		/* of what the build found; dlopen(3) says where it is looked for */
	const struct library_symbol *symbols;
	size_t n;
	void *handle;			/* NULL: not loaded yet */
	bool brings_gnutls;		/* and does not use it */
};

/* All or nothing; costs nothing when it is there already. ERR_FAILED: it is not installed, or is
 * another one. */
int library_load(struct library *l, struct err *err);

/* Gives its memory back; nothing that it made may be left. Its functions are NULL again. */
void library_unload(struct library *l);

#endif
