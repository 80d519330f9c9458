/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state before, whole enough to compare and to put right what dpkg leaves when it is killed
 * (facts/dpkg-tried.md sections 3 and 7): the paragraphs of the packages concerned, and around
 * their units and conffiles every path that scripts or dpkg touch.
 */
#include "actions/packages_data.h"

#include "actions/put.h"
#include "sys/fs.h"
#include "sys/io.h"
#include "sys/node.h"
#include "sys/proc.h"

#include <ctype.h>
#include <errno.h>

enum { KEPT_MAX = 4 * 1024 * 1024 };

#define ETC_UNITS "/etc/systemd/system"
#define DSH "/var/lib/systemd/deb-systemd-helper-"

static const char *const unit_dirs[] = { ETC_UNITS, DSH "enabled", DSH "masked", NULL };
static const char *const conffile_suffixes[] = { "",          "~",          ".bak",
						 ".dpkg-old", ".dpkg-dist", ".dpkg-new",
						 ".dpkg-tmp", NULL };

/* ---- packages ---- */

static struct json *package_state(const struct buf *status, const struct buf *marks,
				  const char *name)
{
	struct json *j = json_obj();
	struct stanza s;
	struct pkg_status st;
	char hex[DIGEST_HEX + 1];

	if (dpkgdb_find(status, name, &s)) {
		digest_hex(s.text, s.len, hex);
		json_set_str(j, "stanza", hex);
	}
	dpkgdb_status(status, marks, name, &st);
	if (st.known) {
		json_set_str(j, "version", st.version);
		json_set_str(j, "want", st.want);
		json_set_str(j, "state", st.state);
		json_set_bool(j, "auto", st.automatic);
	}
	pkg_status_release(&st);
	return j;
}

const struct json *before_package(const struct packages *d, const char *name)
{
	return json_get(json_get(d->before, "packages"), name);
}

static bool before_state_is(const struct packages *d, const char *name, const char *state)
{
	return str_eq(json_get_str(before_package(d, name), "state"), state);
}

bool before_installed(const struct packages *d, const char *name)
{
	return before_state_is(d, name, "installed");
}

bool before_config_files(const struct packages *d, const char *name)
{
	return before_state_is(d, name, "config-files");
}

/* Unknown, and "not installed" (what a purge after a failed preinst leaves), mean the same. */
static bool gone(const struct json *p)
{
	const char *state = json_get_str(p, "state");

	return !state || str_eq(state, "not-installed");
}

static bool same_package(const struct json *before, const struct json *now)
{
	return (gone(before) && gone(now)) ||
	       str_eq(json_get_str(before, "stanza"), json_get_str(now, "stanza"));
}

int before_differs(const struct packages *d, const struct action_ctx *ctx, struct strv *ret,
		   struct err *err)
{
	struct buf status CLEANUP(buf_release) = BUF_INIT, marks CLEANUP(buf_release) = BUF_INIT;

	if (dpkgdb_read(ctx->root, &status, err) || dpkgdb_read_marks(ctx->root, &marks, err))
		return -1;
	for json_each(p, json_get(d->before, "packages")) {
		struct json *now CLEANUP(json_freep) = package_state(&status, &marks, json_key(p));
		if (!same_package(p, now))
			strv_add(ret, json_key(p));
	}
	return 0;
}

/* ---- paths ---- */

/* "x.service" of the packages; also its name with .dsh-also, and a link that points to it or masks
 * it. */
static bool is_unit_name(const struct strv *units, const char *name)
{
	char *plain CLEANUP(freep) = str_ends(name, ".dsh-also") ?
					     xstrndup(name, strlen(name) - strlen(".dsh-also")) :
					     xstrdup(name);

	return strv_has(units, plain);
}

static bool concerns(const struct root *r, const struct strv *units, const char *path)
{
	char *target CLEANUP(freep) = NULL;

	if (is_unit_name(units, path_basename(path)))
		return true;
	return !root_readlink(r, path, &target) && is_unit_name(units, path_basename(target));
}

static bool is_dir(const struct root *r, const char *path)
{
	struct stat st;

	return !root_lstat(r, path, &st) && S_ISDIR(st.st_mode);
}

/* Files and links of one directory of units that concern us, and the directories below it; two
 * levels, no deeper. */
