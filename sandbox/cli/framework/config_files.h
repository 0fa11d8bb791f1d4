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
int config_files_add(struct config_files *files, const char *path, const char *text, size_t length, struct err *e);
/* Reads the files that there are and checks every name in them. ERR_INVALID "config-file" names file and line. */
int config_files_load(struct config_files *files, struct err *e);
/* Sets what the files say for the section, a verb's name, or NULL for the options of every verb. The values borrow from
 * `files`. */
int config_files_apply(const struct config_files *files, const char *section, const struct option_set *set,
                       struct err *e);
/* What the strongest file that has the option says: text (a list's elements joined by spaces), and "FILE:LINE" as its
 * origin; both owned by the caller. False when none has it. */
bool config_files_value(const struct config_files *files, const char *section, const char *option, char **ret_value,
                        char **ret_origin);

#endif
