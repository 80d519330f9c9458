/* SPDX-License-Identifier: Apache-2.0 */
#include "base/embedded.h"
#include "base/template.h"
#include "ci/compose.h"
#include "ci/words.h"
#include "cli/ci_check.h"
#include "cli/cmds.h"
#include "cli/exit.h"
#include "cli/session.h"
#include "sys/fs.h"
#include "sys/proc.h"
#include "sys/replace.h"

#include <errno.h>
#include <unistd.h>

enum { FILE_MAX = 4 * 1024 * 1024 };

static const char *const systems[] = { "compose",     "gitlab-runner", "jenkins", "github-runner",
				       "woodpecker", "kubernetes",    "env",     NULL };
static const char *const ways[] = { "sysbox", "tls", NULL };

static const struct option_spec ci_options[] = {
	{ .name = "for",
	  .arg = "SYSTEM",
	  .choices = systems,
	  .help = "what that CI system needs: compose, gitlab-runner, jenkins, github-runner, woodpecker, kubernetes or env" },
	{ .name = "check", .help = "inside of a job: does it really use it?" },
	{ .name = "way",
	  .arg = "WAY",
	  .choices = ways,
	  .help = "sysbox or tls; else what the profile last applied has" },
	{ .name = "docker-host",
	  .arg = "URL",
	  .help = "tls: where the daemon is, tcp://NAME:2376; else what the profile has" },
	{ .name = "cert-path",
	  .arg = "DIR",
	  .help = "tls: where ca.pem, cert.pem and key.pem of `cert export` are" },
	{ .name = "name",
	  .arg = "NAME",
	  .help = "compose: the service (ci); jenkins, kubernetes: the exported certificate (ci-runner)" },
	{ .name = "out",
	  .arg = "FILE",
	  .value = VALUE_FILE,
	  .help = "write it into FILE, which must not exist, instead of printing it" },
	{ .name = NULL },
};

struct wanted {
	const char *system;
	struct compose_way way;
	const char *name;
	char *host;			/* of the profile */
};

static void wanted_release(struct wanted *w)
{
	free(w->host);
}

/* ---- what is wanted ---- */

/* The profile last applied knows the way, and by which name clients call the daemon. */
static int ask_profile(struct wanted *w, struct cli *cli, struct err *err)
{
	struct session s CLEANUP(session_release) = SESSION_INIT;
	const struct profile *p = &s.profile;
	const char *port;

	if (session_open(&s, cli, SESSION_APPLIED | SESSION_BLIND, err) < 0)
		return -1;
	w->way.tls = p->api.present && !p->sysbox.present;
	port = p->api.listen.n ? strrchr(p->api.listen.v[0], ':') : NULL;
	if (port && p->api.names.n)
		w->host = xasprintf("tcp://%s%s", p->api.names.v[0], port);
	return 0;
}

static int check_tls(const struct wanted *w, struct err *err)
{
	if (!w->way.host) {
		err_set(err, ERR_USAGE, "where the daemon is has to be said");
		return err_remedy(err, "--docker-host tcp://NAME:2376");
	}
	if (!word_is_host(w->way.host))
		return err_set(err, ERR_USAGE, "--docker-host '%.80s' is no tcp://NAME:PORT", w->way.host);
	if (!w->way.certs) {
		err_set(err, ERR_USAGE, "where the certificate is has to be said");
		return err_remedy(err, "--cert-path DIR, which `sysboxup cert export NAME --out DIR` makes");
	}
	if (!word_is_path(w->way.certs))
		return err_set(err, ERR_USAGE, "--cert-path '%.80s' is no absolute path of plain letters", w->way.certs);
	return 0;
}

static int read_wanted(struct wanted *w, struct cli *cli, struct err *err)
{
	const char *way = option_text(&cli->opts, "way"), *name = option_text(&cli->opts, "name");
	const char *host = option_text(&cli->opts, "docker-host");

	w->system = option_text(&cli->opts, "for");
	w->name = name ? name : str_eq(w->system, "compose") ? "ci" : "ci-runner";
	if (!word_is_name(w->name))
		return err_set(err, ERR_USAGE, "--name '%.80s' is no name of plain letters", w->name);
	if (ask_profile(w, cli, err) < 0)
		return -1;
	if (way)
		w->way.tls = str_eq(way, "tls");
	w->way.host = host ? host : w->host;
	w->way.certs = option_text(&cli->opts, "cert-path");
	return w->way.tls ? check_tls(w, err) : 0;
}

/* ---- what comes of it ---- */

