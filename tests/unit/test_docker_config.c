/* SPDX-License-Identifier: Apache-2.0 */
/* docker/config.c, check.c, cidr.c, probe.c: the parts that need no daemon. */
#include "test.h"

#include "docker/cidr.h"
#include "docker/daemon.h"
#include "docker/keys.h"
#include "docker/probe.h"

#include <sys/stat.h>
#include <unistd.h>

static struct json *parse(const char *text)
{
	struct json *j = NULL;
	struct err err = ERR_INIT;

	if (text && json_parse(text, strlen(text), JSON_STRICT, "test", &j, &err)) {
		printf("# %s: %s\n", text, err.msg);
		abort();
	}
	return j;
}

/* --- takeup --- */

static const char *takeup(const char *from, const char *to)
{
	static const char *const names[] = {
		[TAKEUP_NONE] = "none", [TAKEUP_RELOAD] = "reload", [TAKEUP_RESTART] = "restart"
	};
	struct json *a CLEANUP(json_freep) = parse(from), *b CLEANUP(json_freep) = parse(to);

	return names[docker_config_takeup(a, b, NULL)];
}

TEST(takeups, "reload for what a reload takes up or can take back, restart for the rest, nothing for spelling")
{
	CHECK_STR(takeup(NULL, NULL), "none");
	CHECK_STR(takeup(NULL, "{}"), "none");
	CHECK_STR(takeup("{\"a\":1,\"debug\":true}", "{\"debug\":true, \"a\":1.0}"), "none");
	CHECK_STR(takeup("{}", "{\"runtimes\":{\"x\":{\"path\":\"/x\"}}}"), "reload");
	CHECK_STR(takeup("{\"runtimes\":{\"x\":{\"path\":\"/x\"}}}", "{}"), "reload");
	CHECK_STR(takeup("{\"live-restore\":true}", NULL), "reload");
	CHECK_STR(takeup("{}", "{\"default-ipc-mode\":\"private\"}"), "reload");
	CHECK_STR(takeup("{\"default-ipc-mode\":\"private\"}", "{}"), "restart");
	CHECK_STR(takeup("{}", "{\"bip\":\"10.0.0.1/24\"}"), "restart");
	CHECK_STR(takeup("{\"bip\":\"10.0.0.1/24\"}", "{\"debug\":true}"), "restart");
	CHECK_STR(takeup("{}", "{\"features\":{\"time-namespaces\":false}}"), "restart");
	CHECK_STR(takeup("{}", "{\"authorization-plugins\":[\"x\"]}"), "restart");
	CHECK_STR(takeup("{}", "{\"never-heard-of\":1}"), "restart");
}

TEST(takeup_keys, "the keys that differ are named once")
{
	struct json *a CLEANUP(json_freep) = parse("{\"a\":1,\"b\":2,\"c\":3}"),
		       *b CLEANUP(json_freep) = parse("{\"b\":9,\"c\":3,\"d\":4}");
	struct strv keys CLEANUP(strv_release) = STRV_INIT;

	docker_config_takeup(a, b, &keys);
	char *all CLEANUP(freep) = strv_join(&keys, " ");
	CHECK_STR(all, "a b d");
}

TEST(classes, "the table's classes")
{
	CHECK_INT(docker_key_class("runtimes"), KEY_RELOAD);
	CHECK_INT(docker_key_class("icc"), KEY_BRIDGE);
	CHECK_INT(docker_key_class("data-root"), KEY_REFUSED_RUNNING);
	CHECK_INT(docker_key_class("hosts"), KEY_RESTART);
	CHECK_INT(docker_key_class("config-file"), KEY_UNKNOWN);
	for (const struct docker_key *k = docker_keys; k->key || k->flag; k++)
		for (const struct docker_key *o = k + 1; o->key || o->flag; o++) {
			CHECK(!k->key || !o->key || strcmp(k->key, o->key));
			CHECK(!k->flag || !o->flag || strcmp(k->flag, o->flag));
			CHECK(!k->letter || k->letter != o->letter);
		}
}

/* --- stages: "takeup text" lines with blanks of the text squeezed out --- */

static const char *bridge;

