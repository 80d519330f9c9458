/* SPDX-License-Identifier: Apache-2.0 */
#include "host/distro.h"

#include "base/embedded.h"

#include <stddef.h>

#define OVERRIDES "/etc/sysboxup/distros.d"
#define DISTRO_MAX (256 * 1024)		/* bytes */

struct reader {
	const char *file;
	struct err *err;
};

/* One key of an object: a string with a rule, or something with a function of its own. */
struct key {
	const char *name;
	enum json_type type;
	bool required;
	bool (*valid)(const char *value);
	const char *must;		/* what valid asks for, in words */
	size_t offset;			/* of the char * that gets it; NO_SLOT: somebody else reads it */
};

#define NO_SLOT ((size_t)-1)
#define TIERS "\"proven\", \"recognised\" or \"refused\""

static const char *const tiers[] = { "proven", "recognised", "refused", NULL };
static const char *const firewalls[] = { "none", "ufw", "firewalld", "nftables", "iptables", NULL };

static const struct {
	const char *name, *install;
} managers[] = {
	{ "apt", "apt-get install" }, { "dnf", "dnf install" }, { "zypper", "zypper install" },
	{ "pacman", "pacman -S" }, { "apk", "apk add" }, { "none", "install" },
};

static bool is_one_of(const char *s, const char *const *words)
{
	while (*words && !str_eq(s, *words))
		words++;
	return *words != NULL;
}

static bool valid_tier(const char *s) { return is_one_of(s, tiers); }
static bool valid_firewall(const char *s) { return is_one_of(s, firewalls); }

static bool valid_manager(const char *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(managers); i++)
		if (str_eq(s, managers[i].name))
			return true;
	return false;
}

static bool valid_id(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(s);
}

static bool valid_kernel(const char *s)
{
	return *s >= '0' && *s <= '9' && strspn(s, "0123456789.") == strlen(s) &&
	       !strstr(s, "..") && !str_ends(s, ".");
}

static bool valid_path(const char *s) { return *s == '/' && s[1]; }
static bool valid_unit(const char *s)
{
	return str_ends(s, ".service") && !strchr(s, '/') && *s != '.';
}
static bool valid_text(const char *s) { return *s != '\0'; }
static bool valid_package(const char *s) { return *s && *s != '-' && !strpbrk(s, " \t\n/"); }

static const struct key distro_keys[] = {
	{ "format", JSON_NUMBER, true, NULL, NULL, NO_SLOT },
	{ "id", JSON_STRING, true, valid_id, "lower case letters, digits and ._-",
	  offsetof(struct distro, id) },
	{ "name", JSON_STRING, true, valid_text, "a name", offsetof(struct distro, name) },
	{ "package_manager", JSON_STRING, true, valid_manager,
	  "one of apt, dnf, zypper, pacman, apk, none", offsetof(struct distro, package_manager) },
	{ "tier", JSON_STRING, true, valid_tier, TIERS,
	  offsetof(struct distro, tier) },
	{ "kernel_min", JSON_STRING, true, valid_kernel, "numbers and dots",
	  offsetof(struct distro, kernel_min) },
	{ "firewall", JSON_STRING, false, valid_firewall,
	  "one of none, ufw, firewalld, nftables, iptables", offsetof(struct distro, firewall) },
	{ "remedies", JSON_OBJECT, false, NULL, NULL, NO_SLOT },
	{ "refuse", JSON_OBJECT, false, NULL, NULL, NO_SLOT },
	{ "releases", JSON_ARRAY, false, NULL, NULL, NO_SLOT },
	{ "docker", JSON_OBJECT, true, NULL, NULL, NO_SLOT },
	{ "packages", JSON_OBJECT, false, NULL, NULL, NO_SLOT },
	{ "derivatives", JSON_ARRAY, false, NULL, NULL, NO_SLOT },
	{ 0 },
};

static const struct key docker_keys[] = {
	{ "unit", JSON_STRING, true, valid_unit, "the name of a service",
	  offsetof(struct distro, docker.unit) },
	{ "config", JSON_STRING, true, valid_path, "an absolute path",
	  offsetof(struct distro, docker.config) },
	{ "package", JSON_STRING, false, valid_package, "a package's name",
	  offsetof(struct distro, docker.package) },
	{ "third_party", JSON_BOOL, false, NULL, NULL, NO_SLOT },
	{ "env_files", JSON_ARRAY, false, NULL, NULL, NO_SLOT },
	{ 0 },
};

