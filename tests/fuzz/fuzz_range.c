/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/range.h: what is accepted is printed again to the same bytes, so there is no second way to
 * write it; the range is one; a byte more in front or behind is refused.
 */
#include "fetch/range.h"
#include "fuzz.h"

static void again(const char *text, const struct content_range *r)
{
	struct content_range c;
	struct buf b CLEANUP(buf_release) = BUF_INIT, more CLEANUP(buf_release) = BUF_INIT;

	buf_addf(&b, "bytes %llu-%llu/", (unsigned long long)r->start, (unsigned long long)r->end);
	if (r->total)
		buf_addf(&b, "%llu", (unsigned long long)r->total);
	else
		buf_addc(&b, '*');
	must(!strcasecmp(b.data, text));
	buf_addf(&more, " %s", b.data);
	must(content_range_parse(more.data, &c) < 0);
	for (const char *p = "-*/x."; *p; p++) {
		buf_clear(&more);
		buf_addf(&more, "%s%c", b.data, *p);
		must(content_range_parse(more.data, &c) < 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf in CLEANUP(buf_release) = BUF_INIT;
	struct content_range r = { 1, 2, 3 };

	buf_add(&in, data, size);
	if (content_range_parse(in.data, &r) < 0) {
		must(r.start == 1 && r.end == 2 && r.total == 3);
		return 0;
	}
	must(r.start <= r.end && (!r.total || r.end < r.total));
	again(in.data, &r);
	return 0;
}
