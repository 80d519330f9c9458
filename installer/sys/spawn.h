/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What proc_run and shield_run share; for these two files only. The first child (in new namespaces:
 * their init, which forks the command and reaps) waits for one byte on a pipe, so that `started` is
 * done before anything happens, and tells what went wrong, or how the command ended, in one struct
 * spawn_word on another.
 */
#ifndef SYS_SPAWN_H
#define SYS_SPAWN_H

#include "sys/proc.h"

struct spawn {
	const struct proc *proc;
	const char *chroot_to;		/* or NULL; entered after inside() */
	unsigned long namespaces;	/* CLONE_NEW*, or 0; with CLONE_NEWPID the first child is an init */
	int (*started)(void *user, pid_t pid);	/* in the parent, -1: nothing is run; or NULL */
	/* In the child, before chroot; no malloc here (raw clone). -1: errno and *ret_what
	 * ("covering /etc/docker"). */
	int (*inside)(void *user, const char **ret_what);	/* or NULL */
	void *user;
};

int spawn_run(const struct spawn *s, int *ret_status, struct err *err);

#endif
