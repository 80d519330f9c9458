/* SPDX-License-Identifier: Apache-2.0 */
/* cert ca, issue, renew */
#include "cli/cert.h"
#include "cli/exit.h"
#include "cli/passphrase.h"
#include "pki/names.h"
#include "pki/request.h"
#include "pki/rotate.h"
#include "pki/secret.h"
#include "steps/api.h"
#include "sys/clock.h"

enum { BATCH_MAX = 10000 };

const char *cert_algorithm(const struct cli *cli)
{
	const char *text = option_text(&cli->opts, "algorithm");

	return text ? text : "p256";
}

/* --- ca --- */

int cert_constraints(const struct cli *cli, char **ret, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT, all CLEANUP(strv_release) = STRV_INIT;

	option_texts(&cli->opts, "permit", &names);
	for (size_t i = 0; i < names.n; i++) {
		char *one = NULL;

		if (name_to_constraint(names.v[i], &one, err))
			return -1;
		strv_take(&all, one);
	}
	if (!all.n)
		return 0;
	char *list CLEANUP(freep) = strv_join(&all, ",");

	*ret = xasprintf("critical,%s", list);
	return 0;
}

/* Asked for, or else the best that opens without a person, or else a person. */
static int choose_guard(const struct cli *cli, const struct root *root, struct pki_ca_spec *spec,
			struct err *err)
{
	bool file = option_given(&cli->opts, "key-file"),
	     creds = option_given(&cli->opts, "systemd-creds");
	bool phrase = option_given(&cli->opts, "passphrase-file") ||
		      option_given(&cli->opts, "passphrase-fd");

	if (file + creds + phrase > 1)
		return err_set(err, ERR_USAGE, "a key is protected in one way: by a key file, systemd-creds or a passphrase");
	if (creds && !pki_creds_available(root))
		return err_set(err, ERR_USAGE, "there is no systemd-creds to be used here");
	spec->key_file = option_text(&cli->opts, "key-file");
	if (file && *spec->key_file != '/')
		return err_set(err, ERR_USAGE, "--key-file '%.64s' is no absolute path",
			       spec->key_file);
	spec->guard = file ? GUARD_KEY_FILE : creds ? GUARD_CREDS : GUARD_PASSPHRASE;
	return 0;
}

int cert_ca(struct cli *cli, struct err *err)
{
	struct cert_run r CLEANUP(cert_release) = CERT_RUN_INIT;
	struct buf passphrase CLEANUP(secret_release) = BUF_INIT;
	char *constraints CLEANUP(freep) = NULL, *path CLEANUP(freep) = NULL;
	struct pki_ca_spec spec = { .common = option_text(&cli->opts, "name"),
				    .algorithm = cert_algorithm(cli),
				    .passphrase = &passphrase };
	char to[32];

	if ((spec.common && name_check_common(spec.common, err)) ||
	    ttl_read_ca(option_text(&cli->opts, "ttl"), &spec.ttl, err) ||
	    cert_constraints(cli, &constraints, err) || session_open(&r.s, cli, 0, err) < 0 ||
	    choose_guard(cli, &r.s.root, &spec, err) ||
	    (spec.guard == GUARD_PASSPHRASE && passphrase_get(cli, true, &passphrase, err)))
		return -1;
	session_release(&r.s);
	spec.constraints = constraints;
	if (cert_open(&r, cli, PKI_WRITE, err) || pki_ca_make(&r.pki, &spec, err))
		return -1;
	path = pki_path(&r.pki, r.pki.ledger.seq, "cert.pem");
	clock_iso(r.pki.ledger.cas[r.pki.ledger.cas_n - 1].to, to);
	struct json *j = json_obj();

	json_set_str(j, "path", path);
	json_set_str(j, "not_after", to);
	render_row(cli->out, "authority", j, "Made a certificate authority, good until %s: %s", to,
		   path);
	return EXIT_DONE;
}

/* --- issue --- */

static int add_name(struct strv *names, const char *name, struct err *err)
{
	if (name_check(name, err))
		return -1;
	if (names->n >= BATCH_MAX)
		return err_set(err, ERR_USAGE, "more than %d certificates at once", BATCH_MAX);
	strv_add(names, name);
	return 0;
}

static int names_from_file(const char *path, struct strv *names, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	if (cert_read_file(path, &text, err))
		return -1;
	if (strlen(text.data) != text.len)
		return err_set(err, ERR_USAGE, "'%s' is no text", path);
	str_split(&lines, text.data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const char *name = str_trim(lines.v[i]);

		if (*name && *name != '#' && add_name(names, name, err))
			return err_prefix(err, "'%s', line %zu", path, i + 1);
	}
	return names->n ? 0 : err_set(err, ERR_USAGE, "'%s' names nobody", path);
}

