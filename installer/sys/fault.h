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
 *	since:NAME		call 1 is the first on a file of this name: what was before may vary
 *	log:FILE		"N call subject" appended for each call
 *	record:FILE		each call that changed something appended with all its operands
 *				(sys/faultlog.h): what the model of tests/crash/model reads
 *	skip:WHAT		of fsync-file, fsync-dir, syncfs: that call says that it succeeded
 *				and is not made; counted all the same
 *	late-intent		PREPARED and INTENT get their names only after the next effect on
 *				the host (sys/faultlate.h); the names are counted then once more
 *
 * The last two are the negative controls: a harness that does not fail with them is blind. They can
 * be said in variables of their own too: SYSBOXUP_FAULT_SKIP=fsync-file,fsync-dir,syncfs (some of
 * them) and SYSBOXUP_FAULT_LATE_INTENT=1.
 *
 * N and the counter belong to one process; the rescue run by child_supervise after a worker's death
 * is spared, or not run at all when SYSBOXUP_FAULT_ALONE is set: then what is on disk is what a
 * power cut would leave.
 */
#ifndef SYS_FAULT_H
#define SYS_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* One call and its operands; what a call has not is zero. */
struct fault_op {
	const char *call;
	int fd;				/* what it works on; with entry: the directory */
	const char *entry;		/* or NULL */
	int to_fd;			/* rename, link: where to */
	const char *to;			/* or NULL */
	unsigned int flags;		/* of open and renameat2 */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	off_t at;			/* pwrite: where; ftruncate, fallocate: the length */
	const char *attr;		/* the extended attribute's name */
	const void *data;		/* written bytes, an attribute's value, a link's target */
	size_t len;
};

#ifdef SYSBOXUP_FAULTS

void fault_set(const char *spec);		/* instead of the environment; NULL disarms; counting begins again */
unsigned long fault_count(void);		/* calls so far */
bool fault_alone(void);

/* 0: make the call. 1: do not make it, it succeeded. -1 and errno: it failed. */
int fault_enter(struct fault_op *op);
void fault_leave(const struct fault_op *op, int ret);
size_t fault_torn(size_t len);			/* bytes to write before dying, or len */

#else

static inline bool fault_alone(void) { return false; }
static inline void fault_set(const char *spec) { (void)spec; }
static inline int fault_enter(struct fault_op *op)
{
	(void)op;
	return 0;
}
static inline void fault_leave(const struct fault_op *op, int ret)
{
	(void)op;
	(void)ret;
}
static inline size_t fault_torn(size_t len) { return len; }

#endif
#endif
