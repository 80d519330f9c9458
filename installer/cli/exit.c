/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/exit.h"

#include <errno.h>

static const struct {
	const char *name;
	const char *state;
	const char *remedy;
} codes[] = {
	[EXIT_DONE] = { "done", "as wanted", NULL },
	[EXIT_FAILED] = { "failed", "as before", NULL },
	[EXIT_USAGE] = { "usage", "nothing was touched", NULL },
	[EXIT_REFUSED] = { "refused", "nothing was touched", NULL },
	[EXIT_LOCKED] = { "locked", "nothing was touched by this run",
			  "wait until the other run has ended" },
	[EXIT_UNDO] = { "undo-failed", "not fully as before; what is left is kept in the history",
			"sysboxup status" },
	[EXIT_INTERRUPTED] = { "interrupted",
			       "as the interrupted run left it; nothing was touched now",
			       "sysboxup recover" },
	[EXIT_NOT_AS_WANTED] = { "not-as-wanted", "nothing was touched", NULL },
};

int exit_code(enum err_kind kind)
{
	switch (kind) {
	case ERR_USAGE:
		return EXIT_USAGE;
	case ERR_REFUSED:
		return EXIT_REFUSED;
	case ERR_LOCKED:
		return EXIT_LOCKED;
	case ERR_UNDO:
		return EXIT_UNDO;
	case ERR_INTERRUPTED:
		return EXIT_INTERRUPTED;
	case ERR_DRIFT:
	case ERR_PENDING:
		return EXIT_NOT_AS_WANTED;
	case ERR_NONE:
	case ERR_FAILED:
		break;
	}
	return EXIT_FAILED;
}

const char *exit_name(int code)
{
	return codes[code].name;
}

const char *exit_host_state(int code, bool changes, bool changed)
{
	/* these two say more than that */
	if (changed && code != EXIT_UNDO && code != EXIT_INTERRUPTED)
		return "what was done before the error stays";
	return code == EXIT_FAILED && !changes ? "nothing was touched" : codes[code].state;
}

static const char *errno_remedy(int errnum)
{
	switch (errnum) {
	case ENOSPC:
	case EDQUOT:
		return "free some space there, and inodes (df -i), then try again";
	case EROFS:
		return "make that file system writable (mount -o remount,rw), then try again";
	default:
		return NULL;
	}
}

const char *exit_remedy(const struct err *err, int code)
{
	const char *of_errno = code == EXIT_UNDO ? NULL : errno_remedy(err->errnum);

	if (err->remedy[0])
		return err->remedy;
	return of_errno ? of_errno : codes[code].remedy;
}
