/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostdiff snap ROOT [--known FILE] [--skip PATH]... > FILE    a whole host, one line a path
 * hostdiff compare BEFORE AFTER [--ours PATH]...   a line for each difference that counts
 *
 * A snapshot holds type, mode, owner, device number, size, mtime, link target, SHA-256 and
 * extended attributes (ACLs are such). It stays on ROOT's file system, so /proc, /sys, /dev and
 * /run of a host are not in it; Docker's data is left out by name. Run it in the guest, or
 * outside on /proc/PID/root. Where only little has changed since an earlier snapshot of the same
 * file system, --known FILE names it: only what is new or was changed (ctime) after the mtime of
 * FILE, which must not be later than the begin of that snapshot, is looked into.
 *
 * `compare` knows what "exactly as before" means (DESIGN.md, the table of section 5):
 *   (a) every path to the byte, with its mtime. --ours PATH (and all below it) says that no
 *       exception below applies.
 *   (b) same meaning: MEANING files may have their entries in another order, and stanzas that
 *       mean nothing.
 *   (c) never compared: NEVER, a closed list; MTIME files must have the same bytes; times of
 *       directories.
 * The lists are those of the facts on dpkg, section 7. Exit status: 0 same, 1 different, 2
 * trouble.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <fts.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum leniency { STRICT, MTIME, MEANING, NEVER };

/*
 * PATTERN is matched as by fnmatch, one level a star; a pattern that ends in "/" matches all
 * below it.
 */
static const struct rule {
	enum leniency leniency;
	const char *pattern;
} rules[] = {
	{ NEVER, "/etc/passwd-" },
	{ NEVER, "/etc/group-" },
	{ NEVER, "/etc/shadow-" },
	{ NEVER, "/etc/gshadow-" },
	{ NEVER, "/etc/subuid-" },
	{ NEVER, "/etc/subgid-" },
	{ NEVER, "/var/lib/dpkg/status-old" },
	{ NEVER, "/var/lib/dpkg/diversions-old" },	/* as status-old, seen on Debian 13 */
	{ NEVER, "/var/cache/debconf/*-old" },
	{ NEVER, "/var/cache/ldconfig/aux-cache" },
	{ NEVER, "/var/cache/man/" },
	{ NEVER, "/var/log/dpkg.log" },
	{ NEVER, "/var/log/apt/" },
	{ NEVER, "/var/log/alternatives.log" },
	{ NEVER, "/var/log/lastlog" },
	{ NEVER, "/var/log/faillog" },
	{ NEVER, "/var/log/journal/" },
	{ NEVER, "/var/lib/sysboxup/" },
	{ MEANING, "/etc/passwd" },
	{ MEANING, "/etc/group" },
	{ MEANING, "/etc/shadow" },
	{ MEANING, "/etc/gshadow" },
	{ MEANING, "/etc/subuid" },
	{ MEANING, "/etc/subgid" },
	{ MEANING, "/var/lib/dpkg/status" },
	{ MEANING, "/var/lib/apt/extended_states" },
	{ MEANING, "/var/cache/debconf/config.dat" },
	{ MEANING, "/var/cache/debconf/templates.dat" },
	{ MTIME, "/etc/ld.so.cache" },
	{ MTIME, "/etc/.pwd.lock" },	/* empty, of whoever held it last */
	{ MTIME, "/etc/rc?.d/*" },	/* links that update-rc.d makes anew when a package comes back */
	{ MTIME, "/var/lib/man-db/auto-update" },	/* empty; its postinst makes it anew when a trigger was killed */
	{ MTIME, "/var/lib/dpkg/lock" },
	{ MTIME, "/var/lib/dpkg/triggers/Lock" },
	{ MTIME, "/var/lib/dpkg/diversions" },
	{ MTIME, "/var/lib/dpkg/info/*.list" },
	{ MTIME, "/var/lib/dpkg/info/*.md5sums" },	/* dpkg makes it anew for a package without one */
	{ MTIME, "/var/lib/systemd/deb-systemd-helper-enabled/*.dsh-also" },
};

