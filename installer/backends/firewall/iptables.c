/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iptables 1.8 with rules of the operator's own (facts/firewall-tried.md 7). There are two of it,
 * whose tables know nothing of each other: the one that writes into nftables, and the legacy one. A
 * packet has to get past both, so each whose INPUT drops is written to, and none else: the first
 * rule makes tables that were not there. Asking iptables-nft-save makes none; the legacy tools are
 * asked only where the kernel says that it has the table. A change is one run of iptables-restore
 * --noflush, which does all of it or nothing.
 *
 * What is loaded at boot is kept by some hosts in a file; we write into one that is there, our part
 * alone: iptables-save would keep Docker's chains with it.
 */
#include "backends/firewall/iptablesrules.h"

#include "backends/firewall/others.h"
#include "sys/proc.h"

#include <unistd.h>

#define RULES_MAX (16 * 1024 * 1024)

enum { OPENINGS_MAX = 256, FILES = 4, NFT = 0, LEGACY = 1, VARIANTS = 2 };

/* Of netfilter-persistent, and of the services iptables and ip6tables. */
static const char *const files[FILES + 1] = {
	"/etc/iptables/rules.v4",
	"/etc/iptables/rules.v6",
	"/etc/sysconfig/iptables",
	"/etc/sysconfig/ip6tables",
	NULL,
};

/* ---- its tools ---- */

/* RHEL 8 has the one that writes into nftables alone, by the plain name. */
static bool is_nft(const char *tool)
{
	const char *const argv[] = { tool, "-V", NULL };
	struct buf said CLEANUP(buf_release) = BUF_INIT;
	struct proc p = PROC_INIT;
	struct err ignored = ERR_INIT;

	p.argv = argv;
	p.ret_out = &said;
	return proc_available(tool) && !proc_run(&p, NULL, &ignored) &&
	       strstr(said.data, "nf_tables");
}

/* task: "save", "restore". NULL: there is none. */
static char *tool_name(bool six, int variant, const char *task)
{
	const char *family = six ? "ip6tables" : "iptables";
	char *name CLEANUP(freep) = xasprintf("%s-%s-%s", family,
					      variant == LEGACY ? "legacy" : "nft", task);

	if (proc_available(name))
		return STEAL(name);
	return variant == NFT && is_nft(family) ? xasprintf("%s-%s", family, task) : NULL;
}

static bool iptables_available(const struct root *r)
{
	char *nft CLEANUP(freep) = tool_name(false, NFT, "restore"),
		  *legacy CLEANUP(freep) = tool_name(false, LEGACY, "restore");

	return nft || legacy;
}

static bool iptables_owns(const char *where)
{
	return str_eq(where, "ip filter INPUT") || str_eq(where, "ip6 filter INPUT") ||
	       str_ends(where, "tables-legacy INPUT");
}

static int nft_save(bool six, struct buf *ret, struct err *err)
{
	char *tool CLEANUP(freep) = tool_name(six, NFT, "save");
	const char *const argv[] = { tool, "-t", "filter", NULL };
	struct proc p = PROC_INIT;

	p.argv = argv;
	p.ret_out = ret;
	if (!tool)
		return 0;
	if (proc_run(&p, NULL, err))
		return -1;
	if (!strstr(ret->data, "is incompatible"))
		return 0;
	err_set(err, ERR_REFUSED, "table 'filter' of %s has rules that it cannot read",
		six ? "ip6tables" : "iptables");
	return err_remedy(err, "keep rules of nft in a table of their own");
}

/* ---- what is there ---- */

struct view {
	struct iptables_filter live[2][VARIANTS]; /* IPv4, IPv6 */
	bool saves[FILES];                        /* the file is there, with such a table */
	struct strv kept[FILES];                  /* ours in it */
};

static void view_release(struct view *v)
{
	for (int six = 0; six < 2; six++)
		for (int variant = 0; variant < VARIANTS; variant++)
			iptables_filter_release(&v->live[six][variant]);
	for (size_t i = 0; i < FILES; i++)
		strv_release(&v->kept[i]);
}

