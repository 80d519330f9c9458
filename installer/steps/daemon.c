/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "docker-ci": a Docker daemon for CI alone beside the host's own ("daemon": "dedicated"), in
 * a network namespace of its own, containerd too, behind mutual TLS. All of it is files, links and
 * units, so that the host's Docker, its daemon.json and its data are not touched:
 *
 *	docker-ci-net.service		namespace, link, default route
 *	docker-ci-containerd.service	in the namespace: what "--network host" is, it decides
 *	dockerci.slice			limits of all containers together
 *	docker-ci.socket		where it is reached; closed without TLS in its daemon.json
 *	docker-ci.service		in the namespace, without a mount namespace (live-restore)
 *	docker-ci-firewall.service	what may cross the link; again whenever a Docker starts
 *	docker-ci-prune.timer		what no job uses any more goes
 *
 * The first three are there as long as its containers may run and stop only when none does; the
 * others are restarted when their files change, which containers outlive. facts/docker-tried.md 5.
 */
#include "actions/kinds.h"
#include "base/embedded.h"
#include "base/template.h"
#include "docker/cidr.h"
#include "engine/rollback.h"
#include "steps/api.h"
#include "steps/daemon.h"
#include "steps/installed.h"
#include "steps/sysbox.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

#define STEP "docker-ci"
#define SYSTEM_DIR "/etc/systemd/system/"
#define BASE_KEY "units:docker-ci-net.service"
#define ROUTES "/proc/net/route"
#define RESOLV_CONF "/etc/resolv.conf"
#define CONTROLLERS "/sys/fs/cgroup/cgroup.controllers"
#define IO_READ "IOReadBandwidthMax"
#define IO_WRITE "IOWriteBandwidthMax"
#define NO_LIMIT " infinity"
#define SMALL_MAX (256 * 1024)

static const char *const base_units[] = { "docker-ci-net.service", "docker-ci-containerd.service",
					  "dockerci.slice", NULL };
static const char *const front_units[] = { "docker-ci.socket", "docker-ci.service",
					   "docker-ci-prune.timer", NULL };

/* ---- what is wanted ---- */

enum program { IP, NFT, IPTABLES, NSENTER, SYSCTL, UMOUNT, CONTAINERD, DOCKER, PROGRAMS };

static const char *const programs[PROGRAMS] = {
	[IP] = "ip",
	[NFT] = "nft",
	[IPTABLES] = "iptables",
	[NSENTER] = "nsenter",
	[SYSCTL] = "sysctl",
	[UMOUNT] = "umount",
	[CONTAINERD] = "containerd",
	[DOCKER] = "docker",
};

struct wanted {
	char *path[PROGRAMS];
	char *prefix;            /* "10.209" */
	char *host, *ci;         /* both ends of the link */
	char *resolver;          /* on the loopback of this host; or NULL */
	bool base, front, other; /* which files differ */
};

static void wanted_release(struct wanted *w)
{
	for (size_t i = 0; i < PROGRAMS; i++)
		free(w->path[i]);
	free(w->prefix);
	free(w->host);
	free(w->ci);
	free(w->resolver);
}

static bool is_wanted(const struct step_ctx *ctx)
{
	return ctx->profile->api.present && ctx->profile->api.dedicated;
}

static bool is_here(const struct step_ctx *ctx)
{
	return json_get(ctx->index, CI_UNITS_KEY) != NULL;
}

static bool concerned(const struct step_ctx *ctx) { return is_wanted(ctx) || is_here(ctx); }

static int find_programs(const struct step_ctx *ctx, struct wanted *w, struct err *err)
{
	for (size_t i = 0; i < PROGRAMS; i++) {
		w->path[i] = host_find_program(ctx->host->root, programs[i]);
		if (w->path[i])
			continue;
		err_set(err, ERR_REFUSED, "a dedicated daemon needs '%s', which is not here",
			programs[i]);
		return err_remedy(err,
				  "install it: on Debian it is in iproute2, nftables, iptables, "
				  "util-linux, procps, containerd or docker-cli");
	}
	return 0;
}

