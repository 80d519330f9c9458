/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include "actions/packages.h"
#include "cli/heldback.h"
#include "docker/hooks.h"
#include "engine/applied.h"
#include "engine/index.h"
#include "engine/prune.h"
#include "engine/settle.h"
#include "fetch/package.h"
#include "steps/preflight.h"
#include "sys/fs.h"
#include "sys/stamp.h"

#include <errno.h>
#include <unistd.h>

#define PACKAGE "sysbox-ce"

/* 1: there is none. */
static int load_applied(struct session *s, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct state state CLEANUP(state_release) = STATE_INIT;
	int rc;

	if (state_open(&state, &s->root, STATE_READ, err) < 0)
		return -1;
	rc = applied_read(&state, &text, err);
	return rc ? rc :
		    profile_parse(&s->profile, text.data, text.len, STATE_DIR "/profile.json", err);
}

static int load_profile(struct session *s, int want, struct err *err)
{
	const char *path = option_text(&s->cli->opts, "profile");
	int rc = 1;

	if ((want & SESSION_APPLIED) && !path)
		rc = load_applied(s, err);
	if (rc > 0)
		rc = profile_load(&s->profile, &s->root, path, err);
	if (!rc && s->profile.docker.allow_restart)
		s->allow_restart = true;
	return rc;
}

/* Who is not root cannot read the state; a plan is still worth something then. */
static int open_state_reading(struct session *s, int want, struct err *err)
{
	struct err why = ERR_INIT;

	if (state_open(&s->state, &s->root, STATE_READ, &why) == 0)
		return 0;
	if (!(want & SESSION_BLIND) || geteuid() == 0 ||
	    (why.errnum != EACCES && why.errnum != EPERM)) {
		*err = why;
		return -1;
	}
	report_warn(s->rep, "run it as root",
		    "what sysboxup has done here before cannot be read: %s", why.msg);
	s->state = (struct state)STATE_INIT;
	s->state.root = &s->root;
	return 0;
}

static int open_state(struct session *s, int want, struct err *err)
{
	if (!(want & SESSION_LOCK))
		return open_state_reading(s, want, err);
	if (state_open(&s->state, &s->root, STATE_CREATE, err) < 0)
		return -1;
	if (state_lock(&s->state, s->cli->cmd->name, err) < 0)
		return -1;
	if (txn_check_unfinished(&s->state, err) < 0)
		return -1;
	hooks_settle(&s->state, s->rep);
	return 0;
}

static int gather_host(struct session *s, struct err *err)
{
	const char *distro = option_text(&s->cli->opts, "distro");

	host_release(&s->host);
	return s->image ? host_gather_image(&s->host, &s->root, distro, err) :
			  host_gather_as(&s->host, &s->root, distro, err);
}

static int load_host(struct session *s, struct err *err)
{
	if (gather_host(s, err) < 0)
		return -1;
	return index_load(&s->state, &s->index, err);
}

/* What transactions of ours put in place says itself which package it is from. */
static int load_installed(struct session *s, struct err *err)
{
	const struct json *origin = NULL;

	for json_each(entry, s->index)
		if (!origin)
			origin = json_get(entry, "origin");
	if (!origin && s->profile.sysbox.present) {
		err_set(err, ERR_FAILED, "the profile wants Sysbox, and none is here that sysboxup installed");
		return err_remedy(err, "sysboxup apply");
	}
	if (!origin)
		return 0;
	catalog_single(&s->catalog, json_get_str(origin, "package"),
		       json_get_str(origin, "version"), s->host.arch,
		       json_get_str(origin, "sha256"));
	s->has_catalog = true;
	s->entry = s->catalog.v;
	return 0;
}

static int load_package(struct session *s, struct err *err)
{
	const char *version = s->profile.sysbox.version;

	if (!s->profile.sysbox.present || str_eq(version, "absent"))
		return 0;
	if (!*s->host.arch)
		return err_set(err, ERR_REFUSED, "cannot tell what processor the system in '%s' is made for",
			       s->root.path);
	if (catalog_load(&s->catalog, &s->root, &s->profile, s->rep, err) < 0)
		return -1;
	s->has_catalog = true;
	s->entry = package_choose(&s->catalog, PACKAGE, version, s->host.arch, s->package_file,
				  err);
	return s->entry ? 0 : -1;
}

/* --lock-wait, where the command has it. */
static int set_lock_wait(const struct cli *cli, struct err *err)
{
	const char *text = option_text(&cli->opts, "lock-wait");
	uint64_t seconds;

	if (!text)
		return 0;
	if (str_to_seconds(text, &seconds) || seconds > 86400)
		return err_set(err, ERR_USAGE, "--lock-wait '%s' is no time such as 90, 5m or 1h", text);
	packages_set_lock_seconds((unsigned int)seconds);
	return 0;
}

