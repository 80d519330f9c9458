/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may stand in a certificate. All text from people goes through here before it comes near
 * libcrypto; errors are ERR_USAGE and say what is wrong with which name.
 */
#ifndef PKI_NAMES_H
#define PKI_NAMES_H

#include "base/err.h"
#include "base/str.h"
#include "pki/ledger.h"

#define SANS_MAX 100

/* One DNS label, [a-z0-9-]{1,60}, no hyphen at its ends: with "ci-" in front it fits a common
 * name. */
int name_check(const char *name, struct err *err);
/* "ci-1.example.org" gives "DNS:ci-1.example.org" (in lower case), "10.0.0.5" gives
 * "IP:10.0.0.5". */
int name_to_san(const char *name, char **ret, struct err *err);
/* Of each of them, each once, behind those that ret has. */
int names_to_sans(const struct strv *names, struct strv *ret, struct err *err);
/* "example.org" or "10.0.0.0/8" as libcrypto's configuration has it:
 * "permitted;DNS:example.org". */
int name_to_constraint(const char *name, char **ret, struct err *err);
/* Any text for the authority's own name: 1 to 64 printable bytes of ASCII. */
int name_check_common(const char *name, struct err *err);
/* "tcp://ci-1.example.org:2376", as Docker's clients take it. */
int name_check_docker_host(const char *url, struct err *err);

/* "90d", "1h": seconds, within what that kind of certificate may live. NULL: its default. */
int ttl_read(enum pki_profile p, const char *text, int64_t *ret, struct err *err);
int ttl_read_ca(const char *text, int64_t *ret, struct err *err);
int ttl_read_crl(const char *text, int64_t *ret, struct err *err);

#endif
