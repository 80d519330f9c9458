/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An action is one reversible primitive. Its contract with the engine:
 *
 *	prepare		nothing visible on the host. Fills in the before-image, keeps the content of
 *			it in the journal, gets everything that commit needs (download, render), and
 *			proves that undo will be possible.
 *	encode		the whole action with before- and after-image as JSON; goes into the
 *			PREPARED record.
 *	decode		the opposite, in a later process. After it undo, finish, verify and describe
 *			work.
 *	commit		the visible change; ideally one rename. Called once, after its INTENT is
 *			durable.
 *	undo		from record and disk alone; idempotent; also when commit never ran, or died
 *			in the middle. Leaves a stranger's later edit alone and returns an error
 *			that names it.
 *	finish		after the terminal record: what undo would have needed on the host is
 *			removed. Idempotent. May be NULL. In the order of commits, and after a
 *			rollback in the order of undos.
 *	verify		after all commits: is it really so? May be NULL.
 *	invert		later: an action that takes committed ones back: `oldest` has the
 *			before-image to return to, `newest` the after-image that is expected now
 *			(the same record when only one transaction is concerned). NULL in *ret:
 *			nothing to take back.
 *	describe	one REPORT_CHANGE line, and the diff: what would change now, or, with
 *			ctx->log set, what the action recorded there has changed.
 *
 * `key` names the target ("file:/etc/docker/daemon.json"); a key occurs once per plan. `rank` is
 * the place in the order of commits (enum action_rank); undo and rollback go the other way round.
 */
#ifndef ACTIONS_ACTION_H
#define ACTIONS_ACTION_H

#include "base/report.h"
#include "fetch/catalog.h"
#include "host/host.h"
#include "journal/txnlog.h"
#include "profile/profile.h"
#include "sys/node.h"

/*
 * Order of commits. Within a rank, the order of the plan. What stops, or takes away, stands at
 * minus its rank, so that all of it comes first, and what refers to a thing goes before that: the
 * containers stop, daemon.json forgets the runtime, the units stop, files change, the units start.
 * A way back runs down the ranks.
 */
enum action_rank {
	RANK_FETCH = 10,	/* download and unpack: nothing on the host */
	RANK_ACCOUNT = 20,
	RANK_SYSCTL = 30,
	RANK_RELOAD_UNDO = 38,	/* daemon-reload when undone */
	RANK_CERTIFICATES = 39,	/* issued, and never taken back; files and links refer to them */
	RANK_FILES = 40,	/* directories, files, links, packages */
	RANK_RELOAD = 42,	/* daemon-reload when committed */
	RANK_OPENINGS = 43,	/* in other firewalls, behind the table that keeps the rest out */
	RANK_UNITS = 50,
	RANK_APPARMOR = 55,
	RANK_LISTEN_SETTLE = 58,	/* a restart of Docker when a listener is as before */
	RANK_LISTEN_KEYS = 59,	/* certificates */
	RANK_DOCKER = 60,	/* daemon.json and what the daemon makes of it */
	RANK_DAEMON = 61,	/* a Docker that was not there before starts */
	RANK_LISTEN_RELOAD = 61,	/* daemon-reload and a restart of Docker when it closes */
	RANK_LISTEN_FILES = 62,	/* its units */
	RANK_LISTEN_OPEN = 64,
	RANK_CONTAINERS = 65,
	RANK_LATE = 70,
};

struct action_ctx {
	const struct host *host;
	const struct root *root;
	const struct profile *profile;	/* NULL in recovery */
	struct state *state;
	struct txnlog *log;
	unsigned int index;		/* of this action in its plan: before/INDEX */
	struct action *const *plan;	/* in prepare: those before `index` are prepared already */
	const char *tag;		/* "000012.3": part of deterministic temporary names */
	const struct catalog *catalog;	/* already loaded, or NULL: an action that needs it loads it */
	const char *package_file;	/* --package FILE, or NULL */
	bool allow_restart;
	bool stop_containers;	/* those that need what changes are stopped, and started again */
	/* On clock_boot_ms(): what commit starts must have ended by then; 0: no such time. Undo has
	 * none. */
	uint64_t deadline;
	struct gate *gate;		/* asked before a restart of Docker (docker/gate.h); NULL: nobody is */
	/* A stranger's version is kept beside, and we go on: rollback --force; in undo, of what
	 * nobody confirmed. */
	bool force;
	bool recovering;		/* undo in a later process, or at boot */
	/*
	 * At boot, in the units that hold back Docker: it does not run, so its files go back and it
	 * is told nothing; jobs of systemd are queued, not waited for (they wait for us).
	 * facts/dpkg-tried.md section 8.
	 */
	bool at_boot;
	bool early;			/* at_boot, in the first half: before sysinit.target, nothing runs yet */
	bool committed;			/* in finish: COMMITTED is what it comes after, not ROLLED_BACK */
	struct report *rep;
};

