/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "api": the Docker API over TCP, for holders of a client certificate and nobody else. The
 * certificate of the server is one that `sysboxup cert issue` made; or apply issues it, where the
 * authority's key is opened without a person. What is put in place:
 *
 *	/etc/sysboxup/api/ca.pem	a link to the authorities whose clients are let in
 *	/etc/sysboxup/api/server	a link to the directory of key and certificate
 *	daemon.json			tlsverify and the rest (step "docker")
 *	sysboxup-api.socket		the address; dockerd itself never binds one
 *
 * facts/docker-tried.md 4, facts/tls-firewall-downloads.md 1.
 */
#include "steps/api.h"

#include "actions/kinds.h"
#include "base/embedded.h"
#include "backends/service/systemd.h"
#include "base/template.h"
#include "docker/flags.h"
#include "docker/tlsprobe.h"
#include "engine/rollback.h"
#include "host/addresses.h"
#include "pki/export.h"
#include "pki/issue.h"
#include "pki/names.h"
#include "pki/request.h"
#include "pki/secret.h"
#include "pki/stranger.h"
#include "pki/trust.h"
#include "steps/daemon.h"
#include "steps/firstboot.h"
#include "sys/sock.h"

#define STEP "api"
#define UNIT "sysboxup-api.socket"
#define UNIT_FILE "/etc/systemd/system/" UNIT
#define SERVER_NAME "api"	/* of a certificate that apply issues itself */
#define SERVER_TTL (90LL * 86400)
#define LISTENER_KEY "listener:" UNIT ":open"

bool api_wanted(const struct step_ctx *ctx)
{
	return ctx->profile->api.present && !ctx->profile->api.dedicated && ctx->host->running;
}

bool api_is_open(const struct json *index)
{
	return json_get(index, LISTENER_KEY) || json_get(index, CI_UNITS_KEY);
}

static bool wanted(const struct step_ctx *ctx)
{
	return ctx->profile->api.present || api_concerned(ctx);
}

bool api_concerned(const struct step_ctx *ctx)
{
	return api_wanted(ctx) || json_get(ctx->index, LISTENER_KEY);
}

void api_settings(struct json *patch)
{
	json_set_bool(patch, "tlsverify", true);
	json_set_str(patch, "tlscacert", API_CA);
	json_set_str(patch, "tlscert", API_CERT);
	json_set_str(patch, "tlskey", API_KEY);
}

/* ---- which certificate ---- */

static bool is_any(const char *listen)
{
	return str_starts(listen, "0.0.0.0:") || str_starts(listen, "[::]:");
}

/* "10.0.0.5:2376" gives "10.0.0.5", "[fd00::5]:2376" "fd00::5". */
static char *address_of(const char *listen)
{
	size_t six = *listen == '[';

	return xstrndup(listen + six, (size_t)(strrchr(listen, ':') - listen) - 2 * six);
}

/* What clients call it, as a certificate has it: "IP:10.0.0.5", "DNS:ci-1.example.org". */
static int wanted_sans(const struct profile *p, struct strv *ret, struct err *err)
{
	for (size_t i = 0; i < p->api.listen.n; i++) {
		char *address CLEANUP(freep) = address_of(p->api.listen.v[i]),
			      *san CLEANUP(freep) = NULL;

		if (is_any(p->api.listen.v[i]))
			continue;
		if (name_to_san(address, &san, err))
			return -1;
		strv_add(ret, san);
	}
	for (size_t i = 0; i < p->api.names.n; i++) {
		char *san CLEANUP(freep) = NULL;

		if (name_to_san(p->api.names.v[i], &san, err))
			return err_prefix(err, "'%s': api.names", p->source);
		if (!strv_has(ret, san))
			strv_add(ret, san);
	}
	return 0;
}

static bool covers(const struct ledger_cert *c, const struct strv *sans)
{
	struct strv has CLEANUP(strv_release) = STRV_INIT;

	str_split(&has, c->sans, ',');
	for (size_t i = 0; i < sans->n; i++)
		if (!strv_has(&has, sans->v[i]))
			return false;
	return true;
}

static bool has_key(const struct pki *p, const struct ledger_cert *c)
{
	struct export pair CLEANUP(export_release) = EXPORT_INIT;
	struct err ignored = ERR_INIT;

	return !export_load(&pair, p, c, &ignored);
}