static int scan_units(const struct root *r, const char *dir, const struct strv *units, bool deeper,
		      struct strv *paths, struct strv *dirs, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (root_list(r, dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		char *path CLEANUP(freep) = path_join(dir, names.v[i]);
		if (!is_dir(r, path)) {
			if (concerns(r, units, path))
				strv_add(paths, path);
			continue;
		}
		if (!deeper)
			continue;
		strv_add(dirs, path);
		if (scan_units(r, path, units, false, paths, dirs, err))
			return -1;
	}
	return 0;
}

int before_unit_links(const struct packages *d, const struct action_ctx *ctx, struct strv *ret,
		      struct err *err)
{
	struct strv units CLEANUP(strv_release) = STRV_INIT, dirs CLEANUP(strv_release) = STRV_INIT;
	struct strv paths CLEANUP(strv_release) = STRV_INIT;

	json_strv(json_get(d->before, "units"), &units);
	if (scan_units(ctx->root, ETC_UNITS, &units, true, &paths, &dirs, err))
		return -1;
	for (size_t i = 0; i < paths.n; i++)
		if (!json_get(json_get(d->before, "paths"), paths.v[i]))
			strv_add(ret, paths.v[i]);
	return 0;
}

static void scan_conffiles(const struct root *r, const struct strv *conffiles, struct strv *paths)
{
	for (size_t i = 0; i < conffiles->n; i++) {
		for (const char *const *s = conffile_suffixes; *s; s++) {
			char *path CLEANUP(freep) = xasprintf("%s%s", conffiles->v[i], *s);
			if (root_exists(r, path) && !is_dir(r, path))
				strv_add(paths, path);
		}
	}
}

static int scan_paths(const struct root *r, const struct strv *units, const struct strv *conffiles,
		      struct strv *paths, struct strv *dirs, struct err *err)
{
	for (const char *const *dir = unit_dirs; *dir; dir++)
		if (scan_units(r, *dir, units, true, paths, dirs, err))
			return -1;
	scan_conffiles(r, conffiles, paths);
	return 0;
}

static void hex_encode(const struct buf *in, struct buf *ret)
{
	for (size_t i = 0; i < in->len; i++)
		buf_addf(ret, "%02x", (unsigned char)in->data[i]);
}

static unsigned int hex_digit(char c)
{
	return (unsigned int)(isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10);
}

static void hex_decode(const char *in, struct buf *ret)
{
	for (; in && in[0] && in[1]; in += 2)
		buf_addc(ret, (char)(hex_digit(in[0]) << 4 | hex_digit(in[1])));
}

static int keep_path(const struct root *r, const char *path, struct json *ret, struct err *err)
{
	struct node n CLEANUP(node_release) = NODE_INIT;
	struct buf data CLEANUP(buf_release) = BUF_INIT, hex CLEANUP(buf_release) = BUF_INIT;
	struct json *j;

	if (node_read(&n, r, path, NODE_DIGEST, err))
		return -1;
	if (n.type == NODE_FILE && root_read(r, path, KEPT_MAX, &data, err))
		return -1;
	hex_encode(&data, &hex);
	j = json_obj();
	json_set(j, "node", node_encode(&n));
	json_set_str(j, "data", hex.data);
	json_set(ret, path, j);
	return 0;
}

/* ---- temporaries that a killed tool leaves ---- */

/* What lies between prefix and suffix. */
enum middle {
	ANYTHING,
	NUMBER,
	DEAD_PID,	/* a number too; while that process lives, its file stays */
	RANDOM,		/* RANDOM_LEN letters and digits */
	UNLOCKED,	/* anything; while debconf has its lock, it stays */
};

enum { RANDOM_LEN = 6 };

static const struct temp_rule {
	const char *dir, *prefix, *suffix;
	enum middle middle;
	int depth;
} temp_rules[] = {
	{ "/etc", "passwd.", "", DEAD_PID, 0 },
	{ "/etc", "group.", "", DEAD_PID, 0 },
	{ "/etc", "shadow.", "", DEAD_PID, 0 },
	{ "/etc", "gshadow.", "", DEAD_PID, 0 },
	{ "/etc", "subuid.", "", DEAD_PID, 0 },
	{ "/etc", "subgid.", "", DEAD_PID, 0 },
	{ "/etc", "ld.so.cache~", "", ANYTHING, 0 },
	{ "/var/cache/ldconfig", "aux-cache~", "", ANYTHING, 0 },
	{ DSH "enabled", ".state", ".tmp", ANYTHING, 0 },
	{ DSH "masked", ".state", ".tmp", ANYTHING, 0 },
	{ "/var/cache/man", "", "", NUMBER, 3 },
	{ DPKG_DIR "/updates", "tmp.i", "", ANYTHING, 0 },	/* dpkg's next journal entry, empty yet */
	{ APT_DIR, "extended_states.", "", RANDOM, 0 },		/* apt-mark's */
	{ DEBCONF_DIR, "", ".dat-new", UNLOCKED, 0 },
};

static bool all_digits(const char *s, size_t len)
{
	return len && strspn(s, "0123456789") >= len;
}

static bool all_random(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]))
			return false;
	return len == RANDOM_LEN;
}

