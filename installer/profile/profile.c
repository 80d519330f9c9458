/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/profile.h"

#include "base/digest.h"
#include "base/embedded.h"
#include "profile/firewall.h"
#include "profile/locate.h"
#include "sys/fs.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

#define PROFILE_PATH "/etc/sysboxup/profile.json"
#define KEEP_MAX 10000
#define SIZE_MIN (1024 * 1024)

struct reader {
	struct profile *p;
	const char *text;
	size_t len;
	struct err *err;
};

struct field {
	const char *section;		/* NULL: a key at the top */
	const char *key;		/* NULL: the section itself */
	enum json_type type;
	int (*set)(struct reader *r, const struct field *f, const struct json *value);
	size_t offset;			/* in struct profile */
};

static void *slot(struct reader *r, const struct field *f)
{
	return (char *)r->p + f->offset;
}

static const char *dotted(const char *section, const char *key, char *buf, size_t size)
{
	char s[128], k[128];

	err_quote(s, sizeof(s), section ? section : "");
	err_quote(k, sizeof(k), key ? key : "");
	snprintf(buf, size, "%s%s%s", s, section && key ? "." : "", k);
	return buf;
}

/* "FILE, line N: 'sysbox.method' WORDS" */
static int complain(struct reader *r, const char *section, const char *key, const char *fmt, ...)
	PRINTF(4, 5);

