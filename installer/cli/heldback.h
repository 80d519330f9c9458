/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a boot holds back while an interrupted transaction that touched it, or one that nobody
 * confirmed, is not undone: the TCP listener of the API and the dedicated daemon, whose units have
 * HELDBACK_MARK for a condition. The host's own Docker and its unix socket start. The mark is in
 * memory: the next boot decides anew.
 */
#ifndef CLI_HELDBACK_H
#define CLI_HELDBACK_H

#include "base/report.h"
#include "journal/txnlog.h"

#define HELDBACK_MARK "/run/sysboxup-held"

/* Before recovery begins at boot, so that a recovery that dies or takes too long counts as one that
 * failed. That it cannot be done is said, and no reason not to recover. */
void heldback_begin(const struct state *s, struct report *rep);
/* Everything is as it was. */
void heldback_end(const struct state *s, struct report *rep);
/* Recovery failed: says what does not start. */
void heldback_tell(const struct state *s, struct report *rep);

#endif
