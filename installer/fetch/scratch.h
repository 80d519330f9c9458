/* SPDX-License-Identifier: Apache-2.0 */
/* A private directory for the length of one check: 0700, below /run (else /tmp), gone with
 * scratch_release. It is locked: the next one sweeps away what a killed run left. */
#ifndef FETCH_SCRATCH_H
#define FETCH_SCRATCH_H

#include "base/err.h"

struct scratch {
	int fd, base;
	char path[64];		/* short: sockets of gpg must fit below it */
};

#define SCRATCH_INIT { .fd = -1, .base = -1 }

int scratch_make(struct scratch *ret, struct err *err);
void scratch_release(struct scratch *s);

#endif