static const struct key refuse_keys[] = {
	{ "why", JSON_STRING, true, valid_text, "words", offsetof(struct distro, refuse.why) },
	{ "instead", JSON_STRING, true, valid_text, "words",
	  offsetof(struct distro, refuse.instead) },
	{ 0 },
};

static const struct key derivative_keys[] = {
	{ "file", JSON_STRING, true, valid_path, "an absolute path",
	  offsetof(struct distro_derivative, file) },
	{ "id", JSON_STRING, true, valid_id, "lower case letters, digits and ._-",
	  offsetof(struct distro_derivative, id) },
	{ 0 },
};

static const struct key release_keys[] = {
	{ "version_id", JSON_STRING, true, valid_text, "a version",
	  offsetof(struct distro_release, version_id) },
	{ "codename", JSON_STRING, false, valid_text, "a name",
	  offsetof(struct distro_release, codename) },
	{ "tier", JSON_STRING, true, valid_tier, TIERS,
	  offsetof(struct distro_release, tier) },
	{ "kernel_min", JSON_STRING, false, valid_kernel, "numbers and dots",
	  offsetof(struct distro_release, kernel_min) },
	{ "notes", JSON_STRING, false, valid_text, "words",
	  offsetof(struct distro_release, notes) },
	{ 0 },
};

static int complain(struct reader *r, const char *where, const char *key, const char *fmt, ...)
	PRINTF(4, 5);
static int complain(struct reader *r, const char *where, const char *key, const char *fmt, ...)
{
	char *words CLEANUP(freep) = NULL, *path CLEANUP(freep) = NULL;
	char shown[256];
	va_list ap;

	va_start(ap, fmt);
	words = xvasprintf(fmt, ap);
	va_end(ap);
	path = xasprintf("%s%s%s", where, *where && *key ? "." : "", key);
	err_quote(shown, sizeof(shown), path);
	return err_set(r->err, ERR_USAGE, "'%s': '%s' %s", r->file, shown, words);
}

static int unknown_key(struct reader *r, const struct key *keys, const char *where, const char *key)
{
	const char *names[ARRAY_SIZE(distro_keys) + 1] = { NULL };
	const char *near;

	for (size_t i = 0; keys[i].name; i++)
		names[i] = keys[i].name;
	near = str_nearest(key, names);
	return complain(r, where, key, near ? "is not known; did you mean '%s'?" : "is not known",
			near);
}

static int read_key(struct reader *r, const struct key *k, const char *where,
		    const struct json *value, void *base)
{
	if (!value)
		return k->required ? complain(r, where, k->name, "is missing") : 0;
	if (json_type(value) != k->type)
		return complain(r, where, k->name, "must be %s", json_type_name(k->type));
	if (k->offset == NO_SLOT)
		return 0;
	if (!k->valid(json_string(value)))
		return complain(r, where, k->name, "must be %s", k->must);
	*(char **)((char *)base + k->offset) = xstrdup(json_string(value));
	return 0;
}

static int read_object(struct reader *r, const struct key *keys, const char *where,
		       const struct json *j, void *base)
{
	if (json_type(j) != JSON_OBJECT)
		return complain(r, where, "", "must be %s", json_type_name(JSON_OBJECT));
	for json_each(m, j) {
		size_t i = 0;
		while (keys[i].name && !str_eq(keys[i].name, json_key(m)))
			i++;
		if (!keys[i].name)
			return unknown_key(r, keys, where, json_key(m));
	}
	for (size_t i = 0; keys[i].name; i++)
		if (read_key(r, &keys[i], where, json_get(j, keys[i].name), base) < 0)
			return -1;
	return 0;
}

static const struct distro_release *release_of(const struct distro *d, const char *version,
					       size_t len)
{
	for (size_t i = 0; i < d->releases_n; i++)
		if (!strncmp(d->releases[i].version_id, version, len) &&
		    !d->releases[i].version_id[len])
			return &d->releases[i];
	return NULL;
}

static int read_releases(struct reader *r, const struct json *list, struct distro *d)
{
	d->releases = xcalloc(json_len(list) + 1, sizeof(*d->releases));
	for json_each(m, list) {
		char *where CLEANUP(freep) = xasprintf("releases[%zu]", d->releases_n);
		struct distro_release *rel = &d->releases[d->releases_n++];
		if (read_object(r, release_keys, where, m, rel) < 0)
			return -1;
		if (release_of(d, rel->version_id, strlen(rel->version_id)) != rel)
			return complain(r, where, "version_id", "is there twice");
	}
	return 0;
}

