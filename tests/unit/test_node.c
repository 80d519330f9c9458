/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <sys/xattr.h>

static struct scratch s;

static void open_tree_of_nodes(void)
{
	scratch_open(&s);
	put(&s, "file", "abc");
	if (symlinkat("t\xff\n", s.fd, "link") || mkdirat(s.fd, "dir", 0700) ||
	    mknodat(s.fd, "null", S_IFCHR | 0600, 0x103))
		abort();
	int fd = openat(s.fd, "file", O_RDWR | O_CLOEXEC);
	if (fsetxattr(fd, "user.b", "\0\xff", 2, 0) || fsetxattr(fd, "user.a", "", 0, 0) ||
	    fchmod(fd, 04711))
		abort();
	close(fd);
	char *link CLEANUP(freep) = xasprintf("%s/link", s.path);
	if (lsetxattr(link, "trusted.of-link", "l", 1, 0))
		abort();
}

static void read_node(struct node *n, const char *path)
{
	struct err err = ERR_INIT;

	*n = (struct node)NODE_INIT;
	CHECK_INT(node_read(n, &s.root, path, NODE_DIGEST, &err), 0);
	CHECK_STR(err.msg, "");
}

TEST(reads, "type, mode, content, attributes of files and of links themselves")
{
	struct node n;

	open_tree_of_nodes();
	read_node(&n, "/file");
	CHECK(n.type == NODE_FILE && n.mode == 04711 && n.size == 3);
	CHECK_STR(n.digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CHECK_INT(n.xattrs_n, 2);
	CHECK_STR(n.xattrs[0].name, "user.a");
	CHECK(n.xattrs[1].len == 2 && !memcmp(n.xattrs[1].value, "\0\xff", 2));
	node_release(&n);
	read_node(&n, "/link");
	CHECK_INT(n.type, NODE_LINK);
	CHECK_STR(n.target, "t\xff\n");
	CHECK_INT(n.xattrs_n, 1);
	node_release(&n);
	read_node(&n, "/null");
	CHECK(n.type == NODE_OTHER && n.rdev == 0x103 && n.format == S_IFCHR);
	read_node(&n, "/absent");
	CHECK_INT(n.type, NODE_ABSENT);
	read_node(&n, "/file/below");
	CHECK_INT(n.type, NODE_ABSENT);
	scratch_close(&s);
}

TEST(records, "what is recorded comes back equal, to the byte and the nanosecond")
{
	static const char *const paths[] = { "/file", "/link", "/dir", "/null", "/absent" };

	open_tree_of_nodes();
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct node n CLEANUP(node_release), back CLEANUP(node_release) = NODE_INIT;
		struct err err = ERR_INIT;
		struct buf text CLEANUP(buf_release) = BUF_INIT;
		struct json *again CLEANUP(json_freep) = NULL;
		read_node(&n, paths[i]);
		struct json *j CLEANUP(json_freep) = node_encode(&n);
		json_print(j, &text);
		CHECK_INT(json_parse(text.data, text.len, JSON_STRICT, "record", &again, &err), 0);
		CHECK_INT(node_decode(&back, again, &err), 0);
		CHECK(node_equal(&n, &back, NODE_CMP_MTIME));
		CHECK(node_same_fingerprint(&n, &back));
	}
	scratch_close(&s);
}

TEST(odd_times, "times before 1970 and the largest numbers survive a record")
{
	struct node n = { .type = NODE_FILE,
			  .mtime = { -5, 7 },
			  .size = UINT64_MAX,
			  .ino = UINT64_MAX,
			  .uid = UINT32_MAX };
	struct node back CLEANUP(node_release) = NODE_INIT;
	struct err err = ERR_INIT;
	struct json *j CLEANUP(json_freep) = node_encode(&n);

	CHECK_INT(node_decode(&back, j, &err), 0);
	CHECK(back.mtime.tv_sec == -5 && back.mtime.tv_nsec == 7 && back.size == UINT64_MAX &&
	      back.uid == UINT32_MAX);
}

