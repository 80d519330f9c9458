/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to a Docker API over TCP, as somebody would make it: who is let in, and who is not.
 * With TLS 1.3 a client certificate is judged when the handshake is over already, so it takes a
 * request to know (facts/tls-firewall-downloads.md 1.1).
 */
#ifndef DOCKER_TLSPROBE_H
#define DOCKER_TLSPROBE_H

#include "base/buf.h"
#include "base/err.h"

struct tls_probe {
	const char *address;		/* "10.0.0.5:2376", "[fd00::5]:2376" */
	const char *name;		/* by which it is called: one of its certificate's */
	const struct buf *ca;		/* PEM: whom we trust; or NULL: plain HTTP */
	const struct buf *cert, *key;	/* PEM: who we are; or NULL: nobody */
	bool old;			/* TLS 1.1 at most */
};

enum tls_probe_result {
	PROBE_SERVED,		/* HTTP 200 */
	PROBE_REFUSED,		/* by TLS, or in HTTP */
	PROBE_UNREACHED,	/* nobody listens, no answer, or libcurl cannot be loaded */
};

/* ret_words: what came back, quoted, for a report; allocated. */
enum tls_probe_result tls_probe(const struct tls_probe *p, char **ret_words);

#endif