/* The first one, if only this host's own programs can reach it. */
static char *resolver_on_loopback(const struct root *root)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;
	unsigned char binary[4];

	if (root_read_optional(root, RESOLV_CONF, SMALL_MAX, &text, &ignored))
		return NULL;
	str_split(&lines, text.data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const char *s = lines.v[i];

		if (!str_starts(s, "nameserver"))
			continue;
		s += strlen("nameserver");
		s += strspn(s, " \t");
		char *address CLEANUP(freep) = xstrndup(s, strcspn(s, " \t\r#"));

		if (str_starts(address, "127.") && inet_pton(AF_INET, address, binary) == 1)
			return STEAL(address);
	}
	return NULL;
}

static int find_wanted(const struct step_ctx *ctx, struct wanted *w, struct err *err)
{
	const char *network = ctx->profile->api.network;

	w->prefix = xstrndup(network, strlen(network) - strlen(".0.0/16"));
	w->host = xasprintf("%s.255.1", w->prefix);
	w->ci = xasprintf("%s.255.2", w->prefix);
	w->resolver = resolver_on_loopback(ctx->host->root);
	return find_programs(ctx, w, err);
}

/* ---- may it be here ---- */

/* "docker0 000011AC ... 0000FFFF": address and mask as the kernel has them in memory. */
static bool route_of(const char *line, char *ret_link, struct cidr *ret)
{
	unsigned int destination, mask;

	if (sscanf(line, "%15s %x %*x %*x %*d %*d %*d %x", ret_link, &destination, &mask) != 3)
		return false;
	ret->addr = ntohl(destination);
	ret->bits = (unsigned int)__builtin_popcount(mask);
	return ret->bits > 0;
}

static int refuse_overlap(const struct step_ctx *ctx, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	struct cidr ours, route;
	char link[16];

	if (cidr_parse(ctx->profile->api.network, &ours) ||
	    root_read(ctx->host->root, ROUTES, SMALL_MAX, &text, err))
		return -1;
	str_split(&lines, text.data, '\n');
	for (size_t i = 1; i < lines.n; i++) {
		if (!route_of(lines.v[i], link, &route) || str_eq(link, CI_LINK) ||
		    !cidr_overlaps(&ours, &route))
			continue;
		err_set(err, ERR_REFUSED,
			"'api.network' %s is in use here: there is a route into it through '%s'",
			ctx->profile->api.network, link);
		return err_remedy(
			err, "name another one in the profile: \"network\": \"10.210.0.0/16\"");
	}
	return 0;
}

#define SLICE_FILE SYSTEM_DIR "dockerci.slice"

/* What the unit on disk says of it, allocated; NULL: nothing. */
static char *slice_value(const struct step_ctx *ctx, const char *directive)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;
	const char *at = NULL;

	if (!root_read_optional(ctx->host->root, SLICE_FILE, SMALL_MAX, &text, &ignored))
		at = strstr(text.data, directive);
	return at ? xstrndup(at, strcspn(at, "\n")) : NULL;
}

static bool slice_limits(const struct step_ctx *ctx, const char *directive)
{
	char *value CLEANUP(freep) = slice_value(ctx, directive);

	return value && !str_ends(value, NO_LIMIT);
}

/* Put there by a version that did not look: verify says that it holds nothing, and a renewal of
 * certificates is not refused for it. */
static bool is_in_place(const struct step_ctx *ctx)
{
	const struct profile_limits *l = &ctx->profile->api.limits;

	return (!l->io_read || slice_limits(ctx, IO_READ)) &&
	       (!l->io_write || slice_limits(ctx, IO_WRITE));
}

/*
 * With cgroup v1 the kernel takes a limit of block I/O for one of that very group
 * (block/blk-throttle.c, "broken flat hierarchy"): what is said of the slice does not reach the
 * groups of its containers, though systemd puts it there.
 */
