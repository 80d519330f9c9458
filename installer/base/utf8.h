/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing over U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"

/* Bytes of the character at s (1 to 4), or 0 if the n bytes there do not start with one. */
size_t utf8_decode(const char *s, size_t n, uint32_t *ret);
void utf8_encode(struct buf *b, uint32_t c);
/* Can be shown on a terminal: no control character of C0 or C1, no line or direction control. */
bool utf8_printable(uint32_t c);

#endif
