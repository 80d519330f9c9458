/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/txnlog.h"

#include "journal/ballast.h"
#include "journal/base.h"
#include "sys/fs.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define SPARE_SIZE 4096
#define TXN_MAX 999999		/* names have six digits */
#define RECORD_MAX (256 * 1024 * 1024)
#define DISCARDED "discarded"	/* in STATE_DIR */

static void txn_name(unsigned int id, char name[16])
{
	snprintf(name, 16, "%06u", id);
}

/* NNNN of a record's or, with a prefix, a spare's name; -1 for any other name. */
static int number_of(const char *name, const char *prefix)
{
	int64_t n;

	if (!str_starts(name, prefix) || strlen(name + strlen(prefix)) < 4 ||
	    str_to_i64(name + strlen(prefix), 0, 999999, &n))
		return -1;
	return (int)n;
}

int txnlog_list(const struct state *s, unsigned int **ret_ids, size_t *ret_n, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	unsigned int *ids;
	size_t n = 0;
	int64_t id;

	if (s->txn_fd >= 0 && fs_list_fd(s->txn_fd, &names, err))
		return err_prefix(err, "cannot list '%s/txn'", STATE_DIR);
	ids = xcalloc(names.n + 1, sizeof(*ids));
	for (size_t i = 0; i < names.n; i++)
		if (strlen(names.v[i]) == 6 && !str_to_i64(names.v[i], 1, TXN_MAX, &id) &&
		    id > s->pruned)
			ids[n++] = (unsigned int)id;
	*ret_ids = ids;
	*ret_n = n;
	return 0;
}

bool txnlog_exists(const struct state *s, unsigned int id)
{
	struct stat st;
	char name[16];

	txn_name(id, name);
	return id > s->pruned && s->txn_fd >= 0 &&
	       !fstatat(s->txn_fd, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode);
}

/* ---- the newest ---- */

#define HINT "newest"
#define HINT_TO "txn/"

/* Not synced: an old hint costs a few looks, a lost one a listing. */
static void hint_write(struct state *s, unsigned int id)
{
	char target[32];

	snprintf(target, sizeof(target), HINT_TO "%06u", id);
	if (io_unlinkat(s->fd, "." HINT, 0) && errno != ENOENT)
		return;
	if (!io_symlinkat(target, s->fd, "." HINT))
		(void)io_renameat2(s->fd, "." HINT, s->fd, HINT, 0);
}

static unsigned int hint_read(const struct state *s)
{
	char target[32] = "";
	int64_t id;

	if (s->fd < 0 || readlinkat(s->fd, HINT, target, sizeof(target) - 1) < 0 ||
	    !str_starts(target, HINT_TO) ||
	    str_to_i64(target + strlen(HINT_TO), 1, TXN_MAX, &id))
		return 0;
	return (unsigned int)id;
}

static int newest_listed(const struct state *s, unsigned int *ret, struct err *err)
{
	unsigned int *ids CLEANUP(freep) = NULL;
	size_t n;

	if (txnlog_list(s, &ids, &n, err))
		return -1;
	*ret = n ? ids[n - 1] : 0;
	return 0;
}

int txnlog_newest(const struct state *s, unsigned int *ret, struct err *err)
{
	unsigned int id = hint_read(s);

	if (id && !txnlog_exists(s, id))
		id--;	/* it was discarded */
	if (!id || !txnlog_exists(s, id))
		return newest_listed(s, ret, err);
	while (txnlog_exists(s, id + 1))
		id++;
	*ret = id;
	return 0;
}

int txnlog_usage(const struct state *s, unsigned int id, uint64_t *ret, struct err *err)
{
	char name[16];

	txn_name(id, name);
	return fs_usage(s->txn_fd, name, ret, err);
}

