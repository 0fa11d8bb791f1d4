/*
 * What a round does outside: every pending want of the machine becomes one or a few jobs, all jobs run at the same time
 * on the shared threads, then their results become answers. Jobs touch only their own memory; the machine and its arena
 * belong to the round's thread, which prepares jobs before and reads them after.
 */
#include "controlplane/engine/round.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/text.h"
#include "controlplane/engine/dynamic.h"
#include "controlplane/engine/quota.h"
#include "controlplane/store/signals.h"

/* On top of the object itself, what an arena needs for its bookkeeping. */
#define ARENA_SLACK ((size_t)1 << 20)
/* To build a pod: as much as a round, because inputs are put into its commands before these are measured. */
#define POD_ARENA_MAXIMUM ((size_t)4 << 30)

struct job {
	void (*run)(struct job *job);
	const struct outside *outside;
	struct machine_node *node;
	const char *uri;
	size_t maximum;
	struct proto_bytes body;
	const char *namespace, *name; /* of a pod */
	const char *resource_version; /* of one that is deleted */
	/* Creating a pod: what it is built from, and where its execution is to be found; `uri` and `body` are the
	 * inputs. */
	struct pod_request request;
	int64_t execution_id;
	json_t *pod;             /* owned: what there is */
	const char *futures_uri; /* looked for when `uri` is absent, or NULL */
	/* Results. */
	struct arena arena;
	struct proto_bytes bytes;
	bool absent, futures_found;
	bool unbuildable; /* the task cannot become a pod: `error` is the task's fault, not Kubernetes' */
	struct err error;
};

struct jobs {
	size_t count;
	struct job *list;
};

static void run_job(void *element)
{
	struct job *job = element;
	job->run(job);
}

static void release_job(struct job *job)
{
	json_decref(job->pod);
	arena_release(&job->arena);
	err_release(&job->error);
}

/* The pointer is good until the next job is added. */
static struct job *add_job(const struct round_context *context, struct machine *m, struct jobs *jobs,
                           struct machine_node *node, void (*run)(struct job *job))
{
	const struct job job = { .run = run, .outside = context->outside, .node = node };
	proto_append(m->arena, jobs->count, jobs->list, job);
	return &jobs->list[jobs->count - 1];
}

/* Something was not there; the first such thing is reported. */
static void give_up_for_now(struct machine_node *node, struct round_result *result, struct err *error, const char *what)
{
	if (node)
		node->answer = ANSWER_UNAVAILABLE;
	if (!result->incomplete) {
		err_wrap(error, "%s", what);
		err_move(&result->problem, error);
	}
	result->incomplete = true;
}

/* ---- Objects ---- */

static void run_get(struct job *job)
{
	job->arena = (struct arena)ARENA_INIT(job->maximum + ARENA_SLACK);
	if (job->outside->get(job->outside->context, &job->arena, job->uri, job->maximum, &job->bytes, &job->error) ==
	    0)
		return;
	if (job->error.kind != ERR_NOT_FOUND)
		return;
	err_release(&job->error);
	job->absent = true;
	if (!job->futures_uri)
		return;
	if (job->outside->head(job->outside->context, job->futures_uri, &job->error) == 0)
		job->futures_found = true;
	else if (job->error.kind == ERR_NOT_FOUND)
		err_release(&job->error);
}

static void run_head(struct job *job)
{
	if (job->outside->head(job->outside->context, job->uri, &job->error) < 0 && job->error.kind == ERR_NOT_FOUND) {
		err_release(&job->error);
		job->absent = true;
	}
}

static void run_put(struct job *job)
{
	(void)job->outside->put(job->outside->context, job->uri, job->body, &job->error);
}

static struct job *add_get(const struct round_context *context, struct machine *m, struct jobs *jobs,
                           struct machine_node *node, const char *uri)
{
	struct job *job = add_job(context, m, jobs, node, run_get);
	job->uri = uri;
	job->maximum = context->object_maximum;
	return job;
}

static void fail_for_ever(struct machine_node *node, const char *code, const char *message)
{
	node->failure = (struct machine_failure){
		.budget = POD_FAILURE_PERMANENT, .kind = ERROR_KIND(SYSTEM), .code = code, .message = message
	};
	node->answer = ANSWER_GIVEN;
}

