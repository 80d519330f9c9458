/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, and the names that are in them and in certificates. */
#include "pki/names.h"
#include "pki/x509.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

void x509_req_freep(X509_REQ **r)
{
	X509_REQ_free(*r);
}

static void extensionsp(STACK_OF(X509_EXTENSION) **e)
{
	sk_X509_EXTENSION_pop_free(*e, X509_EXTENSION_free);
}

static bool add_sans(X509_REQ *req, const char *sans)
{
	STACK_OF(X509_EXTENSION) *all CLEANUP(extensionsp) = sk_X509_EXTENSION_new_null();
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, NULL, NULL, req, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, sans);
	if (!all || !ext || !sk_X509_EXTENSION_push(all, ext)) {
		X509_EXTENSION_free(ext);
		return false;
	}
	return X509_REQ_add_extensions(req, all);
}

int x509_request(EVP_PKEY *key, const char *common, const char *sans, struct buf *ret,
		 struct err *err)
{
	X509_REQ *req CLEANUP(x509_req_freep) = X509_REQ_new();
	BIO *bio CLEANUP(bio_freep) = BIO_new(BIO_s_mem());

	if (!req || !bio || !X509_REQ_set_version(req, X509_REQ_VERSION_1) ||
	    !X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_UTF8,
					(const unsigned char *)common, -1, -1, 0) ||
	    !X509_REQ_set_pubkey(req, key) || !add_sans(req, sans) ||
	    !X509_REQ_sign(req, key, key_signs_with(key)) || !PEM_write_bio_X509_REQ(bio, req))
		return crypto_error(err, "make the request");
	bio_take(bio, ret);
	return 0;
}

/* --- names --- */

static void namesp(GENERAL_NAMES **n)
{
	GENERAL_NAMES_free(*n);
}

static bool address_text(const ASN1_OCTET_STRING *s, char text[INET6_ADDRSTRLEN])
{
	int len = ASN1_STRING_length(s), family = len == 4 ? AF_INET : len == 16 ? AF_INET6 : 0;

	return family && inet_ntop(family, ASN1_STRING_get0_data(s), text, INET6_ADDRSTRLEN);
}

/* Names of hosts alone; what they are made of is checked as what people type. */
static int add_name(struct strv *ret, const GENERAL_NAME *n, struct err *err)
{
	char text[INET6_ADDRSTRLEN], *name CLEANUP(freep) = NULL, *san = NULL;

	if (n->type == GEN_DNS)
		name = xstrndup((const char *)ASN1_STRING_get0_data(n->d.dNSName),
				(size_t)ASN1_STRING_length(n->d.dNSName));
	else if (n->type == GEN_IPADD && address_text(n->d.iPAddress, text))
		name = xstrdup(text);
	else
		return err_set(err, ERR_REFUSED, "it has a name that is none of a host");
	if (name_to_san(name, &san, err))
		return err_raise(err, ERR_REFUSED);
	strv_take(ret, san);
	return 0;
}

static int join_names(const GENERAL_NAMES *names, char **ret, struct err *err)
{
	struct strv all CLEANUP(strv_release) = STRV_INIT;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
		if (add_name(&all, sk_GENERAL_NAME_value(names, i), err))
			return -1;
	if (!all.n || all.n > SANS_MAX)
		return err_set(err, ERR_REFUSED, "it has no names, or more than %d", SANS_MAX);
	*ret = strv_join(&all, ",");
	return 0;
}

int x509_sans(const X509 *cert, char **ret, struct err *err)
{
	GENERAL_NAMES *names CLEANUP(namesp) = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL,
								NULL);

	return join_names(names, ret, err);
}

static int request_sans(X509_REQ *req, char **ret, struct err *err)
{
	STACK_OF(X509_EXTENSION) *all CLEANUP(extensionsp) = X509_REQ_get_extensions(req);
	GENERAL_NAMES *names CLEANUP(namesp) = X509V3_get_d2i(all, NID_subject_alt_name, NULL,
							      NULL);

	return join_names(names, ret, err);
}

EVP_PKEY *x509_request_read(const struct buf *pem, const char *common, char **ret_sans,
			    struct err *err)
{
	BIO *bio CLEANUP(bio_freep) = BIO_new_mem_buf(pem->data, (int)pem->len);
	X509_REQ *req CLEANUP(x509_req_freep) = bio ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) :
						      NULL;
	EVP_PKEY *key CLEANUP(pkey_freep) = req ? X509_REQ_get_pubkey(req) : NULL;
	char of_request[128] = "";

	if (!key || X509_REQ_verify(req, key) != 1) {
		crypto_error(err, "read the request");
		err_raise(err, ERR_USAGE);
		return NULL;
	}
	X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(req), NID_commonName, of_request,
				  sizeof(of_request));
	if (!str_eq(of_request, common)) {
		err_set(err, ERR_REFUSED, "the request is not for '%s'", common);
		return NULL;
	}
	if (ret_sans && request_sans(req, ret_sans, err)) {
		err_prefix(err, "the request is refused");
		return NULL;
	}
	return STEAL(key);
}
