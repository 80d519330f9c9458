/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/probe.h"

#include "sys/proc.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define NAME_PREFIX "sysboxup-probe-"
#define LABEL "sysboxup.probe"
#define RUN_TIMEOUT 60		/* seconds; Sysbox sets a container up in about one */
#define CALL_TIMEOUT 60

static const unsigned char probe_elf[] = {
#include "probe_elf.h"
};

/* --- the image --- */

struct tar_header {		/* POSIX ustar */
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
	char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};

void docker_probe_tar(struct buf *ret)
{
	static const char zeros[1024];
	struct tar_header h = { .name = "probe",
				.mode = "0000755",
				.uid = "0000000",
				.gid = "0000000",
				.mtime = "00000000000",
				.type = '0',
				.magic = "ustar",
				.version = { '0', '0' } };
	unsigned int sum = 0;

	_Static_assert(sizeof(h) == 512, "a tar header is one block");
	snprintf(h.size, sizeof(h.size), "%011zo", sizeof(probe_elf));
	memset(h.checksum, ' ', sizeof(h.checksum));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += ((const unsigned char *)&h)[i];
	snprintf(h.checksum, sizeof(h.checksum), "%06o", sum);
	buf_add(ret, &h, sizeof(h));
	buf_add(ret, probe_elf, sizeof(probe_elf));
	buf_add(ret, zeros, (512 - sizeof(probe_elf) % 512) % 512);
	buf_add(ret, zeros, sizeof(zeros));
}

/* Whose it is, as the label says it: a process, named for ever by its number and start. */
static char *probe_owner(pid_t pid, uint64_t started)
{
	return xasprintf("%d-%" PRIu64, (int)pid, started);
}

static int image_make(struct docker_api *api, const char *name, struct err *err)
{
	struct buf tar CLEANUP(buf_release) = BUF_INIT, answer CLEANUP(buf_release) = BUF_INIT;
	char *owner CLEANUP(freep) = probe_owner(getpid(), proc_starttime(getpid()));
	char *path CLEANUP(freep) = xasprintf(
		"/images/create?fromSrc=-&repo=%s&tag=latest&changes=LABEL%%20" LABEL "%%3D%s",
		name, owner);

	docker_probe_tar(&tar);
	if (docker_api_post_raw(api, path, "application/x-tar", tar.data, tar.len, CALL_TIMEOUT,
				&answer, err))
		return -1;
	/* A stream with status 200 whatever happens; a failure is a line in it. */
	if (strstr(answer.data, "\"error\""))
		return err_set(err, ERR_FAILED, "Docker could not make the probe's image: %.200s", answer.data);
	return 0;
}

/* --- leftovers --- */

static int remove_quietly(struct docker_api *api, const char *path, struct err *err)
{
	long status;

	if (docker_api_call(api, "DELETE", path, NULL, CALL_TIMEOUT, &status, NULL, err))
		return -1;
	return status < 300 || status == 404 ?
		       0 :
		       err_set(err, ERR_FAILED, "Docker refuses DELETE %s (HTTP %ld)", path,
			       status);
}

static int container_remove(struct docker_api *api, const char *id, struct err *err)
{
	char *path CLEANUP(freep) = xasprintf("/containers/%s?force=1&v=1", id);

	return remove_quietly(api, path, err);
}

static int image_remove(struct docker_api *api, const char *name, struct err *err)
{
	char *path CLEANUP(freep) = xasprintf("/images/%s?force=1", name);

	return remove_quietly(api, path, err);
}

/* With our label, whatever its name, of a run that is gone: one that works has its own. */
static bool is_leftover(const struct json *labels)
{
	const char *owner = json_get_str(labels, LABEL);
	const char *dash = owner ? strchr(owner, '-') : NULL;
	uint64_t pid = 0, started = 0;
	char *number CLEANUP(freep) = dash ? xstrndup(owner, (size_t)(dash - owner)) : NULL;

	if (!dash || str_to_u64(number, INT32_MAX, &pid) ||
	    str_to_u64(dash + 1, UINT64_MAX, &started))
		return false;
	return !proc_wait_gone((pid_t)pid, started, 0);
}

static int leftover_containers(struct docker_api *api, struct err *err)
{
	struct json *list CLEANUP(json_freep) = NULL;

	if (docker_api_call(api, "GET", "/containers/json?all=1", NULL, CALL_TIMEOUT, NULL, &list,
			    err))
		return -1;
	for json_each(c, list)
		if (is_leftover(json_get(c, "Labels")) &&
		    container_remove(api, json_get_str(c, "Id"), err))
			return -1;
	return 0;
}

static int leftover_images(struct docker_api *api, struct err *err)
{
	struct json *list CLEANUP(json_freep) = NULL;

	if (docker_api_call(api, "GET", "/images/json", NULL, CALL_TIMEOUT, NULL, &list, err))
		return -1;
	for json_each(image, list)
		if (is_leftover(json_get(image, "Labels")) &&
		    image_remove(api, json_get_str(image, "Id"), err))
			return -1;
	return 0;
}

