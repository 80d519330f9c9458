/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/ledger.h"

#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>

#define LEDGER "ledger"
#define LEDGER_MAX ((size_t)1 << 30)

enum { HEADER_MAX = 160, WORDS_MAX = 11 };	/* one more than any line has */

static const char *const profiles[] = { [PKI_SERVER] = "server", [PKI_CLIENT] = "client" };

const char *pki_profile_name(enum pki_profile p)
{
	return profiles[p];
}

void ledger_release(struct ledger *l)
{
	free(l->cas);
	free(l->certs);
	free(l->slots);
	strv_release(&l->texts);
	*l = (struct ledger)LEDGER_INIT;
}

bool ledger_alive(const struct ledger_cert *c, int64_t now)
{
	return !c->revoked && !c->dropped && c->to > now;
}

/* It is random: no digits are worse than others. */
static uint32_t hash_of(const char *serial)
{
	size_t len = strlen(serial), n = len < 8 ? len : 8;
	uint64_t end = 0;

	memcpy(&end, serial + len - n, n);
	return (uint32_t)((end * 0x9e3779b97f4a7c15) >> 32);
}

/* A serial that is not there yet. */
static void slot_put(struct ledger *l, struct ledger_slot slot)
{
	size_t at = slot.hash & (l->slots_n - 1);

	while (l->slots[at].cert)
		at = (at + 1) & (l->slots_n - 1);
	l->slots[at] = slot;
}

static void slots_grow(struct ledger *l)
{
	struct ledger_slot *old CLEANUP(freep) = l->slots;
	size_t old_n = l->slots_n;

	l->slots_n = old_n ? old_n * 2 : 1024;
	l->slots = xcalloc(l->slots_n, sizeof(*l->slots));
	for (size_t i = 0; i < old_n; i++)
		if (old[i].cert)
			slot_put(l, old[i]);
}

static bool serial_valid(const char *s)
{
	size_t len = strlen(s);

	return len && len % 2 == 0 && len <= SERIAL_MAX && strspn(s, "0123456789abcdef") == len;
}

struct ledger_cert *ledger_find(const struct ledger *l, const char *serial)
{
	uint32_t hash = hash_of(serial);

	if (!l->slots_n)
		return NULL;
	for (size_t at = hash;; at++) {
		const struct ledger_slot *slot = &l->slots[at & (l->slots_n - 1)];

		if (!slot->cert)
			return NULL;
		if (slot->hash == hash && str_eq(l->certs[slot->cert - 1].serial, serial))
			return &l->certs[slot->cert - 1];
	}
}

struct ledger_cert *ledger_newest(const struct ledger *l, const char *name)
{
	for (size_t i = l->certs_n; i-- > 0;)
		if (str_eq(l->certs[i].name, name))
			return &l->certs[i];
	return NULL;
}

/* --- the lines of a record; each takes its words, the first one not among them --- */

static int read_time(const char *word, int64_t *ret)
{
	return str_to_i64(word, 0, INT64_MAX, ret);
}

static int take_ca(struct ledger *l, char **w, uint64_t seq, int64_t now)
{
	struct ledger_ca ca = { .seq = seq, .serial = w[0], .spki = w[1] };

	if (!serial_valid(ca.serial) || !digest_valid(ca.spki) || read_time(w[2], &ca.from) ||
	    read_time(w[3], &ca.to))
		return -1;
	l->cas = xreallocarray(l->cas, l->cas_n + 1, sizeof(*l->cas));
	l->cas[l->cas_n++] = ca;
	l->trust = seq;
	return 0;
}

static struct ledger_ca *ca_find(const struct ledger *l, const char *word)
{
	uint64_t seq;

	if (str_to_u64(word, UINT64_MAX, &seq))
		return NULL;
	for (size_t i = 0; i < l->cas_n; i++)
		if (l->cas[i].seq == seq)
			return &l->cas[i];
	return NULL;
}

static void lists_settle(struct ledger *l)
{
	const struct ledger_ca *first = NULL;

	for (size_t i = 0; i < l->cas_n; i++)
		if (!l->cas[i].dropped && l->cas[i].crl_number &&
		    (!first || l->cas[i].crl_to < first->crl_to))
			first = &l->cas[i];
	if (!first)
		return;
	l->crl_from = first->crl_from;
	l->crl_to = first->crl_to;
}

static int take_drop(struct ledger *l, char **w, uint64_t seq, int64_t now)
{
	struct ledger_ca *ca = ca_find(l, w[0]);

	if (!ca || ca == &l->cas[l->cas_n - 1])	/* the newest never is */
		return -1;
	ca->dropped = true;
	l->trust = seq;
	for (size_t i = 0; i < l->certs_n; i++)
		l->certs[i].dropped |= l->certs[i].ca == ca->seq;
	lists_settle(l);
	return 0;
}

static void cert_add(struct ledger *l, const struct ledger_cert *c)
{
	if (!(l->certs_n & (l->certs_n - 1)))	/* a power of two is full */
		l->certs = xreallocarray(l->certs, l->certs_n ? l->certs_n * 2 : 1,
					 sizeof(*l->certs));
	l->certs[l->certs_n++] = *c;
	if (l->certs_n * 2 > l->slots_n)
		slots_grow(l);
	slot_put(l, (struct ledger_slot){ hash_of(c->serial), (uint32_t)l->certs_n });
}