static int render_template(const struct wanted *w, struct buf *ret, struct err *err)
{
	char *name CLEANUP(freep) = xasprintf("templates/ci-%s-%s", w->system,
					      w->way.tls ? "tls" : "sysbox");
	const struct template_var vars[] = { { "HOST", w->way.host }, { "CERTS", w->way.certs },
					     { "NAME", w->name }, { NULL, NULL } };
	const struct embedded *e = embedded_find(name);

	if (e)
		return template_render(name, e->data, e->len, vars, ret, err);
	err_set(err, ERR_USAGE, "no variable chooses a runtime: %s is for the way tls alone", w->system);
	return err_remedy(err, "--way tls, or let the daemon have Sysbox as its default runtime");
}

/* A service of that name, of a file that is not looked at. */
static int render_service(const struct wanted *w, struct buf *ret, struct err *err)
{
	struct compose_service one = { .name = (char *)w->name,
				       .sockets = STRV_INIT,
				       .privileged = true };
	const struct compose c = { NULL, &one, 1 };

	return compose_override(&c, &w->way, "compose.yaml", ret, err);
}

static int say_what(struct cli *cli, const struct compose *c, const char *file)
{
	for (size_t i = 0; i < c->n; i++) {
		char *where CLEANUP(freep) = strv_join(&c->v[i].sockets, ", ");

		report_warn(cli->rep, NULL, "%s: service %s %s%s%s", file, c->v[i].name,
			    c->v[i].sockets.n ? "has the host's Docker, mounted at " :
						"is privileged",
			    where,
			    c->v[i].sockets.n && c->v[i].privileged ? ", and is privileged" : "");
	}
	return 0;
}

/* 1: there is nothing to end. */
static int render_override(struct cli *cli, const struct wanted *w, const char *file,
			   struct buf *ret, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct compose c CLEANUP(compose_release) = { 0 };
	char *what CLEANUP(freep) = xasprintf("'%s'", file);
	int r = fs_read_at(AT_FDCWD, file, FILE_MAX, &text, err);

	if (r)
		return r < 0 ? err_raise(err, ERR_USAGE) :
			       err_set(err, ERR_USAGE, "there is no '%s'", file);
	if (compose_read(&c, text.data, text.len, what, err))
		return -1;
	if (!c.n)
		return 1;
	say_what(cli, &c, file);
	return compose_override(&c, &w->way, file, ret, err);
}

static int render(struct cli *cli, const struct wanted *w, struct buf *ret, struct err *err)
{
	if (cli->opts.args.n)
		return render_override(cli, w, cli->opts.args.v[0], ret, err);
	return str_eq(w->system, "compose") ? render_service(w, ret, err) :
					      render_template(w, ret, err);
}

/* ---- where it goes ---- */

/* A file that comes to its name whole and checked, or not at all: Compose reads an override by
 * itself. What a run that was killed left of it goes with the next. */
struct fresh {
	const char *path, *name;	/* name: in dir */
	int dir, fd;
	char *temp, *temp_path;		/* what it is called until then, in dir */
};

static int there_already(const struct fresh *f, struct err *err)
{
	err_set(err, ERR_USAGE, "'%s' is there already, and is not written over", f->path);
	return err_remedy(err, "name another file behind --out");
}

static void fresh_release(struct fresh *f)
{
	if (f->temp)
		(void)io_unlinkat(f->dir, f->temp, 0);
	free(f->temp);
	free(f->temp_path);
	closep(&f->fd);
	closep(&f->dir);
}

static int fresh_open(struct fresh *f, const char *path, struct err *err)
{
	char *dir CLEANUP(freep) = path_dirname(path);
	struct stat st;

	f->path = path;
	f->name = path_basename(path);
	f->dir = io_open_read(AT_FDCWD, dir, O_DIRECTORY);
	if (f->dir < 0)
		return err_errno(err, errno, "cannot open '%s'", dir);
	if (!fstatat(f->dir, f->name, &st, AT_SYMLINK_NOFOLLOW))
		return there_already(f, err);
	f->temp = xasprintf(".%s.sysboxup-new", f->name);
	f->temp_path = path_join(dir, f->temp);
	return 0;
}

