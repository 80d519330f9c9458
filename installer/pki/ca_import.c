/* SPDX-License-Identifier: Apache-2.0 */
/* Authorities whose keys are elsewhere: the first one, and one that replaces it. */
#include "pki/ca_data.h"
#include "pki/request.h"
#include "pki/rotate.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <openssl/x509v3.h>

enum { PEM_MAX = 64 * 1024 };

static int refuse(struct err *err, const char *why)
{
	return err_set(err, ERR_REFUSED, "this certificate is not taken: %s", why);
}

static int check_authority(const struct pki *p, X509 *cert, struct err *err)
{
	struct err why = ERR_INIT;
	char serial[SERIAL_MAX + 1];

	x509_serial(cert, serial);
	if (!*serial)
		return refuse(err, "its serial is longer than 20 bytes");
	if (X509_check_ca(cert) != 1 || !(X509_get_extension_flags(cert) & EXFLAG_KUSAGE) ||
	    !(X509_get_key_usage(cert) & KU_KEY_CERT_SIGN))
		return refuse(err, "it is no authority's");
	if (!(X509_get_extension_flags(cert) & EXFLAG_BCONS_CRITICAL))
		return refuse(err, "its basic constraints are not critical");
	if (asn1_seconds(X509_get0_notAfter(cert)) <= p->now)
		return refuse(err, "it is over");
	if (X509_get_pathlen(cert) != 0) {
		refuse(err, "it may make further authorities, for its path length is not 0");
		return err_remedy(err, "make one with basicConstraints=critical,CA:TRUE,pathlen:0");
	}
	return x509_judge_ca(cert, p->now, &why) ? refuse(err, why.msg) : 0;
}

static int publish_authority(struct pki *p, X509 *cert, struct err *err)
{
	struct pki_files files CLEANUP(files_release) = PKI_FILES_INIT;
	struct buf line CLEANUP(buf_release) = BUF_INIT;
	char serial[SERIAL_MAX + 1], spki[DIGEST_HEX + 1];

	if (x509_write(cert, files_add(&files, 0444, "cert.pem"), err))
		return -1;
	x509_serial(cert, serial);
	key_digest(X509_get0_pubkey(cert), spki);
	buf_addf(&line, "ca %s %s %lld %lld\n", serial, spki,
		 (long long)asn1_seconds(X509_get0_notBefore(cert)),
		 (long long)asn1_seconds(X509_get0_notAfter(cert)));
	ca_drop_over(p, &line);
	return pki_publish(p, &files, &line, err);
}

static int refuse_second(const struct pki *p, struct err *err)
{
	enum pki_guard guard;

	if (!ca_refuse_second(p, err))
		return 0;
	if (!pki_ca_guard(p, &guard, err) && guard == GUARD_ELSEWHERE)
		err_remedy(err, "sysboxup cert rotate-ca --import FILE, if it is to replace that");
	return -1;
}

int ca_import(struct pki *p, X509 *cert, struct err *err)
{
	return check_authority(p, cert, err) || refuse_second(p, err) ?
		       -1 :
		       publish_authority(p, cert, err);
}

/* --- one that replaces another --- */

static int refuse_place(const struct pki *p, struct err *err)
{
	const struct ledger_ca *newest = pki_ca_find(p, err);
	enum pki_guard guard;

	if (!newest || pki_ca_guard(p, &guard, err))
		return -1;
	if (pki_ca_old(p))
		return err_set(err, ERR_REFUSED, "an authority is being replaced already");
	if (newest->to <= p->now) {
		err_set(err, ERR_REFUSED, "the certificate authority is over: there is none to be replaced");
		return err_remedy(err, "sysboxup cert import FILE");
	}
	if (guard == GUARD_ELSEWHERE)
		return 0;
	err_set(err, ERR_REFUSED, "the key of the authority is on this host, and --import is for one that is elsewhere");
	return err_remedy(err, "sysboxup cert rotate-ca");
}

/* Not even one that was dropped: it would be trusted again. */
static int refuse_same(const struct pki *p, X509 *cert, struct err *err)
{
	char spki[DIGEST_HEX + 1];

	key_digest(X509_get0_pubkey(cert), spki);
	for (size_t i = 0; i < p->ledger.cas_n; i++)
		if (str_eq(p->ledger.cas[i].spki, spki))
			return refuse(err, i + 1 == p->ledger.cas_n ?
						   "its key is that of the authority that it is to replace" :
						   "its key is that of an authority that was replaced before");
	return 0;
}

/* A server that could not have its names from it would be seen too late. */
static int refuse_constraints(const struct pki *p, X509 *ca, const struct ledger_cert *c,
			      struct err *err)
{
	char *entry CLEANUP(freep) = pki_common(c);
	int dir CLEANUP(closep) = pki_open_dir(p, c->seq, entry, err);
	struct buf pem CLEANUP(buf_release) = BUF_INIT;
	struct err why = ERR_INIT;

	if (dir < 0 || fs_read_at(dir, "cert.pem", PEM_MAX, &pem, err))
		return dir < 0 ? -1 :
				 err_errno(err, ENOENT, "cannot read 'cert.pem' of '%s'", c->name);
	X509 *cert CLEANUP(x509_freep) = x509_read(&pem, err);

	if (!cert)
		return -1;
	return x509_permits(ca, cert, &why) ?
		       err_set(err, ERR_REFUSED,
			       "this certificate is not taken: it forbids the names of the server '%s': %s",
			       c->name, why.msg) :
		       0;
}

static int refuse_for_servers(const struct pki *p, X509 *ca, struct err *err)
{
	const struct ledger *l = &p->ledger;

	for (size_t i = 0; i < l->certs_n; i++)
		if (l->certs[i].profile == PKI_SERVER && ledger_alive(&l->certs[i], p->now) &&
		    ledger_newest(l, l->certs[i].name) == &l->certs[i] &&
		    refuse_constraints(p, ca, &l->certs[i], err))
			return -1;
	return 0;
}

int pki_rotate_elsewhere(struct pki *p, const struct buf *pem, struct err *err)
{
	X509 *cert CLEANUP(x509_freep) = x509_read(pem, err);

	if (!cert)
		return err_raise(err, ERR_USAGE);
	return refuse_place(p, err) || refuse_same(p, cert, err) || check_authority(p, cert, err) ||
			       refuse_for_servers(p, cert, err) ?
		       -1 :
		       publish_authority(p, cert, err);
}
