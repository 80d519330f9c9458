/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "registration" (actions/kinds.h): registration_note.c makes of a package what dpkg would
 * have noted of it, registration.c puts that into dpkg's database and takes it out again.
 */
#ifndef ACTIONS_REGISTRATION_H
#define ACTIONS_REGISTRATION_H

#include "actions/action.h"
#include "backends/pkg/dpkgnote.h"

/* A file that was put here. */
struct registered_file {
	char *path;		/* as dpkg shall list it */
	char *member;		/* what it is in the package; NULL: it has this text */
	struct buf text;
};

struct registration {
	char *package;
	char *ours;		/* the version that we registered before, or NULL */
	struct registered_file *v;	/* as constructed; not in a record */
	size_t n;
	struct json *from, *to;	/* notes; NULL before prepare */
	size_t joined;		/* newlines that status lacks at its end without us */
	bool inverted;
	bool left;		/* inverted: somebody else has written there, and it stays */
	bool lock_made;		/* dpkg's lock was absent: of an image it goes in the end */
};

/*
 * In prepare: d->to, of the package's control part as action_unpack laid it into stage/ and of the
 * files that are put here. ERR_REFUSED where a package needs more of dpkg than notes: an interest
 * in triggers, a conffile among the files; and where something that it depends on is not installed.
 */
int registration_note(struct registration *d, const struct action_ctx *ctx, struct err *err);

#endif
