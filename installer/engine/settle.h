/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The times of an image. Files are written with the time of a sealed run (sys/stamp.h); what the
 * file system dates by itself is the moment of the build: directories in which names came and
 * went, links, files of which we own a line, and our state. With SOURCE_DATE_EPOCH all of these
 * get that time, so that two bakes of one tree are the same. After the transaction, when nothing is
 * written any more; not synced; doing it again changes nothing.
 */
#ifndef ENGINE_SETTLE_H
#define ENGINE_SETTLE_H

#include "journal/state.h"

/* Of everything that is ours by the records, and of STATE_DIR. Nothing where no time is given. */
int settle_times(const struct state *s, struct err *err);

#endif
