/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/verify.h"

#include "fetch/scratch.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/libgpgme.h"

#include <stddef.h>
#include <stdio.h>

#define SKEW 600	/* seconds that clocks may differ */
#define RSA_MIN 2048

/* What a signature is worth, the more telling last: the words of the last kind met go into the
 * error. */
enum worth { STRANGER, UNUSABLE, GOOD, FORGED };

struct check {
	const struct strv *pinned;
	const char *what;
	struct scratch home;
	gpgme_ctx_t ctx;
	enum worth worth;
	char why[256];
	struct err *err;
};

static int fail(struct check *c, gpgme_error_t e, const char *doing)
{
	char text[128] = "";

	sym_gpgme_strerror_r(e, text, sizeof(text));
	return err_set(c->err, ERR_FAILED, "cannot verify %s: %s: %s", c->what, doing, text);
}

/* No agent, no key server, no trust database: nothing outlives the check and nothing is asked of a
 * network. */
static int home_configure(struct check *c)
{
	static const char conf[] = "no-autostart\nno-auto-key-retrieve\nno-auto-check-trustdb\n"
				   "trust-model always\nno-auto-key-locate\n";

	return fs_put(c->home.fd, "gpg.conf", 0600, conf, strlen(conf), c->err);
}

static int context_make(struct check *c)
{
	gpgme_error_t e;

	if (libgpgme_load(c->err) < 0)
		return -1;
	/* What gpgme_check_version is, a macro: the offset tells the library how its caller was
	 * compiled. */
	sym_gpgme_check_version_internal(NULL, offsetof(struct _gpgme_signature, validity));
	e = sym_gpgme_new(&c->ctx);
	if (!e)
		e = sym_gpgme_ctx_set_engine_info(c->ctx, GPGME_PROTOCOL_OpenPGP, NULL,
						  c->home.path);
	if (!e)
		e = sym_gpgme_set_protocol(c->ctx, GPGME_PROTOCOL_OpenPGP);
	if (!e)
		e = sym_gpgme_engine_check_version(GPGME_PROTOCOL_OpenPGP);
	if (e) {
		fail(c, e, "gpg does not start");
		return err_remedy(c->err, "apt-get install gpg");
	}
	sym_gpgme_set_offline(c->ctx, 1);
	return 0;
}

static void check_release(struct check *c)
{
	if (c->ctx)
		sym_gpgme_release(c->ctx);
	libgpgme_unload();
	scratch_release(&c->home);
}

static void data_release(gpgme_data_t *d)
{
	if (*d)
		sym_gpgme_data_release(*d);
}

static void key_release(gpgme_key_t *k)
{
	if (*k)
		sym_gpgme_key_unref(*k);
}

/* A key that is not pinned goes again: gpg stops at the first bad signature by a key that it has,
 * and a stranger's must not be that one. */
static int forget_stranger(struct check *c, const char *fpr)
{
	gpgme_key_t key CLEANUP(key_release) = NULL;
	gpgme_error_t e;

	if (strv_has(c->pinned, fpr))
		return 0;
	e = sym_gpgme_get_key(c->ctx, fpr, &key, 0);
	if (gpgme_err_code(e) == GPG_ERR_EOF)
		return 0;
	if (!e)
		e = sym_gpgme_op_delete_ext(c->ctx, key, GPGME_DELETE_FORCE);
	return e ? fail(c, e, "cannot read the keyring") : 0;
}

static int forget_strangers(struct check *c, gpgme_import_result_t result)
{
	int rc = 0;

	sym_gpgme_result_ref(result);
	for (gpgme_import_status_t s = result->imports; s && !rc; s = s->next)
		if (s->fpr)
			rc = forget_stranger(c, s->fpr);
	sym_gpgme_result_unref(result);
	return rc;
}

static int no_key(struct check *c)
{
	err_set(c->err, ERR_REFUSED, "cannot verify %s: the keyring holds no key", c->what);
	return err_remedy(c->err, "put the publisher's public key into it, as gpg --export writes it");
}

static int import_keys(struct check *c, const void *keyring, size_t len)
{
	gpgme_data_t data CLEANUP(data_release) = NULL;
	gpgme_import_result_t result;
	gpgme_error_t e = sym_gpgme_data_new_from_mem(&data, keyring, len, 0);

	if (!e)
		e = sym_gpgme_op_import(c->ctx, data);
	if (e && gpgme_err_code(e) != GPG_ERR_NO_DATA)
		return fail(c, e, "cannot read the keyring");
	result = e ? NULL : sym_gpgme_op_import_result(c->ctx);
	if (!result || !result->considered)
		return no_key(c);
	return forget_strangers(c, result);
}

/* --- one signature --- */

static const struct _gpgme_subkey *subkey_find(gpgme_key_t key, const char *fpr)
{
	for (gpgme_subkey_t s = key->subkeys; s; s = s->next)
		if (str_eq(s->fpr, fpr))
			return s;
	return NULL;
}

static bool strong_key(const struct _gpgme_subkey *s)
{
	switch ((int)s->pubkey_algo) {
	case GPGME_PK_RSA:
	case GPGME_PK_RSA_S:
		return s->length >= RSA_MIN;
	case GPGME_PK_EDDSA:
	case GPGME_PK_ECDSA:
		return true;
	default:
		return false;
	}
}

static bool strong_hash(gpgme_hash_algo_t h)
{
	return h == GPGME_MD_SHA256 || h == GPGME_MD_SHA384 || h == GPGME_MD_SHA512;
}

