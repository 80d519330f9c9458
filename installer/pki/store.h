/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /var/lib/sysboxup/pki/, 0700, under a root:
 *
 *	lock			flock'ed by whoever changes something here; apart from the lock of
 *				transactions, so that certificates can be issued while one runs
 *	ledger			what there ever was (pki/ledger.h)
 *	gen/000001/		what record 1 made: an authority's cert.pem and key.pem, or a
 *				directory NAME/ with these for each certificate of a batch
 *	gen/.new-000002		what record 2 is about to make
 *	crl.pem			the newest revocation list, of each authority that is trusted
 *	trust.pem		their certificates (pki/trust.h)
 *
 * A certificate comes into being so: all files below .new-N, synced; record N appended, synced; the
 * directory gets its name N, synced. Whoever takes the lock next finishes what a crash left, or an
 * append that failed to sync and may have reached the disk all the same: the ledger is synced as it
 * is; where it has record N, .new-N is renamed, else it is removed. So no key is ever found without
 * its record, and no record without its key, unless that was taken away.
 *
 * Nothing of this is in a transaction: no rollback un-revokes, reuses a serial, or lowers a number.
 */
#ifndef PKI_STORE_H
#define PKI_STORE_H

#include "journal/state.h"
#include "pki/files.h"
#include "pki/ledger.h"

#define PKI_DIR STATE_DIR "/pki"

struct pki {
	const struct root *root;	/* borrowed */
	int fd;				/* PKI_DIR, or -1: there is none yet (PKI_READ) */
	int gen_fd;			/* or -1 */
	int lock_fd;			/* or -1 */
	struct ledger ledger;
	int64_t now;			/* the clock, when it was opened */
	bool changed;			/* something was done that stays, also if an error came behind it */
};

/* Every validity begins so many seconds back: clocks of others may be behind by that. */
enum { PKI_BACKDATE = 300 };

#define PKI_INIT { NULL, -1, -1, -1, LEDGER_INIT, 0, false }

enum pki_mode {
	PKI_READ,		/* makes nothing, waits for nobody */
	PKI_WRITE,		/* made where absent, locked, left-overs of a crash cleaned up */
	PKI_WRITE_ANY_CLOCK,	/* the same, also when the clock is behind the ledger */
};

/* ERR_LOCKED after lock_seconds; ERR_REFUSED when the clock was set back. */
int pki_open(struct pki *ret, const struct root *root, enum pki_mode mode,
	     unsigned int lock_seconds, struct err *err);
/* What was opened to look at becomes what can be changed. What others wrote meanwhile is read: what
 * was found in the ledger before may be gone. */
int pki_begin(struct pki *p, enum pki_mode mode, unsigned int lock_seconds, struct err *err);
void pki_release(struct pki *p);

/* One record of these lines, as ledger_append. */
int pki_append(struct pki *p, const struct buf *lines, struct err *err);
/* The files and the record of these lines, as above. */
int pki_publish(struct pki *p, const struct pki_files *f, const struct buf *lines, struct err *err);

/* "gen/000007/ci-1" as it is outside of the root; entry NULL: of the record itself. Allocated. */
char *pki_path(const struct pki *p, uint64_t seq, const char *entry);
/* A descriptor of that directory; -1 and err where it is gone. */
int pki_open_dir(const struct pki *p, uint64_t seq, const char *entry, struct err *err);

/* Of a file with a secret in it: regular, and nobody else's to read. ERR_REFUSED; path is for the
 * words. */
int pki_check_private(int fd, const char *path, struct err *err);

#endif
