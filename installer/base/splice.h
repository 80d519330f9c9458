/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Change a few keys of a JSON text and leave every other byte alone: order, indentation,
 * line ends, number spelling, escapes, final newline or none, a BOM (DESIGN.md section 8).
 *
 * The patch is an RFC 7396 merge patch: objects merge, arrays and scalars are whole values,
 * null takes a key out. New members go to the end of their object, in the indentation
 * that the object (else the text) uses; a one-line object stays on one line. A value that is
 * already equal is not rewritten. An empty (or blank) text counts as {}; it is an error
 * for the text to be anything but an object, to have duplicate keys, comments, trailing data,
 * nesting over 128, or more than 1 MiB: line and column are named, nothing is returned.
 *
 * Removing a member takes its comma, and its line if it has one to itself. A key is matched by
 * what it means ("\u0072untimes" is runtimes). An empty root object becomes one on several lines.
 * Splicing a text that already says what patch wants returns the same bytes.
 *
 * After splicing, old text, patch and new text are parsed again and compared as trees
 * (json_merge(old, patch) must equal new): a splice that is not proven is an error.
 * The new text is added to ret.
 */
#ifndef BASE_SPLICE_H
#define BASE_SPLICE_H

#include "base/json.h"

#define SPLICE_MAX (1024 * 1024)

int json_splice(const char *text, size_t len, const struct json *patch, const char *what,
		struct buf *ret, struct err *err);

/*
 * Three-way undo, key by key. `ours` is the patch that was applied; `before` the tree before it
 * (NULL: no file); today what is there now (NULL: no file). Gives the merge patch that takes back
 * each leaf that still has our value (to the value before, else out), and lists in conflicts
 * ("live-restore", "runtimes.sysbox-runc.path") those that somebody changed since: these stay
 * out of the patch. Leaves are scalars, arrays, nulls (keys we took out) and empty objects.
 *
 * - An equal value found by us was never ours. A leaf gone today, or as before, needs nothing;
 *   nor does a file that is gone.
 * - A container object that we made and that is empty again goes too; one that was there
 *   before stays, empty or not; one that holds somebody else's keys stays.
 * - Where a container of ours replaced a scalar or array and now holds somebody else's keys, our
 *   leaves go and the container is a conflict.
 * - A key whose value before was null comes out absent: a merge patch cannot say null.
 *
 * ret is never NULL on success (an empty object means nothing to take back). -1, nothing
 * touched: today is not an object.
 */
int json_unmerge(const struct json *today, const struct json *before, const struct json *ours,
		 struct json **ret, struct strv *conflicts);

#endif