/* What is written goes into other machines, not only this one. */
static bool becomes_image(const struct session *s)
{
	return !s->root.is_host || option_given(&s->cli->opts, "image");
}

int session_open(struct session *s, struct cli *cli, int want, struct err *err)
{
	const char *root = option_text(&cli->opts, "root");

	s->cli = cli;
	s->rep = cli->rep;
	s->package_file = option_text(&cli->opts, "package");
	s->allow_restart = option_given(&cli->opts, "allow-restart");
	s->stop_containers = option_given(&cli->opts, "stop-containers");
	option_texts(&cli->opts, "force", &s->forced);
	s->image = (want & SESSION_IMAGE) || option_given(&cli->opts, "image");
	if (set_lock_wait(cli, err) < 0)
		return -1;
	if (root_open(&s->root, root ? root : "/", err) < 0)
		return err_raise(err, ERR_USAGE);
	if (becomes_image(s) && stamp_seal(err) < 0)
		return -1;
	if ((want & (SESSION_PROFILE | SESSION_APPLIED)) && load_profile(s, want, err) < 0)
		return -1;
	if (open_state(s, want, err) < 0)
		return -1;
	if ((want & SESSION_HOST) && load_host(s, err) < 0)
		return -1;
	if ((want & SESSION_INSTALLED) && load_installed(s, err) < 0)
		return -1;
	return want & SESSION_PACKAGE ? load_package(s, err) : 0;
}

int session_no_state(struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;

	if (session_open(&s, cli, SESSION_APPLIED, err) < 0)
		return -1;
	if (s.state.fd >= 0)
		return 0;
	render_say(cli->out, PAINT_NONE, "Nothing was ever changed here by sysboxup.");
	return 1;
}

void session_release(struct session *s)
{
	if (s->has_catalog)
		catalog_release(&s->catalog);
	json_free(s->index);
	host_release(&s->host);
	profile_release(&s->profile);
	state_release(&s->state);
	root_release(&s->root);
	strv_release(&s->forced);
	*s = (struct session)SESSION_INIT;
}

struct action_ctx session_action_ctx(struct session *s)
{
	return (struct action_ctx){
		.host = &s->host,
		.root = &s->root,
		.profile = &s->profile,
		.state = &s->state,
		.catalog = s->has_catalog ? &s->catalog : NULL,
		.package_file = s->package_file,
		.allow_restart = s->allow_restart,
		.stop_containers = s->stop_containers,
		.gate = s->gate,
		.rep = s->rep,
	};
}

static struct step_ctx step_context(struct session *s)
{
	return (struct step_ctx){
		.host = &s->host,
		.profile = &s->profile,
		.index = s->index,
		.state = &s->state,
		.catalog = s->has_catalog ? &s->catalog : NULL,
		.entry = s->entry,
		.package_file = s->package_file,
		.allow_restart = s->allow_restart,
		.quick = s->quick,
		.proving = s->proving,
		.rep = s->rep,
	};
}

static int plan_steps(struct session *s, struct plan *ret, struct err *err)
{
	struct step_ctx ctx = step_context(s);

	for (size_t i = 0; steps[i]; i++)
		if (steps[i]->wanted(&ctx) && steps[i]->plan(ret, &ctx, err) < 0)
			return -1;
	return root_looks_good(err);
}

int session_plan(struct session *s, struct plan *ret, struct err *err)
{
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;
	struct err better = ERR_INIT;

	if (plan_steps(s, &plan, err) < 0) {
		if (session_preflight(s, &better) < 0 && better.kind == ERR_REFUSED)
			*err = better;
		return -1;
	}
	*ret = plan;
	plan = (struct plan)PLAN_INIT;
	return 0;
}

int session_preflight(struct session *s, struct err *err)
{
	const char *version = s->entry ? s->entry->version : NULL;

	return preflight_run(&s->host, &s->profile, version, &s->forced, s->rep, err);
}

int session_verify(struct session *s, unsigned int *ret_bad, struct err *err)
{
	struct step_ctx ctx = step_context(s);
	unsigned int before = s->rep->bad;

	for (size_t i = 0; steps[i]; i++)
		if (steps[i]->verify && steps[i]->wanted(&ctx) &&
		    steps[i]->verify(&ctx, s->rep, err) < 0)
			return -1;
	*ret_bad = s->rep->bad - before;
	return 0;
}

int session_prove(void *user, struct report *rep, struct err *err)
{
	struct session *s = user;
	unsigned int bad = 0;

	s->proving = true;
	if (host_docker_refresh(&s->host, err) < 0 || session_verify(s, &bad, err) < 0)
		return -1;
	if (!bad)
		return 0;
	return err_set(err, ERR_FAILED, "everything was put in place, but %u proof%s failed", bad, bad > 1 ? "s" : "");
}

