/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/pkg/installed.h"

#include "sys/io.h"

#include <errno.h>
#include <strings.h>

enum { NOTES_MAX = 64 * 1024 * 1024 };

/* A checksum that dpkg noted. */
struct noted {
	char *path;
	char md5[DIGEST_MD5_HEX + 1];
	bool gone;		/* a conffile that the package has no more */
	bool packed;
};

struct noted_list {
	struct noted *v;
	size_t n;
};

struct reader {
	const struct root *root;
	struct installed p;
	char *base;		/* of its files in info/: "jq" or "libjq1:amd64" */
	struct stanza stanza;
	struct strv list, sorted;
	struct noted_list sums, conffiles;
	struct strv diversions;	/* path, where to, whose: three by three */
	struct strv overrides;	/* paths */
};

static void noted_release(struct noted_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].path);
	free(l->v);
	*l = (struct noted_list){ NULL, 0 };
}

static void reader_release(struct reader *r)
{
	installed_release(&r->p);
	free(r->base);
	strv_release(&r->list);
	strv_release(&r->sorted);
	noted_release(&r->sums);
	noted_release(&r->conffiles);
	strv_release(&r->diversions);
	strv_release(&r->overrides);
}

static int refuse(const char *path, const char *why, struct err *err)
{
	char shown[512];

	err_quote(shown, sizeof(shown), path);
	return err_set(err, ERR_REFUSED, "'%s' %s", shown, why);
}

/* ---- lists of checksums ---- */

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct noted *)a)->path, ((const struct noted *)b)->path);
}

static struct noted *noted_find(const struct noted_list *l, const char *path)
{
	struct noted key = { .path = (char *)path };

	return l->n ? bsearch(&key, l->v, l->n, sizeof(*l->v), by_path) : NULL;
}

static bool is_md5(const char *s)
{
	return strlen(s) == DIGEST_MD5_HEX &&
	       strspn(s, "0123456789abcdef") == DIGEST_MD5_HEX;
}

static struct noted *noted_add(struct noted_list *l, char *path, const char *md5)
{
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n] = (struct noted){ .path = path };
	memcpy(l->v[l->n].md5, md5, strlen(md5));
	return &l->v[l->n++];
}

static void noted_sort(struct noted_list *l)
{
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_path);
}

/* "MD5  usr/bin/x" */
static int read_sums(struct reader *r, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	char *path CLEANUP(freep) = xasprintf(DPKG_INFO "/%s.md5sums", r->base);
	int got = root_read_optional(r->root, path, NOTES_MAX, &text, err);

	if (got > 0)
		return refuse(path, "is missing: dpkg noted no checksums of its files", err);
	if (got < 0)
		return -1;
	str_split(&lines, text.data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		char *name = strchr(lines.v[i], ' ');
		if (!*lines.v[i])
			continue;
		if (name)
			*name++ = '\0';
		if (!name || *name != ' ' || !name[1] || !is_md5(lines.v[i]))
			return refuse(path, "has a line that is no checksum of a file", err);
		noted_add(&r->sums, path_join("/", name + 1), lines.v[i]);
	}
	noted_sort(&r->sums);
	return 0;
}

/* " /etc/x MD5 [obsolete] [remove-on-upgrade]" */
static int read_conffiles(struct reader *r, struct err *err)
{
	char *text CLEANUP(freep) = stanza_lines(&r->stanza, "Conffiles");
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	if (text)
		str_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		struct strv words CLEANUP(strv_release) = STRV_INIT;

		str_words(&words, lines.v[i]);
		if (!words.n)
			continue;
		bool gone = strv_has(&words, "obsolete") || strv_has(&words, "remove-on-upgrade");
		bool known = words.n > 1 && is_md5(words.v[1]);
		if (!known && !gone)
			return refuse(words.v[0], "is a conffile without a checksum", err);
		noted_add(&r->conffiles, xstrdup(words.v[0]), known ? words.v[1] : "")->gone = gone;
	}
	noted_sort(&r->conffiles);
	return 0;
}

/* ---- the other notes ---- */

