/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/firewall/manager.h"

#include <stdio.h>

#define INTERFACE "interface:"

static int fill(const struct strv *words, struct opening *ret)
{
	const char *source = words->v[1];

	*ret = (struct opening){ .six = str_eq(words->v[0], "6") };
	ret->interface = str_starts(source, INTERFACE);
	source += ret->interface ? strlen(INTERFACE) : 0;
	if (strlen(source) >= sizeof(ret->source) || strlen(words->v[2]) >= sizeof(ret->port))
		return -1;
	snprintf(ret->source, sizeof(ret->source), "%s", source);
	snprintf(ret->port, sizeof(ret->port), "%s", words->v[2]);
	return 0;
}

int opening_parse(const char *text, struct opening *ret)
{
	struct strv words CLEANUP(strv_release) = STRV_INIT;

	str_split(&words, text, ' ');
	return words.n == 3 && (str_eq(words.v[0], "4") || str_eq(words.v[0], "6")) ?
		       fill(&words, ret) :
		       -1;
}

void opening_add_network(struct strv *ret, const struct network *n, const char *port)
{
	char source[NETWORK_TEXT];

	network_format(n, source);
	strv_addf(ret, "%c %s %s", n->six ? '6' : '4', source, port);
}

void opening_add_interface(struct strv *ret, const char *name, const char *port)
{
	strv_addf(ret, "4 " INTERFACE "%s %s", name, port);
	strv_addf(ret, "6 " INTERFACE "%s %s", name, port);
}

char *opening_words(const char *text)
{
	struct opening o;

	if (opening_parse(text, &o))
		return xstrdup(text);
	return o.interface ? xasprintf("interface %s to port %s (IPv%c)", o.source, o.port,
				       o.six ? '6' : '4') :
			     xasprintf("%s to port %s", o.source, o.port);
}
