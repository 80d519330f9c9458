/* SPDX-License-Identifier: Apache-2.0 */
/* The bash completion, made from the tables of commands and options. */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "base/buf.h"

void completion_bash(struct buf *ret);

#endif