static bool temp_matches(const struct temp_rule *t, const char *name)
{
	size_t len = strlen(name), around = strlen(t->prefix) + strlen(t->suffix);
	const char *middle = name + strlen(t->prefix);

	if (len < around || !str_starts(name, t->prefix) || !str_ends(name, t->suffix))
		return false;
	switch (t->middle) {
	case ANYTHING:
	case UNLOCKED:
		break;
	case NUMBER:
		return all_digits(middle, len - around);
	case DEAD_PID:
		return all_digits(middle, len - around) &&
		       !proc_starttime((pid_t)strtol(middle, NULL, 10));
	case RANDOM:
		return all_random(middle, len - around);
	}
	return true;
}

static int temps_of(const struct root *r, const struct temp_rule *t, const char *dir, int depth,
		    struct strv *ret, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (root_list(r, dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		char *path CLEANUP(freep) = path_join(dir, names.v[i]);
		if (depth > 0 && is_dir(r, path)) {
			if (temps_of(r, t, path, depth - 1, ret, err))
				return -1;
		} else if (temp_matches(t, names.v[i]) && !is_dir(r, path) &&
			   (t->middle != UNLOCKED || !debconf_writes(r, path))) {
			strv_add(ret, path);
		}
	}
	return 0;
}

static int temps_list(const struct root *r, struct strv *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(temp_rules); i++)
		if (temps_of(r, &temp_rules[i], temp_rules[i].dir, temp_rules[i].depth, ret, err))
			return -1;
	return 0;
}

/* ---- record ---- */

static int take_packages(const struct packages *d, const struct action_ctx *ctx,
			 struct json *before, struct err *err)
{
	struct buf status CLEANUP(buf_release) = BUF_INIT, marks CLEANUP(buf_release) = BUF_INIT;
	struct json *all = json_obj();

	json_set(before, "packages", all);
	if (dpkgdb_read(ctx->root, &status, err) || dpkgdb_read_marks(ctx->root, &marks, err))
		return -1;
	for (size_t i = 0; i < d->plan.n; i++)
		json_set(all, d->plan.v[i].name, package_state(&status, &marks, d->plan.v[i].name));
	json_set_bool(before, "marks", root_exists(ctx->root, APT_MARKS));
	return 0;
}

static int take_marks(const struct action_ctx *ctx, struct json *before, struct err *err)
{
	struct json *kept = json_obj();

	json_set(before, "apt", kept);
	return keep_path(ctx->root, APT_MARKS, kept, err);
}

static int take_paths(const struct action_ctx *ctx, const struct deb_lists *lists,
		      struct json *before, struct err *err)
{
	struct strv paths CLEANUP(strv_release) = STRV_INIT, dirs CLEANUP(strv_release) = STRV_INIT;
	struct strv temps CLEANUP(strv_release) = STRV_INIT;
	struct json *kept = json_obj();

	json_set(before, "paths", kept);
	if (scan_paths(ctx->root, &lists->units, &lists->conffiles, &paths, &dirs, err) ||
	    temps_list(ctx->root, &temps, err))
		return -1;
	for (size_t i = 0; i < paths.n; i++)
		if (keep_path(ctx->root, paths.v[i], kept, err))
			return -1;
	json_set(before, "dirs", strv_json(&dirs));
	json_set(before, "temps", strv_json(&temps));
	json_set(before, "units", strv_json(&lists->units));
	json_set(before, "conffiles", strv_json(&lists->conffiles));
	json_set(before, "shipped", json_dup(lists->shipped));
	return 0;
}

