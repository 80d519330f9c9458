/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/kinds.h"
#include "actions/packages_data.h"
#include "docker/flags.h"
#include "journal/txnlog.h"
#include "scratch.h"

/* A host with apt whose database says nothing, and a transaction that was about to install jq. */
struct world {
	struct scratch s;
	struct distro distro;
	struct host host;
	struct state state;
	struct txnlog log;
	struct action_ctx ctx;
};

static void world_open(struct world *w)
{
	static const char *const dirs[] = { "/usr/bin", "/etc", "/var/lib/dpkg/updates", "/var/lib/apt" };
	struct json *begin CLEANUP(json_freep) = json_obj();
	struct err err = ERR_INIT;

	*w = (struct world){ .state = STATE_INIT, .log = TXNLOG_INIT, .distro = { .package_manager = (char *)"apt" } };
	scratch_open(&w->s);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		CHECK_INT(fs_mkdir_path(&w->s.root, dirs[i], 0755, &err), 0);
	put(&w->s, "usr/bin/dpkg", "");
	put(&w->s, "usr/bin/apt-get", "");
	put(&w->s, "var/lib/dpkg/status", "");
	CHECK_INT(state_open(&w->state, &w->s.root, STATE_CREATE, &err), 0);
	CHECK_INT(txnlog_begin(&w->log, &w->state, begin, &err), 0);
	w->host = (struct host){ .root = &w->s.root, .running = true, .distro = &w->distro };
	w->ctx = (struct action_ctx){ .host = &w->host, .root = &w->s.root, .state = &w->state,
				      .log = &w->log, .tag = "000001.0" };
	CHECK_STR(err.msg, "");
}

static void world_close(struct world *w)
{
	txnlog_release(&w->log);
	state_release(&w->state);
	scratch_close(&w->s);
}

static const char about_to_install[] =
	"{\"kind\":\"packages\",\"key\":\"packages\",\"step\":\"x\",\"rank\":0,\"data\":{\"names\":[\"jq\"],"
	"\"plan\":[{\"what\":\"install\",\"name\":\"jq\",\"new_version\":\"1\",\"arch\":\"amd64\"}],"
	"\"before\":{\"packages\":{\"jq\":{}},\"marks\":false,\"paths\":{},\"dirs\":[],\"units\":[],"
	"\"conffiles\":[],\"temps\":[]}}}";

static void undo(struct world *w)
{
	struct json *j CLEANUP(json_freep) = NULL;
	struct action *a CLEANUP(action_freep) = NULL;
	struct err err = ERR_INIT;

	CHECK_INT(json_parse(about_to_install, strlen(about_to_install), JSON_STRICT, "it", &j, &err), 0);
	CHECK_INT(action_decode(j, &a, &err), 0);
	if (a)
		CHECK_INT(a->ops->undo(a, &w->ctx, &err), 0);
	CHECK_STR(err.msg, "");
}

TEST(nothing_done, "killed before dpkg did anything: what the shield and dpkg had made for themselves goes")
{
	struct world w;
	struct err err = ERR_INIT;

	world_open(&w);
	CHECK_INT(fs_mkdir_path(&w.s.root, STATE_DIR "/shield", 0700, &err), 0);
	put(&w.s, "var/lib/sysboxup/shield/made-etc-docker", "");
	CHECK(!mkdirat(w.s.fd, "etc/docker", 0755));
	put(&w.s, "var/lib/dpkg/updates/tmp.i", "");
	undo(&w);
	CHECK(!root_exists(&w.s.root, "/etc/docker"));
	CHECK(!root_exists(&w.s.root, "/var/lib/dpkg/updates/tmp.i"));
	CHECK(!root_exists(&w.s.root, STATE_DIR "/shield/made-etc-docker"));
	undo(&w);
	world_close(&w);
}

TEST(marking_killed, "what a killed apt-mark was writing goes; a file that only looks like it stays")
{
	struct world w;
	struct err err = ERR_INIT;

	world_open(&w);
	CHECK_INT(fs_mkdir_path(&w.s.root, "/var/lib/apt", 0755, &err), 0);
	put(&w.s, "var/lib/apt/extended_states.Vft7ke", "");
	put(&w.s, "var/lib/apt/extended_states.backup1", "");
	put(&w.s, "var/lib/apt/extended_states.my-own", "");
	undo(&w);
	CHECK(!root_exists(&w.s.root, "/var/lib/apt/extended_states.Vft7ke"));
	CHECK(root_exists(&w.s.root, "/var/lib/apt/extended_states.backup1"));
	CHECK(root_exists(&w.s.root, "/var/lib/apt/extended_states.my-own"));
	world_close(&w);
}

TEST(sockets, "every unix socket of the daemon is hidden from scripts, the activated one too")
{
	struct strv argv CLEANUP(strv_release) = STRV_INIT, got CLEANUP(strv_release) = STRV_INIT;
	struct docker_flags flags CLEANUP(docker_flags_release) = { 0 };
	struct host h = { .docker = { .socket = (char *)"/run/other.sock", .flags = &flags } };
	struct err err = ERR_INIT;

	strv_addv(&argv, (const char *const[]){ "dockerd", "-H", "fd://", "-H", "unix:///run/other.sock",
						"--host=unix:///srv/x.sock", "-H", "tcp://127.0.0.1:2376", NULL });
	CHECK_INT(docker_flags_from_argv(&flags, &argv, "x", &err), 0);
	packages_sockets(&h, &got);
	char *list CLEANUP(freep) = strv_join(&got, " ");
	CHECK_STR(list, "/run/docker.sock /run/other.sock /run/other.sock /srv/x.sock");
}

TEST(hold_found, "only what is installed and wanted is held: a hold, or another wish, of somebody else's is no change of ours")
{
	static const char status[] = "Package: a\nStatus: install ok installed\nVersion: 1\n\n"
				     "Package: b\nStatus: hold ok installed\nVersion: 1\n\n"
				     "Package: c\nStatus: deinstall ok installed\nVersion: 1\n\n"
				     "Package: d\nStatus: deinstall ok config-files\nVersion: 1\n";
	struct strv names CLEANUP(strv_release) = STRV_INIT, ours CLEANUP(strv_release) = STRV_INIT;
	struct json *j CLEANUP(json_freep) = json_obj(), *entry CLEANUP(json_freep) = NULL;
	struct buf text CLEANUP(buf_release) = BUF_INIT, found CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;
	struct world w;

	world_open(&w);
	put(&w.s, "var/lib/dpkg/status", status);
	strv_addv(&names, (const char *const[]){ "a", "b", "c", "d", "e", NULL });
	strv_add(&ours, "x");
	struct action *a CLEANUP(action_freep) = action_hold("test", &names, &ours);
	CHECK_INT(a->ops->prepare(a, &w.ctx, &err), 0);
	CHECK_STR(err.msg, "");
	a->ops->encode(a, j);
	json_print(j, &text);
	CHECK_STR(text.data, "{\"changes\":{\"a\":{\"from\":\"install\",\"to\":\"hold\"}},\"ours\":[\"x\"]}");
	entry = a->ops->index(a, &w.s.root);
	buf_clear(&text);
	json_print(entry, &text);
	CHECK_STR(text.data, "{\"packages\":[\"x\",\"a\"]}");
	CHECK_INT(a->ops->drift(entry, a->key, &w.ctx, &found), STATE_BAD);
	CHECK_STR(found.data, "not on hold any more: a");
	world_close(&w);
}

RUN_TESTS()
