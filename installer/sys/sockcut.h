/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live TCP connections of this network namespace cut: their owner and, by a reset, the other side
 * see them end. Whoever is only refused further packets hangs instead (facts/firewall-tried.md 6).
 */
#ifndef SYS_SOCKCUT_H
#define SYS_SOCKCUT_H

#include "base/err.h"
#include "base/network.h"

/* Those to our `port` whose peer is not one that `keep` wants; IPv4 on an IPv6 socket counts as
 * IPv4.
 * *ret_n: how many. Fails where the kernel cannot (CONFIG_INET_DIAG_DESTROY). */
int sockcut(unsigned int port, bool (*keep)(void *user, const struct network *peer), void *user,
	    unsigned int *ret_n, struct err *err);

#endif
