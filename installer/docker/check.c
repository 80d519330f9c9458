/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own checks of a candidate daemon.json: what dockerd accepts today and fails on later, what no
 * tool of Docker's sees (facts/docker-tried.md 3), and what is better said before the write than by
 * a daemon that does not come up. A defect is kept quiet about (a warning) where the text of today
 * has the same value for all of its keys.
 */
#include "docker/api.h"
#include "docker/cidr.h"
#include "docker/config.h"
#include "docker/keys.h"
#include "docker/validate.h"

#include <limits.h>
#include <stdio.h>

struct check {
	const struct host *h;
	const struct json *now;		/* of today, or NULL */
	const struct json *to;
	const struct strv *planned;
	struct report *rep;
	struct err *err;
};

/* Whether all of these keys are as they are today. */
static bool unchanged(const struct check *c, const char *const *keys)
{
	if (!c->now)
		return false;
	for (; *keys; keys++) {
		const struct json *a = json_get(c->now, *keys), *b = json_get(c->to, *keys);
		if ((a || b) && !(a && b && json_equal(a, b)))
			return false;
	}
	return true;
}

#define KEYS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Refuses, or warns where nothing of it is new: 0 to go on, -1 refused. */
static int defect(const struct check *c, const char *const *keys, const char *fmt, ...)
	PRINTF(3, 4);
static int defect(const struct check *c, const char *const *keys, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *text CLEANUP(freep) = xvasprintf(fmt, ap);
	va_end(ap);
	if (!unchanged(c, keys))
		return err_set(c->err, ERR_REFUSED, "%s", text);
	report_warn(c->rep, NULL, "%s (so it was before)", text);
	return 0;
}

static bool path_will_exist(const struct check *c, const char *path)
{
	return (c->planned && strv_has(c->planned, path)) || root_exists(c->h->root, path);
}

static const struct docker_flag *flag_of(const struct check *c, const char *name)
{
	return docker_flag_find(c->h->docker.flags, name);
}

/* --- keys and flags --- */

