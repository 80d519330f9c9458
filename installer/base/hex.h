/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of any kind in a record that is JSON: two lower-case hex digits each. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/buf.h"

/* Allocated. */
char *hex_encode(const struct buf *data);
/* Adds what a hex_encode was made of; NULL adds nothing. False: it is no such text. */
bool hex_decode(const char *text, struct buf *ret);

#endif
