/* SPDX-License-Identifier: Apache-2.0 */
/* The Content-Range of a 206 answer (RFC 9110 14.4), read strictly: a mirror that writes it another
 * way is not believed, and the file begins anew. */
#ifndef FETCH_RANGE_H
#define FETCH_RANGE_H

#include <stdint.h>

struct content_range {
	uint64_t start, end;	/* of the first and the last byte */
	uint64_t total;		/* bytes of the whole, 0 = "*", not known */
};

/* "bytes 100-199/200", or "*" for the total: 0. Anything else: -1, ret untouched. */
int content_range_parse(const char *value, struct content_range *ret);

#endif
