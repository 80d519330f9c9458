/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses may be asked, and how they may be shown. */
#ifndef FETCH_URL_H
#define FETCH_URL_H

#include "base/str.h"

/* https; plain http only below one of the prefixes; a local file only if no server sent us
 * there. */
bool url_allowed(const char *url, const struct strv *plain_mirrors, bool redirected);
/* Without password, query and anything unprintable: neither passwords nor the tokens of signed
 * queries belong in a message. */
void url_shown(const char *url, char *buf, size_t size);

#endif
