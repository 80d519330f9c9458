/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live_packages PROFILE install|remove|install-fail|remove-fail [VERSION]: one transaction of
 * nothing but the packages action, on the guest that it runs in (tests/packages.bats). With -fail
 * what is done is found wrong at the end, and has to be undone.
 *
 * live_packages PROFILE dependencies[-fail] NAME...: the same of the dependencies action, on a
 * machine of tests/lib/machine.bash; dependencies-go: the first of them must go on the way back.
 * LOCK_SECONDS: how long it waits for others.
 */
#include "actions/dependencies.h"
#include "actions/packages.h"
#include "base/str.h"
#include "engine/txn.h"

#include <stdio.h>

static void emit(struct report *r, const struct report_line *line)
{
	if (line->text)
		fprintf(stderr, "%s\n", line->text);
}

static int refuse(void *user, struct report *rep, struct err *err)
{
	return err_set(err, ERR_FAILED, "found wrong on purpose");
}

static struct action *wanted(const char *what, char **rest, const struct host *h)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	const char *version = rest[0];

	static const char *const fuse3[] = { "fuse3", NULL };
	bool remove = str_starts(what, "remove");

	if (str_starts(what, "dependencies")) {
		strv_addv(&names, (const char *const *)rest);
		struct action *a = action_dependencies("test", &names);
		if (str_ends(what, "-go"))
			dependencies_must_go(a, names.v[0]);
		return a;
	}
	return action_packages("test", remove ? NULL : fuse3, "sysbox-ce", version, h->arch, remove);
}

struct world {
	struct root root;
	struct host host;
	struct profile profile;
	struct state state;
	struct plan plan;
};

static int world_open(struct world *w, const char *profile, struct err *err)
{
	return root_open(&w->root, "/", err) || host_gather(&w->host, &w->root, err) ||
	       profile_load(&w->profile, &w->root, profile, err) ||
	       state_open(&w->state, &w->root, STATE_CREATE, err) ||
	       state_lock(&w->state, "live_packages", err);
}

static void world_close(struct world *w)
{
	plan_release(&w->plan);
	state_release(&w->state);
	profile_release(&w->profile);
	host_release(&w->host);
	root_release(&w->root);
}

static int transact(struct world *w, const char *what, struct err *err)
{
	struct json *begin CLEANUP(json_freep) = json_obj();
	struct report rep = { .emit = emit };
	struct txn_request rq = { .plan = &w->plan, .begin = begin };
	unsigned int id;

	json_set_str(begin, "class", "apply");
	json_set_str(begin, "command", "live_packages");
	rq.ctx = (struct action_ctx){ .host = &w->host,
				      .root = &w->root,
				      .profile = &w->profile,
				      .state = &w->state,
				      .rep = &rep };
	if (str_ends(what, "-fail"))
		rq.prove = refuse;
	return txn_run(&rq, &id, err);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct world w = { .root = ROOT_INIT, .state = STATE_INIT, .plan = PLAN_INIT };
	const char *seconds = getenv("LOCK_SECONDS");
	int code = 2;

	if (seconds)
		packages_set_lock_seconds((unsigned int)strtoul(seconds, NULL, 10));

	if (argc >= 3 && !world_open(&w, argv[1], &err)) {
		plan_add(&w.plan, wanted(argv[2], argv + 3, &w.host));
		code = !transact(&w, argv[2], &err) ? 0 :
		       err.kind == ERR_REFUSED	    ? 3 :
		       err.kind == ERR_UNDO	    ? 5 :
						      1;
	}
	if (code)
		fprintf(stderr, "%s\n", err.msg);
	world_close(&w);
	return code;
}
