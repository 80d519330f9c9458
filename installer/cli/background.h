/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BACKGROUND_H
#define CLI_BACKGROUND_H

#include "cli/session.h"

/* The plan as a transaction of the class "background", for work that nobody typed a command for: it
 * is taken back with what came before it, and never alone. The result is in s->cli. */
int background_run(struct session *s, struct plan *plan, struct err *err);

#endif
