/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, certificates, requests and revocation lists: the profiles, and nothing about files. What
 * each certificate of ours has (facts/tls-firewall-downloads.md 1.1 says who insists on what):
 *
 *	authority	basic constraints critical CA:TRUE, pathlen 0; key usage critical
 *			keyCertSign, cRLSign; name constraints critical, where asked for
 *	server		basic constraints critical CA:FALSE; key usage critical digitalSignature;
 *			serverAuth alone; names and addresses
 *	client		the same with clientAuth alone; a URI that says which client
 *	all		subject and authority key identifiers, 128-bit random serial
 *
 * The common name is the name again. Errors: ERR_FAILED in libcrypto's words, unless said.
 */
#ifndef PKI_X509_H
#define PKI_X509_H

#include "base/buf.h"
#include "base/err.h"
#include "pki/ledger.h"
#include "pki/words.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

void pkey_freep(EVP_PKEY **k);
void x509_freep(X509 **c);
void x509_req_freep(X509_REQ **r);
void x509_crl_freep(X509_CRL **c);

void bio_freep(BIO **b);
/* What was written into a BIO of memory, added to ret. */
void bio_take(BIO *bio, struct buf *ret);

/* "what: reason" of the oldest error in libcrypto's queue, which is empty afterwards. */
int crypto_error(struct err *err, const char *what);

/* --- keys --- */

EVP_PKEY *key_new(const char *algorithm, struct err *err);
const char *key_algorithm(const EVP_PKEY *key);	/* the word for what key_new made */
/* PKCS#8 in PEM; without a secret in clear. strong: the secret may be a person's, so guessing it is
 * made slow; what secret_random made needs no such thing. */
int key_write(EVP_PKEY *key, const struct buf *secret, bool strong, struct buf *ret,
	      struct err *err);
/* ERR_REFUSED where the secret is the wrong one. */
EVP_PKEY *key_read(const struct buf *pem, const struct buf *secret, struct err *err);
/* What that key signs with; Ed25519 brings its own: NULL. */
const EVP_MD *key_signs_with(const EVP_PKEY *key);
void key_digest(EVP_PKEY *key, char hex[DIGEST_HEX + 1]);	/* of the SubjectPublicKeyInfo */

/* --- certificates --- */

struct x509_spec {
	const char *common;		/* common name */
	const char *serial;		/* SERIAL_HEX digits */
	int64_t from, to;
	const char *sans;		/* "DNS:a,IP:10.0.0.1", NULL: none */
	const char *usage;		/* "serverAuth", "clientAuth", or NULL: an authority */
	const char *constraints;	/* of an authority: "permitted;DNS:example.org", or NULL */
	const X509 *like;		/* or those that this one has; or NULL */
};

void serial_new(char hex[SERIAL_HEX + 1]);
/* ca NULL: signs itself with ca_key. */
X509 *x509_make(const struct x509_spec *spec, EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key,
		struct err *err);
/* By the strictest rules libcrypto has, at the time `now`, for what it is meant for. */
int x509_judge(X509 *cert, X509 *ca, enum pki_profile p, int64_t now, struct err *err);
int x509_judge_ca(X509 *ca, int64_t now, struct err *err);	/* itself, as one to be trusted */
/* The constraints of ca allow the names of cert, whoever signed that. */
int x509_permits(const X509 *ca, X509 *cert, struct err *err);
int x509_write(X509 *cert, struct buf *ret, struct err *err);		/* adds PEM */
X509 *x509_read(const struct buf *pem, struct err *err);
int64_t asn1_seconds(const ASN1_TIME *t);
void x509_key_digest(const X509 *cert, char hex[DIGEST_HEX + 1]);	/* as it has the key */
void x509_serial(const X509 *cert, char hex[SERIAL_MAX + 1]);		/* "" where it is longer than it may be */

/* --- requests and lists --- */

/* PKCS#10 in PEM, added to ret. */
int x509_request(EVP_PKEY *key, const char *common, const char *sans, struct buf *ret,
		 struct err *err);
/* The key of a request that is signed by it and is for that common name; its names in ret_sans,
 * unless that is NULL. ERR_USAGE: it is none; ERR_REFUSED: it is for somebody else. */
EVP_PKEY *x509_request_read(const struct buf *pem, const char *common, char **ret_sans,
			    struct err *err);
/* Names and addresses of hosts, "DNS:a,IP:10.0.0.1"; ERR_REFUSED where there are others or none. */
int x509_sans(const X509 *cert, char **ret, struct err *err);

/* The head of a list of that number; its entries are collected beside it, and then both are
 * signed. */
X509_CRL *crl_begin(X509 *ca, uint64_t number, int64_t from, int64_t to, struct err *err);
void crl_add(struct buf *entries, const struct ledger_cert *revoked);
X509_CRL *crl_read(const struct buf *pem);		/* NULL: it is none */
bool crl_has(X509_CRL *crl, const char *serial);
/* In PEM, added to ret; the entries are used up. */
int crl_sign(X509_CRL *head, struct buf *entries, EVP_PKEY *ca_key, struct buf *ret,
	     struct err *err);

#endif
