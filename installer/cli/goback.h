/* SPDX-License-Identifier: Apache-2.0 */
/* What `rollback` and `uninstall` share: a plan that goes back, carried out. */
#ifndef CLI_GOBACK_H
#define CLI_GOBACK_H

#include "cli/session.h"

/* Shows the plan and carries it out as a transaction of class "rollback" that leads to before
 * `target`; then the profile in force there is the one last applied again. The session is locked;
 * cli->result is filled in. */
int goback_run(struct session *s, struct action_ctx *ctx, struct plan *plan, unsigned int target,
	       struct err *err);

#endif
