/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/firewall/nft.h"

#include "backends/firewall/table.h"
#include "sys/netns.h"
#include "sys/proc.h"

#define NFT_OLDEST "0.9.3"
#define LISTING_TIMEOUT 120

/* The first line is the reason; the others show the place. */
static int complain(const struct buf *said, int status, const char *what, struct err *err)
{
	size_t len = strcspn(said->data, "\n");
	char *first CLEANUP(freep) = xstrndup(said->data, len);
	char shown[512];

	err_quote(shown, sizeof(shown), first);
	return err_set(err, ERR_FAILED, "nft %s: %s", what,
		       len ? shown : status ? "it failed without a word" : "no answer");
}

/* *ret_out (or NULL): what it prints. *ret_missing (or NULL): that there is no such thing is no
 * error. */
static int run(const char *const *argv, const struct buf *input, struct buf *ret_out,
	       bool *ret_missing, const char *what, struct err *err)
{
	struct buf said CLEANUP(buf_release) = BUF_INIT, out CLEANUP(buf_release) = BUF_INIT;
	struct proc p = PROC_INIT;
	int status;

	p.argv = argv;
	p.input = input ? input->data : NULL;
	p.input_len = input ? input->len : 0;
	p.timeout = LISTING_TIMEOUT;
	p.ret_out = ret_out ? ret_out : &out;
	p.ret_errout = &said;
	if (proc_run(&p, &status, err))
		return err_prefix(err, "nft %s", what);
	if (status && ret_missing && strstr(said.data, "No such file or directory")) {
		*ret_missing = true;
		return 0;
	}
	return status ? complain(&said, status, what, err) : 0;
}

bool nft_version_ok(const char *said)
{
	const char *v = strstr(said, " v");

	return v && version_compare_numeric(v + 2, NFT_OLDEST) >= 0;
}

int nft_available(struct err *err)
{
	static const char *const argv[] = { "nft", "--version", NULL };
	struct buf said CLEANUP(buf_release) = BUF_INIT;

	if (!proc_available("nft")) {
		err_set(err, ERR_REFUSED, "there is no nft on this host, which the firewall needs");
		return err_remedy(
			err,
			"install the package nftables, or set firewall.backend to \"none\"");
	}
	if (run(argv, NULL, &said, NULL, "--version", err))
		return -1;
	if (nft_version_ok(said.data))
		return 0;
	err_set(err, ERR_REFUSED, "nft is older than " NFT_OLDEST ": %s", str_trim(said.data));
	return err_remedy(err, "upgrade the package nftables");
}

int nft_check(const struct buf *text, struct err *err)
{
	static const char *const argv[] = { "nft", "-c", "-f", "-", NULL };

	return run(argv, text, NULL, NULL, "does not take the firewall's table", err);
}

int nft_run(const struct buf *commands, struct err *err)
{
	static const char *const argv[] = { "nft", "-f", "-", NULL };

	return run(argv, commands, NULL, NULL, "cannot load the firewall's table", err);
}

static int list(const char *const *argv, struct json **ret, struct err *err)
{
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	bool missing = false;

	if (run(argv, NULL, &out, &missing, "cannot list", err))
		return -1;
	*ret = NULL;
	return missing ? 0 : json_parse(out.data, out.len, JSON_STRICT, "what nft lists", ret, err);
}

int nft_list(struct json **ret, struct err *err)
{
	static const char *const argv[] = {
		"nft", "-j", "list", "table", "inet", "sysboxup", NULL
	};

	return list(argv, ret, err);
}

int nft_list_names(struct json **ret, struct err *err)
{
	static const char *const argv[] = {
		"nft", "-j", "-t", "list", "table", "inet", "sysboxup", NULL
	};

	return list(argv, ret, err);
}

int nft_list_all(struct json **ret, struct err *err)
{
	static const char *const argv[] = { "nft", "-j", "-t", "list", "ruleset", NULL };

	return list(argv, ret, err);
}

/* Sets before the rules that read them: see table.h. */
static int load_anew(const struct buf *text, struct err *err)
{
	struct buf batch CLEANUP(buf_release) = BUF_INIT;
	size_t split = table_split(text->data);

	buf_add(&batch, text->data, split);
	if (nft_run(&batch, err))
		return -1;
	buf_clear(&batch);
	buf_adds(&batch, text->data + split);
	return nft_run(&batch, err);
}

int nft_load(const struct buf *text, struct err *err)
{
	struct buf batch CLEANUP(buf_release) = BUF_INIT;
	struct json *now CLEANUP(json_freep) = NULL;

	if (nft_list_names(&now, err))
		return -1;
	if (!now)
		return load_anew(text, err);
	table_strip(now, &batch);
	buf_add(&batch, text->data, text->len);
	return nft_run(&batch, err);
}

int nft_delete(struct err *err)
{
	static const char *const argv[] = { "nft", "delete", "table", "inet", "sysboxup", NULL };
	bool missing;

	return run(argv, NULL, NULL, &missing, "cannot delete the firewall's table", err);
}

static int list_elsewhere(const struct buf *text, struct json **ret, struct err *err)
{
	int home, r;

	if (netns_leave(&home, err))
		return -1;
	r = nft_run(text, err) || nft_list(ret, err) ? -1 : 0;
	netns_return(home);
	return r;
}

/* 1: it is the same; 0: that could not be seen so cheaply. */
static int compare_bare(const struct json *now, const struct buf *text, struct err *err)
{
	struct json *wanted CLEANUP(json_freep) = NULL;
	struct buf bare CLEANUP(buf_release) = BUF_INIT;

	table_bare(text->data, &bare);
	if (list_elsewhere(&bare, &wanted, err))
		return -1;
	return table_same_bare(now, wanted, text->data);
}

int nft_compare(const struct buf *text, struct buf *ret_words, struct err *err)
{
	struct json *now CLEANUP(json_freep) = NULL, *wanted CLEANUP(json_freep) = NULL;
	int same;

	if (nft_list(&now, err))
		return -1;
	if (!now) {
		buf_adds(ret_words, "the table " TABLE " is not loaded");
		return 0;
	}
	same = compare_bare(now, text, err);
	if (same)
		return same;
	if (list_elsewhere(text, &wanted, err))
		return -1;
	return table_same(now, wanted, ret_words);
}
