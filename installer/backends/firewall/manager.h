/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall managers of others, and what opens a port in them. That nobody else gets through is
 * said by a table of our own (table.h) under each of them; where one drops what it does not know,
 * it is asked, by its own tool, to let those through who may. Each is a const table in a file of
 * its own and a line in registry.c; actions/openings.c does and undoes it for all of them.
 *
 * An opening is text, in one spelling alone, so that lists of them are compared as text:
 *
 *	"4 10.1.0.0/24 2376"		IPv4, from a network, to a port by TCP
 *	"6 interface:wg0 2376"		IPv6, from whatever comes in there
 */
#ifndef BACKENDS_FIREWALL_MANAGER_H
#define BACKENDS_FIREWALL_MANAGER_H

#include "base/json.h"
#include "base/network.h"
#include "base/report.h"
#include "sys/root.h"

/* What our rules are known by: their comment. */
#define OPENING_COMMENT "sysboxup: Docker API"

struct opening {
	bool six;
	char source[NETWORK_TEXT];	/* a network; of an interface its name */
	bool interface;
	char port[8];
};

int opening_parse(const char *text, struct opening *ret);	/* -1: it is none */
void opening_add_network(struct strv *ret, const struct network *n, const char *port);
void opening_add_interface(struct strv *ret, const char *name, const char *port);	/* both families */
/* "10.1.0.0/24 to port 2376", "interface wg0 to port 2376 (IPv6)"; allocated. */
char *opening_words(const char *text);

enum opening_state {
	OPENING_ABSENT,
	OPENING_OURS,		/* by a rule with our comment */
	OPENING_THEIRS,		/* by an equal rule of somebody else */
	OPENING_UNLOADED,	/* ours is kept for the next boot, and not at work now */
	OPENING_UNSAVED,	/* ours is at work now, and not kept for the next boot */
	OPENING_DENIED,		/* a rule of somebody else says no to it, or to everybody */
	OPENING_OVERRULED,	/* by such a rule in front of ours, which is there */
	OPENING_OPEN,		/* nothing drops it: no rule is needed, of ours none is there */
};

/* It gets through now. */
static inline bool opening_is_open(enum opening_state s)
{
	return s == OPENING_OURS || s == OPENING_THEIRS || s == OPENING_UNSAVED ||
	       s == OPENING_OPEN;
}

struct manager_ops {
	const char *name;		/* in the profile, and in the journal */
	bool (*available)(const struct root *r);	/* its tool is here */
	bool (*active)(const struct root *r);
	/* `where` of others_block is a chain of it: openings are what it needs. */
	bool (*owns)(const char *where);
	/* What it cannot take of these, in words, with the remedy: ERR_REFUSED. */
	int (*check)(const struct root *r, const struct strv *openings, struct err *err);
	/* One state for each, in one look. */
	int (*look)(const struct root *r, const struct strv *openings, enum opening_state *ret,
		    struct err *err);
	/* Its tool, for each of these; what is done already is done. The error names which.
	 * scratch: a directory for its temporary files, or NULL: there is none. */
	int (*put)(const struct root *r, const struct strv *openings, const char *scratch,
		   struct report *log, struct err *err);
	int (*take)(const struct root *r, const struct strv *openings, const char *scratch,
		    struct report *log, struct err *err);
	/* What runs is as the files say. */
	int (*reload)(const struct root *r, struct report *log, struct err *err);

	/* ---- its files, which it may write in a way that no crash may interrupt ---- */

	const char *const *files;	/* ends with NULL */
	/* NULL: its tool writes them, and a file that is absent is none of its. Otherwise put and
	 * take are for what runs alone, and the files are ours to write. Pure: the rule into the
	 * text of files[file]; where that is empty, all that makes it one. Nothing for a file that
	 * it does not belong into. */
	void (*text_add)(struct buf *text, size_t file, const char *opening);
	bool (*whole)(const struct buf *text);		/* not cut short by a crash */
	/* Pure. The rule of the opening, if it is ours, out of the text, and with the last one all
	 * that we made; and in again as it stands in `before`, behind the rule that it follows
	 * there. Nothing where there is nothing. */
	void (*text_take)(struct buf *text, const char *opening);
	void (*text_put)(struct buf *text, const struct buf *before, const char *opening);
	/* The same rules in the same order, and what a reload makes of them: how they are written
	 * may differ. */
	bool (*text_same)(const struct buf *a, const struct buf *b);
};

/* In the order in which one is taken where several are at work; ends with NULL. */
extern const struct manager_ops *const manager_list[];
const struct manager_ops *manager_named(const char *name);	/* NULL: none */
/* The value of KEY=VALUE in a file of shell; of several the last. Allocated; NULL: none. */
char *manager_setting(const struct root *r, const char *path, const char *key);
/* The first that is at work; NULL: none is. */
const struct manager_ops *manager_active(const struct root *r);

#endif
