/* SPDX-License-Identifier: Apache-2.0 */
/* A journal that was cut, or of which a bit was flipped: a valid shorter journal, one with a torn
 * tail, or an error, never something else. */
#include "journal/record.h"
#include "journal/txnlog.h"
#include "scratch.h"

enum { SPARE = 4096 };

static void encode(enum record_type type, const char *json, struct buf *ret)
{
	struct json *body CLEANUP(json_freep) = NULL;
	struct err err = ERR_INIT;

	CHECK_INT(json_parse(json, strlen(json), JSON_STRICT, "test", &body, &err), 0);
	CHECK_INT(record_encode(type, body, ret), 0);
}

/* The type, or -1. */
static int decoded(const char *data, size_t len, const char *json)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct json *body CLEANUP(json_freep) = NULL;
	struct err err = ERR_INIT;
	enum record_type type;

	if (record_decode(data, len, &type, &body, &err)) {
		CHECK(err_is_set(&err));
		return -1;
	}
	json_print(body, &text);
	CHECK_STR(text.data, json);
	return (int)type;
}

static const char *const bodies[RECORD_TYPES] = {
	[RECORD_BEGIN] = "{\"who\":\"root\",\"argv\":[\"sysboxup\",\"apply\"]}",
	[RECORD_PREPARED] = "{\"boot_id\":\"0\",\"actions\":[{\"kind\":\"file\",\"path\":\"/etc/x\"}]}",
	[RECORD_INTENT] = "{\"action\":7}",
	[RECORD_COMMITTED] = "{\"time\":\"2026-11-22T01:02:03Z\"}",
	[RECORD_UNDONE] = "{\"action\":3}",
	[RECORD_ROLLED_BACK] = "{}",
	[RECORD_FAILED] = "{\"reason\":\"x\",\"left\":[\"file /etc/x\"]}",
};

/* Types that come later are tried too. */
static const char *body_of(int t)
{
	return bodies[t] ? bodies[t] : "{}";
}

TEST(cut, "a record cut at any byte is no record, one whose padding is cut is itself")
{
	for (int t = 0; t < RECORD_TYPES; t++) {
		struct buf b CLEANUP(buf_release) = BUF_INIT;
		encode((enum record_type)t, body_of(t), &b);
		size_t whole = b.len;
		char *data CLEANUP(freep) = xcalloc(1, SPARE);
		memcpy(data, b.data, whole);
		for (size_t len = 0; len <= SPARE; len++)
			CHECK_INT(decoded(data, len, body_of(t)), len < whole ? -1 : t);
		for (size_t len = 0; len < whole; len++) {	/* the rest is zeros: blocks that were not written */
			memset(data + len, 0, SPARE - len);
			CHECK_INT(decoded(data, SPARE, body_of(t)), -1);
			memcpy(data, b.data, whole);
		}
	}
}

TEST(flipped, "a record with any bit flipped, in its padding too, is no record")
{
	for (int t = 0; t < RECORD_TYPES; t++) {
		struct buf b CLEANUP(buf_release) = BUF_INIT;
		encode((enum record_type)t, body_of(t), &b);
		char *data CLEANUP(freep) = xcalloc(1, SPARE);
		memcpy(data, b.data, b.len);
		for (size_t bit = 0; bit < (b.len + 64) * 8; bit++) {
			data[bit / 8] ^= (char)(1 << bit % 8);
			CHECK_INT(decoded(data, SPARE, body_of(t)), -1);
			data[bit / 8] ^= (char)(1 << bit % 8);
		}
		CHECK_INT(decoded(data, SPARE, body_of(t)), t);
	}
}

/* ---- whole journals ---- */

static const enum record_type order[] = { RECORD_BEGIN, RECORD_PREPARED, RECORD_INTENT,
					  RECORD_INTENT, RECORD_COMMITTED };

struct journal {
	struct scratch s;
	struct state state;
	int dir;			/* txn/000001 */
	struct buf record[ARRAY_SIZE(order)];
};

static void journal_make(struct journal *j)
{
	struct txnlog log = TXNLOG_INIT;
	struct err err = ERR_INIT;

	*j = (struct journal){ .state = STATE_INIT, .dir = -1 };
	scratch_open(&j->s);
	CHECK_INT(state_open(&j->state, &j->s.root, STATE_CREATE, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct json *body CLEANUP(json_freep) = NULL;
		const char *text = bodies[order[i]];
		CHECK_INT(json_parse(text, strlen(text), JSON_STRICT, "test", &body, &err), 0);
		CHECK_INT(i ? txnlog_append(&log, order[i], body, &err) :
			      txnlog_begin(&log, &j->state, body, &err), 0);
		if (order[i] == RECORD_BEGIN)
			CHECK_INT(txnlog_spare(&log, 6, &err), 0);
	}
	j->dir = dup(log.fd);
	txnlog_release(&log);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		char name[32];
		snprintf(name, sizeof(name), "%04zu", i);
		CHECK_INT(fs_read_at(j->dir, name, 1 << 20, &j->record[i], &err), 0);
	}
}

static void journal_release(struct journal *j)
{
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		buf_release(&j->record[i]);
	closep(&j->dir);
	state_release(&j->state);
	scratch_close(&j->s);
}

