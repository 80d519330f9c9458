/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The authority: one at a time, made once, replaced when it is over, or before (pki/rotate.h). Its
 * key is encrypted (PKCS#8, scrypt, AES-256), and how it is opened can be told from its directory:
 *
 *	no key.pem		it was imported: its key is elsewhere (pki/request.h)
 *
 *	key.pem			alone: by a passphrase that a person knows
 *	key.pem, secret		a link to a key file, which is best on another device than this
 *				directory and its backups
 *	key.pem, secret.cred	systemd-creds opens it, on this machine only
 */
#ifndef PKI_CA_H
#define PKI_CA_H

#include "pki/store.h"

enum pki_guard { GUARD_ELSEWHERE, GUARD_PASSPHRASE, GUARD_KEY_FILE, GUARD_CREDS };

struct pki_ca;			/* certificate and opened key */

struct pki_ca_spec {
	const char *common;		/* NULL: one is made up */
	const char *algorithm;
	int64_t ttl;
	const char *constraints;	/* "permitted;DNS:example.org,permitted;IP:10.0.0.0/255.0.0.0", or NULL */
	enum pki_guard guard;
	const struct buf *passphrase;	/* GUARD_PASSPHRASE */
	const char *key_file;		/* GUARD_KEY_FILE: a path inside the root; made where absent */
};

/* ERR_REFUSED where there is one that is not over yet. */
int pki_ca_make(struct pki *p, const struct pki_ca_spec *spec, struct err *err);

/* The newest one; NULL and ERR_REFUSED where there is none. */
const struct ledger_ca *pki_ca_find(const struct pki *p, struct err *err);
int pki_ca_guard(const struct pki *p, enum pki_guard *ret, struct err *err);
/* There is one, and its key is elsewhere. */
bool pki_ca_is_elsewhere(const struct pki *p);
/* Can systemd-creds be used: on this host, which has it? */
bool pki_creds_available(const struct root *root);

/* passphrase: needed for GUARD_PASSPHRASE alone. ERR_REFUSED: the wrong one, the authority is over,
 * its key is another one's or can be read by others. The one that it replaces is opened with it. */
int pki_ca_open(const struct pki *p, const struct buf *passphrase, struct pki_ca **ret,
		struct err *err);
/* It opens now, and nobody is asked anything. */
bool pki_ca_unattended(const struct pki *p);
void pki_ca_freep(struct pki_ca **ca);
/* Its certificate in PEM. */
int pki_ca_text(const struct pki *p, uint64_t seq, struct buf *ret, struct err *err);

#endif
