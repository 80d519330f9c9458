/* SPDX-License-Identifier: Apache-2.0 */
#include "base/jsonscan.h"

#include "base/utf8.h"

#include <stdio.h>

struct reader {
	const char *text;		/* s->plain */
	size_t len, at;
	const char *what;
	int flags;
	struct jsonscan *s;
	struct err *err;
	size_t depth;
};

static int bad(const struct reader *r, size_t at, const char *msg)
{
	size_t line = 1, column = 1;

	for (size_t i = r->s->bom; i < at && i < r->len; i++) {
		column++;
		if (r->text[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return err_set(r->err, ERR_FAILED, "%s: line %zu, column %zu: %s", r->what, line, column,
		       msg);
}

static int peek(const struct reader *r)
{
	return r->at < r->len ? (unsigned char)r->text[r->at] : -1;
}

/* Something else than what may stand here; a comment is the likeliest. */
static int unexpected(const struct reader *r, const char *msg)
{
	if (peek(r) == '/' || peek(r) == '#')
		msg = r->flags & JSON_COMMENTS ? "comments are written // or /* */" :
						 "comments are not allowed";
	return bad(r, r->at, msg);
}

static bool at_text(const struct reader *r, const char *s)
{
	size_t n = strlen(s);

	return r->len - r->at >= n && !memcmp(r->text + r->at, s, n);
}

static void skip_space(struct reader *r)
{
	while (r->at < r->len && memchr(" \t\r\n", r->text[r->at], 4))
		r->at++;
}

/* Index of a new node below parent, linked in. */
static size_t node_add(struct reader *r, size_t parent)
{
	struct jsonscan *s = r->s;
	size_t i = s->n;

	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->node = xreallocarray(s->node, s->cap, sizeof(*s->node));
	}
	s->n++;
	s->node[i] = (struct jsonscan_node){
		.parent = parent, .first = JSONSCAN_NONE, .last = JSONSCAN_NONE,
		.prev = JSONSCAN_NONE, .next = JSONSCAN_NONE,
	};
	if (parent != JSONSCAN_NONE) {
		struct jsonscan_node *p = &s->node[parent];

		s->node[i].prev = p->last;
		if (p->last == JSONSCAN_NONE)
			p->first = i;
		else
			s->node[p->last].next = i;
		p->last = i;
		p->children++;
	}
	return i;
}

static int read_hex4(struct reader *r, uint32_t *ret)
{
	uint32_t c = 0;

	for (int i = 0; i < 4; i++, r->at++) {
		static const char digits[] = "0123456789abcdef";
		int ch = peek(r);
		const char *d = ch > 0 ? strchr(digits, ch | 0x20) : NULL;

		if (!d || (ch < '0') || (ch > '9' && ch < 'A'))
			return bad(r, r->at, "four hexadecimal digits expected after \\u");
		c = c << 4 | (uint32_t)(d - digits);
	}
	*ret = c;
	return 0;
}

/* r->at is behind "\u". */
static int read_unicode_escape(struct reader *r, struct buf *ret)
{
	size_t start = r->at - 2;
	uint32_t c, low;

	if (read_hex4(r, &c) < 0)
		return -1;
	if (!c)
		return bad(r, start, "\\u0000 is not supported");
	if (c >= 0xdc00 && c <= 0xdfff)
		return bad(r, start, "lone surrogate");
	if (c >= 0xd800 && c <= 0xdbff) {
		if (!at_text(r, "\\u"))
			return bad(r, start, "lone surrogate");
		r->at += 2;
		if (read_hex4(r, &low) < 0)
			return -1;
		if (low < 0xdc00 || low > 0xdfff)
			return bad(r, start, "lone surrogate");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	if (ret)
		utf8_encode(ret, c);
	return 0;
}

static int read_escape(struct reader *r, struct buf *ret)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *p;
	int c;

	r->at++;
	c = peek(r);
	if (c == 'u') {
		r->at++;
		return read_unicode_escape(r, ret);
	}
	p = c > 0 ? strchr(from, c) : NULL;
	if (!p)
		return bad(r, r->at - 1, "unknown escape");
	if (ret)
		buf_addc(ret, to[p - from]);
	r->at++;
	return 0;
}

static int read_char(struct reader *r, struct buf *ret)
{
	uint32_t c;
	size_t n;

	if (peek(r) < 0)
		return bad(r, r->at, "the text ends inside a string");
	if (peek(r) < 0x20)
		return bad(r, r->at, "control character in a string");
	n = utf8_decode(r->text + r->at, r->len - r->at, &c);
	if (!n)
		return bad(r, r->at, "invalid UTF-8");
	if (ret)
		buf_add(ret, r->text + r->at, n);
	r->at += n;
	return 0;
}

/* r->at is on the opening quote. ret (may be NULL) gets the decoded string. */
static int read_string(struct reader *r, struct buf *ret)
{
	r->at++;
	while (peek(r) != '"')
		if ((peek(r) == '\\' ? read_escape(r, ret) : read_char(r, ret)) < 0)
			return -1;
	r->at++;
	return 0;
}

static size_t skip_digits(struct reader *r)
{
	size_t from = r->at;

	while (peek(r) >= '0' && peek(r) <= '9')
		r->at++;
	return r->at - from;
}

static int read_number(struct reader *r)
{
	size_t start = r->at, digits;
	bool zero;

	r->at += peek(r) == '-';
	zero = peek(r) == '0';
	digits = skip_digits(r);
	if (!digits || (zero && digits > 1))
		return bad(r, start, "malformed number");
	if (peek(r) == '.') {
		r->at++;
		if (!skip_digits(r))
			return bad(r, start, "malformed number");
	}
	if (peek(r) == 'e' || peek(r) == 'E') {
		r->at++;
		r->at += peek(r) == '+' || peek(r) == '-';
		if (!skip_digits(r))
			return bad(r, start, "malformed number");
	}
	return r->at - start > 63 ? bad(r, start, "number of more than 63 characters") : 0;
}

static int read_value(struct reader *r, size_t i);

static int enter(struct reader *r)
{
	if (r->depth == JSONSCAN_DEPTH)
		return bad(r, r->at, "nested more than 128 deep");
	r->depth++;
	r->at++;
	skip_space(r);
	return 0;
}

/* Behind a member or element: 1 if another one follows, 0 if the container ends here. */
static int read_separator(struct reader *r, char close)
{
	size_t comma;

	skip_space(r);
	if (peek(r) == close)
		return 0;
	if (peek(r) != ',')
		return unexpected(r, close == '}' ? "',' or '}' expected" : "',' or ']' expected");
	comma = r->at++;
	skip_space(r);
	return peek(r) == close ? bad(r, comma, "comma behind the last one") : 1;
}

static int read_member(struct reader *r, size_t object)
{
	size_t start = r->at, key = r->s->keys.len, i;

	if (peek(r) != '"')
		return unexpected(r, "a key in double quotes expected");
	if (read_string(r, &r->s->keys) < 0)
		return -1;
	buf_addc(&r->s->keys, '\0');
	i = node_add(r, object);
	r->s->node[i].key_start = start;
	r->s->node[i].key_end = r->at;
	r->s->node[i].key = key;
	skip_space(r);
	if (peek(r) != ':')
		return unexpected(r, "':' expected");
	r->at++;
	skip_space(r);
	return read_value(r, i);
}

struct keyref {
	const char *key;
	size_t node;
};

static int compare_keys(const void *a, const void *b)
{
	const struct keyref *x = a, *y = b;
	int c = strcmp(x->key, y->key);

	return c ? c : x->node < y->node ? -1 : 1;
}

static int check_duplicates(struct reader *r, size_t object)
{
	const struct jsonscan_node *node = r->s->node;
	struct keyref *refs CLEANUP(freep) = xcalloc(node[object].children, sizeof(*refs));
	char msg[160], quoted[100];
	size_t n = 0, dup = JSONSCAN_NONE;

	for (size_t i = node[object].first; i != JSONSCAN_NONE; i = node[i].next)
		refs[n++] = (struct keyref){ jsonscan_key(r->s, i), i };
	if (n < 2)
		return 0;
	qsort(refs, n, sizeof(*refs), compare_keys);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(refs[i - 1].key, refs[i].key) && refs[i].node < dup)
			dup = refs[i].node;
	if (dup == JSONSCAN_NONE)
		return 0;
	err_quote(quoted, sizeof(quoted), jsonscan_key(r->s, dup));
	snprintf(msg, sizeof(msg), "duplicate key '%s'", quoted);
	return bad(r, node[dup].key_start, msg);
}

static int read_object(struct reader *r, size_t i)
{
	int more;

	if (enter(r) < 0)
		return -1;
	more = peek(r) != '}';
	while (more > 0)
		more = read_member(r, i) < 0 ? -1 : read_separator(r, '}');
	if (more < 0)
		return -1;
	r->at++;
	r->depth--;
	return check_duplicates(r, i);
}

static int read_array(struct reader *r, size_t i)
{
	int more;

	if (enter(r) < 0)
		return -1;
	more = peek(r) != ']';
	while (more > 0)
		more = read_value(r, node_add(r, i)) < 0 ? -1 : read_separator(r, ']');
	if (more < 0)
		return -1;
	r->at++;
	r->depth--;
	return 0;
}

static int read_word(struct reader *r, size_t i)
{
	static const struct {
		const char *word;
		enum json_type type;
	} words[] = { { "true", JSON_BOOL }, { "false", JSON_BOOL }, { "null", JSON_NULL } };

	for (size_t w = 0; w < ARRAY_SIZE(words); w++)
		if (at_text(r, words[w].word)) {
			r->s->node[i].type = words[w].type;
			r->at += strlen(words[w].word);
			return 0;
		}
	return unexpected(r, peek(r) < 0 ? "the text ends where a value is expected" :
					   "a value expected");
}

static int read_typed(struct reader *r, size_t i, enum json_type type)
{
	r->s->node[i].type = type;
	switch (type) {
	case JSON_OBJECT:
		return read_object(r, i);
	case JSON_ARRAY:
		return read_array(r, i);
	case JSON_STRING:
		return read_string(r, NULL);
	case JSON_NUMBER:
		return read_number(r);
	case JSON_NULL:
	case JSON_BOOL:
		break;
	}
	return read_word(r, i);
}

/* What a value is by its first character; JSON_NULL: a word, or nothing sound. */
static enum json_type first_type(int c)
{
	switch (c) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	default:
		return c == '-' || (c >= '0' && c <= '9') ? JSON_NUMBER : JSON_NULL;
	}
}

