/*
 * WANT_POD: the attempt's inputs are put where the pod reads them, then the pod is made. It is built in the job, which
 * may have to fetch a PodTemplate for it: from things that nobody changes meanwhile. A pod that is there already is
 * success, if it is this execution's.
 */
#include "controlplane/engine/effects.h"

#include "base/metrics.h"
#include "base/text.h"
#include "controlplane/engine/quota.h"

/* To build a pod: as much as a round, because inputs are put into its commands before these are measured. */
#define POD_ARENA_MAXIMUM ((size_t)4 << 30)

/* ---- The job ---- */

/* The kinds of errors are the pod's; of objects only an impossible name (made from a node's id) is worth telling. */
static int put_for_pod(struct job *job, const char *uri, struct proto_bytes bytes)
{
	if (job->outside->put(job->outside->context, uri, bytes, &job->error) == 0)
		return 0;
	job->error.kind = text_equal(err_id(&job->error), "invalid-uri") ? ERR_INVALID : ERR_UNAVAILABLE;
	return -1;
}

/* In the task's namespace, then in the platform's. An absent default is none. */
static int find_pod_template(struct job *job, json_t **ret_template)
{
	const struct outside *outside = job->outside;
	const char *const namespaces[] = { job->namespace, pod_platform_namespace(job->request.defaults) };
	bool required;
	const char *name = pod_template_name(&job->request, &required);
	*ret_template = NULL;
	for (size_t i = 0; name && i < ARRAY_LENGTH(namespaces); i++) {
		if (outside->get_pod_template(outside->context, namespaces[i], name, ret_template, &job->error) == 0)
			return 0;
		if (job->error.kind != ERR_NOT_FOUND) {
			job->error.kind = ERR_UNAVAILABLE;
			return err_wrap(&job->error, "cannot read the PodTemplate \"%s\"", name);
		}
		err_release(&job->error);
	}
	if (!required)
		return 0;
	job->unbuildable = true;
	return err_set(&job->error, ERR_INVALID, "BadTaskSpecification", "PodTemplate '%s' does not exist", name);
}

static json_t *build_pod(struct job *job, bool *ret_needs_task_template)
{
	auto_json json_t *template = NULL;
	if (find_pod_template(job, &template) < 0)
		return NULL;
	job->request.pod_template = template;
	json_t *pod = pod_build(&job->arena, &job->request, ret_needs_task_template, &job->error);
	job->request.pod_template = NULL;
	if (!pod) {
		job->unbuildable = true;
		return NULL;
	}
	char row[24];
	(void)snprintf(row, sizeof(row), "%" PRId64, job->execution_id);
	json_t *labels = json_lookup(pod, "metadata/labels");
	json_object_set_new(labels, POD_CACHE_LABEL, json_string(row));
	const char *platform = pod_platform_namespace(job->request.defaults);
	if (!text_equal(platform, POD_PLATFORM_NAMESPACE))
		json_object_set_new(labels, POD_CACHE_PLATFORM_LABEL, json_string(platform));
	return pod;
}

METRIC_COUNTER(pods_created, "sandbox_engine_pods_created_total",
               "Pods created for attempts of tasks, those found to exist already included.");
METRIC_COUNTER(pods_refused, "sandbox_engine_pod_errors_total", "Pods that could not be created.");

static void run_create(struct job *job)
{
	const struct outside *outside = job->outside;
	const struct pod_request *request = &job->request;
	bool needs_template = false;
	job->arena = (struct arena)ARENA_INIT(POD_ARENA_MAXIMUM);
	auto_json json_t *pod = build_pod(job, &needs_template);
	if (!pod || (job->uri && put_for_pod(job, job->uri, job->body) < 0))
		return;
	if (needs_template &&
	    put_for_pod(job, request->task_template_uri, proto_pack(&job->arena, &request->task->base)) < 0)
		return;
	const int outcome = outside->create_pod(outside->context, job->namespace, pod, &job->pod, &job->error);
	metric_add(outcome < 0 ? &pods_refused : &pods_created, 1);
}

/* ---- Before ---- */