int before_take(struct packages *d, const struct action_ctx *ctx, const struct deb_lists *lists,
		struct err *err)
{
	struct json *before CLEANUP(json_freep) = json_obj();

	if (take_packages(d, ctx, before, err) || take_marks(ctx, before, err) ||
	    take_paths(ctx, lists, before, err))
		return -1;
	json_free(d->before);
	d->before = STEAL(before);
	return 0;
}

/* ---- conffiles that somebody edited ---- */

static bool is_shipped(const struct packages *d, const char *path, const char *digest)
{
	for json_each(s, json_get(json_get(d->before, "shipped"), path))
		if (str_eq(json_string(s), digest))
			return true;
	return false;
}

static int is_edited(const struct packages *d, const struct action_ctx *ctx, const char *path,
		     struct node *ret_now, bool *ret, struct err *err)
{
	struct node was CLEANUP(node_release) = NODE_INIT;
	const struct json *kept = json_get(json_get(d->before, "paths"), path);

	*ret = false;
	if (node_read(ret_now, ctx->root, path, NODE_DIGEST, err) ||
	    (kept && node_decode(&was, json_get(kept, "node"), err)))
		return -1;
	*ret = ret_now->type == NODE_FILE && !node_equal(ret_now, &was, NODE_CMP_PLAIN) &&
	       !is_shipped(d, path, ret_now->digest);
	return 0;
}

static int keep_edited(const struct packages *d, const struct action_ctx *ctx, const char *path,
		       struct err *err)
{
	struct node now CLEANUP(node_release) = NODE_INIT;
	struct buf data CLEANUP(buf_release) = BUF_INIT;
	char *beside CLEANUP(freep) = xasprintf("%s.sysboxup-kept-%u", path, ctx->log->id);
	bool edited;

	if (is_edited(d, ctx, path, &now, &edited, err))
		return -1;
	if (!edited)
		return 0;
	if (root_read(ctx->root, path, KEPT_MAX, &data, err) ||
	    put_node(ctx, beside, &now, data.data, data.len, true, err))
		return -1;
	report_warn(ctx->rep, NULL, "'%s' was changed by somebody else: their version is kept as '%s'",
		    path, beside);
	return 0;
}

int before_keep_edited(const struct packages *d, const struct action_ctx *ctx, struct err *err)
{
	if (!json_get(d->before, "shipped"))	/* a record of an older version: nobody can tell */
		return 0;
	for json_each(c, json_get(d->before, "conffiles"))
		if (json_string(c) && keep_edited(d, ctx, json_string(c), err))
			return -1;
	return 0;
}

/* ---- putting right ---- */

static int restore_path(const struct action_ctx *ctx, const char *path, const struct json *kept,
			struct err *err)
{
	struct node n CLEANUP(node_release) = NODE_INIT;
	struct buf data CLEANUP(buf_release) = BUF_INIT;
	char *dir CLEANUP(freep) = path_dirname(path);

	if (kept && (node_decode(&n, json_get(kept, "node"), err) ||
		     fs_mkdir_path(ctx->root, dir, 0755, err)))
		return -1;
	hex_decode(json_get_str(kept, "data"), &data);
	return put_node(ctx, path, &n, data.data, data.len, true, err);
}

/* No apt writes that. */
static bool marks_lost(const struct buf *was, const struct buf *now)
{
	if (!now->len)
		return was->len;
	return now->data[now->len - 1] != '\n' || memchr(now->data, '\0', now->len);
}

int before_mend_marks(const struct packages *d, const struct action_ctx *ctx, struct err *err)
{
	const struct json *kept = json_get(json_get(d->before, "apt"), APT_MARKS);
	struct buf was CLEANUP(buf_release) = BUF_INIT, now CLEANUP(buf_release) = BUF_INIT;

	if (!kept)	/* a record of an older version */
		return 0;
	hex_decode(json_get_str(kept, "data"), &was);
	if (dpkgdb_read_marks(ctx->root, &now, err))
		return -1;
	if (!marks_lost(&was, &now))
		return 0;
	report_info(ctx->rep, "'%s' was lost with the power: it is as it was before", APT_MARKS);
	return restore_path(ctx, APT_MARKS, kept, err);
}

