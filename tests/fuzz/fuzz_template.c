/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/template.h against a reader of its own: split at every '@', the odd pieces are names, and
 * there is an even number of '@'. The two must agree on what is accepted and on every byte.
 */
#include "base/template.h"
#include "fuzz.h"

static const struct template_var vars[] = {
	{ "A", "value" },
	{ "NAME_2", "@A@ and @" },
	{ "EMPTY", "" },
	{ "NONE", NULL },
	{ "BROKEN", "two\nlines" },
	{ NULL, NULL },
};

static bool known(const char *p, size_t len, const char **ret)
{
	*ret = "@";
	for (const struct template_var *v = vars; len && v->name; v++)
		if (strlen(v->name) == len && !memcmp(v->name, p, len)) {
			*ret = v->value ? v->value : "";
			return !strchr(*ret, '\n');
		}
	return !len;
}

static bool model(const char *s, size_t len, struct buf *out)
{
	const char *end = s + len, *value;
	bool inside = false;

	for (const char *at; (at = s < end ? memchr(s, '@', (size_t)(end - s)) : NULL);
	     s = at + 1) {
		if (!inside)
			buf_add(out, s, (size_t)(at - s));
		else if (known(s, (size_t)(at - s), &value))
			buf_adds(out, value);
		else
			return false;
		inside = !inside;
	}
	buf_add(out, s, (size_t)(end - s));
	return !inside;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf in CLEANUP(buf_release) = BUF_INIT, got CLEANUP(buf_release) = BUF_INIT,
			want CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	buf_add(&in, data, size);
	bool ok = !template_render("fuzz", in.data, in.len, vars, &got, &err);
	must(ok == model(in.data, in.len, &want));
	if (ok)
		must(buf_equal(&got, &want));
	else
		must(!got.len);
	if (!ok)
		must_be_said(&err);
	return 0;
}
