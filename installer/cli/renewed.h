/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RENEWED_H
#define CLI_RENEWED_H

#include "cli/command.h"

#define OPTION_RENEWED                                                                         \
	{ .name = "renewed",                                                                   \
	  .help = "only give Docker the certificates that were renewed, and where no container stops" }

/*
 * What the timer does: a transaction of the class "background" that hands Docker what `cert` made
 * since. Of the profile last applied; if anything else of that is pending, all is left to `apply`.
 * The lock is waited for as long as --lock-wait says. Where a restart is refused, by a container or
 * a hook, that is a warning and 0: the next time may be a better one.
 */
int renewed_run(struct cli *cli, struct err *err);

#endif
