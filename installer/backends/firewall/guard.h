/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loaded table kept to what is wanted: the file, and the addresses that are let in for a while.
 * All who load it (apply and its undo, the watcher, `firewall allow`) do so under one lock, and
 * read what is wanted under it: nobody brings back what somebody else has just replaced.
 */
#ifndef BACKENDS_FIREWALL_GUARD_H
#define BACKENDS_FIREWALL_GUARD_H

#include "base/report.h"
#include "backends/firewall/timed.h"

#define GUARD_FILE "/etc/sysboxup/firewall.nft"

enum guard_done {
	GUARD_NOTHING,		/* it was so */
	GUARD_LOADED,		/* in ret_words what differed */
	GUARD_DELETED,		/* there is no file, and was a table */
};

/*
 * The table is as `path` says, or gone with it; afterwards connections that it would not let in any
 * more are cut. `always`: without a look whether it is so already. ret_words may be NULL.
 */
int guard_follow(const struct root *r, const char *path, bool always, enum guard_done *ret,
		 struct buf *ret_words, struct report *rep, struct err *err);
/*
 * One address in for so long, or (seconds 0) out. Killed or failing anywhere in it, an address is
 * in for no longer than it is kept for, and the same again ends it: what makes it longer is kept
 * first and then loaded, what makes it shorter the other way round. 1: it was not kept; out it is.
 * *ret_begun: from there on something may be changed, whatever comes of it.
 */
int guard_timed(const struct root *r, const struct network *address, uint64_t seconds,
		const char *comment, bool *ret_begun, struct report *rep, struct err *err);
/*
 * Connections to its ports whose peer neither the file nor a time lets in are cut: they would hang.
 * Where it lets in an interface, who came through that cannot be told, and none is.
 */
int guard_cut(const struct root *r, const char *path, struct report *rep, struct err *err);

/* The kernel's filter of the API's socket: the host daemon's, and that of the one for CI. */
struct guard_socket {
	const char *dir, *filter;	/* the drop-ins of apply */
	const char *timed_dir;		/* that of guard_timed_sockets, gone with the boot */
};
enum guard_socket_of { GUARD_HOST, GUARD_CI, GUARD_SOCKETS };
extern const struct guard_socket guard_socket[GUARD_SOCKETS];

/*
 * The addresses that are in for a while, in the filter of a socket too, where it has one: a drop-in
 * under /run, and systemd reads it, if that is anything new, or one who wrote it was killed before
 * systemd had read it.
 */
int guard_timed_sockets(const struct root *r, struct report *rep, struct err *err);

#endif