static const char *stages(const char *flags, const char *from, const char *to, bool keep)
{
	static const char *const names[] = {
		[TAKEUP_NONE] = "none", [TAKEUP_RELOAD] = "reload", [TAKEUP_RESTART] = "restart"
	};
	static struct buf out = BUF_INIT;
	struct strv argv CLEANUP(strv_release) = STRV_INIT;
	struct docker_flags f CLEANUP(docker_flags_release) = { 0 };
	struct buf a CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;
	struct docker_stage *s = NULL;
	struct err err = ERR_INIT;
	size_t n = 0;

	str_words(&argv, flags);
	CHECK_INT(docker_flags_from_argv(&f, &argv, "test", &err), 0);
	buf_adds(&a, from ? from : "");
	buf_adds(&b, to ? to : "");
	buf_clear(&out);
	struct docker_way way = { .flags = &f, .keep_containers = keep, .bridge = bridge };
	if (docker_config_stages(&way, from ? &a : NULL, to ? &b : NULL, &s, &n, &err))
		return "error";
	for (size_t i = 0; i < n; i++) {
		buf_addf(&out, "%s%s ", i ? "\n" : "", names[s[i].takeup]);
		for (const char *c = s[i].absent ? "absent" : s[i].text.data; *c; c++)
			if (!strchr(" \n\t", *c))
				buf_addc(&out, *c);
	}
	docker_stages_free(s, n);
	return out.data;
}

#define SYSBOX "{\"runtimes\":{\"sysbox-runc\":{\"path\":\"/usr/bin/sysbox-runc\"}}}"
#define SYSBOX_DEFAULT \
	"{\"runtimes\":{\"sysbox-runc\":{\"path\":\"/usr/bin/sysbox-runc\"}}," \
	"\"default-runtime\":\"sysbox-runc\"}"

TEST(stages_simple, "nothing for the same bytes, no takeup for the same meaning, one reload, one restart")
{
	CHECK_STR(stages("dockerd", "{}", "{}", true), "");
	CHECK_STR(stages("dockerd", NULL, NULL, true), "");
	CHECK_STR(stages("dockerd", "{}", "{ }", true), "none {}");
	CHECK_STR(stages("dockerd", NULL, "{}", true), "none {}");
	CHECK_STR(stages("dockerd", "{}", SYSBOX, true), "reload " SYSBOX);
	CHECK_STR(stages("dockerd", "{}", "{\"bip\":\"10.0.0.1/24\"}", false),
		  "restart {\"bip\":\"10.0.0.1/24\"}");
}

TEST(stages_back, "taking a runtime back: explicit runtimes and default in one reload, then the final bytes")
{
	CHECK_STR(
		stages("dockerd", SYSBOX, "{\"debug\":true}", true),
		"reload {\"debug\":true,\"runtimes\":{},\"default-runtime\":\"runc\"}\nreload "
		"{\"debug\":true}");
	CHECK_STR(
		stages("dockerd", SYSBOX_DEFAULT, SYSBOX, true),
		"reload {\"runtimes\":{\"sysbox-runc\":{\"path\":\"/usr/bin/sysbox-runc\"}},"
		"\"default-runtime\":\"runc\"}\nreload " SYSBOX);
	CHECK_STR(stages("dockerd", SYSBOX, NULL, true),
		  "reload {\"runtimes\":{},\"default-runtime\":\"runc\"}\nnone absent");
	CHECK_STR(stages("dockerd", "{\"live-restore\":true,\"labels\":[\"a=b\"]}", "{}", true),
		  "reload {\"live-restore\":false,\"labels\":[]}\nreload {}");
}