/* ---- WANT_OUTPUTS, WANT_INPUTS_READ, WANT_OFFLOADED, WANT_WRITE, WANT_WRITE_INPUTS ---- */

static int prepare_outputs(const struct round_context *context, struct database_connection *c, struct machine *m,
                           struct jobs *jobs, struct machine_node *node, struct err *e)
{
	if (node->row.row_id && progress_load_outputs(c, m->arena, node->row.row_id, &node->outputs, e) < 0)
		return -1;
	if (!node->outputs && !text_is_empty(node->row.outputs_uri)) {
		add_get(context, m, jobs, node, node->row.outputs_uri);
		return 0;
	}
	if (!node->outputs)
		node->outputs = proto_new(m->arena, flyteidl__core__literal_map);
	node->answer = ANSWER_GIVEN;
	return 0;
}

static void read_literals(struct machine *m, struct job *job, struct round_result *result)
{
	struct machine_node *node = job->node;
	auto_err struct err e = ERR_INIT;
	if (job->error.kind != ERR_NONE) {
		if (job->error.kind == ERR_EXHAUSTED)
			fail_for_ever(node, "OutputSizeExceeded", arena_strdup(m->arena, err_message(&job->error)));
		else
			give_up_for_now(node, result, &job->error, "cannot read literals");
		return;
	}
	if (job->absent) {
		fail_for_ever(node, "BindingResolutionFailure",
		              arena_printf(m->arena, "the object %s does not exist", job->uri));
		return;
	}
	node->outputs = proto_unpack(m->arena, flyteidl__core__literal_map, job->bytes.data, job->bytes.length, &e);
	if (!node->outputs)
		fail_for_ever(node, "BindingResolutionFailure",
		              arena_printf(m->arena, "%s: %s", job->uri, err_message(&e)));
	else
		node->answer = ANSWER_GIVEN;
}

static void read_offloaded(struct machine *m, struct job *job, struct round_result *result)
{
	struct machine_node *node = job->node;
	auto_err struct err e = ERR_INIT;
	if (job->error.kind == ERR_NONE && !job->absent)
		node->offloaded =
		        proto_unpack(m->arena, flyteidl__core__literal, job->bytes.data, job->bytes.length, &e);
	else if (job->absent)
		err_set(&e, ERR_NOT_FOUND, NULL, "it does not exist");
	else if (job->error.kind == ERR_EXHAUSTED || text_equal(err_id(&job->error), "invalid-uri"))
		err_move(&e, &job->error);
	if (job->error.kind != ERR_NONE) {
		give_up_for_now(node, result, &job->error, "cannot read an offloaded literal");
		return;
	}
	if (e.kind != ERR_NONE)
		fail_for_ever(node, "RuntimeExecutionError",
		              arena_printf(m->arena, "couldn't read the offloaded literal at [%s]: %s", job->uri,
		                           err_message(&e)));
	else
		node->answer = ANSWER_GIVEN;
}

static void prepare_write(const struct round_context *context, struct machine *m, struct jobs *jobs,
                          struct machine_node *node, const char *uri, const ProtobufCMessage *message)
{
	struct job *job = add_job(context, m, jobs, node, run_put);
	job->uri = uri;
	job->body = proto_pack(m->arena, message);
	node->answer = ANSWER_GIVEN; /* unless a job says otherwise */
}

/* Nobody is told of the outputs before all parts are there. */
static void prepare_outputs_write(const struct round_context *context, struct machine *m, struct jobs *jobs,
                                  struct machine_node *node)
{
	for (size_t i = 0; i < node->offload_count; i++)
		prepare_write(context, m, jobs, node, node->offloads[i].uri, &node->offloads[i].literal->base);
	prepare_write(context, m, jobs, node, node->row.outputs_uri, &node->outputs->base);
}

static void read_write(struct job *job, struct round_result *result)
{
	if (job->error.kind != ERR_NONE)
		give_up_for_now(job->node, result, &job->error, "cannot write what a node leaves");
}

/* ---- WANT_SIGNAL ---- */

