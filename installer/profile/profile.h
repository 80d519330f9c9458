/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wanted: one JSON file (comments allowed), every key optional, unknown keys an error that
 * names the nearest known one. A section that is left out is not our concern. sysboxup.json(5) is
 * the user's view.
 */
#ifndef PROFILE_PROFILE_H
#define PROFILE_PROFILE_H

#include "base/json.h"
#include "base/network.h"
#include "sys/root.h"

#define PROFILE_MAX (1024 * 1024)	/* bytes; a larger file is an error */

/* What all containers of the dedicated daemon together may take; 0: no limit. */
struct profile_limits {
	double cpus;
	uint64_t memory, io_read, io_write;	/* bytes, and bytes in a second */
	uint64_t tasks;
};

/* A client of the API, for whom a certificate is issued. */
struct profile_client {
	char *name, *ttl;		/* ttl NULL: as long as `cert issue` makes it */
};

/* Who opens the API's port; that nobody else gets through is up to a table of our own in any
 * case. */
enum firewall_backend {
	FIREWALL_AUTO,
	FIREWALL_NFTABLES,
	FIREWALL_FIREWALLD,
	FIREWALL_UFW,
	FIREWALL_IPTABLES,
	FIREWALL_NONE,
};

enum sysbox_method { METHOD_AUTO, METHOD_DEB, METHOD_FILES };

struct profile {
	struct {
		bool present;
		char *version;			/* "latest", "absent" or a version ("0.7.0") */
		enum sysbox_method method;
		bool default_runtime;
		bool registered;		/* by files, and known to dpkg */
	} sysbox;
	struct {
		bool present;
		struct json *settings;		/* merge patch for daemon.json, or NULL */
		bool allow_restart;
		bool install;			/* the distribution's own, where there is none */
		bool hold;			/* its packages are not upgraded */
		bool elsewhere;			/* "managed": others write daemon.json, we only look at it */
	} docker;
	struct {
		bool present;
		struct strv listen;		/* "10.0.0.5:2376", "[fd00::5]:2376": as systemd takes them */
		bool any_address;		/* 0.0.0.0 and [::] are meant */
		struct strv names;		/* by which clients call it; at least what listen says */
		bool dedicated;			/* "daemon": one for CI alone, which all below is about */
		bool default_runtime;		/* Sysbox, unless a client asks for another */
		char *network;			/* its part of 10.0.0.0/8 and the like: "10.209.0.0/16" */
		char *publish;			/* ports of this host that lead to it: "30000-30100"; or NULL */
		char *prune_after;		/* Docker's own spelling of a time: "168h" */
		struct profile_limits limits;
	} api;
	struct {
		struct profile_client *v;
		size_t n;
	} clients;
	struct {
		bool present;
		struct strv allow;		/* as written */
		struct json *sets;		/* name: networks, as written; or NULL */
		bool any_address;		/* 0.0.0.0/0 and ::/0 are meant */
		enum firewall_backend backend;
		struct network_list networks;	/* of all of allow, sorted, none in another */
		struct strv interfaces;
	} firewall;
	struct {
		bool present;
		char *url;			/* of catalog.json; signature at url + ".sig" */
		char *keyring;
		struct strv fingerprints;	/* primary fingerprints, 40 hex digits, upper case */
		char *proxy, *ca_file;
		struct strv plain_mirrors;	/* "http://10.0.0.5/": prefixes for which plain http is allowed */
	} catalog;
	struct {
		uint64_t keep, max_size;	/* transactions, bytes */
	} history;
	char *source;				/* path, or "embedded default" */
	char digest[65];			/* of the bytes read */
	struct buf text;			/* the bytes read */
};

/* path NULL: /etc/sysboxup/profile.json, else the embedded default. Errors are ERR_USAGE and name
 * file, line and key. */
int profile_load(struct profile *ret, const struct root *root, const char *path, struct err *err);
int profile_parse(struct profile *ret, const char *text, size_t len, const char *source,
		  struct err *err);
void profile_release(struct profile *p);

#endif
