/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists and requests. */
#include "pki/x509.h"

#include <assert.h>
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

/* Serial, time, reason. */
enum { ENTRY_MAX = 2 + 1 + SERIAL_MAX / 2 + 2 + 15 + 14, SHORT_MAX = 0x7f };

static_assert(ENTRY_MAX <= SHORT_MAX, "an entry's length is one byte");

static unsigned char nibble(char c)
{
	return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Not negative, and without zeros that say nothing. */
static unsigned char *put_serial(unsigned char *at, const char *hex)
{
	unsigned char *len = at + 1;

	while (hex[0] == '0' && hex[1] == '0' && hex[2])
		hex += 2;
	*at = DER_INTEGER;
	at += 2;
	if (nibble(*hex) & 8)
		*at++ = 0;
	for (; *hex; hex += 2)
		*at++ = (unsigned char)(nibble(hex[0]) << 4 | nibble(hex[1]));
	*len = (unsigned char)(at - len - 1);
	return at;
}

static unsigned char *put_digits(unsigned char *at, int two)
{
	*at++ = (unsigned char)('0' + two / 10);
	*at++ = (unsigned char)('0' + two % 10);
	return at;
}

/* UTCTime until 2049, as RFC 5280 has it (5.1.2.6). */
static unsigned char *put_time(unsigned char *at, int64_t t)
{
	time_t when = (time_t)t;
	struct tm tm = { 0 };

	gmtime_r(&when, &tm);
	bool utc = tm.tm_year < 150;
	const int parts[] = { tm.tm_year % 100, tm.tm_mon + 1, tm.tm_mday,
			      tm.tm_hour,       tm.tm_min,     tm.tm_sec };

	*at++ = utc ? V_ASN1_UTCTIME : V_ASN1_GENERALIZEDTIME;
	*at++ = utc ? 13 : 15;
	if (!utc)
		at = put_digits(at, tm.tm_year / 100 + 19);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		at = put_digits(at, parts[i]);
	*at++ = 'Z';
	return at;
}

/* The extension; unspecified is said by saying nothing (RFC 5280, 5.3.1). */
static unsigned char *put_reason(unsigned char *at, const char *word)
{
	static const unsigned char extension[] = {
		0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (str_eq(reasons[i].word, word)) {
			memcpy(at, extension, sizeof(extension));
			at += sizeof(extension);
			*at++ = (unsigned char)reasons[i].code;
		}
	return at;
}

void crl_add(struct buf *entries, const struct ledger_cert *c)
{
	unsigned char one[2 + ENTRY_MAX], *at = put_serial(one + 2, c->serial);

	at = put_reason(put_time(at, c->revoked), c->reason);
	one[0] = DER_SEQUENCE;
	one[1] = (unsigned char)(at - one - 2);
	buf_add(entries, one, (size_t)(at - one));
}

/* --- signed --- */

static void opensslp(unsigned char **p)
{
	OPENSSL_free(*p);
}

/* In front of all that is there. */
static void wrap(struct buf *b, unsigned char tag)
{
	unsigned char head[2 + sizeof(b->len)], *at = head + sizeof(head);

	if (b->len <= SHORT_MAX) {
		*--at = (unsigned char)b->len;
	} else {
		for (size_t len = b->len; len; len >>= 8)
			*--at = (unsigned char)len;
		at[-1] = (unsigned char)(0x80 | (head + sizeof(head) - at));
		at--;
	}
	*--at = tag;
	buf_splice(b, 0, 0, at, (size_t)(head + sizeof(head) - at));
}

/* Around the entries, from the head of the list, which is signed without any: what stands in front
 * of the extensions, and these. */
static bool put_in(const unsigned char *tbs, long len, struct buf *list)
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
		if (list->len)
			wrap(list, DER_SEQUENCE);
		buf_splice(list, 0, 0, begin, (size_t)(item - begin));
		buf_add(list, item, (size_t)(end - item));
		wrap(list, DER_SEQUENCE);
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
	buf_addc(ret, 0);	/* no bits are left over */
	buf_add(ret, signature, n);
	wrap(ret, DER_BITS);
	return true;
}

/* What is to be signed, how, and the signature; all in the buffer that has the entries, for each
 * copy of them would be touched for the first time, which costs more than to make them. */
static bool assemble(X509_CRL *head, struct buf *list, EVP_PKEY *key)
{
	unsigned char *tbs CLEANUP(opensslp) = NULL, *how CLEANUP(opensslp) = NULL;
	struct buf signature CLEANUP(buf_release) = BUF_INIT;
	const X509_ALGOR *algorithm;

	if (!X509_CRL_sign(head, key, key_signs_with(key)))	/* it knows how, afterwards */
		return false;
	X509_CRL_get0_signature(head, NULL, &algorithm);
	int tbs_len = i2d_re_X509_CRL_tbs(head, &tbs), how_len = i2d_X509_ALGOR(algorithm, &how);

	if (tbs_len <= 0 || how_len <= 0 || !put_in(tbs, tbs_len, list) ||
	    !sign(list, key, &signature))
		return false;
	buf_add(list, how, (size_t)how_len);
	buf_add(list, signature.data, signature.len);
	wrap(list, DER_SEQUENCE);
	return true;
}

/* As PEM_write_bio would, without its copies. */
static void add_pem(const struct buf *der, struct buf *ret)
{
	enum { LINE = 48 };	/* bytes; 64 letters */
	const unsigned char *at = (const unsigned char *)der->data, *end = at + der->len;

	buf_reserve(ret, der->len / LINE * 65 + 256);
	buf_adds(ret, "-----BEGIN " PEM_STRING_X509_CRL "-----\n");
	for (size_t n; at < end; at += n) {
		n = end - at < LINE ? (size_t)(end - at) : LINE;
		buf_reserve(ret, 66);
		ret->len += (size_t)EVP_EncodeBlock((unsigned char *)ret->data + ret->len, at,
						    (int)n);
		buf_addc(ret, '\n');
	}
	buf_adds(ret, "-----END " PEM_STRING_X509_CRL "-----\n");
}

int crl_sign(X509_CRL *head, struct buf *entries, EVP_PKEY *ca_key, struct buf *ret,
	     struct err *err)
{
	if (!assemble(head, entries, ca_key))
		return crypto_error(err, "sign the revocation list");
	add_pem(entries, ret);
	return 0;
}