TEST(bad_records, "a record that is not one of ours is refused and nothing returned")
{
	static const char *const bad[] = {
		"{}",
		"{\"type\":\"socket\"}",
		"{\"type\":\"file\"}",
		"[]",
		"{\"type\":\"file\",\"mode\":4096,\"uid\":0,\"gid\":0,\"mtime\":\"0.000000000\",\"size\":\"0\",\"dev\":\"0\",\"ino\":\"0\",\"ctime\":\"0.000000000\"}",
		"{\"type\":\"file\",\"mode\":0,\"uid\":-1,\"gid\":0,\"mtime\":\"0.000000000\",\"size\":\"0\",\"dev\":\"0\",\"ino\":\"0\",\"ctime\":\"0.000000000\"}",
		"{\"type\":\"file\",\"mode\":0,\"uid\":0,\"gid\":0,\"mtime\":\"0.5\",\"size\":\"0\",\"dev\":\"0\",\"ino\":\"0\",\"ctime\":\"0.000000000\"}",
		"{\"type\":\"file\",\"mode\":0,\"uid\":0,\"gid\":0,\"mtime\":\"0.000000000\",\"sha256\":\"zz\",\"size\":\"0\",\"dev\":\"0\",\"ino\":\"0\",\"ctime\":\"0.000000000\"}",
		"{\"type\":\"link\",\"mode\":0,\"uid\":0,\"gid\":0,\"mtime\":\"0.000000000\",\"target_hex\":\"0g\",\"size\":\"0\",\"dev\":\"0\",\"ino\":\"0\",\"ctime\":\"0.000000000\"}",
		"{\"type\":\"link\",\"mode\":0,\"uid\":0,\"gid\":0,\"mtime\":\"0.000000000\",\"size\":\"0\",\"dev\":\"0\",\"ino\":\"0\",\"ctime\":\"0.000000000\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct node n CLEANUP(node_release) = { .type = NODE_DIR };
		struct err err = ERR_INIT;
		struct json *j CLEANUP(json_freep) = NULL;
		CHECK_INT(json_parse(bad[i], strlen(bad[i]), JSON_STRICT, "record", &j, &err), 0);
		CHECK_INT(node_decode(&n, j, &err), -1);
		CHECK_INT(n.type, NODE_DIR);
	}
}

TEST(differs, "any difference in content, owner, mode or attributes counts; in time only when asked")
{
	struct node a CLEANUP(node_release), b CLEANUP(node_release) = NODE_INIT;

	open_tree_of_nodes();
	read_node(&a, "/file");
#define DIFFERS(change, cmp, want)                                    \
	do {                                                          \
		node_copy(&b, &a);                                    \
		change;                                               \
		CHECK_INT(node_equal(&a, &b, cmp), want);             \
		CHECK_INT(node_equal(&b, &a, cmp), want);             \
	} while (0)
	DIFFERS((void)0, NODE_CMP_MTIME, true);
	DIFFERS(b.mode ^= 1, NODE_CMP_PLAIN, false);
	DIFFERS(b.uid++, NODE_CMP_PLAIN, false);
	DIFFERS(b.gid++, NODE_CMP_PLAIN, false);
	DIFFERS(b.digest[0] ^= 1, NODE_CMP_PLAIN, false);
	DIFFERS(b.mtime.tv_nsec ^= 1, NODE_CMP_PLAIN, true);
	DIFFERS(b.mtime.tv_nsec ^= 1, NODE_CMP_MTIME, false);
	DIFFERS(((char *)b.xattrs[1].value)[0] ^= 1, NODE_CMP_PLAIN, false);
	DIFFERS(b.xattrs[0].name[5] = 'x', NODE_CMP_PLAIN, false);
	DIFFERS(b.xattrs[1].name[5] = 'a', NODE_CMP_PLAIN, false);
	DIFFERS(b.ino++, NODE_CMP_MTIME, true);
	DIFFERS((b.digest[0] = '\0'), NODE_CMP_PLAIN, true);
	DIFFERS((b.digest[0] = '\0', b.ctime.tv_nsec ^= 1), NODE_CMP_PLAIN, false);
	scratch_close(&s);
}

TEST(applies, "metadata given to another file makes it equal: set-id bits survive the chown, other attributes go")
{
	struct node want CLEANUP(node_release), got CLEANUP(node_release);

	open_tree_of_nodes();
	read_node(&want, "/file");
	want.uid = 5;
	want.gid = 6;
	put(&s, "copy", "abc");
	int fd = openat(s.fd, "copy", O_WRONLY | O_CLOEXEC);
	CHECK_INT(fsetxattr(fd, "user.other", "x", 1, 0), 0);
	CHECK_INT(node_apply_meta(&want, fd, true), 0);
	close(fd);
	read_node(&got, "/copy");
	CHECK(node_equal(&got, &want, NODE_CMP_MTIME));
	CHECK_INT(got.mode, 04711);
	scratch_close(&s);
}

static int as_nobody(void *arg)
{
	struct node n CLEANUP(node_release) = NODE_INIT;
	struct err err = ERR_INIT;

	if (fchmod(s.fd, 0711) || setgid(65534) || setuid(65534))
		return 90;
	if (node_read(&n, &s.root, "/file", NODE_META, &err) || n.mode != 04711 || *n.digest)
		return 1;
	return node_read(&n, &s.root, "/file", NODE_DIGEST, &err) == -1 && err.errnum == EACCES ?
		       0 :
		       2;
}

TEST(unprivileged, "metadata can be read without privileges where the directory can be searched; content says why not")
{
	open_tree_of_nodes();
	CHECK_INT(in_child(as_nobody, NULL), 0);
	scratch_close(&s);
}

RUN_TESTS()
