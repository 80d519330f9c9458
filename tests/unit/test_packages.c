/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/kinds.h"
#include "actions/packages_data.h"
#include "debs.h"
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

/* ---- what is in a package file ---- */

struct member {
	char type;
	const char *path, *link, *text;
	unsigned int mode;
};

#define PACKAGE_FILE "/pool/d.deb"
#define CONF "fe3209d6d4f51935b391288a43df48d9ddece1a992597ae53387ca16611a9179"

/* Set-id and hard links, as a distribution's may have. */
static const struct member shipped[] = {
	{ '5', "./", "", "", 0755 },
	{ '5', "./etc/", "", "", 0755 },
	{ '0', "./etc/d.conf", "", "a=1\n", 0644 },
	{ '1', "./etc/e.conf", "./etc/d.conf", "", 0644 },
	{ '5', "./usr/", "", "", 0755 },
	{ '5', "./usr/bin/", "", "", 0755 },
	{ '0', "./usr/bin/d", "", "program", 04755 },
	{ '2', "./usr/bin/l", "d", "", 0777 },
	{ '5', "./usr/lib/", "", "", 0755 },
	{ '5', "./usr/lib/systemd/", "", "", 0755 },
	{ '5', "./usr/lib/systemd/system/", "", "", 0755 },
	{ '0', "./usr/lib/systemd/system/d.service", "", "[Unit]\n", 0644 },
	{ '2', "./usr/lib/systemd/system/e.service", "d.service", "", 0777 },
};

static void put_deb(struct world *w, const struct member *v, size_t n)
{
	static const char control[] = CONTROL("d", "1", "amd64"),
			  conffiles[] = "/etc/d.conf\n/etc/e.conf\nremove-on-upgrade /etc/old.conf\n";
	struct buf deb CLEANUP(buf_release) = BUF_INIT, tar CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	tar_add(&tar, '0', "./control", 0644, "", control, strlen(control));
	tar_add(&tar, '0', "./conffiles", 0644, "", conffiles, strlen(conffiles));
	tar_end(&tar);
	ar_add(&deb, "debian-binary", "2.0\n", 4);
	ar_add(&deb, "control.tar", tar.data, tar.len);
	buf_clear(&tar);
	for (size_t i = 0; i < n; i++)
		tar_add(&tar, v[i].type, v[i].path, v[i].mode, v[i].link, v[i].text,
			strlen(v[i].text));
	tar_end(&tar);
	ar_add(&deb, "data.tar", tar.data, tar.len);
	CHECK_INT(fs_mkdir_path(&w->s.root, "/pool", 0755, &err), 0);
	int fd CLEANUP(closep) = openat(w->s.fd, "pool/d.deb", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK_INT(io_write_all(fd, deb.data, deb.len), 0);
}

static void check_json(const struct json *j, const char *want)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (j)
		json_print(j, &text);
	CHECK_STR(text.data, want);
}

TEST(recorded, "a package's units, its conffiles and what it ships as these are recorded, out of its file")
{
	struct pkg_op op = { .what = PKG_INSTALL, .name = (char *)"d", .new_version = (char *)"1",
			     .arch = (char *)"amd64", .file = (char *)PACKAGE_FILE };
	struct packages d = { .plan = { &op, 1 } };
	struct err err = ERR_INIT;
	struct world w;

	world_open(&w);
	put_deb(&w, shipped, ARRAY_SIZE(shipped));
	CHECK_INT(packages_record(&d, &w.ctx, &err), 0);
	CHECK_STR(err.msg, "");
	check_json(json_get(d.before, "units"), "[\"d.service\",\"e.service\"]");
	check_json(json_get(d.before, "conffiles"), "[\"/etc/d.conf\",\"/etc/e.conf\",\"/etc/old.conf\"]");
	check_json(json_get(d.before, "shipped"), "{\"/etc/d.conf\":[\"" CONF "\"],\"/etc/e.conf\":[\"" CONF "\"]}");
	json_free(d.before);
	d.before = NULL;
	put(&w.s, "pool/d.deb", "!<arch>\n");
	CHECK_INT(packages_record(&d, &w.ctx, &err), -1);
	CHECK_INT(err.kind, ERR_REFUSED);
	CHECK_STR(err.msg, "'" PACKAGE_FILE "' is not an intact Debian package: a part of it is missing");
	CHECK(!d.before);
	world_close(&w);
}