static int names_counted(const char *name, const char *count, struct strv *names, struct err *err)
{
	uint64_t n;

	if (str_to_u64(count, BATCH_MAX, &n) || !n)
		return err_set(err, ERR_USAGE, "--count '%.32s' is no number from 1 to %d", count, BATCH_MAX);
	for (uint64_t i = 1; i <= n; i++) {
		char *one CLEANUP(freep) = xasprintf("%s-%llu", name, (unsigned long long)i);

		if (add_name(names, one, err))
			return -1;
	}
	return 0;
}

static int read_names(const struct cli *cli, struct strv *names, struct err *err)
{
	const char *from = option_text(&cli->opts, "from"),
		   *count = option_text(&cli->opts, "count");
	const char *name = cli->opts.args.n > 1 ? cli->opts.args.v[1] : NULL;

	if (!name == !from)
		return err_set(err, ERR_USAGE, "'cert issue' needs one name, or --from FILE");
	if (count && from)
		return err_set(err, ERR_USAGE, "--count and --from exclude each other");
	if (from)
		return names_from_file(from, names, err);
	return count ? names_counted(name, count, names, err) : add_name(names, name, err);
}

int cert_check_san(const struct cli *cli, struct err *err)
{
	if (option_given(&cli->opts, "san") && !option_given(&cli->opts, "server"))
		return err_set(err, ERR_USAGE, "--san is for --server: a client's certificate says its name alone");
	return 0;
}

static int check_kind(const struct cli *cli, const struct strv *names, struct err *err)
{
	bool request = option_given(&cli->opts, "request");

	if (option_given(&cli->opts, "server") && names->n > 1)
		return err_set(err, ERR_USAGE, "a server's certificate is issued alone");
	if (request &&
	    (names->n > 1 || option_given(&cli->opts, "san") ||
	     option_given(&cli->opts, "algorithm") || option_given(&cli->opts, "auto-renew")))
		return err_set(err, ERR_USAGE, "--request is for one certificate: key and names are those of the request");
	return cert_check_san(cli, err);
}

/* Of the newest record. */
void cert_show_new(const struct cert_run *r)
{
	const struct ledger *l = &r->pki.ledger;
	char *path CLEANUP(freep) = pki_path(&r->pki, l->seq, NULL);

	cert_heading(r);
	for (size_t i = 0; i < l->certs_n; i++)
		if (l->certs[i].seq == l->seq)
			cert_row(r, &l->certs[i]);
	render_say(r->s.cli->out, PAINT_NONE, "Keys and certificates: %s", path);
	render_say(
		r->s.cli->out, PAINT_NONE,
		"Whoever holds a client's key is root on a Docker host that accepts it, "
		"unless Docker runs Sysbox or user namespaces there.");
}

void cert_show_issued(const struct cert_run *r)
{
	const struct ledger *l = &r->pki.ledger;

	if (l->certs_n && l->certs[l->certs_n - 1].seq == l->seq)
		cert_show_new(r);
}

/* What a request says of itself is not asked of this host. */
static int read_like(struct cert_run *r, struct pki_wish *like, char **ret_sans,
		     struct buf *request, struct err *err)
{
	const char *path = option_text(&r->s.cli->opts, "request");

	if (path) {
		like->request = request;
		like->anew = true;	/* who made the key knows; a renewal comes so */
		return cert_read_file(path, request, err);
	}
	if (like->profile == PKI_SERVER && cert_sans(r, ret_sans, &like->detected, err))
		return -1;
	like->sans = *ret_sans;
	return 0;
}

static int issue_all(struct cert_run *r, const struct strv *names, const struct pki_wish *like,
		     struct err *err)
{
	struct pki_wish *wishes CLEANUP(freep) = xcalloc(names->n, sizeof(*wishes));

	for (size_t i = 0; i < names->n; i++) {
		wishes[i] = *like;
		wishes[i].name = names->v[i];
	}
	return pki_issue(&r->pki, r->ca, wishes, names->n, r->s.rep, err);
}