static int take_cert(struct ledger *l, char **w, uint64_t seq, int64_t now)
{
	struct ledger_cert c = {
		.seq = seq, .serial = w[0], .spki = w[1], .name = w[6], .sans = w[8],
		.renew = strchr(w[7], 'r'), .detected = strchr(w[7], 'd'),
	};

	if (!serial_valid(c.serial) || !digest_valid(c.spki) || read_time(w[2], &c.from) ||
	    read_time(w[3], &c.to) || str_to_u64(w[4], UINT64_MAX, &c.ca) ||
	    ledger_find(l, c.serial))
		return -1;
	while (c.profile < ARRAY_SIZE(profiles) && !str_eq(profiles[c.profile], w[5]))
		c.profile++;
	if (c.profile == ARRAY_SIZE(profiles))
		return -1;
	cert_add(l, &c);
	return 0;
}

static int take_revoke(struct ledger *l, char **w, uint64_t seq, int64_t now)
{
	struct ledger_cert *c = ledger_find(l, w[0]);

	if (!c)
		return -1;
	c->revoked = now;
	c->reason = w[1];
	return 0;
}

static int read_list(char **w, struct ledger_ca *ret)
{
	return str_to_u64(w[0], UINT64_MAX, &ret->crl_number) || read_time(w[1], &ret->crl_from) ||
			       read_time(w[2], &ret->crl_to) ? -1 : 0;
}

static void list_add(struct ledger *l, struct ledger_ca *ca, const struct ledger_ca *list)
{
	ca->crl_number = list->crl_number;
	ca->crl_from = list->crl_from;
	ca->crl_to = list->crl_to;
	if (list->crl_number > l->crl_number)
		l->crl_number = list->crl_number;
}

/* Of all that are trusted. */
static int take_crl(struct ledger *l, char **w, uint64_t seq, int64_t now)
{
	struct ledger_ca list;

	if (read_list(w, &list) || list.crl_number <= l->crl_number || !l->cas_n)
		return -1;
	for (size_t i = 0; i < l->cas_n; i++)
		if (!l->cas[i].dropped)
			list_add(l, &l->cas[i], &list);
	l->crl = seq;
	lists_settle(l);
	return 0;
}

static int take_crl_of(struct ledger *l, char **w, uint64_t seq, int64_t now)
{
	struct ledger_ca *ca = ca_find(l, w[3]), list;

	if (!ca || ca->dropped || read_list(w, &list) || list.crl_number <= ca->crl_number)
		return -1;
	list_add(l, ca, &list);
	l->crl = seq;
	lists_settle(l);
	return 0;
}

static const struct {
	const char *word;
	size_t words;
	int (*take)(struct ledger *l, char **w, uint64_t seq, int64_t now);
} lines[] = {
	{ "ca", 4, take_ca },
	{ "cert", 9, take_cert },
	{ "revoke", 2, take_revoke },
	{ "crl", 3, take_crl },
	{ "crl", 4, take_crl_of },
	{ "drop", 1, take_drop },
};

/* In place: the words stay where they are, with NULs behind them. */
static size_t split_words(char *line, char **w)
{
	size_t n = 0;

	for (char *next; n < WORDS_MAX; line = next) {
		w[n++] = line;
		next = strchr(line, ' ');
		if (!next)
			break;
		*next++ = '\0';
	}
	return n;
}

static int take_line(struct ledger *l, char *line, uint64_t seq, int64_t now, struct err *err)
{
	char *w[WORDS_MAX];
	size_t n = split_words(line, w);

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (str_eq(lines[i].word, w[0]) && n == lines[i].words + 1)
			return lines[i].take(l, w + 1, seq, now) < 0 ?
				       err_set(err, ERR_FAILED, "record %llu of the ledger says what cannot be",
					       (unsigned long long)seq) :
				       0;
	return err_set(err, ERR_FAILED, "record %llu of the ledger has a line of a later version of sysboxup",
		       (unsigned long long)seq);
}

/* text: the lines, each ended; changed on the way. */
static int take_lines(struct ledger *l, char *text, size_t len, uint64_t seq, int64_t now,
		      struct err *err)
{
	for (char *end, *at = text; at < text + len; at = end + 1) {
		end = memchr(at, '\n', (size_t)(text + len - at));
		if (!end)
			return err_set(err, ERR_FAILED, "record %llu of the ledger has no end",
				       (unsigned long long)seq);
		*end = '\0';
		if (take_line(l, at, seq, now, err))
			return -1;
	}
	l->seq = seq;
	l->time = now;
	return 0;
}

/* --- records --- */

struct record_head {
	uint64_t seq, len;
	int64_t time;
	size_t size;			/* of the header with its newline */
	char digest[DIGEST_HEX + 1];
};