static int read_derivatives(struct reader *r, const struct json *list, struct distro *d)
{
	d->derivatives = xcalloc(json_len(list) + 1, sizeof(*d->derivatives));
	for json_each(m, list) {
		char *where CLEANUP(freep) = xasprintf("derivatives[%zu]", d->derivatives_n);
		if (read_object(r, derivative_keys, where, m,
				&d->derivatives[d->derivatives_n++]) < 0)
			return -1;
	}
	return 0;
}

static int read_packages(struct reader *r, const struct json *list, struct distro *d)
{
	for json_each(m, list)
		if (!json_string(m) || !valid_package(json_string(m)))
			return complain(r, "packages", json_key(m), "must be a package's name");
	d->packages = json_dup(list);
	return 0;
}

static int read_remedies(struct reader *r, const struct json *list, struct distro *d)
{
	for json_each(m, list)
		if (str_empty(json_string(m)))
			return complain(r, "remedies", json_key(m), "must be words");
	d->remedies = json_dup(list);
	return 0;
}

static int read_refuse(struct reader *r, const struct json *refuse, struct distro *d)
{
	if (!refuse != !str_eq(d->tier, "refused"))
		return complain(r, "", "refuse", "goes with the tier \"refused\"");
	return refuse ? read_object(r, refuse_keys, "refuse", refuse, d) : 0;
}

static int read_docker(struct reader *r, const struct json *docker, struct distro *d)
{
	if (read_object(r, docker_keys, "docker", docker, d) < 0)
		return -1;
	d->docker.third_party = json_get_bool(docker, "third_party", false);
	for json_each(m, json_get(docker, "env_files")) {
		if (!json_string(m) || !valid_path(json_string(m)))
			return complain(r, "docker", "env_files", "must hold absolute paths");
		strv_add(&d->docker.env_files, json_string(m));
	}
	return 0;
}

static int read_distro(struct reader *r, const struct json *j, struct distro *d)
{
	const struct json *releases, *packages, *remedies, *derivatives;

	if (json_type(j) != JSON_OBJECT)
		return err_set(r->err, ERR_USAGE, "'%s': must be an object", r->file);
	/* before the keys: a later format may well have others */
	if (json_get(j, "format") && json_get_i64(j, "format", 0) != 1)
		return complain(r, "", "format", "must be 1: made for another release of sysboxup");
	if (read_object(r, distro_keys, "", j, d) < 0 ||
	    read_docker(r, json_get(j, "docker"), d) < 0)
		return -1;
	releases = json_get(j, "releases");
	packages = json_get(j, "packages");
	remedies = json_get(j, "remedies");
	derivatives = json_get(j, "derivatives");
	if ((releases && read_releases(r, releases, d) < 0) ||
	    (packages && read_packages(r, packages, d) < 0) ||
	    (remedies && read_remedies(r, remedies, d) < 0) ||
	    (derivatives && read_derivatives(r, derivatives, d) < 0) ||
	    read_refuse(r, json_get(j, "refuse"), d) < 0)
		return -1;

	char *name CLEANUP(freep) = xasprintf("%s.json", d->id);
	if (!str_eq(path_basename(r->file), name))
		return complain(r, "", "id", "is '%s', so the file must be called '%s'", d->id,
				name);
	return 0;
}

int distro_parse(struct distro *ret, const char *text, size_t len, const char *file,
		 struct err *err)
{
	struct distro d CLEANUP(distro_release_all) = { .file = xstrdup(file) };
	struct json *j CLEANUP(json_freep) = NULL;
	char *what CLEANUP(freep) = xasprintf("'%s'", file);
	struct reader r = { file, err };

	if (json_parse(text, len, JSON_COMMENTS, what, &j, err) < 0)
		return err_raise(err, ERR_USAGE);
	if (read_distro(&r, j, &d) < 0)
		return -1;
	*ret = d;
	d = (struct distro){ 0 };
	return 0;
}

static void free_release(struct distro_release *r)
{
	free(r->version_id);
	free(r->codename);
	free(r->tier);
	free(r->kernel_min);
	free(r->notes);
}

