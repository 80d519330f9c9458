/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine must not share with its clones: identities and secrets that were made once and
 * would be in every copy of an image (facts/dockerd.md 1.12: engine id, key.json, swarm; others:
 * systemd's machine id and random seed, SSH's host keys). A table, and who looks for it in a tree
 * or on the live root. Looking changes nothing.
 */
#ifndef HOST_SEAL_H
#define HOST_SEAL_H

#include "host/host.h"

enum seal_way {
	SEAL_REMOVE,		/* gone, it is made anew at the next boot or start */
	SEAL_EMPTY,		/* an empty file: systemd fills it at the next boot (machine-id(5)) */
	SEAL_ASK,		/* not ours to take away: the remedy says how */
};

struct seal_item {
	const char *id;		/* stable: shown, and in --json */
	const char *dir;	/* "@": Docker's data-root */
	const char *name;	/* what is in it, as fnmatch(3) has it */
	const char *why;
	const char *remedy;	/* of SEAL_ASK */
	enum seal_way way;
	bool stopped;		/* only while no Docker runs: it has it open */
};

extern const struct seal_item seal_items[];		/* ends with id == NULL */

/* The paths of an item that are there and would be shared, absolute and inside the root. */
int seal_find(const struct seal_item *i, const struct host *h, struct strv *ret, struct err *err);

/* Takes one such path away, or empties it; durable when it returns. Not for SEAL_ASK. */
int seal_fix(const struct seal_item *i, const struct host *h, const char *path, struct err *err);

/* Where nothing of it is there: durably so, whoever took it away and was killed then. */
int seal_settle(const struct seal_item *i, const struct host *h, struct err *err);

#endif
