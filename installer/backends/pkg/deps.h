/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A package manager as the source of Docker, where there is none, and of what Sysbox's files need
 * beside them (fuse3, rsync ...): new packages only, and out again later. One const table per
 * manager, one line each in registry.c.
 *
 * The high half (dnf, zypper, pacman -S, apk fetch) resolves and downloads, in prepare, and checks
 * the signatures; the low half (rpm, pacman -U and -R, apk add and del) then installs exactly these
 * files, without a network. So nothing is installed that was not looked into, nothing is upgraded
 * or replaced, and the high half's own history never hears of it. The low half is described as
 * command lines, because whoever runs them (actions/) decides where: in the shield.
 *
 * Only for the running system: nothing of an image is ever run.
 */
#ifndef BACKENDS_PKG_DEPS_H
#define BACKENDS_PKG_DEPS_H

#include "base/report.h"
#include "host/host.h"

struct dep {
	char *id;			/* as the low half takes it: "rsync.x86_64"; never two installed of one */
	char *name, *version;
	char *file;			/* the package file, or NULL */
	char sha256[65];
};

struct dep_list {
	struct dep *v;
	size_t n;
};

void dep_list_release(struct dep_list *l);
void dep_list_add(struct dep_list *l, const struct dep *d);	/* copies */
const struct dep *dep_find(const struct dep_list *l, const char *id);	/* NULL: none */
void dep_ids(const struct dep_list *l, struct strv *ret);

/* What tells that another one of its kind is at work. */
enum dep_lock_kind {
	DEP_LOCK_RECORD,		/* fcntl(2) on the file */
	DEP_LOCK_FLOCK,			/* flock(2) on the file */
	DEP_LOCK_PIDFILE,		/* the file says whose; of a dead one it is stale */
	DEP_LOCK_EXISTS,		/* the file is there; it stays behind when its maker is killed */
};

struct dep_lock {
	const char *path;
	enum dep_lock_kind kind;
};

/*
 * Docker's configuration is the profile's and its users', never a package's: what one has in there
 * (openSUSE's a daemon.json) is neither installed nor taken away. rpm is told so; of the others
 * none has a Docker that brings any.
 */
#define DEP_LEFT_OUT "/etc/docker"

enum dep_how {
	DEP_TRY,			/* changes nothing: would it work? */
	DEP_DO,
	DEP_AGAIN,			/* over what an interrupted one left; a removal: without scripts */
};

/* How a program ended that was started to be read. */
struct dep_output {
	struct buf out, errout;
	int status;
};

struct dep_ops {
	const char *name;			/* as the distribution's data has it */
	const char *const *programs;		/* all of them must be there */
	const char *database;			/* what the low half writes, besides the files */
	const struct dep_lock *locks;		/* ends with a NULL path */
	const char *const *telling;		/* lines of its output that say why it refuses contain one of these */
	const char *const *complaints;		/* in its output: a script failed, whatever the exit status says */
	const char *const *suffixes;		/* of copies that it makes beside configuration files */
	const char *saved;			/* the one of these that holds somebody's edit */
	const char *downgrade;			/* what a person types to have an older version again, its file behind it */
	/* These and what they need, downloaded into dir (somewhere below it); what is installed is
	 * left out, or is there in another version. */
	int (*fetch)(const struct strv *names, const char *dir, struct report *rep,
		     struct err *err);
	/* id, name and version of a package file; file and sha256 are the caller's. */
	int (*read)(const char *file, struct dep *ret, struct err *err);
	/* Every path in it, directories too. */
	int (*paths)(const char *file, struct strv *ret, struct err *err);
	/* Those of the ids (or names) that are installed. */
	int (*installed)(const struct strv *ids, struct dep_list *ret, struct err *err);
	/* Does this path belong to an installed package? */
	int (*owned)(const char *path, bool *ret, struct err *err);
	void (*install)(struct strv *argv, const struct strv *files, enum dep_how how);
	void (*remove)(struct strv *argv, const struct strv *ids, enum dep_how how);
	/* After an installation: these came for others (optional). */
	void (*mark)(struct strv *argv, const struct strv *ids);
	/* Out of what a removal that was tried said: the ids that others still need. */
	int (*needed)(const struct dep_output *o, const struct strv *ids, struct strv *ret,
		      struct err *err);
	/* Is name what a killed one leaves beside the file base? (optional) */
	bool (*litter)(const char *name, const char *base);
	/* Paths in the database that a killed one leaves of this package (optional). */
	char *(*half_entry)(const struct dep *d);
};

extern const struct dep_ops *const dep_backends[];	/* registry.c; ends with NULL */
/* By the distribution's data, if its programs are there; NULL: none that we can drive. */
const struct dep_ops *dep_backend(const struct host *h);
const struct dep_ops *dep_backend_named(const char *name);	/* the one in a record; NULL: unknown */

bool dep_is_package(const char *name);	/* is a file of this name one, of any manager? */

/* ---- for the tables and their caller: deps.c ---- */

void dep_output_release(struct dep_output *o);
/* Runs it, not in the shield. Only what could not be run is an error. */
int dep_run(const struct strv *argv, const char *input, unsigned int seconds, struct report *log,
	    struct dep_output *ret, struct err *err);
/* The same; a status other than 0 is ERR_REFUSED in its own words. */
int dep_ask(const struct dep_ops *ops, const struct strv *argv, const char *input,
	    unsigned int seconds, struct report *log, struct dep_output *ret, struct err *err);
/* Why it refused, out of its output, in one line. */
void dep_why(const struct dep_ops *ops, const struct dep_output *o, struct buf *ret);
/* The line of its output that says that a script failed, or NULL. Allocated. */
char *dep_complaint(const struct dep_ops *ops, const struct dep_output *o);
/* Takes out of ids what others need, until the rest could go; what was taken out goes to stay. */
int dep_removable(const struct dep_ops *ops, struct strv *ids, struct strv *stay, struct err *err);
/* Lines of "ID\tNAME\tVERSION". */
void dep_parse(const char *text, struct dep_list *ret);

/*
 * Waits, at most seconds, until nobody else is at work; says whom it waits for. ERR_REFUSED past
 * the deadline, and at once where a lock file is left that nobody has: `clear` takes it away
 * instead (after a run of ours that was killed). deplock.c.
 */
int dep_wait(const struct host *h, const struct dep_ops *ops, unsigned int seconds, bool clear,
	     struct report *rep, struct err *err);

#endif
