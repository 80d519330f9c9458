/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What apply, the watcher and verify do with the firewall's table, and nothing else:
 *
 *	nft DIR write N OFFSET	the file of a table that lets N networks in, below the tree DIR
 *	nft DIR follow		the loaded table is as that file says: what commit does
 *	nft DIR compare		is it? Exit status 1 if not
 *
 * For tests/bench/run, in a network namespace of its own.
 */
#include "backends/firewall/guard.h"
#include "backends/firewall/nft.h"
#include "backends/firewall/table.h"
#include "sys/root.h"

#include <stdio.h>

#define FILE_MAX (4 * 1024 * 1024)

static int write_file(const char *dir, unsigned int n, unsigned int offset)
{
	struct network_list networks CLEANUP(network_list_release) = NETWORK_LIST_INIT;
	struct strv interfaces CLEANUP(strv_release) = STRV_INIT,
			       ports CLEANUP(strv_release) = STRV_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	const struct table t = { &networks, &interfaces, &ports };
	char *path CLEANUP(freep) = xasprintf("%s" GUARD_FILE, dir);

	strv_add(&ports, "2376");
	for (unsigned int i = 0; i < n; i++) {
		unsigned int at = 2 * (i + offset); /* not beside each other: nft would join them */
		char words[64], why[NETWORK_WHY];
		struct network one;

		snprintf(words, sizeof(words), "10.%u.%u.%u/28", at >> 12 & 255, at >> 4 & 255,
			 (at & 15) << 4);
		if (network_parse(words, &one, why))
			return -1;
		network_list_add(&networks, &one);
	}
	table_render(&t, &text);
	FILE *f = fopen(path, "we");
	return !f || fwrite(text.data, 1, text.len, f) != text.len || fclose(f) ? -1 : 0;
}

static int run(const char *dir, bool follow, struct err *err)
{
	struct root root CLEANUP(root_release) = ROOT_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT, words CLEANUP(buf_release) = BUF_INIT;
	enum guard_done done;

	if (root_open(&root, dir, err))
		return -1;
	if (follow)
		return guard_follow(&root, GUARD_FILE, true, &done, NULL, NULL, err);
	return root_read(&root, GUARD_FILE, FILE_MAX, &text, err) ||
			       nft_compare(&text, &words, err) != 1 ?
		       -1 :
		       0;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	int r = argc == 5 ? write_file(argv[1], (unsigned int)atoi(argv[3]),
				       (unsigned int)atoi(argv[4])) :
		argc == 3 ? run(argv[1], str_eq(argv[2], "follow"), &err) :
			    -1;

	if (r && err_is_set(&err))
		fprintf(stderr, "nft: %s\n", err.msg);
	return r ? 1 : 0;
}