/* --- the container --- */

static struct json *container_body(const char *image, const char *runtime)
{
	struct json *body = json_obj(), *host = json_obj(), *command = json_arr();
	struct json *labels = json_obj();
	char *owner CLEANUP(freep) = probe_owner(getpid(), proc_starttime(getpid()));

	json_add_str(command, "/probe");
	if (runtime)
		json_set_str(host, "Runtime", runtime);
	json_set_str(host, "NetworkMode", "none");
	struct json *log = json_obj();
	json_set_str(log, "Type", "json-file");
	json_set(host, "LogConfig", log);
	json_set_str(labels, LABEL, owner);
	json_set(body, "Labels", labels);
	json_set_str(body, "Image", image);
	json_set(body, "Cmd", command);
	json_set(body, "HostConfig", host);
	return body;
}

static int container_create(struct docker_api *api, const char *name, const char *runtime,
			    struct err *err)
{
	struct json *body CLEANUP(json_freep) = container_body(name, runtime);
	char *path CLEANUP(freep) = xasprintf("/containers/create?name=%s", name);

	return docker_api_call(api, "POST", path, body, CALL_TIMEOUT, NULL, NULL, err);
}

static int container_wait(struct docker_api *api, const char *name, struct err *err)
{
	struct json *answer CLEANUP(json_freep) = NULL;
	char *path CLEANUP(freep) = xasprintf("/containers/%s/wait", name);

	if (docker_api_call(api, "POST", path, NULL, RUN_TIMEOUT, NULL, &answer, err))
		return -1;
	int64_t status = json_get_i64(answer, "StatusCode", -1);
	return status ? err_set(err, ERR_FAILED, "the probe's container ended with status %lld", (long long)status) : 0;
}

int docker_probe_parse(const char *log, size_t len, struct docker_probe *ret)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	unsigned int inside, outside, count;

	/* frames: stream, three zeros, length in network order, bytes */
	for (size_t i = 0; i + 8 <= len;) {
		const unsigned char *h = (const unsigned char *)log + i;
		size_t n = (size_t)h[4] << 24 | (size_t)h[5] << 16 | (size_t)h[6] << 8 | h[7];
		if (n > len - i - 8)
			return -1;
		if (h[0] == 1)
			buf_add(&text, log + i + 8, n);
		i += 8 + n;
	}
	if (sscanf(text.data, "%u %u %u", &inside, &outside, &count) != 3 || inside != 0)
		return -1;
	*ret = (struct docker_probe){ true, outside, count, outside != 0 || count != UINT32_MAX };
	return 0;
}

static int container_read(struct docker_api *api, const char *name, struct docker_probe *ret,
			  struct err *err)
{
	struct buf log CLEANUP(buf_release) = BUF_INIT;
	char *path CLEANUP(freep) = xasprintf("/containers/%s/logs?stdout=1&stderr=1", name);

	if (docker_api_get_raw(api, path, CALL_TIMEOUT, &log, err))
		return -1;
	if (docker_probe_parse(log.data, log.len, ret))
		return err_set(err, ERR_FAILED, "the probe's container printed no uid_map");
	return 0;
}

static int container_run(struct docker_api *api, const char *name, const char *runtime,
			 struct docker_probe *ret, struct err *err)
{
	char *start CLEANUP(freep) = xasprintf("/containers/%s/start", name);

	if (container_create(api, name, runtime, err) ||
	    docker_api_call(api, "POST", start, NULL, RUN_TIMEOUT, NULL, NULL, err) ||
	    container_wait(api, name, err) || container_read(api, name, ret, err))
		return -1;
	return 0;
}

int docker_probe_runtime(struct docker_api *api, const char *runtime, struct docker_probe *ret,
			 struct report *rep, struct err *err)
{
	char *owner CLEANUP(freep) = probe_owner(getpid(), proc_starttime(getpid()));
	char *name CLEANUP(freep) = xasprintf(NAME_PREFIX "%s", owner);	/* nobody else's: removed by name */
	char *words CLEANUP(freep) = runtime ? xasprintf("runtime '%s'", runtime) :
					       xstrdup("the default runtime");
	struct docker_probe result = { 0 };
	struct err cleaning = ERR_INIT;

	if (leftover_containers(api, err) || leftover_images(api, err))
		return err_prefix(err, "cannot remove what an earlier probe left");
	report_log(rep, "running a container under %s", words);
	int r = image_make(api, name, err);
	if (!r)
		r = container_run(api, name, runtime, &result, err);
	if (container_remove(api, name, &cleaning) | image_remove(api, name, &cleaning))
		report_warn(rep, "remove it with docker rm and docker rmi",
			    "the probe '%s' could not be removed: %s", name, cleaning.msg);
	if (r)
		return err_prefix(err, "no container runs under %s", words);
	*ret = result;
	return 0;
}