static void record_set(const struct journal *j, size_t i, const char *data, size_t len)
{
	char name[24];

	snprintf(name, sizeof(name), "%04zu", i);
	int fd CLEANUP(closep) = openat(j->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
					0600);
	if (write(fd, data, len) != (ssize_t)len)
		abort();
}

/* The state of n whole records, last_intent and all, and a torn one behind them or not. */
static void check_prefix(const struct journal *j, size_t n, bool torn)
{
	static const struct { enum txn_state state; int intent; } want[] = {
		{ TXN_NONE, -1 }, { TXN_NONE, -1 }, { TXN_PREPARED, -1 }, { TXN_PREPARED, 7 },
		{ TXN_PREPARED, 7 }, { TXN_COMMITTED, 7 },
	};
	struct err err = ERR_INIT;
	struct txn_summary t;

	CHECK_INT(txnlog_read(&j->state, 1, &t, &err), 0);
	CHECK_INT(t.state, want[n].state);
	CHECK_INT(t.torn, torn);
	CHECK_INT(t.last_intent, want[n].intent);
	CHECK_INT(!t.begin, n < 1);
	CHECK_INT(!t.prepared, n < 2);
	CHECK_INT(!t.terminal, n < 5);
	txn_summary_release(&t);
}

/* Said to be broken, nothing is taken from it. */
static void check_broken(const struct journal *j)
{
	struct err err = ERR_INIT;
	struct txn_summary t = { .id = 99 };

	CHECK_INT(txnlog_read(&j->state, 1, &t, &err), -1);
	CHECK_INT(err.kind, ERR_UNDO);
	CHECK_INT(t.id, 99);
	CHECK(strstr(err.msg, "not a valid record"));
}

static size_t text_len(const struct buf *b)
{
	return strnlen(b->data, b->len);
}

TEST(journal_cut, "a journal cut at any byte of any record is a valid shorter journal, or one with a torn tail")
{
	struct journal j;

	journal_make(&j);
	check_prefix(&j, ARRAY_SIZE(order), false);
	for (size_t i = ARRAY_SIZE(order); i-- > 0;) {
		size_t whole = text_len(&j.record[i]);
		for (size_t len = 0; len < whole; len++) {
			record_set(&j, i, j.record[i].data, len);
			check_prefix(&j, i, true);
		}
		for (size_t len = whole; len <= j.record[i].len; len += 97) {
			record_set(&j, i, j.record[i].data, len);
			check_prefix(&j, i + 1, false);
		}
		char name[24];
		snprintf(name, sizeof(name), "%04zu", i);
		CHECK_INT(unlinkat(j.dir, name, 0), 0);
		check_prefix(&j, i, false);
	}
	journal_release(&j);
}

TEST(journal_flipped, "a journal with any bit of its last record flipped has a torn tail, whichever record is the last")
{
	struct journal j;

	journal_make(&j);
	for (size_t i = ARRAY_SIZE(order); i-- > 0;) {
		struct buf *b = &j.record[i];
		for (size_t bit = 0; bit < text_len(b) * 8; bit++) {
			b->data[bit / 8] ^= (char)(1 << bit % 8);
			record_set(&j, i, b->data, b->len);
			b->data[bit / 8] ^= (char)(1 << bit % 8);
			check_prefix(&j, i, true);
		}
		char name[24];
		snprintf(name, sizeof(name), "%04zu", i);
		CHECK_INT(unlinkat(j.dir, name, 0), 0);
	}
	journal_release(&j);
}

TEST(journal_broken, "a broken record that others follow, or that ends a journal where all is over, is an error")
{
	static const size_t last = ARRAY_SIZE(order) - 1;
	struct txnlog log = TXNLOG_INIT;
	struct err err = ERR_INIT;
	struct journal j;

	journal_make(&j);
	for (size_t i = 0; i < last; i++) {
		record_set(&j, i, j.record[i].data, text_len(&j.record[i]) - 1);
		check_broken(&j);
		record_set(&j, i, j.record[i].data, j.record[i].len);
	}
	CHECK_INT(txnlog_open(&log, &j.state, 1, &err), 0);
	CHECK_INT(txnlog_clean(&log, &err), 0);
	txnlog_release(&log);
	check_prefix(&j, last + 1, false);
	record_set(&j, last, j.record[last].data, text_len(&j.record[last]) - 1);
	check_broken(&j);
	journal_release(&j);
}

TEST(mended, "another record in the place of a torn one makes the journal whole again")
{
	struct json *body CLEANUP(json_freep) = json_obj();
	struct txnlog log = TXNLOG_INIT;
	struct err err = ERR_INIT;
	struct journal j;

	journal_make(&j);
	CHECK_INT(unlinkat(j.dir, "0004", 0), 0);
	record_set(&j, 3, "", 0);
	check_prefix(&j, 3, true);
	json_set_i64(body, "action", 7);
	CHECK_INT(txnlog_open(&log, &j.state, 1, &err), 0);
	CHECK_INT(txnlog_append_over(&log, RECORD_INTENT, body, &err), 0);
	check_prefix(&j, 4, false);
	CHECK_INT(txnlog_append(&log, RECORD_COMMITTED, body, &err), 0);
	check_prefix(&j, 5, false);
	txnlog_release(&log);
	journal_release(&j);
}

RUN_TESTS()