/* The newest in force that has all these names and whose key is here. */
static const struct ledger_cert *find_server(const struct pki *p, const struct strv *sans)
{
	for (size_t i = p->ledger.certs_n; i-- > 0;) {
		const struct ledger_cert *c = &p->ledger.certs[i];

		if (c->profile == PKI_SERVER && ledger_alive(c, p->now) && covers(c, sans) &&
		    has_key(p, c))
			return c;
	}
	return NULL;
}

/* The certificate that the link to its directory, "/.../gen/000002/api", is for is not the newest
 * of its name. */
static bool is_renewed(const struct pki *p, const char *link)
{
	const struct ledger_cert *c = ledger_newest(&p->ledger, path_basename(link));
	char *now CLEANUP(freep) = c && ledger_alive(c, p->now) ?
					   pki_path(p, c->seq, path_basename(link)) :
					   NULL;

	return now && !str_eq(now, link);
}

static bool is_behind(const struct root *root, const struct pki *p, const char *dir)
{
	char *trust CLEANUP(freep) = NULL, *server CLEANUP(freep) = NULL,
	     *ca_path CLEANUP(freep) = path_join(dir, API_CA_NAME),
	     *link CLEANUP(freep) = path_join(dir, API_SERVER_NAME);

	if (root_readlink(root, ca_path, &trust) || root_readlink(root, link, &server))
		return false;
	char *now CLEANUP(freep) = pki_trust_path(p);

	return !str_eq(now, trust) || is_renewed(p, server);
}

bool api_is_behind(const struct root *root, const struct pki *p)
{
	return is_behind(root, p, API_DIR) || is_behind(root, p, CI_DIR);
}

static bool is_linked(const struct pki *p, const struct ledger_cert *c, const char *link)
{
	char *path CLEANUP(freep) = c->profile == PKI_SERVER ? pki_path(p, c->seq, c->name) : NULL;

	return path && str_eq(path, link);
}

static const struct ledger_cert *given(const struct root *root, const struct pki *p,
				       const char *dir)
{
	char *link CLEANUP(freep) = path_join(dir, API_SERVER_NAME), *to CLEANUP(freep) = NULL;

	if (root_readlink(root, link, &to))
		return NULL;
	for (size_t i = p->ledger.certs_n; i-- > 0;)
		if (is_linked(p, &p->ledger.certs[i], to))
			return &p->ledger.certs[i];
	return NULL;
}

const struct ledger_cert *api_ends_soon(const struct root *root, const struct pki *p)
{
	static const char *const dirs[] = { API_DIR, CI_DIR };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		const struct ledger_cert *c = given(root, p, dirs[i]);

		if (c && c->to - p->now <= (c->to - c->from) / 6)
			return c;
	}
	return NULL;
}

static int refuse_without(const struct pki *p, const struct strv *sans, struct err *err)
{
	char *list CLEANUP(freep) = strv_join(sans, ", "),
		   *words CLEANUP(freep) = pki_san_options(sans),
		   *request CLEANUP(freep) = pki_request_command(SERVER_NAME, sans);

	err_set(err, ERR_REFUSED, "there is no server certificate in force, its key here, for %s",
		*list ? list : "this host");
	if (pki_ca_is_elsewhere(p))
		return err_remedy(err, "%s", request);
	return err_remedy(err, "sysboxup cert ca (once), then: sysboxup cert issue api --server%s",
			  words);
}

/* ---- what listens already ---- */

static int refuse_plain(const char *what, const char *where, struct err *err)
{
	err_set(err, ERR_REFUSED, "Docker listens on TCP already: '%s' in %s", what, where);
	return err_remedy(
		err,
		"take that out first, and restart Docker: without TLS it is root for everybody");
}

static int check_hosts(const struct step_ctx *ctx, struct err *err)
{
	const struct docker_flags *f = ctx->host->docker.flags;

	for (size_t i = 0; f && i < f->n; i++)
		if (str_eq(f->v[i].name, "host") && str_starts(f->v[i].value, "tcp:"))
			return refuse_plain(f->v[i].value, f->v[i].file, err);
	return 0;
}

static int check_flags(const struct step_ctx *ctx, struct err *err)
{
	const struct docker_flags *f = ctx->host->docker.flags;

	for (size_t i = 0; f && i < f->n; i++)
		if (str_starts(f->v[i].name, "tls")) {
			err_set(err, ERR_REFUSED, "Docker is given --%s in %s", f->v[i].name,
				f->v[i].file);
			return err_remedy(err,
					  "take it out there: a key in both places stops Docker");
		}
	return 0;
}

