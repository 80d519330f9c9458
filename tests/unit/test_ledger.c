/* SPDX-License-Identifier: Apache-2.0 */
/* A ledger that was cut, damaged, or killed while it grew: what was acknowledged stays, or it is an
 * error. */
#include "pki/ledger.h"

#include "scratch.h"
#include "sys/fault.h"

#define SPKI "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void cert_line(struct buf *b, unsigned int i)
{
	buf_addf(b, "cert %032x %s 100 200 1 client n%u - -\n", i, SPKI, i);
}

static int append(struct ledger *l, int fd, unsigned int from, unsigned int n, struct err *err)
{
	struct buf b CLEANUP(buf_release) = BUF_INIT;

	if (!l->seq)
		buf_addf(&b, "ca 00ff %s 100 2000\n", SPKI);
	for (unsigned int i = from; i < from + n; i++)
		cert_line(&b, i);
	return ledger_append(l, fd, &b, 150, err);
}

static void begin(struct scratch *s, struct ledger *l)
{
	struct err err = ERR_INIT;

	scratch_open(s);
	*l = (struct ledger)LEDGER_INIT;
	CHECK_INT(append(l, s->fd, 0, 1, &err), 0);
	CHECK_INT(append(l, s->fd, 1, 2, &err), 0);
}

static void end(struct scratch *s, struct ledger *l)
{
	ledger_release(l);
	scratch_close(s);
}

/* Certificates in the file; -1: it is refused. */
static int certs_of(const struct scratch *s)
{
	struct ledger l CLEANUP(ledger_release) = LEDGER_INIT;
	struct err err = ERR_INIT;

	if (ledger_read(&l, s->fd, &err)) {
		CHECK(err_is_set(&err));
		return -1;
	}
	return (int)l.certs_n;
}

TEST(reads, "what was appended is read: authorities, certificates, revocations, numbers")
{
	struct scratch s;
	struct ledger l, again CLEANUP(ledger_release) = LEDGER_INIT;
	struct buf b CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;

	begin(&s, &l);
	buf_adds(&b, "revoke 00000000000000000000000000000001 superseded\ncrl 4 150 900\n");
	CHECK_INT(ledger_append(&l, s.fd, &b, 160, &err), 0);
	CHECK_INT(ledger_read(&again, s.fd, &err), 0);
	const struct ledger *both[] = { &l, &again };
	for (size_t i = 0; i < 2; i++) {
		const struct ledger_cert *c = ledger_newest(both[i], "n1");

		CHECK_INT(both[i]->cas_n, 1);
		CHECK_INT(both[i]->certs_n, 3);
		CHECK_INT(both[i]->seq, 3);
		CHECK_INT(both[i]->crl_number, 4);
		CHECK_INT(both[i]->crl_to, 900);
		CHECK(c == ledger_find(both[i], "00000000000000000000000000000001"));
		CHECK_INT(c->revoked, 160);
		CHECK_STR(c->reason, "superseded");
		CHECK_INT(c->seq, 2);
		CHECK(!ledger_alive(c, 150));
		CHECK(ledger_alive(ledger_newest(both[i], "n2"), 150));
		CHECK(!ledger_alive(ledger_newest(both[i], "n2"), 200));
		CHECK(!ledger_find(both[i], "00ff"));
		CHECK(!ledger_newest(both[i], "n3"));
	}
	end(&s, &l);
}

static int add(struct ledger *l, int fd, const char *text)
{
	struct buf b CLEANUP(buf_release) = BUF_INIT;
	struct err ignored = ERR_INIT;

	buf_adds(&b, text);
	return ledger_append(l, fd, &b, 160, &ignored);
}

TEST(drops, "an authority that is dropped takes what it issued with it; the newest one cannot be, nor one that never was")
{
	struct scratch s;
	struct ledger l, again CLEANUP(ledger_release) = LEDGER_INIT;
	struct err err = ERR_INIT;

	begin(&s, &l);
	CHECK_INT(add(&l, s.fd, "ca 00fe " SPKI " 100 2000\ncert 0a " SPKI " 100 200 3 client new - -\n"), 0);
	CHECK_INT(l.trust, 3);
	CHECK(ledger_alive(ledger_newest(&l, "n1"), 150));
	CHECK_INT(add(&l, s.fd, "drop 1\n"), 0);
	CHECK_INT(ledger_read(&again, s.fd, &err), 0);
	CHECK(again.cas[0].dropped && !again.cas[1].dropped);
	CHECK_INT(again.trust, 4);
	CHECK(!ledger_alive(ledger_newest(&again, "n1"), 150));
	CHECK(ledger_alive(ledger_newest(&again, "new"), 150));
	CHECK_INT(add(&l, s.fd, "drop 3\n"), LEDGER_UNSURE);
	CHECK_INT(add(&again, s.fd, "drop 2\n"), LEDGER_UNSURE);
	end(&s, &l);
}

