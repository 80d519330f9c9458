/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host/distro.h: an accepted file is JSON with comments, is accepted again when printed without
 * them, is refused with one key more anywhere or under another name, and holds only what it may.
 */
#include "fuzz.h"
#include "host/distro.h"

static int parse_json(struct distro *d, const struct json *j, const char *file)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	json_print(j, &text);
	return distro_parse(d, text.data, text.len, file, NULL);
}

static void sane(const struct distro *d)
{
	must(!str_empty(d->id) && !strchr(d->id, '/'));
	must(!str_empty(d->name) && !str_empty(d->package_manager) && !str_empty(d->kernel_min));
	must(str_eq(d->tier, "proven") || str_eq(d->tier, "recognised") || d->refuse.why);
	must(!d->refuse.why == !str_eq(d->tier, "refused") && !d->refuse.why == !d->refuse.instead);
	must(str_ends(d->docker.unit, ".service") && !strchr(d->docker.unit, '/'));
	must(*d->docker.config == '/');
	for (size_t i = 0; i < d->docker.env_files.n; i++)
		must(*d->docker.env_files.v[i] == '/');
	for (size_t i = 0; i < d->releases_n; i++)
		must(distro_release_find(d, d->releases[i].version_id) == &d->releases[i]);
	must(str_eq(distro_package(d, "nobody's tool"), "nobody's tool") || d->packages);
}

static void same(const struct distro *a, const struct distro *b)
{
	must(str_eq(a->id, b->id) && str_eq(a->name, b->name) && str_eq(a->tier, b->tier));
	must(str_eq(a->docker.unit, b->docker.unit) && str_eq(a->docker.config, b->docker.config));
	must(a->releases_n == b->releases_n && a->docker.env_files.n == b->docker.env_files.n);
	must(json_equal(a->packages, b->packages));
}

static void strict(const struct json *tree, const char *file)
{
	struct json *top CLEANUP(json_freep) = json_dup(tree),
			 *docker CLEANUP(json_freep) = json_dup(tree);
	struct distro d = { 0 };

	json_set_bool(top, "nobody-knows-it", true);
	must(parse_json(&d, top, file) < 0);
	json_set_bool(json_get_mut(docker, "docker"), "nobody-knows-it", true);
	must(parse_json(&d, docker, file) < 0);
	must(parse_json(&d, tree, "other/name-of-a-file") < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct distro d CLEANUP(distro_release_all) = { 0 },
			again CLEANUP(distro_release_all) = { 0 };
	struct buf in CLEANUP(buf_release) = BUF_INIT;
	struct json *tree CLEANUP(json_freep) = NULL;
	struct err err = ERR_INIT;
	static const char file[] = "distros/d.json";	/* the id of the seeds */

	buf_add(&in, data, size);
	if (distro_parse(&d, in.data, in.len, file, &err) < 0) {
		must_be_said(&err);
		return 0;
	}
	sane(&d);
	must(!json_parse(in.data, in.len, JSON_COMMENTS, "fuzz", &tree, NULL));
	must(!parse_json(&again, tree, file));
	same(&d, &again);
	strict(tree, file);
	return 0;
}