/* dpkg's list has the top as "/.". */
static void put_installed(struct world *w)
{
	static const char *const dirs[] = { "/usr/bin", "/usr/lib/systemd/system", "/var/lib/dpkg/info" };
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		CHECK_INT(fs_mkdir_path(&w->s.root, dirs[i], 0755, &err), 0);
	put(&w->s, "var/lib/dpkg/status",
	    "Package: d\nStatus: install ok installed\nVersion: 1\nConffiles:\n /etc/d.conf 0\n /etc/e.conf 0\n");
	put(&w->s, "var/lib/dpkg/info/d.list",
	    "/.\n/etc\n/etc/d.conf\n/etc/e.conf\n/usr\n/usr/bin\n/usr/bin/d\n/usr/bin/l\n/usr/lib\n/usr/lib/systemd\n"
	    "/usr/lib/systemd/system\n/usr/lib/systemd/system/d.service\n/usr/lib/systemd/system/e.service\n");
	put(&w->s, "etc/d.conf", "edited");
	put(&w->s, "usr/bin/d", "program");
	put(&w->s, "usr/lib/systemd/system/d.service", "[Unit]\n");
	CHECK(!symlinkat("d", w->s.fd, "usr/bin/l"));
	CHECK(!symlinkat("d.service", w->s.fd, "usr/lib/systemd/system/e.service"));
}

static void check_same(const struct world *w, bool want)
{
	struct err err = ERR_INIT;
	bool same = !want;

	CHECK_INT(packages_is_installed(&w->ctx, PACKAGE_FILE, "d", &same, &err), 0);
	CHECK_STR(err.msg, "");
	CHECK_INT(same, want);
}

TEST(same_build, "a package file is that of what is installed if each file and link is; conffiles and what was left out aside")
{
	struct member more[ARRAY_SIZE(shipped) + 1] = { 0 };
	struct world w;

	world_open(&w);
	put_deb(&w, shipped, ARRAY_SIZE(shipped));
	put_installed(&w);
	check_same(&w, true);
	CHECK(!unlinkat(w.s.fd, "usr/bin/d", 0));		/* path-exclude */
	check_same(&w, true);
	put(&w.s, "usr/bin/d", "another");
	check_same(&w, false);
	CHECK(!unlinkat(w.s.fd, "usr/bin/d", 0) && !symlinkat("program", w.s.fd, "usr/bin/d"));
	check_same(&w, false);
	CHECK(!unlinkat(w.s.fd, "usr/bin/d", 0) && !mkdirat(w.s.fd, "usr/bin/d", 0755));
	check_same(&w, false);
	CHECK(!unlinkat(w.s.fd, "usr/bin/d", AT_REMOVEDIR));
	put(&w.s, "usr/bin/d", "program");
	CHECK(!unlinkat(w.s.fd, "usr/bin/l", 0) && !symlinkat("other", w.s.fd, "usr/bin/l"));
	check_same(&w, false);
	CHECK(!unlinkat(w.s.fd, "usr/bin/l", 0) && !symlinkat("d", w.s.fd, "usr/bin/l"));
	check_same(&w, true);
	memcpy(more, shipped, sizeof(shipped));
	more[ARRAY_SIZE(shipped)] = (struct member){ '0', "./usr/bin/more", "", "x", 0755 };
	put_deb(&w, more, ARRAY_SIZE(more));
	check_same(&w, false);
	put_deb(&w, shipped, ARRAY_SIZE(shipped) - 1);
	check_same(&w, false);
	world_close(&w);
}

RUN_TESTS()
