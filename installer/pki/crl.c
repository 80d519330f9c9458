/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists and requests. */
#include "pki/x509.h"

#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

const char *const crl_reasons[] = { "unspecified", "key-compromise", "superseded", "cessation",
				    NULL };

static const struct { const char *word; int code; } reasons[] = {
	{ "key-compromise", CRL_REASON_KEY_COMPROMISE },
	{ "superseded", CRL_REASON_SUPERSEDED },
	{ "cessation", CRL_REASON_CESSATION_OF_OPERATION },
};

void x509_crl_freep(X509_CRL **c)
{
	X509_CRL_free(*c);
}

static void timep(ASN1_TIME **t)
{
	ASN1_TIME_free(*t);
}

static void integerp(ASN1_INTEGER **i)
{
	ASN1_INTEGER_free(*i);
}

static void revokedp(X509_REVOKED **r)
{
	X509_REVOKED_free(*r);
}

static bool add_identifier(X509_CRL *crl, X509 *ca)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool ok;

	X509V3_set_ctx(&ctx, ca, NULL, NULL, crl, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_authority_key_identifier, "keyid:always");
	ok = ext && X509_CRL_add_ext(crl, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

static bool fill_in(X509_CRL *crl, X509 *ca, uint64_t number, int64_t from, int64_t to)
{
	ASN1_TIME *first CLEANUP(timep) = ASN1_TIME_set(NULL, from),
			 *next CLEANUP(timep) = ASN1_TIME_set(NULL, to);
	ASN1_INTEGER *n CLEANUP(integerp) = ASN1_INTEGER_new();

	return first && next && n && ASN1_INTEGER_set_uint64(n, number) &&
	       X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
	       X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca)) &&
	       X509_CRL_set1_lastUpdate(crl, first) && X509_CRL_set1_nextUpdate(crl, next) &&
	       add_identifier(crl, ca) && X509_CRL_add1_ext_i2d(crl, NID_crl_number, n, 0, 0) == 1;
}

X509_CRL *crl_begin(X509 *ca, uint64_t number, int64_t from, int64_t to, struct err *err)
{
	X509_CRL *crl CLEANUP(x509_crl_freep) = X509_CRL_new();

	if (!crl || !fill_in(crl, ca, number, from, to)) {
		crypto_error(err, "make the revocation list");
		return NULL;
	}
	return STEAL(crl);
}

/* Unspecified is said by saying nothing (RFC 5280, 5.3.1). */
static bool add_reason(X509_REVOKED *r, const char *word)
{
	ASN1_ENUMERATED *e;
	bool ok;

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (!str_eq(reasons[i].word, word))
			continue;
		e = ASN1_ENUMERATED_new();
		ok = e && ASN1_ENUMERATED_set(e, reasons[i].code) &&
		     X509_REVOKED_add1_ext_i2d(r, NID_crl_reason, e, 0, 0) == 1;
		ASN1_ENUMERATED_free(e);
		return ok;
	}
	return true;
}

/* The content of a DER integer that is not negative: bytes without zeros in front. */
static ASN1_INTEGER *serial_of(const char *hex)
{
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	unsigned char bytes[SERIAL_MAX / 2];
	size_t n;

	while (str_starts(hex, "00"))
		hex += 2;
	if (serial && OPENSSL_hexstr2buf_ex(bytes, sizeof(bytes), &n, hex, '\0') &&
	    ASN1_STRING_set(serial, bytes, (int)n))
		return serial;
	ASN1_INTEGER_free(serial);
	return NULL;
}

int crl_add(X509_CRL *crl, const struct ledger_cert *c, struct err *err)
{
	X509_REVOKED *r CLEANUP(revokedp) = X509_REVOKED_new();
	ASN1_INTEGER *serial CLEANUP(integerp) = serial_of(c->serial);
	ASN1_TIME *when CLEANUP(timep) = ASN1_TIME_set(NULL, c->revoked);

	if (!r || !serial || !when || !X509_REVOKED_set_serialNumber(r, serial) ||
	    !X509_REVOKED_set_revocationDate(r, when) || !add_reason(r, c->reason) ||
	    !X509_CRL_add0_revoked(crl, r))
		return crypto_error(err, "make the revocation list");
	r = NULL;	/* it is the list's now */
	return 0;
}

bool crl_has(X509_CRL *crl, const char *hex)
{
	ASN1_INTEGER *serial CLEANUP(integerp) = serial_of(hex);
	X509_REVOKED *r;

	return serial && X509_CRL_get0_by_serial(crl, &r, serial) == 1;
}

X509_CRL *crl_read(const struct buf *pem)
{
	BIO *bio CLEANUP(bio_freep) = BIO_new_mem_buf(pem->data, (int)pem->len);

	return bio ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;
}

int crl_sign(X509_CRL *crl, EVP_PKEY *ca_key, struct buf *ret, struct err *err)
{
	BIO *bio CLEANUP(bio_freep) = BIO_new(BIO_s_mem());

	if (!bio || !X509_CRL_sort(crl) || !X509_CRL_sign(crl, ca_key, key_signs_with(ca_key)) ||
	    !PEM_write_bio_X509_CRL(bio, crl))
		return crypto_error(err, "sign the revocation list");
	bio_take(bio, ret);
	return 0;
}