static int txnlog_scan(struct txnlog *t, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (fs_list_fd(t->fd, &names, err))
		return err_prefix(err, "cannot list transaction %u", t->id);
	t->next = t->spares = 0;
	for (size_t i = 0; i < names.n; i++) {
		int n = number_of(names.v[i], "");

		if (n >= 0 && (unsigned int)n >= t->next)
			t->next = (unsigned int)n + 1;
		t->spares += number_of(names.v[i], "spare-") >= 0;
	}
	return 0;
}

int txnlog_open(struct txnlog *ret, struct state *s, unsigned int id, struct err *err)
{
	struct txnlog t = TXNLOG_INIT;
	char name[16];

	txn_name(id, name);
	t.state = s;
	t.id = id;
	if (id <= s->pruned)
		return err_set(err, ERR_USAGE,
			       "transaction %u is pruned: the history begins with %u", id,
			       s->pruned + 1);
	t.fd = s->txn_fd < 0 ?
		       -1 :
		       io_open_read(s->txn_fd, name, O_DIRECTORY | O_NOFOLLOW);
	if (t.fd < 0 && (s->txn_fd < 0 || errno == ENOENT))
		return err_set(err, ERR_USAGE, "there is no transaction %u", id);
	if (t.fd < 0)
		return err_errno(err, errno, "cannot open transaction %u", id);
	if (txnlog_scan(&t, err)) {
		txnlog_release(&t);
		return -1;
	}
	*ret = t;
	return 0;
}

static int begin_at(struct txnlog *ret, struct state *s, unsigned int id, const struct json *begin,
		    struct err *err)
{
	struct txnlog t CLEANUP(txnlog_release) = TXNLOG_INIT;
	char name[16];

	txn_name(id, name);
	if (fs_mkdir(s->txn_fd, name, 0700, err) || txnlog_open(&t, s, id, err) ||
	    fs_mkdir(t.fd, "before", 0700, err) || txnlog_append(&t, RECORD_BEGIN, begin, err))
		return -1;
	*ret = t;
	t = (struct txnlog)TXNLOG_INIT;
	return 0;
}

int txnlog_begin(struct txnlog *ret, struct state *s, const struct json *begin, struct err *err)
{
	struct err ignored = ERR_INIT;
	unsigned int id;

	if (txnlog_sweep(s, err) || txnlog_newest(s, &id, err))
		return -1;
	id = (id ? id : s->pruned) + 1;
	if (id > TXN_MAX)
		return err_set(err, ERR_REFUSED, "the history is full: transaction %u was the last", TXN_MAX);
	if (state_mark_unfinished(s, err) || begin_at(ret, s, id, begin, err)) {
		(void)txnlog_discard(s, id, &ignored);	/* the first error is the one to tell */
		return err_prefix(err, "cannot begin transaction %u in '%s/txn'", id, STATE_DIR);
	}
	hint_write(s, id);
	return 0;
}

void txnlog_release(struct txnlog *t)
{
	closep(&t->fd);
	ballast_release(t);
}

static int spare_open(struct txnlog *t, unsigned int number, int flags)
{
	char name[24];

	snprintf(name, sizeof(name), "spare-%04u", number);
	return io_openat(t->fd, name, O_WRONLY | O_NOFOLLOW | flags, 0600);
}

static const char zeros[SPARE_SIZE];

static int spare_write(struct txnlog *t, unsigned int number)
{
	int fd CLEANUP(closep) = spare_open(t, number, O_CREAT | O_TRUNC);

	return fd < 0 ? -1 : io_write_all(fd, zeros, sizeof(zeros));
}

static int spare_sync(struct txnlog *t, unsigned int number)
{
	int fd CLEANUP(closep) = spare_open(t, number, 0);

	return fd < 0 ? -1 : io_fsync(fd);
}

/* All are written before the first is synced: one commit of the file system's own journal then
 * serves them all. */
int txnlog_spare(struct txnlog *t, unsigned int n, struct err *err)
{
	unsigned int i = 0, k = 0;

	while (i < n && !spare_write(t, t->spares + i))
		i++;
	while (i == n && k < n && !spare_sync(t, t->spares + k))
		k++;
	if (k < n)
		return err_errno(err, errno, "cannot set aside %u records for transaction %u", n, t->id);
	t->spares += n;
	return fs_sync_dir(t->fd, err);
}

