/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/catalog.h: an accepted catalog is JSON, means the same when it is printed again, holds
 * nothing that it must not, and is refused without any one of what it must have. Every entry is
 * found again under its version.
 */
#include "base/digest.h"
#include "fetch/catalog.h"
#include "fuzz.h"

static int parse_json(struct catalog *c, const struct json *j)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	json_print(j, &text);
	return catalog_parse(c, text.data, text.len, "fuzz", NULL);
}

static void same(const struct catalog *a, const struct catalog *b)
{
	must(a->n == b->n && a->serial == b->serial);
	must(a->created == b->created && a->expires == b->expires);
	for (size_t i = 0; i < a->n; i++) {
		must(str_eq(a->v[i].name, b->v[i].name));
		must(str_eq(a->v[i].version, b->v[i].version));
		must(str_eq(a->v[i].sha256, b->v[i].sha256));
		must(a->v[i].size == b->v[i].size && a->v[i].upstream == b->v[i].upstream);
		must(a->v[i].urls.n == b->v[i].urls.n);
	}
}

static void sane(const struct catalog *c)
{
	must(c->n && c->serial > 0 && c->created >= 0 && c->expires >= 0);
	for (size_t i = 0; i < c->n; i++) {
		const struct catalog_entry *e = &c->v[i];
		const struct catalog_entry *found = catalog_find(c, e->name, e->version, e->arch,
								 NULL);

		must(digest_valid(e->sha256) && e->urls.n);
		must(!str_empty(e->name) && !str_empty(e->version) && !str_empty(e->arch));
		must(str_eq(e->version, "latest") || (found && str_eq(found->version, e->version)));
	}
}

static void needs(const struct json *tree, const char *key)
{
	struct json *less CLEANUP(json_freep) = json_dup(tree);
	struct catalog c = { 0 };

	json_del(less, key);
	must(parse_json(&c, less) < 0);
}

static void needs_in_entries(const struct json *tree)
{
	static const char *const keys[] = { "name", "version", "arch", "sha256", "provenance", "urls" };
	struct catalog c = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct json *less CLEANUP(json_freep) = json_dup(tree), *list = json_arr();

		for json_each(e, json_get(tree, "packages")) {
			struct json *entry = json_dup(e);

			json_del(entry, keys[i]);
			json_add(list, entry);
		}
		json_set(less, "packages", list);
		must(parse_json(&c, less) < 0);
	}
	for json_each(e, json_get(tree, "packages"))
		must(json_type(json_get(e, "urls")) == JSON_ARRAY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct catalog c CLEANUP(catalog_release) = { 0 }, again CLEANUP(catalog_release) = { 0 };
	struct buf in CLEANUP(buf_release) = BUF_INIT;
	struct json *tree CLEANUP(json_freep) = NULL;
	struct err err = ERR_INIT;

	buf_add(&in, data, size);
	if (catalog_parse(&c, in.data, in.len, "fuzz", &err) < 0) {
		must_be_said(&err);
		return 0;
	}
	sane(&c);
	must(!json_parse(in.data, in.len, JSON_STRICT, "fuzz", &tree, NULL));
	must(!parse_json(&again, tree));
	same(&c, &again);
	needs(tree, "format");
	needs(tree, "serial");
	needs(tree, "created");
	needs(tree, "packages");
	needs_in_entries(tree);
	return 0;
}
