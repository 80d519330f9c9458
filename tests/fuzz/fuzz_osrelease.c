/* SPDX-License-Identifier: Apache-2.0 */
/* host/osrelease.h: what was read, written in double quotes, reads as the same. */
#include "fuzz.h"
#include "host/osrelease.h"

static void put(struct buf *b, const char *key, const char *value)
{
	buf_addf(b, "%s=\"", key);
	for (; *value; value++) {
		if (strchr("\"\\`$", *value))
			buf_addc(b, '\\');
		buf_addc(b, *value);
	}
	buf_adds(b, "\"\n");
}

static void write_out(const struct os_release *o, struct buf *ret)
{
	char *like CLEANUP(freep) = strv_join(&o->id_like, " ");

	put(ret, "ID", o->id);
	put(ret, "VERSION_ID", o->version_id);
	put(ret, "VERSION_CODENAME", o->codename);
	put(ret, "PRETTY_NAME", o->pretty_name);
	put(ret, "ID_LIKE", like);
}

static void same(const struct os_release *a, const struct os_release *b)
{
	must(str_eq(a->id, b->id) && *a->id);
	must(str_eq(a->version_id, b->version_id));
	must(str_eq(a->codename, b->codename));
	must(str_eq(a->pretty_name, b->pretty_name));
	must(a->id_like.n == b->id_like.n);
	for (size_t i = 0; i < a->id_like.n; i++)
		must(str_eq(a->id_like.v[i], b->id_like.v[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct os_release o CLEANUP(osrelease_release) = { 0 };
	struct os_release again CLEANUP(osrelease_release) = { 0 };
	struct buf in CLEANUP(buf_release) = BUF_INIT, text CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	buf_add(&in, data, size);
	if (osrelease_parse(&o, in.data, in.len, &err) < 0) {
		must_be_said(&err);
		must(!o.id);
		return 0;
	}
	write_out(&o, &text);
	must(!osrelease_parse(&again, text.data, text.len, NULL));
	same(&o, &again);
	return 0;
}