void session_settle(struct session *s)
{
	struct err why = ERR_INIT;

	if (settle_times(&s->state, &why) < 0)
		report_warn(s->rep, NULL, "this image differs from the next one made like it: %s", why.msg);
}

void session_prune(struct session *s)
{
	struct err why = ERR_INIT;

	if (prune_run(&s->state, s->profile.history.keep, s->profile.history.max_size, &why) < 0)
		report_warn(s->rep, NULL, "%s", why.msg);
}

/* A run that took this root for an image told nobody; so nobody is told on the way back. */
static int left_by_image(struct session *s, bool *ret, struct err *err)
{
	struct txn_summary t;
	unsigned int id;

	if (txnlog_newest(&s->state, &id, err) < 0 || txnlog_read(&s->state, id, &t, err) < 0)
		return -1;
	*ret = json_get_bool(t.begin, "image", false);
	txn_summary_release(&t);
	return 0;
}

const char *const session_in_use[] = { SESSION_FORGOTTEN, SESSION_CERTIFICATES, "timed.json",
				       NULL };

bool session_has_forgotten(const struct session *s)
{
	return root_exists(&s->root, STATE_DIR "/" SESSION_FORGOTTEN);
}

static bool any_kept(const struct session *s, const char *const *keep)
{
	struct stat st;

	for (; *keep; keep++)
		if (!fstatat(s->state.fd, *keep, &st, AT_SYMLINK_NOFOLLOW))
			return true;
	return false;
}

int session_purge(struct session *s, const char *const *keep, struct err *err)
{
	if (state_purge(&s->state, keep, err) < 0)
		return -1;
	if (!any_kept(s, keep) && root_exists(&s->root, STATE_DIR))
		report_warn(s->rep, NULL,
			    "'%s' itself stays: something is mounted there, it is a link, or others have put something into it",
			    STATE_DIR);
	return 0;
}

/* Facts about the host cost more than all the rest: gathered only where something is left. */
static int gather_left(struct session *s, struct err *err)
{
	bool left;

	if (txn_left(&s->state, &left, err) < 0)
		return -1;
	if (!left)
		return 0;
	return left_by_image(s, &s->image, err) < 0 || gather_host(s, err) < 0 ? -1 : 0;
}

int session_recover_locked(struct session *s, enum txn_recovered *ret, struct err *err)
{
	struct action_ctx ctx = session_action_ctx(s);
	const char *half = option_text(&s->cli->opts, "boot");
	int r;

	if (gather_left(s, err) < 0)
		return -1;
	ctx.profile = NULL;
	/* The option is believed only as long as there is no daemon that would have to be told. */
	ctx.at_boot = half && !s->host.docker.main_pid;
	ctx.early = ctx.at_boot && str_eq(half, "early");
	if (half)
		heldback_begin(&s->state, s->rep);
	r = txn_recover(&ctx, ret, err);
	if (r < 0)
		heldback_tell(&s->state, s->rep);
	else if (*ret != RECOVERED_PART)
		heldback_end(&s->state, s->rep);
	/* at boot they may want Docker, which waits for us there: sysboxup-hooks.service */
	if (!ctx.at_boot && (!r || err->kind == ERR_PENDING))
		hooks_settle(&s->state, s->rep);
	return r;
}

int session_lock(struct session *s, const char *command, struct err *err)
{
	state_release(&s->state);
	return state_open(&s->state, &s->root, STATE_CREATE, err) < 0 ?
		       -1 :
		       state_lock(&s->state, command, err);
}

static int lock_and_recover(struct session *s, enum txn_recovered *ret, struct err *err)
{
	if (s->state.fd < 0)
		return 0;
	return session_lock(s, "recover", err) < 0 ? -1 : session_recover_locked(s, ret, err);
}

/* "The host is as before" must not be said while something is unfinished. */
static int raise_unfinished(const struct root *root, struct err *err)
{
	struct state state CLEANUP(state_release) = STATE_INIT;
	struct err left = ERR_INIT;

	if (err->kind == ERR_FAILED && (state_open(&state, root, STATE_READ, &left) < 0 ||
					txn_check_unfinished(&state, &left) < 0))
		err_raise(err, left.kind == ERR_FAILED ? ERR_UNDO : left.kind);
	return -1;
}

int session_recover(struct cli *cli, enum txn_recovered *ret, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;

	*ret = RECOVERED_NOTHING;
	if (session_open(&s, cli, 0, err) < 0)
		return s.root.fd < 0 ? -1 : raise_unfinished(&s.root, err);
	if (!lock_and_recover(&s, ret, err))
		return 0;
	if (err->kind == ERR_INTERRUPTED)
		cli->result.host = "as before the interrupted run, or as after it; only cleaning up is left";
	return raise_unfinished(&s.root, err);
}
