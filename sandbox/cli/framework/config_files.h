/*
 * Settings of the launcher in files: `sandbox.yaml` of the project, which is the nearest one upward from the working
 * directory, and the user's, ~/.config/sandbox/config.yaml ($XDG_CONFIG_HOME). A file has the options of every verb by
 * their names, and a mapping for each verb with that verb's options:
 *
 *	name: ci1
 *	start:
 *	  ports: auto
 *	  port: {http: 8080}
 *	  env: {LOG_LEVEL: debug}
 *
 * What comes later wins: default, project, user, environment, command line. Lists add up in this order. Files and
 * directories are relative to the file that names them.
 *
 * A project's file came with the project, which may be a stranger's: by itself it can set only what cannot run code on
 * this machine, open it to others, send anything elsewhere, or delete or overwrite something (`of_project` of an
 * option). Anything else it says is an error unless a stronger source names that option, too, or the person has said
 * that the project is trusted: `trust` in the user's file, SANDBOX_TRUST or --trust. As that may be said last, on the
 * command line, such settings are left out at first and come in at the end, with config_files_settle.
 */
#ifndef SANDBOX_CLI_FRAMEWORK_CONFIG_FILES_H
#define SANDBOX_CLI_FRAMEWORK_CONFIG_FILES_H

#include "base/yaml.h"
#include "cli/framework/options.h"

#define CONFIG_PROJECT_NAME "sandbox.yaml"

struct config_file {
	char *path;
	json_t *values; /* options as texts (arrays of texts for lists), by section */
	struct yaml_places places;
	bool of_project;
};

struct config_files {
	struct config_file items[2]; /* in order of precedence, the weaker first */
	size_t count;
};

#define CONFIG_FILES_INIT                                                                                              \
	{                                                                                                              \
		.count = 0                                                                                             \
	}
void config_files_release(struct config_files *files);

/* One file's text; `path` is absolute. There may be two at most. */
int config_files_add(struct config_files *files, const char *path, bool of_project, const char *text, size_t length,
                     struct err *e);
/* Reads the files that there are and checks every name in them. ERR_INVALID "config-file" names file and line. */
int config_files_load(struct config_files *files, struct err *e);
/* Sets what the files say for the section, a verb's name, or NULL for the options of every verb. The values borrow from
 * `files`. */
int config_files_apply(const struct config_files *files, const char *section, const struct option_set *set,
                       struct err *e);
/* The last step of all: what the project's file says beyond its rights is set, as weakly as the rest of that file, when
 * `trust` (directories) covers it; ERR_PERMISSION "untrusted-setting" when it does not and nobody else has said the
 * option. */
int config_files_settle(const struct config_files *files, const char *section, const struct option_set *set,
                        const struct option_list *trust, struct err *e);
/* What the strongest file that has the option says: text (a list's elements joined by spaces), and "FILE:LINE" as its
 * origin, with a remark where it is the project's and may not say it; both owned by the caller. False when none has it.
 */
bool config_files_value(const struct config_files *files, const char *section, const struct option *option,
                        const struct option_list *trust, char **ret_value, char **ret_origin);

#endif