static int remove_path(const struct action_ctx *ctx, const char *path, int flags, struct err *err)
{
	int dirfd CLEANUP(closep) = -1;
	char *name CLEANUP(freep) = NULL;

	if (root_parent(ctx->root, path, false, &dirfd, &name, NULL, err))
		return -1;
	if (!io_unlinkat(dirfd, name, flags) || errno == ENOENT)
		return 0;
	if ((flags & AT_REMOVEDIR) && (errno == ENOTEMPTY || errno == EEXIST))
		return 0;
	return err_errno(err, errno, "cannot remove '%s'", path);
}

/* What is in `now` and not in `before` goes. */
static int remove_new(const struct action_ctx *ctx, const struct strv *now,
		      const struct json *before, int flags, struct err *err)
{
	struct strv had CLEANUP(strv_release) = STRV_INIT;

	json_strv(before, &had);
	for (size_t i = 0; i < now->n; i++)
		if (!strv_has(&had, now->v[i]) && remove_path(ctx, now->v[i], flags, err))
			return -1;
	return 0;
}

char *before_note_of(const char *link)
{
	return xasprintf(DSH "enabled%s", link + strlen(ETC_UNITS));
}

/* Notes of deb-systemd-helper, and links that it noted. */
static bool is_helpers(const struct json *paths, const char *path)
{
	if (str_starts(path, DSH))
		return true;
	if (!str_starts(path, ETC_UNITS "/"))
		return false;
	char *note CLEANUP(freep) = before_note_of(path);
	return json_get(paths, note);
}

static int remove_left(const struct action_ctx *ctx, const char *path, int flags, struct err *err)
{
	struct stat st;

	return root_lstat(ctx->root, path, &st) ? 0 : remove_path(ctx, path, flags, err);
}

static bool is_unit_dir(const char *path)
{
	for (const char *const *dir = unit_dirs; *dir; dir++)
		if (str_eq(path, *dir))
			return true;
	return false;
}

int before_drop_enabled(const struct packages *d, const struct action_ctx *ctx, struct err *err)
{
	const struct json *paths = json_get(d->before, "paths");

	for json_each(p, paths) {
		char *dir CLEANUP(freep) = path_dirname(json_key(p));
		if (!is_helpers(paths, json_key(p)))
			continue;
		if (remove_left(ctx, json_key(p), 0, err) ||
		    (!is_unit_dir(dir) && remove_left(ctx, dir, AT_REMOVEDIR, err)))
			return -1;
	}
	return 0;
}

/* Where dpkg takes a package's control data apart. One that died leaves it, and the next one begins
 * by removing it: but the next one may be somebody else's. */
static int remove_tmp_ci(const struct root *r, struct err *err)
{
	int dpkg CLEANUP(closep) = root_openat(r, DPKG_DIR, O_RDONLY | O_DIRECTORY, 0);

	if (dpkg < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "cannot open '%s'", DPKG_DIR);
	if (fs_remove_tree(dpkg, "tmp.ci", err) || fs_sync_dir(dpkg, err))
		return err_prefix(err, "cannot remove '%s/tmp.ci'", DPKG_DIR);
	return 0;
}

