/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A negative control (builds with -DSYSBOXUP_FAULTS only): the record of an intent that comes after
 * the effect. A rename that would give a record of the types prepared or intent its name is put
 * off until something was changed on the host: a rename, link, removal, directory or symbolic link
 * outside of our own state, of a name that is neither a temporary of ours nor a lock's. Then the
 * names are given, in their order, and the directory is synced. A record of any other type brings
 * those that wait with it.
 */
#ifndef SYS_FAULTLATE_H
#define SYS_FAULTLATE_H

#include "sys/fault.h"

bool faultlate_put_off(const struct fault_op *op);
void faultlate_catch_up(const struct fault_op *op);	/* after a call that was made */
void faultlate_clear(void);

#endif