static int check_file(const struct step_ctx *ctx, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct json *now CLEANUP(json_freep) = NULL;
	struct err ignored = ERR_INIT;

	if (root_read_optional(ctx->host->root, ctx->host->docker.config_file, PROFILE_MAX, &text,
			       &ignored) ||
	    json_parse(text.data, text.len, JSON_BLANK, "", &now, &ignored))
		return 0;	/* what is wrong with it is said by step "docker" */
	for json_each(m, json_get(now, "hosts"))
		if (json_string(m) && str_starts(json_string(m), "tcp:"))
			return refuse_plain(json_string(m), ctx->host->docker.config_file, err);
	return 0;
}

/* Docker's own socket unit, with whatever was added to it: an address there gets TLS too, from then
 * on, but nobody guards it. */
static int check_socket(const struct step_ctx *ctx, struct err *err)
{
	char *listens CLEANUP(freep) = NULL;

	if (!host_has_systemd(ctx->host))
		return 0;
	if (unit_listens("docker.socket", &listens, err))
		return -1;
	struct strv words CLEANUP(strv_release) = STRV_INIT;

	str_split(&words, listens, '\n');
	for (size_t i = 0; i < words.n; i++)
		if (words.v[i][0] && words.v[i][0] != '/')
			return refuse_plain(words.v[i], "docker.socket", err);
	return 0;
}

int api_refuse_plain(const struct step_ctx *ctx, struct err *err)
{
	return check_hosts(ctx, err) || check_file(ctx, err) || check_socket(ctx, err) ? -1 : 0;
}

/* ---- plan ---- */

static void add_ranked(struct plan *p, struct action *a, int rank)
{
	a->rank = rank;
	plan_add(p, a);
}

void api_add_dir(struct plan *p, const struct step_ctx *ctx, const char *step, const char *path,
		 int rank)
{
	char *key CLEANUP(freep) = xasprintf("dir:%s", path);

	if (!root_exists(ctx->host->root, path) && !plan_has(p, key))
		add_ranked(p, action_dir(step, path, 0755), rank);
}

bool api_add_file(struct plan *p, const struct step_ctx *ctx, const char *step, const char *path,
		  mode_t mode, const struct buf *data, int rank)
{
	struct buf now CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	if (!root_read_optional(ctx->host->root, path, PROFILE_MAX, &now, &ignored) &&
	    buf_equal(&now, data))
		return false;
	add_ranked(p, action_file(step, path, mode, data->data, data->len), rank);
	return true;
}

void api_add_link(struct plan *p, const struct step_ctx *ctx, const char *step, const char *path,
		  const char *target, int rank)
{
	char *now CLEANUP(freep) = NULL;

	if (root_readlink(ctx->host->root, path, &now) || !str_eq(now, target))
		add_ranked(p, action_link(step, path, target), rank);
}

/* Where the profile does not say how clients call it, and it listens on all addresses: as this host
 * is called now. */
static int detect_sans(const struct root *root, struct strv *ret, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (host_addresses(root, &names, err))
		return -1;
	if (!names_to_sans(&names, ret, err))
		return 0;
	err_remedy(err, "name it yourself: api.names");
	return err_raise(err, ERR_REFUSED);
}

/* The directory of the server's certificate; one that is to be issued has it by then. */
static int plan_server(struct plan *p, const struct pki *pki, const struct strv *sans,
		       const char *step, char **ret_dir, struct err *err)
{
	const struct certificate_wanted wanted = { SERVER_NAME, SERVER_TTL, !sans->n };
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	const struct ledger_cert *server = find_server(pki, sans);
	char *entry CLEANUP(freep) = server ? pki_common(server) : xstrdup(SERVER_NAME);
	uint64_t record = server ? server->seq : pki->ledger.seq + 1;

	if (!server && !pki_ca_unattended(pki))
		return refuse_without(pki, sans, err);
	*ret_dir = pki_path(pki, record, entry);
	if (server)
		return 0;
	strv_addv(&names, (const char *const *)sans->v);
	if (!sans->n && detect_sans(pki->root, &names, err))
		return -1;
	char *list CLEANUP(freep) = strv_join(&names, ",");

	plan_add(p, action_certificates(step, PKI_SERVER, &wanted, 1, list, record));
	return 0;
}

