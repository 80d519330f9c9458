/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fault seam, in builds with -DSYSBOXUP_FAULTS only; the release build has empty inlines. Each
 * io_* call is counted from 1, and the environment variable SYSBOXUP_FAULT (comma-separated) says
 * what happens:
 *
 *	die-before:N		SIGKILL to ourselves instead of call N
 *	die-after:N		call N is made, then SIGKILL
 *	stop-before:N		SIGSTOP to ourselves before call N; the test does something, then
 *				SIGCONT
 *	tear:N			half of write N reaches the file, then SIGKILL (any other call:
 *				die-before)
 *	fail:N:ERRNO		call N fails (number or name: 28, ENOSPC) and is not made; a close
 *				is made all the same
 *	fail-from:N:ERRNO	call N and all after it fail: a disk that stays full
 *	log:FILE		"N call subject" appended for each call
 *
 * N and the counter belong to one process; the rescue run by child_supervise after a worker's death
 * is spared, or not run at all when SYSBOXUP_FAULT_ALONE is set: then what is on disk is what a
 * power cut would leave.
 */
#ifndef SYS_FAULT_H
#define SYS_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef SYSBOXUP_FAULTS

void fault_set(const char *spec);		/* instead of the environment; NULL disarms; counting begins again */
unsigned long fault_count(void);		/* calls so far */
bool fault_alone(void);

/* -1 and errno when the call is to fail. name (may be NULL) is relative to fd. */
int fault_enter(const char *call, int fd, const char *name);
void fault_leave(void);
size_t fault_torn(size_t len);			/* bytes to write before dying, or len */

#else

static inline bool fault_alone(void) { return false; }
static inline void fault_set(const char *spec) { (void)spec; }
static inline int fault_enter(const char *call, int fd, const char *name)
{
	(void)call;
	(void)fd;
	(void)name;
	return 0;
}
static inline void fault_leave(void) { }
static inline size_t fault_torn(size_t len) { return len; }

#endif
#endif