static int complain(struct reader *r, const char *section, const char *key, const char *fmt, ...)
{
	char path[264], words[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return err_set(r->err, ERR_USAGE, "'%s', line %u: '%s' %s", r->p->source,
		       locate_line(r->text, r->len, section, key),
		       dotted(section, key, path, sizeof(path)), words);
}

static int bad(struct reader *r, const struct field *f, const char *must, const char *got)
{
	char shown[128];

	err_quote(shown, sizeof(shown), got);
	return complain(r, f->section, f->key, "%s, not \"%s\"", must, shown);
}

static int set_present(struct reader *r, const struct field *f, const struct json *value)
{
	*(bool *)slot(r, f) = true;
	return 0;
}

static int set_bool(struct reader *r, const struct field *f, const struct json *value)
{
	*(bool *)slot(r, f) = json_true(value);
	return 0;
}

static int set_format(struct reader *r, const struct field *f, const struct json *value)
{
	if (json_number(value) != 1)
		return complain(r, f->section, f->key, "must be 1, not %.17g", json_number(value));
	return 0;
}

static bool version_valid(const char *s)
{
	if (!isdigit((unsigned char)*s))
		return false;
	return strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+~-") == strlen(s) &&
	       strlen(s) < 64;
}

static int set_version(struct reader *r, const struct field *f, const struct json *value)
{
	const char *s = json_string(value);

	if (!str_eq(s, "latest") && !str_eq(s, "absent") && !version_valid(s))
		return bad(r, f, "must be \"latest\", \"absent\" or a version such as \"0.7.0\"",
			   s);
	str_replace(slot(r, f), s);
	return 0;
}

static int set_method(struct reader *r, const struct field *f, const struct json *value)
{
	static const char *const names[] = {
		[METHOD_AUTO] = "auto", [METHOD_DEB] = "deb", [METHOD_FILES] = "files",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (str_eq(json_string(value), names[i])) {
			*(enum sysbox_method *)slot(r, f) = (enum sysbox_method)i;
			return 0;
		}
	}
	return bad(r, f, "must be \"auto\", \"deb\" or \"files\"", json_string(value));
}

static int set_install(struct reader *r, const struct field *f, const struct json *value)
{
	const char *s = json_string(value);

	if (!str_eq(s, "no") && !str_eq(s, "distribution"))
		return bad(r, f, "must be \"no\" or \"distribution\"", s);
	*(bool *)slot(r, f) = str_eq(s, "distribution");
	return 0;
}

static int set_managed(struct reader *r, const struct field *f, const struct json *value)
{
	const char *s = json_string(value);

	if (!str_eq(s, "here") && !str_eq(s, "elsewhere"))
		return bad(r, f, "must be \"here\" or \"elsewhere\"", s);
	*(bool *)slot(r, f) = str_eq(s, "elsewhere");
	return 0;
}

static int set_object(struct reader *r, const struct field *f, const struct json *value)
{
	*(struct json **)slot(r, f) = json_dup(value);
	return 0;
}

static int set_prefixed(struct reader *r, const struct field *f, const struct json *value,
			const char *const *prefixes, const char *must)
{
	const char *s = json_string(value);

	for (; *prefixes; prefixes++) {
		if (str_starts(s, *prefixes) && s[strlen(*prefixes)] && strlen(s) < 4096 &&
		    !strpbrk(s, " \t\r\n")) {
			str_replace(slot(r, f), s);
			return 0;
		}
	}
	return bad(r, f, must, s);
}

static int set_url(struct reader *r, const struct field *f, const struct json *value)
{
	static const char *const prefixes[] = { "https://", "file:///", "http://", NULL };

	return set_prefixed(r, f, value, prefixes, "must be an https:// or file:// address");
}

static int set_proxy(struct reader *r, const struct field *f, const struct json *value)
{
	static const char *const prefixes[] = { "http://", "https://", "socks5://", "socks5h://",
						NULL };

	return set_prefixed(r, f, value, prefixes, "must be an http://, https://, socks5:// or socks5h:// address");
}

static int set_path(struct reader *r, const struct field *f, const struct json *value)
{
	static const char *const prefixes[] = { "/", NULL };

	return set_prefixed(r, f, value, prefixes, "must be an absolute path");
}

/* Spaces and lower case are how people copy fingerprints; 40 digits of upper-case hex are what is
 * kept. */
static bool normalise_fingerprint(const char *s, struct strv *to)
{
	char out[41];
	size_t n = 0;

	for (; *s; s++) {
		if (*s == ' ')
			continue;
		if (!isxdigit((unsigned char)*s) || n == 40)
			return false;
		out[n++] = (char)toupper((unsigned char)*s);
	}
	out[n] = '\0';
	if (n == 40)
		strv_add(to, out);
	return n == 40;
}

/* The slash after the host is what keeps "http://10.0.0.5" from allowing
 * "http://10.0.0.5.example.org". */
static bool add_mirror(const char *s, struct strv *to)
{
	if (!str_starts(s, "http://") || s[7] == '/' || !str_ends(s, "/") || strpbrk(s, "@ \t\r\n"))
		return false;
	strv_add(to, s);
	return true;
}

static int set_strings(struct reader *r, const struct field *f, const struct json *value,
		       bool (*add)(const char *, struct strv *), const char *must)
{
	for json_each(it, value) {
		if (!json_string(it))
			return complain(r, f->section, f->key, "must hold strings only, not %s",
					json_type_name(json_type(it)));
		if (!add(json_string(it), slot(r, f)))
			return bad(r, f, must, json_string(it));
	}
	return 0;
}

static int set_fingerprints(struct reader *r, const struct field *f, const struct json *value)
{
	return set_strings(r, f, value, normalise_fingerprint, "must hold fingerprints of 40 hex digits");
}

static int set_mirrors(struct reader *r, const struct field *f, const struct json *value)
{
	return set_strings(r, f, value, add_mirror,
			   "must hold prefixes such as \"http://10.0.0.5/\"");
}

/* "10.0.0.5:2376" or "[fd00::5]:2376", and no other way to write the same. */
static bool add_listen(const char *s, struct strv *to)
{
	const char *colon = strrchr(s, ':');
	char address[INET6_ADDRSTRLEN], again[INET6_ADDRSTRLEN];
	unsigned char binary[16];
	uint64_t port;
	bool six = *s == '[';
	size_t len = colon ? (size_t)(colon - s) : 0;

	if (!colon || str_to_u64(colon + 1, 65535, &port) || !port || colon[1] == '0' ||
	    (six && (len < 3 || colon[-1] != ']')) || len - 2 * six >= sizeof(address))
		return false;
	memcpy(address, s + six, len - 2 * six);
	address[len - 2 * six] = '\0';
	if (inet_pton(six ? AF_INET6 : AF_INET, address, binary) != 1 ||
	    !inet_ntop(six ? AF_INET6 : AF_INET, binary, again, sizeof(again)) ||
	    !str_eq(address, again) || strv_has(to, s))
		return false;
	strv_add(to, s);
	return true;
}

static int set_listen(struct reader *r, const struct field *f, const struct json *value)
{
	return set_strings(r, f, value, add_listen,
			   "must hold addresses with a port, each once, such as \"10.0.0.5:2376\" or \"[fd00::5]:2376\"");
}

static bool add_name(const char *s, struct strv *to)
{
	if (!*s || strlen(s) > 253 || s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789.:-")])
		return false;
	strv_add(to, s);
	return true;
}

static int set_names(struct reader *r, const struct field *f, const struct json *value)
{
	return set_strings(r, f, value, add_name,
			   "must hold names of hosts in lower case, or addresses, such as \"ci-1.example.org\"");
}

static int set_daemon(struct reader *r, const struct field *f, const struct json *value)
{
	const char *s = json_string(value);

	if (!str_eq(s, "host") && !str_eq(s, "dedicated"))
		return bad(r, f, "must be \"host\" or \"dedicated\"", s);
	*(bool *)slot(r, f) = str_eq(s, "dedicated");
	return 0;
}

/* A whole /16 of those that are nobody's, as "10.209.0.0/16". */
static int set_network(struct reader *r, const struct field *f, const struct json *value)
{
	const char *s = json_string(value);
	char *address CLEANUP(freep) = xstrndup(s, strcspn(s, "/"));
	unsigned char b[4];
	char again[INET_ADDRSTRLEN];
	bool ok = str_ends(s, ".0.0/16") && inet_pton(AF_INET, address, b) == 1 &&
		  inet_ntop(AF_INET, b, again, sizeof(again)) && str_eq(again, address) &&
		  (b[0] == 10 || (b[0] == 172 && b[1] >= 16 && b[1] < 32) ||
		   (b[0] == 192 && b[1] == 168) || (b[0] == 100 && b[1] >= 64 && b[1] < 128));

	if (!ok)
		return bad(r, f, "must be a private network of 16 bits, such as \"10.209.0.0/16\"", s);
	str_replace(slot(r, f), s);
	return 0;
}

static bool port_valid(const char *s)
{
	uint64_t port;

	return isdigit((unsigned char)*s) && *s != '0' && !str_to_u64(s, 65535, &port);
}

static int set_publish(struct reader *r, const struct field *f, const struct json *value)
{
	const char *s = json_string(value), *dash = strchr(s, '-');
	char *first CLEANUP(freep) = xstrndup(s, strcspn(s, "-"));
	uint64_t from, to;

	if (!dash || !port_valid(first) || !port_valid(dash + 1) ||
	    str_to_u64(first, 65535, &from) || str_to_u64(dash + 1, 65535, &to) || from >= to)
		return bad(r, f, "must be two ports, the lower one first, such as \"30000-30100\"", s);
	str_replace(slot(r, f), s);
	return 0;
}

static int set_prune_after(struct reader *r, const struct field *f, const struct json *value)
{
	const char *s = json_string(value);
	char *number CLEANUP(freep) = xstrndup(s, strspn(s, "0123456789"));
	uint64_t hours;

	if (!str_eq(s + strlen(number), "h") || *s == '0' || str_to_u64(number, 87600, &hours))
		return bad(r, f, "must be a number of hours, such as \"168h\"", s);
	str_replace(slot(r, f), s);
	return 0;
}

static int read_object(struct reader *r, const char *section, const struct json *obj);

static int set_limits(struct reader *r, const struct field *f, const struct json *value)
{
	return read_object(r, "api.limits", value);
}

static int set_cpus(struct reader *r, const struct field *f, const struct json *value)
{
	double n = json_number(value);

	if (!(n >= 0.01 && n <= 4096))
		return complain(r, f->section, f->key, "must be a number of processors from 0.01, not %.17g", n);
	*(double *)slot(r, f) = n;
	return 0;
}

static int set_tasks(struct reader *r, const struct field *f, const struct json *value)
{
	double n = json_number(value);

	if (!(n >= 1 && n <= 4194304) || n != (double)(uint64_t)n)
		return complain(r, f->section, f->key, "must be a whole number from 1, not %.17g", n);
	*(uint64_t *)slot(r, f) = (uint64_t)n;
	return 0;
}

/* Of an element of `clients`. */
static int set_client(struct reader *r, const struct field *f, struct profile_client *c,
		      const struct json *value)
{
	const char *key = json_key(value);
	char **to = str_eq(key, "name") ? &c->name : str_eq(key, "ttl") ? &c->ttl : NULL;
	char shown[128];

	err_quote(shown, sizeof(shown), key);
	if (!to)
		return complain(r, f->section, NULL, "holds '%s', which is not a known key: a client has 'name' and 'ttl'", shown);
	if (!json_string(value))
		return complain(r, f->section, NULL, "holds a '%s' that must be a string, not %s",
				shown, json_type_name(json_type(value)));
	str_replace(to, json_string(value));
	return 0;
}

static int add_client(struct reader *r, const struct field *f, const struct json *value)
{
	struct profile *p = r->p;
	struct profile_client *c;

	if (json_type(value) != JSON_OBJECT)
		return complain(r, f->section, NULL, "must hold objects only, not %s",
				json_type_name(json_type(value)));
	p->clients.v = xreallocarray(p->clients.v, p->clients.n + 1, sizeof(*p->clients.v));
	c = &p->clients.v[p->clients.n++];
	*c = (struct profile_client){ NULL, NULL };
	for json_each(it, value)
		if (set_client(r, f, c, it))
			return -1;
	if (!c->name)
		return complain(r, f->section, NULL, "holds a client without a 'name'");
	for (size_t i = 0; i + 1 < p->clients.n; i++)
		if (str_eq(p->clients.v[i].name, c->name))
			return bad(r, f, "must hold each name once", c->name);
	return 0;
}

static int set_clients(struct reader *r, const struct field *f, const struct json *value)
{
	for json_each(it, value)
		if (add_client(r, f, it))
			return -1;
	return 0;
}

static bool add_any(const char *s, struct strv *to)
{
	strv_add(to, s);
	return true;
}

static int set_allow(struct reader *r, const struct field *f, const struct json *value)
{
	return set_strings(r, f, value, add_any, "");
}

static int set_backend(struct reader *r, const struct field *f, const struct json *value)
{
	static const char *const names[] = {
		[FIREWALL_AUTO] = "auto",	  [FIREWALL_NFTABLES] = "nftables",
		[FIREWALL_FIREWALLD] = "firewalld", [FIREWALL_UFW] = "ufw",
		[FIREWALL_IPTABLES] = "iptables", [FIREWALL_NONE] = "none",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(json_string(value), names[i])) {
			*(enum firewall_backend *)slot(r, f) = (enum firewall_backend)i;
			return 0;
		}
	return bad(
		r, f,
		"must be \"auto\", \"nftables\", \"firewalld\", \"ufw\", \"iptables\" or \"none\"",
		json_string(value));
}

static int set_keep(struct reader *r, const struct field *f, const struct json *value)
{
	double n = json_number(value);

	if (!(n >= 1 && n <= KEEP_MAX) || n != (double)(uint64_t)n)
		return complain(r, f->section, f->key, "must be a whole number from 1 to %d, not %.17g", KEEP_MAX, n);
	*(uint64_t *)slot(r, f) = (uint64_t)n;
	return 0;
}

static int set_size(struct reader *r, const struct field *f, const struct json *value)
{
	uint64_t n;

	if (str_to_size(json_string(value), &n) < 0 || n < SIZE_MIN)
		return bad(r, f, "must be a size of at least 1M, such as \"1G\"", json_string(value));
	*(uint64_t *)slot(r, f) = n;
	return 0;
}

#define AT(member) offsetof(struct profile, member)

/* Order matters: a section's own line comes before those of its keys. */
static const struct field fields[] = {
	{ NULL, "version", JSON_NUMBER, set_format, 0 },
	{ "sysbox", NULL, JSON_OBJECT, set_present, AT(sysbox.present) },
	{ "sysbox", "version", JSON_STRING, set_version, AT(sysbox.version) },
	{ "sysbox", "method", JSON_STRING, set_method, AT(sysbox.method) },
	{ "sysbox", "default_runtime", JSON_BOOL, set_bool, AT(sysbox.default_runtime) },
	{ "sysbox", "register", JSON_BOOL, set_bool, AT(sysbox.registered) },
	{ "docker", NULL, JSON_OBJECT, set_present, AT(docker.present) },
	{ "docker", "install", JSON_STRING, set_install, AT(docker.install) },
	{ "docker", "settings", JSON_OBJECT, set_object, AT(docker.settings) },
	{ "docker", "hold", JSON_BOOL, set_bool, AT(docker.hold) },
	{ "docker", "managed", JSON_STRING, set_managed, AT(docker.elsewhere) },
	{ "docker", "allow_restart", JSON_BOOL, set_bool, AT(docker.allow_restart) },
	{ "api", NULL, JSON_OBJECT, set_present, AT(api.present) },
	{ "api", "listen", JSON_ARRAY, set_listen, AT(api.listen) },
	{ "api", "any_address", JSON_BOOL, set_bool, AT(api.any_address) },
	{ "api", "names", JSON_ARRAY, set_names, AT(api.names) },
	{ "api", "daemon", JSON_STRING, set_daemon, AT(api.dedicated) },
	{ "api", "default_runtime", JSON_BOOL, set_bool, AT(api.default_runtime) },
	{ "api", "network", JSON_STRING, set_network, AT(api.network) },
	{ "api", "publish", JSON_STRING, set_publish, AT(api.publish) },
	{ "api", "prune_after", JSON_STRING, set_prune_after, AT(api.prune_after) },
	{ "api", "limits", JSON_OBJECT, set_limits, 0 },
	{ "api.limits", "cpus", JSON_NUMBER, set_cpus, AT(api.limits.cpus) },
	{ "api.limits", "memory", JSON_STRING, set_size, AT(api.limits.memory) },
	{ "api.limits", "tasks", JSON_NUMBER, set_tasks, AT(api.limits.tasks) },
	{ "api.limits", "io_read", JSON_STRING, set_size, AT(api.limits.io_read) },
	{ "api.limits", "io_write", JSON_STRING, set_size, AT(api.limits.io_write) },
	{ "clients", NULL, JSON_ARRAY, set_clients, 0 },
	{ "firewall", NULL, JSON_OBJECT, set_present, AT(firewall.present) },
	{ "firewall", "allow", JSON_ARRAY, set_allow, AT(firewall.allow) },
	{ "firewall", "any_address", JSON_BOOL, set_bool, AT(firewall.any_address) },
	{ "firewall", "backend", JSON_STRING, set_backend, AT(firewall.backend) },
	{ "firewall", "sets", JSON_OBJECT, set_object, AT(firewall.sets) },
	{ "catalog", NULL, JSON_OBJECT, set_present, AT(catalog.present) },
	{ "catalog", "url", JSON_STRING, set_url, AT(catalog.url) },
	{ "catalog", "keyring", JSON_STRING, set_path, AT(catalog.keyring) },
	{ "catalog", "fingerprints", JSON_ARRAY, set_fingerprints, AT(catalog.fingerprints) },
	{ "catalog", "proxy", JSON_STRING, set_proxy, AT(catalog.proxy) },
	{ "catalog", "ca_file", JSON_STRING, set_path, AT(catalog.ca_file) },
	{ "catalog", "plain_mirrors", JSON_ARRAY, set_mirrors, AT(catalog.plain_mirrors) },
	{ "history", NULL, JSON_OBJECT, NULL, 0 },
	{ "history", "keep", JSON_NUMBER, set_keep, AT(history.keep) },
	{ "history", "max_size", JSON_STRING, set_size, AT(history.max_size) },
};

/* The name under which f is found in the object of section (NULL: the top), or NULL if it is not in
 * there. */
static const char *name_in(const struct field *f, const char *section)
{
	if (section)
		return f->key && str_eq(f->section, section) ? f->key : NULL;
	return f->key ? (f->section ? NULL : f->key) : f->section;
}

static const struct field *field_find(const char *section, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (str_eq(name_in(&fields[i], section), name))
			return &fields[i];
	return NULL;
}

/* A known key of another place, for somebody who forgot the section. */
static const struct field *field_elsewhere(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].section && str_eq(fields[i].key, name))
			return &fields[i];
	return NULL;
}

