/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table filter of iptables as the text that iptables-save writes and iptables-restore reads, of
 * what runs and of what is saved alike. Ours in it is a chain, one jump to it in front of all rules
 * of INPUT, and a rule for each opening:
 *
 *	:SYSBOXUP - [0:0]
 *	-A INPUT -p tcp -m comment --comment "sysboxup: Docker API" -j SYSBOXUP
 *	-A SYSBOXUP -s 10.1.0.2/32 -p tcp -m tcp --dport 2376
 *		-m comment --comment "sysboxup: Docker API, IPv4" -j ACCEPT	(one line)
 *
 * in the spelling of iptables-save 1.8, so that a save by somebody else leaves what we know. The
 * comment says the family: a rule for an interface would be the same in the files of both.
 */
#ifndef BACKENDS_FIREWALL_IPTABLESRULES_H
#define BACKENDS_FIREWALL_IPTABLESRULES_H

#include "backends/firewall/manager.h"

#define IPTABLES_CHAIN "SYSBOXUP"

struct iptables_rule {
	char *line;        /* without its counters */
	struct strv words; /* of it; the rest points into these */
	const char *chain, *target, *go, *source, *in, *protocol, *ports, *state, *ignored;
	bool strange; /* asks for more than we judge */
};

struct iptables_filter {
	struct iptables_rule *v;
	size_t n;
	bool there; /* there is such a table */
	bool drops; /* by the policy of INPUT */
	bool chain; /* ours is there */
};

void iptables_filter_read(struct iptables_filter *f, const char *saved);
void iptables_filter_release(struct iptables_filter *f);

/* INPUT drops or rejects what nothing else was said about. */
bool iptables_filter_drops(const struct iptables_filter *f);
/* What INPUT does with it, by the first rule that decides: OURS, THEIRS, DENIED, OPEN, or ABSENT:
 * it drops it with all the rest. Of rules that ask for more (a rate, a set) none decides. */
enum opening_state iptables_filter_judge(const struct iptables_filter *f, const struct opening *o);
bool iptables_filter_has(const struct iptables_filter *f, const struct opening *o); /* our rule */
bool iptables_filter_jumps(const struct iptables_filter *f);
void iptables_filter_list(const struct iptables_filter *f, struct strv *ret); /* ours */
/* Those of one family put where INPUT drops them, or taken: for iptables-restore --noflush, which
 * does all of it or nothing. Nothing to do: empty. */
void iptables_filter_put(const struct iptables_filter *f, const struct strv *openings, bool six,
			 struct buf *ret);
void iptables_filter_take(const struct iptables_filter *f, const struct strv *openings, bool six,
			  struct buf *ret);

/* As manager_ops has them: of the files, IPv4 and IPv6 take turns. A file without table filter is
 * left alone. */
void iptablesrules_add(struct buf *text, size_t file, const char *opening);
bool iptablesrules_whole(const struct buf *text);
void iptablesrules_take(struct buf *text, const char *opening);
void iptablesrules_put(struct buf *text, const struct buf *before, const char *opening);
bool iptablesrules_same(const struct buf *a, const struct buf *b);

#endif