void distro_release_all(struct distro *d)
{
	for (size_t i = 0; i < d->releases_n; i++)
		free_release(&d->releases[i]);
	free(d->releases);
	for (size_t i = 0; i < d->derivatives_n; i++) {
		free(d->derivatives[i].file);
		free(d->derivatives[i].id);
	}
	free(d->derivatives);
	free(d->file);
	free(d->id);
	free(d->name);
	free(d->tier);
	free(d->package_manager);
	free(d->kernel_min);
	free(d->firewall);
	free(d->refuse.why);
	free(d->refuse.instead);
	json_free(d->remedies);
	free(d->docker.unit);
	free(d->docker.config);
	free(d->docker.package);
	strv_release(&d->docker.env_files);
	json_free(d->packages);
	*d = (struct distro){ 0 };
}

void distro_list_release(struct distro_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		distro_release_all(&l->v[i]);
	free(l->v);
	*l = (struct distro_list){ 0 };
}

static int list_add(struct distro_list *l, const char *text, size_t len, const char *file,
		    struct err *err)
{
	struct distro d;

	if (distro_parse(&d, text, len, file, err) < 0)
		return -1;
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = d;
	return 0;
}

static bool is_distro_file(const char *name)
{
	return str_ends(name, ".json") && name[0] != '.';
}

static int add_overrides(struct distro_list *l, const struct root *root, const struct strv *names,
			 struct err *err)
{
	for (size_t i = 0; i < names->n; i++) {
		struct buf text CLEANUP(buf_release) = BUF_INIT;
		char *path CLEANUP(freep) = path_join(OVERRIDES, names->v[i]);
		if (!is_distro_file(names->v[i]))
			continue;
		if (root_read(root, path, DISTRO_MAX, &text, err) < 0 ||
		    list_add(l, text.data, text.len, path, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_wanted(const struct embedded *e, const struct strv *overridden,
		      const struct strv *only)
{
	const char *file = path_basename(e->name);
	char *id CLEANUP(freep) = xstrndup(file, strcspn(file, "."));

	return str_starts(e->name, "distros/") && !strv_has(overridden, file) &&
	       (!only || strv_has(only, id));
}

static int add_embedded(struct distro_list *l, const struct strv *overridden,
			const struct strv *only, struct err *err)
{
	for (const struct embedded *e = embedded_files; e->name; e++)
		if (is_wanted(e, overridden, only) &&
		    list_add(l, e->data, e->len, e->name, err) < 0)
			return -1;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct distro *)a)->id, ((const struct distro *)b)->id);
}

int distro_list_load(struct distro_list *ret, const struct root *root, const struct strv *only,
		     struct err *err)
{
	struct distro_list l CLEANUP(distro_list_release) = { 0 };
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (root_list(root, OVERRIDES, &names, err) < 0 ||
	    add_overrides(&l, root, &names, err) < 0 || add_embedded(&l, &names, only, err) < 0)
		return -1;
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), by_id);
	*ret = l;
	l = (struct distro_list){ 0 };
	return 0;
}

static const struct distro *find_id(const struct distro_list *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].id, id))
			return &l->v[i];
	return NULL;
}

const struct distro *distro_find(const struct distro_list *l, const char *id,
				 const struct strv *id_like, char **ret_by)
{
	const struct distro *d = find_id(l, id);

	if (d && ret_by)
		*ret_by = xstrdup("id");
	for (size_t i = 0; !d && id_like && i < id_like->n; i++) {
		d = find_id(l, id_like->v[i]);
		if (d && ret_by)
			*ret_by = xasprintf("id_like %s", id_like->v[i]);
	}
	return d;
}

const char *distro_derivative_of(const struct distro *d, const struct root *root,
				 const char **ret_file)
{
	for (size_t i = 0; i < d->derivatives_n; i++)
		if (root_exists(root, d->derivatives[i].file)) {
			*ret_file = d->derivatives[i].file;
			return d->derivatives[i].id;
		}
	return NULL;
}

const struct distro_release *distro_release_find(const struct distro *d, const char *version_id)
{
	const struct distro_release *r = release_of(d, version_id, strlen(version_id));

	return r ? r : release_of(d, version_id, strcspn(version_id, "."));
}

const char *distro_remedy(const struct distro *d, const char *check)
{
	return d ? json_get_str(d->remedies, check) : NULL;
}

const char *distro_package(const struct distro *d, const char *tool)
{
	const char *package = d ? json_get_str(d->packages, tool) : NULL;

	return package ? package : tool;
}

char *distro_install_command(const struct distro *d, const struct strv *packages)
{
	char *list CLEANUP(freep) = strv_join(packages, " ");
	const char *install = "install";

	for (size_t i = 0; d && i < ARRAY_SIZE(managers); i++)
		if (str_eq(d->package_manager, managers[i].name))
			install = managers[i].install;
	return xasprintf("%s %s", install, list);
}
