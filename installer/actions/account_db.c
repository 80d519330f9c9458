/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/account_db.h"

const char *const account_names[ACC_FILES] = { "passwd",  "group",  "shadow",
					       "gshadow", "subuid", "subgid" };

void account_texts_init(struct account_texts *t)
{
	for (size_t f = 0; f < ACC_FILES; f++) {
		t->v[f] = (struct buf)BUF_INIT;
		t->present[f] = false;
	}
}

void account_texts_release(struct account_texts *t)
{
	for (size_t f = 0; f < ACC_FILES; f++)
		buf_release(&t->v[f]);
}

/* ---- lines ---- */

struct line {
	const char *p;
	size_t len;		/* without the newline */
};

static bool line_next(const struct buf *text, size_t *at, struct line *ret)
{
	if (*at >= text->len)
		return false;
	const char *p = text->data + *at, *nl = memchr(p, '\n', text->len - *at);
	*ret = (struct line){ p, nl ? (size_t)(nl - p) : text->len - *at };
	*at += ret->len + (nl != NULL);
	return true;
}

static bool line_is(const struct line *l, const char *s)
{
	return l->len == strlen(s) && !memcmp(l->p, s, l->len);
}

static bool line_find(const struct buf *text, const char *line, size_t *ret_at, size_t *ret_prev)
{
	size_t at = 0, from = 0, prev = SIZE_MAX;
	struct line l;
	bool found = false;

	while (from = at, line_next(text, &at, &l)) {
		if (line_is(&l, line)) {	/* the last one wins: ours was put in behind what was there */
			*ret_at = from;
			*ret_prev = prev;
			found = true;
		}
		prev = from;
	}
	return found;
}

bool account_has_line(const struct buf *text, const char *line)
{
	size_t at, prev;

	return line_find(text, line, &at, &prev);
}

char *account_line_of(const struct buf *text, const char *name, size_t *ret_n)
{
	size_t at = 0, n = 0, len = strlen(name);
	char *found = NULL;
	struct line l;

	while (line_next(text, &at, &l)) {
		if (l.len <= len || memcmp(l.p, name, len) || l.p[len] != ':')
			continue;
		if (!n++)
			found = xstrndup(l.p, l.len);
	}
	if (ret_n)
		*ret_n = n;
	return found;
}

char *account_prev_line(const struct buf *text, const char *line)
{
	size_t at, prev;
	struct line l;

	if (!line_find(text, line, &at, &prev) || prev == SIZE_MAX || !line_next(text, &prev, &l))
		return NULL;
	return xstrndup(l.p, l.len);
}

/* Where "+::::::" and the like begin that close the file: NIS entries must stay last. */
static size_t nis_start(const struct buf *text)
{
	size_t at = 0, from = 0, start = text->len;
	struct line l;

	while (from = at, line_next(text, &at, &l)) {
		bool nis = l.len && (*l.p == '+' || *l.p == '-');
		if (nis && start == text->len)
			start = from;
		else if (!nis)
			start = text->len;
	}
	return start;
}

static size_t insert_place(const struct buf *text, const char *prev)
{
	size_t at, before;

	if (!prev || !line_find(text, prev, &at, &before))
		return nis_start(text);
	at += strlen(prev);
	return at < text->len ? at + 1 : at;
}

void account_add_line(struct buf *text, const char *line, const char *prev, bool *ret_joined)
{
	size_t at = insert_place(text, prev);
	bool join = at == text->len && text->len && text->data[text->len - 1] != '\n';
	char *bytes CLEANUP(freep) = xasprintf("%s%s\n", join ? "\n" : "", line);

	buf_splice(text, at, 0, bytes, strlen(bytes));
	*ret_joined = join;
}

void account_del_line(struct buf *text, const char *line, bool joined)
{
	size_t at, prev, len = strlen(line);

	if (!line_find(text, line, &at, &prev))
		return;
	if (at + len < text->len)
		len++;
	if (joined && at && at + len == text->len)
		at--, len++;
	buf_splice(text, at, len, "", 0);
}

/* ---- ids in use ---- */

struct range {
	uint64_t start, end;	/* end is not in it */
};

struct ranges {
	struct range *v;
	size_t n;
};

static void ranges_release(struct ranges *r)
{
	free(r->v);
}

static void ranges_add(struct ranges *r, uint64_t start, uint64_t count)
{
	r->v = xreallocarray(r->v, r->n + 1, sizeof(*r->v));
	r->v[r->n++] = (struct range){ start, start + count };
}

/* Field i (from 0) of a line of fields between colons, as a number. */
static bool line_number(const struct line *l, size_t i, uint64_t *ret)
{
	char *s CLEANUP(freep) = xstrndup(l->p, l->len);
	struct strv fields CLEANUP(strv_release) = STRV_INIT;

	str_split(&fields, s, ':');
	return i < fields.n && !str_to_u64(fields.v[i], UINT32_MAX, ret);
}

