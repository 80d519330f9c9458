/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include "base/str.h"
#include "cli/out.h"
#include "sys/clock.h"

#include <stdio.h>

#define BAR_MAX 40
#define BAR_MIN 10

void bytes_words(uint64_t n, char *buf, size_t size)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)n;
	size_t unit = 0;

	for (; value >= 1024 && unit + 1 < ARRAY_SIZE(units); unit++)
		value /= 1024;
	snprintf(buf, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void begin(struct progress *p, const char *subject, uint64_t done, uint64_t now)
{
	progress_clear(p);
	str_replace(&p->subject, subject);
	p->started_ms = p->shown_ms = now;
	p->first = done;
	p->ended = false;
}

bool progress_due(struct progress *p, const char *subject, uint64_t done, uint64_t total,
		  unsigned int every_ms)
{
	uint64_t now = clock_boot_ms();
	bool first = !p->subject || !str_eq(p->subject, subject) || (p->ended && done < total);
	bool last = total && done >= total;

	if (first)
		begin(p, subject, done, now);
	else if (p->ended || (!last && now - p->shown_ms < every_ms))
		return false;
	p->shown_ms = now;
	p->ended = last;
	return true;
}

/* "5.2 of 11.2 MiB, 3.1 MiB/s" */
static void amounts(const struct progress *p, uint64_t done, uint64_t total, char *buf, size_t size)
{
	uint64_t ms = p->shown_ms - p->started_ms;
	char have[32], all[32], rate[32] = "";

	bytes_words(done, have, sizeof(have));
	bytes_words(total, all, sizeof(all));
	if (ms)
		bytes_words((done - p->first) * 1000 / ms, rate, sizeof(rate));
	snprintf(buf, size, "%s%s%s%s%s%s", have, total ? " of " : "", total ? all : "",
		 *rate ? ", " : "", rate, *rate ? "/s" : "");
}

static void add_bar(struct buf *b, uint64_t done, uint64_t total, unsigned int room)
{
	unsigned int width = room > BAR_MAX ? BAR_MAX : room;
	unsigned int full = (unsigned int)((double)done / (double)total * width);

	if (!total || room < BAR_MIN)
		return;
	buf_adds(b, " [");
	for (unsigned int i = 0; i < width; i++)
		buf_addc(b, i < full ? '#' : '.');
	buf_addf(b, "] %3u %%", (unsigned int)((double)done / (double)total * 100));
}

void progress_draw(struct progress *p, uint64_t done, uint64_t total)
{
	struct buf line CLEANUP(buf_release) = BUF_INIT;
	unsigned int width = out_width(OUT_TALK);
	char words[128];

	amounts(p, done, total, words, sizeof(words));
	buf_addf(&line, "  %s", p->subject);
	size_t taken = line.len + strlen(words) + 12;

	add_bar(&line, done, total, taken < width ? width - (unsigned int)taken : 0);
	buf_addf(&line, "  %s", words);
	if (line.len >= width)
		buf_splice(&line, width - 1, line.len - width + 1, "", 0);
	out_raw(OUT_TALK, "\r", 1);
	out_text(OUT_TALK, PAINT_NONE, line.data);
	out_raw(OUT_TALK, "\033[K", 3);
	p->drawn = true;
	if (p->ended) {
		out_newline(OUT_TALK);
		p->drawn = false;
	}
	out_flush(OUT_TALK);
}

void progress_line(struct progress *p, uint64_t done, uint64_t total)
{
	char words[128];

	amounts(p, done, total, words, sizeof(words));
	out_textf(OUT_TALK, PAINT_NONE, "%s: %s", p->subject, words);
	out_newline(OUT_TALK);
}

void progress_clear(struct progress *p)
{
	if (!p->drawn)
		return;
	out_raw(OUT_TALK, "\r\033[K", 4);
	out_flush(OUT_TALK);
	p->drawn = false;
}

void progress_release(struct progress *p)
{
	progress_clear(p);
	free(p->subject);
	*p = (struct progress){ 0 };
}