/* Stanzas that say the same as no stanza. */
static const char *const meaningless[] = {
	"\nStatus: unknown ok not-installed",
	"\nStatus: purge ok not-installed",
	"\nStatus: deinstall ok not-installed",
	"\nAuto-Installed: 0",
};

enum field {
	F_PATH,
	F_TYPE,
	F_MODE,
	F_OWNER,
	F_DEVICE,
	F_SIZE,
	F_MTIME,
	F_LINK,
	F_SHA256,
	F_MEANING,
	F_XATTRS,
	F_MAX
};

static const char *const field_names[F_MAX] = {
	"path",  "type", "mode",    "owner",   "device", "size",
	"mtime", "link", "content", "meaning", "xattrs",
};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static void die(const char *what, const char *subject)
{
	fprintf(stderr, "hostdiff: %s '%s': %s\n", what, subject, strerror(errno));
	exit(2);
}

static void *must(void *memory) { return memory ? memory : (abort(), NULL); }

static bool below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	while (len && dir[len - 1] == '/')
		len--;
	return !strncmp(path, dir, len) && (path[len] == '/' || path[len] == '\0');
}

static enum leniency leniency_of(const char *path)
{
	for (size_t i = 0; i < COUNT(rules); i++) {
		const char *pattern = rules[i].pattern;
		bool tree = pattern[strlen(pattern) - 1] == '/';

		if (tree ? below(path, pattern) : !fnmatch(pattern, path, FNM_PATHNAME))
			return rules[i].leniency;
	}
	return STRICT;
}

static char *file_read(const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME | O_NOFOLLOW);
	size_t len = 0, room = 1 << 16;
	char *bytes = must(malloc(room + 1));
	ssize_t got;

	if (fd < 0)
		die("cannot open", path);
	while ((got = read(fd, bytes + len, room - len)) > 0) {
		len += (size_t)got;
		if (len == room)
			bytes = must(realloc(bytes, (room *= 2) + 1));
	}
	if (got < 0)
		die("cannot read", path);
	close(fd);
	bytes[len] = '\0';
	*ret_len = len;
	return bytes;
}

struct node {
	char *fields[F_MAX];
};

struct snapshot {
	char *text;		/* what the nodes' fields point into */
	struct node *nodes;
	size_t count;
};

static int compare_nodes(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->fields[F_PATH],
		      ((const struct node *)b)->fields[F_PATH]);
}

static void node_parse(struct node *node, char *line, const char *path)
{
	for (int i = 0; i < F_MAX; i++) {
		node->fields[i] = strsep(&line, "\t");
		if (!node->fields[i]) {
			errno = EINVAL;
			die("not a snapshot:", path);
		}
	}
}

static struct snapshot snapshot_load(const char *path)
{
	struct snapshot snapshot = { 0 };
	size_t len;
	char *text = file_read(path, &len);

	snapshot.text = text;
	for (char *line; (line = strsep(&text, "\n")) && *line;) {
		if (!(snapshot.count & (snapshot.count - 1)))
			snapshot.nodes = must(reallocarray(snapshot.nodes,
							   snapshot.count ? 2 * snapshot.count : 1,
							   sizeof(*snapshot.nodes)));
		node_parse(&snapshot.nodes[snapshot.count++], line, path);
	}
	if (!snapshot.count) {
		errno = ENODATA;
		die("empty snapshot:", path);
	}
	qsort(snapshot.nodes, snapshot.count, sizeof(*snapshot.nodes), compare_nodes);
	return snapshot;
}

/* An earlier snapshot of the same file system, and when it began; without one, nothing is known. */
struct known {
	struct snapshot snapshot;
	time_t since;
};

static struct known known_load(const char *path)
{
	struct known known = { .snapshot = snapshot_load(path) };
	struct stat st;

	if (stat(path, &st))
		die("cannot look at", path);
	known.since = st.st_mtim.tv_sec;
	return known;
}

