/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/child.h"

#include "sys/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void be_worker(pid_t parent, const sigset_t *old_mask, int (*work)(void *),
				void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)	/* it died before the line above */
		_exit(1);
	sigprocmask(SIG_SETMASK, old_mask, NULL);
	exit(work(arg));
}

/* Passes signals on until the worker is gone; its wait status. The signals are blocked, so none is
 * lost between two looks. */
static int watch(pid_t worker, const sigset_t *watched)
{
	int status = 0;

	for (;;) {
		pid_t got = waitpid(worker, &status, WNOHANG);
		if (got < 0 && errno == EINTR)
			continue;
		if (got)
			return status;
		int sig = sigwaitinfo(watched, NULL);
		if (sig == SIGINT || sig == SIGTERM)
			kill(worker, sig);
	}
}

int child_supervise(int (*work)(void *), void *arg, int (*rescue)(void *, int wait_status),
		    void *rescue_arg)
{
	sigset_t watched, old;
	pid_t parent = getpid();

	sigemptyset(&watched);
	sigaddset(&watched, SIGINT);
	sigaddset(&watched, SIGTERM);
	sigaddset(&watched, SIGCHLD);
	sigprocmask(SIG_BLOCK, &watched, &old);
	fflush(NULL);	/* or both would write what is buffered */
	pid_t worker = fork();
	if (!worker)
		be_worker(parent, &old, work, arg);
	int status = worker < 0 ? 0 : watch(worker, &watched);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (worker < 0)
		return -1;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	if (fault_alone())
		return 128 + WTERMSIG(status);
	fault_set(NULL);
	return rescue(rescue_arg, status);
}
