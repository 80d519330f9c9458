/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers that hold secrets: wiped before they are freed. Reserve the room before bytes are added,
 * so that growing leaves no copy behind. */
#ifndef PKI_SECRET_H
#define PKI_SECRET_H

#include "base/buf.h"

/* struct buf key CLEANUP(secret_release) = BUF_INIT; */
void secret_release(struct buf *b);
/* 32 random bytes in 64 hex digits: as good as a 256-bit key, and fit for a text file. */
void secret_random(struct buf *ret);

#endif
