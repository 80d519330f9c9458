/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/api.h"
#include "docker/impact.h"
#include "dockerd_help.h"

static struct docker_api *api_of(const struct stand_in *d)
{
	struct docker_api *a = NULL;
	struct err err = ERR_INIT;

	CHECK_INT(docker_api_open(&a, d->socket, &err), 0);
	return a;
}

TEST(refusals, "an answer outside of 2xx is an error with Docker's own words, made harmless")
{
	static const struct answer answers[] = {
		{ "GET /json", 500, "{ \"message\": \"no such thing\" }" },
		{ "GET /text", 503, "plain\x1b[31m words\n" },
		{ "POST /empty", 409, "" },
		{ NULL, 0, NULL },
	};
	const struct { const char *method, *path, *message; } cases[] = {
		{ "GET", "/json", "Docker refuses GET /json: no such thing (HTTP 500)" },
		{ "GET", "/text", "Docker refuses GET /text: plain\\x1b[31m words (HTTP 503)" },
		{ "POST", "/empty", "Docker refuses POST /empty: no reason given (HTTP 409)" },
		{ "DELETE", "/x", "Docker refuses DELETE /x: page not found (HTTP 404)" },
	};
	struct stand_in d;

	stand_in_open(&d, answers);
	struct docker_api *a CLEANUP(docker_api_closep) = api_of(&d);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = ERR_INIT;
		struct json *j = NULL;
		long status = 0;

		CHECK_INT(docker_api_call(a, cases[i].method, cases[i].path, NULL, 20, NULL, &j,
					  &err),
			  -1);
		CHECK_STR(err.msg, cases[i].message);
		CHECK(!j);
		/* who asks for the status decides alone */
		CHECK_INT(docker_api_call(a, cases[i].method, cases[i].path, NULL, 20, &status,
					  NULL, &err),
			  0);
		CHECK(status >= 400);
	}
	stood_down(&d);
}

TEST(silence, "nobody there, a connection that is closed, no answer in time: errors that name the socket")
{
	static const struct answer answers[] = {
		{ "GET /closed", 0, NULL },
		{ "GET /never", -1, NULL },
		{ "GET /_ping", 500, "" },
		{ NULL, 0, NULL },
	};
	struct stand_in d;
	struct err err = ERR_INIT;
	struct buf raw CLEANUP(buf_release) = BUF_INIT;

	stand_in_open(&d, answers);
	struct docker_api *a CLEANUP(docker_api_closep) = api_of(&d);
	CHECK(!docker_api_ping(a, 20000));
	CHECK_INT(docker_api_get_raw(a, "/closed", 20, &raw, &err), -1);
	CHECK(strstr(err.msg, "Docker does not answer on '") && strstr(err.msg, "(GET /closed): "));
	CHECK_INT(docker_api_get_raw(a, "/never", 1, &raw, &err), -1);
	CHECK(strstr(err.msg, "(GET /never): "));
	CHECK_INT(raw.len, 0);
	stood_down(&d);
	CHECK_INT(docker_api_post_raw(a, "/x", "application/x-tar", "a", 1, 20, &raw, &err), -1);
	CHECK(strstr(err.msg, d.socket) != NULL);
	CHECK(!docker_api_ping(a, 1000));
	CHECK(!docker_bridge_address(a));
}

TEST(answers, "a body that is no JSON is an error, none at all is null; raw answers are passed on as they are")
{
	static const struct answer answers[] = {
		{ "GET /half", 200, "{ \"a\":" },
		{ "GET /none", 204, "" },
		{ "POST /load", 200, "loaded\n" },
		{ "GET /logs", 200, "\001\002 line\n" },
		{ "GET /_ping", 200, "OK" },
		{ "GET /version", 200, "{ \"ApiVersion\": \"1.41\" }" },
		{ NULL, 0, NULL },
	};
	struct stand_in d;
	struct err err = ERR_INIT;
	struct json *j CLEANUP(json_freep) = NULL;
	struct buf raw CLEANUP(buf_release) = BUF_INIT;
	char *version = NULL;

	stand_in_open(&d, answers);
	struct docker_api *a CLEANUP(docker_api_closep) = api_of(&d);
	CHECK(docker_api_ping(a, 20000));
	CHECK_INT(docker_api_call(a, "GET", "/half", NULL, 20, NULL, &j, &err), -1);
	CHECK(strstr(err.msg, "Docker's answer to GET /half") != NULL);
	CHECK_INT(docker_api_call(a, "GET", "/none", NULL, 20, NULL, &j, &err), 0);
	CHECK_INT(json_type(j), JSON_NULL);
	CHECK_INT(docker_api_post_raw(a, "/load", "application/x-tar", "tar", 3, 20, &raw, &err), 0);
	CHECK_INT(docker_api_get_raw(a, "/logs", 20, &raw, &err), 0);
	CHECK_STR(raw.data, "loaded\n\001\002 line\n");
	CHECK_INT(docker_version(a, &version, &err), -1);
	CHECK_STR(err.msg, "Docker's answer to GET /version names no version");
	CHECK(!version);
	stood_down(&d);
}

