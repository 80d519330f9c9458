/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actions/account_db.h: the input is the six files and login.defs. Lines that are missing, put in:
 * then none is missing, the ids are valid and were free; taken out in reverse, every byte is as
 * before.
 */
#include "actions/account_db.h"
#include "fuzz.h"

static const char name[] = "sysbox";

struct undo {
	char *line;
	bool joined;
};

static void put_in(struct account_texts *t, char *lines[ACC_FILES], struct undo *u)
{
	for (int f = 0; f < ACC_FILES; f++) {
		u[f] = (struct undo){ lines[f], false };
		if (!lines[f])
			continue;
		must(!strchr(lines[f], '\n') && str_starts(lines[f], "sysbox:"));
		account_add_line(&t->v[f], lines[f], NULL, &u[f].joined);
		must(account_has_line(&t->v[f], lines[f]));
	}
}

static void take_out(struct account_texts *t, const struct undo *u,
		     const struct account_texts *before)
{
	for (int f = ACC_FILES - 1; f >= 0; f--) {
		if (u[f].line)
			account_del_line(&t->v[f], u[f].line, u[f].joined);
		must(buf_equal(&t->v[f], &before->v[f]));
	}
}

static uint64_t number(const char *line, size_t field)
{
	struct strv v CLEANUP(strv_release) = STRV_INIT;
	uint64_t n = UINT64_MAX;

	str_split(&v, line, ':');
	must(field < v.n && !str_to_u64(v.v[field], UINT64_MAX, &n));
	return n;
}

/* 65534 and above are nobody's or no id at all; (uid_t)-1 means "leave as it is" to chown(2). */
static void check_ids(char *lines[ACC_FILES], const struct account_texts *t)
{
	if (lines[ACC_PASSWD]) {
		uint64_t id = number(lines[ACC_PASSWD], 2);

		must(id && id < UINT32_MAX && number(lines[ACC_GROUP], 2) == id);
		char *taken CLEANUP(freep) = xasprintf("x:x:%llu:1::/:/bin/sh", (unsigned long long)id);
		must(!account_has_line(&t->v[ACC_PASSWD], taken));
	}
	if (lines[ACC_SUBUID]) {
		must(str_eq(lines[ACC_SUBUID], lines[ACC_SUBGID]));
		must(number(lines[ACC_SUBUID], 1) + SUBID_COUNT - 1 < UINT32_MAX);
		must(number(lines[ACC_SUBUID], 2) == SUBID_COUNT);
	}
}

static void check(struct account_texts *t, const struct account_texts *before,
		  const struct buf *defs)
{
	char *lines[ACC_FILES] = { NULL }, *more[ACC_FILES] = { NULL };
	struct undo undo[ACC_FILES];
	struct err err = ERR_INIT;

	if (account_missing(t, defs, name, 20000, lines, &err) < 0) {
		must_be_said(&err);
		return;
	}
	check_ids(lines, t);
	put_in(t, lines, undo);
	must(!account_missing(t, defs, name, 20000, more, &err));
	for (int f = 0; f < ACC_FILES; f++)
		must(!more[f]);
	take_out(t, undo, before);
	for (int f = 0; f < ACC_FILES; f++)
		free(lines[f]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct account_texts t CLEANUP(account_texts_release),
		before CLEANUP(account_texts_release);
	struct buf in[ACC_FILES + 1];

	account_texts_init(&t);
	account_texts_init(&before);
	fuzz_texts(in, ACC_FILES + 1, data, size);
	for (int f = 0; f < ACC_FILES; f++) {
		buf_add(&t.v[f], in[f].data, in[f].len);
		buf_add(&before.v[f], in[f].data, in[f].len);
		t.present[f] = f < ACC_SHADOW || in[f].len;
	}
	check(&t, &before, &in[ACC_FILES]);
	fuzz_texts_release(in, ACC_FILES + 1);
	return 0;
}
