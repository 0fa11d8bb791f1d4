#include "cli/verb.h"

#include "base/text.h"

extern const struct verb verb_start, verb_stop, verb_restart, verb_pause, verb_resume, verb_status, verb_list,
        verb_delete, verb_prune, verb_doctor, verb_snapshot, verb_exec, verb_logs, verb_events, verb_build, verb_reload,
        verb_env, verb_kubeconfig, verb_open, verb_forward, verb_config, verb_register, verb_get, verb_create,
        verb_update, verb_compile, verb_version, verb_completion, verb_help;

const struct verb *const verbs[] = {
	&verb_start,  &verb_stop,    &verb_restart, &verb_pause,      &verb_resume,   &verb_status,
	&verb_list,   &verb_delete,  &verb_prune,   &verb_doctor,     &verb_snapshot, &verb_exec,
	&verb_logs,   &verb_events,  &verb_build,   &verb_reload,     &verb_env,      &verb_kubeconfig,
	&verb_open,   &verb_forward, &verb_config,  &verb_register,   &verb_get,      &verb_create,
	&verb_update, &verb_compile, &verb_version, &verb_completion, &verb_help,
};
const size_t verb_count = sizeof(verbs) / sizeof(verbs[0]);

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < verb_count; i++) {
		if (text_equal(verbs[i]->name, name))
			return verbs[i];
	}
	return NULL;
}

/* All that some verb has; which one has which, main.c asks the verb. */
static const char *const output_formats[] = { "text", "json", "yaml", "table", "env", "name", NULL };

#define FIELD(field) offsetof(struct globals, field)
const struct option global_options[] = {
	{ .name = "name",
	  .letter = 'n',
	  .kind = OPTION_TEXT,
	  .offset = FIELD(name),
	  .value = "NAME",
	  .environment = "SANDBOX_NAME",
	  .fallback = INSTANCE_DEFAULT,
	  .help = "instance to work on; NAME stands for flyte-sandbox-NAME" },
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPTION_CHOICE,
	  .offset = FIELD(output),
	  .value = "FORMAT",
	  .environment = "SANDBOX_OUTPUT",
	  .fallback = "text",
	  .choices = output_formats,
	  .help = "what stdout gets; every verb has text and json, and its help tells when it has more" },
	{ .name = "quiet",
	  .letter = 'q',
	  .kind = OPTION_FLAG,
	  .offset = FIELD(quiet),
	  .help = "print nothing but results and errors" },
	{ .name = "verbose",
	  .letter = 'v',
	  .kind = OPTION_FLAG,
	  .offset = FIELD(verbose),
	  .help = "tell more about what is done" },
	{ .name = "no-color",
	  .letter = 0,
	  .kind = OPTION_FLAG,
	  .offset = FIELD(no_color),
	  .environment = NULL,
	  .help = "no colours (as with NO_COLOR, or when the output is no terminal)" },
	{ .name = "host",
	  .letter = 'H',
	  .kind = OPTION_TEXT,
	  .offset = FIELD(host),
	  .value = "ADDRESS",
	  .help = "Docker engine, e.g. unix:///run/docker.sock; wins over DOCKER_HOST and contexts" },
	{ .name = "help", .letter = 'h', .kind = OPTION_FLAG, .offset = FIELD(help), .help = "tell about the verb" },
	{ .name = NULL },
};
