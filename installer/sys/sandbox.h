/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs in private PID, mount, network, IPC and UTS namespaces, on this system's own files: all
 * mounts are private and read-only (where the kernel has mount_setattr, 5.12), /proc is new, of the
 * network there is only lo. What is to be writable, hidden or different is listed as operations;
 * one that fails stops it all before the first program runs. Its init is ours and dies with us;
 * when it ends, everything in it is killed and every mount is gone. Nothing of it is visible
 * outside but what it writes into directories bound from there.
 */
#ifndef SYS_SANDBOX_H
#define SYS_SANDBOX_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

enum sandbox_kind {
	SANDBOX_TMPFS,		/* an empty tmpfs over the directory `at` */
	SANDBOX_BIND,		/* the directory `from` over the directory `at`, writable; proven by device and inode */
	SANDBOX_COVER,		/* `at` looks the same but is a tmpfs: small files copied, directories bound, sockets left out */
	SANDBOX_DIR,		/* mkdir -p; only inside one of the above */
	SANDBOX_FILE,		/* data as the file `at`, 0600; only inside one of the above */
};

struct sandbox_op {
	enum sandbox_kind kind;
	char *at, *from;
	const void *data;	/* borrowed */
	size_t len;
};

struct sandbox_program {
	const char *const *argv;	/* argv[0] with a path, or searched in the PATH of env */
	const char *const *env;		/* all of it */
	int listen_fd;			/* passed on as systemd passes a socket (3, LISTEN_FDS, LISTEN_PID), or -1 */
	const char *socket;		/* wait until this one accepts before the next program starts, or NULL */
};

struct sandbox {
	const struct sandbox_op *ops;
	size_t ops_n;
	const struct sandbox_program *programs;
	size_t programs_n;		/* when the last one ends, it all ends */
	int output;			/* stdout and stderr of the last one */
};

struct sandbox_run {
	pid_t pid;			/* init, as seen from here; /proc/PID/root leads in. 0 after it ended */
	int status;			/* of waitpid, when it ended; by a signal: init itself was killed */
};

/* Returns when the last program has been started. The caller must be single-threaded, and stop what
 * it started. */
int sandbox_start(const struct sandbox *s, struct sandbox_run *ret, struct err *err);
bool sandbox_ended(struct sandbox_run *r);
void sandbox_stop(struct sandbox_run *r);	/* kills and reaps; a cleanup function */

/* A listening unix socket at path (which must not exist), mode 0600; removed by its maker. */
int sandbox_listen(const char *path, struct err *err);

#endif
