/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a package, unpacked by action_unpack in prepare into the transaction's stage/, for the
 * file actions behind it. */
#ifndef ACTIONS_STAGE_H
#define ACTIONS_STAGE_H

#include "actions/action.h"

/* "/usr/bin/x" is kept as "%usr%bin%x". Allocated. */
char *stage_name(const char *member);
/* Of the control part "postinst" is kept as "control.postinst", with its mode (unpack_control). */
#define STAGE_CONTROL "control."
int stage_open(const struct action_ctx *ctx, const char *member, int *ret_fd, struct err *err);

#endif