static void collect_ids(const struct buf *text, size_t field, struct ranges *ret)
{
	size_t at = 0;
	struct line l;
	uint64_t id;

	while (line_next(text, &at, &l))
		if (l.len && !strchr("#+-", *l.p) && line_number(&l, field, &id))
			ranges_add(ret, id, 1);
}

static void collect_subids(const struct buf *text, struct ranges *ret)
{
	uint64_t start, count;
	size_t at = 0;
	struct line l;

	while (line_next(text, &at, &l))
		if (l.len && *l.p != '#' && line_number(&l, 1, &start) &&
		    line_number(&l, 2, &count) && count)
			ranges_add(ret, start, count);
}

static bool range_free(const struct ranges *r, uint64_t start, uint64_t count, uint64_t *ret_next)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->v[i].start < start + count && r->v[i].end > start) {
			*ret_next = r->v[i].end;
			return false;
		}
	}
	return true;
}

/* ---- login.defs ---- */

static uint64_t def_number(const struct buf *login_defs, const char *key, uint64_t fallback)
{
	size_t at = 0;
	struct line l;
	uint64_t found = fallback, n;

	while (line_next(login_defs, &at, &l)) {
		char *s CLEANUP(freep) = xstrndup(l.p, l.len);
		struct strv words CLEANUP(strv_release) = STRV_INIT;

		str_words(&words, s);
		if (words.n >= 2 && str_eq(words.v[0], key) &&
		    !str_to_u64(words.v[1], UINT32_MAX, &n))
			found = n;
	}
	return found;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* -1 is no id (chown(2)), and UID_MIN 0 would make worse of it. */
#define ID_MAX (UINT32_MAX - 1)

/* As useradd -r: the highest that is free as user and as group. */
static int pick_id(const struct account_texts *t, const struct buf *defs, uint64_t *ret,
		   struct err *err)
{
	struct ranges used CLEANUP(ranges_release) = { 0 };
	uint64_t low = max_u64(def_number(defs, "SYS_UID_MIN", 101),
			       def_number(defs, "SYS_GID_MIN", 101));
	uint64_t uid_high = def_number(defs, "SYS_UID_MAX", def_number(defs, "UID_MIN", 1000) - 1);
	uint64_t gid_high = def_number(defs, "SYS_GID_MAX", def_number(defs, "GID_MIN", 1000) - 1);
	uint64_t high = min_u64(min_u64(uid_high, gid_high), ID_MAX);
	uint64_t next;

	collect_ids(&t->v[ACC_PASSWD], 2, &used);
	collect_ids(&t->v[ACC_PASSWD], 3, &used);
	collect_ids(&t->v[ACC_GROUP], 2, &used);
	for (uint64_t id = high; id >= low && id; id--) {
		if (range_free(&used, id, 1, &next)) {
			*ret = id;
			return 0;
		}
	}
	err_set(err, ERR_REFUSED, "no system user id is free between %llu and %llu", (unsigned long long)low,
		(unsigned long long)high);
	return err_remedy(err, "remove accounts that are not needed, or widen SYS_UID_MIN and SYS_GID_MIN in '/etc/login.defs'");
}

/* The first hole that is free in both files; users' own ids count as taken. */
static int pick_subids(const struct account_texts *t, const struct buf *defs, uint64_t *ret,
		       struct err *err)
{
	struct ranges used CLEANUP(ranges_release) = { 0 };
	uint64_t at = max_u64(def_number(defs, "SUB_UID_MIN", 100000),
			      def_number(defs, "SUB_GID_MIN", 100000));
	uint64_t most = min_u64(def_number(defs, "SUB_UID_MAX", 600100000),
				def_number(defs, "SUB_GID_MAX", 600100000));
	uint64_t high = min_u64(most, ID_MAX), low = at;

	collect_subids(&t->v[ACC_SUBUID], &used);
	collect_subids(&t->v[ACC_SUBGID], &used);
	collect_ids(&t->v[ACC_PASSWD], 2, &used);
	collect_ids(&t->v[ACC_GROUP], 2, &used);
	while (at + SUBID_COUNT - 1 <= high) {
		if (range_free(&used, at, SUBID_COUNT, &at))
			return *ret = at, 0;
	}
	err_set(err, ERR_REFUSED, "no range of %d subordinate ids is free between %llu and %llu", SUBID_COUNT,
		(unsigned long long)low, (unsigned long long)high);
	return err_remedy(err, "remove ranges that are not needed from '/etc/subuid' and '/etc/subgid'");
}

/* ---- what is there ---- */

static int half(struct err *err, const char *remedy, const char *fmt, ...) PRINTF(3, 4);
static int half(struct err *err, const char *remedy, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *what CLEANUP(freep) = xvasprintf(fmt, ap);
	va_end(ap);
	err_set(err, ERR_REFUSED, "%s", what);
	return err_remedy(err, "%s", remedy);
}

/* 1: the account is there, 0: nothing of it, -1: half of it. */
static int account_there(const struct account_texts *t, const char *name, struct err *err)
{
	static const struct { enum account_file file; const char *remedy; } parts[] = {
		{ ACC_GROUP, "delete that group (groupdel), or make the user with it" },
		{ ACC_SHADOW, "repair the files with pwck" },
		{ ACC_GSHADOW, "repair the files with grpck" },
	};
	char *user CLEANUP(freep) = account_line_of(&t->v[ACC_PASSWD], name, NULL);

	if (user)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char *line CLEANUP(freep) = account_line_of(&t->v[parts[i].file], name, NULL);
		if (line)
			return half(err, parts[i].remedy, "there is no user '%s', but '/etc/%s' has an entry of that name",
				    name, account_names[parts[i].file]);
	}
	return 0;
}