/* Snapshot */

/* One field, so that a line stays a line: what is not plain is written as \ooo. */
static void put_escaped(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= ' ' || c == '\\' || c >= 0x7f)
			printf("\\%03o", c);
		else
			putchar(c);
	}
}

static void put_hex(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_digest(const char *bytes, size_t len)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int digest_len;

	if (!EVP_Digest(bytes, len, digest, &digest_len, EVP_sha256(), NULL))
		die("cannot digest", "");
	put_hex(digest, digest_len);
}

static bool entry_means_nothing(const char *entry)
{
	for (size_t i = 0; i < COUNT(meaningless); i++)
		if (strstr(entry, meaningless[i]))
			return true;
	return !*entry;
}

/* Digest of the sorted entries: stanzas where the file has them, else lines. */
static void put_meaning(char *text, size_t len)
{
	const char *separator = strstr(text, "\n\n") ? "\n\n" : "\n";
	char **entries = must(calloc(len + 1, sizeof(*entries)));
	char *joined = must(malloc(2 * len + 2)), *end = joined;
	size_t count = 0;

	for (char *entry = text, *next; entry; entry = next) {
		next = strstr(entry, separator);
		if (next) {
			*next = '\0';
			next += strlen(separator);
		}
		if (!entry_means_nothing(entry))
			entries[count++] = entry;
	}
	qsort(entries, count, sizeof(*entries), compare_strings);
	for (size_t i = 0; i < count; i++) {
		size_t entry_len = strlen(entries[i]);

		while (entry_len && entries[i][entry_len - 1] == '\n')
			entry_len--;
		end = mempcpy(end, entries[i], entry_len);
		*end++ = '\n';
	}
	put_digest(joined, (size_t)(end - joined));
	free(joined);
	free(entries);
}

static void put_xattr(const char *path, const char *name)
{
	static char value[65536];
	ssize_t len = lgetxattr(path, name, value, sizeof(value));

	if (len < 0)
		die("cannot read attributes of", path);
	put_escaped(name, strlen(name));
	putchar('=');
	put_hex((unsigned char *)value, (size_t)len);
	putchar(';');
}

static void put_xattrs(const char *path)
{
	static char names[65536];
	const char *sorted[1024];
	size_t count = 0;
	ssize_t len = llistxattr(path, names, sizeof(names));

	if (len < 0 && errno != ENOTSUP)
		die("cannot list attributes of", path);
	for (ssize_t at = 0; at < len && count < COUNT(sorted);
	     at += (ssize_t)strlen(names + at) + 1)
		sorted[count++] = names + at;
	qsort(sorted, count, sizeof(*sorted), compare_strings);
	if (!count)
		putchar('-');
	for (size_t i = 0; i < count; i++)
		put_xattr(path, sorted[i]);
}

static void put_link(const char *path)
{
	char target[4096];
	ssize_t len = readlink(path, target, sizeof(target));

	if (len < 0)
		die("cannot read link", path);
	put_escaped(target, (size_t)len);
}

static char type_of(mode_t mode)
{
	return S_ISREG(mode)  ? 'f' :
	       S_ISDIR(mode)  ? 'd' :
	       S_ISLNK(mode)  ? 'l' :
	       S_ISCHR(mode)  ? 'c' :
	       S_ISBLK(mode)  ? 'b' :
	       S_ISFIFO(mode) ? 'p' :
				's';
}

/* Size and time of a directory tell what its entries tell, or what its past was. */
static void put_stat(char *text, size_t size, const struct stat *st)
{
	bool dir = S_ISDIR(st->st_mode), device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);

	snprintf(text, size, "%c\t%04o\t%u:%u\t%u:%u\t%lld\t%lld.%09ld", type_of(st->st_mode),
		 st->st_mode & 07777u, st->st_uid, st->st_gid, device ? major(st->st_rdev) : 0,
		 device ? minor(st->st_rdev) : 0, dir ? 0LL : (long long)st->st_size,
		 dir ? 0LL : (long long)st->st_mtim.tv_sec, dir ? 0L : st->st_mtim.tv_nsec);
}

