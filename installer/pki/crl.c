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

/* --- the entries, in DER by hand: libcrypto takes its time over 10,000 of them --- */

enum { DER_INTEGER = 0x02, DER_BITS = 0x03, DER_SEQUENCE = 0x30 };

static void add_head(struct buf *b, unsigned char tag, size_t len)
{
	unsigned char head[2 + sizeof(len)], *at = head + sizeof(head);

	if (len < 0x80) {
		*--at = (unsigned char)len;
	} else {
		for (; len; len >>= 8)
			*--at = (unsigned char)len;
		at[-1] = (unsigned char)(0x80 | (head + sizeof(head) - at));
		at--;
	}
	*--at = tag;
	buf_add(b, at, (size_t)(head + sizeof(head) - at));
}

/* Not negative, and without zeros that say nothing. */
static void add_serial(struct buf *b, const char *hex)
{
	unsigned char bytes[1 + SERIAL_MAX / 2] = { 0 }, *at = bytes;
	size_t n = 0;

	OPENSSL_hexstr2buf_ex(bytes + 1, sizeof(bytes) - 1, &n, hex, '\0');
	for (n++; n > 1 && !at[0] && !(at[1] & 0x80); n--)
		at++;
	add_head(b, DER_INTEGER, n);
	buf_add(b, at, n);
}

/* UTCTime until 2049, as RFC 5280 has it (5.1.2.6). */
static void add_time(struct buf *b, int64_t t)
{
	time_t when = (time_t)t;
	char text[32];
	struct tm tm;

	gmtime_r(&when, &tm);
	size_t n = strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
	bool utc = tm.tm_year < 150;

	add_head(b, utc ? V_ASN1_UTCTIME : V_ASN1_GENERALIZEDTIME, n - 2 * utc);
	buf_add(b, text + 2 * utc, n - 2 * utc);
}

/* The extension; unspecified is said by saying nothing (RFC 5280, 5.3.1). */
static void add_reason(struct buf *b, const char *word)
{
	static const unsigned char extension[] = {
		0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (str_eq(reasons[i].word, word)) {
			buf_add(b, extension, sizeof(extension));
			buf_addc(b, (char)reasons[i].code);
		}
}

void crl_add(struct buf *entries, const struct ledger_cert *c)
{
	struct buf one CLEANUP(buf_release) = BUF_INIT;

	buf_reserve(&one, 64);
	add_serial(&one, c->serial);
	add_time(&one, c->revoked);
	add_reason(&one, c->reason);
	add_head(entries, DER_SEQUENCE, one.len);
	buf_add(entries, one.data, one.len);
}

/* --- signed --- */

static void opensslp(unsigned char **p)
{
	OPENSSL_free(*p);
}

/* From the head of the list, which is signed without any: what stands in front of the extensions,
 * the entries, and these. */
static bool put_in(const unsigned char *tbs, long len, const struct buf *entries, struct buf *ret)
{
	const unsigned char *at = tbs, *end = tbs + len, *begin;
	int tag = 0, class = 0;
	long n = 0;

	if (ASN1_get_object(&at, &n, &tag, &class, len) & 0x80)
		return false;
	for (begin = at; at < end; at += n) {
		const unsigned char *item = at;

		if (ASN1_get_object(&at, &n, &tag, &class, end - at) & 0x80)
			return false;
		if (class != V_ASN1_CONTEXT_SPECIFIC)
			continue;
		struct buf body CLEANUP(buf_release) = BUF_INIT;

		buf_reserve(&body, (size_t)len + entries->len + 16);
		buf_add(&body, begin, (size_t)(item - begin));
		if (entries->len)
			add_head(&body, DER_SEQUENCE, entries->len);
		buf_add(&body, entries->data, entries->len);
		buf_add(&body, item, (size_t)(end - item));
		add_head(ret, DER_SEQUENCE, body.len);
		buf_add(ret, body.data, body.len);
		return true;
	}
	return false;
}

static bool sign(const struct buf *tbs, EVP_PKEY *key, struct buf *ret)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char signature[1024];
	size_t n = sizeof(signature);
	bool ok = ctx && EVP_DigestSignInit(ctx, NULL, key_signs_with(key), NULL, key) == 1 &&
		  EVP_DigestSign(ctx, signature, &n, (const unsigned char *)tbs->data,
				 tbs->len) == 1;

	EVP_MD_CTX_free(ctx);
	if (!ok)
		return false;
	add_head(ret, DER_BITS, n + 1);
	buf_addc(ret, 0);	/* no bits are left over */
	buf_add(ret, signature, n);
	return true;
}

/* What is to be signed, how, and the signature. */
static bool assemble(X509_CRL *head, const struct buf *entries, EVP_PKEY *key, struct buf *ret)
{
	unsigned char *tbs CLEANUP(opensslp) = NULL, *how CLEANUP(opensslp) = NULL;
	struct buf all CLEANUP(buf_release) = BUF_INIT;
	const X509_ALGOR *algorithm;

	if (!X509_CRL_sign(head, key, key_signs_with(key)))	/* it knows how, afterwards */
		return false;
	X509_CRL_get0_signature(head, NULL, &algorithm);
	int tbs_len = i2d_re_X509_CRL_tbs(head, &tbs), how_len = i2d_X509_ALGOR(algorithm, &how);

	if (tbs_len <= 0 || how_len <= 0 || !put_in(tbs, tbs_len, entries, &all))
		return false;
	struct buf signature CLEANUP(buf_release) = BUF_INIT;

	if (!sign(&all, key, &signature))
		return false;
	buf_add(&all, how, (size_t)how_len);
	buf_add(&all, signature.data, signature.len);
	add_head(ret, DER_SEQUENCE, all.len);
	buf_add(ret, all.data, all.len);
	return true;
}

int crl_sign(X509_CRL *head, const struct buf *entries, EVP_PKEY *ca_key, struct buf *ret,
	     struct err *err)
{
	BIO *bio CLEANUP(bio_freep) = BIO_new(BIO_s_mem());
	struct buf der CLEANUP(buf_release) = BUF_INIT;

	if (!bio || !assemble(head, entries, ca_key, &der) ||
	    !PEM_write_bio(bio, PEM_STRING_X509_CRL, "", (const unsigned char *)der.data,
			   (long)der.len))
		return crypto_error(err, "sign the revocation list");
	bio_take(bio, ret);
	return 0;
}