static int unknown_key(struct reader *r, const char *section, const char *name)
{
	const char *known[ARRAY_SIZE(fields) + 1] = { NULL };
	const struct field *elsewhere;
	char path[264];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (name_in(&fields[i], section))
			known[n++] = name_in(&fields[i], section);
	const char *near = str_nearest(name, known);

	if (near)
		dotted(section, near, path, sizeof(path));
	else if ((elsewhere = field_elsewhere(name)))
		dotted(elsewhere->section, elsewhere->key, path, sizeof(path));
	else
		return complain(r, section, name, "is not a known key");
	return complain(r, section, name, "is not a known key; did you mean '%s'?", path);
}

static int read_member(struct reader *r, const char *section, const struct json *value)
{
	const char *name = json_key(value);
	const struct field *f = field_find(section, name);

	if (!f)
		return unknown_key(r, section, name);
	if (json_type(value) != f->type)
		return complain(r, f->section, f->key, "must be %s, not %s",
				json_type_name(f->type), json_type_name(json_type(value)));
	if (f->set && f->set(r, f, value) < 0)
		return -1;
	return f->key || f->type != JSON_OBJECT ? 0 : read_object(r, name, value);
}

static int read_object(struct reader *r, const char *section, const struct json *obj)
{
	for json_each(it, obj)
		if (read_member(r, section, it) < 0)
			return -1;
	return 0;
}