static int read_list(struct reader *r, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	char *path CLEANUP(freep) = xasprintf(DPKG_INFO "/%s.list", r->base);
	int got = root_read_optional(r->root, path, NOTES_MAX, &text, err);

	if (got > 0)
		return refuse(path, "is missing: dpkg has no list of its files", err);
	if (got < 0)
		return -1;
	if (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	str_split(&r->list, text.data, '\n');
	for (size_t i = 0; i < r->list.n; i++)
		if (*r->list.v[i] != '/')
			return refuse(path, "has a line that is no path", err);
	strv_addv(&r->sorted, (const char *const *)r->list.v);
	strv_sort(&r->sorted);
	return 0;
}

static int read_diversions(struct reader *r, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (root_read_optional(r->root, DPKG_DIR "/diversions", NOTES_MAX, &text, err) < 0)
		return -1;
	str_split(&r->diversions, text.data, '\n');
	return 0;
}

/* "OWNER GROUP MODE PATH" */
static int read_overrides(struct reader *r, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	if (root_read_optional(r->root, DPKG_DIR "/statoverride", NOTES_MAX, &text, err) < 0)
		return -1;
	str_split(&lines, text.data, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const char *path = strstr(lines.v[i], " /");
		if (path)
			strv_add(&r->overrides, path + 1);
	}
	return 0;
}

/* dpkg's own: what is installed, not what was in the package. */
static bool is_dpkgs(const char *line)
{
	static const char *const fields[] = { "Status:", "Config-Version:", "Conffiles:",
					      "Triggers-Pending:", "Triggers-Awaited:" };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (!strncasecmp(line, fields[i], strlen(fields[i])))
			return true;
	return false;
}

static void make_control(const struct stanza *s, struct buf *ret)
{
	char *text CLEANUP(freep) = xstrndup(s->text, s->len);
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	bool skip = false;

	str_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		if (*lines.v[i] != ' ' && *lines.v[i] != '\t')
			skip = is_dpkgs(lines.v[i]);
		if (!skip && *lines.v[i])
			buf_addf(ret, "%s\n", lines.v[i]);
	}
}

/* ---- control files ---- */

static int read_control_file(struct reader *r, const char *entry, const char *name, struct err *err)
{
	char *path CLEANUP(freep) = path_join(DPKG_INFO, entry);
	struct control_file f = { .data = BUF_INIT };
	struct stat st;

	if (root_stat(r->root, path, &st))
		return err_errno(err, errno, "cannot look at '%s'", path);
	if (root_read(r->root, path, NOTES_MAX, &f.data, err))
		return -1;
	f.name = xstrdup(name);
	f.mode = st.st_mode & 0777;
	r->p.control_files = xreallocarray(r->p.control_files, r->p.control_files_n + 1,
					   sizeof(f));
	r->p.control_files[r->p.control_files_n++] = f;
	return 0;
}

static int read_control_files(struct reader *r, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (root_list(r->root, DPKG_INFO, &names, err))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		const char *name = dpkgdb_control_name(names.v[i], r->base);

		if (name && !str_eq(name, "list") &&
		    read_control_file(r, names.v[i], name, err))
			return -1;
	}
	return 0;
}

/* ---- its files ---- */

/* Where a path of this package is: a diversion of its own moves only those of others. */
static const char *diverted(const struct reader *r, const char *path)
{
	const struct strv *d = &r->diversions;

	for (size_t i = 0; i + 2 < d->n; i += 3)
		if (str_eq(d->v[i], path) && !str_eq(d->v[i + 2], r->p.name))
			return d->v[i + 1];
	return path;
}

static bool any_below(const struct reader *r, const char *path)
{
	char *below CLEANUP(freep) = xasprintf("%s/", path);
	size_t low = 0, high = r->sorted.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(r->sorted.v[middle], below) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->sorted.n && str_starts(r->sorted.v[low], below);
}