int cert_issue(struct cli *cli, struct err *err)
{
	struct cert_run r CLEANUP(cert_release) = CERT_RUN_INIT;
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct buf request CLEANUP(buf_release) = BUF_INIT;
	struct pki_wish like = { .algorithm = cert_algorithm(cli), .profile = PKI_CLIENT };
	char *sans CLEANUP(freep) = NULL;

	if (option_given(&cli->opts, "server"))
		like.profile = PKI_SERVER;
	like.renew = option_given(&cli->opts, "auto-renew");
	if (ttl_read(like.profile, option_text(&cli->opts, "ttl"), &like.ttl, err) ||
	    read_names(cli, &names, err) || check_kind(cli, &names, err) ||
	    cert_open(&r, cli, PKI_READ, err) || read_like(&r, &like, &sans, &request, err) ||
	    cert_open_ca(&r, err) || issue_all(&r, &names, &like, err))
		return -1;
	cert_show_new(&r);
	return EXIT_DONE;
}

/* --- renew --- */

struct old_list {
	const struct ledger_cert **v;
	size_t n;
};

static void old_add(struct old_list *l, const struct ledger_cert *c)
{
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = c;
}

static int old_named(const struct cert_run *r, struct old_list *ret, struct err *err)
{
	const struct strv *args = &r->s.cli->opts.args;

	for (size_t i = 1; i < args->n; i++) {
		struct ledger_cert *c;

		if (cert_find(r, args->v[i], &c, err))
			return -1;
		if (c->revoked)
			return err_set(err, ERR_REFUSED, "'%s' is revoked: issue one under another name", c->name);
		old_add(ret, ledger_newest(&r->pki.ledger, c->name));
	}
	return 0;
}

/* The newest of each name that asks for it: it is time, or its authority goes. */
static void old_due(const struct cert_run *r, struct old_list *ret)
{
	const struct ledger *l = &r->pki.ledger;

	for (size_t i = 0; i < l->certs_n; i++)
		if (l->certs[i].renew && !l->certs[i].revoked &&
		    (pki_due(&l->certs[i], r->pki.now) ||
		     pki_is_left_behind(&r->pki, &l->certs[i])) &&
		    ledger_newest(l, l->certs[i].name) == &l->certs[i])
			old_add(ret, &l->certs[i]);
}

static void old_release(struct old_list *l)
{
	free(l->v);
}

static int old_find(const struct cert_run *r, struct old_list *ret, struct err *err)
{
	ret->n = 0;
	if (!option_given(&r->s.cli->opts, "due"))
		return old_named(r, ret, err);
	old_due(r, ret);
	return 0;
}

static int renew_all(struct cert_run *r, const struct old_list *old, struct err *err)
{
	char *sans CLEANUP(freep) = NULL;
	bool detected;

	if (cert_sans(r, &sans, &detected, err) ||
	    pki_renew(&r->pki, r->ca, old->v, old->n, cert_algorithm(r->s.cli), sans, r->s.rep,
		      err))
		return -1;
	cert_show_new(r);
	return EXIT_DONE;
}

/* Renewed is not served yet: that takes a restart of Docker, for which nobody is there to ask. So
 * it is said, by a failure of the timer's unit, as long as there is time. */
static int alarm_served(const struct cert_run *r, struct err *err)
{
	const struct ledger_cert *c = api_ends_soon(&r->s.root, &r->pki);
	char to[32];

	if (!c)
		return EXIT_DONE;
	clock_iso(c->to, to);
	err_set(err, ERR_DRIFT, "Docker's own certificate '%s' ends at %s", c->name, to);
	if (ledger_newest(&r->pki.ledger, c->name) != c)
		return err_remedy(err, "sysboxup apply: a newer one waits");
	if (!pki_ca_is_elsewhere(&r->pki))
		return err_remedy(err, "sysboxup cert renew %s, then: sysboxup apply", c->name);
	struct strv sans CLEANUP(strv_release) = STRV_INIT;

	str_split(&sans, c->sans, ',');
	char *request CLEANUP(freep) = pki_request_command(c->name, &sans);

	return err_remedy(err, "%s, then: sysboxup apply", request);
}

int cert_renew(struct cli *cli, struct err *err)
{
	struct cert_run r CLEANUP(cert_release) = CERT_RUN_INIT;
	struct old_list old CLEANUP(old_release) = { NULL, 0 };

	if (option_given(&cli->opts, "due") == (cli->opts.args.n > 1))
		return err_set(err, ERR_USAGE, "'cert renew' needs names, or --due");
	if (cert_open(&r, cli, PKI_READ, err) || old_find(&r, &old, err))
		return -1;
	/* nothing due needs no key, so nobody is asked for a passphrase then */
	if (old.n && (cert_open_ca(&r, err) || old_find(&r, &old, err)))
		return -1;
	if (old.n && renew_all(&r, &old, err) < 0)
		return -1;
	if (!old.n)
		render_say(cli->out, PAINT_GOOD, "Nothing is due.");
	return option_given(&cli->opts, "due") ? alarm_served(&r, err) : EXIT_DONE;
}