static int check_catalog(struct reader *r)
{
	const struct profile *p = r->p;

	if (!p->catalog.url)
		return 0;
	if (!p->catalog.keyring || !p->catalog.fingerprints.n)
		return complain(r, "catalog", "url",
				"needs 'catalog.%s' too: without it nothing can be verified",
				p->catalog.keyring ? "fingerprints" : "keyring");
	if (!str_starts(p->catalog.url, "http://"))
		return 0;
	for (size_t i = 0; i < p->catalog.plain_mirrors.n; i++)
		if (str_starts(p->catalog.url, p->catalog.plain_mirrors.v[i]))
			return 0;
	return complain(r, "catalog", "url",
			"is plain http and not below one of 'catalog.plain_mirrors'");
}

/* What only a daemon of its own can have. */
static int check_dedicated(struct reader *r, const struct json *api)
{
	static const char *const keys[] = { "default_runtime", "network", "publish", "prune_after",
					    "limits" };

	for (size_t i = 0; i < ARRAY_SIZE(keys) && !r->p->api.dedicated; i++)
		if (json_get(api, keys[i]))
			return complain(r, "api", keys[i], "needs \"daemon\": \"dedicated\"");
	if (r->p->api.default_runtime &&
	    (!r->p->sysbox.present || str_eq(r->p->sysbox.version, "absent")))
		return complain(r, "api", "default_runtime", "needs Sysbox: a section 'sysbox'");
	return 0;
}