TEST(stages_dance, "a restart with containers that run: live-restore before, an explicit false after, the final bytes last")
{
	CHECK_STR(
		stages("dockerd", "{}", "{\"bip\":\"10.0.0.1/24\"}", true),
		"reload {\"live-restore\":true}\nrestart {\"bip\":\"10.0.0.1/24\","
		"\"live-restore\":true}\n"
		"reload {\"bip\":\"10.0.0.1/24\",\"live-restore\":false}\nnone "
		"{\"bip\":\"10.0.0.1/24\"}");
	CHECK_STR(stages("dockerd", "{\"live-restore\":true}",
			 "{\"live-restore\":true,\"mtu\":1400}", true),
		  "restart {\"live-restore\":true,\"mtu\":1400}");
	CHECK_STR(stages("dockerd", "{}", "{\"live-restore\":true,\"mtu\":1400}", true),
		  "reload {\"live-restore\":true}\nrestart {\"live-restore\":true,\"mtu\":1400}");
	CHECK_STR(stages("dockerd", "{\"live-restore\":true,\"mtu\":1400}", NULL, true),
		  "restart {\"live-restore\":true}\nreload {\"live-restore\":false}\nnone absent");
	CHECK_STR(
		stages("dockerd", NULL, "{\"live-restore\":false,\"mtu\":1400}", true),
		"reload {\"live-restore\":true}\nrestart {\"live-restore\":true,\"mtu\":1400}\n"
		"reload {\"live-restore\":false,\"mtu\":1400}");
}

TEST(stages_flags, "flags that a reload would forget make a restart; --live-restore needs no dance")
{
	CHECK_STR(stages("dockerd --authorization-plugin=x", "{}", SYSBOX, true),
		  "restart " SYSBOX);
	CHECK_STR(stages("dockerd --add-runtime=kata=/k", "{}", "{\"debug\":true}", true),
		  "reload {\"debug\":true}");
	CHECK_STR(stages("dockerd --add-runtime kata=/k", "{}", SYSBOX, false), "restart " SYSBOX);
	CHECK_STR(stages("dockerd --live-restore", "{}", "{\"mtu\":1400}", true),
		  "restart {\"mtu\":1400}");
}

TEST(stages_bip, "taking bip back says the address of before once more, where it is known")
{
	const char *with = "{\"bip\":\"10.0.0.1/24\",\"mtu\":1400}";

	CHECK_STR(stages("dockerd", with, "{\"mtu\":1400}", false), "restart {\"mtu\":1400}");
	bridge = "172.17.0.1/16";
	CHECK_STR(stages("dockerd", with, "{\"mtu\":1400}", false),
		  "restart {\"mtu\":1400,\"bip\":\"172.17.0.1/16\"}\nnone {\"mtu\":1400}");
	CHECK_STR(stages("dockerd", "{\"bip\":\"10.0.0.1/24\"}", NULL, false),
		  "restart {\"bip\":\"172.17.0.1/16\"}\nnone absent");
	CHECK_STR(stages("dockerd", "{\"bip\":\"10.0.0.1/24\"}", "{}", true),
		  "reload {\"bip\":\"10.0.0.1/24\",\"live-restore\":true}\n"
		  "restart {\"bip\":\"172.17.0.1/16\",\"live-restore\":true}\n"
		  "reload {\"bip\":\"172.17.0.1/16\",\"live-restore\":false}\n"
		  "none {\"bip\":\"172.17.0.1/16\"}\nnone {}");
	CHECK_STR(stages("dockerd", "{\"bip\":\"10.0.0.1/24\"}", "{\"bridge\":\"br7\"}", false),
		  "restart {\"bridge\":\"br7\"}");
	bridge = NULL;
}

TEST(stages_error, "a text that nobody can parse has no stages")
{
	CHECK_STR(stages("dockerd", "{bad", "{}", false), "error");
	CHECK_STR(stages("dockerd", "{}", "[]", false), "error");
}

TEST(expectations, "what /info must say after a stage that takes the default runtime back")
{
	struct buf a CLEANUP(buf_release) = BUF_INIT, b CLEANUP(buf_release) = BUF_INIT;
	struct docker_stage *s = NULL;
	struct err err = ERR_INIT;
	size_t n = 0;

	buf_adds(&a, SYSBOX_DEFAULT);
	buf_adds(&b, "{}");
	struct docker_way way = { .keep_containers = true };
	CHECK_INT(docker_config_stages(&way, &a, &b, &s, &n, &err), 0);
	CHECK_INT(n, 2);
	for (size_t i = 0; i < n; i++) {
		CHECK(strv_has(&s[i].expect.absent, "sysbox-runc"));
		CHECK_STR(s[i].expect.default_runtime, "runc");
		CHECK_INT(s[i].expect.live_restore, -1);
	}
	struct json *good CLEANUP(json_freep) =
		parse("{\"Runtimes\":{\"runc\":{}},\"DefaultRuntime\":\"runc\"}");
	struct json *bad CLEANUP(json_freep) = parse(
		"{\"Runtimes\":{\"runc\":{},\"sysbox-runc\":{}},\"DefaultRuntime\":\"runc\"}");
	char *none = docker_expect_unmet(&s[1].expect, good),
	     *some CLEANUP(freep) = docker_expect_unmet(&s[1].expect, bad);
	CHECK_STR(none, NULL);
	CHECK_STR(some, "runtime 'sysbox-runc' is still there");
	docker_stages_free(s, n);
}

