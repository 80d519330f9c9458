/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: every certificate, revocation and CRL number there ever was, in one file that only
 * grows. It is no part of any transaction and no rollback touches it (promise 12 on top of
 * engine/txn.c). A record is durable before what it tells of can be seen:
 *
 *	+ SEQ TIME LENGTH SHA256\n	header; SHA256 is over "SEQ TIME\n" and the LENGTH bytes
 *	ca SERIAL SPKI FROM TO
 *	cert SERIAL SPKI FROM TO CA PROFILE NAME FLAGS SANS
 *	revoke SERIAL REASON
 *	crl NUMBER FROM TO [CA]
 *	drop CA
 *
 * SEQ counts records from 1 without gaps, and names the directory of what a record made
 * (pki/store.h). Times are seconds since the epoch, SPKI the SHA-256 of the public key, CA the SEQ
 * of the authority, FLAGS letters or "-", SANS joined by commas or "-". A batch is one record.
 *
 * A list that was made here is of all authorities that are trusted, with one number for all; one
 * that was imported is of the one that made it, which counts for itself.
 *
 * An authority is trusted until it is dropped, and the newest never is. Two of them are, as long as
 * one replaces the other (pki/rotate.h).
 *
 * What a crash may leave is a torn record at the end: it is not there for any reader, and the next
 * append writes over it. Anything else that is no whole record is damage, and an error: a ledger
 * that forgets is no ledger.
 */
#ifndef PKI_LEDGER_H
#define PKI_LEDGER_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <sys/types.h>

#define SERIAL_HEX 32		/* digits of those we give; others may have up to: */
#define SERIAL_MAX 40

enum pki_profile { PKI_SERVER, PKI_CLIENT };

const char *pki_profile_name(enum pki_profile p);

struct ledger_ca {
	uint64_t seq;
	const char *serial, *spki;
	int64_t from, to;
	bool dropped;
	uint64_t crl_number;		/* of its newest list, 0: none */
	int64_t crl_from, crl_to;
};

struct ledger_cert {
	uint64_t seq;			/* of the record that tells of it */
	const char *serial, *spki;
	int64_t from, to;
	uint64_t ca;
	const char *name;
	const char *sans;		/* "DNS:a,IP:10.0.0.1", or "-" */
	int64_t revoked;		/* when, or 0 */
	const char *reason;
	enum pki_profile profile;
	bool renew;			/* r: the timer renews it */
	bool detected;			/* d: its names are those the host had */
	bool dropped;			/* its authority is */
};

/* The hash tells the others apart, so that their texts, which are far away, are not read. */
struct ledger_slot {
	uint32_t hash, cert;		/* cert: index + 1, 0: free */
};

struct ledger {
	struct ledger_ca *cas;		/* oldest first */
	size_t cas_n;
	struct ledger_cert *certs;	/* oldest first */
	size_t certs_n;
	uint64_t seq;			/* of the newest record, 0: none */
	int64_t time;			/* when that was written */
	uint64_t crl_number;		/* the highest ever given, 0: none */
	int64_t crl_from, crl_to;	/* of the list in force that ends first */
	uint64_t crl;			/* the newest record with one, 0: none */
	uint64_t trust;			/* the newest record with "ca" or "drop", 0: none */
	uint64_t end;			/* bytes of whole records */
	uint64_t torn;			/* bytes behind them */
	struct strv texts;		/* what the strings above point into */
	struct ledger_slot *slots;	/* by serial; open addressing */
	size_t slots_n;			/* a power of two, or 0 */
};

#define LEDGER_INIT { .texts = STRV_INIT }

/* The file "ledger" in dirfd; absent counts as empty. */
int ledger_read(struct ledger *ret, int dirfd, struct err *err);
void ledger_release(struct ledger *l);

/* It could not be synced: whether the disk has the record shows when the ledger is read again, and
 * is so for good behind ledger_sync. */
enum { LEDGER_UNSURE = -2 };

/* One more record of these lines, durable when it returns, and taken over into l. -1: it is not
 * there; LEDGER_UNSURE. The caller holds the lock. */
int ledger_append(struct ledger *l, int dirfd, const struct buf *lines, int64_t now,
		  struct err *err);

/* What can be read in it is on the disk from now on, and what can not is not; absent is fine. */
int ledger_sync(int dirfd, struct err *err);

struct ledger_cert *ledger_find(const struct ledger *l, const char *serial);
/* The newest of that name, or NULL. */
struct ledger_cert *ledger_newest(const struct ledger *l, const char *name);
/* In force at that time: neither over nor revoked, nor of an authority that was dropped. */
bool ledger_alive(const struct ledger_cert *c, int64_t now);

#endif