/* What an installed package has: its files, from its own list. */
static int files_of(const struct root *r, const char *package, struct strv *ret, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	char *plain CLEANUP(freep) = xasprintf("%s.list", package),
	     *qualified CLEANUP(freep) = xasprintf("%s:", package);

	if (root_list(r, DPKG_DIR "/info", &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		struct buf text CLEANUP(buf_release) = BUF_INIT;
		char *path CLEANUP(freep) = path_join(DPKG_DIR "/info", names.v[i]);

		if (!str_eq(names.v[i], plain) &&
		    !(str_starts(names.v[i], qualified) && str_ends(names.v[i], ".list")))
			continue;
		if (root_read(r, path, KEPT_MAX, &text, err))
			return -1;
		str_split(ret, text.data, '\n');
	}
	return 0;
}

/* A list of the record, without what belongs to packages that stay. */
static void list_without(const struct json *list, const struct strv *files, bool by_basename,
			 struct strv *ret)
{
	struct strv all CLEANUP(strv_release) = STRV_INIT;

	json_strv(list, &all);
	for (size_t i = 0; i < all.n; i++) {
		bool theirs = false;

		for (size_t k = 0; k < files->n && !theirs; k++)
			theirs = str_eq(by_basename ? path_basename(files->v[k]) : files->v[k],
					all.v[i]);
		if (!theirs)
			strv_add(ret, all.v[i]);
	}
}

int before_restore_paths(const struct packages *d, const struct action_ctx *ctx,
			 const struct strv *stay, struct err *err)
{
	struct strv files CLEANUP(strv_release) = STRV_INIT;
	struct strv units CLEANUP(strv_release) = STRV_INIT,
			  conffiles CLEANUP(strv_release) = STRV_INIT;
	struct strv paths CLEANUP(strv_release) = STRV_INIT, dirs CLEANUP(strv_release) = STRV_INIT;
	struct strv temps CLEANUP(strv_release) = STRV_INIT;
	const struct json *kept = json_get(d->before, "paths");

	for (size_t i = 0; i < stay->n; i++)
		if (files_of(ctx->root, stay->v[i], &files, err))
			return -1;
	list_without(json_get(d->before, "units"), &files, true, &units);
	list_without(json_get(d->before, "conffiles"), &files, false, &conffiles);
	if (scan_paths(ctx->root, &units, &conffiles, &paths, &dirs, err) ||
	    temps_list(ctx->root, &temps, err))
		return -1;
	for (size_t i = 0; i < paths.n; i++)
		if (!json_get(kept, paths.v[i]) && restore_path(ctx, paths.v[i], NULL, err))
			return -1;
	for json_each(p, kept)
		if (restore_path(ctx, json_key(p), p, err))
			return -1;
	if (remove_new(ctx, &temps, json_get(d->before, "temps"), 0, err) ||
	    remove_tmp_ci(ctx->root, err))
		return -1;
	return remove_new(ctx, &dirs, json_get(d->before, "dirs"), AT_REMOVEDIR, err);
}

static bool in_unit_dirs(const char *path)
{
	for (const char *const *dir = unit_dirs; *dir; dir++)
		if (str_starts(path, *dir))
			return true;
	return false;
}

void before_conffile_paths(const struct packages *d, struct strv *ret)
{
	for json_each(p, json_get(d->before, "paths"))
		if (!in_unit_dirs(json_key(p)))
			strv_add(ret, json_key(p));
}

int before_restore_kept(const struct packages *d, const struct action_ctx *ctx, struct err *err)
{
	for (size_t i = 0; i < d->kept.n; i++) {
		const struct json *now = json_get(json_get(d->before, "paths"), d->kept.v[i]);
		if (now && restore_path(ctx, d->kept.v[i], now, err))
			return -1;
	}
	return 0;
}

/* The same thing, of another time. */
static int is_remade(const struct json *found, const struct json *then, bool *ret, struct err *err)
{
	struct node a CLEANUP(node_release) = NODE_INIT, b CLEANUP(node_release) = NODE_INIT;

	if (node_decode(&a, json_get(found, "node"), err) ||
	    node_decode(&b, json_get(then, "node"), err))
		return -1;
	*ret = node_equal(&a, &b, NODE_CMP_PLAIN) && !node_equal(&a, &b, NODE_CMP_MTIME);
	return 0;
}

int before_give_back(const struct packages *d, const struct action_ctx *ctx, struct err *err)
{
	for json_each(p, d->give_back) {
		const struct json *found = json_get(json_get(d->before, "paths"), json_key(p));
		bool ours = !found && !d->expected;

		if (found && is_remade(found, p, &ours, err))
			return -1;
		if (ours && restore_path(ctx, json_key(p), p, err))
			return -1;
	}
	return 0;
}

int before_drop_dist(const struct packages *d, const struct action_ctx *ctx, struct err *err)
{
	for json_each(c, json_get(d->before, "conffiles")) {
		char *path CLEANUP(freep) = xasprintf("%s.dpkg-dist", json_string(c));
		if (!strv_has(&d->kept, path) && root_exists(ctx->root, path) &&
		    remove_path(ctx, path, 0, err))
			return -1;
	}
	return 0;
}