/* --- checks, in an image: nothing is run --- */

static char tree[64];
static struct root root = ROOT_INIT;

/* With them, a host that runs: its kernel's tables of routes and of TCP. */
static const char *proc_route, *proc_tcp;

static void proc_put(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/proc/net", tree);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/proc/net/%s", tree, name);
	FILE *f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
}

static void proc_make(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/proc", tree);
	mkdir(path, 0755);
	proc_put("route", proc_route);
	proc_put("tcp", proc_tcp);
}

static void proc_remove(void)
{
	static const char *const names[] = { "/net/route", "/net/tcp", "/net", "" };
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/proc%s", tree, names[i]);
		remove(path);
	}
}

static const char *check_with(const char *version, const char *flags, const char *now,
			      const char *text, unsigned int *warnings)
{
	static struct err err;
	struct host h = { 0 };
	struct strv argv CLEANUP(strv_release) = STRV_INIT,
			 planned CLEANUP(strv_release) = STRV_INIT;
	struct docker_flags f CLEANUP(docker_flags_release) = { 0 };
	struct json *current CLEANUP(json_freep) = parse(now);
	struct report rep = { 0 };
	struct err e = ERR_INIT;

	memcpy(tree, "/tmp/test_docker_config.XXXXXX", 31);
	if (!mkdtemp(tree) || root_open(&root, tree, &e))
		abort();
	str_words(&argv, flags);
	docker_flags_from_argv(&f, &argv, "/etc/default/docker", &e);
	strv_add(&planned, "/usr/bin/sysbox-runc");
	h.root = &root;
	h.docker.version = (char *)version;
	h.docker.config_file = (char *)"/etc/docker/daemon.json";
	h.docker.flags = &f;
	if (proc_route) {
		proc_make();
		h.running = true;
	}
	err = (struct err)ERR_INIT;
	int r = docker_config_check(&h, current, text, strlen(text), &planned, &rep, &err);
	CHECK(!r || err.kind == ERR_REFUSED);
	if (warnings)
		*warnings = rep.warnings;
	root_release(&root);
	proc_remove();
	rmdir(tree);
	return r ? err.msg : "ok";
}

static const char *check(const char *text)
{
	return check_with("26.1.5", "dockerd", NULL, text, NULL);
}

