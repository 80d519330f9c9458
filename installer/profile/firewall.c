/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/firewall.h"

#include "base/err.h"

#define SHOWN 128
/* What the kernel takes, without what has a meaning to those who read the name. */
#define INTERFACE_LETTERS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@"
#define INTERFACE_MAX 15

struct resolver {
	struct profile *p;
	struct firewall_fault *fault;
};

void firewall_fault_release(struct firewall_fault *f)
{
	free(f->key);
	buf_release(&f->words);
}

static int wrong(struct resolver *r, const char *key, const char *fmt, ...) PRINTF(3, 4);

static int wrong(struct resolver *r, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&r->fault->words, fmt, ap);
	va_end(ap);
	r->fault->key = xstrdup(key);
	return -1;
}

/* has "WORD", which WHY */
static int wrong_word(struct resolver *r, const char *key, const char *word, const char *why)
{
	char shown[SHOWN];

	err_quote(shown, sizeof(shown), word);
	return wrong(r, key, "has \"%s\", which %s", shown, why);
}

static int read_network(struct resolver *r, const char *key, const char *s,
			struct network_list *ret)
{
	char why[NETWORK_WHY];
	struct network n;

	if (network_parse(s, &n, why))
		return wrong_word(r, key, s, why);
	if (!n.bits && !r->p->firewall.any_address)
		return wrong_word(
			r, key, s,
			"is everybody; if that is meant, say it twice: \"any_address\": true");
	network_list_add(ret, &n);
	return 0;
}

/* Within one list an overlap is a mistake: whoever takes out the inner one shuts nobody out. */
static int take_networks(struct resolver *r, const char *key, struct network_list *l)
{
	const struct network *outer, *inner;
	char wide[NETWORK_TEXT], narrow[NETWORK_TEXT];

	network_list_sort(l);
	if (network_list_overlap(l, &outer, &inner)) {
		network_format(outer, wide);
		network_format(inner, narrow);
		return wrong(r, key, "has %s and %s, which overlap: leave one of them out", wide,
			     narrow);
	}
	for (size_t i = 0; i < l->n; i++)
		network_list_add(&r->p->firewall.networks, &l->v[i]);
	return 0;
}

static int read_set(struct resolver *r, const struct json *set, const char *key)
{
	struct network_list l CLEANUP(network_list_release) = NETWORK_LIST_INIT;

	if (json_type(set) != JSON_ARRAY)
		return wrong(r, key, "must be an array, not %s", json_type_name(json_type(set)));
	for json_each(it, set) {
		if (!json_string(it))
			return wrong(r, key, "must hold strings only, not %s",
				     json_type_name(json_type(it)));
		if (read_network(r, key, json_string(it), &l))
			return -1;
	}
	return take_networks(r, key, &l);
}

static int read_interface(struct resolver *r, const char *name)
{
	size_t len = strlen(name);

	if (!len || len > INTERFACE_MAX || strspn(name, INTERFACE_LETTERS) != len)
		return wrong_word(r, "allow", name, "is no name of an interface");
	if (!strv_has(&r->p->firewall.interfaces, name))
		strv_add(&r->p->firewall.interfaces, name);
	return 0;
}

static int read_allowed(struct resolver *r, const char *s, struct network_list *l,
			struct strv *sets)
{
	const char *name = str_starts(s, "set:") ? s + strlen("set:") : NULL;

	if (str_starts(s, "interface:"))
		return read_interface(r, s + strlen("interface:"));
	if (!name)
		return read_network(r, "allow", s, l);
	if (!json_get(r->p->firewall.sets, name))
		return wrong_word(r, "allow", s, "'firewall.sets' does not have");
	if (!strv_has(sets, name))
		strv_add(sets, name);
	return 0;
}

/* All of them, also those that nobody names: a fault in one is a fault now, not when it is used. */
static int read_sets(struct resolver *r, const struct strv *used)
{
	for json_each(set, r->p->firewall.sets) {
		char *key CLEANUP(freep) = xasprintf("sets.%s", json_key(set));
		size_t before = r->p->firewall.networks.n;

		if (read_set(r, set, key))
			return -1;
		if (!strv_has(used, json_key(set)))
			r->p->firewall.networks.n = before;
	}
	return 0;
}

int firewall_resolve(struct profile *p, struct firewall_fault *ret_fault)
{
	struct network_list l CLEANUP(network_list_release) = NETWORK_LIST_INIT;
	struct strv used CLEANUP(strv_release) = STRV_INIT;
	struct resolver r = { p, ret_fault };

	if (!p->firewall.present)
		return 0;
	if (!p->api.present)
		return wrong(&r, NULL, "needs 'api.listen': the port that it is for");
	for (size_t i = 0; i < p->firewall.allow.n; i++)
		if (read_allowed(&r, p->firewall.allow.v[i], &l, &used))
			return -1;
	if (take_networks(&r, "allow", &l) || read_sets(&r, &used))
		return -1;
	network_list_sort(&p->firewall.networks);
	network_list_merge(&p->firewall.networks);
	return 0;
}