static int add_keys(struct plan *p, const struct step_ctx *ctx, const struct pki *pki,
		    const char *server, const char *step, const char *dir, int rank,
		    struct err *err)
{
	char *ca_path CLEANUP(freep) = path_join(dir, API_CA_NAME),
		      *link CLEANUP(freep) = path_join(dir, API_SERVER_NAME),
		      *trust CLEANUP(freep) = pki_trust_path(pki);

	if (pki_trust_check(pki, err))
		return -1;
	api_add_dir(p, ctx, step, "/etc/sysboxup", rank);
	api_add_dir(p, ctx, step, dir, rank);
	api_add_link(p, ctx, step, ca_path, trust, rank);
	api_add_link(p, ctx, step, link, server, rank);
	return 0;
}

int api_plan_keys(struct plan *p, const struct step_ctx *ctx, const char *step, const char *dir,
		  int rank, struct err *err)
{
	struct pki pki CLEANUP(pki_release) = PKI_INIT;
	struct strv sans CLEANUP(strv_release) = STRV_INIT;
	char *server CLEANUP(freep) = NULL;

	if (wanted_sans(ctx->profile, &sans, err) ||
	    pki_open(&pki, ctx->host->root, PKI_READ, 0, err))
		return err_raise(err, ERR_REFUSED);
	if (plan_server(p, &pki, &sans, step, &server, err))
		return -1;
	return add_keys(p, ctx, &pki, server, step, dir, rank, err);
}

static int render_unit(const struct step_ctx *ctx, struct buf *ret, struct err *err)
{
	const struct embedded *e = embedded_find("templates/" UNIT);
	const struct template_var vars[] = {
		{ "SERVICE", ctx->host->docker.unit },
		{ "CONFIG", ctx->host->docker.config_file },
		{ NULL, NULL },
	};

	if (template_render(UNIT, e->data, e->len, vars, ret, err))
		return -1;
	for (size_t i = 0; i < ctx->profile->api.listen.n; i++)
		buf_addf(ret, "ListenStream=%s\n", ctx->profile->api.listen.v[i]);
	return 0;
}

static int plan_units(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	const struct embedded *e = embedded_find("templates/sysboxup-api.conf");
	struct buf unit CLEANUP(buf_release) = BUF_INIT, conf CLEANUP(buf_release) = BUF_INIT;
	char *dir CLEANUP(freep) = xasprintf("/etc/systemd/system/%s.d", ctx->host->docker.unit),
		  *path CLEANUP(freep) = path_join(dir, "50-sysboxup-api.conf");

	buf_add(&conf, e->data, e->len);
	if (render_unit(ctx, &unit, err))
		return -1;
	api_add_dir(p, ctx, STEP, dir, RANK_LISTEN_FILES);
	api_add_file(p, ctx, STEP, UNIT_FILE, 0644, &unit, RANK_LISTEN_FILES);
	api_add_file(p, ctx, STEP, path, 0644, &conf, RANK_LISTEN_FILES);
	return 0;
}

static void plan_warnings(struct plan *p, const struct step_ctx *ctx)
{
	bool sysbox = ctx->profile->sysbox.present &&
		      !str_eq(ctx->profile->sysbox.version, "absent");

	plan_warn(p, "api: " API_WARNING);
	if (sysbox)
		plan_warn(
			p,
			"api: with Sysbox, jobs need no Docker API of the host; it is one more way in");
}

static int refuse_here(const struct step_ctx *ctx, struct err *err)
{
	if (ctx->profile->docker.elsewhere)
		return err_set(
			err, ERR_REFUSED,
			"the API needs its keys in daemon.json, which docker.managed says is not ours to write");
	if (!ctx->host->docker.unit)
		return err_set(err, ERR_REFUSED, "the API needs a Docker that systemd starts");
	return api_refuse_plain(ctx, err) || check_flags(ctx, err) ? -1 : 0;
}

static void add_listener(struct plan *p, const struct step_ctx *ctx)
{
	static const enum listener_role all[] = { LISTENER_SETTLE, LISTENER_RELOAD, LISTENER_OPEN };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		plan_add(p, action_listener(STEP, UNIT, &ctx->profile->api.listen, all[i]));
}

