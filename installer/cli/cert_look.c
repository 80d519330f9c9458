/* SPDX-License-Identifier: Apache-2.0 */
/* cert list, show, export */
#include "cli/cert.h"
#include "cli/exit.h"
#include "pki/export.h"
#include "pki/lists.h"
#include "pki/names.h"
#include "pki/rotate.h"
#include "sys/clock.h"
#include "sys/io.h"

#include <errno.h>
#include <unistd.h>

static bool listed(const struct cert_run *r, const struct ledger_cert *c)
{
	return option_given(&r->s.cli->opts, "all") || ledger_alive(c, r->pki.now);
}

/* Whoever checks a list of before lets in what is revoked. */
static bool warn_behind(const struct cert_run *r)
{
	if (!lists_behind(&r->pki))
		return false;
	report_warn(r->s.rep,
		    pki_ca_is_elsewhere(&r->pki) ?
			    "sysboxup cert import FILE, the same list again or a newer one" :
			    "sysboxup cert crl",
		    "the revocation list is older than the ledger: what was revoked last may not be in it");
	return true;
}

/* Whoever checks a list that is over lets nobody in. */
static void warn_crl(const struct cert_run *r)
{
	const struct ledger *l = &r->pki.ledger;
	char to[32];

	if (warn_behind(r) || !l->crl_number ||
	    r->pki.now - l->crl_from < (l->crl_to - l->crl_from) / 3 * 2)
		return;
	clock_iso(l->crl_to, to);
	report_warn(r->s.rep,
		    pki_ca_is_elsewhere(&r->pki) ? "sysboxup cert import FILE, a newer one" :
						 "sysboxup cert crl",
		    "the revocation list %s at %s",
		    l->crl_to > r->pki.now ? "ends" : "ended", to);
}

int cert_list(struct cli *cli, struct err *err)
{
	struct cert_run r CLEANUP(cert_release) = CERT_RUN_INIT;
	const struct ledger *l = &r.pki.ledger;
	size_t n = 0;

	if (cert_open(&r, cli, PKI_READ, err))
		return -1;
	for (size_t i = 0; i < l->certs_n; i++) {
		if (!listed(&r, &l->certs[i]))
			continue;
		if (!n++)
			cert_heading(&r);
		cert_row(&r, &l->certs[i]);
		if (cert_warn_drift(&r, &l->certs[i], err))
			return -1;
	}
	if (!n)
		render_say(cli->out, PAINT_NONE,
			   l->certs_n ? "No certificate is in force; --all shows the others." :
					"No certificate yet.");
	warn_crl(&r);
	cert_tell_phase(&r.s.root, &r.pki, r.s.rep);
	return EXIT_DONE;
}

static void show_line(const struct cert_run *r, const char *what, const char *text)
{
	render_row(r->s.cli->out, NULL, NULL, "  %-9s %s", what, text);
}

static void show_time(const struct cert_run *r, const char *what, int64_t t)
{
	char text[32];

	clock_iso(t, text);
	show_line(r, what, text);
}

static int show_cert(const struct cert_run *r, const struct ledger_cert *c, struct err *err)
{
	char *common CLEANUP(freep) = pki_common(c),
		     *path CLEANUP(freep) = pki_path(&r->pki, c->seq, common);

	cert_heading(r);
	cert_row(r, c);
	show_line(r, "key", c->spki);
	show_time(r, "from", c->from);
	show_time(r, "until", c->to);
	if (c->profile == PKI_SERVER)
		show_line(r, "names", c->sans);
	if (c->revoked) {
		show_time(r, "revoked", c->revoked);
		show_line(r, "reason", c->reason);
		warn_behind(r);
	}
	show_line(r, "files", path);
	return cert_warn_drift(r, c, err) ? -1 : EXIT_DONE;
}

