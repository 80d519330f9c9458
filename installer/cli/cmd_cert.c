/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cert.h"
#include "cli/cmds.h"
#include "cli/passphrase.h"
#include "pki/export.h"
#include "pki/words.h"

static const struct option_spec cert_options[] = {
	{ .name = "name", .arg = "TEXT", .help = "ca, rotate-ca: what the authority is called" },
	{ .name = "permit",
	  .arg = "NAME",
	  .repeated = true,
	  .help = "ca, rotate-ca: a domain or network; the authority can speak of no other" },
	{ .name = "key-file",
	  .arg = "FILE",
	  .value = VALUE_FILE,
	  .help = "ca: the key is opened by what is in FILE, which is made where absent" },
	{ .name = "systemd-creds",
	  .help = "ca: the key is opened by systemd-creds, on this machine only" },
	OPTION_PASSPHRASE,
	{ .name = "algorithm",
	  .arg = "NAME",
	  .choices = key_algorithms,
	  .help = "ca, rotate-ca, issue, renew, request: p256 (default), rsa3072 or ed25519" },
	{ .name = "ttl",
	  .arg = "TIME",
	  .help = "how long it is good: ca 1825d, client 24h, server 90d, crl 30d" },
	{ .name = "server", .help = "issue, request: for a daemon, not for a client" },
	{ .name = "san",
	  .arg = "NAME",
	  .repeated = true,
	  .help = "issue --server: a name or address, instead of those that this host has" },
	{ .name = "count", .arg = "N", .help = "issue: NAME-1 to NAME-N" },
	{ .name = "from",
	  .arg = "FILE",
	  .value = VALUE_FILE,
	  .help = "issue: the names that FILE has, one a line" },
	{ .name = "request",
	  .arg = "FILE",
	  .value = VALUE_FILE,
	  .help = "issue: for the key and the names of this request" },
	{ .name = "auto-renew", .help = "issue: 'renew --due' renews it" },
	{ .name = "due", .help = "renew, crl, rotate-ca: only what is due" },
	{ .name = "import",
	  .arg = "FILE",
	  .value = VALUE_FILE,
	  .help = "rotate-ca: the certificate of the new authority, whose key is elsewhere" },
	{ .name = "now", .help = "rotate-ca: the old authority is dropped at once" },
	{ .name = "all", .help = "list: also what is over or revoked" },
	{ .name = "reason",
	  .arg = "WORD",
	  .choices = crl_reasons,
	  .help = "revoke: unspecified, key-compromise, superseded or cessation" },
	{ .name = "format",
	  .arg = "FORMAT",
	  .choices = export_formats,
	  .help = "export: pem-dir (default), context, kubernetes, gitlab or jenkins" },
	{ .name = "out",
	  .arg = "PATH",
	  .value = VALUE_FILE,
	  .help = "export, request: the file or directory to be made" },
	{ .name = "docker-host",
	  .arg = "URL",
	  .help = "export: where the daemon is, tcp://NAME:2376" },
	{ .name = "any-clock", .help = "also when the clock is behind the ledger" },
	{ .name = "lock-wait",
	  .arg = "TIME",
	  .help = "wait so long for another run of cert (default 2m)" },
	{ .name = NULL },
};

#define PASSPHRASE "passphrase-file", "passphrase-fd", "any-clock", "lock-wait"

static const struct verb {
	const char *word;
	const char *usage;
	size_t args_min, args_max;
	int (*run)(struct cli *cli, struct err *err);
	const char *options[12];
} verbs[] = {
	{ "ca",
	  "",
	  0,
	  0,
	  cert_ca,
	  { "name", "permit", "key-file", "systemd-creds", "algorithm", "ttl", PASSPHRASE } },
	{ "issue",
	  "NAME | --from FILE",
	  0,
	  1,
	  cert_issue,
	  { "algorithm", "ttl", "server", "san", "count", "from", "auto-renew", "request",
	    PASSPHRASE } },
	{ "list", "", 0, 0, cert_list, { "all" } },
	{ "show", "[NAME | SERIAL]", 0, 1, cert_show, { NULL } },
	{ "renew", "NAME... | --due", 0, SIZE_MAX, cert_renew, { "algorithm", "due", PASSPHRASE } },
	{ "revoke",
	  "NAME | SERIAL ...",
	  1,
	  SIZE_MAX,
	  cert_revoke,
	  { "reason", "ttl", PASSPHRASE } },
	{ "crl", "", 0, 0, cert_crl, { "ttl", "due", PASSPHRASE } },
	{ "rotate-ca",
	  "[--import FILE | --now | --due]",
	  0,
	  0,
	  cert_rotate,
	  { "import", "now", "due", "name", "permit", "algorithm", "ttl", PASSPHRASE } },
	{ "export", "NAME --out PATH", 1, 1, cert_export, { "format", "out", "docker-host" } },
	{ "request",
	  "NAME --out FILE",
	  1,
	  1,
	  cert_request,
	  { "algorithm", "server", "san", "out", "any-clock", "lock-wait" } },
	{ "import", "FILE", 1, 1, cert_import, { "any-clock", "lock-wait" } },
};

