/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of `cert` share. */
#ifndef CLI_CERT_H
#define CLI_CERT_H

#include "cli/session.h"
#include "pki/ca.h"
#include "pki/issue.h"

struct cert_run {
	struct session s;
	struct pki pki;
	struct pki_ca *ca;		/* opened, or NULL */
	enum pki_mode write;		/* as --any-clock has it */
	unsigned int lock_seconds;
};

#define CERT_RUN_INIT { SESSION_INIT, PKI_INIT, NULL, PKI_WRITE, 0 }

/* Root and what there is, to look at. */
int cert_open(struct cert_run *r, struct cli *cli, enum pki_mode mode, struct err *err);
/* What was opened to look at is locked, and the authority's key opened. Whoever has to type a
 * passphrase does so before the lock is taken. What was found in the ledger before is void. */
int cert_open_ca(struct cert_run *r, struct err *err);
/* What was changed is in the result afterwards, also where an error came behind it. */
void cert_release(struct cert_run *r);

/* The certificate that the word names: a name (the newest of it) or a serial. ERR_USAGE. */
int cert_find(const struct cert_run *r, const char *word, struct ledger_cert **ret,
	      struct err *err);
/* "valid", "revoked", "expired", "dropped", "not yet valid" */
const char *cert_state(const struct cert_run *r, const struct ledger_cert *c);
/* One row each, and in JSON one event "certificate". */
void cert_heading(const struct cert_run *r);
void cert_row(const struct cert_run *r, const struct ledger_cert *c);
/* --san, or else the names that the host has, joined by commas; allocated. */
int cert_sans(const struct cert_run *r, char **ret, bool *ret_detected, struct err *err);
/* Names that the host has by now and that certificate has not: a warning. */
int cert_warn_drift(const struct cert_run *r, const struct ledger_cert *c, struct err *err);

/* Of the newest record: its rows, and where the files are. */
void cert_show_new(const struct cert_run *r);
void cert_show_issued(const struct cert_run *r);	/* the same; nothing where it issued none */
/* How far one authority has replaced another, and the next command; nothing where none does. */
void cert_tell_phase(const struct root *root, const struct pki *p, struct report *rep);
/* --permit, as struct pki_ca_spec has it, or NULL; allocated. */
int cert_constraints(const struct cli *cli, char **ret, struct err *err);
const char *cert_algorithm(const struct cli *cli);
/* --san without --server makes no sense. */
int cert_check_san(const struct cli *cli, struct err *err);
/* A path that a person gave, of this process, whatever --root says. ERR_USAGE. */
int cert_read_file(const char *path, struct buf *ret, struct err *err);
char *cert_absolute(const char *path);

int cert_ca(struct cli *cli, struct err *err);
int cert_issue(struct cli *cli, struct err *err);
int cert_renew(struct cli *cli, struct err *err);
int cert_list(struct cli *cli, struct err *err);
int cert_show(struct cli *cli, struct err *err);
int cert_export(struct cli *cli, struct err *err);
int cert_revoke(struct cli *cli, struct err *err);
int cert_crl(struct cli *cli, struct err *err);
int cert_rotate(struct cli *cli, struct err *err);
int cert_request(struct cli *cli, struct err *err);
int cert_import(struct cli *cli, struct err *err);

#endif
