/* SPDX-License-Identifier: Apache-2.0 */
/* os-release(5) with its full quoting rules: comments, single and double quotes, backslash escapes, no expansion. */
#ifndef HOST_OSRELEASE_H
#define HOST_OSRELEASE_H

#include "host/host.h"

int osrelease_parse(struct os_release *ret, const char *text, size_t len, struct err *err);
void osrelease_release(struct os_release *o);

#endif
