/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profile in force: what a later command proves, renews and boots by. STATE_DIR/profile.json,
 * which `apply` that finds nothing to do writes, too; so it is no cache of the records alone.
 *
 * A transaction that commits makes it what the records say, before the last trace of it is cleaned
 * up. Whoever reads it in between is told what the records say: killed anywhere, the transaction
 * and its profile are in force together.
 */
#ifndef ENGINE_APPLIED_H
#define ENGINE_APPLIED_H

#include "journal/txnlog.h"

/* Durable; nothing is written where it is so already. */
int applied_put(const struct state *s, const struct buf *text, struct err *err);
/* Room for it on the disk (journal/ballast.h). begin: the transaction's. In prepare. */
int applied_reserve(struct txnlog *log, const struct json *begin, struct err *err);
/* What the records say: behind a commit. */
int applied_follow(const struct state *s, struct err *err);
/* 1: there is none. */
int applied_read(const struct state *s, struct buf *ret, struct err *err);

#endif
