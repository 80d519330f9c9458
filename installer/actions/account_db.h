/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The six account files as texts: which lines an account still needs, and lines put in and taken
 * out so that every other byte stays. Pure: no paths are opened, nothing is written. Facts:
 * facts/sysbox.md 3.6, useradd(8), login.defs(5).
 */
#ifndef ACTIONS_ACCOUNT_DB_H
#define ACTIONS_ACCOUNT_DB_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum account_file {
	ACC_PASSWD,
	ACC_GROUP,
	ACC_SHADOW,
	ACC_GSHADOW,
	ACC_SUBUID,
	ACC_SUBGID,
	ACC_FILES
};

struct account_texts {
	struct buf v[ACC_FILES];
	bool present[ACC_FILES];
};

extern const char *const account_names[ACC_FILES];	/* "passwd", ...: in /etc */
enum { SUBID_COUNT = 65536 };				/* what Sysbox wants, exactly */

void account_texts_init(struct account_texts *t);
void account_texts_release(struct account_texts *t);

/*
 * The lines that are missing for a system account with its group and its range of subordinate ids;
 * ret_lines[f] is allocated, NULL where nothing is to be added. What is there and right is kept.
 * ERR_REFUSED, with a remedy, for what is half there, and when no id is free. day: days since the
 * epoch, for shadow.
 */
int account_missing(const struct account_texts *t, const struct buf *login_defs, const char *name,
		    int64_t day, char *ret_lines[ACC_FILES], struct err *err);

/* The line that begins with "name:"; NULL: none. ret_n (may be NULL): how many there are.
 * Allocated. */
char *account_line_of(const struct buf *text, const char *name, size_t *ret_n);
bool account_has_line(const struct buf *text, const char *line);
/*
 * Puts a line in: behind the line `prev` if that is given and there, else before trailing NIS
 * entries, else at the end. *ret_joined: the text had no final newline and got one.
 */
void account_add_line(struct buf *text, const char *line, const char *prev, bool *ret_joined);
/* Takes one out (nothing if it is not there); joined: and the newline before it, if it was the
 * last. */
void account_del_line(struct buf *text, const char *line, bool joined);
/* The line before this one, allocated; NULL if it is the first or absent. */
char *account_prev_line(const struct buf *text, const char *line);

#endif
