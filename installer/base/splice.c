/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One byte edit at a time, each on a text that was scanned afresh: patches are small, and offsets
 * never go stale. Additions and replacements come before removals, so that an object
 * that loses its old members and gains new ones keeps its layout.
 */
#include "base/splice.h"

#include "base/jsonscan.h"

/* One leaf of the patch: where it goes and what it becomes (NULL: taken out). */
struct change {
	const char *path[JSONSCAN_DEPTH];
	size_t depth;
	const struct json *value;
};

struct splicer {
	struct buf text;
	struct jsonscan scan;		/* of text */
	const char *what;
	struct err *err;
	bool removing;			/* which of the two rounds */
};

static void splicer_release(struct splicer *s)
{
	buf_release(&s->text);
	jsonscan_release(&s->scan);
}

static int rescan(struct splicer *s)
{
	return jsonscan_text(s->text.data, s->text.len, JSON_BLANK, s->what, &s->scan, s->err);
}

static const struct jsonscan_node *node_at(const struct splicer *s, size_t i)
{
	return &s->scan.node[i];
}

static bool has_newline(const struct splicer *s, size_t from, size_t to)
{
	return memchr(s->text.data + from, '\n', to - from);
}

/* Where the white space in front of a member begins: behind the brace or the comma. */
static size_t gap_start(const struct splicer *s, size_t member)
{
	size_t at = node_at(s, member)->key_start;

	while (s->text.data[at - 1] != ',' && s->text.data[at - 1] != '{')
		at--;
	return at;
}

/* The member's key is the first thing on its line. */
static bool own_line(const struct splicer *s, size_t member)
{
	return has_newline(s, gap_start(s, member), node_at(s, member)->key_start);
}

/* The white space that the line with this offset begins with. */
static char *line_margin(const struct splicer *s, size_t at)
{
	size_t start = at, n = 0;

	while (start > s->scan.bom && s->text.data[start - 1] != '\n')
		start--;
	while (start + n < s->text.len && memchr(" \t", s->text.data[start + n], 2))
		n++;
	return xstrndup(s->text.data + start, n);
}

static const char *text_eol(const struct splicer *s)
{
	const char *nl = memchr(s->text.data, '\n', s->text.len);

	return nl && nl > s->text.data && nl[-1] == '\r' ? "\r\n" : "\n";
}

static size_t node_depth(const struct splicer *s, size_t i)
{
	size_t depth = 0;

	while ((i = node_at(s, i)->parent) != JSONSCAN_NONE)
		depth++;
	return depth;
}

/* One step of indentation: what the first member on a line of its own has, per level. */
static char *text_unit(const struct splicer *s)
{
	for (size_t i = 0; i < s->scan.n; i++) {
		size_t depth = node_depth(s, i), n;
		char *margin;

		if (!node_at(s, i)->key_end || !own_line(s, i))
			continue;
		margin = line_margin(s, node_at(s, i)->key_start);
		n = strlen(margin);
		if (n % depth == 0) {
			margin[n / depth] = '\0';
			return margin;
		}
		free(margin);
		break;
	}
	return xstrdup("  ");
}

/* What stands between the key of this member and its value, ": " if that has a line break. */
static char *member_colon(const struct splicer *s, size_t member)
{
	const struct jsonscan_node *m = node_at(s, member);

	if (has_newline(s, m->key_end, m->start))
		return xstrdup(": ");
	return xstrndup(s->text.data + m->key_end, m->start - m->key_end);
}

/* Who spaces colons spaces commas. */
static const char *comma_like(const char *colon)
{
	return strcmp(colon, ":") ? ", " : ",";
}

/* What stands between two members of one line; guessed from the colon where there is only one. */
static char *member_comma(const struct splicer *s, size_t last, const char *colon)
{
	size_t gap = gap_start(s, last), key = node_at(s, last)->key_start;

	if (node_at(s, last)->prev == JSONSCAN_NONE)
		return xstrdup(comma_like(colon));
	return xasprintf(",%.*s", (int)(key - gap), s->text.data + gap);
}

/* Owner of the strings of a json_style. */
struct layout {
	struct json_style style;
	char *unit, *margin, *colon, *comma;
};

static void layout_release(struct layout *l)
{
	free(l->unit);
	free(l->margin);
	free(l->colon);
	free(l->comma);
}

/* How this member is written: a new one goes behind it in the same way. */
static struct layout layout_like(const struct splicer *s, size_t member)
{
	bool lines = own_line(s, member);
	struct layout l = { .colon = member_colon(s, member) };