static int check_known(const struct check *c, const struct json *m)
{
	const char *key = json_key(m);
	struct strv known CLEANUP(strv_release) = STRV_INIT;

	if (docker_key_find(key))
		return 0;
	/* An object's members may be keys that dockerd knows: then it takes the name for a section
	 * and says nothing. */
	if (json_type(m) != JSON_OBJECT && docker_validate_available(c->h))
		return 0;
	for (const struct docker_key *k = docker_keys; k->key || k->flag; k++)
		if (k->key)
			strv_add(&known, k->key);
	const char *near = str_nearest(key, (const char *const *)known.v);
	return defect(c, KEYS(key), "'%s' is no key that dockerd knows%s%s%s", key,
		      near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

static char *flag_place(const struct docker_flag *f)
{
	return f->line ? xasprintf("'%s' line %u", f->file, f->line) : xasprintf("'%s'", f->file);
}

static int check_flag(const struct check *c, const struct json *m)
{
	const struct docker_key *k = docker_key_find(json_key(m));
	const struct docker_flag *f = k && k->flag && strcmp(k->key, "runtimes") ?
					      flag_of(c, k->flag) :
					      NULL;

	if (!f)
		return 0;
	char *place CLEANUP(freep) = flag_place(f);
	return defect(c, KEYS(k->key), "'%s' is given as a flag too (--%s%s%s in %s): dockerd refuses a key that is in both places",
		      k->key, f->name, *f->value ? "=" : "", f->value, place);
}

static int check_keys(const struct check *c)
{
	for json_each(m, c->to)
		if (check_known(c, m) || check_flag(c, m))
			return -1;
	return 0;
}

/* --- runtimes --- */

static const char *const search_path[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					   "/usr/bin",        "/sbin",          "/bin" };

static bool program_will_exist(const struct check *c, const char *program)
{
	if (strchr(program, '/'))
		return path_will_exist(c, program);
	for (size_t i = 0; i < ARRAY_SIZE(search_path); i++) {
		char *path CLEANUP(freep) = path_join(search_path[i], program);
		if (path_will_exist(c, path))
			return true;
	}
	return false;
}

/* A foreign runtime that did not change is its owner's matter. */
static int runtime_defect(const struct check *c, const struct json *m, const char *what)
{
	const struct json *before = json_get(json_get(c->now, "runtimes"), json_key(m));

	if (!before || !json_equal(before, m))
		return err_set(c->err, ERR_REFUSED, "runtime '%s' %s", json_key(m), what);
	report_warn(c->rep, NULL, "runtime '%s' %s (so it was before)", json_key(m), what);
	return 0;
}

static int check_runtime(const struct check *c, const struct json *m)
{
	const char *path = json_get_str(m, "path"), *type = json_get_str(m, "runtimeType");

	if (str_eq(json_key(m), "runc"))
		return runtime_defect(c, m, "has a name that dockerd keeps for itself");
	if (json_type(m) != JSON_OBJECT)
		return runtime_defect(c, m, "is no object");
	if (path && type)
		return runtime_defect(c, m, "has both 'path' and 'runtimeType', of which dockerd takes one");
	if (str_empty(path) && str_empty(type))
		return runtime_defect(c, m, "has neither 'path' nor 'runtimeType'");
	if (json_get(m, "args"))
		return runtime_defect(c, m, "has 'args', which dockerd ignores: the key is 'runtimeArgs'");
	if (path && !program_will_exist(c, path)) {
		char *what CLEANUP(freep) = xasprintf("has a program that does not exist: '%s'", path);
		return runtime_defect(c, m, what);
	}
	return 0;
}

static bool runtime_is_flag(const struct check *c, const char *name)
{
	const struct docker_flags *f = c->h->docker.flags;
	size_t len = strlen(name);

	for (size_t i = 0; f && i < f->n; i++)
		if (str_eq(f->v[i].name, "add-runtime") && str_starts(f->v[i].value, name) &&
		    f->v[i].value[len] == '=')
			return true;
	return false;
}

static int check_runtimes(const struct check *c)
{
	const struct json *runtimes = json_get(c->to, "runtimes");
	const char *name = json_get_str(c->to, "default-runtime");

	if (runtimes && json_type(runtimes) == JSON_OBJECT)
		for json_each(m, runtimes)
			if (check_runtime(c, m))
				return -1;
	if (!name || str_eq(name, "runc") || str_starts(name, "io.containerd.") ||
	    strchr(name, '/'))
		return 0;
	if (json_get(runtimes, name) || runtime_is_flag(c, name))
		return 0;
	return defect(c, KEYS("default-runtime", "runtimes"),
		      "default-runtime '%s' is not among the runtimes", name);
}

/* --- networks --- */

static int check_bridge(const struct check *c)
{
	const char *bip = json_get_str(c->to, "bip"), *bridge = json_get_str(c->to, "bridge");

	if (!str_empty(bip) && !str_empty(bridge))
		return defect(c, KEYS("bip", "bridge"), "'bip' and 'bridge' exclude each other");
	if (!json_get_bool(c->to, "icc", true) && !json_get_bool(c->to, "iptables", true))
		return defect(c, KEYS("icc", "iptables"),
			      "'icc': false needs iptables, which 'iptables': false switches off");
	if (json_get_bool(c->to, "ipv6", false) && !json_get(c->to, "fixed-cidr-v6") &&
	    c->h->docker.version && version_compare_numeric(c->h->docker.version, "27") < 0)
		return defect(c, KEYS("ipv6", "fixed-cidr-v6"),
			      "'ipv6': true needs 'fixed-cidr-v6'");
	return 0;
}

static int check_bip(const struct check *c)
{
	const char *text = json_get_str(c->to, "bip"), *fixed = json_get_str(c->to, "fixed-cidr");
	struct cidr bip, in;

	if (str_empty(text))
		return 0;
	if (cidr_parse(text, &bip))
		return defect(c, KEYS("bip"), "bip '%s' is no IPv4 address with a prefix length",
			      text);
	if (bip.bits < 31 && !(bip.addr & ~cidr_mask(&bip)))
		return defect(c, KEYS("bip"),
			      "bip '%s' is the network's address, not one of a host in it", text);
	if (fixed && (cidr_parse(fixed, &in) || !cidr_contains(&bip, &in)))
		return defect(c, KEYS("bip", "fixed-cidr"),
			      "fixed-cidr '%s' is not inside bip '%s'", fixed, text);
	return 0;
}

static int pool_parse(const struct check *c, const struct json *p, struct cidr *ret)
{
	const char *base = json_get_str(p, "base");
	int64_t size = json_get_i64(p, "size", -1);

	if (cidr_parse(base, ret))
		return base && strchr(base, ':') ?
			       1 :
			       defect(c, KEYS("default-address-pools"),
				      "address pool '%s' is no network", base ? base : "");
	if (size < ret->bits || size > 32)
		return defect(c, KEYS("default-address-pools"),
			      "address pool '%s' cannot be cut into networks of size %lld", base,
			      (long long)size);
	return 0;
}

static int check_pools(const struct check *c)
{
	for json_each(a, json_get(c->to, "default-address-pools")) {
		struct cidr x = { 0 }, y = { 0 };
		int r = pool_parse(c, a, &x);
		if (r < 0)
			return -1;
		for (const struct json *b = r ? NULL : json_next(a); b; b = json_next(b))
			if (!cidr_parse(json_get_str(b, "base"), &y) && cidr_overlaps(&x, &y) &&
			    defect(c, KEYS("default-address-pools"),
				   "address pools '%s' and '%s' overlap", json_get_str(a, "base"),
				   json_get_str(b, "base")))
				return -1;
	}
	return 0;
}

/* /proc/net/route: interface, destination and mask in hex of network order. */
static bool route_parse(const char *line, char name[32], struct cidr *ret)
{
	unsigned int dest, gateway, flags, refs, use, metric, mask;

	if (sscanf(line, "%31s %x %x %x %u %u %u %x", name, &dest, &gateway, &flags, &refs, &use,
		   &metric, &mask) != 8)
		return false;
	*ret = (struct cidr){ __builtin_bswap32(dest), (unsigned int)__builtin_popcount(mask) };
	return mask && strcmp(name, "docker0") && !str_starts(name, "br-");
}

static void route_warn(const struct check *c, const char *key, const char *text,
		       const struct strv *routes)
{
	struct cidr net, route;
	char name[32];

	for (size_t i = 0; !cidr_parse(text, &net) && i < routes->n; i++)
		if (route_parse(routes->v[i], name, &route) && cidr_overlaps(&net, &route))
			report_warn(c->rep, "choose another network",
				    "%s '%s' overlaps a route of this host through '%s'", key, text,
				    name);
}

static void check_routes(const struct check *c)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv routes CLEANUP(strv_release) = STRV_INIT;
	struct err ignore = ERR_INIT;

	if (!c->h->running || root_read(c->h->root, "/proc/net/route", 1024 * 1024, &text, &ignore))
		return;
	str_split(&routes, text.data, '\n');
	if (!unchanged(c, KEYS("bip")))
		route_warn(c, "bip", json_get_str(c->to, "bip"), &routes);
	if (!unchanged(c, KEYS("default-address-pools")))
		for json_each(p, json_get(c->to, "default-address-pools"))
			route_warn(c, "address pool", json_get_str(p, "base"), &routes);
}

static int check_networks(const struct check *c)
{
	if (check_bridge(c) || check_bip(c) || check_pools(c))
		return -1;
	check_routes(c);
	return 0;
}

/* --- TLS, listeners --- */

static int check_tls(const struct check *c)
{
	static const char *const files[] = { "tlscacert", "tlscert", "tlskey", NULL };

	if (json_get_bool(c->to, "tlsverify", false) &&
	    str_empty(json_get_str(c->to, "tlscacert")) && !flag_of(c, "tlscacert") &&
	    defect(c, KEYS("tlsverify", "tlscacert"),
		   "'tlsverify' without 'tlscacert' lets in every certificate of the system's public authorities"))
		return -1;
	for (size_t i = 0; files[i]; i++) {
		const char *path = json_get_str(c->to, files[i]);
		if (!str_empty(path) && !path_will_exist(c, path) &&
		    defect(c, KEYS(files[i]), "'%s' names a file that does not exist: '%s'",
			   files[i], path))
			return -1;
	}
	return 0;
}

static bool port_listening(const char *table, unsigned int port)
{
	char want[16];

	snprintf(want, sizeof(want), ":%04X", port);
	for (const char *line = strchr(table, '\n'); line && line[1];
	     line = strchr(line + 1, '\n')) {
		char local[64], remote[64];
		unsigned int state;
		if (sscanf(line + 1, " %*s %63s %63s %x", local, remote, &state) == 3 &&
		    state == 0x0a && str_ends(local, want))
			return true;
	}
	return false;
}

/* A canary has a network of its own and cannot see this. */
static int check_port(const struct check *c, const char *host)
{
	struct buf tcp CLEANUP(buf_release) = BUF_INIT;
	struct err ignore = ERR_INIT;
	const char *colon = strrchr(host, ':');
	uint64_t port;

	if (!str_starts(host, "tcp://") || !colon || str_to_u64(colon + 1, 65535, &port))
		return 0;
	if (root_read(c->h->root, "/proc/net/tcp", 16 * 1024 * 1024, &tcp, &ignore) ||
	    !port_listening(tcp.data, (unsigned int)port))
		return 0;
	return err_set(c->err, ERR_REFUSED, "'hosts' has '%s', but something listens on port %s already", host, colon + 1);
}

static bool array_has(const struct json *arr, const char *s)
{
	for json_each(m, arr)
		if (str_eq(json_string(m), s))
			return true;
	return false;
}

static int check_hosts(const struct check *c)
{
	if (!c->h->running)
		return 0;
	for json_each(m, json_get(c->to, "hosts"))
			if (json_string(m) &&
			    !array_has(json_get(c->now, "hosts"), json_string(m)) &&
			    check_port(c, json_string(m)))
				return -1;
	return 0;
}

/* --- paths, logs, limits, registries --- */

static int check_paths(const struct check *c)
{
	static const char *const keys[] = { "data-root", "graph", "exec-root", "pidfile", NULL };

	for (size_t i = 0; keys[i]; i++) {
		const char *path = json_get_str(c->to, keys[i]);
		if (!str_empty(path) && *path != '/' &&
		    defect(c, KEYS(keys[i]), "'%s' is no absolute path: '%s'", keys[i], path))
			return -1;
	}
	return 0;
}

static void check_log_driver(const struct check *c, const char *driver)
{
	static const char *const known[] = { "none",     "local",   "json-file", "syslog",
					     "journald", "gelf",    "fluentd",   "awslogs",
					     "splunk",   "etwlogs", "gcplogs",   "logentries",
					     NULL };

	for (size_t i = 0; known[i]; i++)
		if (str_eq(known[i], driver))
			return;
	if (!unchanged(c, KEYS("log-driver")))
		report_warn(c->rep, "check the spelling, or that the plugin is installed",
			    "log-driver '%s' is none of Docker's own: without a plugin of that name no container starts", driver);
}

static int check_logs(const struct check *c)
{
	const char *driver = json_get_str(c->to, "log-driver");
	const struct json *opts = json_get(c->to, "log-opts");
	const char *size = json_get_str(opts, "max-size"), *files = json_get_str(opts, "max-file");
	int64_t n;

	if (!str_empty(driver))
		check_log_driver(c, driver);
	if (driver && strcmp(driver, "json-file") && strcmp(driver, "local"))
		return 0;
	if (size && strcmp(size, "-1") &&
	    (!strchr("0123456789", *size) || !*size ||
	     strspn(size, "0123456789.") +
			     strspn(size + strspn(size, "0123456789."), " kKmMgGtTiIbB") !=
		     strlen(size)))
		return defect(c, KEYS("log-driver", "log-opts"),
			      "log-opts: max-size '%s' is no size", size);
	if (files && str_to_i64(files, 1, INT_MAX, &n))
		return defect(c, KEYS("log-driver", "log-opts"),
			      "log-opts: max-file '%s' is no number from 1 on", files);
	return 0;
}

static int check_ulimits(const struct check *c)
{
	static const char *const names[] = { "core",   "cpu",        "data",     "fsize",
					     "locks",  "memlock",    "msgqueue", "nice",
					     "nofile", "nproc",      "rss",      "rtprio",
					     "rttime", "sigpending", "stack",    NULL };

	for json_each(m, json_get(c->to, "default-ulimits")) {
		const char *name = json_get_str(m, "Name");
		int64_t soft = json_get_i64(m, "Soft", 0), hard = json_get_i64(m, "Hard", 0);
		bool known = false;
		for (size_t i = 0; names[i]; i++)
			known |= str_eq(names[i], name ? name : json_key(m));
		if (!known &&
		    defect(c, KEYS("default-ulimits"), "default-ulimits: '%s' is no limit",
			   name ? name : json_key(m)))
			return -1;
		if (hard != -1 && (soft == -1 || soft > hard) &&
		    defect(c, KEYS("default-ulimits"),
			   "default-ulimits: '%s' has a soft limit above its hard limit",
			   json_key(m)))
			return -1;
	}
	return 0;
}

static int check_registries(const struct check *c)
{
	for json_each(m, json_get(c->to, "insecure-registries")) {
		const char *s = json_string(m);
		if ((str_empty(s) || strstr(s, "://") || strpbrk(s, " \t")) &&
		    defect(c, KEYS("insecure-registries"),
			   "insecure-registries: '%s' is no host[:port] and no network",
			   s ? s : ""))
			return -1;
	}
	for json_each(m, json_get(c->to, "registry-mirrors")) {
		const char *s = json_string(m);
		if ((!s || (!str_starts(s, "https://") && !str_starts(s, "http://"))) &&
		    defect(c, KEYS("registry-mirrors"),
			   "registry-mirrors: '%s' is no http or https address", s ? s : ""))
			return -1;
	}
	return 0;
}

/* --- swarm --- */

/* The reload accepts it, the next start does not. */
static int check_swarm(const struct check *c)
{
	struct docker_api *api CLEANUP(docker_api_closep) = NULL;
	struct json *info CLEANUP(json_freep) = NULL;
	struct err ignore = ERR_INIT;

	if (!c->h->running || !c->h->docker.main_pid || !c->h->docker.socket ||
	    !json_get_bool(c->to, "live-restore", false))
		return 0;
	if (docker_api_open(&api, c->h->docker.socket, &ignore) || docker_info(api, &info, &ignore))
		return 0;
	const char *state = json_get_str(json_get(info, "Swarm"), "LocalNodeState");
	if (str_empty(state) || str_eq(state, "inactive"))
		return 0;
	return defect(c, KEYS("live-restore"),
		      "'live-restore' does not go with swarm, which is active here");
}

static int (*const checks[])(const struct check *c) = {
	check_keys,  check_runtimes, check_networks, check_tls,        check_hosts,
	check_paths, check_logs,     check_ulimits,  check_registries, check_swarm,
};

/* --- the text --- */

static bool docker_before(const struct host *h, const char *version)
{
	return h->docker.version && version_compare_numeric(h->docker.version, version) < 0;
}

static const char *config_name(const struct host *h)
{
	return h->docker.config_file ? h->docker.config_file : "daemon.json";
}

static size_t bom_len(const char *text, size_t len)
{
	return len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

static bool is_blank(const char *text, size_t len)
{
	return strspn(text, " \t\r\n") >= len;
}

static int check_bom(const struct host *h, size_t bom, struct err *err)
{
	if (!bom || !docker_before(h, "23"))
		return 0;
	err_set(err, ERR_REFUSED,
		"'%s' begins with a byte order mark, which Docker %s does not accept",
		config_name(h), h->docker.version);
	return err_remedy(err, "save it without one");
}

static int check_blank(const struct host *h, const char *text, size_t len, const char *verb,
		       struct err *err)
{
	if (!is_blank(text, len) || !docker_before(h, "23"))
		return 0;
	err_set(err, ERR_REFUSED, "'%s' %s empty, which Docker %s does not accept", config_name(h),
		verb, h->docker.version);
	return err_remedy(err, "write {} into it");
}

int docker_config_check_found(const struct host *h, const char *text, size_t len, struct err *err)
{
	return check_bom(h, bom_len(text, len), err) || check_blank(h, text, len, "is", err) ? -1 :
											       0;
}

static int candidate_parse(const struct host *h, const char *text, size_t len, struct json **ret,
			   struct err *err)
{
	char *what CLEANUP(freep) = xasprintf("'%s'", config_name(h));
	size_t bom = bom_len(text, len);

	if (len > 1024 * 1024)
		return err_set(err, ERR_REFUSED, "%s would be larger than 1 MiB", what);
	if (check_bom(h, bom, err) || check_blank(h, text + bom, len - bom, "would be", err))
		return -1;
	if (is_blank(text + bom, len - bom)) {
		*ret = json_obj();
		return 0;
	}
	if (json_parse(text + bom, len - bom, JSON_STRICT, what, ret, err))
		return err_raise(err, ERR_REFUSED);
	if (json_type(*ret) != JSON_OBJECT)
		return err_set(err, ERR_REFUSED, "%s is not an object but %s", what,
			       json_type_name(json_type(*ret)));
	return 0;
}

int docker_config_check(const struct host *h, const struct json *current, const char *candidate,
			size_t len, const struct strv *planned_paths, struct report *rep,
			struct err *err)
{
	char *text CLEANUP(freep) = xstrndup(candidate, len);
	struct json *to CLEANUP(json_freep) = NULL;

	if (candidate_parse(h, text, len, &to, err))
		return -1;
	const struct check c = { h, current, to, planned_paths, rep, err };
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (checks[i](&c))
			return -1;
	return docker_validate(h, current, candidate, len, planned_paths, rep, err);
}
