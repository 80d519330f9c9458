/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /var/lib/sysboxup, under a root:
 *
 *	lock			flock'ed from begin to end of a run; dies with its holder. A purge
 *				removes it: who waited for it meanwhile makes a new one
 *	run			who holds the lock: pid, start time, command; and the shield's init
 *				while one runs. None is left in an image
 *	unfinished		there from before a transaction begins until nothing of it is left
 *				to do, so always while one is unfinished. The units at boot look at
 *				it before they start anything
 *	txn/000001/		one directory per transaction (journal/txnlog.h)
 *	newest			a link to the newest of them: a hint, so that they need not be
 *				listed
 *	base/000012/		what is left of the pruned ones, here up to 12 (journal/base.h)
 *	cache/			verified packages by SHA-256 (fetch/)
 *	known/			monotonic knowledge, never rolled back (catalog serial)
 *	pki/			certificates and their ledger, never rolled back (pki/store.h)
 *	profile.json		the profile last applied
 *	index.json		what is ours by now: target -> transaction, after-image (a cache of
 *				the records, rebuilt when stale)
 *
 *	changed.json		what was seen after the last change of Docker's programs
 *				(cli/changed.h)
 *	timed.json		who is let in for a while (backends/firewall/timed.h); never rolled
 *				back. The lock of this and of the table is the directory itself
 *	forgotten		`forget` left pki/ or timed.json for what may use them
 *	hooks.PID-STARTED	this process has called hooks of pre-restart (docker/hooks.h)
 *
 * base/, profile.json, index.json and changed.json are of the transactions: where txn/ is not
 * there, a purge was cut short, and they count for nothing. STATE_CREATE removes them before it
 * makes txn/ anew.
 *
 * Never in /var/lib/sysbox (Sysbox wipes it), never under a name ending in .bak or ~ (image
 * cleaners delete those).
 */
#ifndef JOURNAL_STATE_H
#define JOURNAL_STATE_H

#include "base/json.h"
#include "sys/root.h"

#include <sys/types.h>

#define STATE_DIR "/var/lib/sysboxup"

struct state {
	const struct root *root;	/* borrowed */
	int fd;				/* STATE_DIR, or -1: there is none yet (read-only opening) */
	int txn_fd;			/* STATE_DIR/txn, or -1 */
	int lock_fd;			/* held, or -1 */
	unsigned int pruned;		/* transactions up to this one are gone but for base/; 0: none */
};

#define STATE_INIT { NULL, -1, -1, -1, 0 }

enum state_mode { STATE_READ, STATE_CREATE };

/* STATE_READ makes nothing: an absent directory gives fd -1 and counts as an empty history. Modes
 * 0700, cache 0755. */
int state_open(struct state *ret, const struct root *root, enum state_mode mode, struct err *err);
void state_release(struct state *s);		/* drops the lock too */

/* Takes the lock or fails at once with ERR_LOCKED naming pid and command of the holder. Writes the
 * run file. */
int state_lock(struct state *s, const char *command, struct err *err);
/* The run file goes: who held the lock is nobody of the machine that an image becomes.
 * state_release does the same in a sealed run (sys/stamp.h). */
void state_forget_holder(const struct state *s);
/* Durable when it returns; before the first trace of a transaction. */
int state_mark_unfinished(struct state *s, struct err *err);
/* After the last trace of work left is durably gone. Not synced: what comes back in a power cut
 * costs one `recover` that finds nothing. Absent is fine. */
int state_mark_finished(struct state *s, struct err *err);
/* Without the lock: does another run hold it? Then -1, ERR_LOCKED as above. Told by the run file
 * alone: a look at the lock itself would make somebody's state_lock fail. */
int state_busy(const struct state *s, struct err *err);
/* A child of ours, so that recover can wait for it; pid 0: none. The lock's holder notes those of
 * sys/proc.h by itself; that of the shield must be noted before it begins. */
int state_note_child(struct state *s, pid_t pid, uint64_t starttime, struct err *err);
/* What a dead holder left behind: waits (at most seconds) until the noted child is gone. Call with
 * the lock held. */
int state_wait_child(struct state *s, unsigned int seconds, struct err *err);

/* Everything below STATE_DIR goes but the names of `keep` (ends with NULL), and the directory
 * itself, unless one of them is in it, something is mounted there, or it is a link; call it with
 * the lock held and nothing unfinished. The history goes in one instant: whoever looks after a
 * crash sees all of it or none. Doing it again goes on where it stopped. */
int state_purge(struct state *s, const char *const *keep, struct err *err);

#endif
