/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unified diffs (3 lines of context, "--- a", "+++ b", "\ No newline at end of file"), line based
 * with Myers' algorithm and a bound on its work: past it, one hunk replaces everything.
 * Nothing is printed for equal texts. Bytes that are not printable come out as \xNN.
 */
#ifndef BASE_DIFF_H
#define BASE_DIFF_H

#include "base/buf.h"

void diff_unified(const char *name_a, const char *a, size_t alen, const char *name_b,
		  const char *b, size_t blen, struct buf *ret);

#endif