static int prepare_signal(struct database_connection *c, struct machine *m, struct machine_node *node, struct err *e)
{
	struct proto_bytes value;
	const struct proto_bytes type = proto_pack(m->arena, &machine_signal_type(m, node)->base);
	if (signals_await(c, m->arena, m->definition->id, machine_signal_id(node), type, &value, e) < 0)
		return -1;
	node->signal = NULL;
	if (value.data) {
		node->signal = proto_unpack(m->arena, flyteidl__core__literal, value.data, value.length, e);
		if (!node->signal)
			return err_wrap(e, "the stored value of signal \"%s\"", machine_signal_id(node));
	}
	node->answer = ANSWER_GIVEN;
	return 0;
}

/* ---- WANT_CACHE ---- */

static int prepare_cache(const struct round_context *context, struct database_connection *c, struct machine *m,
                         struct jobs *jobs, struct machine_node *node, struct err *e)
{
	const char *uri;
	if (effects_consult_catalog(context, c, m, node, &uri, e) < 0)
		return -1;
	if (uri)
		add_get(context, m, jobs, node, uri);
	return 0;
}

/* An object store that is away is waited for; an object that is not there, or cannot be read, is no reason not to run
 * the task. */
static void read_cached(struct machine *m, struct job *job, struct round_result *result)
{
	if (job->error.kind == ERR_NONE || job->error.kind == ERR_EXHAUSTED)
		effects_take_cached(m, job->node, job->error.kind || job->absent ? NULL : &job->bytes);
	else
		give_up_for_now(job->node, result, &job->error, "cannot read cached outputs");
}

/* ---- WANT_RECOVERED ---- */

/* An array has its inputs beside the directories of its attempts. */
static int find_recovered_elements(struct database_connection *c, struct machine *m, struct machine_node *node,
                                   const struct progress_recovered *found, struct err *e)
{
	const char *end = strrchr(found->inputs_uri, '/');
	if (!end) /* it had not begun */
		return 0;
	node->recovery.directory = arena_printf(m->arena, "%.*s/%" PRIu32, (int)(end - found->inputs_uri),
	                                        found->inputs_uri, found->attempt);
	return array_elements_load_succeeded(c, m->arena, m->definition->recovered_id, node->row.node_id,
	                                     &node->recovery.elements, e);
}

static int prepare_recovered(const struct round_context *context, struct database_connection *c, struct machine *m,
                             struct jobs *jobs, struct machine_node *node, struct err *e)
{
	struct progress_recovered found;
	const int known =
	        progress_load_recovered(c, m->arena, m->definition->recovered_id, node->row.node_id, &found, e);
	if (known < 0)
		return -1;
	node->answer = ANSWER_GIVEN;
	if (!known)
		return 0;
	node->recovery.phase = found.phase;
	node->recovery.checkpoint_uri = found.checkpoint_uri;
	node->recovery.deck_uri = found.deck_uri;
	node->outputs = found.outputs;
	if (node->vertex->array && find_recovered_elements(c, m, node, &found, e) < 0)
		return -1;
	if (node->outputs || (found.phase != NODE(SUCCEEDED) && found.phase != NODE(RECOVERED)))
		return 0;
	if (text_is_empty(found.outputs_uri)) {
		node->outputs = proto_new(m->arena, flyteidl__core__literal_map);
	} else {
		node->answer = ANSWER_PENDING;
		add_get(context, m, jobs, node, found.outputs_uri);
	}
	return 0;
}

/* Outputs that are gone, or cannot be read any more, are made again. */
static void read_recovered(struct machine *m, struct job *job, struct round_result *result)
{
	struct machine_node *node = job->node;
	auto_err struct err e = ERR_INIT;
	if (job->error.kind != ERR_NONE && job->error.kind != ERR_EXHAUSTED) {
		give_up_for_now(node, result, &job->error, "cannot read the outputs to recover");
		return;
	}
	node->answer = ANSWER_GIVEN;
	if (job->error.kind == ERR_NONE && !job->absent)
		node->outputs =
		        proto_unpack(m->arena, flyteidl__core__literal_map, job->bytes.data, job->bytes.length, &e);
	if (!node->outputs)
		node->recovery.phase = NODE(UNDEFINED);
}