/* The bytes are whole and durable under the temporary name before the record's name exists. */
static int record_publish(struct txnlog *t, const char *from, int flags, const struct buf *bytes,
			  struct err *err)
{
	char name[16];
	int fd CLEANUP(closep) = io_openat(t->fd, from, O_WRONLY | O_NOFOLLOW | flags, 0600);

	snprintf(name, sizeof(name), "%04u", t->next);
	if (fd < 0 || io_pwrite_all(fd, bytes->data, bytes->len, 0) || io_fsync(fd) ||
	    io_renameat2(t->fd, from, t->fd, name, 0))
		return err_errno(err, errno, "cannot write record %u of transaction %u", t->next, t->id);
	if (!io_fsync(t->fd)) {
		t->next++;
		return 0;
	}
	err_errno(err, errno, "cannot sync record %u of transaction %u", t->next, t->id);
	/* A COMMITTED that is reported as failed must not be found by recovery in the middle of the
	 * way back. */
	t->in_doubt = io_renameat2(t->fd, name, t->fd, from, 0) || io_fsync(t->fd);
	return -1;
}

int txnlog_append_new(struct txnlog *t, enum record_type type, const struct json *body,
		      struct err *err)
{
	struct buf bytes CLEANUP(buf_release) = BUF_INIT;

	record_encode(type, body, &bytes);
	return record_publish(t, "new", O_CREAT | O_TRUNC, &bytes, err);
}

int txnlog_append(struct txnlog *t, enum record_type type, const struct json *body, struct err *err)
{
	struct buf bytes CLEANUP(buf_release) = BUF_INIT;
	char spare[24];

	record_encode(type, body, &bytes);
	if (!t->spares || bytes.len > SPARE_SIZE || type == RECORD_PREPARED)
		return txnlog_append_new(t, type, body, err);
	snprintf(spare, sizeof(spare), "spare-%04u", t->spares - 1);
	buf_add(&bytes, zeros, SPARE_SIZE - bytes.len);	/* over what a crash left of a longer record */
	if (record_publish(t, spare, 0, &bytes, err))
		return -1;
	t->spares--;
	return 0;
}

int txnlog_append_over(struct txnlog *t, enum record_type type, const struct json *body,
		       struct err *err)
{
	t->next--;
	if (!txnlog_append(t, type, body, err))
		return 0;
	t->next++;
	return -1;
}

/* Where the body of a record is kept; NULL: nowhere. */
static struct json **summary_place(struct txn_summary *t, enum record_type type)
{
	switch (type) {
	case RECORD_BEGIN:
		return &t->begin;
	case RECORD_PREPARED:
		return &t->prepared;
	case RECORD_PENDING:
		return &t->pending;
	case RECORD_COMMITTED:
	case RECORD_ROLLED_BACK:
	case RECORD_FAILED:
		return &t->terminal;
	case RECORD_INTENT:
	case RECORD_UNDONE:
	case RECORD_BASE:
	case RECORD_TYPES:
		break;
	}
	return NULL;
}

/* Where a record leads: the state machine of enum txn_state. An UNDONE leads nowhere. */
static void summary_take(struct txn_summary *t, enum record_type type, struct json *body)
{
	struct json **keep = summary_place(t, type);
	static const enum txn_state next[RECORD_TYPES] = {
		[RECORD_BEGIN] = TXN_NONE,
		[RECORD_PREPARED] = TXN_PREPARED,
		[RECORD_INTENT] = TXN_PREPARED,
		[RECORD_PENDING] = TXN_PENDING,
		[RECORD_COMMITTED] = TXN_COMMITTED,
		[RECORD_ROLLED_BACK] = TXN_ROLLED_BACK,
		[RECORD_FAILED] = TXN_FAILED,
	};

	if (type != RECORD_UNDONE)
		t->state = next[type];
	if (type == RECORD_INTENT)
		t->last_intent = (int)json_get_i64(body, "action", t->last_intent);
	if (type == RECORD_UNDONE)
		t->undone_from = (int)json_get_i64(body, "action", t->undone_from);
	if (!keep) {
		json_free(body);
		return;
	}
	json_free(*keep);
	*keep = body;
}