static int fresh_write(struct fresh *f, const struct buf *text, struct err *err)
{
	(void)io_unlinkat(f->dir, f->temp, 0);
	f->fd = io_openat(f->dir, f->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
	if (f->fd >= 0 && !io_write_all(f->fd, text->data, text->len) && !io_fsync(f->fd))
		return 0;
	return err_errno(err, errno, "cannot write '%s'", f->path);
}

/* Two of us may be about the same name. */
static bool is_ours(const struct fresh *f)
{
	struct stat named, opened;

	return !fstatat(f->dir, f->temp, &named, AT_SYMLINK_NOFOLLOW) && !fstat(f->fd, &opened) &&
	       named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

static int fresh_take_name(struct fresh *f, bool *ret_taken, struct err *err)
{
	if (!is_ours(f))
		return err_set(err, ERR_FAILED, "'%s' is being written by another run", f->path);
	*ret_taken = !rename_new(f->dir, f->temp, f->name);
	if (*ret_taken)
		return fs_sync_dir(f->dir, err);
	return errno == EEXIST ? there_already(f, err) :
				 err_errno(err, errno, "cannot write '%s'", f->path);
}

/* The plugin of Docker, else the program of before; false: neither is here. */
static bool find_compose(struct strv *argv)
{
	static const char *const plugin[] = { "docker", "compose", "version", NULL };
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	struct proc p = PROC_INIT;
	struct err ignored = ERR_INIT;

	p.argv = plugin;
	p.ret_out = &out;
	if (proc_available("docker") && !proc_run(&p, NULL, &ignored)) {
		strv_add(argv, "docker");
		strv_add(argv, "compose");
	} else if (proc_available("docker-compose")) {
		strv_add(argv, "docker-compose");
	}
	return argv->n;
}

/* What Compose makes of the two together. */
static int check_override(struct cli *cli, const char *file, const struct fresh *out,
			  struct err *err)
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT;
	struct proc p = PROC_INIT;

	if (!find_compose(&argv)) {
		report_warn(cli->rep, NULL, "no docker compose is here to check '%s' with",
			    out->path);
		return 0;
	}
	strv_add(&argv, "-f");
	strv_add(&argv, file);
	strv_add(&argv, "-f");
	strv_add(&argv, out->temp_path);
	strv_add(&argv, "config");
	strv_add(&argv, "--quiet");
	p.argv = (const char *const *)argv.v;
	return proc_run(&p, NULL, err) ? err_prefix(err, "Compose does not take it") : 0;
}

static int write_out(struct cli *cli, const char *out, const struct buf *text, struct err *err)
{
	struct fresh f CLEANUP(fresh_release) = { .dir = -1, .fd = -1 };

	if (fresh_open(&f, out, err) || fresh_write(&f, text, err) ||
	    (cli->opts.args.n && check_override(cli, cli->opts.args.v[0], &f, err) < 0))
		return -1;
	return fresh_take_name(&f, &cli->result.changed, err);
}

static int deliver(struct cli *cli, const struct buf *text, struct err *err)
{
	const char *out = option_text(&cli->opts, "out");

	if (!out && cli->out->json) {
		struct json *j = json_obj();

		json_set_str(j, "text", text->data);
		render_row(cli->out, "content", j, "%s", "");
	}
	if (!out) {
		render_raw(cli->out, text->data, text->len);
		return EXIT_DONE;
	}
	if (write_out(cli, out, text, err) < 0)
		return -1;
	render_say(cli->out, PAINT_GOOD, "Written: %s", out);
	return EXIT_DONE;
}

static int print(struct cli *cli, struct err *err)
{
	struct wanted w CLEANUP(wanted_release) = { 0 };
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	int r;

	if (read_wanted(&w, cli, err) < 0)
		return -1;
	if (cli->opts.args.n && !str_eq(w.system, "compose") && !str_eq(w.system, "jenkins"))
		return err_set(err, ERR_USAGE, "a compose file is read with --for compose or --for jenkins");
	r = render(cli, &w, &text, err);
	if (!r)
		return deliver(cli, &text, err);
	if (r > 0)
		render_say(cli->out, PAINT_GOOD, "Nothing to do: no service mounts a socket of Docker or is privileged.");
	return r < 0 ? -1 : EXIT_DONE;
}

static int run(struct cli *cli, struct err *err)
{
	bool check = option_given(&cli->opts, "check");

	if (check == option_given(&cli->opts, "for")) {
		err_set(err, ERR_USAGE, "ci wants either --for SYSTEM or --check");
		return err_remedy(err, "sysboxup ci --help");
	}
	if (!check)
		return print(cli, err);
	return ci_check(cli->rep, option_text(&cli->opts, "way"), err) < 0 ? -1 : EXIT_DONE;
}

const struct command cmd_ci = {
	.name = "ci",
	.usage = "--for SYSTEM [FILE] [--way sysbox|tls] [--out FILE] | --check",
	.summary = "what a CI system needs to use it, and whether a job does",
	.about =
		"Prints what a CI system has to be told, for Sysbox or for the Docker API behind TLS. With the FILE of "
		"compose it names the services that mount the socket of the host's Docker, or are privileged, and prints "
		"the override that ends it; with --out that is written into a new file, and checked with Compose where "
		"it is here. With --check, inside of a job: its user namespace, sockets of the host, privileges, and with "
		"TLS the variables, the certificate, and whether the daemon serves it. Exits with 7 where the job does "
		"not use it.",
	.options = ci_options,
	.args_max = 1,
	.run = run,
};
