/* SPDX-License-Identifier: Apache-2.0 */
/* Help as text and as mdoc, both from the tables. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"

void help_program(struct render *out);
void help_command(struct render *out, const struct command *c);
/* "COMMANDS" and "OPTIONS" of sysboxup(8) as mdoc; scripts/manpage puts them into
 * installer/man/sysboxup.8. */
void help_mdoc_commands(struct buf *ret);
void help_mdoc_options(struct buf *ret);

#endif