static bool stat_is(const struct node *node, char *text)
{
	for (int i = F_TYPE; i <= F_MTIME; i++)
		if (strcmp(node->fields[i], strsep(&text, "\t")))
			return false;
	return true;
}

/*
 * What is known of this file, or NULL: it must be looked into. Whatever changes it changes its
 * ctime; below a directory that took the place of another one its size and times tell.
 */
static const struct node *node_known(const struct known *known, char *inside, const char *text,
				     const struct stat *st)
{
	const struct node key = { .fields = { inside } };
	const struct node *node;
	char copy[256];

	if (st->st_ctim.tv_sec >= known->since)
		return NULL;
	node = bsearch(&key, known->snapshot.nodes, known->snapshot.count, sizeof(key),
		       compare_nodes);
	return node && stat_is(node, strcpy(copy, text)) ? node : NULL;
}

static void put_content(const char *path, const char *inside)
{
	size_t len;
	char *bytes = file_read(path, &len);

	put_digest(bytes, len);
	putchar('\t');
	if (leniency_of(inside) == MEANING)
		put_meaning(bytes, len);
	else
		putchar('-');
	free(bytes);
}

/* What has to be read: target, digest, meaning and attributes. */
static void put_inner(const char *path, const char *inside, mode_t mode)
{
	if (S_ISLNK(mode))
		put_link(path);
	else
		putchar('-');
	putchar('\t');
	if (S_ISREG(mode))
		put_content(path, inside);
	else
		printf("-\t-");
	putchar('\t');
	put_xattrs(path);
}

/* path: of the file from here; inside: in the host. */
static void put_node(const char *path, char *inside, const struct stat *st,
		     const struct known *known)
{
	const struct node *same;
	char text[256];

	put_stat(text, sizeof(text), st);
	same = node_known(known, inside, text, st);
	put_escaped(inside, strlen(inside));
	printf("\t%s\t", text);
	if (same)
		printf("%s\t%s\t%s\t%s", same->fields[F_LINK], same->fields[F_SHA256],
		       same->fields[F_MEANING], same->fields[F_XATTRS]);
	else
		put_inner(path, inside, st->st_mode);
	putchar('\n');
}

static bool is_skipped(const char *inside, int argc, char **argv)
{
	static const char *const data[] = {
		"/proc", "/sys", "/dev", "/run", "/var/lib/docker", "/var/lib/containerd"
	};

	for (size_t i = 0; i < COUNT(data); i++)
		if (!strcmp(inside, data[i]))
			return true;
	for (int i = 0; i + 1 < argc; i += 2)
		if (!strcmp(inside, argv[i + 1]))
			return true;
	return false;
}

static int compare_entries(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int snap(char *root, const struct known *known, int argc, char **argv)
{
	char resolved[4096], slash[] = "/";
	/* A trailing "/." walks into /proc/PID/root, a link that no name resolves. */
	int len = snprintf(resolved, sizeof(resolved), "%s/.", root);
	char *roots[] = { resolved, NULL };
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_XDEV, compare_entries);

	if (!walk)
		die("cannot walk", root);
	for (FTSENT *entry; (errno = 0, entry = fts_read(walk));) {
		char *inside = entry->fts_path[len] ? entry->fts_path + len : slash;

		if (entry->fts_info == FTS_DP)
			continue;
		if (is_skipped(inside, argc, argv)) {
			fts_set(walk, entry, FTS_SKIP);
			continue;
		}
		if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS ||
		    entry->fts_info == FTS_DNR) {
			errno = entry->fts_errno;
			die("cannot read", entry->fts_path);
		}
		put_node(entry->fts_accpath, inside, entry->fts_statp, known);
	}
	if (errno)
		die("cannot walk", root);
	fts_close(walk);
	return fflush(stdout) ? 2 : 0;
}

/* Comparison */

