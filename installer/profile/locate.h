/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a key stands in a JSON text (with comments) that json_parse has accepted already: trees
 * carry no positions, people need a line.
 */
#ifndef PROFILE_LOCATE_H
#define PROFILE_LOCATE_H

#include <stddef.h>

/* Line (from 1) of section or of section's key; section NULL means the top, "api.limits" one in
 * another, key NULL the section itself. What is not found (a key spelled with escapes) gives the
 * line of what encloses it. */
unsigned int locate_line(const char *text, size_t len, const char *section, const char *key);

#endif