static int live_read(const struct root *r, struct view *v, bool six, struct err *err)
{
	struct buf nft CLEANUP(buf_release) = BUF_INIT, legacy CLEANUP(buf_release) = BUF_INIT;

	if (nft_save(six, &nft, err) || legacy_save(r, six, &legacy, err))
		return -1;
	iptables_filter_read(&v->live[six][NFT], nft.data);
	iptables_filter_read(&v->live[six][LEGACY], legacy.data);
	return 0;
}

static int file_read(const struct root *r, struct view *v, size_t file, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct iptables_filter f CLEANUP(iptables_filter_release) = { .n = 0 };

	if (root_read_optional(r, files[file], RULES_MAX, &text, err) < 0)
		return -1;
	iptables_filter_read(&f, text.data);
	v->saves[file] = f.there;
	iptables_filter_list(&f, &v->kept[file]);
	return 0;
}

static int view_read(const struct root *r, struct view *v, struct err *err)
{
	if (geteuid())
		return err_set(err, ERR_REFUSED, "iptables answers root alone");
	for (size_t i = 0; i < FILES; i++)
		if (file_read(r, v, i, err))
			return -1;
	return live_read(r, v, false, err) || live_read(r, v, true, err) ? -1 : 0;
}

static bool iptables_active(const struct root *r)
{
	struct view v CLEANUP(view_release) = { .saves = { false } };
	struct err ignored = ERR_INIT;

	if (!iptables_available(r) || view_read(r, &v, &ignored))
		return false;
	for (int six = 0; six < 2; six++)
		for (int variant = 0; variant < VARIANTS; variant++)
			if (iptables_filter_drops(&v.live[six][variant]))
				return true;
	return false;
}

/* ---- an opening ---- */

static bool is_kept(const struct view *v, const char *opening)
{
	for (size_t i = 0; i < FILES; i++)
		if (strv_has(&v->kept[i], opening))
			return true;
	return false;
}

static bool is_lacking(const struct view *v, const char *opening, bool six)
{
	for (size_t i = six; i < FILES; i += 2)
		if (v->saves[i] && !strv_has(&v->kept[i], opening))
			return true;
	return false;
}

/* Its rule is there, and the jump, and it is not at work. */
static bool is_behind(const struct iptables_filter *f, const struct opening *o)
{
	enum opening_state s = iptables_filter_judge(f, o);

	return (s == OPENING_ABSENT || s == OPENING_DENIED) && iptables_filter_has(f, o) &&
	       iptables_filter_jumps(f);
}

/* By both variants: the later here is what counts. */
static enum opening_state judge(const struct view *v, const struct opening *o)
{
	static const int rank[] = {
		[OPENING_OPEN] = 0,   [OPENING_THEIRS] = 1, [OPENING_OURS] = 2,
		[OPENING_ABSENT] = 3, [OPENING_DENIED] = 4,
	};
	enum opening_state a = iptables_filter_judge(&v->live[o->six][NFT], o),
			   b = iptables_filter_judge(&v->live[o->six][LEGACY], o);

	return rank[a] >= rank[b] ? a : b;
}

/* One of ours. */
static enum opening_state state_of_ours(const struct view *v, const char *opening,
					const struct opening *o)
{
	enum opening_state s = judge(v, o);

	if (is_behind(&v->live[o->six][NFT], o) || is_behind(&v->live[o->six][LEGACY], o) ||
	    s == OPENING_DENIED)
		return OPENING_OVERRULED;
	if (s == OPENING_ABSENT)
		return OPENING_UNLOADED;
	return is_lacking(v, opening, o->six) ? OPENING_UNSAVED : OPENING_OURS;
}