static bool field_is_excused(enum field field, enum leniency leniency, const struct node *a,
			     const struct node *b)
{
	if (leniency == STRICT)
		return field == F_MEANING;
	if (field == F_MTIME || field == F_MEANING)
		return true;
	return leniency == MEANING && (field == F_SHA256 || field == F_SIZE) &&
	       strcmp(a->fields[F_MEANING], "-") &&
	       !strcmp(a->fields[F_MEANING], b->fields[F_MEANING]);
}

static bool nodes_same(const struct node *a, const struct node *b)
{
	for (int i = F_TYPE; i < F_MAX; i++)
		if (strcmp(a->fields[i], b->fields[i]))
			return false;
	return true;
}

/* Both NULL at most once: one of them is missing, or they differ in the named fields. */
static bool nodes_differ(const struct node *a, const struct node *b, enum leniency leniency)
{
	bool differ = false;

	if (leniency == NEVER)
		return false;
	if (!a || !b) {
		printf("%s only %s\n", (a ? a : b)->fields[F_PATH], a ? "before" : "after");
		return true;
	}
	for (enum field field = F_TYPE; field < F_MAX; field++) {
		if (!strcmp(a->fields[field], b->fields[field]) ||
		    field_is_excused(field, leniency, a, b))
			continue;
		printf("%s%s", differ ? ", " : a->fields[F_PATH], differ ? "" : " differs: ");
		printf("%s", field_names[field]);
		if (field != F_SHA256 && field != F_XATTRS)
			printf(" %s -> %s", a->fields[field], b->fields[field]);
		differ = true;
	}
	if (differ)
		putchar('\n');
	return differ;
}

static enum leniency leniency_here(const char *path, int argc, char **argv)
{
	for (int i = 0; i + 1 < argc; i += 2)
		if (below(path, argv[i + 1]))
			return STRICT;
	return leniency_of(path);
}

static void snapshot_free(struct snapshot *s)
{
	free(s->text);
	free(s->nodes);
}

static int compare(const char *before, const char *after, int argc, char **argv)
{
	struct snapshot a = snapshot_load(before), b = snapshot_load(after);
	bool differ = false;

	for (size_t i = 0, j = 0; i < a.count || j < b.count;) {
		int order = i == a.count ? 1 :
			    j == b.count ? -1 :
					   compare_nodes(&a.nodes[i], &b.nodes[j]);
		const struct node *x = order <= 0 ? &a.nodes[i++] : NULL;
		const struct node *y = order >= 0 ? &b.nodes[j++] : NULL;

		if (x && y && nodes_same(x, y))
			continue;
		differ |= nodes_differ(x, y,
				       leniency_here((x ? x : y)->fields[F_PATH], argc, argv));
	}
	snapshot_free(&a);
	snapshot_free(&b);
	return differ;
}

/* All of OPTIONS come in pairs of NAME and a value. */
static bool are_options(int argc, char **argv, const char *name)
{
	for (int i = 0; i < argc; i += 2)
		if (strcmp(argv[i], name) || i + 1 == argc)
			return false;
	return true;
}

static int usage(void)
{
	fputs("usage: hostdiff snap ROOT [--known FILE] [--skip PATH]... | compare BEFORE AFTER [--ours PATH]...\n",
	      stderr);
	return 2;
}

static int snap_main(char *root, int argc, char **argv)
{
	struct known known = { 0 };
	int rc;

	if (argc >= 2 && !strcmp(argv[0], "--known")) {
		known = known_load(argv[1]);
		argc -= 2;
		argv += 2;
	}
	rc = are_options(argc, argv, "--skip") ? snap(root, &known, argc, argv) : usage();
	snapshot_free(&known.snapshot);
	return rc;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && !strcmp(argv[1], "snap"))
		return snap_main(argv[2], argc - 3, argv + 3);
	if (argc >= 4 && !strcmp(argv[1], "compare") && are_options(argc - 4, argv + 4, "--ours"))
		return compare(argv[2], argv[3], argc - 4, argv + 4);
	return usage();
}
