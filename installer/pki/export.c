/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/export.h"

#include "base/json.h"
#include "pki/archive.h"
#include "pki/issue.h"
#include "pki/secret.h"
#include "pki/trust.h"
#include "sys/fs.h"
#include "sys/replace.h"
#include "sys/io.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

enum { PEM_MAX = 64 * 1024, OUT_MAX = 4 * PEM_MAX };

void export_release(struct export *e)
{
	buf_release(&e->ca);
	buf_release(&e->cert);
	secret_release(&e->key);
}

static int read_into(int dir, const char *name, struct buf *ret, struct err *err)
{
	buf_reserve(ret, PEM_MAX);
	if (fs_read_at(dir, name, PEM_MAX - 1, ret, err) < 0)
		return -1;
	return ret->len ? 0 : err_errno(err, ENOENT, "cannot read '%s'", name);
}

int export_load(struct export *ret, const struct pki *p, const struct ledger_cert *c,
		struct err *err)
{
	char *entry CLEANUP(freep) = pki_common(c);
	int dir CLEANUP(closep) = pki_open_dir(p, c->seq, entry, err);

	ret->client = c->profile == PKI_CLIENT;
	if (dir < 0 || read_into(dir, "cert.pem", &ret->cert, err) ||
	    read_into(dir, "key.pem", &ret->key, err))
		return -1;
	return pki_trust_text(p, &ret->ca, err);
}

static void add_text(struct pki_files *f, mode_t mode, const char *path, const struct buf *text)
{
	struct buf *to = files_add(f, mode, path);

	buf_reserve(to, text->len + 1);
	buf_add(to, text->data, text->len);
}

/* --- the formats; each fills a buffer of OUT_MAX, which does not grow --- */

static int fill_context(const struct export *e, struct buf *ret, struct err *err)
{
	struct pki_files f CLEANUP(files_release) = PKI_FILES_INIT;
	struct json *meta CLEANUP(json_freep) = json_obj(), *endpoint = json_obj(),
			  *endpoints = json_obj();

	json_set_str(endpoint, "Host", e->docker_host);
	json_set_bool(endpoint, "SkipTLSVerify", false);
	json_set(endpoints, "docker", endpoint);
	json_set_str(meta, "Name", e->name);
	json_set(meta, "Metadata", json_obj());
	json_set(meta, "Endpoints", endpoints);
	json_print(meta, files_add(&f, 0600, "meta.json"));
	add_text(&f, 0600, "tls/docker/ca.pem", &e->ca);
	add_text(&f, 0600, "tls/docker/cert.pem", &e->cert);
	add_text(&f, 0600, "tls/docker/key.pem", &e->key);
	return archive_make(&f, ret, err);
}

static void add_base64(struct buf *ret, const char *key, const struct buf *data)
{
	buf_addf(ret, "  %s: ", key);
	buf_reserve(ret, 4 * (data->len + 2) / 3 + 1);
	ret->len += (size_t)EVP_EncodeBlock((unsigned char *)ret->data + ret->len,
					    (const unsigned char *)data->data, (int)data->len);
	buf_addc(ret, '\n');
}

static int fill_kubernetes(const struct export *e, struct buf *ret, struct err *err)
{
	buf_addf(ret, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\ntype: kubernetes.io/tls\ndata:\n", e->name);
	add_base64(ret, "ca.crt", &e->ca);
	add_base64(ret, "tls.crt", &e->cert);
	add_base64(ret, "tls.key", &e->key);
	return 0;
}

static void add_variable(struct buf *ret, const char *key, const char *type, const char *value,
			 bool more)
{
	buf_addf(ret,
		 "  {\"key\": \"%s\", \"variable_type\": \"%s\", "
		 "\"protected\": true, \"raw\": true, \"value\": ",
		 key, type);
	json_print_string(value, ret);
	buf_adds(ret, more ? "},\n" : "}\n");
}

static int fill_gitlab(const struct export *e, struct buf *ret, struct err *err)
{
	buf_adds(ret, "[\n");
	add_variable(ret, "DOCKER_HOST", "env_var", e->docker_host, true);
	add_variable(ret, "DOCKER_TLS_VERIFY", "env_var", "1", true);
	add_variable(ret, "DOCKER_TLS_CA", "file", e->ca.data, true);
	add_variable(ret, "DOCKER_TLS_CERT", "file", e->cert.data, true);
	add_variable(ret, "DOCKER_TLS_KEY", "file", e->key.data, false);
	buf_adds(ret, "]\n");
	return 0;
}

/* A literal block of YAML. */
static void add_block(struct buf *ret, const char *key, const struct buf *text)
{
	buf_addf(ret, "              %s: |\n", key);
	for (const char *at = text->data, *end; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, '\n');
		buf_addf(ret, "                %.*s\n", (int)(end - at), at);
	}
}