static int read_value(struct reader *r, size_t i)
{
	r->s->node[i].start = r->at;
	if (read_typed(r, i, first_type(peek(r))) < 0)
		return -1;
	r->s->node[i].end = r->at;
	return 0;
}

/* Length of the comment at p; 0 if there is none, more than n if it is not closed. */
static size_t comment_len(const char *p, size_t n)
{
	const char *end;

	if (n < 2 || p[0] != '/' || (p[1] != '/' && p[1] != '*'))
		return 0;
	if (p[1] == '/') {
		end = memchr(p, '\n', n);
		return end ? (size_t)(end - p) : n;
	}
	end = memmem(p + 2, n - 2, "*/", 2);
	return end ? (size_t)(end + 2 - p) : n + 1;
}

static size_t string_len(const char *p, size_t n)
{
	size_t i = 1;

	while (i < n && p[i] != '"')
		i += p[i] == '\\' ? 2 : 1;
	return i < n ? i + 1 : n;
}

/* Line breaks stay, so that lines and columns stay. */
static int blank_comments(struct reader *r, char *text)
{
	for (size_t i = 0; i < r->len;) {
		size_t n = comment_len(text + i, r->len - i);

		if (n > r->len - i)
			return bad(r, i, "comment is not closed");
		for (size_t k = i; k < i + n; k++)
			if (text[k] != '\n' && text[k] != '\r')
				text[k] = ' ';
		i += n ? n : text[i] == '"' ? string_len(text + i, r->len - i) : 1;
	}
	return 0;
}