struct pod_request effects_pod_request(const struct effects *effects, const struct machine_node *node)
{
	struct machine *m = effects->m;
	const struct progress_definition *d = m->definition;
	const uint32_t attempt = node->row.attempt;
	const Flyteidl__Core__TaskNode *target = node->vertex->node->task_node;
	return (struct pod_request){
		.namespace = m->namespace,
		.name = names_pod(m->arena, d->name, node->row.node_id, attempt),
		.task = node->vertex->task,
		.overrides = target ? target->overrides : NULL,
		.execution_spec = d->spec,
		.project = d->project,
		.domain = d->domain,
		.execution_name = d->name,
		.workflow_name = d->workflow_name,
		.launch_plan_name = d->launch_plan_name,
		.workflow_id_text =
		        arena_printf(m->arena, "%s:%s:%s", d->workflow_project, d->workflow_domain, d->workflow_name),
		.node_id = node->row.node_id,
		.attempt = attempt,
		.interruptible = machine_node_is_interruptible(m, node),
		.inputs = node->inputs,
		.input_uri = node->row.inputs_uri,
		.output_prefix = machine_output_prefix(m, node),
		.in_array = node->element_of != NULL,
		.array_index = node->index,
		.raw_output_prefix = machine_raw_output_prefix(m, node, attempt),
		.checkpoint_prefix = machine_checkpoint_uri(m, node, attempt),
		.previous_checkpoint_prefix =
		        attempt > 0 ? machine_checkpoint_uri(m, node, attempt - 1) : node->row.previous_checkpoint_uri,
		.task_template_uri = arena_printf(m->arena, "%s/task.pb", node->directory),
		.resource_policy = d->resource_policy,
		.defaults = &effects->context->pod_defaults,
	};
}

/* An element's inputs are part of the array's. */
bool effects_reads_inputs_of_array(const struct machine_node *node)
{
	return node->element_of && !node->element_of->vertex->array->own_inputs;
}

static int prepare(struct effects *effects, struct machine_node *node, struct err *e)
{
	(void)e;
	struct job *job = effects_add_job(effects, node, run_create);
	job->request = effects_pod_request(effects, node);
	job->execution_id = effects->m->definition->id;
	job->namespace = effects->m->namespace;
	job->name = job->request.name;
	if (effects_reads_inputs_of_array(node))
		return 0;
	job->uri = node->row.inputs_uri;
	job->body = proto_pack(effects->arena, &node->inputs->base);
	return 0;
}

/* ---- After ---- */

static const char *pod_error_code(const struct err *e)
{
	return e->id && e->id[0] >= 'A' && e->id[0] <= 'Z' ? e->id : "BadTaskSpecification";
}

/* Names are joined with '-', so node "n0" of execution "a-b" and node "b-n0" of "a" want the same one: the other's pod
 * must not pass for ours. */
static bool is_ours(const struct machine *m, const struct job *job)
{
	const json_t *labels = json_lookup(job->pod, "metadata/labels");
	const char *platform = json_string_value(json_object_get(labels, POD_CACHE_PLATFORM_LABEL));
	return pod_execution(job->pod) == m->definition->id &&
	       text_equal(platform ? platform : POD_PLATFORM_NAMESPACE, pod_platform_namespace(job->request.defaults));
}

static struct machine_failure name_is_taken(struct machine *m, const char *name)
{
	return (struct machine_failure){
		.budget = POD_FAILURE_PERMANENT,
		.kind = ERROR_KIND(USER),
		.code = "PodNameTaken",
		.message =
		        arena_printf(m->arena, "there is a pod \"%s\" already, and it is not this execution's", name),
	};
}

/* Reference §2.9: how the API server refuses a pod. */
static int take(struct effects *effects, struct job *job, struct err *e)
{
	struct machine *m = effects->m;
	struct machine_node *node = job->node;
	const char *message = arena_strdup(m->arena, err_message(&job->error));
	(void)e;
	node->creation = CREATION_FAILED;
	if (job->unbuildable) {
		effects_fail(node, ERROR_KIND(USER), arena_strdup(m->arena, pod_error_code(&job->error)), message);
		return 0;
	}
	switch (job->error.kind) {
	case ERR_NONE:
		if (!is_ours(m, job)) {
			node->failure = name_is_taken(m, job->name);
			break;
		}
		node->creation = CREATION_DONE;
		pod_cache_add(effects->context->pods, m->definition->id, job->pod);
		break;
	case ERR_EXHAUSTED:
		if (quota_can_never_fit(message)) {
			node->failure = (struct machine_failure){
				.budget = POD_FAILURE_PERMANENT,
				.kind = ERROR_KIND(USER),
				.code = "ResourceRequestsExceedLimits",
				.message = arena_printf(m->arena, "requested resources exceed limits: %s", message),
			};
			break;
		}
		node->creation = CREATION_WAITS;
		node->creation_reason = arena_printf(m->arena, "Exceeded resourcequota: %s", message);
		break;
	case ERR_PERMISSION:
		node->failure = (struct machine_failure){ .budget = POD_FAILURE_USER,
			                                  .kind = ERROR_KIND(USER),
			                                  .code = "RuntimeFailure",
			                                  .message = message };
		break;
	case ERR_INVALID:
		node->failure = (struct machine_failure){ .budget = POD_FAILURE_PERMANENT,
			                                  .kind = ERROR_KIND(USER),
			                                  .code = "BadTaskFormat",
			                                  .message = message };
		break;
	default:
		effects_give_up(effects, node, &job->error, "cannot create a pod");
		return 0;
	}
	node->answer = ANSWER_GIVEN;
	return 0;
}

const struct effect effect_pod = { prepare, take };