static int show_authority(const struct cert_run *r, struct err *err)
{
	const struct ledger_ca *ca = pki_ca_find(&r->pki, err);
	struct json *j;
	const struct ledger_ca *old = pki_ca_old(&r->pki);
	char to[32];

	if (!ca)
		return -1;
	char *path CLEANUP(freep) = pki_path(&r->pki, ca->seq, "cert.pem");

	j = json_obj();
	clock_iso(ca->to, to);
	json_set_str(j, "serial", ca->serial);
	json_set_str(j, "spki_sha256", ca->spki);
	json_set_str(j, "not_after", to);
	json_set_str(j, "path", path);
	json_set_i64(j, "crl_number", (int64_t)ca->crl_number);
	if (old)
		json_set_str(j, "replaces", old->serial);
	render_row(r->s.cli->out, "authority", j, "Authority %s", ca->serial);
	show_line(r, "key", ca->spki);
	show_time(r, "from", ca->from);
	show_time(r, "until", ca->to);
	show_line(r, "file", path);
	if (old) {
		show_line(r, "replaces", old->serial);
		show_time(r, "until", old->to);
	}
	if (ca->crl_number) {
		char *list CLEANUP(freep) = xasprintf("number %llu",
						      (unsigned long long)ca->crl_number);

		show_line(r, "list", list);
		show_time(r, "until", ca->crl_to);
	}
	warn_crl(r);
	cert_tell_phase(&r->s.root, &r->pki, r->s.rep);
	return EXIT_DONE;
}

int cert_show(struct cli *cli, struct err *err)
{
	struct cert_run r CLEANUP(cert_release) = CERT_RUN_INIT;
	struct ledger_cert *c;

	if (cert_open(&r, cli, PKI_READ, err))
		return -1;
	if (cli->opts.args.n < 2)
		return show_authority(&r, err);
	return cert_find(&r, cli->opts.args.v[1], &c, err) ? -1 : show_cert(&r, c, err);
}

/* --- export --- */

char *cert_absolute(const char *path)
{
	char *here CLEANUP(freep) = *path == '/' ? NULL : getcwd(NULL, 0);

	return here ? path_join(here, path) : xstrdup(path);
}

static int refuse_useless(const struct cert_run *r, const struct ledger_cert *c, struct err *err)
{
	if (ledger_alive(c, r->pki.now))
		return 0;
	return err_set(err, ERR_REFUSED, "the certificate '%s' is %s", c->name, cert_state(r, c));
}

static int export_to(const struct cert_run *r, const struct ledger_cert *c, const char *out,
		     struct err *err)
{
	const char *format = option_text(&r->s.cli->opts, "format");
	char *path CLEANUP(freep) = cert_absolute(out), *parent CLEANUP(freep) = path_dirname(path);
	char *common CLEANUP(freep) = pki_common(c);
	struct export e CLEANUP(export_release) = EXPORT_INIT;
	int dir CLEANUP(closep) = io_open_read(AT_FDCWD, parent, O_DIRECTORY);

	if (dir < 0) {
		err_errno(err, errno, "cannot open '%s'", parent);
		return err_raise(err, ERR_USAGE);
	}
	e.name = common;
	e.dir = path;
	e.docker_host = option_text(&r->s.cli->opts, "docker-host");
	if (export_load(&e, &r->pki, c, err))
		return -1;
	int rc = export_write(&e, format ? format : "pem-dir", dir, path_basename(path), err);
	struct stat st;

	/* where something is in the way, that is said; else it is ours, synced or not */
	r->s.cli->result.changed = (!rc || err->kind == ERR_FAILED) &&
				   !fstatat(dir, path_basename(path), &st, AT_SYMLINK_NOFOLLOW);
	if (rc)
		return -1;
	render_say(r->s.cli->out, PAINT_NONE, "Wrote %s, with the key of '%s' in it.", path,
		   common);
	return EXIT_DONE;
}

int cert_export(struct cli *cli, struct err *err)
{
	struct cert_run r CLEANUP(cert_release) = CERT_RUN_INIT;
	const char *out = option_text(&cli->opts, "out"),
		   *host = option_text(&cli->opts, "docker-host");
	struct ledger_cert *c;

	if (!out || str_ends(out, "/"))
		return err_set(err, ERR_USAGE, "'cert export' needs --out PATH, the file or directory to be made");
	if ((host && name_check_docker_host(host, err)) || cert_open(&r, cli, PKI_READ, err) ||
	    cert_find(&r, cli->opts.args.v[1], &c, err) || refuse_useless(&r, c, err))
		return -1;
	return export_to(&r, c, out, err);
}
