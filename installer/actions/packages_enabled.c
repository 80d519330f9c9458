/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/packages_data.h"

#include <string.h>

enum { SCRIPT_MAX = 1024 * 1024 };

/* The postinst of an installed package; empty where it has none. */
static int postinst_of(const struct root *r, const struct pkg_op *op, struct buf *ret,
		       struct err *err)
{
	char *plain CLEANUP(freep) = xasprintf(DPKG_DIR "/info/%s.postinst", op->name),
		  *qualified CLEANUP(freep) = xasprintf(DPKG_DIR "/info/%s:%s.postinst", op->name,
							op->arch ? op->arch : "");
	int absent = root_read_optional(r, plain, SCRIPT_MAX, ret, err);

	if (absent > 0)
		absent = root_read_optional(r, qualified, SCRIPT_MAX, ret, err);
	return absent < 0 ? -1 : 0;
}

/* All that these packages' scripts ask of deb-systemd-helper. */
static int asked_of_helper(const struct packages *d, const struct root *r, struct buf *ret,
			   struct err *err)
{
	for (size_t i = 0; i < d->plan.n; i++) {
		struct buf script CLEANUP(buf_release) = BUF_INIT;

		if (postinst_of(r, &d->plan.v[i], &script, err))
			return -1;
		if (script.len && strstr(script.data, "deb-systemd-helper"))
			buf_adds(ret, script.data);
	}
	return 0;
}

/* The unit that it enables: its target, whatever its own name (an alias). */
static bool is_helpers(const struct buf *asked, const struct root *r, const char *link)
{
	char *target CLEANUP(freep) = NULL;

	return asked->len && !root_readlink(r, link, &target) &&
	       strstr(asked->data, path_basename(target));
}

int packages_check_noted(const struct packages *d, const struct action_ctx *ctx, struct err *err)
{
	struct strv links CLEANUP(strv_release) = STRV_INIT;
	struct buf asked CLEANUP(buf_release) = BUF_INIT;

	if (before_unit_links(d, ctx, &links, err) || asked_of_helper(d, ctx->root, &asked, err))
		return -1;
	for (size_t i = 0; i < links.n; i++) {
		char *note CLEANUP(freep) = before_note_of(links.v[i]);

		if (root_exists(ctx->root, note) || !is_helpers(&asked, ctx->root, links.v[i]))
			continue;
		err_set(err, ERR_FAILED,
			"deb-systemd-helper made '%s' and keeps no note of it: systemctl failed in a script",
			links.v[i]);
		return err_remedy(err, "look for its words in the journal, then run: sysboxup apply");
	}
	return 0;
}
