/* SPDX-License-Identifier: Apache-2.0 */
/* Kind "account" beyond its constructor (actions/kinds.h). */
#ifndef ACTIONS_ACCOUNT_H
#define ACTIONS_ACCOUNT_H

#include "actions/kinds.h"

/* Is anything missing of account `name` and its subordinate ids? ERR_REFUSED for what is half
 * there. Reads only. */
int account_needed(const struct root *r, const char *name, bool *ret, struct err *err);

#endif
