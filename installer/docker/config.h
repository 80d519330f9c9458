/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon.json as dockerd understands it: which keys a reload takes up, which need a restart, which
 * are refused while containers run; what dockerd would refuse, checked before it is written
 * (DESIGN.md section 8, facts/dockerd.md 1.1, 1.5, facts/docker-tried.md 1 to 3). Pure but for
 * docker_config_check.
 */
#ifndef DOCKER_CONFIG_H
#define DOCKER_CONFIG_H

#include "base/json.h"
#include "base/report.h"
#include "docker/flags.h"
#include "host/host.h"

enum docker_key_class {
	KEY_RELOAD,
	KEY_RESTART,
	KEY_BRIDGE,		/* restart, and no container may run for it to take effect */
	KEY_REFUSED_RUNNING,	/* restart that hides or damages containers that run */
	KEY_UNKNOWN,
};
enum docker_key_class docker_key_class(const char *key);

enum docker_takeup { TAKEUP_NONE, TAKEUP_RELOAD, TAKEUP_RESTART };

/* What must happen so that a daemon running with `from` has `to` (trees; NULL = no file). keys (may
 * be NULL) gets the top-level keys that differ. A reload adds but does not subtract: a key that
 * went is a restart, except where an explicit interim text can take it back (runtimes,
 * default-runtime, live-restore, debug ...). */
enum docker_takeup docker_config_takeup(const struct json *from, const struct json *to,
					struct strv *keys);

/* The same; with tls_idle, keys of TLS do not count (struct docker_way). */
enum docker_takeup docker_config_takeup_idle(const struct json *from, const struct json *to,
					     bool tls_idle, struct strv *keys);

/* What GET /info must say before a stage counts as taken up. Empty, NULL and -1: not asked. */
struct docker_expect {
	struct strv present, absent;	/* runtimes */
	char *default_runtime;
	int live_restore;		/* -1, 0, 1 */
	int debug;
};

#define DOCKER_EXPECT_INIT { STRV_INIT, STRV_INIT, NULL, -1, -1 }

void docker_expect_release(struct docker_expect *e);

/* One text to be put in place, and what to do then; each is one of our own interim states of the
 * file. */
struct docker_stage {
	bool absent;			/* no file; text is empty */
	struct buf text;
	enum docker_takeup takeup;
	struct docker_expect expect;
};

/* What the way from one text to another depends on, beside the texts. */
struct docker_way {
	const struct docker_flags *flags; /* of the next start; those that a reload would forget
					   * (--add-runtime, --authorization-plugin) make a restart
					   * necessary */
	bool keep_containers;	/* containers run and no swarm is active (which forbids live-restore) */
	const char *bridge;	/* "172.17.0.1/16": what docker0 had before bip was in the file; NULL: not known */
	bool tls_idle;		/* nothing listens on TCP while this way is gone: tls* ask for no restart */
};

/*
 * The way from one text to another (NULL = no file), for commit and, with from and to swapped, for
 * undo. The last stage is `to`:
 *
 *	same bytes			nothing (n = 0)
 *	same meaning			to (no takeup)
 *	reload				to (reload)
 *	reload that takes something back	to + explicit defaults (reload), to (reload; none if
 *						there is no file then)
 *	restart				to (restart)
 *	restart, keep_containers	from + live-restore (reload), to + live-restore (restart),
 *					to + "live-restore": false (reload), to
 *	restart that takes bip back	as above to `to` + bip of before, then to (no takeup):
 *					dockerd remembers docker0's address in network/files and
 *					keeps it where the key is gone
 *
 * `from` has to be what the daemon runs with.
 */
int docker_config_stages(const struct docker_way *way, const struct buf *from, const struct buf *to,
			 struct docker_stage **ret, size_t *ret_n, struct err *err);

void docker_stages_free(struct docker_stage *s, size_t n);

/* Refuse a text that somebody else left and that this dockerd does not take (before 23: empty, or
 * with a BOM), because there would be no way back to it. */
int docker_config_check_found(const struct host *h, const char *text, size_t len, struct err *err);

/*
 * Refuse a candidate text: own checks (syntax, default-runtime that is not among the runtimes,
 * reserved name runc, binary of a runtime of ours missing (planned_paths exist later), bip with
 * bridge, icc false with iptables false, keys given both as flag and in the file with file and
 * line, swarm with live-restore, what nobody else catches ...), then `dockerd --validate` with the
 * unit's own flags where the version has it. A defect that was there before and is not made worse
 * is a warning through rep. current NULL = no file today. Errors are ERR_REFUSED.
 */
int docker_config_check(const struct host *h, const struct json *current, const char *candidate,
			size_t len, const struct strv *planned_paths, struct report *rep,
			struct err *err);

#endif