TEST(bridge, "the address of the bridge is the IPv4 one, and unknown where none is said")
{
	static const struct answer both[] = {
		{ "GET /networks/bridge", 200,
		  "{ \"IPAM\": { \"Config\": [ { \"Subnet\": \"fd00::/64\", \"Gateway\": \"fd00::1\" }, { \"Subnet\": \"172.18.0.0\" },"
		  " { \"Subnet\": \"172.17.0.0/16\", \"Gateway\": \"172.17.0.1\" } ] } }" },
		{ NULL, 0, NULL },
	};
	static const struct answer none[] = {
		{ "GET /networks/bridge", 200, "{ \"IPAM\": { \"Config\": [] } }" },
		{ NULL, 0, NULL },
	};
	struct stand_in d;

	for (int i = 0; i < 2; i++) {
		stand_in_open(&d, i ? none : both);
		struct docker_api *a CLEANUP(docker_api_closep) = api_of(&d);
		char *address CLEANUP(freep) = docker_bridge_address(a);
		CHECK_STR(address, i ? NULL : "172.17.0.1/16");
		stood_down(&d);
	}
}

#define LIST "[ { \"Id\": \"aa\" }, { \"Id\": \"bb\" }, { \"Id\": \"cc\" }, { \"Id\": \"gone\" }, { } ]"
#define RUNNING_RM \
	"{ \"Id\": \"aa\", \"Name\": \"/job\", \"State\": { \"Status\": \"running\", \"Pid\": 71 }," \
	"  \"HostConfig\": { \"Runtime\": \"runc\", \"AutoRemove\": true } }"
#define STOPPED_ALWAYS                                                                  \
	"{ \"Id\": \"bb\", \"Name\": \"/db\", \"State\": { \"Status\": \"exited\" },"    \
	"  \"HostConfig\": { \"RestartPolicy\": { \"Name\": \"always\" } } }"
#define BETWEEN                                                                            \
	"{ \"Id\": \"cc\", \"State\": { \"Status\": \"restarting\" },"                      \
	"  \"HostConfig\": { \"RestartPolicy\": { \"Name\": \"always\" } } }"

TEST(containers, "containers are asked for one by one; one that is gone meanwhile is none, one that cannot be asked an error")
{
	static const struct answer answers[] = {
		{ "GET /containers/json?all=1", 200, LIST },
		{ "GET /containers/aa/json", 200, RUNNING_RM },
		{ "GET /containers/bb/json", 200, STOPPED_ALWAYS },
		{ "GET /containers/cc/json", 200, BETWEEN },
		{ "GET /containers/json", 200, "[ { \"Id\": \"aa\" }, { \"Id\": \"ill\" } ]" },
		{ "GET /containers/ill/json", 500, "{ \"message\": \"ill\" }" },
		{ NULL, 0, NULL },
	};
	struct stand_in d;
	struct err err = ERR_INIT;
	struct docker_container *c = NULL;
	size_t n = 0;

	stand_in_open(&d, answers);
	struct docker_api *a CLEANUP(docker_api_closep) = api_of(&d);
	CHECK_INT(docker_containers(a, true, &c, &n, &err), 0);
	CHECK_INT(n, 3);
	CHECK(n == 3 && c[0].auto_remove && c[0].pid == 71);
	CHECK_STR(n == 3 ? c[0].name : NULL, "job");
	CHECK_STR(n == 3 ? c[1].restart_policy : NULL, "always");
	CHECK_STR(n == 3 ? c[2].name : NULL, "");
	docker_containers_free(c, n);
	c = NULL;
	CHECK_INT(docker_containers(a, false, &c, &n, &err), -1);
	CHECK_STR(err.msg, "Docker refuses GET /containers/ill/json (HTTP 500)");
	CHECK(!c);
	stood_down(&d);
}

