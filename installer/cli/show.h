/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of text that several commands show. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "cli/session.h"

/* "Plan for Debian GNU/Linux 12 (bookworm), Docker 20.10.24, profile
 * /etc/sysboxup/profile.json:" */
void show_target(struct session *s, const char *what);

/* A transaction read for showing; released by txn_summary_release. */
const char *show_txn_state(const struct txn_summary *t);
size_t show_txn_actions(const struct txn_summary *t);
/* What a person calls the target of an action: the path alone, where it is one. Borrowed. */
const char *show_key(const char *key);

#endif
