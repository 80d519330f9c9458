/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands share: from options to root, profile, state, host, catalog and plan. Everything
 * is released by session_release, the lock included.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/command.h"
#include "engine/plan.h"
#include "engine/step.h"
#include "engine/txn.h"
#include "fetch/catalog.h"

struct session {
	struct cli *cli;
	struct report *rep;
	struct root root;
	struct profile profile;
	struct state state;
	struct host host;
	struct json *index;			/* what is ours */
	struct catalog catalog;
	bool has_catalog;
	const struct catalog_entry *entry;	/* the resolved package, or NULL */
	const char *package_file;
	bool allow_restart, stop_containers;
	bool image;				/* the root is one, or will be: nothing that runs is asked or told */
	struct gate *gate;			/* cli/restart.h, or NULL */
	bool quick, proving;			/* session_verify: engine/step.h */
	struct strv forced;			/* --force CHECK-ID */
};

enum session_want {
	SESSION_PROFILE = 1,	/* --profile, /etc/sysboxup/profile.json or the embedded default */
	SESSION_APPLIED = 2,	/* --profile, or else the one last applied, or else as above */
	SESSION_LOCK = 4,	/* state made if absent, locked, nothing unfinished in it (txn_check_unfinished) */
	SESSION_BLIND = 32,	/* where the state may not be read, a warning and an empty history will do */
	SESSION_HOST = 8,	/* host facts and the index */
	SESSION_PACKAGE = 16,	/* the catalog and its entry, if the profile wants Sysbox */
	SESSION_INSTALLED = 64,	/* as the entry, the package that is ours here: no catalog is looked at */
	SESSION_IMAGE = 128,	/* the host as an image, though it is about to run */
};

/* Of the commands that may run a package manager. */
#define OPTION_LOCK_WAIT                                                                 \
	{ .name = "lock-wait", .arg = "TIME",                                            \
	  .help = "wait so long for the package manager's lock (default 2m)" }

/* Of the commands that may change versions. */
#define OPTION_STOP_CONTAINERS                                                           \
	{ .name = "stop-containers",                                                     \
	  .help = "containers that need what changes are stopped, and started again" }

#define SESSION_INIT { .root = ROOT_INIT, .state = STATE_INIT, .profile = { .text = BUF_INIT } }

/* With --image the root is taken for the image that it will become. */
#define OPTION_IMAGE                                                                     \
	{ .name = "image",                                                               \
	  .help = "this machine becomes an image: change files only, and what is its own stays out" }

/* In the order: root, profile (so that its errors come before anything is made), state, host,
 * catalog. */
int session_open(struct session *s, struct cli *cli, int want, struct err *err);
void session_release(struct session *s);
/* 1: there is no state here, and none was made; else 0. */
int session_no_state(struct cli *cli, struct err *err);

/* The lock, whatever is unfinished: for those that finish it. Of a session without SESSION_LOCK,
 * where there is a state. */
int session_lock(struct session *s, const char *command, struct err *err);

/* For the engine. Without SESSION_HOST its host is NULL. */
struct action_ctx session_action_ctx(struct session *s);
/* What the steps want changed. When a step cannot plan, preflight's refusal, if there is one, is
 * the error. */
int session_plan(struct session *s, struct plan *ret, struct err *err);
/* ERR_REFUSED; ERR_USAGE for an unknown id behind --force. */
int session_preflight(struct session *s, struct err *err);
/* The steps' proofs, each as a check. 0 also when proofs fail: those are counted in *ret_bad. */
int session_verify(struct session *s, unsigned int *ret_bad, struct err *err);
/* As the engine's `prove`: Docker's facts are read anew, a failed proof is an error. user: the
 * session. */
int session_prove(void *user, struct report *rep, struct err *err);

/* The last thing that is done to an image: its times (engine/settle.h). A failure is a warning. */
void session_settle(struct session *s);
/* The history, as far as the profile's `history` asks for; after the work is done: a failure is a
 * warning. */
void session_prune(struct session *s);

/* All of the state goes but what is to be kept (state_purge). Said where its directory cannot
 * go. */
int session_purge(struct session *s, const char *const *keep, struct err *err);
/*
 * What things in place go on using when sysboxup forgets them, ends with NULL: Docker its
 * certificates, the firewall who is let in. The first is a note that it did: from then on nobody
 * knows whether something uses the others.
 */
extern const char *const session_in_use[];
#define SESSION_FORGOTTEN "forgotten"
#define SESSION_CERTIFICATES "pki"
bool session_has_forgotten(const struct session *s);

/* Opens, locks, and undoes or cleans up what a dead run left; --boot says in which half. */
int session_recover(struct cli *cli, enum txn_recovered *ret, struct err *err);
/* The part behind session_lock. */
int session_recover_locked(struct session *s, enum txn_recovered *ret, struct err *err);

#endif
