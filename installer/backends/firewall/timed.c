/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/firewall/timed.h"

#include "backends/firewall/table.h"
#include "journal/state.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <inttypes.h>

#define FILE_NAME "timed.json"
#define FILE_MAX (4 * 1024 * 1024)

static void timed_release(struct timed *t)
{
	free(t->boot_id);
	free(t->comment);
}

void timed_list_release(struct timed_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		timed_release(&l->v[i]);
	free(l->v);
	*l = (struct timed_list)TIMED_LIST_INIT;
}

uint64_t timed_left_at(const struct timed *t, const char *boot_id, uint64_t boot_ms, int64_t now)
{
	uint64_t given = t->seconds * 1000, left;

	if (str_eq(t->boot_id, boot_id))
		left = t->until_boot_ms > boot_ms ? t->until_boot_ms - boot_ms : 0;
	else
		left = t->until > now ? (uint64_t)(t->until - now) * 1000 : 0;
	return left < given ? left : given;
}

uint64_t timed_left_ms(const struct timed *t)
{
	return timed_left_at(t, clock_boot_id(), clock_boot_ms(), clock_now());
}

static struct timed *append(struct timed_list *l)
{
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n] = (struct timed){ 0 };
	return &l->v[l->n++];
}

static size_t find(const struct timed_list *l, const struct network *address)
{
	for (size_t i = 0; i < l->n; i++)
		if (network_contains(&l->v[i].address, address))
			return i;
	return l->n;
}

void timed_put(struct timed_list *l, const struct network *address, uint64_t seconds,
	       const char *comment)
{
	struct timed *t;

	timed_drop(l, address);
	t = append(l);
	t->address = *address;
	t->seconds = seconds;
	t->boot_id = xstrdup(clock_boot_id());
	t->until_boot_ms = clock_boot_ms() + seconds * 1000;
	t->until = clock_now() + (int64_t)seconds;
	t->comment = xstrdup(comment);
}

bool timed_drop(struct timed_list *l, const struct network *address)
{
	size_t i = find(l, address);

	if (i == l->n)
		return false;
	timed_release(&l->v[i]);
	l->v[i] = l->v[--l->n];
	return true;
}

uint64_t timed_left_of(const struct timed_list *l, const struct network *address)
{
	size_t i = find(l, address);

	return i == l->n ? 0 : timed_left_ms(&l->v[i]);
}

/* ---- kept ---- */

static void read_one(const struct json *j, struct timed_list *ret)
{
	const char *address = json_get_str(j, "address");
	char why[NETWORK_WHY];
	struct network n;

	if (!address || network_parse(address, &n, why))
		return;
	struct timed *t = append(ret);

	t->address = n;
	t->seconds = (uint64_t)json_get_i64(j, "seconds", 0);
	t->boot_id = xstrdup(json_get_str(j, "boot_id"));
	t->until_boot_ms = (uint64_t)json_get_i64(j, "until_boot_ms", 0);
	t->until = json_get_i64(j, "until", 0);
	t->comment = xstrdup(json_get_str(j, "comment"));
	if (!timed_left_ms(t))
		timed_drop(ret, &n);
}

int timed_read(struct timed_list *ret, const struct root *r, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct json *j CLEANUP(json_freep) = NULL;
	int absent = root_read_optional(r, STATE_DIR "/" FILE_NAME, FILE_MAX, &text, err);

	if (absent)
		return absent < 0 ? -1 : 0;
	if (json_parse(text.data, text.len, JSON_STRICT, "'" STATE_DIR "/" FILE_NAME "'", &j, err))
		return -1;
	for json_each(it, j)
		read_one(it, ret);
	return 0;
}

static struct json *encode(const struct timed *t)
{
	struct json *j = json_obj();
	char address[NETWORK_TEXT];

	network_format(&t->address, address);
	json_set_str(j, "address", address);
	json_set_i64(j, "seconds", (int64_t)t->seconds);
	json_set_str(j, "boot_id", t->boot_id);
	json_set_i64(j, "until_boot_ms", (int64_t)t->until_boot_ms);
	json_set_i64(j, "until", t->until);
	if (t->comment)
		json_set_str(j, "comment", t->comment);
	return j;
}

int timed_write(const struct timed_list *l, const struct root *r, struct err *err)
{
	struct json *j CLEANUP(json_freep) = json_arr();
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	int dir CLEANUP(closep) = -1;

	for (size_t i = 0; i < l->n; i++)
		json_add(j, encode(&l->v[i]));
	json_print_pretty(j, &text);
	dir = root_openat(r, STATE_DIR, O_RDONLY | O_DIRECTORY, 0);
	return fs_put(dir, FILE_NAME, 0600, text.data, text.len, err);
}

/* ---- for nft ---- */

static void element(const char *verb, const struct network *address, const char *more,
		    struct buf *ret)
{
	char text[NETWORK_TEXT];

	network_format(address, text);
	buf_addf(ret, "%s element " TABLE " %s { %s%s }\n", verb,
		 address->six ? "timed6" : "timed4", text, more);
}

/* An absent element cannot be deleted, and one that is there keeps its time when added again. */
void timed_render_deny(const struct network *address, struct buf *ret)
{
	element("add", address, "", ret);
	element("delete", address, "", ret);
}

void timed_render_allow(const struct timed *t, struct buf *ret)
{
	uint64_t left = (timed_left_ms(t) + 999) / 1000;
	char *time CLEANUP(freep) =
		xasprintf(" timeout %" PRIu64 "s expires %" PRIu64 "s", t->seconds, left);

	timed_render_deny(&t->address, ret);
	if (left)
		element("add", &t->address, time, ret);
}

void timed_render(const struct timed_list *l, struct buf *ret)
{
	for (size_t i = 0; i < l->n; i++)
		timed_render_allow(&l->v[i], ret);
}

bool timed_comment_ok(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~' || strchr("\"'\\", s[i]))
			return false;
	return n <= 128;
}