/* A directory that is a link by now, as /lib on a merged /usr: dpkg leaves it one. */
static int through_link(struct reader *r, struct installed_file *f, struct err *err)
{
	int fd CLEANUP(closep) = root_openat(r->root, f->at, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return refuse(f->at, "is no directory any more", err);
	return node_read_fd(&f->node, fd, NODE_META, err);
}

/* What the kernel or its policy gives a file comes with it again. */
static int check_xattrs(const struct installed_file *f, struct err *err)
{
	static const char *const given[] = { "security.selinux", "security.evm", "security.ima",
					     NULL };

	for (size_t i = 0; i < f->node.xattrs_n; i++) {
		const char *name = f->node.xattrs[i].name;
		bool ok = false;

		for (const char *const *g = given; *g; g++)
			ok = ok || str_eq(*g, name);
		if (ok)
			continue;
		char *why CLEANUP(freep) =
			xasprintf("has the attribute %s, which a package cannot hold", name);
		return refuse(f->path, why, err);
	}
	return 0;
}

static const char *same_file(const struct reader *r, const struct node *n)
{
	for (size_t i = 0; i < r->p.n; i++) {
		const struct installed_file *f = &r->p.v[i];
		if (f->node.type == NODE_FILE && f->node.ino == n->ino && f->node.dev == n->dev)
			return f->first ? f->first : f->path;
	}
	return NULL;
}

static int take_regular(struct reader *r, struct installed_file *f, struct noted *sum,
			struct err *err)
{
	if (!sum)
		return refuse(f->path, "has no checksum in dpkg's notes", err);
	sum->packed = true;
	memcpy(f->md5, sum->md5, sizeof(f->md5));
	f->first = same_file(r, &f->node);
	return 0;
}

static int look(struct reader *r, struct installed_file *f, struct noted *sum, struct err *err)
{
	if (strv_has(&r->overrides, f->path))
		return refuse(f->path, "has a statoverride: the mode that its package gave it is not known", err);
	if (node_read(&f->node, r->root, f->at, NODE_META, err))
		return -1;
	if (f->node.type == NODE_LINK && any_below(r, f->path) && through_link(r, f, err))
		return -1;
	if (f->node.type == NODE_ABSENT)
		return refuse(f->at, "is missing", err);
	if (f->node.type == NODE_OTHER || (sum && f->node.type != NODE_FILE) ||
	    (f->node.type != NODE_DIR && any_below(r, f->path)))
		return refuse(f->at, "is not what the package had there", err);
	if (check_xattrs(f, err))
		return -1;
	return f->node.type == NODE_FILE ? take_regular(r, f, sum, err) : 0;
}

static int take_path(struct reader *r, const char *listed, struct err *err)
{
	const char *path = str_eq(listed, "/.") ? "/" : listed;
	struct noted *conffile = noted_find(&r->conffiles, path), *sum = noted_find(&r->sums, path);
	struct installed_file f = { .node = NODE_INIT };

	if (sum)
		sum->packed = true;	/* by its conffile's, where it has both */
	if (conffile && conffile->gone)
		return 0;
	f.path = xstrdup(path);
	f.at = xstrdup(diverted(r, path));
	f.conffile = conffile != NULL;
	int got = look(r, &f, conffile ? conffile : sum, err);
	r->p.v = xreallocarray(r->p.v, r->p.n + 1, sizeof(f));
	r->p.v[r->p.n++] = f;
	return got;
}

static int check_complete(const struct noted_list *l, struct err *err)
{
	for (size_t i = 0; i < l->n; i++)
		if (!l->v[i].packed && !l->v[i].gone)
			return refuse(l->v[i].path, "is not in dpkg's list of its files", err);
	return 0;
}

static int take_files(struct reader *r, struct err *err)
{
	for (size_t i = 0; i < r->list.n; i++)
		if (take_path(r, r->list.v[i], err))
			return -1;
	return check_complete(&r->sums, err) || check_complete(&r->conffiles, err) ? -1 : 0;
}

/* ---- the whole ---- */

static int take_stanza(struct reader *r, const char *package, const struct buf *status,
		       struct err *err)
{
	char *flag CLEANUP(freep) = NULL, *state CLEANUP(freep) = NULL;
	char *multi CLEANUP(freep) = NULL;

	if (!dpkgdb_find(status, package, &r->stanza) ||
	    !stanza_status(&r->stanza, NULL, &flag, &state) || !str_eq(flag, "ok") ||
	    !str_eq(state, "installed"))
		return err_set(err, ERR_REFUSED, "package '%s' is not installed whole", package);
	r->p.name = stanza_field(&r->stanza, "Package");
	r->p.version = stanza_field(&r->stanza, "Version");
	r->p.arch = stanza_field(&r->stanza, "Architecture");
	if (!r->p.name || !r->p.version || !r->p.arch)
		return err_set(err, ERR_REFUSED, "package '%s' has no name, version or architecture in dpkg's notes", package);
	multi = stanza_field(&r->stanza, "Multi-Arch");
	r->base = str_eq(multi, "same") ? xasprintf("%s:%s", r->p.name, r->p.arch) :
					  xstrdup(r->p.name);
	make_control(&r->stanza, &r->p.control);
	return 0;
}

int installed_read(struct installed *ret, const struct root *root, const char *package,
		   struct err *err)
{
	struct reader r CLEANUP(reader_release) = { .root = root, .p.control = BUF_INIT };
	struct buf status CLEANUP(buf_release) = BUF_INIT;

	if (dpkgdb_read(root, &status, err) || take_stanza(&r, package, &status, err) ||
	    read_list(&r, err) || read_sums(&r, err) || read_conffiles(&r, err) ||
	    read_diversions(&r, err) || read_overrides(&r, err) || read_control_files(&r, err) ||
	    take_files(&r, err))
		return -1;
	*ret = r.p;
	r.p = (struct installed){ .control = BUF_INIT };
	return 0;
}

int installed_check_content(const struct installed_file *f, const char *md5, struct err *err)
{
	if (str_eq(md5, f->md5))
		return 0;
	return refuse(f->at, f->conffile ? "is a conffile that was edited: what its package had there is gone" :
					   "is not as its package had it", err);
}

void installed_release(struct installed *p)
{
	for (size_t i = 0; i < p->control_files_n; i++) {
		free(p->control_files[i].name);
		buf_release(&p->control_files[i].data);
	}
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].path);
		free(p->v[i].at);
		node_release(&p->v[i].node);
	}
	free(p->control_files);
	free(p->v);
	free(p->name);
	free(p->version);
	free(p->arch);
	buf_release(&p->control);
	*p = (struct installed){ .control = BUF_INIT };
}
