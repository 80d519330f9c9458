/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Told by the kernel when somebody changes a table of nftables in this network namespace. Only
 * that: whose change it was is not asked (the pid in it is of the initial pid namespace), so
 * whoever reacts by a change of his own compares contents, or hears himself for ever.
 */
#ifndef SYS_NFWATCH_H
#define SYS_NFWATCH_H

#include "base/err.h"

int nfwatch_open(int *ret_fd, struct err *err);
/*
 * Waits for the end of a batch that concerned the table `inet NAME`, or, where so many came that
 * some were lost, of any. 1: there was one; 0: none within timeout_ms (-1: for ever).
 */
int nfwatch_wait(int fd, const char *name, int timeout_ms, struct err *err);

#endif
