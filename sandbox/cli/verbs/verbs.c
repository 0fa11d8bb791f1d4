#include "cli/framework/verb.h"

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
