/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one-page parent (DESIGN.md section 5, "Children"): the work is done in a child, so that
 * somebody is left to recover when it dies by a signal (kill -9, out of memory, a crash). The
 * worker dies with the parent: nothing goes on unwatched; what a dead parent leaves is for
 * `recover`. SIGINT and SIGTERM are passed on to the worker.
 */
#ifndef SYS_CHILD_H
#define SYS_CHILD_H

/*
 * Forks from the calling thread, which must be the main one and the only one. Returns the exit code
 * of work(arg), or, when the worker was killed, of rescue(rescue_arg, wait_status), run here. -1:
 * could not fork (errno).
 */
int child_supervise(int (*work)(void *), void *arg, int (*rescue)(void *, int wait_status),
		    void *rescue_arg);

#endif
