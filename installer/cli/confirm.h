/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands know of a transaction that waits to be confirmed (engine/pending.h). While one
 * does, sysboxup-pending.timer ticks each second, and all that a tick does is ask the engine.
 */
#ifndef CLI_CONFIRM_H
#define CLI_CONFIRM_H

#include "cli/session.h"

#define OPTION_CONFIRM_WITHIN \
	{ \
		.name = "confirm-within", .arg = "TIME", \
		.help = "undo it unless `sysboxup confirm` is run from a new login within TIME" \
	}

/* --confirm-within; 0: it is not given. */
int confirm_read_option(const struct cli *cli, unsigned int *ret, struct err *err);
/* The timer ticks. Before anything is touched, with the lock: ERR_REFUSED where it cannot. Nothing
 * ticks in a root that is not this host. */
int confirm_arm(struct session *s, struct err *err);
/* No more ticks. With the lock, and nothing that waits: who arms it next does so behind this. */
int confirm_disarm(struct session *s, struct err *err);
/* The transaction that waits, and for how long: in JSON alone. */
void confirm_event(struct session *s, const struct txn_summary *t);
/* The same of the newest, and in words. */
int confirm_say(struct session *s, struct err *err);

/*
 * One tick. Undoes what is due; where nothing is left to wait for it is the last one. Somebody
 * else's lock is no error: there is a next tick. What could not be undone is not tried again each
 * second: the unit fails, and `recover` is for a person.
 */
int confirm_tick(struct cli *cli, enum txn_recovered *ret, struct err *err);

#endif
