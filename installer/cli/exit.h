/* SPDX-License-Identifier: Apache-2.0 */
/* The exit codes of DESIGN.md section 6, and the only place where the kind of an error becomes
 * one. */
#ifndef CLI_EXIT_H
#define CLI_EXIT_H

#include "base/err.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,		/* and rolled back: the host is as before */
	EXIT_USAGE = 2,
	EXIT_REFUSED = 3,
	EXIT_LOCKED = 4,
	EXIT_UNDO = 5,			/* failed and could not roll back fully */
	EXIT_INTERRUPTED = 6,
	EXIT_NOT_AS_WANTED = 7,
};

int exit_code(enum err_kind kind);
const char *exit_name(int code);			/* "refused": stable, used in JSON */
/* What state the host is in now, in words; changes: the command was one that may change it;
 * changed: it did, and that stays. */
const char *exit_host_state(int code, bool changes, bool changed);
/* What to do: what the error says, else what its errno or its exit code suggests, or NULL. */
const char *exit_remedy(const struct err *err, int code);

#endif
