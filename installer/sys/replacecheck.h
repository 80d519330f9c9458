/* SPDX-License-Identifier: Apache-2.0 */
/* Where a replacement happens: shared by replace.c and replacecheck.c only. */
#ifndef SYS_REPLACECHECK_H
#define SYS_REPLACECHECK_H

#include "sys/replace.h"

struct place {
	int dirfd;
	char *name, *real;		/* entry in dirfd; its whole path, links followed */
	char *temp, *old, *undo;	/* deterministic neighbours: see replace.h */
	char *kept;			/* a version of somebody else that has no other place */
};

#define PLACE_INIT { .dirfd = -1 }

int place_open(const struct replace *rp, struct place *pl, struct err *err);
void place_release(struct place *pl);

#endif
