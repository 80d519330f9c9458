/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children: the only place that forks. An argv, never a shell string; a clean environment (PATH
 * fixed, LC_ALL=C, HOME=/ and what the caller adds; umask 022); stdin from /dev/null or given
 * bytes; both outputs captured line by line; a deadline; killed (its whole process group) and
 * reaped whatever happens; an exec failure comes back through a pipe as an error. Children ignore
 * nothing: signal mask and dispositions are reset. A child dies with us (PR_SET_PDEATHSIG).
 */
#ifndef SYS_PROC_H
#define SYS_PROC_H

#include "base/report.h"

#include <sys/types.h>
#include <time.h>

struct proc {
	const char *const *argv;	/* argv[0] looked up in /usr/sbin:/usr/bin:/sbin:/bin */
	const char *const *env;		/* NULL-terminated NAME=VALUE added to the clean environment, or NULL */
	const char *input;		/* stdin bytes, or NULL for /dev/null */
	size_t input_len;
	const char *chroot_to;		/* run inside this root directory, or NULL */
	int keep_fd;			/* one descriptor passed on as 3, or -1 */
	unsigned int timeout;		/* seconds, 0 = none */
	struct report *log;		/* each line of stderr (and stdout if ret_out is NULL) as REPORT_LOG, or NULL */
	struct buf *ret_out;		/* stdout, at most 16 MiB, or NULL */
	struct buf *ret_errout;		/* stderr, at most 1 MiB, or NULL: its tail is then kept for the error text */
};

#define PROC_INIT { .keep_fd = -1, .timeout = 60 }

/* Runs it to the end. 0: exit status in *ret_status (may be NULL: then anything but 0 is an error
 * in words, with the last line of stderr). Negative: not started, killed by a signal, or past the
 * deadline (errnum ETIMEDOUT). */
int proc_run(const struct proc *p, int *ret_status, struct err *err);
/*
 * Told of each child before it begins, and with pid 0 when it is reaped: others can then wait for
 * what our death leaves for an instant (PR_SET_PDEATHSIG kills it; a free lock does not say it
 * is dead). One for the whole process; NULL: nobody. Children in the shield have their own.
 */
void proc_set_watcher(void (*note)(void *user, pid_t pid, uint64_t starttime), void *user);
bool proc_available(const char *program);		/* in the fixed PATH of this system */
/* "exit status 2", "killed by SIGKILL" */
void proc_status_words(int wait_status, char *buf, size_t size);

/* "1639: unattended-upgr ..." of a process, from /proc; allocated; "pid 1639" if it is gone. */
char *proc_describe(pid_t pid);
/* Start time of pid in clock ticks since boot (field 22 of stat), or 0. Together with the pid it
 * names one process for ever. */
uint64_t proc_starttime(pid_t pid);
/* That as milliseconds since the epoch by the clock of today, at most a tick of 10 ms early; 0: it
 * is not known. */
int64_t proc_began_ms(uint64_t starttime);
/*
 * The login that this process belongs to, and when it began, on clock_boot_ms(). By the kernel's
 * number of the login (pam_loginuid), which sudo, su and a multiplexed connection of ssh do not
 * change: it began with the first of our ancestors that has it, for ssh the process that was
 * started for the connection. Where there is no such number, the session of setsid(2), and its
 * leader; 0: its leader is gone.
 */
struct login {
	char id[64];
	uint64_t since;
};
void proc_login(struct login *ret);
/* It was killed, or its parent was, which takes a child of ours along (PR_SET_PDEATHSIG), and is
 * not gone yet: on a busy machine that takes its time. */
bool proc_is_dying(pid_t pid);
/* Wait until the process (pid, starttime) is gone, at most seconds: 0 gone, -1 still there. */
int proc_wait_gone(pid_t pid, uint64_t starttime, unsigned int seconds);
int proc_signal(pid_t pid, int sig);			/* kill(2) */

#endif
