/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A throw-away network namespace: what is loaded there concerns nobody. This process moves there
 * and back, children started meanwhile stay. For a process of one thread.
 */
#ifndef SYS_NETNS_H
#define SYS_NETNS_H

#include "base/err.h"

/* A new one; *ret_home leads back. Its lo is there and down. */
int netns_leave(int *ret_home, struct err *err);
/* Closes home. Cannot fail but by a fault of the kernel's: then we abort, rather than go on in the
 * wrong place. */
void netns_return(int home);

#endif