static int subid_line(const struct account_texts *t, enum account_file f, const char *name,
		      uint64_t *ret_start, struct err *err)
{
	size_t n;
	char *line CLEANUP(freep) = account_line_of(&t->v[f], name, &n);
	struct line l = { line, line ? strlen(line) : 0 };
	uint64_t count;

	if (!line)
		return 0;
	if (n > 1 || !line_number(&l, 1, ret_start) || !line_number(&l, 2, &count) ||
	    count != SUBID_COUNT) {
		char *remedy CLEANUP(freep) = xasprintf(
			"leave one line '%s:START:%d' in each of '/etc/subuid' and '/etc/subgid', with the same START, or none",
			name, SUBID_COUNT);
		return half(err, remedy,
			    n > 1 ? "'/etc/%s' has several ranges of '%s'" :
				    "'/etc/%s' has a range of '%s' that Sysbox cannot use",
			    account_names[f], name);
	}
	return 1;
}

/* 1: one range, the same in both. 0: none in both. */
static int subids_there(const struct account_texts *t, const char *name, struct err *err)
{
	uint64_t uids = 0, gids = 0;
	int u = subid_line(t, ACC_SUBUID, name, &uids, err);
	int g = u < 0 ? -1 : subid_line(t, ACC_SUBGID, name, &gids, err);

	if (u < 0 || g < 0)
		return -1;
	if (u == g && uids == gids)
		return u;
	char *remedy CLEANUP(freep) = xasprintf(
		"make the line of '%s' the same in '/etc/subuid' and '/etc/subgid', or delete it from both",
		name);
	return half(err, remedy, "'/etc/subuid' and '/etc/subgid' do not agree about '%s'", name);
}

static int add_account(const struct account_texts *t, const struct buf *defs, const char *name,
		       int64_t day, char **lines, struct err *err)
{
	uint64_t id = 0;

	if (pick_id(t, defs, &id, err))
		return -1;
	lines[ACC_PASSWD] = xasprintf("%s:%s:%llu:%llu::/nonexistent:/bin/false", name, t->present[ACC_SHADOW] ? "x" : "!",
				      (unsigned long long)id, (unsigned long long)id);
	lines[ACC_GROUP] = xasprintf("%s:%s:%llu:", name, t->present[ACC_GSHADOW] ? "x" : "!",
				     (unsigned long long)id);
	if (t->present[ACC_SHADOW])
		lines[ACC_SHADOW] = xasprintf("%s:!:%lld::::::", name, (long long)day);
	if (t->present[ACC_GSHADOW])
		lines[ACC_GSHADOW] = xasprintf("%s:!::", name);
	return 0;
}

static int add_subids(const struct account_texts *t, const struct buf *defs, const char *name,
		      char **lines, struct err *err)
{
	uint64_t start = 0;

	if (pick_subids(t, defs, &start, err))
		return -1;
	lines[ACC_SUBUID] = xasprintf("%s:%llu:%d", name, (unsigned long long)start, SUBID_COUNT);
	lines[ACC_SUBGID] = xstrdup(lines[ACC_SUBUID]);
	return 0;
}

int account_missing(const struct account_texts *t, const struct buf *login_defs, const char *name,
		    int64_t day, char *ret_lines[ACC_FILES], struct err *err)
{
	char *lines[ACC_FILES] = { NULL };
	int account = account_there(t, name, err);
	int subids = account < 0 ? -1 : subids_there(t, name, err);
	int got = account < 0 || subids < 0 ? -1 : 0;

	if (!got && !account)
		got = add_account(t, login_defs, name, day, lines, err);
	if (!got && !subids)
		got = add_subids(t, login_defs, name, lines, err);
	for (size_t f = 0; f < ACC_FILES; f++) {
		if (got)
			free(lines[f]);
		else
			ret_lines[f] = lines[f];
	}
	return got;
}
