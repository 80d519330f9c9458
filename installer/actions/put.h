/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One path of the host made so, through sys/replace.h and at once: what was there is not kept. For
 * actions that can tell from the content alone what is theirs (lines of /etc/passwd) or that
 * restore from a record. Doing it twice changes nothing.
 */
#ifndef ACTIONS_PUT_H
#define ACTIONS_PUT_H

#include "actions/action.h"

/* type NODE_ABSENT takes it away. content: bytes of NODE_FILE. with set_mtime the time is part of
 * what is wanted. */
int put_node(const struct action_ctx *ctx, const char *path, const struct node *want,
	     const void *content, size_t len, bool set_mtime, struct err *err);
/* New bytes for a file; its owner, mode and xattrs stay. Made with mode, owned by root, where there
 * is none. */
int put_content(const struct action_ctx *ctx, const char *path, const struct buf *text, mode_t mode,
		struct err *err);
/* Removes what a put_content that died left beside path (beside its target, if it is a symlink). */
int put_tidy(const struct action_ctx *ctx, const char *path, struct err *err);

#endif
