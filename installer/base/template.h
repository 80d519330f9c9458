/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates: @NAME@ is replaced by a variable, @@ is one @. An unknown or unterminated name is
 * an error that names template and line, and so is a value with a line break (it could add
 * directives to a unit). Names are of A-Z, 0-9 and _; values are not expanded again. The result is
 * added to ret; on failure ret is untouched.
 */
#ifndef BASE_TEMPLATE_H
#define BASE_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"

struct template_var {
	const char *name;
	const char *value;
};

/* vars ends with name == NULL. */
int template_render(const char *name, const char *text, size_t len, const struct template_var *vars,
		    struct buf *ret, struct err *err);

#endif
