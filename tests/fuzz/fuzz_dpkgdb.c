/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backends/pkg/dpkgdb.h: the paragraphs cover every line that is not blank, in order; joined anew
 * they are the same paragraphs; every package that is named is found under its name, and what is
 * said of it comes out of its own paragraph.
 */
#include "backends/pkg/dpkgdb.h"
#include "fuzz.h"

static size_t solid(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += !memchr(" \t\r\n", s[i], 4);
	return n;
}

static void join(const struct buf *in, struct buf *out, size_t *ret_n)
{
	const char *at = in->data, *end = in->data + in->len, *before = at;
	size_t seen = 0;
	struct stanza s;

	for (*ret_n = 0; stanza_next(&at, end, &s); ++*ret_n) {
		must(s.text >= before && s.len && s.text + s.len <= end && at >= s.text + s.len);
		before = s.text + s.len;
		seen += solid(s.text, s.len);
		buf_add(out, s.text, s.len);
		buf_adds(out, str_ends(out->data, "\n") ? "\n" : "\n\n");
	}
	must(seen == solid(in->data, in->len));
}

static void check_one(const struct buf *text, const struct stanza *s)
{
	char *name CLEANUP(freep) = stanza_field(s, "Package");
	char *depends CLEANUP(freep) = stanza_field(s, "Depends");
	char *lines CLEANUP(freep) = stanza_lines(s, "Depends");
	char *want CLEANUP(freep) = NULL, *flag CLEANUP(freep) = NULL, *state CLEANUP(freep) = NULL;
	struct stanza found;

	must(!depends == !lines);
	must(!depends || strstr(lines, depends));
	if (stanza_status(s, &want, &flag, &state))
		must(!str_empty(want) && !str_empty(flag) && !str_empty(state));
	if (!str_empty(name) && !strchr(name, ':'))
		must(dpkgdb_find(text, name, &found));
}

static void check_status(const struct buf *text, const struct buf *marks, const char *name)
{
	struct pkg_status st;

	dpkgdb_status(text, marks, name, &st);
	must(st.known == (st.state != NULL) && (st.known || !st.version));
	must(!st.automatic || dpkgdb_is_auto(marks, name));
	pkg_status_release(&st);
}

static void check_unsettled(const struct buf *a, const struct buf *b)
{
	struct strv x CLEANUP(strv_release) = STRV_INIT, y CLEANUP(strv_release) = STRV_INIT,
		    names CLEANUP(strv_release) = STRV_INIT;

	dpkgdb_unsettled(a, &x);
	dpkgdb_unsettled(b, &y);
	dpkgdb_unsettled_names(a, &names);
	must(x.n == y.n && names.n <= x.n);
	for (size_t i = 0; i < x.n; i++)
		must(str_eq(x.v[i], y.v[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf in[2], out CLEANUP(buf_release) = BUF_INIT,
			      twice CLEANUP(buf_release) = BUF_INIT;
	size_t n, again, seen = 0;
	struct stanza s;

	fuzz_texts(in, 2, data, size);
	join(&in[0], &out, &n);
	join(&out, &twice, &again);
	must(n == again && buf_equal(&out, &twice));
	const char *at = in[0].data, *end = in[0].data + in[0].len;
	while (seen++ < 16 && stanza_next(&at, end, &s))
		check_one(&in[0], &s);
	check_status(&in[0], &in[1], "a");
	check_status(&in[0], &in[1], "a:amd64");
	check_unsettled(&in[0], &out);
	fuzz_texts_release(in, 2);
	return 0;
}
