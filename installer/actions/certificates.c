/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind "certificates": see actions/kinds.h. The ledger has them before anything else happens, and
 * keeps them: there is nothing to undo, and a second attempt finds them in force.
 */
#include "actions/kinds.h"
#include "pki/issue.h"

enum { LOCK_SECONDS = 120 };

struct certificate {
	char *name;
	int64_t ttl;
	bool detected;
};

struct certificates_data {
	enum pki_profile profile;
	struct certificate *v;
	size_t n;
	char *sans;			/* of a server */
	uint64_t record;		/* what it must become in the ledger; 0: any */
};

extern const struct action_ops certificates_ops;

static void certificates_release(struct action *a)
{
	struct certificates_data *d = a->data;

	for (size_t i = 0; i < d->n; i++)
		free(d->v[i].name);
	free(d->v);
	free(d->sans);
	free(d);
}

static void add(struct certificates_data *d, const char *name, int64_t ttl, bool detected)
{
	d->v = xreallocarray(d->v, d->n + 1, sizeof(*d->v));
	d->v[d->n++] = (struct certificate){ xstrdup(name), ttl, detected };
}

struct action *action_certificates(const char *step, enum pki_profile profile,
				   const struct certificate_wanted *v, size_t n, const char *sans,
				   uint64_t record)
{
	struct certificates_data *d = xcalloc(1, sizeof(*d));
	char *key CLEANUP(freep) = xasprintf("certificates:%s", pki_profile_name(profile));

	d->profile = profile;
	for (size_t i = 0; i < n; i++)
		add(d, v[i].name, v[i].ttl, v[i].detected);
	d->sans = xstrdup(sans);
	d->record = record;
	return action_new(&certificates_ops, key, step, RANK_CERTIFICATES, d);
}

/* ---- to issue ---- */

/* The timer renews them: what a profile wants is wanted for longer than one life. */
static struct pki_wish *wishes_new(const struct certificates_data *d)
{
	struct pki_wish *w = xcalloc(d->n, sizeof(*w));

	for (size_t i = 0; i < d->n; i++)
		w[i] = (struct pki_wish){
			.name = d->v[i].name, .profile = d->profile, .algorithm = "p256",
			.ttl = d->v[i].ttl, .sans = d->sans, .renew = true,
			.detected = d->v[i].detected,
			.anew = d->profile == PKI_SERVER,
		};
	return w;
}

static int open_authority(struct pki *pki, const struct action_ctx *ctx, enum pki_mode mode,
			  struct pki_ca **ret, struct err *err)
{
	const struct buf nobody = BUF_INIT;

	return pki_open(pki, ctx->root, mode, LOCK_SECONDS, err) ||
			       pki_ca_open(pki, &nobody, ret, err) ?
		       -1 :
		       0;
}

static int certificates_prepare(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct certificates_data *d = a->data;
	struct pki pki CLEANUP(pki_release) = PKI_INIT;
	struct pki_ca *ca CLEANUP(pki_ca_freep) = NULL;
	struct pki_wish *wishes CLEANUP(freep) = wishes_new(d);

	return open_authority(&pki, ctx, PKI_READ, &ca, err) ||
			       pki_try(&pki, ca, wishes, d->n, err) ?
		       err_raise(err, ERR_REFUSED) :
		       0;
}

static int certificates_commit(struct action *a, struct action_ctx *ctx, struct err *err)
{
	const struct certificates_data *d = a->data;
	struct pki pki CLEANUP(pki_release) = PKI_INIT;
	struct pki_ca *ca CLEANUP(pki_ca_freep) = NULL;
	struct pki_wish *wishes CLEANUP(freep) = wishes_new(d);

	if (open_authority(&pki, ctx, PKI_WRITE, &ca, err))
		return err_raise(err, ERR_FAILED);
	if (d->record && d->record != pki.ledger.seq + 1) {
		err_set(err, ERR_FAILED, "somebody else issued a certificate this instant");
		return err_remedy(err, "sysboxup apply, once more");
	}
	return pki_issue(&pki, ca, wishes, d->n, ctx->rep, err) ? err_raise(err, ERR_FAILED) : 0;
}

static int certificates_undo(struct action *a, struct action_ctx *ctx, struct err *err)
{
	return 0;
}

/* ---- later ---- */

static int certificates_encode(const struct action *a, struct json *j)
{
	const struct certificates_data *d = a->data;
	struct json *all = json_arr();

	for (size_t i = 0; i < d->n; i++) {
		struct json *one = json_obj();

		json_set_str(one, "name", d->v[i].name);
		json_set_i64(one, "ttl", d->v[i].ttl);
		if (d->v[i].detected)
			json_set_bool(one, "detected", true);
		json_add(all, one);
	}
	json_set_str(j, "kind", pki_profile_name(d->profile));
	json_set(j, "certificates", all);
	if (d->sans)
		json_set_str(j, "sans", d->sans);
	json_set_i64(j, "record", (int64_t)d->record);
	return 0;
}

static int certificates_decode(struct action *a, const struct json *j, struct err *err)
{
	struct certificates_data *d = xcalloc(1, sizeof(*d));

	a->data = d;
	d->profile = str_eq(json_get_str(j, "kind"), pki_profile_name(PKI_SERVER)) ? PKI_SERVER :
										     PKI_CLIENT;
	for json_each(one, json_get(j, "certificates"))
		if (json_get_str(one, "name"))
			add(d, json_get_str(one, "name"), json_get_i64(one, "ttl", 0),
			    json_get_bool(one, "detected", false));
	d->sans = xstrdup(json_get_str(j, "sans"));
	d->record = (uint64_t)json_get_i64(j, "record", 0);
	return d->n ? 0 : err_set(err, ERR_FAILED, "no names");
}

/* As a person would have written it: "90d", "36h". */
static char *life_words(int64_t seconds)
{
	static const struct { int64_t size; char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	size_t i = 0;

	while (seconds % units[i].size)
		i++;
	return xasprintf("%lld%c", (long long)(seconds / units[i].size), units[i].unit);
}

static void certificates_describe(const struct action *a, const struct action_ctx *ctx,
				  struct report *r)
{
	const struct certificates_data *d = a->data;

	for (size_t i = 0; i < d->n; i++) {
		char *common CLEANUP(freep) = pki_common_of(d->profile, d->v[i].name),
			     *life CLEANUP(freep) = life_words(d->v[i].ttl);

		report_change(r, common, "%s certificate for %s%s%s; no rollback takes it back",
			      pki_profile_name(d->profile), life, d->sans ? ", of " : "",
			      d->sans ? d->sans : "");
	}
}

const struct action_ops certificates_ops = {
	.kind = "certificates",
	.prepare = certificates_prepare,
	.commit = certificates_commit,
	.undo = certificates_undo,
	.invert = action_invert_nothing,
	.fold = action_fold_oldest,
	.encode = certificates_encode,
	.decode = certificates_decode,
	.describe = certificates_describe,
	.release = certificates_release,
};
