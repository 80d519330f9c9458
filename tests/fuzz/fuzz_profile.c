/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile/profile.h: what is accepted is JSON with comments; printed without them it means the
 * same; with one key more, at the top or in a section, it is refused; and every value that is in it
 * afterwards is one that may be there.
 */
#include "base/digest.h"
#include "fuzz.h"
#include "profile/profile.h"

static int parse(struct profile *p, const char *text, size_t len, struct err *err)
{
	return profile_parse(p, text, len, "fuzz", err);
}

static int parse_json(struct profile *p, const struct json *j)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	json_print(j, &text);
	int rc = parse(p, text.data, text.len, &err);
	if (rc)
		must_be_said(&err);
	return rc;
}

static void same_list(const struct strv *a, const struct strv *b)
{
	must(a->n == b->n);
	for (size_t i = 0; i < a->n; i++)
		must(str_eq(a->v[i], b->v[i]));
}

static void same(const struct profile *a, const struct profile *b)
{
	must(a->sysbox.present == b->sysbox.present && a->docker.present == b->docker.present);
	must(a->catalog.present == b->catalog.present);
	must(str_eq(a->sysbox.version, b->sysbox.version));
	must(a->sysbox.method == b->sysbox.method);
	must(a->sysbox.default_runtime == b->sysbox.default_runtime);
	must(a->docker.allow_restart == b->docker.allow_restart);
	must(json_equal(a->docker.settings, b->docker.settings));
	must(str_eq(a->catalog.url, b->catalog.url));
	must(str_eq(a->catalog.keyring, b->catalog.keyring));
	must(str_eq(a->catalog.proxy, b->catalog.proxy));
	must(str_eq(a->catalog.ca_file, b->catalog.ca_file));
	same_list(&a->catalog.fingerprints, &b->catalog.fingerprints);
	same_list(&a->catalog.plain_mirrors, &b->catalog.plain_mirrors);
	must(a->history.keep == b->history.keep && a->history.max_size == b->history.max_size);
}

static void sane(const struct profile *p, const char *text, size_t len)
{
	char hex[DIGEST_HEX + 1];

	digest_hex(text, len, hex);
	must(str_eq(hex, p->digest));
	must(p->text.len == len && (!len || !memcmp(p->text.data, text, len)));
	must(!p->sysbox.present || !str_empty(p->sysbox.version));
	must(!p->catalog.url || (!str_empty(p->catalog.keyring) && p->catalog.fingerprints.n));
	for (size_t i = 0; i < p->catalog.fingerprints.n; i++)
		must(strspn(p->catalog.fingerprints.v[i], "0123456789ABCDEF") == 40 &&
		     !p->catalog.fingerprints.v[i][40]);
	must(p->history.keep >= 1);
}

static void strict(const struct json *tree)
{
	struct json *more CLEANUP(json_freep) = json_dup(tree);
	struct profile p = { 0 };

	json_set_bool(more, "nobody-knows-it", true);
	must(parse_json(&p, more) < 0);
	for json_each(section, tree) {
		struct json *j CLEANUP(json_freep) = json_dup(tree);

		if (json_type(section) != JSON_OBJECT || str_eq(json_key(section), "docker"))
			continue;
		json_set_bool(json_get_mut(j, json_key(section)), "nobody-knows-it", true);
		must(parse_json(&p, j) < 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile p CLEANUP(profile_release) = { 0 }, again CLEANUP(profile_release) = { 0 };
	struct buf in CLEANUP(buf_release) = BUF_INIT;
	struct json *tree CLEANUP(json_freep) = NULL;
	struct err err = ERR_INIT;

	buf_add(&in, data, size);
	if (parse(&p, in.data, in.len, &err) < 0) {
		must_be_said(&err);
		return 0;
	}
	sane(&p, in.data, in.len);
	must(!json_parse(in.data, in.len, JSON_COMMENTS | JSON_BLANK, "fuzz", &tree, NULL));
	must(!parse_json(&again, tree));
	same(&p, &again);
	strict(tree);
	return 0;
}
