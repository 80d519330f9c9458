/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/api.h"

#include "sys/libcurl.h"

#define ANSWER_MAX (64u * 1024 * 1024)	/* bytes */
#define ASK_TIMEOUT 20			/* seconds, for questions that dockerd answers from memory */

struct docker_api {
	CURL *curl;
	char *socket;
	char error[CURL_ERROR_SIZE];
};

struct request {
	const char *method, *path, *type;
	const void *data;
	size_t len;
	unsigned int timeout_ms;
};

int docker_api_open(struct docker_api **ret, const char *socket_path, struct err *err)
{
	CURL *curl;

	if (libcurl_load(err) < 0)
		return -1;
	curl = sym_curl_easy_init();
	if (!curl)
		return err_set(err, ERR_FAILED, "cannot start libcurl");
	struct docker_api *a = xcalloc(1, sizeof(*a));
	a->curl = curl;
	a->socket = xstrdup(socket_path);
	*ret = a;
	return 0;
}

void docker_api_close(struct docker_api *a)
{
	if (!a)
		return;
	sym_curl_easy_cleanup(a->curl);
	free(a->socket);
	free(a);
}

void docker_api_closep(struct docker_api **a)
{
	docker_api_close(*a);
}

static size_t on_data(char *data, size_t size, size_t n, void *user)
{
	struct buf *b = user;

	if (b->len + size * n > ANSWER_MAX)
		return 0;
	buf_add(b, data, size * n);
	return size * n;
}

static struct curl_slist *request_headers(const struct request *q)
{
	struct curl_slist *list = sym_curl_slist_append(NULL, "Expect:");
	char *type CLEANUP(freep) = NULL;

	if (q->type)
		type = xasprintf("Content-Type: %s", q->type);
	return type ? sym_curl_slist_append(list, type) : list;
}

static void request_set(struct docker_api *a, const struct request *q, const char *url,
			struct curl_slist *headers, struct buf *answer)
{
	CURL *c = a->curl;

	sym_curl_easy_reset(c);
	sym_curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, a->socket);
	sym_curl_easy_setopt(c, CURLOPT_URL, url);
	sym_curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	sym_curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	sym_curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	sym_curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)q->timeout_ms);
	sym_curl_easy_setopt(c, CURLOPT_ERRORBUFFER, a->error);
	sym_curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
	sym_curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
	sym_curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	if (strcmp(q->method, "GET")) {
		sym_curl_easy_setopt(c, CURLOPT_POST, 1L);
		sym_curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->data ? q->data : "");
		sym_curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->len);
	}
	sym_curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
}

static int request_run(struct docker_api *a, const struct request *q, long *ret_status,
		       struct buf *answer, struct err *err)
{
	char *url CLEANUP(freep) = xasprintf("http://localhost%s", q->path);
	struct curl_slist *headers = request_headers(q);

	*a->error = '\0';
	request_set(a, q, url, headers, answer);
	CURLcode rc = sym_curl_easy_perform(a->curl);
	sym_curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, ret_status);
	sym_curl_slist_free_all(headers);
	if (rc == CURLE_OK)
		return 0;
	const char *why = *a->error ? a->error : sym_curl_easy_strerror(rc);
	return err_set(err, ERR_FAILED, "Docker does not answer on '%s' (%s %s): %s", a->socket, q->method, q->path, why);
}

static int answer_error(const struct request *q, long status, const struct buf *answer,
			struct err *err)
{
	struct json *j CLEANUP(json_freep) = NULL;
	struct err ignore = ERR_INIT;
	char quoted[512];

	const char *message = answer->data;
	if (!json_parse(answer->data, answer->len, JSON_STRICT, "Docker's answer", &j, &ignore) &&
	    json_get_str(j, "message"))
		message = json_get_str(j, "message");
	char *words CLEANUP(freep) = xstrdup(message);	/* Docker's plain text ends in a newline */
	err_quote(quoted, sizeof(quoted), str_trim(words));
	return err_set(err, ERR_FAILED, "Docker refuses %s %s: %s (HTTP %ld)", q->method, q->path,
		       *quoted ? quoted : "no reason given", status);
}

/* ret_status NULL: anything but 2xx is an error. */
static int request_ok(struct docker_api *a, const struct request *q, long *ret_status,
		      struct buf *answer, struct err *err)
{
	long status = 0;

	if (request_run(a, q, &status, answer, err))
		return -1;
	if (!ret_status && (status < 200 || status > 299))
		return answer_error(q, status, answer, err);
	if (ret_status)
		*ret_status = status;
	return 0;
}

bool docker_api_ping(struct docker_api *a, unsigned int timeout_ms)
{
	struct buf answer CLEANUP(buf_release) = BUF_INIT;
	const struct request q = { .method = "GET", .path = "/_ping", .timeout_ms = timeout_ms };
	struct err ignore = ERR_INIT;
	long status = 0;

	return !request_run(a, &q, &status, &answer, &ignore) && status == 200;
}

static int answer_parse(const struct request *q, const struct buf *answer, struct json **ret,
			struct err *err)
{
	if (!answer->len) {
		*ret = json_null();
		return 0;
	}
	char *what CLEANUP(freep) = xasprintf("Docker's answer to %s %s", q->method, q->path);
	return json_parse(answer->data, answer->len, JSON_STRICT, what, ret, err);
}

