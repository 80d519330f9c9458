/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of sys/sandbox.c; for that file only, in the child. */
#ifndef SYS_SANDBOXMOUNT_H
#define SYS_SANDBOXMOUNT_H

#include "sys/sandbox.h"

int sandbox_mount_private(void);				/* all private and read-only, /proc new; -1 and errno */
int sandbox_mount_op(const struct sandbox_op *op);		/* -1 and errno */

#endif