/* ---- WANT_POD ---- */

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

static const char *pod_error_code(const struct err *e)
{
	return e->id && e->id[0] >= 'A' && e->id[0] <= 'Z' ? e->id : "BadTaskSpecification";
}

static struct pod_request pod_request_of(const struct round_context *context, struct machine *m,
                                         struct machine_node *node)
{
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
		.defaults = &context->pod_defaults,
	};
}

/* An element's inputs are part of the array's. */
static bool reads_inputs_of_array(const struct machine_node *node)
{
	return node->element_of && !node->element_of->vertex->array->own_inputs;
}

/* The pod is built in the job, which may have to fetch a PodTemplate for it: from things that nobody changes meanwhile.
 */
static void prepare_pod(const struct round_context *context, struct machine *m, struct jobs *jobs,
                        struct machine_node *node)
{
	struct job *job = add_job(context, m, jobs, node, run_create);
	job->request = pod_request_of(context, m, node);
	job->execution_id = m->definition->id;
	job->namespace = m->namespace;
	job->name = job->request.name;
	if (reads_inputs_of_array(node))
		return;
	job->uri = node->row.inputs_uri;
	job->body = proto_pack(m->arena, &node->inputs->base);
}

/* ---- WANT_CONNECTOR ---- */

static int begin_on_connector(const struct round_context *context, struct database_connection *c, struct machine *m,
                              struct machine_node *node, struct err *e)
{
	const struct pod_request request = pod_request_of(context, m, node);
	return effects_begin_on_connector(c, m, node, &request, e);
}

static int prepare_connector(const struct round_context *context, struct database_connection *c, struct machine *m,
                             struct jobs *jobs, struct machine_node *node, struct err *e)
{
	if (reads_inputs_of_array(node))
		return begin_on_connector(context, c, m, node, e);
	prepare_write(context, m, jobs, node, node->row.inputs_uri, &node->inputs->base);
	return 0;
}

