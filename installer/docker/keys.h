/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every option of dockerd 20.10 to 29: its key in daemon.json, its flag, and what a change of it
 * takes. One table for the flag parser, the conflicts, the choice between reload and restart
 * (facts/dockerd.md 1.2, 1.5; facts/docker-tried.md 1, 2). A sure case only is KEY_RELOAD.
 */
#ifndef DOCKER_KEYS_H
#define DOCKER_KEYS_H

#include "docker/config.h"

struct docker_key {
	const char *key;		/* in daemon.json; NULL: a flag only */
	const char *flag;		/* long name; NULL: a key only */
	char letter;			/* -H; 0 if there is none */
	bool is_switch;			/* takes no separate value */
	bool is_map;			/* an object whose members are one value: dockerd does not look for keys inside */
	enum docker_key_class class;
	/* JSON that gives the built-in value in a reload; NULL: taking the key away needs a
	 * restart */
	const char *takeback;
};

extern const struct docker_key docker_keys[];		/* ends with key == flag == NULL */

const struct docker_key *docker_key_find(const char *key);
const struct docker_key *docker_key_find_flag(const char *flag);
const struct docker_key *docker_key_find_letter(char letter);

#endif