static enum opening_state state_of(const struct view *v, const char *opening,
				   const struct opening *o)
{
	bool ours = is_kept(v, opening) || iptables_filter_has(&v->live[o->six][NFT], o) ||
		    iptables_filter_has(&v->live[o->six][LEGACY], o);

	return ours ? state_of_ours(v, opening, o) : judge(v, o);
}

static int iptables_look(const struct root *r, const struct strv *openings, enum opening_state *ret,
			 struct err *err)
{
	struct view v CLEANUP(view_release) = { .saves = { false } };
	struct opening o;

	if (view_read(r, &v, err))
		return -1;
	for (size_t i = 0; i < openings->n; i++) {
		if (opening_parse(openings->v[i], &o))
			return err_set(err, ERR_FAILED, "'%s' is no opening", openings->v[i]);
		ret[i] = state_of(&v, openings->v[i], &o);
	}
	return 0;
}

static int iptables_check(const struct root *r, const struct strv *openings, struct err *err)
{
	if (openings->n <= OPENINGS_MAX)
		return 0;
	err_set(err, ERR_REFUSED,
		"iptables would need %zu rules for 'firewall.allow': more than %u", openings->n,
		(unsigned int)OPENINGS_MAX);
	return err_remedy(err, "open the port in iptables for all of them, with \"backend\": "
			       "\"nftables\": its table keeps everybody else out");
}

/* ---- what is done ---- */

static int restore(bool six, int variant, const struct buf *batch, struct report *log,
		   struct err *err)
{
	char *tool CLEANUP(freep) = tool_name(six, variant, "restore");
	const char *const argv[] = { tool, "-w", "-n", NULL };
	struct proc p = PROC_INIT;

	p.argv = argv;
	p.input = batch->data;
	p.input_len = batch->len;
	p.log = log;
	return tool && batch->len ? proc_run(&p, NULL, err) : 0;
}

/* All of a table at once. */
static int change(const struct root *r, const struct strv *openings, bool put, struct report *log,
		  struct err *err)
{
	struct view v CLEANUP(view_release) = { .saves = { false } };

	if (view_read(r, &v, err))
		return -1;
	for (int i = 0; i < 2 * VARIANTS; i++) {
		bool six = i / VARIANTS;
		int variant = i % VARIANTS;
		struct buf batch CLEANUP(buf_release) = BUF_INIT;

		(put ? iptables_filter_put : iptables_filter_take)(&v.live[six][variant], openings,
								   six, &batch);
		if (restore(six, variant, &batch, log, err))
			return -1;
	}
	return 0;
}

static int iptables_put(const struct root *r, const struct strv *openings, const char *scratch,
			struct report *log, struct err *err)
{
	return change(r, openings, true, log, err);
}

static int iptables_take(const struct root *r, const struct strv *openings, const char *scratch,
			 struct report *log, struct err *err)
{
	return change(r, openings, false, log, err);
}

/* Ours, of a file or of a chain that nothing leads to any more. */
static int iptables_reload(const struct root *r, struct report *log, struct err *err)
{
	struct view v CLEANUP(view_release) = { .saves = { false } };
	struct strv ours CLEANUP(strv_release) = STRV_INIT;

	if (view_read(r, &v, err))
		return -1;
	for (size_t i = 0; i < FILES; i++)
		strv_addv(&ours, (const char *const *)v.kept[i].v);
	for (int i = 0; i < 2 * VARIANTS; i++)
		iptables_filter_list(&v.live[i / VARIANTS][i % VARIANTS], &ours);
	return change(r, &ours, true, log, err);
}

const struct manager_ops manager_iptables = {
	.name = "iptables",
	.available = iptables_available,
	.active = iptables_active,
	.owns = iptables_owns,
	.check = iptables_check,
	.look = iptables_look,
	.put = iptables_put,
	.take = iptables_take,
	.reload = iptables_reload,
	.files = files,
	.text_add = iptablesrules_add,
	.whole = iptablesrules_whole,
	.text_take = iptablesrules_take,
	.text_put = iptablesrules_put,
	.text_same = iptablesrules_same,
};
