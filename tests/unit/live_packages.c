/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live_packages PROFILE install|remove|install-fail|remove-fail [VERSION]: one transaction of
 * nothing but the packages action, on the guest that it runs in (tests/packages.bats). With -fail
 * what is done is found wrong at the end, and has to be undone.
 */
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

static struct action *wanted(const char *what, const char *version, const struct host *h)
{
	static const char *const fuse3[] = { "fuse3", NULL };
	bool remove = str_starts(what, "remove");

	return action_packages("test", remove ? NULL : fuse3, "sysbox-ce", version, h->arch, remove);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct root root = ROOT_INIT;
	struct host host = { 0 };
	struct profile profile = { 0 };
	struct state state = STATE_INIT;
	struct report rep = { .emit = emit };
	struct plan plan = PLAN_INIT;
	unsigned int id;

	if (argc < 3 || root_open(&root, "/", &err) || host_gather(&host, &root, &err) || profile_load(&profile, &root, argv[1], &err) ||
	    state_open(&state, &root, STATE_CREATE, &err) || state_lock(&state, "live_packages", &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	plan_add(&plan, wanted(argv[2], argc > 3 ? argv[3] : NULL, &host));
	struct txn_request rq = { .plan = &plan, .begin = json_obj() };
	json_set_str(rq.begin, "class", "apply");
	json_set_str(rq.begin, "command", "live_packages");
	rq.ctx = (struct action_ctx){
		.host = &host, .root = &root, .profile = &profile, .state = &state, .rep = &rep
	};
	if (str_ends(argv[2], "-fail"))
		rq.prove = refuse;
	if (!txn_run(&rq, &id, &err))
		return 0;
	fprintf(stderr, "%s\n", err.msg);
	return err.kind == ERR_REFUSED ? 3 : err.kind == ERR_UNDO ? 5 : 1;
}
