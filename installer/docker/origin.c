/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/origin.h"

void otext_addc(struct otext *t, char c, struct origin at)
{
	buf_addc(&t->text, c);
	buf_add(&t->at, &at, sizeof(at));
}

void otext_add(struct otext *t, const struct otext *src, size_t from, size_t len)
{
	for (size_t i = from; i < from + len; i++)
		otext_addc(t, src->text.data[i], otext_at(src, i));
}

struct origin otext_at(const struct otext *t, size_t pos)
{
	struct origin at = { NULL, 0 };

	if (!t->text.len)
		return at;
	if (pos >= t->text.len)
		pos = t->text.len - 1;
	memcpy(&at, t->at.data + pos * sizeof(at), sizeof(at));
	return at;
}

void otext_release(struct otext *t)
{
	buf_release(&t->text);
	buf_release(&t->at);
}

void owords_take(struct owords *w, struct otext *word, struct origin first)
{
	const struct otext none = OTEXT_INIT;

	w->v = xreallocarray(w->v, w->n + 1, sizeof(*w->v));
	w->first = xreallocarray(w->first, w->n + 1, sizeof(*w->first));
	w->v[w->n] = *word;
	w->first[w->n++] = first;
	*word = none;
}

void owords_release(struct owords *w)
{
	for (size_t i = 0; i < w->n; i++)
		otext_release(&w->v[i]);
	free(w->v);
	free(w->first);
	*w = (struct owords){ 0 };
}