TEST(check_good, "what dockerd takes is let through")
{
	static const char *const good[] = {
		"{}",
		"",
		"  \n",
		SYSBOX,
		SYSBOX_DEFAULT,
		"\xef\xbb\xbf{}",
		"{\"bip\":\"10.1.0.1/24\",\"fixed-cidr\":\"10.1.0.128/25\"}",
		"{\"default-address-pools\":[{\"base\":\"10.1.0.0/16\",\"size\":24},"
		"{\"base\":\"10.2.0.0/16\",\"size\":24},{\"base\":\"fd00::/56\",\"size\":64}]}",
		"{\"log-opts\":{\"max-size\":\"10m\",\"max-file\":\"3\"}}",
		"{\"default-ulimits\":{\"nofile\":{\"Name\":\"nofile\",\"Soft\":1,\"Hard\":2}}}",
		"{\"insecure-registries\":[\"a:5000\",\"10.0.0.0/8\"],"
		"\"registry-mirrors\":[\"https://x\"]}",
		"{\"default-runtime\":\"io.containerd.runc.v2\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CHECK_STR(check(good[i]), "ok");
}

TEST(check_bad, "each defect is refused in words of its own")
{
	static const struct { const char *text, *words;
	} bad[] = {
		{ "null", "'/etc/docker/daemon.json' is not an object but null" },
		{ "[]", "is not an object" },
		{ "{\"debug\":true,\"debug\":false}", "debug" },
		{ "{\"debug\":true,}", "line 1" },
		{ "{} x", "line 1" },
		{ "{\"bogus\":{\"debug\":true}}", "'bogus' is no key that dockerd knows" },
		{ "{\"Debug\":true}", "did you mean 'debug'?" },
		{ "{\"default-runtime\":\"sysbox-runc\"}",
		  "default-runtime 'sysbox-runc' is not among the runtimes" },
		{ "{\"runtimes\":{\"runc\":{\"path\":\"/usr/bin/sysbox-runc\"}}}",
		  "runtime 'runc' has a name that dockerd keeps for itself" },
		{ "{\"runtimes\":{\"x\":{\"path\":\"/usr/bin/x\"}}}",
		  "runtime 'x' has a program that does not exist: '/usr/bin/x'" },
		{ "{\"runtimes\":{\"x\":{\"path\":\"sysbox-runc\",\"runtimeType\":\"y\"}}}",
		  "has both" },
		{ "{\"runtimes\":{\"x\":{\"path\":\"sysbox-runc\",\"args\":[]}}}",
		  "'runtimeArgs'" },
		{ "{\"bip\":\"10.1.0.1/24\",\"bridge\":\"br0\"}",
		  "'bip' and 'bridge' exclude each other" },
		{ "{\"icc\":false,\"iptables\":false}", "'icc': false needs iptables" },
		{ "{\"bip\":\"10.1.0.0/24\"}", "is the network's address" },
		{ "{\"bip\":\"10.1.0.300/24\"}", "is no IPv4 address" },
		{ "{\"bip\":\"10.1.0.1/24\",\"fixed-cidr\":\"10.2.0.0/25\"}",
		  "fixed-cidr '10.2.0.0/25' is not inside bip" },
		{ "{\"default-address-pools\":[{\"base\":\"10.1.0.0/16\",\"size\":24},"
			"{\"base\":\"10.1.2.0/24\",\"size\":24}]}",
		  "overlap" },
		{ "{\"default-address-pools\":[{\"base\":\"10.1.0.0/16\",\"size\":8}]}",
		  "cannot be cut" },
		{ "{\"tlsverify\":true}", "'tlsverify' without 'tlscacert'" },
		{ "{\"tlscert\":\"/none\"}",
		  "'tlscert' names a file that does not exist: '/none'" },
		{ "{\"data-root\":\"x\"}", "'data-root' is no absolute path: 'x'" },
		{ "{\"log-opts\":{\"max-size\":\"big\"}}", "max-size 'big' is no size" },
		{ "{\"log-opts\":{\"max-file\":\"0\"}}", "max-file '0'" },
		{ "{\"default-ulimits\":{\"nofile\":{\"Name\":\"nofile\",\"Soft\":3,\"Hard\":2}}}",
		  "soft limit above" },
		{ "{\"default-ulimits\":{\"nofil\":{\"Soft\":1,\"Hard\":2}}}",
		  "'nofil' is no limit" },
		{ "{\"insecure-registries\":[\"http://a\"]}", "'http://a' is no host" },
		{ "{\"registry-mirrors\":[\"a\"]}", "'a' is no http or https address" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *got = check(bad[i].text);
		CHECK(strstr(got, bad[i].words));
		if (!strstr(got, bad[i].words))
			printf("# %s: <%s>\n", bad[i].text, got);
	}
}

TEST(check_old_defect, "a defect that was there before is a warning, one that is made worse is not")
{
	unsigned int warnings = 0;
	const char *foreign = "{\"runtimes\":{\"x\":{\"path\":\"/gone\"}}}";

	CHECK_STR(check_with("26.1.5", "dockerd", foreign,
			     "{\"runtimes\":{\"x\":{\"path\":\"/gone\"}},\"debug\":true}",
			     &warnings),
		  "ok");
	CHECK_INT(warnings, 1);
	CHECK(strstr(check_with("26.1.5", "dockerd", foreign,
				"{\"runtimes\":{\"x\":{\"path\":\"/other\"}}}", NULL),
		     "does not exist"));
	CHECK(strstr(check_with("26.1.5", "dockerd", foreign, "{\"default-runtime\":\"x\"}", NULL),
		     "not among"));
}

TEST(check_flags, "a key that a flag gives too is refused with file and line; runtimes are exempt")
{
	CHECK_STR(
		check_with("26.1.5", "dockerd --bip=10.1.0.1/24", NULL, "{\"bip\":\"10.1.0.1/24\"}",
			   NULL),
		"'bip' is given as a flag too (--bip=10.1.0.1/24 in '/etc/default/docker'): "
		"dockerd refuses a key that is in both places");
	CHECK(strstr(check_with("26.1.5", "dockerd -H fd://", NULL, "{\"hosts\":[\"fd://\"]}",
				NULL),
		     "--host=fd://"));
	CHECK(strstr(check_with("26.1.5", "dockerd --label a=b", NULL, "{\"labels\":[]}", NULL),
		     "'labels' is given as a flag too"));
	CHECK_STR(check_with("26.1.5", "dockerd --add-runtime=k=/k", NULL,
			     "{\"runtimes\":{},\"default-runtime\":\"k\"}", NULL),
		  "ok");
	CHECK_STR(check_with("26.1.5", "dockerd -s overlay2", "{\"storage-driver\":\"x\"}",
			     "{\"storage-driver\":\"x\"}", NULL),
		  "ok");
}

TEST(check_running, "on a host that runs: a port in use is refused, a network that overlaps a route is a warning, if they are new")
{
	unsigned int warnings = 0;

	proc_route = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
		     "eth0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
		     "eth0\t0000630A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
		     "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
	proc_tcp = "  sl  local_address rem_address   st\n"
		   "   0: 0100007F:0947 00000000:0000 0A 00000000:00000000\n"
		   "   1: 0100007F:0948 0100007F:1000 01 00000000:00000000\n";
	CHECK_STR(check_with("20.10.24", "dockerd", NULL, "{\"hosts\":[\"tcp://127.0.0.1:2375\"]}", NULL),
		  "'hosts' has 'tcp://127.0.0.1:2375', but something listens on port 2375 already");
	CHECK_STR(check_with("20.10.24", "dockerd", "{\"hosts\":[\"tcp://127.0.0.1:2375\"]}",
			     "{\"hosts\":[\"tcp://127.0.0.1:2375\"]}", NULL), "ok");
	CHECK_STR(check_with("20.10.24", "dockerd", NULL, "{\"hosts\":[\"tcp://127.0.0.1:2376\",\"unix:///run/x\",\"tcp://x:http\"]}", NULL), "ok");
	CHECK_STR(check_with("20.10.24", "dockerd", NULL, "{\"bip\":\"10.99.0.1/24\"}", &warnings), "ok");
	CHECK_INT(warnings, 1);
	CHECK_STR(check_with("20.10.24", "dockerd", "{\"bip\":\"10.99.0.1/24\"}", "{\"bip\":\"10.99.0.1/24\"}", &warnings), "ok");
	CHECK_INT(warnings, 0);
	CHECK_STR(check_with("20.10.24", "dockerd", NULL,
			     "{\"default-address-pools\":[{\"base\":\"10.99.0.0/16\",\"size\":24},{\"base\":\"172.17.0.0/16\",\"size\":24}]}", &warnings),
		  "ok");
	CHECK_INT(warnings, 1);
	proc_route = proc_tcp = NULL;
}

TEST(check_odd, "a log driver that is nobody's is a warning, a runtime is looked for as a program would be, 1 MiB is the most")
{
	unsigned int warnings = 0;
	size_t size = 1024 * 1024 + 1;
	char *big CLEANUP(freep) = xmalloc(size + 1);

	CHECK_STR(check_with("26.1.5", "dockerd", NULL, "{\"log-driver\":\"mine\"}", &warnings), "ok");
	CHECK_INT(warnings, 1);
	CHECK_STR(check_with("26.1.5", "dockerd", "{\"log-driver\":\"mine\"}", "{\"log-driver\":\"mine\"}", &warnings), "ok");
	CHECK_INT(warnings, 0);
	CHECK_STR(check_with("26.1.5", "dockerd", NULL, "{\"log-driver\":\"journald\",\"log-opts\":{\"max-size\":\"x\"}}", &warnings), "ok");
	CHECK_INT(warnings, 0);
	CHECK_STR(check("{\"runtimes\":{\"x\":{\"path\":\"no-such-runc\"}}}"),
		  "runtime 'x' has a program that does not exist: 'no-such-runc'");
	CHECK_STR(check("{\"runtimes\":{\"x\":{\"path\":\"sysbox-runc\"}}}"), "ok");
	CHECK_STR(check("{\"runtimes\":{\"x\":7}}"), "runtime 'x' is no object");
	CHECK_STR(check("{\"runtimes\":{\"x\":{}}}"), "runtime 'x' has neither 'path' nor 'runtimeType'");
	memset(big, ' ', size);
	big[size] = '\0';
	CHECK_STR(check(big), "'/etc/docker/daemon.json' would be larger than 1 MiB");
}

TEST(check_versions, "an empty file and a byte order mark are refused for versions that refuse them")
{
	CHECK(strstr(check_with("20.10.24+dfsg1", "dockerd", NULL, "", NULL),
		     "empty, which Docker 20.10.24+dfsg1 does not accept"));
	CHECK(strstr(check_with("20.10.24+dfsg1", "dockerd", NULL, "\xef\xbb\xbf{}", NULL),
		     "byte order mark"));
	CHECK(strstr(check_with("20.10.24", "dockerd", NULL, "{\"ipv6\":true}", NULL),
		     "fixed-cidr-v6"));
	CHECK_STR(check_with("28.0.0", "dockerd", NULL, "{\"ipv6\":true}", NULL), "ok");
}

/* --- small parts --- */

TEST(cidrs, "networks: containing, overlapping, malformed")
{
	struct cidr a, b;

	CHECK_INT(cidr_parse("10.0.0.0/8", &a), 0);
	CHECK_INT(cidr_parse("10.200.3.1/24", &b), 0);
	CHECK(cidr_contains(&a, &b) && !cidr_contains(&b, &a) && cidr_overlaps(&b, &a));
	CHECK_INT(cidr_parse("11.0.0.0/24", &b), 0);
	CHECK(!cidr_overlaps(&a, &b));
	CHECK_INT(cidr_parse("0.0.0.0/0", &a), 0);
	CHECK(cidr_overlaps(&a, &b));
	static const char *const bad[] = { "",         "1.2.3.4",  "1.2.3.4/33", "1.2.3/8",
					   "fd00::/8", "1.2.3.4/", NULL };
	for (size_t i = 0; bad[i]; i++)
		CHECK_INT(cidr_parse(bad[i], &a), -1);
	CHECK_INT(cidr_parse(NULL, &a), -1);
}

TEST(probe_log, "the multiplexed log: frames joined, stderr left out, cut frames refused")
{
	struct docker_probe p = { 0 };
	static const char whole[] = "\1\0\0\0\0\0\0\7     0 \2\0\0\0\0\0\0\3xyz\1\0\0\0\0\0\0\15" "165536 65536\n";
	static const char own[] = "\1\0\0\0\0\0\0\40         0          0 4294967295";

	CHECK_INT(docker_probe_parse(whole, sizeof(whole) - 1, &p), 0);
	CHECK(p.ran && p.userns);
	CHECK_INT(p.uid_start, 165536);
	CHECK_INT(p.uid_count, 65536);
	CHECK_INT(docker_probe_parse(own, sizeof(own) - 1, &p), 0);
	CHECK(!p.userns);
	CHECK_INT(docker_probe_parse(whole, sizeof(whole) - 9, &p), -1);
	CHECK_INT(docker_probe_parse("", 0, &p), -1);
}

TEST(probe_tar, "the image is whole blocks with a right checksum and an ELF inside")
{
	struct buf tar CLEANUP(buf_release) = BUF_INIT;
	unsigned int sum = 8 * ' ';

	docker_probe_tar(&tar);
	CHECK_INT(tar.len % 512, 0);
	for (size_t i = 0; i < 512; i++)
		if (i < 148 || i >= 156)
			sum += (unsigned char)tar.data[i];
	CHECK_INT(strtoul(tar.data + 148, NULL, 8), sum);
	CHECK(!memcmp(tar.data + 512, "\177ELF", 4));
}

RUN_TESTS()
