/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/x509.h"

#include "pki/secret.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

void bio_freep(BIO **b)
{
	BIO_free(*b);
}

void bio_take(BIO *bio, struct buf *ret)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);

	buf_reserve(ret, (size_t)len + 1);
	buf_add(ret, data, (size_t)len);
}

void x509_freep(X509 **c)
{
	X509_free(*c);
}

int crypto_error(struct err *err, const char *what)
{
	unsigned long code = ERR_peek_error();
	const char *why = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return err_set(err, ERR_FAILED, "cannot %s: %s", what,
		       why ? why : "libcrypto does not say why");
}

/* --- what a certificate says --- */

void serial_new(char hex[SERIAL_HEX + 1])
{
	unsigned char bytes[SERIAL_HEX / 2];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		abort();
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

static bool set_serial(ASN1_INTEGER *to, const char *hex)
{
	BIGNUM *n = NULL;
	bool ok = BN_hex2bn(&n, hex) && BN_to_ASN1_INTEGER(n, to);

	BN_free(n);
	return ok;
}

void x509_serial(const X509 *cert, char hex[SERIAL_MAX + 1])
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	unsigned char bytes[SERIAL_MAX / 2];
	int len = n && !BN_is_negative(n) && BN_num_bytes(n) <= (int)sizeof(bytes) ?
			  BN_bn2bin(n, bytes) :
			  0;

	*hex = '\0';
	for (int i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	BN_free(n);
}

void x509_key_digest(const X509 *cert, char hex[DIGEST_HEX + 1])
{
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	if (len < 0)
		abort();	/* no memory */
	digest_hex(der, (size_t)len, hex);
	OPENSSL_free(der);
}

int64_t asn1_seconds(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : 0;
}

static bool set_common(X509_NAME *to, const char *common)
{
	return X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_UTF8, (const unsigned char *)common,
					  -1, -1, 0);
}

static bool add_extension(X509 *cert, X509 *ca, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool ok;

	X509V3_set_ctx(&ctx, ca, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

static bool copy_constraints(X509 *cert, const X509 *like)
{
	int at = X509_get_ext_by_NID(like, NID_name_constraints, -1);

	return at < 0 || X509_add_ext(cert, X509_get_ext(like, at), -1);
}

static bool add_extensions(X509 *cert, X509 *ca, const struct x509_spec *s)
{
	bool leaf = s->usage;
	const struct { int nid; const char *value;
	} all[] = {
		{ NID_basic_constraints,
		  leaf ? "critical,CA:FALSE" : "critical,CA:TRUE,pathlen:0" },
		{ NID_key_usage,
		  leaf ? "critical,digitalSignature" : "critical,keyCertSign,cRLSign" },
		{ NID_ext_key_usage, s->usage },
		{ NID_subject_key_identifier, "hash" },
		{ NID_authority_key_identifier, "keyid:always" },
		{ NID_subject_alt_name, s->sans },
		{ NID_name_constraints, s->constraints },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].value && !add_extension(cert, ca, all[i].nid, all[i].value))
			return false;
	return !s->like || copy_constraints(cert, s->like);
}

static bool fill_in(X509 *cert, const struct x509_spec *s, EVP_PKEY *key, X509 *ca)
{
	return X509_set_version(cert, X509_VERSION_3) &&
	       set_serial(X509_get_serialNumber(cert), s->serial) &&
	       ASN1_TIME_set(X509_getm_notBefore(cert), s->from) &&
	       ASN1_TIME_set(X509_getm_notAfter(cert), s->to) &&
	       set_common(X509_get_subject_name(cert), s->common) &&
	       X509_set_issuer_name(cert, X509_get_subject_name(ca)) &&
	       X509_set_pubkey(cert, key) && add_extensions(cert, ca, s);
}

X509 *x509_make(const struct x509_spec *spec, EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key,
		struct err *err)
{
	X509 *cert CLEANUP(x509_freep) = X509_new();

	if (!cert || !fill_in(cert, spec, key, ca ? ca : cert) ||
	    !X509_sign(cert, ca_key, key_signs_with(ca_key))) {
		crypto_error(err, "make the certificate");
		return NULL;
	}
	return STEAL(cert);
}

static int judge_in(X509_STORE_CTX *ctx, X509_STORE *store, X509 *cert, X509 *ca, int purpose,
		    int64_t now)
{
	X509_VERIFY_PARAM *param;

	if (!X509_STORE_add_cert(store, ca) || !X509_STORE_CTX_init(ctx, store, cert, NULL))
		return -1;
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_flags(param,
				    X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE |
							   X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_time(param, now);
	X509_VERIFY_PARAM_set_purpose(param, purpose);
	return X509_verify_cert(ctx);
}

static int judge(X509 *cert, X509 *ca, int purpose, int64_t now, struct err *err)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_STORE *store = X509_STORE_new();
	int rc = 0;

	if (!ctx || !store || judge_in(ctx, store, cert, ca, purpose, now) != 1)
		rc = err_set(err, ERR_FAILED, "%s",
			     ctx ? X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)) :
				   "no memory");
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
	return rc;
}

int x509_judge(X509 *cert, X509 *ca, enum pki_profile p, int64_t now, struct err *err)
{
	return judge(cert, ca, p == PKI_SERVER ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT,
		     now, err);
}

int x509_judge_ca(X509 *ca, int64_t now, struct err *err)
{
	return judge(ca, ca, X509_PURPOSE_ANY, now, err);
}

int x509_permits(const X509 *ca, X509 *cert, struct err *err)
{
	NAME_CONSTRAINTS *nc = X509_get_ext_d2i(ca, NID_name_constraints, NULL, NULL);
	int rc = X509_V_OK;

	(void)X509_check_purpose(cert, -1, 0);	/* reads the names that are compared */
	if (nc)
		rc = NAME_CONSTRAINTS_check(cert, nc);
	NAME_CONSTRAINTS_free(nc);
	ERR_clear_error();
	return rc == X509_V_OK ? 0 :
				 err_set(err, ERR_FAILED, "%s", X509_verify_cert_error_string(rc));
}

/* --- as text --- */

int x509_write(X509 *cert, struct buf *ret, struct err *err)
{
	BIO *bio CLEANUP(bio_freep) = BIO_new(BIO_s_mem());

	if (!bio || !PEM_write_bio_X509(bio, cert))
		return crypto_error(err, "write the certificate");
	bio_take(bio, ret);
	return 0;
}

X509 *x509_read(const struct buf *pem, struct err *err)
{
	BIO *bio CLEANUP(bio_freep) = BIO_new_mem_buf(pem->data, (int)pem->len);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	if (!cert)
		crypto_error(err, "read the certificate");
	return cert;
}
