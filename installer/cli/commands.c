/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include "cli/cmds.h"

const struct command *const commands[] = {
	&cmd_plan,
	&cmd_apply,
	&cmd_confirm,
	&cmd_rollback,
	&cmd_recover,
	&cmd_firstboot,
	&cmd_status,
	&cmd_history,
	&cmd_uninstall,
	&cmd_forget,
	&cmd_seal,
	&cmd_verify,
	&cmd_fetch,
	&cmd_cert,
	&cmd_firewall,
	&cmd_ci,
	&cmd_distros,
	&cmd_help,
	&cmd_completion,
	NULL,
};

static const char *const color_choices[] = { "auto", "always", "never", NULL };

const struct option_spec global_options[] = {
	{ .name = "profile",
	  .arg = "FILE",
	  .value = VALUE_FILE,
	  .help = "what is wanted, instead of /etc/sysboxup/profile.json" },
	{ .name = "root",
	  .arg = "DIR",
	  .value = VALUE_DIR,
	  .help = "work on the tree below DIR, whose services do not run" },
	{ .name = "distro",
	  .arg = "ID",
	  .help = "take this host for that distribution, whatever os-release says" },
	{ .name = "json", .help = "one JSON object per event, and a summary at the end" },
	{ .name = "quiet", .letter = 'q', .help = "say nothing but warnings and errors" },
	{ .name = "verbose", .letter = 'v', .help = "also what the programs called have to say" },
	{ .name = "color",
	  .arg = "WHEN",
	  .choices = color_choices,
	  .help = "auto, always or never" },
	{ .name = "help", .letter = 'h', .help = "show what can be typed here" },
	{ .name = "version", .help = "show the version of this program" },
	{ .name = NULL },
};

const struct option_spec no_options[] = {
	{ .name = NULL },
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (str_eq(commands[i]->name, name))
			return commands[i];
	return NULL;
}

int command_unknown(const char *word, struct err *err)
{
	const char *names[ARRAY_SIZE(commands)] = { NULL };
	char shown[128];
	size_t n = 0;

	for (size_t i = 0; commands[i]; i++)
		if (!(commands[i]->flags & CMD_HIDDEN))
			names[n++] = commands[i]->name;
	const char *near = str_nearest(word, names);

	err_quote(shown, sizeof(shown), word);
	if (near)
		return err_set(err, ERR_USAGE, "unknown command '%s'; did you mean '%s'?", shown, near);
	return err_set(err, ERR_USAGE, "unknown command '%s'", shown);
}