int docker_api_call(struct docker_api *a, const char *method, const char *path,
		    const struct json *body, unsigned int timeout_s, long *ret_status,
		    struct json **ret, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT, answer CLEANUP(buf_release) = BUF_INIT;
	long status = 0;

	if (body)
		json_print(body, &text);
	const struct request q = { method,    path,     body ? "application/json" : NULL,
				   text.data, text.len, timeout_s * 1000 };
	if (request_ok(a, &q, ret_status ? &status : NULL, &answer, err))
		return -1;
	if (ret && answer_parse(&q, &answer, ret, err))
		return -1;
	if (ret_status)
		*ret_status = status;
	return 0;
}

int docker_api_post_raw(struct docker_api *a, const char *path, const char *type, const void *data,
			size_t len, unsigned int timeout_s, struct buf *ret, struct err *err)
{
	struct buf answer CLEANUP(buf_release) = BUF_INIT;
	const struct request q = { "POST", path, type, data, len, timeout_s * 1000 };

	if (request_ok(a, &q, NULL, &answer, err))
		return -1;
	if (ret)
		buf_add(ret, answer.data, answer.len);
	return 0;
}

int docker_api_get_raw(struct docker_api *a, const char *path, unsigned int timeout_s,
		       struct buf *ret, struct err *err)
{
	struct buf answer CLEANUP(buf_release) = BUF_INIT;
	const struct request q = { .method = "GET", .path = path, .timeout_ms = timeout_s * 1000 };

	if (request_ok(a, &q, NULL, &answer, err))
		return -1;
	buf_add(ret, answer.data, answer.len);
	return 0;
}

int docker_info(struct docker_api *a, struct json **ret, struct err *err)
{
	return docker_api_call(a, "GET", "/info", NULL, ASK_TIMEOUT, NULL, ret, err);
}

char *docker_bridge_address(struct docker_api *a)
{
	struct json *net CLEANUP(json_freep) = NULL;
	struct err ignored = ERR_INIT;

	if (docker_api_call(a, "GET", "/networks/bridge", NULL, 10, NULL, &net, &ignored))
		return NULL;
	for json_each(c, json_get(json_get(net, "IPAM"), "Config")) {
			const char *subnet = json_get_str(c, "Subnet"),
				   *gateway = json_get_str(c, "Gateway");
			const char *bits = subnet ? strchr(subnet, '/') : NULL;

			if (bits && gateway && !strchr(gateway, ':'))
				return xasprintf("%s%s", gateway, bits);
	}
	return NULL;
}

int docker_version(struct docker_api *a, char **ret, struct err *err)
{
	struct json *j CLEANUP(json_freep) = NULL;

	if (docker_api_call(a, "GET", "/version", NULL, ASK_TIMEOUT, NULL, &j, err))
		return -1;
	if (!json_get_str(j, "Version"))
		return err_set(err, ERR_FAILED, "Docker's answer to GET /version names no version");
	*ret = xstrdup(json_get_str(j, "Version"));
	return 0;
}

/* --- containers --- */

static char *dup_or_empty(const struct json *obj, const char *key)
{
	const char *s = json_get_str(obj, key);

	return xstrdup(s ? s : "");
}

static void container_fill(struct docker_container *c, const struct json *j)
{
	const struct json *state = json_get(j, "State"), *config = json_get(j, "HostConfig");
	const char *name = json_get_str(j, "Name");

	*c = (struct docker_container){
		.id = dup_or_empty(j, "Id"),
		.name = xstrdup(name ? name + (*name == '/') : ""),
		.state = dup_or_empty(state, "Status"),
		.started_at = dup_or_empty(state, "StartedAt"),
		.pid = (pid_t)json_get_i64(state, "Pid", 0),
		.runtime = dup_or_empty(config, "Runtime"),
		.restart_policy = dup_or_empty(json_get(config, "RestartPolicy"), "Name"),
		.auto_remove = json_get_bool(config, "AutoRemove", false),
	};
}

/* 1: gone between the list and the question. */
static int container_inspect(struct docker_api *a, const char *id, struct docker_container *ret,
			     struct err *err)
{
	char *path CLEANUP(freep) = xasprintf("/containers/%s/json", id);
	struct json *j CLEANUP(json_freep) = NULL;
	long status = 0;

	if (docker_api_call(a, "GET", path, NULL, ASK_TIMEOUT, &status, &j, err))
		return -1;
	if (status == 404)
		return 1;
	if (status != 200)
		return err_set(err, ERR_FAILED, "Docker refuses GET %s (HTTP %ld)", path, status);
	container_fill(ret, j);
	return 0;
}

int docker_containers(struct docker_api *a, bool all, struct docker_container **ret, size_t *ret_n,
		      struct err *err)
{
	struct json *list CLEANUP(json_freep) = NULL;
	struct docker_container *v = NULL;
	size_t n = 0;

	if (docker_api_call(a, "GET", all ? "/containers/json?all=1" : "/containers/json", NULL,
			    ASK_TIMEOUT, NULL, &list, err))
		return -1;
	for json_each(c, list) {
		const char *id = json_get_str(c, "Id");
		v = xreallocarray(v, n + 1, sizeof(*v));
		int r = id ? container_inspect(a, id, &v[n], err) : 1;
		if (r < 0) {
			docker_containers_free(v, n);
			return -1;
		}
		n += !r;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

static void container_release(struct docker_container *c)
{
	free(c->id);
	free(c->name);
	free(c->state);
	free(c->runtime);
	free(c->restart_policy);
	free(c->started_at);
}

size_t docker_containers_keep(struct docker_container *c, size_t n,
			      bool (*keep)(const struct docker_container *c, const char *arg),
			      const char *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (keep(&c[i], arg))
			c[kept++] = c[i];
		else
			container_release(&c[i]);
	return kept;
}

void docker_containers_free(struct docker_container *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		container_release(&c[i]);
	free(c);
}
