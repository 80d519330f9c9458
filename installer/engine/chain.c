/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/chain.h"

unsigned int chain_target(const struct txn_summary *t)
{
	return t->state == TXN_COMMITTED ? (unsigned int)json_get_i64(t->begin, "rollback_to", 0) :
					   0;
}

static void reverse(unsigned int *ids, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		unsigned int id = ids[i];

		ids[i] = ids[n - 1 - i];
		ids[n - 1 - i] = id;
	}
}

/* Backwards: a rollback is a jump to before its target. */
int chain_in_force(const struct state *s, const unsigned int *ids, size_t n, unsigned int before,
		   unsigned int **ret_ids, size_t *ret_n, struct err *err)
{
	unsigned int *found CLEANUP(freep) = xcalloc(n + 1, sizeof(*found));
	size_t have = 0;

	for (; n; n--) {
		struct txn_summary t;
		unsigned int target;

		if (ids[n - 1] >= before)
			continue;
		if (txnlog_read(s, ids[n - 1], &t, err))
			return -1;
		target = chain_target(&t);
		if (target)
			before = target;
		else if (t.state == TXN_COMMITTED)
			found[have++] = t.id;
		txn_summary_release(&t);
	}
	reverse(found, have);
	*ret_ids = STEAL(found);
	*ret_n = have;
	return 0;
}