	l.unit = lines ? text_unit(s) : NULL;
	l.margin = lines ? line_margin(s, node_at(s, member)->key_start) : xstrdup("");
	l.comma = lines ? xstrdup(",") : member_comma(s, member, l.colon);
	l.style = (struct json_style){ l.unit, text_eol(s), l.margin, l.colon, l.comma };
	return l;
}

/* How an empty object is filled: as its own member is written, a root always on several lines. */
static struct layout layout_empty(const struct splicer *s, size_t object)
{
	const struct jsonscan_node *o = node_at(s, object);
	struct layout l;

	if (o->parent == JSONSCAN_NONE) {
		l.unit = text_unit(s);
		l.colon = xstrdup(": ");
		l.comma = xstrdup(",");
		l.margin = line_margin(s, o->start);
		l.style = (struct json_style){ l.unit, text_eol(s), l.margin, l.colon, l.comma };
		return l;
	}
	return layout_like(s, object);
}

static int edit(struct splicer *s, size_t start, size_t end, const struct buf *new)
{
	buf_splice(&s->text, start, end - start, new->data, new->len);
	return rescan(s);
}

static int insert_last(struct splicer *s, size_t object, const char *key, const struct json *value)
{
	size_t last = node_at(s, object)->last, at = node_at(s, last)->end;
	struct layout l CLEANUP(layout_release) = layout_like(s, last);
	struct buf new CLEANUP(buf_release) = BUF_INIT;

	if (l.unit)
		buf_addf(&new, ",%s%s", l.style.eol, l.margin);
	else
		buf_adds(&new, l.comma);
	json_print_string(key, &new);
	buf_adds(&new, l.colon);
	json_print_style(value, &l.style, &new);
	return edit(s, at, at, &new);
}

static int insert_first(struct splicer *s, size_t object, const char *key, const struct json *value)
{
	struct layout l CLEANUP(layout_release) = layout_empty(s, object);
	struct json *filled CLEANUP(json_freep) = json_obj();
	struct buf new CLEANUP(buf_release) = BUF_INIT;

	json_set(filled, key, json_dup(value));
	json_print_style(filled, &l.style, &new);
	return edit(s, node_at(s, object)->start, node_at(s, object)->end, &new);
}

/* An array that stood on one line stays there. */
static int replace(struct splicer *s, size_t member, const struct json *value)
{
	const struct jsonscan_node *m = node_at(s, member);
	struct layout l CLEANUP(layout_release) = layout_like(s, member);
	struct buf new CLEANUP(buf_release) = BUF_INIT;

	if (m->type == JSON_ARRAY && m->children && !has_newline(s, m->start, m->end))
		l.style = (struct json_style){ NULL, "", "", l.colon, comma_like(l.colon) };
	json_print_style(value, &l.style, &new);
	return edit(s, m->start, m->end, &new);
}

static int set_member(struct splicer *s, size_t object, const char *key, const struct json *value)
{
	size_t member = jsonscan_member(&s->scan, object, key);

	if (member != JSONSCAN_NONE)
		return replace(s, member, value);
	if (node_at(s, object)->children)
		return insert_last(s, object, key, value);
	return insert_first(s, object, key, value);
}

/* Start of the next line if nothing but blanks stands between at and the line's end, else 0. */
static size_t next_line(const struct splicer *s, size_t at)
{
	while (at < s->text.len && memchr(" \t\r", s->text.data[at], 3))
		at++;
	return at < s->text.len && s->text.data[at] == '\n' ? at + 1 : 0;
}

/* A member takes its comma with it, and its line where it has one to itself. */
static int remove_member(struct splicer *s, size_t member)
{
	const struct jsonscan_node *m = node_at(s, member);
	const struct jsonscan_node *parent = node_at(s, m->parent);
	size_t comma, line, start;

	if (m->next == JSONSCAN_NONE && m->prev == JSONSCAN_NONE)
		return edit(s, parent->start + 1, parent->end - 1, &(struct buf)BUF_INIT);
	if (m->next == JSONSCAN_NONE)
		return edit(s, node_at(s, m->prev)->end, m->end, &(struct buf)BUF_INIT);
	comma = gap_start(s, m->next);
	line = own_line(s, member) ? next_line(s, comma) : 0;
	if (!line)
		return edit(s, m->key_start, node_at(s, m->next)->key_start, &(struct buf)BUF_INIT);
	for (start = m->key_start; s->text.data[start - 1] != '\n';)
		start--;
	return edit(s, start, line, &(struct buf)BUF_INIT);
}