static int check_api(struct reader *r)
{
	const struct profile *p = r->p;

	if (!p->api.present)
		return 0;
	if (!p->api.listen.n)
		return complain(r, "api", NULL, "needs 'api.listen': the addresses that it is for");
	for (size_t i = 0; i < p->api.listen.n && !p->api.any_address; i++)
		if (str_starts(p->api.listen.v[i], "0.0.0.0:") ||
		    str_starts(p->api.listen.v[i], "[::]:"))
			return complain(r, "api", "listen",
					"has '%s', every address of this host; if that is meant, "
					"say it twice: \"any_address\": true",
					p->api.listen.v[i]);
	return 0;
}

static int check_firewall(struct reader *r)
{
	struct firewall_fault fault CLEANUP(firewall_fault_release) = FIREWALL_FAULT_INIT;

	return firewall_resolve(r->p, &fault) ?
		       complain(r, "firewall", fault.key, "%s", fault.words.data) :
		       0;
}

static void set_defaults(struct profile *p)
{
	p->sysbox.version = xstrdup("latest");
	p->api.network = xstrdup("10.209.0.0/16");
	p->api.prune_after = xstrdup("168h");
	p->history.keep = 50;
	p->history.max_size = 1024ULL * 1024 * 1024;
}

static int read_tree(struct reader *r, const struct json *tree)
{
	if (json_type(tree) != JSON_OBJECT)
		return err_set(r->err, ERR_USAGE, "'%s' must be an object, not %s", r->p->source,
			       json_type_name(json_type(tree)));
	if (read_object(r, NULL, tree) < 0)
		return -1;
	return check_catalog(r) || check_api(r) ||
			       check_dedicated(r, json_get(tree, "api")) || check_firewall(r) ?
		       -1 :
		       0;
}

