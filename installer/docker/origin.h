/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that remembers, byte for byte, in which file and line it was written: what is left of
 * `--bip=$BIP` after continuation lines, quotes and variables can still be named with "in
 * '/etc/default/docker' line 3".
 */
#ifndef DOCKER_ORIGIN_H
#define DOCKER_ORIGIN_H

#include "base/buf.h"
#include "base/str.h"

struct origin {
	const char *file;		/* borrowed from the reader's list of files */
	unsigned int line;		/* from 1; 0 = unknown */
};

struct otext {
	struct buf text;
	struct buf at;			/* one struct origin per byte of text */
};

#define OTEXT_INIT { BUF_INIT, BUF_INIT }

void otext_addc(struct otext *t, char c, struct origin at);
void otext_add(struct otext *t, const struct otext *src, size_t from, size_t len);
struct origin otext_at(const struct otext *t, size_t pos);	/* past the end: of the last byte; { NULL, 0 } if empty */
void otext_release(struct otext *t);

/* Words of a command line. */
struct owords {
	struct otext *v;
	struct origin *first;		/* where each begins, also of an empty one */
	size_t n;
};

void owords_take(struct owords *w, struct otext *word, struct origin first);	/* word is OTEXT_INIT afterwards */
void owords_release(struct owords *w);

#endif