/* What a restart does to these containers, and what is said of it; info is Docker's, to the
 * profile's wish. */
static void impact(const char *info, const char *to, bool allow, const char *want)
{
	const struct answer answers[] = {
		{ "GET /info", 200, info },
		{ "GET /containers/json?all=1", 200, LIST },
		{ "GET /containers/aa/json", 200, RUNNING_RM },
		{ "GET /containers/bb/json", 200, STOPPED_ALWAYS },
		{ "GET /containers/cc/json", 200, BETWEEN },
		{ NULL, 0, NULL },
	};
	struct stand_in d;
	struct err err = ERR_INIT;
	struct host h = { 0 };
	struct docker_impact i;
	struct json *before CLEANUP(json_freep) = NULL, *after CLEANUP(json_freep) = NULL;

	CHECK_INT(json_parse("{}", 2, JSON_STRICT, "before", &before, &err), 0);
	CHECK_INT(json_parse(to, strlen(to), JSON_STRICT, "after", &after, &err), 0);
	stand_in_open(&d, answers);
	struct docker_api *a CLEANUP(docker_api_closep) = api_of(&d);
	CHECK_INT(docker_restart_impact(&h, a, before, after, &i, &err), 0);
	CHECK_INT(i.running, 1);
	CHECK_INT(docker_impact_refuse(&i, allow, &err), want ? -1 : 0);
	CHECK_STR(want ? err.msg : want, want);
	docker_impact_release(&i);
	stood_down(&d);
}

TEST(impacts, "who suffers from a restart is named, worst first; what damages containers is refused whatever is allowed")
{
	static const char old[] = "{ \"ServerVersion\": \"20.10.24\" }", new[] = "{ \"ServerVersion\": \"26.1.5\" }";
	static const char always[] = "a restart of Docker starts stopped containers with restart=always: db";

	impact(old, "{}", false, "a restart of Docker removes containers that run with --rm: job");
	impact("{ }", "{}", false, "a restart of Docker removes containers that run with --rm: job");
	impact(new, "{}", false, always);
	impact(new, "{ \"bip\": \"10.9.0.1/24\" }", false, always);
	impact(new, "{ \"bip\": \"10.9.0.1/24\" }", true, NULL);
	impact(new, "{ \"data-root\": \"/srv\" }", true, "cannot be changed while containers run: data-root");
	impact(new, "{ \"features\": { \"containerd-snapshotter\": true } }", true,
	       "cannot be changed while containers run: features.containerd-snapshotter");
}

TEST(losses, "without --rm and restart=always, what does not go with live-restore is named; without containers nothing is")
{
	char bip[] = "bip", *names[] = { bip, NULL };
	struct docker_impact i = { .running = 2, .keep_containers = true };
	struct err err = ERR_INIT;

	CHECK_INT(docker_impact_refuse(&i, false, &err), 0);
	i.bridge_keys = (struct strv){ .v = names, .n = 1 };
	CHECK_INT(docker_impact_refuse(&i, false, &err), -1);
	CHECK_STR(err.msg, "has no effect while containers run: bip");
	CHECK_STR(err.remedy, "allow it with --allow-restart, or with docker.allow_restart in the profile");
	i.bridge_keys.n = 0;
	i.keep_containers = false;
	CHECK_INT(docker_impact_refuse(&i, false, &err), -1);
	CHECK_STR(err.msg, "a restart of Docker stops 2 containers: an authorization plugin given by flag does not go with live-restore");
	i.swarm = true;
	CHECK_INT(docker_impact_refuse(&i, false, &err), -1);
	CHECK_STR(err.msg, "a restart of Docker stops 2 containers: swarm does not go with live-restore");
	i.running = 0;
	CHECK_INT(docker_impact_refuse(&i, false, &err), 0);
}

RUN_TESTS()
