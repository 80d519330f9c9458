/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzzers share. Each tests/fuzz/fuzz_NAME.c is one program for one parser, with an oracle
 * beyond "does not crash": what was read is written out again and read to the same, or is compared
 * with a second reader that was written on its own. tests/fuzz/run starts them.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(cond)                                                                          \
	do {                                                                                \
		if (!(cond)) {                                                              \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                            \
		}                                                                           \
	} while (0)

/* An error that was returned has been said, on one line. */
static inline void must_be_said(const struct err *err)
{
	must(*err->msg && !strchr(err->msg, '\n'));
}

/* The input as n texts with a NUL between them; what is not there is empty. */
static inline void fuzz_texts(struct buf *ret, size_t n, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		const uint8_t *nul = i + 1 < n && size ? memchr(data, 0, size) : NULL;
		size_t len = nul ? (size_t)(nul - data) : size;

		ret[i] = (struct buf)BUF_INIT;
		buf_add(&ret[i], data, len);
		data += nul ? len + 1 : len;
		size -= nul ? len + 1 : len;
	}
}

static inline void fuzz_texts_release(struct buf *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_release(&v[i]);
}

#endif
