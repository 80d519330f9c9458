/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Sysbox that is on this host: ours, by the index; else somebody else's, found by looking.
 *
 * Somebody else's is recognised where all of it is of one kind:
 *
 *	by its own package	dpkg has it installed, and its files are as it brought them
 *	by hand			the three programs in /usr/bin, /usr/local/bin or /usr/local/sbin,
 *				of no package, of one version (asked of themselves: no catalog knows
 *				hashes of single programs), and systemd knows the units
 *
 * and what runs is what is there. It is adopted as it is (actions/adopt.c), by the first `apply`
 * whose profile wants a Sysbox; if it wants another version, that is an upgrade in the same
 * transaction. Anything else is refused with the remedy: two at once, a half-configured package,
 * changed files, masked units, versions that differ. So is one in an image, where nobody can ask
 * it.
 *
 * Adopted by hand, the programs are replaced where they are; units, links, sysctl files and
 * daemon.json stay the administrator's. So there is never a second Sysbox, nothing has to follow
 * from one path to another, and the way back is three files. Its origin in the index has "adopted",
 * which later versions of it inherit: "absent" then takes it away instead of giving it back (that
 * is what rollback and uninstall are for).
 */
#ifndef STEPS_INSTALLED_H
#define STEPS_INSTALLED_H

#include "engine/step.h"

#define BY_PACKAGE "by its own package"
#define BY_HAND "by hand"

struct sysbox_here {
	bool any;
	bool theirs;		/* and not ours by now */
	bool deb;		/* a package of dpkg, not files */
	/* None is, but one was adopted that had been installed by hand, and was removed: where its
	 * links were dpkg must put none, or they could not come back. */
	bool files_only;
	/* { "package", "version", "sha256" of the package file if it is known, "adopted": BY_...,
	 * "dir" of the programs, if by hand }; NULL: none */
	struct json *origin;
	struct strv files;	/* theirs, by hand: programs, units and the links that start them at boot */
};

void sysbox_here_release(struct sysbox_here *s);
/* Somebody else's. Nothing is found: *ret is empty. ERR_REFUSED with the remedy: something that
 * cannot be adopted is here. Starts programs: dpkg --verify, or the three with --version. */
int sysbox_look(const struct host *h, struct sysbox_here *ret, struct err *err);
/* Ours, or else somebody else's. */
int sysbox_find(const struct step_ctx *ctx, struct sysbox_here *ret, struct err *err);
/* Adopted by hand: the programs are where somebody put them; all else of it stays theirs. */
bool sysbox_by_hand(const struct sysbox_here *s);
/* "Sysbox 0.7.0 is here, installed by hand"; allocated. Of theirs. */
char *sysbox_words(const struct sysbox_here *s);

/* adopt.c: theirs becomes ours as it is; what was adopted goes, because taking it back would leave
 * it here (what we added to it is left to take_back_plan). */
void sysbox_adopt(struct plan *p, const struct sysbox_here *here);
void sysbox_drop(struct plan *p, const struct step_ctx *ctx, const struct sysbox_here *here);

/* What the index says of ours; NULL: none is. */
const struct json *sysbox_origin(const struct json *index);
/* Adopted, or came after one that was. */
bool sysbox_adopted(const struct json *origin);
/* Where sysbox-runc is, or will be: of ours, else by the names of the files alone. Allocated. */
char *sysbox_runc(const struct step_ctx *ctx);

/* "0.7.0" of a package's "0.7.0.linux" or "0.5.0-0.linux"; NULL: it begins with no such thing.
 * Allocated. */
char *sysbox_plain_version(const char *package_version);
/* Of what `sysbox-runc --version` and the others print; likewise. */
char *sysbox_said_version(const char *said);

#endif
