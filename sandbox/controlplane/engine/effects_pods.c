/* Pods that are there: what a round sees of them before its first step, and which it deletes after its commit. */
#include "controlplane/engine/effects.h"

#include "base/clock.h"

/* ---- Before ---- */

static void run_get_pod(struct job *job)
{
	if (job->outside->get_pod(job->outside->context, job->namespace, job->name, &job->pod, &job->error) < 0 &&
	    job->error.kind == ERR_NOT_FOUND) {
		err_release(&job->error);
		job->absent = true;
	}
}

static void set_pod(struct machine *m, struct machine_node *node, const json_t *pod)
{
	node->pod.known = true;
	node->pod.observation = pod_observe(m->arena, pod, m->now_ns);
}

/* A pod that is gone counts by how it ended, if it had ended. */
static void set_deleted_pod(struct machine *m, struct machine_node *node, const json_t *last)
{
	set_pod(m, node, last);
	if (node->pod.observation.state != POD_SUCCEEDED && node->pod.observation.state != POD_FAILED)
		set_pod(m, node, NULL);
}

static void take_asked_pod(struct effects *effects, struct job *job)
{
	struct machine *m = effects->m;
	struct pod_cache *pods = effects->context->pods;
	if (job->error.kind != ERR_NONE) {
		effects_give_up(effects, NULL, &job->error, "cannot look for a pod");
	} else if (job->absent) {
		pod_cache_remove(pods, m->definition->id, job->name);
		set_pod(m, job->node, NULL);
	} else {
		pod_cache_add(pods, m->definition->id, job->pod);
		set_pod(m, job->node, job->pod);
	}
}

/* Whether another replica may be at work on what was heard of the pod. */
static bool is_news(const struct round_context *context, const struct machine *m, const char *name,
                    struct round_result *result)
{
	const int64_t heard_ms = pod_cache_heard_ms(context->pods, m->definition->id, name);
	const int64_t age_ms = clock_monotonic_ms() - heard_ms;
	if (!heard_ms || age_ms >= context->patience_ms)
		return false;
	const int64_t heard_ns = clock_wall_ns() - age_ms * 1000000;
	if (!result->wake_at_ns || heard_ns < result->wake_at_ns)
		result->wake_at_ns = heard_ns;
	return true;
}

void effects_observe_pods(const struct round_context *context, struct machine *m, bool patiently,
                          struct round_result *result)
{
	struct effects effects = { .context = context, .m = m, .arena = m->arena, .result = result };
	for (size_t i = 0; i < m->node_count; i++) {
		struct machine_node *node = m->nodes[i];
		if (!machine_node_has_pod(node))
			continue;
		auto_json json_t *pod = NULL;
		uint64_t version;
		if (patiently && is_news(context, m, node->row.task->pod_name, result))
			continue;
		switch (pod_cache_find(context->pods, m->definition->id, node->row.task->pod_name, &version, &pod)) {
		case POD_KNOWN:
			set_pod(m, node, pod);
			break;
		case POD_DELETED:
			set_deleted_pod(m, node, pod);
			break;
		case POD_ASK: {
			struct job *job = effects_add_job(&effects, node, run_get_pod);
			job->namespace = node->row.task->pod_namespace;
			job->name = node->row.task->pod_name;
			break;
		}
		case POD_UNKNOWN:
			break;
		}
	}
	effects_run_jobs(&effects);
	for (size_t i = 0; i < effects.job_count; i++) {
		take_asked_pod(&effects, &effects.jobs[i]);
		effects_release_job(&effects.jobs[i]);
	}
}

/* ---- After ---- */

static void run_delete(struct job *job)
{
	if (job->outside->delete_pod(job->outside->context, job->namespace, job->name, job->resource_version,
	                             &job->error) == 0)
		job->absent = true;
	else if (job->error.kind == ERR_CONFLICT)
		err_release(&job->error); /* what it is now will be in an event, which decides anew */
}

void effects_delete_pods(const struct round_context *context, int64_t execution_id, const struct effects_pods *pods,
                         struct arena *arena, struct round_result *result)
{
	struct effects effects = { .context = context, .arena = arena, .result = result };
	for (size_t i = 0; i < pods->count; i++) {
		struct job *job = effects_add_job(&effects, NULL, run_delete);
		job->namespace = pods->list[i].namespace;
		job->name = pods->list[i].name;
		job->resource_version = pods->list[i].resource_version;
	}
	effects_run_jobs(&effects);
	for (size_t i = 0; i < effects.job_count; i++) {
		struct job *job = &effects.jobs[i];
		if (job->error.kind != ERR_NONE)
			effects_give_up(&effects, NULL, &job->error, "cannot delete a pod");
		else if (job->absent)
			pod_cache_remove(context->pods, execution_id, job->name);
		effects_release_job(job);
	}
}