static int plan_open(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	size_t before = p->n;

	if (refuse_here(ctx, err) ||
	    api_plan_keys(p, ctx, STEP, API_DIR, RANK_LISTEN_KEYS, err) || plan_units(p, ctx, err))
		return -1;
	if (p->n > before || !json_get(ctx->index, LISTENER_KEY))
		add_listener(p, ctx);
	plan_warnings(p, ctx);
	return 0;
}

int api_leave(struct plan *p, const struct step_ctx *ctx, const char *step, struct err *err)
{
	char *list CLEANUP(freep) = strv_join(&ctx->profile->api.listen, ", ");
	struct strv sans CLEANUP(strv_release) = STRV_INIT;

	if (api_is_open(ctx->index)) {
		err_set(err, ERR_REFUSED,
			"the API is open here: each machine made from this image would have its keys");
		return err_remedy(err, "sysboxup apply on this machine, without 'api', comes before");
	}
	if (wanted_sans(ctx->profile, &sans, err) || api_refuse_plain(ctx, err) ||
	    firstboot_leave(ctx, err))
		return -1;
	plan_warn(p, "%s: " API_WARNING, step);
	plan_warn(p, "%s: not now: the first boot makes keys of its own and opens %s", step, list);
	return 0;
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	if (!ctx->host->running && ctx->profile->api.present && !ctx->profile->api.dedicated)
		return refuse_here(ctx, err) ? -1 : api_leave(p, ctx, STEP, err);
	return api_wanted(ctx) ? plan_open(p, ctx, err) : take_back_plan(p, ctx->state, STEP, err);
}

/* ---- verify ---- */

struct tried {
	const struct step_ctx *ctx;
	struct report *rep;
	const char *address, *name;
	struct export server;
};

static void say(const struct tried *t, const char *id, bool as_wanted, enum report_state otherwise,
		const char *who, const char *why, const char *words)
{
	report_check(t->rep, id, as_wanted ? STATE_OK : otherwise, why, NULL, "%s: %s: %s",
		     t->address, who, words);
}

static void must_be_refused(const struct tried *t, const char *id, const char *who,
			    const struct tls_probe *p, enum report_state served)
{
	char *words CLEANUP(freep) = NULL;
	enum tls_probe_result r = tls_probe(p, &words);

	say(t, id, r == PROBE_REFUSED, r == PROBE_SERVED ? served : STATE_BAD, who,
	    r == PROBE_SERVED ? "whoever is served is root on this host" : NULL, words);
}

static struct tls_probe probe_as(const struct tried *t, const struct buf *cert,
				 const struct buf *key)
{
	return (struct tls_probe){ .address = t->address,
				   .name = t->name,
				   .ca = &t->server.ca,
				   .cert = cert,
				   .key = key };
}

static bool is_expired(const struct ledger_cert *c, int64_t now)
{
	return !c->revoked && c->to < now;
}

static bool is_revoked(const struct ledger_cert *c, int64_t now)
{
	return c->revoked && !c->dropped && c->to > now;
}

static bool is_dropped(const struct ledger_cert *c, int64_t now)
{
	return c->dropped && c->to > now;
}

/* The newest client of that state whose key is here. */
static bool load_client(const struct pki *p, bool (*is)(const struct ledger_cert *, int64_t),
			struct export *ret, const char **ret_name)
{
	struct err ignored = ERR_INIT;

	for (size_t i = p->ledger.certs_n; i-- > 0;) {
		const struct ledger_cert *c = &p->ledger.certs[i];

		if (c->profile != PKI_CLIENT || !is(c, p->now))
			continue;
		if (!export_load(ret, p, c, &ignored)) {
			*ret_name = c->name;
			return true;
		}
		export_release(ret);
		*ret = (struct export)EXPORT_INIT;
	}
	return false;
}

static void not_tried(const struct tried *t, const char *id, const char *what)
{
	report_check(t->rep, id, STATE_UNKNOWN, NULL, NULL,
		     "not tried: there is no %s with its key here", what);
}

static void try_client(const struct tried *t, const struct pki *p)
{
	struct export pair CLEANUP(export_release) = EXPORT_INIT;
	char *words CLEANUP(freep) = NULL;
	const char *name;

	if (!load_client(p, ledger_alive, &pair, &name)) {
		not_tried(t, "api-client", "client certificate in force");
		return;
	}
	const struct tls_probe as = probe_as(t, &pair.cert, &pair.key);
	bool served = tls_probe(&as, &words) == PROBE_SERVED;

	say(t, "api-client", served, STATE_BAD, name, "it is meant to be let in", words);
}

