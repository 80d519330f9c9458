/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os-release(5) with its full quoting rules: comments, single and double quotes, backslash escapes,
 * lines that go on after a backslash or inside quotes, no expansion of any kind. The last of
 * several assignments wins; a line that is no assignment is skipped, as systemd does. An ID that is
 * absent is "linux". Other fields that are absent are "".
 *
 * Errors: quotes that never close, a NUL byte; they name the line, not the file.
 */
#ifndef HOST_OSRELEASE_H
#define HOST_OSRELEASE_H

#include "host/host.h"

int osrelease_parse(struct os_release *ret, const char *text, size_t len, struct err *err);
/* /etc/os-release, else /usr/lib/os-release, else nothing is known: ID "linux". */
int osrelease_read(struct os_release *ret, const struct root *root, struct err *err);
void osrelease_release(struct os_release *o);

#endif
