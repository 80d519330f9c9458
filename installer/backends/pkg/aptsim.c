/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/pkg/aptsim.h"

#include <ctype.h>

static int unreadable(const char *line, struct err *err)
{
	char quoted[256];

	err_quote(quoted, sizeof(quoted), line);
	return err_set(err, ERR_FAILED, "cannot understand apt's plan: '%s'", quoted);
}

/* The text between open and close, from *at on; *at moves behind close. NULL: not there. */
static char *bracketed(const char **at, char open, const char *close)
{
	const char *p = *at + strspn(*at, " ");
	const char *end = *p == open ? strstr(p, close) : NULL;

	if (!end)
		return NULL;
	*at = end + strlen(close);
	return xstrndup(p + 1, (size_t)(end - p - 1));
}

/* "1.6-2.1 Debian:12/stable [amd64": first word and what follows the last bracket. The archive's
 * name may hold anything, parentheses too. */
static int parse_new(const char *inside, struct pkg_op *op)
{
	const char *open = strrchr(inside, '[');
	size_t version = strcspn(inside, " ");

	if (!version || !open)
		return -1;
	op->new_version = xstrndup(inside, version);
	op->arch = xstrdup(open + 1);
	return 0;
}

static void op_release(struct pkg_op *op)
{
	free(op->name);
	free(op->old_version);
	free(op->new_version);
	free(op->arch);
	free(op->file);
}

static int parse_op(const char *rest, bool is_removal, struct pkg_op *ret)
{
	size_t len = strcspn(rest, " ");
	const char *at = rest + len;

	ret->name = xstrndup(rest, len);
	ret->old_version = bracketed(&at, '[', "]");
	if (is_removal)
		return len && ret->old_version ? 0 : -1;
	char *inside CLEANUP(freep) = bracketed(&at, '(', "])");
	return len && inside ? parse_new(inside, ret) : -1;
}

static struct pkg_op *plan_push(struct pkg_plan *p, const struct pkg_op *op)
{
	p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	p->v[p->n] = *op;
	return &p->v[p->n++];
}

static bool plan_installs(const struct pkg_plan *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->v[i].name, name) &&
		    (p->v[i].what == PKG_INSTALL || p->v[i].what == PKG_UPGRADE))
			return true;
	return false;
}

struct sim {
	struct pkg_plan plan;
	unsigned int batch;
	bool configured;	/* a Conf since the last Inst */
};

static int sim_inst(struct sim *s, struct pkg_op *op)
{
	if (s->configured)
		s->batch++;
	s->configured = false;
	op->what = op->old_version ? PKG_UPGRADE : PKG_INSTALL;
	op->batch = s->batch;
	plan_push(&s->plan, op);
	return 0;
}

static int sim_conf(struct sim *s, struct pkg_op *op)
{
	s->configured = true;
	op->what = PKG_CONFIGURE_STRANGER;
	if (plan_installs(&s->plan, op->name))
		op_release(op);
	else
		plan_push(&s->plan, op);
	return 0;
}

static int sim_remv(struct sim *s, struct pkg_op *op)
{
	op->what = PKG_REMOVE;
	plan_push(&s->plan, op);
	return 0;
}

static const struct verb {
	const char *word;
	bool is_removal;
	int (*take)(struct sim *s, struct pkg_op *op);
} verbs[] = {
	{ "Inst ", false, sim_inst },
	{ "Conf ", false, sim_conf },
	{ "Remv ", true, sim_remv },
	{ "Purg ", true, sim_remv },
};

static int sim_line(struct sim *s, const char *line, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		struct pkg_op op = { 0 };

		if (!str_starts(line, verbs[i].word))
			continue;
		if (parse_op(line + strlen(verbs[i].word), verbs[i].is_removal, &op)) {
			op_release(&op);
			return unreadable(line, err);
		}
		return verbs[i].take(s, &op);
	}
	return 0;
}

int aptsim_parse(const char *text, struct pkg_plan *ret, struct err *err)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	struct sim s = { 0 };

	str_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		if (sim_line(&s, lines.v[i], err)) {
			pkg_plan_release(&s.plan);
			return -1;
		}
	}
	*ret = s.plan;
	return 0;
}

void pkg_plan_release(struct pkg_plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		op_release(&p->v[i]);
	free(STEAL(p->v));
	p->n = 0;
}

bool apt_uri_parse(const char *line, struct apt_uri *ret)
{
	struct strv words CLEANUP(strv_release) = STRV_INIT;
	const char *end = *line == '\'' ? strchr(line + 1, '\'') : NULL;
	uint64_t size;

	if (!end)
		return false;
	str_words(&words, end + 1);
	if (words.n < 2 || str_to_u64(words.v[1], UINT64_MAX, &size))
		return false;
	*ret = (struct apt_uri){ xstrndup(line + 1, (size_t)(end - line - 1)), xstrdup(words.v[0]),
				 words.n > 2 ? xstrdup(words.v[2]) : NULL, size };
	return true;
}

void apt_uri_release(struct apt_uri *u)
{
	free(STEAL(u->uri));
	free(STEAL(u->file));
	free(STEAL(u->hash));
}

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

char *apt_uri_path(const char *uri)
{
	struct buf path CLEANUP(buf_release) = BUF_INIT;

	if (!str_starts(uri, "file:"))
		return NULL;
	for (const char *p = uri + strlen("file:"); *p; p++) {
		if (*p == '%' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2])) {
			buf_addc(&path, (char)(hex_digit(p[1]) * 16 + hex_digit(p[2])));
			p += 2;
		} else {
			buf_addc(&path, *p);
		}
	}
	return buf_detach(&path);
}

char *apt_archive_name(const struct pkg_op *op)
{
	struct buf name CLEANUP(buf_release) = BUF_INIT;

	buf_addf(&name, "%.*s_", (int)strcspn(op->name, ":"), op->name);
	for (const char *p = op->new_version; *p; p++) {
		if (*p == ':')
			buf_adds(&name, "%3a");
		else
			buf_addc(&name, *p);
	}
	buf_addf(&name, "_%s.deb", op->arch);
	return buf_detach(&name);
}
