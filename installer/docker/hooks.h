/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the administrator wants done around a restart of Docker:
 *
 *	/etc/sysboxup/hooks.d/pre-restart	a program, or a directory of them
 *	/etc/sysboxup/hooks.d/post-restart	the same
 *
 * As run-parts(8) has it: in a directory those files are meant that are executable and whose names
 * hold only letters, digits, '_' and '-', in the order of the C locale. They are run as root, so
 * each of them, and each directory on the way from hooks.d, must be root's and writable by nobody
 * else, and no symbolic link: anything else is refused by name.
 *
 * They have no arguments, HOOK_SECONDS each, and in the environment SYSBOXUP_COMMAND (apply,
 * rollback, uninstall) and, behind, SYSBOXUP_RESULT (hook_results).
 *
 * pre-restart agrees by exit status 0, says "not now" by HOOK_NOT_NOW, and refuses by any other;
 * the first that does not agree ends it. post-restart follows each pre-restart, whatever came of
 * it, once; its failures are warnings. Several processes may be about it at a time, for while one
 * waits nothing is locked (cli/restart.h), so each has a mark of its own: `hooks.PID-STARTED` in
 * the state, durably from before the first program of pre-restart until the last one of
 * post-restart has ended. Where its process is gone, or the boot, whoever has the lock next calls
 * post-restart; after a boot that is sysboxup-hooks.service, behind Docker. The mark says which
 * transaction was being prepared, so that it is told whether the restart stands.
 */
#ifndef DOCKER_HOOKS_H
#define DOCKER_HOOKS_H

#include "base/report.h"
#include "journal/state.h"

#define HOOKS_DIR "/etc/sysboxup/hooks.d"

enum { HOOK_SECONDS = 300, HOOK_NOT_NOW = 75 /* EX_TEMPFAIL */ };

enum hook_result {
	HOOK_DONE,		/* the restart came about, and stays */
	HOOK_UNDONE,		/* it failed, or was interrupted: everything is undone */
	HOOK_NOTHING,		/* refused, or given up: Docker was not restarted */
};

/* The programs of "pre-restart" or "post-restart": paths below the root. ERR_REFUSED. */
int hooks_list(const struct root *r, const char *name, struct strv *ret, struct err *err);
/* 0: all agree. 1: not now, and who says so in ret_why. ERR_REFUSED for everything else. */
int hooks_pre_restart(const struct state *s, const char *command, struct buf *ret_why,
		      struct report *rep, struct err *err);
/* For this process's pre-restart; nothing if it called none. */
void hooks_post_restart(const struct state *s, enum hook_result result, struct report *rep);
/* For each process that died. The state is locked, and what they were at is at its end, or waits to
 * be confirmed. */
void hooks_settle(const struct state *s, struct report *rep);
/* The command of one for which that is still to be done, or NULL. */
char *hooks_left(const struct state *s);

#endif
