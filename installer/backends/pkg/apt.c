/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/pkg/apt.h"

#include "backends/pkg/aptsim.h"
#include "backends/pkg/dpkgdb.h"
#include "sys/fs.h"
#include "sys/proc.h"

#include <errno.h>
#include <unistd.h>

enum { APT_SECONDS = 120, DOWNLOAD_SECONDS = 1800 };

static bool apt_usable(const struct host *h)
{
	return h->running && h->distro && str_eq(h->distro->package_manager, "apt") &&
	       root_exists(h->root, "/usr/bin/dpkg") && root_exists(h->root, "/usr/bin/apt-get");
}

static int apt_status(const struct host *h, const char *package, struct pkg_status *ret,
		      struct err *err)
{
	return dpkgdb_look(h->root, package, ret, err);
}

/*
 * "??5?????? c /etc/x": nine letters, "5" among them where the content differs; "missing   " likewise.
 * What is missing below /usr/share may never have been unpacked: minimal systems say path-exclude.
 */
static void take_changed(const char *line, struct strv *ret)
{
	const char *path = strchr(line, '/');
	bool missing = str_starts(line, "missing");

	if (!path || path < line + 2 || path[-2] == 'c' ||
	    (missing && str_starts(path, "/usr/share/")))
		return;
	if (missing || str_starts(line, "??5"))
		strv_add(ret, path);
}

static int ask(const char *const *argv, struct buf *ret, int *ret_status, struct err *err)
{
	struct buf said CLEANUP(buf_release) = BUF_INIT;
	struct proc p = PROC_INIT;

	p.argv = argv;
	p.ret_out = ret;
	p.ret_errout = &said;
	return proc_run(&p, ret_status, err);
}

static int apt_changed(const struct host *h, const char *package, struct strv *ret, struct err *err)
{
	const char *const argv[] = { "dpkg", "--verify", package, NULL };
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	int status;

	if (ask(argv, &out, &status, err))
		return -1;
	str_split(&lines, out.data, '\n');
	for (size_t i = 0; i < lines.n; i++)
		take_changed(lines.v[i], ret);
	/* some versions exit with 1 when there is anything to say */
	return !status || ret->n || out.len ?
		       0 :
		       err_set(err, ERR_FAILED, "dpkg --verify %s failed", package);
}

static int apt_owned(const struct host *h, const char *path, bool *ret, struct err *err)
{
	const char *const argv[] = { "dpkg-query", "--search", path, NULL };
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	int status;

	if (ask(argv, &out, &status, err))
		return -1;
	*ret = !status;
	return 0;
}

static int apt_audit(const struct host *h, struct err *err)
{
	struct buf status CLEANUP(buf_release) = BUF_INIT;
	struct strv bad CLEANUP(strv_release) = STRV_INIT;
	size_t pending;

	if (dpkgdb_updates(h->root, &pending, err) || dpkgdb_read(h->root, &status, err))
		return -1;
	dpkgdb_unsettled(&status, &bad);
	char *names CLEANUP(freep) = strv_join(&bad, ", ");
	if (bad.n)
		err_set(err, ERR_REFUSED, "packages were left half-installed before us: %s", names);
	else if (pending)
		err_set(err, ERR_REFUSED, "dpkg was interrupted: %zu pending entries in '%s/updates'", pending, DPKG_DIR);
	else
		return 0;
	return err_remedy(err, "dpkg --configure -a, then try again");
}

static int apt_lock(const struct host *h, unsigned int seconds, struct report *rep, struct err *err)
{
	return frontend_lock(h->root, seconds, rep, err);
}

static void apt_unlock(const struct host *h)
{
	frontend_unlock();
}

/*
 * Without NoLocking apt refuses while we hold the frontend lock; private caches, so that nothing
 * outside of state_dir is written.
 */
static void apt_argv(struct strv *argv, const char *state_dir, const char *const *mode,
		     const char *const *wants)
{
	static const char *const fixed[] = { "-qq",
					     "--no-remove",
					     "--no-install-recommends",
					     "--allow-downgrades",
					     "-o",
					     "Debug::NoLocking=1",
					     "-o",
					     "Dir::Cache::pkgcache=",
					     "-o",
					     "Dir::Cache::srcpkgcache=",
					     "-o",
					     "APT::Sandbox::User=root",
					     NULL };

	strv_add(argv, "apt-get");
	strv_addv(argv, fixed);
	strv_add(argv, "-o");
	strv_addf(argv, "Dir::Cache::archives=%s", state_dir);
	strv_addv(argv, mode);
	strv_add(argv, "install");
	strv_addv(argv, wants);
}