static void try_old_client(const struct tried *t, const struct pki *p, const char *id,
			   const char *what, bool (*is)(const struct ledger_cert *, int64_t),
			   enum report_state served)
{
	struct export pair CLEANUP(export_release) = EXPORT_INIT;
	const char *name;

	if (!load_client(p, is, &pair, &name)) {
		not_tried(t, id, what);
		return;
	}
	char *who CLEANUP(freep) = xasprintf("%s (%s)", name, what);
	const struct tls_probe as = probe_as(t, &pair.cert, &pair.key);

	must_be_refused(t, id, who, &as, served);
}

static void try_stranger(const struct tried *t, const struct pki *p)
{
	struct buf cert CLEANUP(buf_release) = BUF_INIT, key CLEANUP(secret_release) = BUF_INIT;
	struct err err = ERR_INIT;

	if (pki_stranger(p->now, &cert, &key, &err)) {
		report_check(t->rep, "api-stranger", STATE_UNKNOWN, NULL, NULL, "not tried: %s",
			     err.msg);
		return;
	}
	const struct tls_probe as = probe_as(t, &cert, &key);

	must_be_refused(t, "api-stranger", "a certificate of another authority", &as, STATE_BAD);
}

static void try_all(const struct tried *t, const struct pki *p)
{
	struct tls_probe nobody = probe_as(t, NULL, NULL), old = nobody, plain = nobody;
	const struct tls_probe server = probe_as(t, &t->server.cert, &t->server.key);

	old.old = true;
	plain.ca = NULL;
	try_client(t, p);
	must_be_refused(t, "api-nobody", "no certificate", &nobody, STATE_BAD);
	try_stranger(t, p);
	must_be_refused(t, "api-server-as-client", "the server's certificate", &server, STATE_BAD);
	try_old_client(t, p, "api-expired", "expired client certificate", is_expired, STATE_BAD);
	try_old_client(t, p, "api-revoked", "revoked client certificate", is_revoked, STATE_WARN);
	try_old_client(t, p, "api-dropped", "client certificate of a dropped authority", is_dropped,
		       STATE_BAD);
	must_be_refused(t, "api-tls-1.1", "TLS 1.1", &old, STATE_BAD);
	must_be_refused(t, "api-plain", "plain HTTP", &plain, STATE_BAD);
}

/* The first name that its certificate has. */
static char *name_in_url(const struct ledger_cert *server)
{
	const char *first = strchr(server->sans, ':') + 1;
	char *name CLEANUP(freep) = xstrndup(first, strcspn(first, ","));

	return strchr(name, ':') ? xasprintf("[%s]", name) : xstrdup(name);
}

static int verify(const struct step_ctx *ctx, struct report *rep, struct err *err)
{
	struct pki pki CLEANUP(pki_release) = PKI_INIT;
	struct strv sans CLEANUP(strv_release) = STRV_INIT;
	const struct ledger_cert *server;

	if (!ctx->profile->api.present || !ctx->host->running || ctx->quick)
		return 0;
	if (wanted_sans(ctx->profile, &sans, err) ||
	    pki_open(&pki, ctx->host->root, PKI_READ, 0, err))
		return -1;
	server = find_server(&pki, &sans);
	if (!server)
		return refuse_without(&pki, &sans, err);
	for (size_t i = 0; i < ctx->profile->api.listen.n; i++) {
		char *name CLEANUP(freep) = name_in_url(server),
			   *address CLEANUP(freep) = address_of(ctx->profile->api.listen.v[i]);
		struct tried t = { ctx, rep, ctx->profile->api.listen.v[i], name, EXPORT_INIT };
		int r = export_load(&t.server, &pki, server, err);

		if (!r && !sock_address_is_here(address))
			report_check(rep, "api-client", STATE_UNKNOWN, "it may come later", NULL,
				     "not tried: this host does not have the address %s now",
				     address);
		else if (!r)
			try_all(&t, &pki);
		export_release(&t.server);
		if (r)
			return -1;
	}
	report_check(rep, "api", STATE_WARN, NULL, NULL, "%s", API_WARNING);
	return 0;
}

const struct step step_api = {
	.name = STEP,
	.summary = "the Docker API over TCP, for holders of a client certificate",
	.wanted = wanted,
	.plan = plan,
	.verify = verify,
};