static int refuse_io_limits(const struct step_ctx *ctx, struct err *err)
{
	const struct profile_limits *l = &ctx->profile->api.limits;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv words CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;

	if (!l->io_read && !l->io_write)
		return 0;
	if (!root_read_optional(ctx->host->root, CONTROLLERS, SMALL_MAX, &text, &ignored))
		str_split(&words, str_trim(text.data), ' ');
	if (strv_has(&words, "io") || is_in_place(ctx))
		return 0;
	err_set(err, ERR_REFUSED,
		"'io_read' and 'io_write' of 'api.limits' need cgroup v2 with its controller "
		"'io', which is not here: the kernel would hold no job to them");
	return err_remedy(err, words.n ? "take them out of the profile" :
					 "take them out of the profile, or boot with "
					 "systemd.unified_cgroup_hierarchy=1 on the kernel's command line");
}

static int refuse_here(const struct step_ctx *ctx, struct err *err)
{
	if (!host_has_systemd(ctx->host) || !ctx->host->docker.binary)
		return err_set(err, ERR_REFUSED,
			       "a dedicated daemon needs systemd, and a Docker that is installed");
	return api_refuse_plain(ctx, err) || refuse_overlap(ctx, err) ||
			       refuse_io_limits(ctx, err) ?
		       -1 :
		       0;
}

/* ---- the files ---- */

static int render(const struct step_ctx *ctx, const struct wanted *w, const char *template,
		  struct buf *ret, struct err *err)
{
	char *name CLEANUP(freep) = path_join("templates", template);
	const struct embedded *e = embedded_find(name);
	const struct template_var vars[] = {
		{ "IP", w->path[IP] },
		{ "NFT", w->path[NFT] },
		{ "IPTABLES", w->path[IPTABLES] },
		{ "NSENTER", w->path[NSENTER] },
		{ "SYSCTL", w->path[SYSCTL] },
		{ "UMOUNT", w->path[UMOUNT] },
		{ "CONTAINERD", w->path[CONTAINERD] },
		{ "DOCKER", w->path[DOCKER] },
		{ "DOCKERD", ctx->host->docker.binary },
		{ "SERVICE", ctx->host->docker.unit ? ctx->host->docker.unit : "docker.service" },
		{ "HOST", w->host },
		{ "CI", w->ci },
		{ "LOCALNET", w->resolver ? "1" : "0" },
		{ "AFTER", ctx->profile->api.prune_after },
		{ NULL, NULL },
	};

	return template_render(template, e->data, e->len, vars, ret, err);
}

static void add_addresses(const struct step_ctx *ctx, const struct wanted *w, struct buf *to)
{
	for (size_t i = 0; i < ctx->profile->api.listen.n; i++)
		buf_addf(to, "ListenStream=%s\n", ctx->profile->api.listen.v[i]);
}

static void add_bytes(struct buf *to, const char *directive, uint64_t bytes)
{
	if (bytes)
		buf_addf(to, "%s=%" PRIu64 "\n", directive, bytes);
}

/* A limit of a disk that the unit does not name any more systemd leaves in the kernel (252 and 257,
 * tried): that there is none is said where there was one. */
static void add_bandwidth(const struct step_ctx *ctx, struct buf *to, const char *directive,
			  uint64_t bytes)
{
	char *now CLEANUP(freep) = slice_value(ctx, directive);

	if (bytes)
		buf_addf(to, "%s=" CI_DATA " %" PRIu64 "\n", directive, bytes);
	else if (now)
		buf_addf(to, "%s=" CI_DATA NO_LIMIT "\n", directive);
}

static void add_limits(const struct step_ctx *ctx, const struct wanted *w, struct buf *to)
{
	const struct profile_limits *l = &ctx->profile->api.limits;

	if (l->cpus > 0)
		buf_addf(to, "CPUQuota=%u%%\n", (unsigned int)(l->cpus * 100 + 0.5));
	add_bytes(to, "MemoryMax", l->memory);
	if (l->memory) /* what is over it is killed, not swapped */
		buf_adds(to, "MemorySwapMax=0\n");
	add_bytes(to, "TasksMax", l->tasks);
	add_bandwidth(ctx, to, IO_READ, l->io_read);
	add_bandwidth(ctx, to, IO_WRITE, l->io_write);
}

