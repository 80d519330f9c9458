/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte string. data is always NUL-terminated (the NUL is not in len), so a
 * buffer of text can be used as a C string. BUF_INIT needs no release until something is added.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
};

#define BUF_INIT { (char *)"", 0, 0 }

void buf_release(struct buf *b);		/* b is BUF_INIT afterwards */
void buf_clear(struct buf *b);			/* len = 0, memory kept */
void buf_reserve(struct buf *b, size_t extra);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_addc(struct buf *b, char c);
void buf_adds(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_addv(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);
void buf_splice(struct buf *b, size_t pos, size_t del, const void *data, size_t len);
char *buf_detach(struct buf *b);		/* the caller frees; b is BUF_INIT afterwards */
bool buf_equal(const struct buf *a, const struct buf *b);

#endif