TEST(lists, "each authority counts the lists that were imported for itself; those made here have one number for all")
{
	struct scratch s;
	struct ledger l, again CLEANUP(ledger_release) = LEDGER_INIT;
	struct err err = ERR_INIT;

	begin(&s, &l);
	CHECK_INT(add(&l, s.fd, "crl 9 100 900 1\n"), 0);
	CHECK_INT(add(&l, s.fd, "ca 00fe " SPKI " 100 2000\ncrl 1 100 800 4\n"), 0);
	CHECK_INT(ledger_read(&again, s.fd, &err), 0);
	CHECK_INT(again.cas[0].crl_number, 9);
	CHECK_INT(again.cas[1].crl_number, 1);
	CHECK_INT(again.crl_number, 9);
	CHECK_INT(again.crl_to, 800);
	CHECK_INT(add(&l, s.fd, "crl 10 100 700\n"), 0);
	CHECK_INT(l.cas[0].crl_number, 10);
	CHECK_INT(l.cas[1].crl_number, 10);
	CHECK_INT(add(&l, s.fd, "crl 11 100 600 1\n"), 0);
	CHECK_INT(l.crl_to, 600);
	CHECK_INT(add(&l, s.fd, "drop 1\n"), 0);
	CHECK_INT(l.crl_to, 700);
	CHECK_INT(l.crl_number, 11);
	end(&s, &l);
}

TEST(lists_refused, "no number falls, nor is there a list of an authority that never was or is dropped")
{
	static const char *const bad[] = { "crl 9 1 2\n",    "crl 9 1 2 1\n", "crl 0 1 2 4\n",
					   "crl 10 1 2 3\n", "crl 5 1 2 4\n", "crl 10 1 2 x\n" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct scratch s;
		struct ledger l;

		begin(&s, &l);
		CHECK_INT(add(&l, s.fd, "crl 9 100 900 1\n"), 0);
		CHECK_INT(add(&l, s.fd, "ca 00fe " SPKI " 100 2000\ncrl 5 100 900 4\n"), 0);
		CHECK_INT(add(&l, s.fd, bad[i]), LEDGER_UNSURE);
		end(&s, &l);
	}
	struct scratch s;
	struct ledger l;

	begin(&s, &l);
	CHECK_INT(add(&l, s.fd, "ca 00fe " SPKI " 100 2000\ndrop 1\n"), 0);
	CHECK_INT(add(&l, s.fd, "crl 1 1 2 1\n"), LEDGER_UNSURE);
	end(&s, &l);
}

TEST(cut, "cut at any byte of its last record it is the ledger before, and the next append mends it")
{
	struct scratch s;
	struct ledger l;
	struct buf whole CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;
	size_t first;

	begin(&s, &l);
	CHECK_INT(fs_read_at(s.fd, "ledger", 1 << 20, &whole, &err), 0);
	first = (size_t)((char *)memmem(whole.data + 1, whole.len - 1, "\n+ ", 3) + 1 - whole.data);
	for (size_t len = first; len < whole.len; len++) {
		struct ledger cut CLEANUP(ledger_release) = LEDGER_INIT;

		CHECK_INT(fs_put(s.fd, "ledger", 0600, whole.data, len, &err), 0);
		CHECK_INT(ledger_read(&cut, s.fd, &err), 0);
		CHECK_INT(cut.certs_n, 1);
		CHECK_INT(cut.torn, len - first);
		CHECK_INT(append(&cut, s.fd, 7, 1, &err), 0);
		CHECK_INT(certs_of(&s), 2);
	}
	end(&s, &l);
}

TEST(damaged, "a bit turned in any record but the last is an error; in the last one it is not there")
{
	struct scratch s;
	struct ledger l;
	struct buf whole CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;
	size_t second;

	begin(&s, &l);
	CHECK_INT(fs_read_at(s.fd, "ledger", 1 << 20, &whole, &err), 0);
	second = (size_t)((char *)memmem(whole.data + 1, whole.len - 1, "\n+ ", 3) + 1 - whole.data);
	for (size_t at = 0; at < whole.len; at++) {
		whole.data[at] ^= 1;
		CHECK_INT(fs_put(s.fd, "ledger", 0600, whole.data, whole.len, &err), 0);
		CHECK_INT(certs_of(&s), at < second ? -1 : 1);
		whole.data[at] ^= 1;
	}
	end(&s, &l);
}

TEST(missing, "a record that is gone from the middle or the beginning is an error")
{
	struct scratch s;
	struct ledger l;
	struct buf whole CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;
	const char *second;

	begin(&s, &l);
	CHECK_INT(append(&l, s.fd, 3, 1, &err), 0);
	CHECK_INT(certs_of(&s), 4);
	CHECK_INT(fs_read_at(s.fd, "ledger", 1 << 20, &whole, &err), 0);
	second = (char *)memmem(whole.data + 1, whole.len - 1, "\n+ ", 3) + 1;
	CHECK_INT(fs_put(s.fd, "ledger", 0600, second, strlen(second), &err), 0);
	CHECK_INT(certs_of(&s), -1);
	end(&s, &l);
}