static const char *const dns_protocols[] = { "udp", "tcp" };

/* Ports of jobs, where the profile says so; and names, for a namespace in which the loopback of the
 * host is another one. The resolver sees its own host ask: it may serve nobody else. */
static void add_host_rules(const struct step_ctx *ctx, const struct wanted *w, struct buf *to)
{
	for (size_t i = 0; i < ARRAY_SIZE(dns_protocols); i++) {
		const char *protocol = dns_protocols[i];

		if (ctx->profile->api.publish)
			buf_addf(to,
				 "add rule inet docker_ci prerouting iifname != \"" CI_LINK "\" "
				 "fib daddr type local ip protocol %s %s dport %s dnat ip to %s\n",
				 protocol, protocol, ctx->profile->api.publish, w->ci);
		if (w->resolver)
			buf_addf(to,
				 "add rule inet docker_ci prerouting iifname \"" CI_LINK "\" "
				 "ip daddr %s %s dport 53 dnat ip to %s\n",
				 w->host, protocol, w->resolver);
	}
	if (w->resolver)
		buf_addf(to,
			 "add chain inet docker_ci asks { type nat hook input priority 100; }\n"
			 "add rule inet docker_ci asks iifname \"" CI_LINK
			 "\" ip daddr %s snat ip to 127.0.0.1\n",
			 w->resolver);
}

static void add_inside_rules(const struct step_ctx *ctx, const struct wanted *w, struct buf *to)
{
	for (size_t i = 0; w->resolver && i < ARRAY_SIZE(dns_protocols); i++)
		buf_addf(to,
			 "add rule ip docker_ci_dns output ip daddr %s %s dport 53 dnat to %s\n",
			 w->resolver, dns_protocols[i], w->host);
}

enum part { BASE, FRONT, OTHER };

static const struct {
	const char *template, *path;
	enum part part; /* who has to be restarted when it changes */
	void (*more)(const struct step_ctx *ctx, const struct wanted *w, struct buf *to);
} files[] = {
	{ "docker-ci-inside.nft", CI_DIR "/inside.nft", BASE, add_inside_rules },
	{ "docker-ci-host.nft", CI_DIR "/host.nft", FRONT, add_host_rules },
	{ "docker-ci-containerd.toml", CI_DIR "/containerd.toml", BASE, NULL },
	{ "docker-ci-net.service", SYSTEM_DIR "docker-ci-net.service", BASE, NULL },
	{ "docker-ci-firewall.service", SYSTEM_DIR "docker-ci-firewall.service", FRONT, NULL },
	{ "docker-ci-containerd.service", SYSTEM_DIR "docker-ci-containerd.service", BASE, NULL },
	{ "dockerci.slice", SLICE_FILE, OTHER, add_limits },
	{ "docker-ci.socket", SYSTEM_DIR "docker-ci.socket", FRONT, add_addresses },
	{ "docker-ci.service", SYSTEM_DIR "docker-ci.service", FRONT, NULL },
	{ "docker-ci-prune.service", SYSTEM_DIR "docker-ci-prune.service", OTHER, NULL },
	{ "docker-ci-prune.timer", SYSTEM_DIR "docker-ci-prune.timer", FRONT, NULL },
};

static const struct {
	const char *dir, *unit;
} links[] = {
	{ SYSTEM_DIR "multi-user.target.wants", "docker-ci.service" },
	{ SYSTEM_DIR "timers.target.wants", "docker-ci-prune.timer" },
	{ SYSTEM_DIR "docker.service.wants", "docker-ci-firewall.service" },
	{ SYSTEM_DIR "nftables.service.wants", "docker-ci-firewall.service" },
};