static const char *const words[] = { "ca", "issue", "list", "show", "renew", "revoke", "crl",
				     "rotate-ca", "export", "request", "import", NULL };

static const struct verb *verb_find(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (str_eq(verbs[i].word, word))
			return &verbs[i];
	return NULL;
}

static int unknown_verb(const char *word, struct err *err)
{
	const char *near = str_nearest(word, words);
	char shown[64];

	err_quote(shown, sizeof(shown), word);
	return near ? err_set(err, ERR_USAGE, "unknown word '%s' after cert; did you mean 'cert %s'?", shown, near) :
		      err_set(err, ERR_USAGE, "unknown word '%s' after cert", shown);
}

static bool is_global(const struct option_spec *s)
{
	for (const struct option_spec *g = global_options; g->name; g++)
		if (g == s)
			return true;
	return false;
}

static bool takes(const struct verb *v, const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(v->options) && v->options[i]; i++)
		if (str_eq(v->options[i], option))
			return true;
	return false;
}

static int check(const struct cli *cli, const struct verb *v, struct err *err)
{
	const struct options *o = &cli->opts;

	for (size_t i = 0; i < o->hits_n; i++)
		if (!is_global(o->hits[i].spec) && !takes(v, o->hits[i].spec->name))
			return err_set(err, ERR_USAGE, "'--%s' has no meaning for 'cert %s'",
				       o->hits[i].spec->name, v->word);
	if (o->args.n - 1 >= v->args_min && o->args.n - 1 <= v->args_max)
		return 0;
	return err_set(err, ERR_USAGE, "'cert %s' is used so: sysboxup cert %s %s", v->word, v->word, v->usage);
}

static int run(struct cli *cli, struct err *err)
{
	const struct verb *v = verb_find(cli->opts.args.v[0]);

	if (!v)
		return unknown_verb(cli->opts.args.v[0], err);
	return check(cli, v, err) ? -1 : v->run(cli, err);
}

const struct command cmd_cert = {
	.name = "cert",
	.usage =
		"ca | issue NAME | list | show [NAME] | renew NAME | revoke NAME | crl | "
		"rotate-ca | export NAME | request NAME | import FILE",
	.summary = "certificates for a Docker API behind mutual TLS",
	.about = "A certificate authority of one's own for Docker's API, and what it issues: "
		 "\"ca\" makes it, \"issue\" makes keys and certificates of clients (or with "
		 "--server of a daemon), \"renew\" makes them anew under the same names, "
		 "\"revoke\" takes them back, \"crl\" writes the revocation list, \"rotate-ca\" "
		 "puts a new authority beside the old one and, called again when the last client "
		 "of that is over, drops it (--now: at once), \"list\" and \"show\" look, "
		 "\"export\" writes a key and its certificates in the form that a "
		 "CI system takes. What was issued and revoked is kept in a ledger that no "
		 "rollback touches. No daemon is changed by this command. Docker reads no "
		 "revocation list: whom a daemon trusts it trusts until the certificate ends, or "
		 "its authority is dropped. "
		 "Whoever holds a client's key is root on a Docker host that accepts it, unless "
		 "Docker runs Sysbox or user namespaces there. The authority's key is encrypted: "
		 "with a passphrase, by --key-file, or by --systemd-creds. Or it is elsewhere: "
		 "\"import\" takes the authority's certificate, \"request\" makes a key here and "
		 "a request for it, which \"issue --request\" signs there, and \"import\" takes "
		 "what comes back, and revocation lists; \"rotate-ca --import\" takes the "
		 "certificate of the one that is to replace it.",
	.options = cert_options,
	.words = words,
	.args_min = 1,
	.args_max = SIZE_MAX,
	.flags = CMD_ROOT | CMD_STEADY,
	.run = run,
};
