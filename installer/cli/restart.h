/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that may have to restart Docker (docker/gate.h). What is in the way shows in the midst
 * of preparing, when nothing is touched yet. With --when-idle the transaction is then dropped, all
 * locks with it, and begun anew, from looking at the host on, as soon as the way is free.
 */
#ifndef CLI_RESTART_H
#define CLI_RESTART_H

#include "cli/session.h"
#include "docker/gate.h"

#define OPTION_WHEN_IDLE                                                                       \
	{ .name = "when-idle", .arg = "TIME",                                                  \
	  .help = "before Docker is restarted wait, so long at most, until no job runs, or the hooks agree" }

/* attempt: opens and closes a session of its own, with `gate` in it. Calls post-restart in the end,
 * where pre-restart was called. */
int restart_run(struct cli *cli,
		int (*attempt)(struct cli *cli, struct gate *gate, struct err *err),
		struct err *err);

#endif