static void note(struct wanted *w, enum part part)
{
	switch (part) {
	case BASE:
		w->base = true;
		return;
	case FRONT:
		w->front = true;
		return;
	case OTHER:
		w->other = true;
	}
}

static int plan_files(struct plan *p, const struct step_ctx *ctx, struct wanted *w, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct buf text CLEANUP(buf_release) = BUF_INIT;

		if (render(ctx, w, files[i].template, &text, err))
			return -1;
		if (files[i].more)
			files[i].more(ctx, w, &text);
		if (api_add_file(p, ctx, STEP, files[i].path, 0644, &text, RANK_FILES))
			note(w, files[i].part);
	}
	return 0;
}

static void plan_links(struct plan *p, const struct step_ctx *ctx, struct wanted *w)
{
	size_t before = p->n;

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		char *path CLEANUP(freep) = path_join(links[i].dir, links[i].unit),
			   *target CLEANUP(freep) = xasprintf("../%s", links[i].unit);

		api_add_dir(p, ctx, STEP, links[i].dir, RANK_FILES);
		api_add_link(p, ctx, STEP, path, target, RANK_FILES);
	}
	w->other = w->other || p->n > before;
}

/* ---- its daemon.json ---- */

static void add_pools(struct json *to, const struct wanted *w)
{
	char *bip CLEANUP(freep) = xasprintf("%s.0.1/24", w->prefix),
		  *base CLEANUP(freep) = xasprintf("%s.16.0/20", w->prefix);
	struct json *pool = json_obj(), *pools = json_arr();

	json_set_str(to, "bip", bip);
	json_set_str(pool, "base", base);
	json_set_i64(pool, "size", 26);
	json_add(pools, pool);
	json_set(to, "default-address-pools", pools);
}

static void add_runtimes(struct json *to, const struct step_ctx *ctx)
{
	char *runc CLEANUP(freep) = sysbox_runc(ctx);
	struct json *runtime, *runtimes;

	if (!sysbox_wanted(ctx))
		return;
	runtime = json_obj();
	runtimes = json_obj();
	json_set_str(runtime, "path", runc);
	json_set(runtimes, SYSBOX_RUNTIME, runtime);
	json_set(to, "runtimes", runtimes);
	if (ctx->profile->api.default_runtime)
		json_set_str(to, "default-runtime", SYSBOX_RUNTIME);
}

static struct json *list_of(const char *one)
{
	struct json *ret = json_arr();

	json_add(ret, json_str(one));
	return ret;
}

static struct json *settings(const struct step_ctx *ctx, const struct wanted *w)
{
	struct json *j = json_obj(), *log = json_obj();

	json_set_str(j, "data-root", CI_DATA "/docker");
	json_set_str(j, "exec-root", CI_RUN "/docker");
	json_set_str(j, "pidfile", CI_RUN "/docker.pid");
	json_set_bool(j, "live-restore", true);
	add_pools(j, w);
	if (w->resolver)
		json_set(j, "dns", list_of(w->host));
	json_set(j, "exec-opts", list_of("native.cgroupdriver=systemd"));
	json_set_str(j, "cgroup-parent", "dockerci.slice");
	json_set_str(j, "log-driver", "json-file");
	json_set_str(log, "max-size", "10m");
	json_set_str(log, "max-file", "3");
	json_set(j, "log-opts", log);
	add_runtimes(j, ctx);
	json_set_bool(j, "tlsverify", true);
	json_set_str(j, "tlscacert", CI_DIR "/" API_CA_NAME);
	json_set_str(j, "tlscert", CI_DIR "/" API_SERVER_NAME "/cert.pem");
	json_set_str(j, "tlskey", CI_DIR "/" API_SERVER_NAME "/key.pem");
	return j;
}

/* One key a line: it is read by people, and shown as a diff. */
static void print_settings(const struct json *j, struct buf *ret)
{
	const char *before = "{\n";

	for
		json_each (m, j) {
			struct buf value CLEANUP(buf_release) = BUF_INIT;

			json_print(m, &value);
			buf_addf(ret, "%s\t\"%s\": %s", before, json_key(m), value.data);
			before = ",\n";
		}
	buf_adds(ret, "\n}\n");
}

