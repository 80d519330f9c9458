/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/netns.h"

#include "sys/io.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

int netns_leave(int *ret_home, struct err *err)
{
	int home CLEANUP(closep) = io_open_read(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY);

	if (home < 0 || unshare(CLONE_NEWNET))
		return err_errno(err, errno, "cannot make a network namespace to try in");
	*ret_home = STEAL_FD(home);
	return 0;
}

void netns_return(int home)
{
	if (setns(home, CLONE_NEWNET))
		abort();
	closep(&home);
}
