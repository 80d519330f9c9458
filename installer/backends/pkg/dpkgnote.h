/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What dpkg has noted of one package: its paragraph in /var/lib/dpkg/status and its files in
 * /var/lib/dpkg/info, as JSON for a record; and that paragraph put into the text of status, or
 * taken out. Nothing here writes to a host.
 *
 *	{ "paragraph": HEX,				not there: dpkg does not know it
 *	  "files": { "postinst": { "mode": 493, "mtime": 1700000000, "data": HEX } ... } }
 */
#ifndef BACKENDS_PKG_DPKGNOTE_H
#define BACKENDS_PKG_DPKGNOTE_H

#include "backends/pkg/dpkgdb.h"
#include "base/json.h"

struct json *note_new(void);
/* paragraph: with its last newline. */
void note_set_paragraph(struct json *note, const struct buf *paragraph);
void note_set_file(struct json *note, const char *name, mode_t mode, int64_t mtime,
		   const struct buf *data);
/* Of a package that is not "Multi-Arch: same": the names of its files have no architecture. */
int note_read(const struct root *r, const char *package, struct json **ret, struct err *err);

bool note_known(const struct json *note);	/* has a paragraph */
/* A field of its paragraph, allocated; NULL: none. */
char *note_field(const struct json *note, const char *name);
/* want and state of its paragraph, allocated; NULL where there is none. */
void note_status(const struct json *note, char **ret_want, char **ret_state);
/* dpkg rewrites paragraphs, and somebody may hold the package: the same version in the same
 * state. */
bool note_same_paragraph(const struct json *a, const struct json *b);
bool note_same_file(const struct json *a, const struct json *b, const char *name);

/* Newlines that the text lacks at its end for another paragraph to follow. */
size_t note_joins(const struct buf *status);
/*
 * The paragraph of package becomes that of note, or goes. A new one comes at the end. joined: what
 * note_joins said then; when it goes, every other byte is as before.
 */
int note_into_status(const struct json *note, const char *package, struct buf *status,
		     size_t joined, struct err *err);

#endif