static int read_connector(const struct round_context *context, struct database_connection *c, struct machine *m,
                          struct job *job, struct round_result *result, struct err *e)
{
	if (job->error.kind == ERR_NONE)
		return begin_on_connector(context, c, m, job->node, e);
	give_up_for_now(job->node, result, &job->error, "cannot write the inputs of a task");
	return 0;
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
static void read_pod(const struct round_context *context, struct machine *m, struct job *job,
                     struct round_result *result)
{
	struct machine_node *node = job->node;
	const char *message = arena_strdup(m->arena, err_message(&job->error));
	node->creation = CREATION_FAILED;
	if (job->unbuildable) {
		fail_for_ever(node, arena_strdup(m->arena, pod_error_code(&job->error)), message);
		node->failure.kind = ERROR_KIND(USER);
		return;
	}
	switch (job->error.kind) {
	case ERR_NONE:
		if (!is_ours(m, job)) {
			node->failure = name_is_taken(m, job->name);
			break;
		}
		node->creation = CREATION_DONE;
		pod_cache_add(context->pods, m->definition->id, job->pod);
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
		give_up_for_now(node, result, &job->error, "cannot create a pod");
		return;
	}
	node->answer = ANSWER_GIVEN;
}

/* ---- WANT_RESULT ---- */

/* A task written with flytekit always leaves outputs.pb, futures.pb or error.pb, whatever it declares; a ContainerTask
 * leaves outputs only if it declares some. */
static bool may_have_outputs(const struct machine_node *node)
{
	const Flyteidl__Core__TypedInterface *interface = node->vertex->task->interface;
	return !text_equal(node->vertex->task->type, "raw-container") ||
	       (interface && interface->outputs && interface->outputs->n_variables > 0);
}

static void prepare_result(const struct round_context *context, struct machine *m, struct jobs *jobs,
                           struct machine_node *node)
{
	const char *directory = machine_attempt_directory(m, node);
	memset(&node->result, 0, sizeof(node->result));
	node->result.error_uri = arena_printf(m->arena, "%s/error.pb", directory);
	add_get(context, m, jobs, node, node->result.error_uri);
	if (may_have_outputs(node)) {
		struct job *job = add_get(context, m, jobs, node, arena_printf(m->arena, "%s/outputs.pb", directory));
		job->futures_uri = arena_printf(m->arena, "%s/futures.pb", directory);
	}
	switch (machine_makes_deck(node)) {
	case DECK_ALWAYS:
		node->result.deck_found = true;
		break;
	case DECK_PERHAPS:
		add_job(context, m, jobs, node, run_head)->uri = arena_printf(m->arena, "%s/deck.html", directory);
		break;
	case DECK_NEVER:
		break;
	}
	node->answer = ANSWER_GIVEN; /* unless one of the jobs says otherwise */
}

static void read_error_document(struct machine *m, struct job *job)
{
	struct machine_node *node = job->node;
	auto_err struct err e = ERR_INIT;
	if (job->absent)
		return;
	node->result.error =
	        proto_unpack(m->arena, flyteidl__core__error_document, job->bytes.data, job->bytes.length, &e);
	if (!node->result.error) /* as a document without an error in it */
		node->result.error = proto_new(m->arena, flyteidl__core__error_document);
}

static void read_outputs(struct machine *m, struct job *job)
{
	struct machine_node *node = job->node;
	auto_err struct err e = ERR_INIT;
	node->result.futures_found = job->futures_found;
	if (job->absent)
		return;
	node->result.outputs = (Flyteidl__Core__LiteralMap *)proto_unpack_strict_of(
	        m->arena, &flyteidl__core__literal_map__descriptor, job->bytes.data, job->bytes.length, &e);
	node->result.outputs_found = node->result.outputs != NULL;
	if (!node->result.outputs)
		node->failure =
		        (struct machine_failure){ .budget = POD_FAILURE_SYSTEM,
			                          .kind = ERROR_KIND(SYSTEM),
			                          .code = "RuntimeExecutionError",
			                          .message = arena_printf(m->arena, "failed to read data from [%s]: %s",
			                                                  job->uri, err_message(&e)) };
}

static void read_result(struct machine *m, struct job *job, struct round_result *result)
{
	struct machine_node *node = job->node;
	if (job->error.kind == ERR_EXHAUSTED) {
		node->failure = (struct machine_failure){ .budget = POD_FAILURE_PERMANENT,
			                                  .kind = ERROR_KIND(USER),
			                                  .code = "OutputSizeExceeded",
			                                  .message = arena_strdup(m->arena, err_message(&job->error)) };
	} else if (job->error.kind != ERR_NONE) {
		give_up_for_now(node, result, &job->error, "cannot read the result of a task");
	} else if (job->run == run_head) {
		node->result.deck_found = !job->absent;
	} else if (job->uri == node->result.error_uri) {
		read_error_document(m, job);
	} else {
		read_outputs(m, job);
	}
}

/* ---- WANT_CHILD ---- */

/* Outputs that are only in the object store. */
static void read_child(struct machine *m, struct job *job, struct round_result *result)
{
	read_literals(m, job, result);
	job->node->child.outputs = job->node->outputs;
}

/* All at once: an array of launch plans has hundreds. */
static int prepare_children(const struct round_context *context, struct database_connection *c, struct machine *m,
                            struct jobs *jobs, struct round_result *result, struct err *e)
{
	struct effects_children wanted = { 0 };
	for (size_t i = 0; i < m->node_count; i++) {
		if (m->nodes[i]->want == WANT_CHILD && m->nodes[i]->answer == ANSWER_PENDING)
			proto_append(m->arena, wanted.count, wanted.nodes, m->nodes[i]);
	}
	if (wanted.count > 0 && effects_find_children(context, c, m, &wanted, e) < 0)
		return -1;
	if (wanted.problem.kind != ERR_NONE)
		give_up_for_now(NULL, result, &wanted.problem, "cannot launch a child execution");
	err_release(&wanted.problem);
	for (size_t i = 0; i < wanted.count; i++) {
		if (wanted.nodes[i]->child.outputs_uri)
			add_get(context, m, jobs, wanted.nodes[i], wanted.nodes[i]->child.outputs_uri);
	}
	return (int)wanted.count;
}

/* ---- WANT_DYNAMIC, WANT_WRITE_DYNAMIC ---- */

static void fail_dynamic(struct machine_node *node, const char *message)
{
	fail_for_ever(node, "DynamicWorkflowBuildFailed", message);
	node->failure.kind = ERROR_KIND(USER);
}

static int compile_futures(struct database_connection *c, struct machine *m, struct machine_node *node,
                           const struct proto_bytes *bytes, struct err *e)
{
	auto_err struct err failure = ERR_INIT;
	const struct progress_definition *d = m->definition;
	const struct dynamic_request request = {
		.project = d->project,
		.domain = d->domain,
		.node_id = node->row.node_id,
		.version = names_generated(m->arena, d->name, node->row.node_id, node->row.attempt),
		.task = node->vertex->task,
		.job = proto_unpack(m->arena, flyteidl__core__dynamic_job_spec, bytes->data, bytes->length, &failure),
	};
	node->dynamic = request.job ? dynamic_compile(c, m->arena, &request, &failure) : NULL;
	if (node->dynamic) {
		node->answer = ANSWER_GIVEN;
		return 0;
	}
	if (failure.kind != ERR_INVALID && failure.kind != ERR_NOT_FOUND && failure.kind != ERR_EXHAUSTED)
		return err_move(e, &failure);
	fail_dynamic(node, arena_strdup(m->arena, err_message(&failure)));
	return 0;
}

static int read_futures(struct database_connection *c, struct machine *m, struct job *job, struct round_result *result,
                        struct err *e)
{
	struct machine_node *node = job->node;
	if (job->error.kind == ERR_EXHAUSTED)
		fail_dynamic(node, arena_strdup(m->arena, err_message(&job->error)));
	else if (job->error.kind != ERR_NONE)
		give_up_for_now(node, result, &job->error, "cannot read what a dynamic task has made");
	else if (job->absent)
		fail_dynamic(node, arena_printf(m->arena, "the object %s does not exist", job->uri));
	else
		return compile_futures(c, m, node, &job->bytes, e);
	return 0;
}

/* ---- All of them ---- */

static int prepare(const struct round_context *context, struct database_connection *c, struct machine *m,
                   struct jobs *jobs, struct machine_node *node, struct err *e)
{
	switch (node->want) {
	case WANT_OUTPUTS:
		return prepare_outputs(context, c, m, jobs, node, e);
	case WANT_CACHE:
		return prepare_cache(context, c, m, jobs, node, e);
	case WANT_RECOVERED:
		return prepare_recovered(context, c, m, jobs, node, e);
	case WANT_INPUTS_READ:
		add_get(context, m, jobs, node, m->definition->inputs_uri);
		return 0;
	case WANT_OFFLOADED:
		add_get(context, m, jobs, node, node->offloaded_uri);
		return 0;
	case WANT_WRITE:
		prepare_outputs_write(context, m, jobs, node);
		return 0;
	case WANT_WRITE_INPUTS:
		prepare_write(context, m, jobs, node, node->row.inputs_uri, &node->inputs->base);
		return 0;
	case WANT_SIGNAL:
		return prepare_signal(c, m, node, e);
	case WANT_CHILD: /* prepare_children has */
		return 0;
	case WANT_POD:
		prepare_pod(context, m, jobs, node);
		return 0;
	case WANT_CONNECTOR:
		return prepare_connector(context, c, m, jobs, node, e);
	case WANT_ELEMENTS:
		node->answer = ANSWER_GIVEN;
		return array_elements_load_all(c, m->arena, node->row.task->row_id, &node->row.task->elements, e);
	case WANT_RESULT:
		prepare_result(context, m, jobs, node);
		return 0;
	case WANT_DYNAMIC:
		add_get(context, m, jobs, node,
		        arena_printf(m->arena, "%s/futures.pb", machine_attempt_directory(m, node)));
		return 0;
	case WANT_WRITE_DYNAMIC:
		prepare_write(context, m, jobs, node, node->row.dynamic_workflow_uri, &node->dynamic->base);
		return 0;
	case WANT_NOTHING:
		return 0;
	}
	return 0;
}

static int read_job(const struct round_context *context, struct database_connection *c, struct machine *m,
                    struct job *job, struct round_result *result, struct err *e)
{
	switch (job->node->want) {
	case WANT_CACHE:
		read_cached(m, job, result);
		break;
	case WANT_RECOVERED:
		read_recovered(m, job, result);
		break;
	case WANT_OUTPUTS:
	case WANT_INPUTS_READ:
		read_literals(m, job, result);
		break;
	case WANT_OFFLOADED:
		read_offloaded(m, job, result);
		break;
	case WANT_WRITE:
	case WANT_WRITE_INPUTS:
	case WANT_WRITE_DYNAMIC:
		read_write(job, result);
		break;
	case WANT_POD:
		read_pod(context, m, job, result);
		break;
	case WANT_RESULT:
		read_result(m, job, result);
		break;
	case WANT_CHILD:
		read_child(m, job, result);
		break;
	case WANT_DYNAMIC:
		return read_futures(c, m, job, result, e);
	case WANT_CONNECTOR:
		return read_connector(context, c, m, job, result, e);
	case WANT_SIGNAL:
	case WANT_ELEMENTS:
	case WANT_NOTHING:
		break;
	}
	return 0;
}

int effects_fulfil(const struct round_context *context, struct database_connection *c, struct machine *m,
                   struct round_result *result, struct err *e)
{
	struct jobs jobs = { 0 };
	int tried = prepare_children(context, c, m, &jobs, result, e), outcome = tried < 0 ? -1 : 0;
	for (size_t i = 0; i < m->node_count && outcome == 0; i++) {
		struct machine_node *node = m->nodes[i];
		if (node->want == WANT_NOTHING || node->want == WANT_CHILD || node->answer != ANSWER_PENDING)
			continue;
		tried++;
		outcome = prepare(context, c, m, &jobs, node, e);
	}
	if (outcome == 0)
		parallel_run(context->parallel, run_job, jobs.list, jobs.count, sizeof(*jobs.list));
	for (size_t i = 0; i < jobs.count; i++) {
		if (outcome == 0)
			outcome = read_job(context, c, m, &jobs.list[i], result, e);
		release_job(&jobs.list[i]);
	}
	return outcome < 0 ? -1 : tried;
}

/* ---- Pods ---- */

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

static void read_asked_pod(const struct round_context *context, struct machine *m, struct job *job,
                           struct round_result *result)
{
	if (job->error.kind != ERR_NONE) {
		give_up_for_now(NULL, result, &job->error, "cannot look for a pod");
	} else if (job->absent) {
		pod_cache_remove(context->pods, m->definition->id, job->name);
		set_pod(m, job->node, NULL);
	} else {
		pod_cache_add(context->pods, m->definition->id, job->pod);
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
	struct jobs jobs = { 0 };
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
			struct job *job = add_job(context, m, &jobs, node, run_get_pod);
			job->namespace = node->row.task->pod_namespace;
			job->name = node->row.task->pod_name;
			break;
		}
		case POD_UNKNOWN:
			break;
		}
	}
	parallel_run(context->parallel, run_job, jobs.list, jobs.count, sizeof(*jobs.list));
	for (size_t i = 0; i < jobs.count; i++) {
		read_asked_pod(context, m, &jobs.list[i], result);
		release_job(&jobs.list[i]);
	}
}

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
	struct job *jobs = arena_array(arena, struct job, pods->count);
	for (size_t i = 0; i < pods->count; i++)
		jobs[i] = (struct job){ .run = run_delete,
			                .outside = context->outside,
			                .namespace = pods->list[i].namespace,
			                .name = pods->list[i].name,
			                .resource_version = pods->list[i].resource_version };
	parallel_run(context->parallel, run_job, jobs, pods->count, sizeof(*jobs));
	for (size_t i = 0; i < pods->count; i++) {
		if (jobs[i].error.kind != ERR_NONE)
			give_up_for_now(NULL, result, &jobs[i].error, "cannot delete a pod");
		else if (jobs[i].absent)
			pod_cache_remove(context->pods, execution_id, jobs[i].name);
		release_job(&jobs[i]);
	}
}