struct action;

struct record {			/* an action read back from a committed transaction */
	const struct action *action;
	unsigned int txn;
	unsigned int index;		/* its before content: txnlog_before_open(state, txn, index) */
	const struct record *next;	/* the next one of the same key, towards the newest; NULL for that */
};

struct action_ops {
	const char *kind;		/* the name in the journal: never changes */
	/* Its undo starts programs of strangers and may take minutes: left for the second half at
	 * boot. */
	bool late;
	/* Undone also where commit was never reached, if that of any other was: a boot in between
	 * may have had its effect. */
	bool unbidden;
	int (*prepare)(struct action *a, struct action_ctx *ctx, struct err *err);
	int (*commit)(struct action *a, struct action_ctx *ctx, struct err *err);
	int (*undo)(struct action *a, struct action_ctx *ctx, struct err *err);
	int (*finish)(struct action *a, struct action_ctx *ctx, struct err *err);
	int (*verify)(struct action *a, struct action_ctx *ctx, struct err *err);
	/* Its place in a plan that runs up the ranks (`forward`) or down. NULL: as constructed; on
	 * the way back that of the oldest record. */
	int (*rank)(const struct action *a, bool forward);
	/*
	 * What has to stand around it in every plan, and is no change of its own: i counts from 0,
	 * NULL ends. Whoever puts an action into a plan puts its escorts there (plan_add,
	 * rollback_plan); they invert to nothing, because the inverted action has its own. May be
	 * NULL.
	 */
	struct action *(*escort)(const struct action *a, unsigned int i);
	int (*invert)(const struct record *oldest, const struct record *newest, struct action **ret,
		      struct err *err);
	/* Pruning: of two neighbours in a chain of records the newer is taken into the older, whose
	 * before content stays; invert then makes the same of the shorter chain, whatever follows.
	 * false: both are needed. NULL: all always are. */
	bool (*fold)(struct action *older, const struct action *newer);
	/* Between an older and a newer record this one says nothing to invert. May be NULL: never
	 * so. */
	bool (*idle)(const struct action *a);
	int (*encode)(const struct action *a, struct json *ret);
	int (*decode)(struct action *a, const struct json *j, struct err *err);
	void (*describe)(const struct action *a, const struct action_ctx *ctx, struct report *r);
	/* What the index remembers of this target after a commit (NULL: nothing is ours any more).
	 * May be NULL: nothing ever. Not asked of inverted ones: after a rollback the index is as
	 * it was before its target. */
	struct json *(*index)(const struct action *a, const struct root *root);
	/* What index gives are entries by key, each with its kind: of targets of other kinds. */
	bool several;
	/* The entry that index would make, for what is at `key` as somebody else put it there;
	 * `as`: what cannot be seen by looking, or NULL. May be NULL: nothing of this kind is ever
	 * adopted (actions/adopt.c). */
	int (*adopt)(const char *key, const struct json *as, const struct action_ctx *ctx,
		     struct json **ret, struct err *err);
	/* Is it still as `entry` (made by index) says? STATE_OK, STATE_BAD (drift, said in found).
	 * May be NULL. */
	enum report_state (*drift)(const struct json *entry, const char *key,
				   const struct action_ctx *ctx, struct buf *found);
	/* What a target of this kind consists of, besides the path in its key; NULL-terminated. May
	 * be NULL. */
	const char *const *paths;
	void (*release)(struct action *a);	/* frees data; the engine frees the rest */
};

struct action {
	const struct action_ops *ops;
	char *key;
	char *step;			/* who asked for it */
	int rank;
	bool back;			/* takes back what was ours: afterwards nothing of it is */
	void *data;			/* of this kind; never NULL after *_new or decode */
	/* free form, kept in the index: {"package": "sysbox-ce", "version": ..., "sha256": ...}; or
	 * NULL */
	struct json *origin;
};

struct action *action_new(const struct action_ops *ops, const char *key, const char *step, int rank,
			  void *data);
void action_free(struct action *a);
void action_freep(struct action **a);

/* For kinds whose invert asks the oldest record alone, or nobody. */
bool action_fold_oldest(struct action *older, const struct action *newer);
/* For kinds that only escort. */
int action_invert_nothing(const struct record *oldest, const struct record *newest,
			  struct action **ret, struct err *err);

/* One of the two belongs to a rollback: their inverse makes something come again that was taken
 * back, in a plan that runs up the ranks. Otherwise it is a way back, which runs down. */
bool records_come_again(const struct record *oldest, const struct record *newest);

/* { "kind", "key", "step", "rank", "origin", "data": encode } and back (through the registry). */
struct json *action_encode(const struct action *a);
int action_decode(const struct json *j, struct action **ret, struct err *err);

/* actions/registry.c: the kinds that exist, ends with NULL. */
extern const struct action_ops *const action_kinds[];
const struct action_ops *action_kind(const char *name);

#endif