TEST(nonsense, "a record that says what cannot be is refused")
{
	static const char *const lines[] = {
		"what 1\n", "cert\n", "ca 00 x 1 2\n", "crl 0 1 2\n", "crl x 1 2\n",
		"revoke 00000000000000000000000000000009 unspecified\n",
		"cert 00000000000000000000000000000000 " SPKI " 1 2 1 client n - -\n",
		"cert 0g " SPKI " 1 2 1 client n - -\n", "cert 0a " SPKI " 1 2 1 nobody n - -\n",
		"cert 0a " SPKI " 1 x 1 client n - -\n", "cert 0a " SPKI " 1 2 1 client n - - -\n", "crl 9 1 2",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct buf b CLEANUP(buf_release) = BUF_INIT;
		struct err err = ERR_INIT;
		struct scratch s;
		struct ledger l;

		begin(&s, &l);
		buf_adds(&b, lines[i]);
		CHECK(ledger_append(&l, s.fd, &b, 150, &err) < 0);
		CHECK_INT(certs_of(&s), -1);
		end(&s, &l);
	}
}

TEST(many, "each of 10,000 is found by its serial, in one record and in as many")
{
	struct scratch s;
	struct ledger l, again CLEANUP(ledger_release) = LEDGER_INIT;
	struct err err = ERR_INIT;
	char serial[SERIAL_HEX + 1];

	begin(&s, &l);
	for (unsigned int i = 3; i < 200; i++)
		CHECK_INT(append(&l, s.fd, i, 1, &err), 0);
	CHECK_INT(append(&l, s.fd, 200, 9800, &err), 0);
	CHECK_INT(ledger_read(&again, s.fd, &err), 0);
	CHECK_INT(again.certs_n, 10000);
	for (unsigned int i = 0; i < 10000; i++) {
		snprintf(serial, sizeof(serial), "%032x", i);
		const struct ledger_cert *c = ledger_find(&again, serial);
		CHECK(c && str_eq(c->serial, serial));
	}
	CHECK(!ledger_find(&again, "0000000000000000000000000000ffff"));
	end(&s, &l);
}

static int appends(void *arg)
{
	const struct scratch *s = arg;
	struct ledger l CLEANUP(ledger_release) = LEDGER_INIT;
	struct err err = ERR_INIT;

	return ledger_read(&l, s->fd, &err) || append(&l, s->fd, 3, 3, &err) ? 1 : 0;
}

/* Before or after, nothing else; and it can be appended to. */
static void whole_again(const struct scratch *s, int status)
{
	int n = certs_of(s);
	struct ledger l CLEANUP(ledger_release) = LEDGER_INIT;
	struct err err = ERR_INIT;

	CHECK(n == 6 || (n == 3 && status));
	CHECK_INT(ledger_read(&l, s->fd, &err), 0);
	CHECK_INT(append(&l, s->fd, 8, 1, &err), 0);
	CHECK_INT(certs_of(s), n + 1);
}

TEST(alike, "serials of any length that end in the same digits are told apart")
{
	static const char *const serials[] = { "11111111", "0a11111111", "0b11111111", "11",
					       "1111" };
	struct scratch s;
	struct ledger l;

	begin(&s, &l);
	for (size_t i = 0; i < ARRAY_SIZE(serials); i++) {
		char *line CLEANUP(freep) = xasprintf("cert %s " SPKI " 1 2 1 client a%zu - -\n",
						      serials[i], i);

		CHECK(!ledger_find(&l, serials[i]));
		CHECK_INT(add(&l, s.fd, line), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(serials); i++)
		CHECK_STR(ledger_find(&l, serials[i])->serial, serials[i]);
	CHECK(!ledger_find(&l, "0c11111111") && !ledger_find(&l, "111111") && !ledger_find(&l, ""));
	end(&s, &l);
}

TEST(faults, "killed, torn or failed at each call of an append: all of the batch or none of it")
{
	static const char *const faults[] = { "die-before:N", "die-after:N", "tear:N", "fail:N:ENOSPC", "fail-from:N:EIO" };
	unsigned int points = 0;

	for (size_t f = 0; f < ARRAY_SIZE(faults); f++) {
		for (unsigned int n = 1; n <= 3; n++) {
			struct scratch s;
			struct ledger l;
			char *spec CLEANUP(freep) = xstrdup(faults[f]);
			int status;

			begin(&s, &l);
			put(&s, "unused", "");
			*strchr(spec, 'N') = (char)('0' + n);
			fault_set(spec);
			status = in_child(appends, &s);
			fault_set(NULL);
			CHECK(status == 128 + SIGKILL || status <= 1);
			points += status != 0;
			whole_again(&s, status);
			end(&s, &l);
		}
	}
	CHECK(points >= 12);
}

RUN_TESTS()
