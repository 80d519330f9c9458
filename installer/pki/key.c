/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys: made, written as PKCS#8, read again. */
#include "pki/secret.h"
#include "pki/x509.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

/*
 * The cost of scrypt (RFC 7914), where a person may have chosen the secret: what libcrypto uses by
 * default, 16 MiB and some 50 ms. It refuses to spend more than 32 MiB.
 */
enum { SCRYPT_STRONG = 16384, SCRYPT_WEAK = 1024, SCRYPT_R = 8, SCRYPT_P = 1 };

const char *const key_algorithms[] = { "p256", "rsa3072", "ed25519", NULL };

static void pkcs8_freep(PKCS8_PRIV_KEY_INFO **p)
{
	PKCS8_PRIV_KEY_INFO_free(*p);
}

static void sigp(X509_SIG **s)
{
	X509_SIG_free(*s);
}

void pkey_freep(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

EVP_PKEY *key_new(const char *algorithm, struct err *err)
{
	EVP_PKEY *key;

	if (str_eq(algorithm, "rsa3072"))
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)3072);
	else if (str_eq(algorithm, "ed25519"))
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	if (!key)
		crypto_error(err, "make a key");
	return key;
}

const char *key_algorithm(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "RSA")     ? "rsa3072" :
	       EVP_PKEY_is_a(key, "ED25519") ? "ed25519" :
					       "p256";
}

static X509_SIG *encrypt(PKCS8_PRIV_KEY_INFO *info, const struct buf *secret, bool strong)
{
	X509_ALGOR *how = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, 0, NULL,
						strong ? SCRYPT_STRONG : SCRYPT_WEAK, SCRYPT_R,
						SCRYPT_P);
	X509_SIG *sig = how ? PKCS8_set0_pbe(secret->data, (int)secret->len, info, how) : NULL;

	if (!sig)
		X509_ALGOR_free(how);
	return sig;
}

static bool write_info(BIO *bio, PKCS8_PRIV_KEY_INFO *info, const struct buf *secret, bool strong)
{
	X509_SIG *sig CLEANUP(sigp) = secret ? encrypt(info, secret, strong) : NULL;

	if (!secret)
		return PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, info);
	return sig && PEM_write_bio_PKCS8(bio, sig);
}

int key_write(EVP_PKEY *key, const struct buf *secret, bool strong, struct buf *ret,
	      struct err *err)
{
	BIO *bio CLEANUP(bio_freep) = BIO_new(BIO_s_secmem());	/* wiped when it is freed */
	PKCS8_PRIV_KEY_INFO *info CLEANUP(pkcs8_freep) = EVP_PKEY2PKCS8(key);

	if (!bio || !info || !write_info(bio, info, secret, strong))
		return crypto_error(err, "write the key");
	bio_take(bio, ret);
	return 0;
}

static int give_secret(char *to, int size, int writing, void *user)
{
	const struct buf *secret = user;

	if (!secret || secret->len > (size_t)size)
		return -1;
	memcpy(to, secret->data, secret->len);
	return (int)secret->len;
}

EVP_PKEY *key_read(const struct buf *pem, const struct buf *secret, struct err *err)
{
	BIO *bio CLEANUP(bio_freep) = BIO_new_mem_buf(pem->data, (int)pem->len);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, give_secret, (void *)secret) :
			      NULL;

	ERR_clear_error();	/* what it says differs by version and by chance */
	if (!key)
		err_set(err, ERR_REFUSED, "the secret is the wrong one, or the file is damaged");
	return key;
}

const EVP_MD *key_signs_with(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
}

void key_digest(EVP_PKEY *key, char hex[DIGEST_HEX + 1])
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	if (len < 0)
		abort();	/* no memory */
	digest_hex(der, (size_t)len, hex);
	OPENSSL_free(der);
}