static int check_root(const struct reader *r)
{
	const struct jsonscan_node *root = &r->s->node[0];
	char msg[64];

	if (root->type == JSON_OBJECT || !(r->flags & JSON_ONLY_OBJECT))
		return 0;
	snprintf(msg, sizeof(msg), "an object expected, not %s", json_type_name(root->type));
	return bad(r, root->start, msg);
}

static int read_text(struct reader *r)
{
	if ((r->flags & JSON_COMMENTS) && blank_comments(r, r->s->plain.data) < 0)
		return -1;
	r->at = r->s->bom;
	skip_space(r);
	if (r->at == r->len)
		return r->flags & JSON_BLANK ? 0 : bad(r, r->at, "the text is empty");
	if (read_value(r, node_add(r, JSONSCAN_NONE)) < 0 || check_root(r) < 0)
		return -1;
	skip_space(r);
	return r->at < r->len ? unexpected(r, "more text behind the value") : 0;
}

void jsonscan_release(struct jsonscan *s)
{
	free(s->node);
	buf_release(&s->keys);
	buf_release(&s->plain);
	*s = (struct jsonscan)JSONSCAN_INIT;
}

int jsonscan_text(const char *text, size_t len, int flags, const char *what,
		  struct jsonscan *ret, struct err *err)
{
	struct reader r = { .len = len, .what = what, .flags = flags, .s = ret, .err = err };

	jsonscan_release(ret);
	buf_add(&ret->plain, text, len);
	ret->bom = len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
	r.text = ret->plain.data;
	return read_text(&r);
}

const char *jsonscan_key(const struct jsonscan *s, size_t node)
{
	return s->keys.data + s->node[node].key;
}

size_t jsonscan_member(const struct jsonscan *s, size_t object, const char *key)
{
	size_t i = s->node[object].first;

	while (i != JSONSCAN_NONE && strcmp(jsonscan_key(s, i), key))
		i = s->node[i].next;
	return i;
}
