/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question over a unix socket, and who answers. For a look at a daemon that must cost nothing;
 * the Engine API proper is docker/api.h. Connecting to a socket that systemd listens on starts its
 * service: the caller knows whether that is wanted.
 */
#ifndef SYS_SOCK_H
#define SYS_SOCK_H

#include "base/buf.h"

#include <sys/types.h>

/*
 * Sends request to the socket that fd (O_PATH) is, reads until `until` has been seen, the peer
 * closes, 16 KiB are full, or timeout_ms have passed. 0, or -1 and errno (ECONNREFUSED: nobody
 * listens; EAGAIN: no whole answer in time).
 * *ret_peer is who called listen(2): systemd's pid 1 for an activated socket; 0 if it lives in
 * another pid namespace.
 */
int sock_ask(int fd, const char *request, const char *until, unsigned int timeout_ms,
	     struct buf *ret, pid_t *ret_peer);

/* Is this address ("10.0.0.5", "fd00::5") one of this host's now? */
bool sock_address_is_here(const char *address);

#endif