/* 1: it is none; err says why. */
static int summary_read_record(struct txn_summary *t, int dirfd, unsigned int number,
			       struct err *err)
{
	struct buf bytes CLEANUP(buf_release) = BUF_INIT;
	enum record_type type;
	struct json *body;
	char name[16];
	int r;

	snprintf(name, sizeof(name), "%04u", number);
	r = fs_read_at(dirfd, name, RECORD_MAX, &bytes, err);
	if (r > 0)
		return err_set(err, ERR_UNDO, "record %s of transaction %u is missing", name,
			       t->id);
	if (r < 0)	/* not a broken record: one that could not be read this time */
		return err_prefix(err, "'%s/txn/%06u'", STATE_DIR, t->id);
	if (record_decode(bytes.data, bytes.len, &type, &body, err)) {
		err_prefix(err, "'%s/txn/%06u/%s'", STATE_DIR, t->id, name);
		err_raise(err, ERR_UNDO);
		return 1;
	}
	if (type == RECORD_BASE) {
		json_free(body);
		return err_set(err, ERR_UNDO, "'%s/txn/%06u/%s' is no record of a transaction",
			       STATE_DIR, t->id, name);
	}
	summary_take(t, type, body);
	return 0;
}

/* Where everything is over, down to the spares, the last record is one that everything hangs on. */
static bool can_do_without_last(const struct txn_summary *t)
{
	return t->state == TXN_NONE || !t->clean;
}

static int summary_read(struct txn_summary *t, const struct txnlog *log, struct err *err)
{
	struct err why = ERR_INIT;
	int r = 0;

	for (unsigned int i = 0; !r && i < log->next; i++) {
		r = summary_read_record(t, log->fd, i, &why);
		t->torn = r > 0 && i + 1 == log->next && can_do_without_last(t);
	}
	if (!r || t->torn)
		return 0;
	*err = why;
	return -1;
}

int txnlog_read(const struct state *s, unsigned int id, struct txn_summary *ret, struct err *err)
{
	struct state borrowed = *s;
	struct txnlog log = TXNLOG_INIT;
	struct txn_summary t = { .id = id, .state = TXN_NONE,
				 .last_intent = -1, .undone_from = -1 };
	int r;

	if (txnlog_open(&log, &borrowed, id, err))
		return -1;
	t.clean = log.spares == 0;
	r = summary_read(&t, &log, err);
	txnlog_release(&log);
	if (r) {
		txn_summary_release(&t);
		return r;
	}
	*ret = t;
	return 0;
}

void txn_summary_release(struct txn_summary *t)
{
	json_free(t->begin);
	json_free(t->prepared);
	json_free(t->pending);
	json_free(t->terminal);
	t->begin = t->prepared = t->pending = t->terminal = NULL;
}

unsigned int txn_summary_left(const struct txn_summary *t)
{
	int end = t->last_intent + 1;

	return (unsigned int)(t->undone_from >= 0 && t->undone_from < end ? t->undone_from : end);
}

int txnlog_clean(struct txnlog *t, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (ballast_free(t->state, t->id, t->fd, err) || fs_remove_tree(t->fd, "stage", err) ||
	    fs_unlink(t->fd, "new", err) || fs_sync_dir(t->fd, err))
		return -1;
	if (fs_list_fd(t->fd, &names, err))
		return -1;
	for (size_t i = names.n; i-- > 0;)	/* the next to be used is the last to go */
		if (number_of(names.v[i], "spare-") >= 0 && fs_unlink(t->fd, names.v[i], err))
			return -1;
	t->spares = 0;
	return fs_sync_dir(t->fd, err) || state_mark_finished(t->state, err) ? -1 : 0;
}

