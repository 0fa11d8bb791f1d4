#include "controlplane/engine/effects.h"

static int prepare_elements(struct effects *effects, struct machine_node *node, struct err *e)
{
	node->answer = ANSWER_GIVEN;
	return array_elements_load_all(effects->c, effects->arena, node->row.task->row_id, &node->row.task->elements,
	                               e);
}

static const struct effect effect_elements = { prepare_elements, NULL };

static const struct effect *const fulfilling[] = {
	[WANT_OUTPUTS] = &effect_outputs,
	[WANT_OFFLOADED] = &effect_offloaded,
	[WANT_INPUTS_READ] = &effect_inputs,
	[WANT_WRITE] = &effect_write,
	[WANT_WRITE_INPUTS] = &effect_write_inputs,
	[WANT_SIGNAL] = &effect_signal,
	[WANT_CHILD] = &effect_child,
	[WANT_POD] = &effect_pod,
	[WANT_CONNECTOR] = &effect_connector,
	[WANT_CACHE] = &effect_cache,
	[WANT_RECOVERED] = &effect_recovery,
	[WANT_ELEMENTS] = &effect_elements,
	[WANT_RESULT] = &effect_result,
	[WANT_DYNAMIC] = &effect_dynamic,
	[WANT_WRITE_DYNAMIC] = &effect_write_dynamic,
};

/* How many wants there are, or -1. */
static int prepare(struct effects *effects, struct err *e)
{
	const struct machine *m = effects->m;
	int tried = effects_prepare_children(effects, e);
	for (size_t i = 0; i < m->node_count && tried >= 0; i++) {
		struct machine_node *node = m->nodes[i];
		if (node->want == WANT_NOTHING || node->want == WANT_CHILD || node->answer != ANSWER_PENDING)
			continue;
		tried = fulfilling[node->want]->prepare(effects, node, e) < 0 ? -1 : tried + 1;
	}
	return tried;
}

int effects_fulfil(const struct round_context *context, struct database_connection *c, struct machine *m,
                   struct round_result *result, struct err *e)
{
	struct effects effects = { .context = context, .c = c, .m = m, .arena = m->arena, .result = result };
	int tried = prepare(&effects, e);
	if (tried >= 0)
		effects_run_jobs(&effects);
	for (size_t i = 0; i < effects.job_count; i++) {
		struct job *job = &effects.jobs[i];
		if (tried >= 0 && fulfilling[job->node->want]->take(&effects, job, e) < 0)
			tried = -1;
		effects_release_job(job);
	}
	return tried;
}
