/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors are values. A function that can fail takes `struct err *err` last and returns 0
 * or a negative number; on success err is untouched, on failure it says what happened in one
 * line: lower case, no full stop, the subject quoted: cannot replace '/etc/docker/daemon.json':
 * no space left on device. It is built at the leaf and prefixed on the way up; cli/ prints it once.
 * Nothing here allocates.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/mem.h"

#include <stdbool.h>

/* The kind decides the exit code (DESIGN.md section 6); higher layers may raise it. */
enum err_kind {
	ERR_NONE = 0,
	ERR_FAILED = 1,		/* it did not work; the engine rolls back */
	ERR_USAGE = 2,		/* options or profile are wrong; nothing touched */
	ERR_REFUSED = 3,	/* preflight or prepare says no; nothing touched */
	ERR_LOCKED = 4,		/* another run holds the lock */
	ERR_UNDO = 5,		/* failed and could not roll back fully */
	ERR_INTERRUPTED = 6,	/* an earlier run is unfinished: recover first */
	ERR_DRIFT = 7,		/* not as wanted */
	ERR_PENDING = 8,	/* a transaction waits for `sysboxup confirm`; nothing touched */
};

struct err {
	enum err_kind kind;
	int errnum;		/* errno of the leaf, 0 if none */
	char msg[1024];
	char remedy[512];	/* what to do about it, or "" */
};

#define ERR_INIT { ERR_NONE, 0, "", "" }

/* Each returns -1, so that `return err_set(...)` reads well. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4);
int err_errno(struct err *err, int errnum, const char *fmt, ...) PRINTF(3, 4);	/* kind ERR_FAILED, ": strerror" appended */
int err_prefix(struct err *err, const char *fmt, ...) PRINTF(2, 3);		/* "prefix: msg" */
int err_remedy(struct err *err, const char *fmt, ...) PRINTF(2, 3);		/* sets the remedy, keeps msg */
int err_raise(struct err *err, enum err_kind kind);				/* changes the kind, keeps msg */
bool err_is_set(const struct err *err);
/* A copy of msg with anything unprintable as \xNN: bytes of strangers must not reach a terminal
 * raw. */
void err_quote(char *dst, size_t size, const char *src);

#endif
