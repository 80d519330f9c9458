/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run writes down of itself and of the machine it runs on: the time, the boot, inode
 * numbers. In an image these would be the builder's, and would differ from one build to the next.
 * A sealed run leaves none of it: its time is SOURCE_DATE_EPOCH (reproducible-builds.org) where
 * that is set, it belongs to no boot, and its nodes have no fingerprint (sys/node.h).
 *
 * Of the whole process, and for good: sealed before anything is written. What has to be measured
 * (deadlines, expiry) asks sys/clock.h.
 */
#ifndef SYS_STAMP_H
#define SYS_STAMP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* ERR_USAGE where SOURCE_DATE_EPOCH is no number. */
int stamp_seal(struct err *err);
bool stamp_sealed(void);
/* The time is given, so what is written has to be the same the next time. */
bool stamp_fixed(void);
int64_t stamp_now(void);		/* seconds since the epoch */
const char *stamp_boot_id(void);	/* "" in a sealed run */

#endif
