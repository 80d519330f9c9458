/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate with its key, in the form in which its user wants it (facts/
 * tls-firewall-downloads.md section 6 has who wants what). Always into a file or directory that
 * only the owner reads, never into an argument, a variable or a log:
 *
 *	pem-dir		directory: ca.pem, cert.pem, key.pem, and of a client `env` with
 *			DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH
 *	context		tar for `docker context import`
 *	kubernetes	Secret of type kubernetes.io/tls
 *	gitlab		variables, as GitLab's API takes them: three of type file, and the address
 *	jenkins		credential x509ClientCert, as Configuration as Code takes it
 */
#ifndef PKI_EXPORT_H
#define PKI_EXPORT_H

#include "pki/store.h"

struct export {
	const char *name;		/* common name: "ci-7" */
	const char *docker_host;	/* "tcp://ci-1.example.org:2376", or NULL */
	const char *dir;		/* where it will be, absolute: for DOCKER_CERT_PATH */
	bool client;
	struct buf ca, cert, key;	/* PEM; key wiped by export_release */
};

#define EXPORT_INIT { .ca = BUF_INIT, .cert = BUF_INIT, .key = BUF_INIT }

/* names of formats; NULL-terminated */
extern const char *const export_formats[];

/* Certificate and key of one that was issued; and of all authorities that are trusted now, because
 * the other side may have its own of another one (pki/rotate.h). */
int export_load(struct export *ret, const struct pki *p, const struct ledger_cert *c,
		struct err *err);
void export_release(struct export *e);

/* New at dirfd/name: what is there already is refused. ERR_USAGE where that format makes no sense
 * for this certificate, or needs docker_host. */
int export_write(const struct export *e, const char *format, int dirfd, const char *name,
		 struct err *err);

#endif
