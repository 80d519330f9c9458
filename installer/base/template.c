/* SPDX-License-Identifier: Apache-2.0 */
#include "base/template.h"

#include "base/str.h"

static const char *var_value(const struct template_var *vars, const char *name, size_t len)
{
	for (; vars->name; vars++)
		if (strlen(vars->name) == len && !memcmp(vars->name, name, len))
			return vars->value ? vars->value : "";
	return NULL;
}

static size_t name_len(const char *s, const char *end)
{
	size_t n = 0;

	while (s + n < end && s[n] && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", s[n]))
		n++;
	return n;
}

/* s is behind an '@'; gives what the reference stands for and moves *s behind it. */
static int reference_read(const char **s, const char *end, const struct template_var *vars,
			  const char **ret_value, struct err *err)
{
	size_t n = name_len(*s, end);
	const char *value;

	if (*s + n == end || (*s)[n] != '@')
		return err_set(err, ERR_FAILED, "'@%.*s' is not terminated (write @@ for one @)",
			       (int)(n < 64 ? n : 64), *s);
	value = n ? var_value(vars, *s, n) : "@";
	if (!value)
		return err_set(err, ERR_FAILED, "unknown variable '@%.*s@'", (int)(n < 64 ? n : 64),
			       *s);
	if (strpbrk(value, "\r\n"))
		return err_set(err, ERR_FAILED, "the value of '@%.*s@' has a line break", (int)n,
			       *s);
	*ret_value = value;
	*s += n + 1;
	return 0;
}

static int render(const char *name, const char *text, size_t len, const struct template_var *vars,
		  struct buf *out, struct err *err)
{
	const char *s = text, *end = text + len;
	int line = 1;

	while (s < end) {
		const char *value = NULL;

		if (*s != '@') {
			line += *s == '\n';
			buf_addc(out, *s++);
			continue;
		}
		s++;
		if (reference_read(&s, end, vars, &value, err) < 0)
			return err_prefix(err, "template '%s', line %d", name, line);
		buf_adds(out, value);
	}
	return 0;
}

int template_render(const char *name, const char *text, size_t len, const struct template_var *vars,
		    struct buf *ret, struct err *err)
{
	struct buf out CLEANUP(buf_release) = BUF_INIT;

	if (render(name, text, len, vars, &out, err) < 0)
		return -1;
	buf_add(ret, out.data, out.len);
	return 0;
}