static int fill_jenkins(const struct export *e, struct buf *ret, struct err *err)
{
	buf_addf(ret, "credentials:\n  system:\n    domainCredentials:\n      - credentials:\n          - x509ClientCert:\n"
		      "              scope: GLOBAL\n              id: \"%s\"\n", e->name);
	add_block(ret, "clientKeySecret", &e->key);
	add_block(ret, "clientCertificate", &e->cert);
	add_block(ret, "serverCaCertificate", &e->ca);
	return 0;
}

/* --- into the world --- */

static int refuse_existing(int dirfd, const char *name, struct err *err)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : err_errno(err, errno, "cannot look at '%s'", name);
	return err_set(err, ERR_USAGE, "'%s' exists already", name);
}

/* Nothing that came there meanwhile is replaced, where the file system can tell. */
static int publish(int dirfd, const char *from, const char *name, struct err *err)
{
	if (rename_new(dirfd, from, name)) {
		struct err ignored = ERR_INIT;

		err_errno(err, errno, "cannot make '%s'", name);
		(void)fs_remove_tree(dirfd, from, &ignored);
		return -1;
	}
	return fs_sync_dir(dirfd, err);
}

static char *temp_name(const char *name)
{
	return xasprintf(".%s.sysboxup-new", name);
}

/* What a run that was killed left half made has the key in it, and may have been of another
 * form. */
static int forget_half(int dirfd, const char *name, struct err *err)
{
	char *dir CLEANUP(freep) = temp_name(name),
		  *file CLEANUP(freep) = xasprintf(".%s.tmp", name);

	return fs_remove_tree(dirfd, dir, err) || fs_unlink(dirfd, file, err) ? -1 : 0;
}

static int write_dir(const struct export *e, int dirfd, const char *name, struct err *err)
{
	struct pki_files f CLEANUP(files_release) = PKI_FILES_INIT;
	char *temp CLEANUP(freep) = temp_name(name);

	add_text(&f, 0444, "ca.pem", &e->ca);
	add_text(&f, 0444, "cert.pem", &e->cert);
	add_text(&f, 0400, "key.pem", &e->key);
	if (e->docker_host)
		buf_addf(files_add(&f, 0444, "env"),
			 "DOCKER_HOST=%s\nDOCKER_TLS_VERIFY=1\nDOCKER_CERT_PATH=%s\n",
			 e->docker_host, e->dir);
	return files_write(&f, dirfd, temp, err) || publish(dirfd, temp, name, err) ? -1 : 0;
}

static const struct format {
	int (*fill)(const struct export *e, struct buf *ret, struct err *err);	/* NULL: a directory */
	bool server;			/* has a meaning for a server */
	bool host;			/* says where the daemon is */
} formats[] = {
	{ NULL, true, false },
	{ fill_context, false, true },
	{ fill_kubernetes, true, false },
	{ fill_gitlab, false, true },
	{ fill_jenkins, false, false },
};

const char *const export_formats[] = {
	"pem-dir", "context", "kubernetes", "gitlab", "jenkins", NULL
};

static const struct format *format_of(const char *name)
{
	size_t i = 0;

	while (!str_eq(export_formats[i], name))
		i++;
	return &formats[i];
}

static int write_file(const struct export *e, const struct format *f, int dirfd, const char *name,
		      struct err *err)
{
	struct buf text CLEANUP(secret_release) = BUF_INIT;

	buf_reserve(&text, OUT_MAX);
	return f->fill(e, &text, err) || fs_put(dirfd, name, 0600, text.data, text.len, err) ? -1 :
											       0;
}

int export_write(const struct export *e, const char *format, int dirfd, const char *name,
		 struct err *err)
{
	const struct format *f = format_of(format);

	if (!e->client && !f->server)
		return err_set(err, ERR_USAGE, "'%s' is for clients, and '%s' is a server's certificate", format, e->name);
	if (f->host && !e->docker_host) {
		err_set(err, ERR_USAGE, "'%s' says where the daemon is", format);
		return err_remedy(err, "add --docker-host tcp://NAME:2376");
	}
	if (refuse_existing(dirfd, name, err) || forget_half(dirfd, name, err))
		return -1;
	return f->fill ? write_file(e, f, dirfd, name, err) : write_dir(e, dirfd, name, err);
}