static void plan_settings(struct plan *p, const struct step_ctx *ctx, struct wanted *w)
{
	struct json *j CLEANUP(json_freep) = settings(ctx, w);
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	print_settings(j, &text);
	if (api_add_file(p, ctx, STEP, CI_DIR "/daemon.json", 0644, &text, RANK_FILES))
		w->front = true;
}

/* ---- plan ---- */

static void plan_warnings(struct plan *p, const struct step_ctx *ctx, const struct wanted *w)
{
	plan_warn(
		p, STEP ": " API_WARNING "%s",
		ctx->profile->api.default_runtime ?
			"; Sysbox is the default there, and a client may ask for another runtime" :
			"");
	if (w->resolver)
		plan_warn(
			p,
			STEP
			": the resolver %s is on the loopback of this host: packets of jobs to port 53 of %s are let in there",
			w->resolver, w->host);
}

static bool is_up(const struct step_ctx *ctx, const char *key)
{
	const struct action_ctx as = { .host = ctx->host, .root = ctx->host->root };
	const struct json *entry = json_get(ctx->index, key);
	struct buf found CLEANUP(buf_release) = BUF_INIT;

	return entry && action_kind("units")->drift(entry, key, &as, &found) == STATE_OK;
}

static void plan_units(struct plan *p, const struct step_ctx *ctx, const struct wanted *w)
{
	bool base = json_get(ctx->index, BASE_KEY), front = is_here(ctx);

	if (w->base || w->front || w->other) {
		plan_add(p,
			 action_reload(STEP, RELOAD_SYSTEMD, "docker-ci.service", RELOAD_ON_UNDO));
		plan_add(p, action_reload(STEP, RELOAD_SYSTEMD, "docker-ci.service",
					  RELOAD_ON_COMMIT));
	}
	if (w->base || !is_up(ctx, BASE_KEY))
		plan_add(p, action_units_of(STEP, base_units, CI_SOCKET, w->base && base));
	if (w->base || w->front || !is_up(ctx, CI_UNITS_KEY))
		plan_add(p, action_units(STEP, front_units, NULL, front && (w->base || w->front)));
}

static int plan_present(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	struct wanted w CLEANUP(wanted_release) = { .base = false };
	size_t before;

	if (refuse_here(ctx, err) || find_wanted(ctx, &w, err))
		return -1;
	before = p->n;
	if (api_plan_keys(p, ctx, STEP, CI_DIR, RANK_FILES, err))
		return -1;
	w.front = p->n > before;
	if (!root_exists(ctx->host->root, CI_DATA))
		plan_add(p, action_data_dir(STEP, CI_DATA, 0711));
	plan_settings(p, ctx, &w);
	if (plan_files(p, ctx, &w, err))
		return -1;
	plan_links(p, ctx, &w);
	plan_units(p, ctx, &w);
	plan_warnings(p, ctx, &w);
	return 0;
}

static int plan_image(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	struct wanted w CLEANUP(wanted_release) = { .base = false };

	if (!ctx->host->docker.binary)
		return err_set(err, ERR_REFUSED,
			       "a dedicated daemon needs a Docker, which is not in this image");
	return find_programs(ctx, &w, err) || api_leave(p, ctx, STEP, err) ? -1 : 0;
}

static int plan(struct plan *p, const struct step_ctx *ctx, struct err *err)
{
	if (!is_wanted(ctx))
		return take_back_plan(p, ctx->state, STEP, err);
	return ctx->host->running ? plan_present(p, ctx, err) : plan_image(p, ctx, err);
}

const struct step step_daemon = {
	.name = STEP,
	.summary = "a Docker daemon for CI alone, behind mutual TLS",
	.wanted = concerned,
	.plan = plan,
	.verify = daemon_verify,
};