/* Walks as deep as there are objects: index of the last one, and how many keys led there. */
static size_t descend(const struct splicer *s, const struct change *c, size_t *ret_used)
{
	size_t object = 0;

	for (*ret_used = 0; *ret_used + 1 < c->depth; ++*ret_used) {
		size_t member = jsonscan_member(&s->scan, object, c->path[*ret_used]);

		if (member == JSONSCAN_NONE || node_at(s, member)->type != JSON_OBJECT)
			break;
		object = member;
	}
	return object;
}

static int change_apply(struct splicer *s, const struct change *c)
{
	size_t used, object = descend(s, c, &used), member;

	if (!s->removing)
		return set_member(s, object, c->path[used], c->value);
	member = jsonscan_member(&s->scan, object, c->path[used]);
	return member == JSONSCAN_NONE ? 0 : remove_member(s, member);
}

/*
 * Visits what patch changes in target (NULL: absent): the nearest keys below which everything
 * is new, the leaves that differ, the keys to take out.
 */
static int changes_apply(struct splicer *s, struct change *c, const struct json *target,
			 const struct json *patch)
{
	for json_each(p, patch) {
		const struct json *old = json_get(target, json_key(p));
		int rc = 0;

		c->path[c->depth++] = json_key(p);
		if (json_type(p) == JSON_NULL) {
			if (old && s->removing)
				rc = change_apply(s, c);
		} else if (json_type(p) == JSON_OBJECT && old && json_type(old) == JSON_OBJECT) {
			rc = changes_apply(s, c, old, p);
		} else if (!s->removing) {
			struct json *value CLEANUP(json_freep) = json_merge(NULL, p);

			c->value = value;
			if (!old || !json_equal(old, value))
				rc = change_apply(s, c);
		}
		c->depth--;
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* A blank text becomes {} with a final newline, behind the BOM if there is one. */
static int start_object(struct splicer *s)
{
	struct buf new CLEANUP(buf_release) = BUF_INIT;

	buf_addf(&new, "{}%s", text_eol(s));
	return edit(s, s->scan.bom, s->text.len, &new);
}

static int prove(const struct splicer *s, const struct json *want)
{
	struct json *got CLEANUP(json_freep) = NULL;

	if (json_parse(s->text.data, s->text.len, JSON_BLANK, s->what, &got, s->err) < 0)
		return err_prefix(s->err, "the edited text is not sound");
	if (!json_equal(got, want))
		return err_set(s->err, ERR_FAILED, "%s: the edited text is not what it should be",
			       s->what);
	if (s->text.len > SPLICE_MAX)
		return err_set(s->err, ERR_FAILED, "%s: would become larger than 1 MiB", s->what);
	return 0;
}

static int splice(struct splicer *s, const struct json *old, const struct json *patch)
{
	struct json *want CLEANUP(json_freep) = json_merge(old, patch);
	struct change c = { .depth = 0 };

	if (json_equal(old, want))
		return 0;
	if (rescan(s) < 0 || (!s->scan.n && start_object(s) < 0))
		return -1;
	if (changes_apply(s, &c, old, patch) < 0)
		return -1;
	s->removing = true;
	if (changes_apply(s, &c, old, patch) < 0)
		return -1;
	return prove(s, want);
}

static size_t json_depth(const struct json *j)
{
	size_t deepest = 0;

	for json_each(m, j) {
		size_t depth = json_depth(m);

		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

static int check_input(size_t len, const struct json *patch, const char *what, struct err *err)
{
	if (len > SPLICE_MAX)
		return err_set(err, ERR_FAILED, "%s: larger than 1 MiB", what);
	if (json_type(patch) != JSON_OBJECT || json_depth(patch) > JSONSCAN_DEPTH)
		return err_set(err, ERR_FAILED, "%s: the change must be an object, at most %d deep",
			       what, JSONSCAN_DEPTH);
	return 0;
}

int json_splice(const char *text, size_t len, const struct json *patch, const char *what,
		struct buf *ret, struct err *err)
{
	struct splicer s CLEANUP(splicer_release) = {
		.text = BUF_INIT, .scan = JSONSCAN_INIT, .what = what, .err = err,
	};
	struct json *old CLEANUP(json_freep) = NULL;

	if (check_input(len, patch, what, err) < 0 ||
	    json_parse(text, len, JSON_BLANK | JSON_ONLY_OBJECT, what, &old, err) < 0)
		return -1;
	buf_add(&s.text, text, len);
	if (splice(&s, old, patch) < 0)
		return -1;
	buf_add(ret, s.text.data, s.text.len);
	return 0;
}