static void digest_of(uint64_t seq, int64_t time, const char *body, size_t len,
		      char hex[DIGEST_HEX + 1])
{
	struct digest *d = digest_new();
	char head[64];
	int n = snprintf(head, sizeof(head), "%llu %lld\n", (unsigned long long)seq,
			 (long long)time);

	digest_add(d, head, (size_t)n);
	digest_add(d, body, len);
	digest_end(d, hex);
}

/* 0: a whole record begins at text. */
static int head_read(const char *text, size_t len, struct record_head *ret)
{
	const char *end = memchr(text, '\n', len < HEADER_MAX ? len : HEADER_MAX);
	char line[HEADER_MAX + 1] = "", *w[WORDS_MAX], hex[DIGEST_HEX + 1];

	if (!end)
		return -1;
	memcpy(line, text, (size_t)(end - text));
	if (split_words(line, w) != 5 || !str_eq(w[0], "+") ||
	    str_to_u64(w[1], UINT64_MAX, &ret->seq) || read_time(w[2], &ret->time) ||
	    str_to_u64(w[3], LEDGER_MAX, &ret->len) || !digest_valid(w[4]))
		return -1;
	ret->size = (size_t)(end - text) + 1;
	if (ret->len > len - ret->size)
		return -1;
	digest_of(ret->seq, ret->time, text + ret->size, ret->len, hex);
	return str_eq(hex, w[4]) ? 0 : -1;
}

/* A whole record behind one that is none: then that one is no torn end. */
static bool goes_on(const char *text, size_t len)
{
	struct record_head h;

	for (const char *at = text + 1; (at = memmem(at, len - (size_t)(at - text), "+ ", 2)); at++)
		if (!head_read(at, len - (size_t)(at - text), &h))
			return true;
	return false;
}

static int damaged(uint64_t at, struct err *err)
{
	err_set(err, ERR_FAILED, "the ledger is damaged at byte %llu", (unsigned long long)at);
	return err_remedy(err, "put the file 'ledger' back from a backup; no certificate is issued without it");
}

static int take_all(struct ledger *l, char *text, size_t len, struct err *err)
{
	struct record_head h;

	for (; l->end < len; l->end += h.size + h.len) {
		char *at = text + l->end;

		if (head_read(at, len - l->end, &h)) {
			l->torn = len - l->end;
			return goes_on(at, l->torn) ? damaged(l->end, err) : 0;
		}
		if (h.seq != l->seq + 1)
			return damaged(l->end, err);
		if (take_lines(l, at + h.size, h.len, h.seq, h.time, err))
			return -1;
	}
	return 0;
}

int ledger_read(struct ledger *ret, int dirfd, struct err *err)
{
	struct ledger l CLEANUP(ledger_release) = LEDGER_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	size_t len;

	if (fs_read_at(dirfd, LEDGER, LEDGER_MAX, &text, err) < 0)
		return -1;
	len = text.len;
	if (len) {
		char *all = buf_detach(&text);

		strv_take(&l.texts, all);
		if (take_all(&l, all, len, err))
			return -1;
	}
	*ret = l;
	l = (struct ledger)LEDGER_INIT;
	return 0;
}

static int write_record(const struct ledger *l, int dirfd, const struct buf *record,
			struct err *err)
{
	int fd CLEANUP(closep) = io_openat(dirfd, LEDGER, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_errno(err, errno, "cannot open the ledger");
	if (l->torn && io_ftruncate(fd, (off_t)l->end))
		return err_errno(err, errno, "cannot write into the ledger");
	bool whole = !io_pwrite_all(fd, record->data, record->len, (off_t)l->end);

	if (!whole || io_fsync(fd)) {
		err_errno(err, errno, "cannot write into the ledger");
		(void)io_ftruncate(fd, (off_t)l->end);	/* of one that is not whole, for tidiness */
		return whole ? LEDGER_UNSURE : -1;
	}
	return l->end || !fs_sync_dir(dirfd, err) ? 0 : LEDGER_UNSURE;
}

int ledger_sync(int dirfd, struct err *err)
{
	int fd CLEANUP(closep) = io_openat(dirfd, LEDGER, O_WRONLY | O_NOFOLLOW, 0);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "cannot open the ledger");
	return io_fsync(fd) ? err_errno(err, errno, "cannot sync the ledger") :
			      fs_sync_dir(dirfd, err);
}

int ledger_append(struct ledger *l, int dirfd, const struct buf *body, int64_t now,
		  struct err *err)
{
	struct buf record CLEANUP(buf_release) = BUF_INIT;
	char hex[DIGEST_HEX + 1], *text;
	uint64_t seq = l->seq + 1;
	int rc;

	digest_of(seq, now, body->data, body->len, hex);
	buf_addf(&record, "+ %llu %lld %zu %s\n", (unsigned long long)seq, (long long)now,
		 body->len, hex);
	buf_add(&record, body->data, body->len);
	rc = write_record(l, dirfd, &record, err);
	if (rc)
		return rc;
	l->end += record.len;
	l->torn = 0;
	text = xstrndup(body->data, body->len);
	strv_take(&l->texts, text);
	return take_lines(l, text, body->len, seq, now, err) ? LEDGER_UNSURE : 0;
}
