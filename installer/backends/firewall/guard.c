/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/firewall/guard.h"

#include "backends/firewall/nft.h"
#include "backends/firewall/table.h"
#include "backends/service/systemd.h"
#include "journal/state.h"
#include "sys/fs.h"
#include "sys/sock.h"
#include "sys/sockcut.h"

#include <errno.h>
#include <sys/file.h>

#define TABLE_FILE_MAX (4 * 1024 * 1024)
#define TIMED_NAME "60-sysboxup-timed.conf"
#define RUN_DIR "/run"
#define FILTERS_DUE "sysboxup-filters-due"
#define SOCKET(unit) \
	{ "/etc/systemd/system/" unit ".d", \
	  "/etc/systemd/system/" unit ".d/50-sysboxup-firewall.conf", \
	  "/run/systemd/system/" unit ".d" }

const struct guard_socket guard_socket[GUARD_SOCKETS] = {
	[GUARD_HOST] = SOCKET("sysboxup-api.socket"),
	[GUARD_CI] = SOCKET("docker-ci.socket"),
};

/* The lock of this is the state's directory itself: the one in it is held by apply all the time.
 * The firewall outlives `forget`, which takes the directory away. */
static int lock(const struct root *r, int *ret_fd, struct err *err)
{
	int fd CLEANUP(closep) = -1;

	if (!root_exists(r, STATE_DIR) && fs_mkdir_path(r, STATE_DIR, 0700, err))
		return -1;
	fd = root_openat(r, STATE_DIR, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 || io_flock(fd, LOCK_EX))
		return err_errno(err, errno, "cannot lock '%s'", STATE_DIR);
	*ret_fd = STEAL_FD(fd);
	return 0;
}

/* ---- whose connections are cut ---- */

/* This host's own connections to itself come by lo. */
static bool is_allowed(void *user, const struct network *peer)
{
	char text[NETWORK_TEXT];

	network_format(peer, text);
	return network_list_has(user, peer) || sock_address_is_here(text);
}

static int cut_ports(struct network_list *allowed, const struct strv *ports, struct report *rep,
		     struct err *err)
{
	unsigned int n;
	uint64_t port;

	for (size_t i = 0; i < ports->n; i++) {
		if (str_to_u64(ports->v[i], 65535, &port) ||
		    sockcut((unsigned int)port, is_allowed, allowed, &n, err))
			return -1;
		if (n)
			report_info(rep, "cut %u connection%s to port %s", n, n == 1 ? "" : "s",
				    ports->v[i]);
	}
	return 0;
}

int guard_cut(const struct root *r, const char *path, struct report *rep, struct err *err)
{
	struct network_list allowed CLEANUP(network_list_release) = NETWORK_LIST_INIT;
	struct timed_list timed CLEANUP(timed_list_release) = TIMED_LIST_INIT;
	struct strv ports CLEANUP(strv_release) = STRV_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	int absent = root_read_optional(r, path, TABLE_FILE_MAX, &text, err);

	if (absent)
		return absent < 0 ? -1 : 0;
	if (timed_read(&timed, r, err))
		return -1;
	for (size_t i = 0; i < timed.n; i++)
		network_list_add(&allowed, &timed.v[i].address);
	return table_allowed(text.data, &allowed, &ports) ? cut_ports(&allowed, &ports, rep, err) :
							    0;
}

/* ---- loading ---- */

/* The sets are there before what is put into them: timed entries go last. */
static int wanted_text(const struct root *r, const char *path, struct buf *ret, struct err *err)
{
	struct timed_list timed CLEANUP(timed_list_release) = TIMED_LIST_INIT;
	int absent = root_read_optional(r, path, TABLE_FILE_MAX, ret, err);

	if (absent)
		return absent;
	if (timed_read(&timed, r, err))
		return -1;
	timed_render(&timed, ret);
	return 0;
}

static int delete_table(enum guard_done *ret, struct err *err)
{
	struct json *now CLEANUP(json_freep) = NULL;

	if (nft_list_names(&now, err))
		return -1;
	*ret = now ? GUARD_DELETED : GUARD_NOTHING;
	return now ? nft_delete(err) : 0;
}

int guard_follow(const struct root *r, const char *path, bool always, enum guard_done *ret,
		 struct buf *ret_words, struct report *rep, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT, words CLEANUP(buf_release) = BUF_INIT;
	int fd CLEANUP(closep) = -1, absent, same;

	if (lock(r, &fd, err))
		return -1;
	absent = wanted_text(r, path, &text, err);
	if (absent)
		return absent < 0 ? -1 : delete_table(ret, err);
	same = always ? 0 : nft_compare(&text, &words, err);
	*ret = same ? GUARD_NOTHING : GUARD_LOADED;
	if (same)
		return same < 0 ? -1 : 0;
	if (nft_load(&text, err))
		return -1;
	if (ret_words)
		buf_adds(ret_words, words.data);
	return guard_cut(r, path, rep, err);
}