int profile_parse(struct profile *ret, const char *text, size_t len, const char *source,
		  struct err *err)
{
	struct profile p CLEANUP(profile_release) = { .text = BUF_INIT };
	struct reader r = { &p, text, len, err };
	struct json *tree CLEANUP(json_freep) = NULL;
	char *what CLEANUP(freep) = xasprintf("'%s'", source);

	if (len > PROFILE_MAX)
		return err_set(err, ERR_USAGE, "%s is larger than 1 MiB", what);
	if (json_parse(text, len, JSON_COMMENTS, what, &tree, err) < 0)
		return err_raise(err, ERR_USAGE);
	set_defaults(&p);
	p.source = xstrdup(source);
	if (read_tree(&r, tree) < 0)
		return -1;
	buf_add(&p.text, text, len);
	digest_hex(text, len, p.digest);
	*ret = p;
	p = (struct profile){ .text = BUF_INIT };
	return 0;
}

static int load_default(struct profile *ret, struct err *err)
{
	const struct embedded *e = embedded_find("templates/profile.json");

	if (!e)
		return err_set(err, ERR_FAILED, "this program was built without its default profile");
	return profile_parse(ret, e->data, e->len, "embedded default", err);
}

int profile_load(struct profile *ret, const struct root *root, const char *path, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	int rc;

	if (path)
		rc = fs_read_at(AT_FDCWD, path, PROFILE_MAX, &text, err);
	else
		rc = root_read_optional(root, PROFILE_PATH, PROFILE_MAX, &text, err);
	if (rc < 0)
		return err_raise(err, ERR_USAGE);
	if (rc > 0 && path)
		return err_set(err, ERR_USAGE, "there is no profile '%s'", path);
	if (rc > 0)
		return load_default(ret, err);
	return profile_parse(ret, text.data, text.len, path ? path : PROFILE_PATH, err);
}

void profile_release(struct profile *p)
{
	free(p->sysbox.version);
	json_free(p->docker.settings);
	strv_release(&p->api.listen);
	strv_release(&p->api.names);
	free(p->api.network);
	free(p->api.publish);
	free(p->api.prune_after);
	for (size_t i = 0; i < p->clients.n; i++) {
		free(p->clients.v[i].name);
		free(p->clients.v[i].ttl);
	}
	free(p->clients.v);
	strv_release(&p->firewall.allow);
	json_free(p->firewall.sets);
	network_list_release(&p->firewall.networks);
	strv_release(&p->firewall.interfaces);
	free(p->catalog.url);
	free(p->catalog.keyring);
	strv_release(&p->catalog.fingerprints);
	free(p->catalog.proxy);
	free(p->catalog.ca_file);
	strv_release(&p->catalog.plain_mirrors);
	free(p->source);
	buf_release(&p->text);
	*p = (struct profile){ .text = BUF_INIT };
}