/* The lines that say why: "E: ..." and the explanation of unmet dependencies before it. */
static void apt_why(const struct buf *out, const struct buf *errout, struct buf *ret)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	str_split(&lines, out->data, '\n');
	str_split(&lines, errout->data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const char *line = lines.v[i] + strspn(lines.v[i], " ");
		if (!str_starts(line, "E: ") && !strstr(line, "Depends: ") &&
		    !strstr(line, "onflicts: ") && !strstr(line, "Breaks: "))
			continue;
		buf_addf(ret, "%s%s", ret->len ? "; " : "",
			 str_starts(line, "E: ") ? line + 3 : line);
	}
}

static int apt_run(const struct strv *argv, unsigned int seconds, struct report *log,
		   struct buf *out, struct err *err)
{
	struct buf errout CLEANUP(buf_release) = BUF_INIT, why CLEANUP(buf_release) = BUF_INIT;
	static const char *const env[] = { "DEBIAN_FRONTEND=noninteractive", NULL };
	struct proc p = PROC_INIT;
	char quoted[768];
	int status;

	p.argv = (const char *const *)argv->v;
	p.env = env;
	p.timeout = seconds;
	p.log = log;
	p.ret_out = out;
	p.ret_errout = &errout;
	if (proc_run(&p, &status, err))
		return -1;
	if (!status)
		return 0;
	apt_why(out, &errout, &why);
	err_quote(quoted, sizeof(quoted), why.len ? why.data : "no reason given");
	return err_set(err, ERR_REFUSED, "apt cannot install what is needed: %s", quoted);
}

static int make_archives(const struct host *h, const char *state_dir, struct err *err)
{
	char *partial CLEANUP(freep) = path_join(state_dir, "partial");

	return fs_mkdir_path(h->root, partial, 0700, err);
}

/* wants are package names and paths of .deb files; the file of a package is NAME_... of one of
 * them. */
static const char *want_file(const char *const *wants, const char *name)
{
	size_t len = strcspn(name, ":");

	for (; *wants; wants++) {
		const char *base = path_basename(*wants);
		if (**wants == '/' && !strncmp(base, name, len) && base[len] == '_')
			return *wants;
	}
	return NULL;
}

static int refuse_op(const struct pkg_op *op, const char *const *wants, struct err *err)
{
	switch (op->what) {
	case PKG_REMOVE:
		return err_set(err, ERR_REFUSED, "'%s' %s would have to be removed", op->name,
			       op->old_version);
	case PKG_CONFIGURE_STRANGER:
		err_set(err, ERR_REFUSED, "package '%s' was left half-configured before us", op->name);
		return err_remedy(err, "dpkg --configure -a, then try again");
	case PKG_UPGRADE:
		if (want_file(wants, op->name))
			return 0;
		err_set(err, ERR_REFUSED, "'%s' would have to be upgraded from %s to %s", op->name,
			op->old_version, op->new_version);
		return err_remedy(err, "upgrade it yourself first: apt-get install %s", op->name);
	case PKG_INSTALL:
		return 0;
	}
	return 0;
}

static int refuse_held(const struct pkg_op *op, const struct buf *status, const struct buf *marks,
		       struct err *err)
{
	struct pkg_status s;

	dpkgdb_status(status, marks, op->name, &s);
	bool held = s.known && str_eq(s.want, "hold");
	pkg_status_release(&s);
	if (!held)
		return 0;
	err_set(err, ERR_REFUSED, "package '%s' is on hold", op->name);
	return err_remedy(err, "apt-mark unhold %s, then try again", op->name);
}

static int check_plan(const struct host *h, struct pkg_plan *plan, const char *const *wants,
		      struct err *err)
{
	struct buf status CLEANUP(buf_release) = BUF_INIT, marks CLEANUP(buf_release) = BUF_INIT;

	if (dpkgdb_read(h->root, &status, err) || dpkgdb_read_marks(h->root, &marks, err))
		return -1;
	dpkgdb_qualify(&status, plan);
	for (size_t i = 0; i < plan->n; i++)
		if (refuse_op(&plan->v[i], wants, err) ||
		    refuse_held(&plan->v[i], &status, &marks, err))
			return -1;
	return 0;
}