int txnlog_sweep(struct state *s, struct err *err)
{
	return fs_remove_tree(s->fd, DISCARDED, err) ?
		       err_prefix(err, "cannot remove what a transaction prepared") :
		       0;
}

/* The ballast on other file systems goes while it is known where it lies. */
static int discard_ballast(struct state *s, unsigned int id, const char *name, struct err *err)
{
	int fd CLEANUP(closep) = io_open_read(s->txn_fd, name, O_DIRECTORY | O_NOFOLLOW);

	return fd < 0 ? 0 : ballast_free(s, id, fd, err);
}

/* File by file a crash would leave one without its first record, which nobody can read. */
static int take_away(struct state *s, const char *name, struct err *err)
{
	if (!io_renameat2(s->txn_fd, name, s->fd, DISCARDED, 0))
		return fs_sync_dir(s->txn_fd, err) || fs_sync_dir(s->fd, err) ? -1 : 0;
	return errno == ENOENT ? 0 : err_errno(err, errno, "cannot take away '%s/txn/%s'",
					       STATE_DIR, name);
}

int txnlog_discard(struct state *s, unsigned int id, struct err *err)
{
	char name[16];

	txn_name(id, name);
	if (txnlog_sweep(s, err) || discard_ballast(s, id, name, err) || take_away(s, name, err) ||
	    txnlog_sweep(s, err))
		return -1;
	return state_mark_finished(s, err);
}

static int before_dir(int txn_fd, struct err *err)
{
	int fd = io_open_read(txn_fd, "before", O_DIRECTORY | O_NOFOLLOW);

	if (fd < 0)
		err_errno(err, errno, "cannot open the before-images");
	return fd;
}

int txnlog_before_put(struct txnlog *t, unsigned int n, int from_fd, char hex[65], struct err *err)
{
	char name[16];
	int dir CLEANUP(closep) = before_dir(t->fd, err), fd CLEANUP(closep) = -1;

	snprintf(name, sizeof(name), "%u", n);
	if (dir < 0)
		return -1;
	fd = io_openat(dir, name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(err, errno, "cannot keep before-image %u", n);
	if (fs_copy_fd(from_fd, fd, UINT64_MAX, hex, err))
		return err_prefix(err, "cannot keep before-image %u", n);
	return io_fsync(fd) ? err_errno(err, errno, "cannot sync before-image %u", n) : 0;
}

int txnlog_before_open(const struct state *s, unsigned int id, unsigned int n, int *ret_fd,
		       struct err *err)
{
	int txn CLEANUP(closep) = -1, dir CLEANUP(closep) = -1, fd;
	char name[16];

	txn_name(id, name);	/* link by link: an image's symlinks lead nowhere */
	txn = id <= s->pruned ? base_open(s, id) :
				    io_open_read(s->txn_fd, name, O_DIRECTORY | O_NOFOLLOW);
	if (txn < 0 || (dir = before_dir(txn, err)) < 0)
		return txn < 0 ? err_errno(err, errno, "there is no transaction %u", id) : -1;
	snprintf(name, sizeof(name), "%u", n);
	fd = io_open_read(dir, name, O_NOFOLLOW);
	if (fd < 0)
		return err_errno(err, errno, "cannot open before-image %u of transaction %u", n, id);
	*ret_fd = fd;
	return 0;
}

int txnlog_stage(struct txnlog *t, int *ret_fd, struct err *err)
{
	int fd;

	if (fs_mkdir(t->fd, "stage", 0700, err))
		return -1;
	fd = io_open_read(t->fd, "stage", O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(err, errno, "cannot open the stage of transaction %u", t->id);
	*ret_fd = fd;
	return 0;
}

int txnlog_sync(struct txnlog *t, struct err *err)
{
	int dir CLEANUP(closep) = before_dir(t->fd, err);

	if (dir < 0 || fs_sync_dir(dir, err))
		return -1;
	return fs_sync_dir(t->fd, err);
}
