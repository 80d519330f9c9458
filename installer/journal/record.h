/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record is one small file:
 *
 *	sysboxup-record 1 TYPE LENGTH SHA256\n	header; SHA256 is over TYPE, a newline and the
 *						LENGTH bytes of JSON
 *	{ ... }\n
 *	zeros to the end of the file			(padding of the spare it was written into)
 *
 * Anything else is torn, or not a record: RECORD_BAD. Every later release reads format 1.
 */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

#include "base/json.h"

enum record_type {
	RECORD_BEGIN,		/* who, when, arguments, profile digest, program version, class */
	RECORD_PREPARED,	/* the whole plan with its before-images: from here on things may be visible */
	RECORD_INTENT,		/* action N begins now */
	RECORD_COMMITTED,	/* terminal: THE instant */
	RECORD_ROLLED_BACK,	/* terminal: everything undone */
	RECORD_FAILED,		/* an undo failed: reason and remedy; what is left is told by the records before it */
	RECORD_UNDONE,		/* action N, which had an INTENT, is undone: an undo that is tried again leaves it alone */
	RECORD_PENDING,		/* all is in place and proven; until its deadline it can be confirmed (engine/pending.h) */
	RECORD_BASE,		/* not of a transaction: what is left of pruned ones (journal/base.h) */
	RECORD_TYPES
};

const char *record_type_name(enum record_type t);
int record_encode(enum record_type t, const struct json *body, struct buf *ret);
/* 0; or -1 with err for anything that is not one whole valid record. */
int record_decode(const char *data, size_t len, enum record_type *ret_type, struct json **ret_body,
		  struct err *err);

#endif