/* apt does not name the package that is held, where that is why. */
static int say_held(const struct host *h, struct err *err)
{
	struct buf status CLEANUP(buf_release) = BUF_INIT;
	struct strv held CLEANUP(strv_release) = STRV_INIT;
	struct err ignored = ERR_INIT;

	if (!strstr(err->msg, "held") || dpkgdb_read(h->root, &status, &ignored))
		return -1;
	dpkgdb_held(&status, &held);
	if (!held.n)
		return -1;
	char *list CLEANUP(freep) = strv_join(&held, " ");
	return err_remedy(err, "on hold are: %s; apt-mark unhold what is in the way, then try again", list);
}

static int apt_resolve(const struct host *h, const char *const *wants, const char *state_dir,
		       struct pkg_plan *ret, struct report *rep, struct err *err)
{
	static const char *const mode[] = { "-s", NULL };
	struct strv argv CLEANUP(strv_release) = STRV_INIT;
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	struct pkg_plan plan CLEANUP(pkg_plan_release) = { 0 };

	apt_argv(&argv, state_dir, mode, wants);
	if (make_archives(h, state_dir, err))
		return -1;
	if (apt_run(&argv, APT_SECONDS, rep, &out, err))
		return say_held(h, err);
	if (aptsim_parse(out.data, &plan, err) || check_plan(h, &plan, wants, err))
		return -1;
	*ret = plan;
	plan = (struct pkg_plan){ 0 };
	return 0;
}

/* apt leaves packages of "file:" sources where they are; we need a copy that nobody else
 * changes. */
static int copy_local(const struct root *r, const char *from, const char *hash, const char *dir,
		      const char *name, struct err *err)
{
	char hex[DIGEST_HEX + 1];

	int in CLEANUP(closep) = root_openat(r, from, O_RDONLY, 0);
	if (in < 0)
		return err_errno(err, errno, "cannot open '%s'", from);
	int dirfd CLEANUP(closep) = root_openat(r, dir, O_RDONLY | O_DIRECTORY, 0);
	if (dirfd < 0)
		return err_errno(err, errno, "cannot open '%s'", dir);
	int out CLEANUP(closep) = io_openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (out < 0)
		return err_errno(err, errno, "cannot write '%s/%s'", dir, name);
	if (fs_copy_fd(in, out, UINT64_MAX, hex, err))
		return -1;
	if (hash && str_starts(hash, "SHA256:") && strcmp(hash + strlen("SHA256:"), hex))
		return err_set(err, ERR_REFUSED, "'%s' is not what apt's index says it is", from);
	return 0;
}

static int fetch_local(const struct host *h, const struct buf *uris, const char *dir,
		       struct err *err)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	str_split(&lines, uris->data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		struct apt_uri u CLEANUP(apt_uri_release) = { 0 };
		if (!apt_uri_parse(lines.v[i], &u))
			continue;
		char *path CLEANUP(freep) = apt_uri_path(u.uri);
		if (path && copy_local(h->root, path, u.hash, dir, path_basename(u.file), err))
			return -1;
	}
	return 0;
}

static int hash_op(const struct root *r, struct pkg_op *op, const char *dir, const char *given,
		   struct err *err)
{
	char *name CLEANUP(freep) = apt_archive_name(op);
	char *path CLEANUP(freep) = given ? xstrdup(given) : path_join(dir, name);
	struct digest *d CLEANUP(digest_freep) = digest_new();
	char chunk[65536];
	ssize_t got;

	int fd CLEANUP(closep) = root_openat(r, path, O_RDONLY, 0);
	if (fd < 0)
		return err_errno(err, errno, "apt did not leave '%s'", path);
	while ((got = read(fd, chunk, sizeof(chunk))) > 0)
		digest_add(d, chunk, (size_t)got);
	if (got < 0)
		return err_errno(err, errno, "cannot read '%s'", path);
	if (io_fsync(fd))
		return err_errno(err, errno, "cannot sync '%s'", path);
	digest_end(STEAL(d), op->sha256);
	free(op->file);
	op->file = STEAL(path);
	return 0;
}

