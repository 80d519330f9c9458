/* SPDX-License-Identifier: Apache-2.0 */
/* The control data of a package: "Field: value" lines, continued by lines that begin with a blank
 * (deb-control(5)). */
#ifndef FETCH_CONTROL_H
#define FETCH_CONTROL_H

#include "fetch/unpack.h"

/* Package, Version and Architecture must be there. ERR_REFUSED. */
int control_parse(struct deb_control *ret, const char *text, size_t len, const char *what,
		  struct err *err);
/* The paths that a list of conffiles names, each once. ERR_REFUSED. */
int conffiles_parse(struct strv *ret, const char *text, size_t len, const char *what,
		    struct err *err);
void control_release(struct deb_control *c);

#endif
