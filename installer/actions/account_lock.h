/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The locks of shadow's own tools, so that useradd and we never write the account files at the same
 * time: the POSIX lock on
 * /etc/.pwd.lock that lckpwdf(3) takes (under any root, without its alarm), and for each file the
 * hard link FILE.lock to a file with our PID as text and a NUL (lib/commonio.c of shadow). A
 * FILE.lock whose PID is dead is stale and removed, as shadow does.
 *
 * shadow links from FILE.PID; we from .FILE.lock.sysboxup, which stays as long as the lock. So a
 * crash leaves a pair of links that can be told from anybody's: whoever of us holds .pwd.lock,
 * which dies with the process, knows that such a pair is stale, whose ever the PID in it is by
 * then.
 */
#ifndef ACTIONS_ACCOUNT_LOCK_H
#define ACTIONS_ACCOUNT_LOCK_H

#include "base/err.h"
#include "sys/root.h"

struct account_locks;

/*
 * All of names (without directory, NULL-terminated) in /etc, within 15 seconds as shadow waits; the
 * holder is named. What a dead run of ours left is cleared away. Nothing is held on failure.
 */
int account_locks_take(struct account_locks **ret, const struct root *r, const char *const *names,
		       struct err *err);
void account_locks_drop(struct account_locks **l);		/* cleanup */
/* /etc/.pwd.lock, which we made, goes; called with the locks held. */
int account_locks_unmake(struct account_locks *l, struct err *err);
void account_locks_set_wait(unsigned int ms);			/* for tests */
#define ACCOUNT_LOCK_PATH "/etc/.pwd.lock"

#endif
