/* SPDX-License-Identifier: Apache-2.0 */
/* Who runs this, and how: the body of a transaction's BEGIN record. */
#ifndef CLI_WHO_H
#define CLI_WHO_H

#include "cli/session.h"

/*
 *	{ "class": "apply", "command": "apply", "argv": [...], "time": "2026-11-22T01:28:26Z",
 *	"program": "0.1.0", "run": "...",
 *	  "uid": 0, "login_uid": 1000, "sudo_user": "ann", "profile": { "source", "digest", "text" }
 *	  }
 *
 * login_uid and sudo_user are left out where there is none; the text of the profile, from which
 * rollback restores the profile last applied, is kept here and shown nowhere.
 */
struct json *who_begin(const struct session *s, const char *class);
/* "ann", "root", "uid 1000": for tables. Allocated. */
char *who_words(const struct json *begin);
/* Names this run of the program, worker and parent together. Call it first before the worker is
 * made. */
const char *who_run_id(void);

#endif
