/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The locks of shadow's own tools, so that useradd and we never write the account files at the same time: the POSIX lock on
 * /etc/.pwd.lock that lckpwdf(3) takes (under any root, without its alarm), and for each file the hard link FILE.lock, made from
 * FILE.PID, with the PID as text and a NUL in it (lib/commonio.c of shadow). A FILE.lock whose PID is dead is stale and removed, as shadow does.
 */
#ifndef ACTIONS_ACCOUNT_LOCK_H
#define ACTIONS_ACCOUNT_LOCK_H

#include "base/err.h"
#include "sys/root.h"

#include <stdint.h>
#include <sys/types.h>

/* A process that may have died with the locks: its pid may by now be somebody else's. */
struct account_owner {
	pid_t pid;		/* 0: unknown */
	uint64_t starttime;
	const char *boot_id;
};

struct account_locks;

/*
 * All of names (without directory, NULL-terminated) in /etc, within 15 seconds as shadow waits; the holder is named. previous (may be
 * NULL): our own dead run, whose leftovers are stale whatever its pid is now. Nothing is held on failure.
 */
int account_locks_take(struct account_locks **ret, const struct root *r, const char *const *names,
		       const struct account_owner *previous, struct err *err);
void account_locks_drop(struct account_locks **l);		/* cleanup */
/* /etc/.pwd.lock, which we made, goes; called with the locks held. */
int account_locks_unmake(struct account_locks *l, struct err *err);
#define ACCOUNT_LOCK_PATH "/etc/.pwd.lock"

#endif
