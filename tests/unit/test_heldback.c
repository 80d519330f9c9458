/* SPDX-License-Identifier: Apache-2.0 */
/* Which transaction a boot holds the API and the dedicated daemon back for. */
#include "cli/heldback.h"
#include "scratch.h"
#include "sys/clock.h"

static struct scratch s;
static struct state state;

static void begin(void)
{
	struct err err = ERR_INIT;

	scratch_open(&s);
	CHECK(!fs_mkdir_path(&s.root, "/run", 0755, &err));
	CHECK(!state_open(&state, &s.root, STATE_CREATE, &err));
}

static void end(void)
{
	state_release(&state);
	scratch_close(&s);
}

/* One action of this step, and what follows PREPARED. */
static void transaction(const char *step, enum record_type last, const struct json *body)
{
	struct txnlog log CLEANUP(txnlog_release) = TXNLOG_INIT;
	struct json *prepared CLEANUP(json_freep) = json_obj(), *actions = json_arr();
	struct json *action = json_obj(), *none CLEANUP(json_freep) = json_obj();
	struct err err = ERR_INIT;

	json_set_str(action, "step", step);
	json_add(actions, action);
	json_set(prepared, "actions", actions);
	CHECK(!txnlog_begin(&log, &state, none, &err));
	CHECK(!txnlog_append(&log, RECORD_PREPARED, prepared, &err));
	if (body)
		CHECK(!txnlog_append(&log, last, body, &err));
	CHECK_STR(err.msg, "");
}

static bool held(void)
{
	struct report rep = { 0 };
	bool is;

	heldback_begin(&state, &rep);
	is = root_exists(&s.root, HELDBACK_MARK);
	heldback_end(&state, &rep);
	CHECK(!root_exists(&s.root, HELDBACK_MARK));
	return is;
}

static bool held_for(const char *step, enum record_type last, const struct json *body)
{
	bool is;

	begin();
	transaction(step, last, body);
	is = held();
	end();
	return is;
}

TEST(interrupted, "an interrupted transaction, or one that could not be undone, that concerns who reaches this host")
{
	struct json *body CLEANUP(json_freep) = json_obj();

	begin();
	CHECK(!held());
	end();
	CHECK(held_for("api", RECORD_FAILED, NULL));
	CHECK(held_for("docker-ci", RECORD_FAILED, body));
	CHECK(held_for("firewall", RECORD_FAILED, body));
	CHECK(!held_for("docker", RECORD_FAILED, body));
	CHECK(!held_for("api", RECORD_COMMITTED, body));
	CHECK(!held_for("api", RECORD_ROLLED_BACK, body));
}

TEST(pending, "one that nobody confirmed before this boot is undone, and so is held back for; one that still can be is not")
{
	struct json *body CLEANUP(json_freep) = json_obj();

	json_set_i64(body, "deadline", INT64_C(1) << 50);
	json_set_str(body, "boot_id", "00000000-0000-0000-0000-000000000000");
	CHECK(held_for("api", RECORD_PENDING, body));
	CHECK(held_for("firewall", RECORD_PENDING, body));
	CHECK(!held_for("docker", RECORD_PENDING, body));
	json_del(body, "boot_id");
	json_set_str(body, "boot_id", clock_boot_id());
	CHECK(!held_for("api", RECORD_PENDING, body));
}

RUN_TESTS()