/* LISTS='/var/lib/apt/lists/' */
static char *lists_dir(const char *said)
{
	const char *from = strchr(said, '\''), *to = strrchr(said, '\'');

	return from == to ? xstrdup(APT_DIR "/lists/") :
			    xstrndup(from + 1, (size_t)(to - from - 1));
}

/*
 * Where apt's lists are it makes a directory ("auxfiles") whenever it fetches, and keeps there what
 * a mirror: source names. So it is shown them in a directory of ours, by links: outside of
 * state_dir nothing is made, whatever ends us meanwhile.
 */
static int link_lists(const struct host *h, const char *dir, struct err *err)
{
	static const char *const argv[] = { "apt-config", "shell", "LISTS", "Dir::State::Lists/d",
					    NULL };
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct buf said CLEANUP(buf_release) = BUF_INIT;
	int status;

	if (ask(argv, &said, &status, err))
		return -1;
	if (status)
		return err_set(err, ERR_FAILED, "apt-config does not say where apt's lists are");
	if (fs_mkdir_path(h->root, dir, 0700, err))
		return -1;
	char *lists CLEANUP(freep) = lists_dir(said.data);
	int from CLEANUP(closep) = root_openat(h->root, lists, O_RDONLY | O_DIRECTORY, 0);
	if (from < 0 && errno == ENOENT)
		return 0;
	if (from < 0)
		return err_errno(err, errno, "cannot open '%s'", lists);
	int to CLEANUP(closep) = root_openat(h->root, dir, O_RDONLY | O_DIRECTORY, 0);
	if (to < 0)
		return err_errno(err, errno, "cannot open '%s'", dir);
	if (fs_list_fd(from, &names, err))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		char *target CLEANUP(freep) = path_join(lists, names.v[i]);
		/* what is not named for an address is no list: lock, partial, auxfiles */
		if (strchr(names.v[i], '_') && io_symlinkat(target, to, names.v[i]))
			return err_errno(err, errno, "cannot make '%s/%s'", dir, names.v[i]);
	}
	return 0;
}

/* Into state_dir. */
static int apt_fetch(const struct host *h, const char *const *wants, const char *state_dir,
		     const char *lists, struct report *rep, struct err *err)
{
	char *ours CLEANUP(freep) = xasprintf("Dir::State::Lists=%s/", lists);
	const char *const get[] = { "-y", "--download-only", "-o", ours, NULL };
	static const char *const list[] = { "-y", "--print-uris", NULL };
	struct strv argv CLEANUP(strv_release) = STRV_INIT, uris CLEANUP(strv_release) = STRV_INIT;
	struct buf out CLEANUP(buf_release) = BUF_INIT, text CLEANUP(buf_release) = BUF_INIT;

	apt_argv(&argv, state_dir, get, wants);
	apt_argv(&uris, state_dir, list, wants);
	return apt_run(&argv, DOWNLOAD_SECONDS, rep, &out, err) ||
			       apt_run(&uris, APT_SECONDS, rep, &text, err) ||
			       fetch_local(h, &text, state_dir, err) ?
		       -1 :
		       0;
}

static int apt_download(const struct host *h, const char *const *wants, const char *state_dir,
			struct pkg_plan *plan, struct report *rep, struct err *err)
{
	char *lists CLEANUP(freep) = path_join(state_dir, "lists");
	struct err ignored = ERR_INIT;
	int r;

	if (make_archives(h, state_dir, err))
		return -1;
	int dir CLEANUP(closep) = root_openat(h->root, state_dir, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return err_errno(err, errno, "cannot open '%s'", state_dir);
	/* of a run that was killed */
	r = fs_remove_tree(dir, "lists", err) || link_lists(h, lists, err) ||
	    apt_fetch(h, wants, state_dir, lists, rep, err);
	(void)fs_remove_tree(dir, "lists", &ignored);	/* else the next one does */
	for (size_t i = 0; !r && i < plan->n; i++)
		r = hash_op(h->root, &plan->v[i], state_dir, want_file(wants, plan->v[i].name),
			    err);
	return r ? -1 : 0;
}

const struct pkg_ops pkg_apt = {
	.name = "apt",
	.usable = apt_usable,
	.status = apt_status,
	.changed = apt_changed,
	.owned = apt_owned,
	.audit = apt_audit,
	.lock = apt_lock,
	.unlock = apt_unlock,
	.resolve = apt_resolve,
	.download = apt_download,
};