/* Of a table that is not there nobody has to be taken out. */
static int take_out(const struct buf *batch, struct err *err)
{
	struct json *now CLEANUP(json_freep) = NULL;
	struct err why = ERR_INIT;

	if (!nft_run(batch, &why) || (!nft_list_names(&now, err) && !now))
		return 0;
	*err = why;
	return -1;
}

/* What is in for a while is on the list for as long, whatever comes between the two. */
static int keep_and_load(const struct timed_list *l, uint64_t before_ms, uint64_t after_ms,
			 const struct buf *batch, const struct root *r, struct err *err)
{
	bool shorter = after_ms < before_ms;

	if (after_ms && !shorter && timed_write(l, r, err))
		return -1;
	if (after_ms ? nft_run(batch, err) : take_out(batch, err))
		return -1;
	return shorter ? timed_write(l, r, err) : 0;
}

int guard_timed(const struct root *r, const struct network *address, uint64_t seconds,
		const char *comment, bool *ret_begun, struct report *rep, struct err *err)
{
	struct timed_list l CLEANUP(timed_list_release) = TIMED_LIST_INIT;
	struct buf batch CLEANUP(buf_release) = BUF_INIT;
	int fd CLEANUP(closep) = -1;
	uint64_t had;

	if (lock(r, &fd, err) || timed_read(&l, r, err))
		return -1;
	*ret_begun = true;
	had = timed_left_of(&l, address);
	timed_drop(&l, address);
	if (seconds) {
		timed_put(&l, address, seconds, comment);
		timed_render_allow(&l.v[l.n - 1], &batch);
	} else {
		timed_render_deny(address, &batch);
	}
	if (keep_and_load(&l, had, seconds * 1000, &batch, r, err))
		return -1;
	if (seconds)
		return 0;
	return guard_cut(r, GUARD_FILE, rep, err) ? -1 : !had;
}

/* ---- the socket's own filter ---- */

static void render_socket(const struct timed_list *l, struct buf *ret)
{
	char address[NETWORK_TEXT];

	buf_adds(ret, "# Written by sysboxup: let in for a while, see `sysboxup firewall list`.\n[Socket]\n");
	for (size_t i = 0; i < l->n; i++) {
		network_format(&l->v[i].address, address);
		buf_addf(ret, "IPAddressAllow=%s\n", address);
	}
}

/* There from before a drop-in changes until systemd has taken it up: who is killed in between
 * leaves it to the next, which could not tell from the drop-ins. */
static int filters_due(const struct root *r, bool due, struct err *err)
{
	int dir CLEANUP(closep) = root_openat(r, RUN_DIR, O_RDONLY | O_DIRECTORY, 0);

	if (dir < 0)
		return err_errno(err, errno, "cannot open '%s'", RUN_DIR);
	return due ? fs_put(dir, FILTERS_DUE, 0600, "", 0, err) : fs_unlink(dir, FILTERS_DUE, err);
}

static int put_timed(const struct root *r, const char *path, const struct buf *text, bool any,
		     struct err *err)
{
	int dir CLEANUP(closep) = -1;

	if (fs_mkdir_path(r, path, 0755, err))
		return -1;
	dir = root_openat(r, path, O_RDONLY | O_DIRECTORY, 0);
	return any ? fs_put(dir, TIMED_NAME, 0644, text->data, text->len, err) :
		     fs_unlink(dir, TIMED_NAME, err);
}

static int follow_timed(const struct root *r, const struct guard_socket *s,
			const struct timed_list *l, bool *ret_due, struct err *err)
{
	struct buf now CLEANUP(buf_release) = BUF_INIT, text CLEANUP(buf_release) = BUF_INIT;
	char *path CLEANUP(freep) = path_join(s->timed_dir, TIMED_NAME);
	bool any = l->n && root_exists(r, s->filter);

	if (root_read_optional(r, path, TABLE_FILE_MAX, &now, err) < 0)
		return -1;
	if (any)
		render_socket(l, &text);
	if (buf_equal(&now, &text))
		return 0;
	if (!*ret_due && filters_due(r, true, err))
		return -1;
	*ret_due = true;
	return put_timed(r, s->timed_dir, &text, any, err);
}

int guard_timed_sockets(const struct root *r, struct report *rep, struct err *err)
{
	struct timed_list l CLEANUP(timed_list_release) = TIMED_LIST_INIT;
	int fd CLEANUP(closep) = -1;
	bool due;

	if (lock(r, &fd, err) || timed_read(&l, r, err))
		return -1;
	due = root_exists(r, RUN_DIR "/" FILTERS_DUE);
	for (size_t i = 0; i < GUARD_SOCKETS; i++)
		if (follow_timed(r, &guard_socket[i], &l, &due, err))
			return -1;
	if (!due)
		return 0;
	return systemd_reload(rep, err) || systemd_apply_filters(rep, err) ||
			       filters_due(r, false, err) ?
		       -1 :
		       0;
}
