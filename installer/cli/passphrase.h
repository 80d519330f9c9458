/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PASSPHRASE_H
#define CLI_PASSPHRASE_H

#include "cli/command.h"

#define OPTION_PASSPHRASE                                                                    \
	{ .name = "passphrase-file", .arg = "FILE", .value = VALUE_FILE,                     \
	  .help = "take the passphrase from FILE" },                                         \
	{ .name = "passphrase-fd", .arg = "N", .help = "take the passphrase from descriptor N" }

/*
 * From --passphrase-file or --passphrase-fd, its first line; else typed at the terminal, twice if
 * it is a new one. Never an argument, never a variable. ERR_USAGE where there is no terminal. ret
 * is to be wiped (pki/secret.h).
 */
int passphrase_get(const struct cli *cli, bool twice, struct buf *ret, struct err *err);

#endif
