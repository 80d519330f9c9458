/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What docker_config_run.c and docker_config_undo.c share: texts of daemon.json put in place, the
 * mark that the daemon was told, the containers around a restart. Functions return 0, or -1 with
 * err.
 */
#ifndef ACTIONS_DOCKER_CONFIG_PUT_H
#define ACTIONS_DOCKER_CONFIG_PUT_H

#include "actions/docker_config.h"
#include "sys/replace.h"

/* Below stage/ of the transaction: what somebody's edit on the way back is to become. */
#define WAY "way-back"

/* Beside 0 and -1: somebody edited the file since we looked. err is not set, and theirs is
 * there. */
enum { CONFIG_EDITED = 1 };

/* text, or NULL where the node is no file. */
const struct buf *docker_config_text(const struct buf *text, const struct node *n);
/* The exchange of the file under tag; to be released. */
struct replace docker_config_replace(const struct docker_config_data *d,
				     const struct action_ctx *ctx, const char *tag);
/* What a crash left under the tag of interim texts: the next text would find the name taken. */
int docker_config_tidy(const struct docker_config_data *d, const struct action_ctx *ctx,
		       const char *tag, struct err *err);
/* A text over what is there now (seen: what it must still be, else CONFIG_EDITED; or NULL), under a
 * tag of its own that is finished at once: the original waits under TAG. */
int docker_config_put_over(const struct docker_config_data *d, const struct action_ctx *ctx,
			   const struct buf *text, bool absent, const struct node *seen,
			   struct err *err);
/* The first text of ours: the original goes under TAG and waits there. Also REPLACE_CONFLICT. */
int docker_config_put_first(const struct docker_config_data *d, const struct action_ctx *ctx,
			    const struct buf *text, bool absent, struct err *err);
/* Stage i of n of the way there: the first, the last, or one in between. */
int docker_config_put_stage(const struct docker_config_data *d, const struct action_ctx *ctx,
			    const struct docker_stage *s, size_t i, size_t n, struct err *err);
/* Durably, before the daemon hears of a new text. */
int docker_config_mark(const struct action_ctx *ctx, struct err *err);
/* The daemon of this boot was told. */
bool docker_config_is_marked(const struct action_ctx *ctx);
/* It is brought back; what was noted on the way goes, too. */
int docker_config_unmark(const struct action_ctx *ctx, struct err *err);
/* docker_config_run.c: what a restart of ours stopped or started is as it was: exactly those. One
 * that is gone (--rm) is said. */
void docker_config_settle(const struct docker_config_data *d, const struct action_ctx *ctx);

#endif