static const struct {
	gpg_err_code_t code;
	const char *words;
} status_words[] = {
	{ GPG_ERR_KEY_EXPIRED, "is by an expired key" },
	{ GPG_ERR_CERT_REVOKED, "is by a revoked key" },
	{ GPG_ERR_SIG_EXPIRED, "has expired" },
	{ GPG_ERR_UNUSABLE_PUBKEY, "is by a key that may not sign" },
};

/* NULL: nothing is wrong with it. gpg calls signatures good that are none
 * (facts/tls-firewall-downloads.md 4.1). */
static const char *flaw(gpgme_signature_t sig, gpgme_key_t key)
{
	const struct _gpgme_subkey *by = subkey_find(key, sig->fpr);

	for (size_t i = 0; i < ARRAY_SIZE(status_words); i++)
		if (gpgme_err_code(sig->status) == status_words[i].code)
			return status_words[i].words;
	if (key->revoked || (by && by->revoked))
		return "is by a revoked key";
	if (key->expired || (by && by->expired))
		return "is by an expired key";
	if (gpgme_err_code(sig->status) != GPG_ERR_NO_ERROR || !by)
		return "cannot be checked";
	if (key->disabled || key->invalid || by->disabled || by->invalid || sig->wrong_key_usage)
		return "is by a key that may not sign";
	if (!strong_hash(sig->hash_algo))
		return "uses a weak hash";
	if (!strong_key(key->subkeys) || !strong_key(by))
		return "is by a key that is too weak";
	if ((int64_t)sig->timestamp > clock_now() + SKEW)
		return "is from the future";
	return NULL;
}

static void note(struct check *c, enum worth worth, const char *words, const char *fpr)
{
	char shown[64];

	if (worth < c->worth)
		return;
	err_quote(shown, sizeof(shown), fpr ? fpr : "");
	c->worth = worth;
	snprintf(c->why, sizeof(c->why), "its signature %s%s%s%s", words, *shown ? " (key " : "",
		 shown, *shown ? ")" : "");
}

static void judge(struct check *c, gpgme_signature_t sig)
{
	gpgme_key_t key CLEANUP(key_release) = NULL;
	const char *words;

	if (!sig->fpr || sym_gpgme_get_key(c->ctx, sig->fpr, &key, 0) || !key->subkeys ||
	    !strv_has(c->pinned, key->subkeys->fpr)) {
		note(c, STRANGER, "is by a stranger's key", sig->fpr);
		return;
	}
	if (gpgme_err_code(sig->status) == GPG_ERR_BAD_SIGNATURE) {
		note(c, FORGED, "does not belong to this text", key->subkeys->fpr);
		return;
	}
	words = flaw(sig, key);
	note(c, words ? UNUSABLE : GOOD, words ? words : "is good", key->subkeys->fpr);
}

static const char *const remedies[] = {
	[STRANGER] = "if that key is its publisher's: put the key into the keyring and its fingerprint into "
		     "'catalog.fingerprints'",
	[UNUSABLE] = "ask its publisher for a new signature, with SHA-256 or better and a key that is valid",
	[FORGED] = "once more, it may have been replaced in this moment; else tell its publisher",
};

static int not_signed(struct check *c)
{
	err_set(c->err, ERR_REFUSED, "%s is not signed", c->what);
	return err_remedy(c->err, "ask its publisher for a detached OpenPGP signature of it");
}

static int check_signatures(struct check *c, gpgme_data_t sig, gpgme_data_t text)
{
	gpgme_verify_result_t result;

	/* What it returns does not count: gpg has many words for what is no signature, and a
	 * signature has a status of its own. */
	sym_gpgme_op_verify(c->ctx, sig, text, NULL);
	result = sym_gpgme_op_verify_result(c->ctx);
	if (!result || !result->signatures)
		return not_signed(c);
	/* gpgme_get_key, called by judge, replaces the result that the context holds. */
	sym_gpgme_result_ref(result);
	for (gpgme_signature_t s = result->signatures; s; s = s->next)
		judge(c, s);
	sym_gpgme_result_unref(result);
	if (c->worth == GOOD)
		return 0;
	err_set(c->err, ERR_REFUSED, "%s is refused: %s", c->what, c->why);
	return err_remedy(c->err, "%s", remedies[c->worth]);
}

static int verify(struct check *c, const void *data, size_t len, const void *sig, size_t siglen)
{
	gpgme_data_t text CLEANUP(data_release) = NULL, signature CLEANUP(data_release) = NULL;
	gpgme_error_t e = sym_gpgme_data_new_from_mem(&text, data, len, 0);

	if (!e)
		e = sym_gpgme_data_new_from_mem(&signature, sig, siglen, 0);
	return e ? fail(c, e, "gpg failed") : check_signatures(c, signature, text);
}

int verify_detached(const void *data, size_t len, const void *sig, size_t siglen,
		    const void *keyring, size_t keylen, const struct strv *fingerprints,
		    const char *what, struct err *err)
{
	struct check c CLEANUP(check_release) = {
		.pinned = fingerprints, .home = SCRATCH_INIT, .what = what, .err = err
	};

	if (!siglen)
		return not_signed(&c);
	if (!keylen)
		return no_key(&c);
	if (scratch_make(&c.home, err) < 0 || home_configure(&c) < 0 || context_make(&c) < 0 ||
	    import_keys(&c, keyring, keylen) < 0)
		return -1;
	return verify(&c, data, len, sig, siglen);
}
