#include "controlplane/engine/effects.h"

#include "base/text.h"

/* On top of the object itself, what an arena needs for its bookkeeping. */
#define ARENA_SLACK ((size_t)1 << 20)

struct job *effects_add_job(struct effects *effects, struct machine_node *node, void (*run)(struct job *job))
{
	const struct job job = { .run = run, .outside = effects->context->outside, .node = node };
	proto_append(effects->arena, effects->job_count, effects->jobs, job);
	return &effects->jobs[effects->job_count - 1];
}

static void run_job(void *element)
{
	struct job *job = element;
	job->run(job);
}

void effects_run_jobs(struct effects *effects)
{
	parallel_run(effects->context->parallel, run_job, effects->jobs, effects->job_count, sizeof(*effects->jobs));
}

void effects_release_job(struct job *job)
{
	json_decref(job->pod);
	arena_release(&job->arena);
	err_release(&job->error);
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

struct job *effects_add_get(struct effects *effects, struct machine_node *node, const char *uri)
{
	struct job *job = effects_add_job(effects, node, run_get);
	job->uri = uri;
	job->maximum = effects->context->object_maximum;
	return job;
}

struct job *effects_add_head(struct effects *effects, struct machine_node *node, const char *uri)
{
	struct job *job = effects_add_job(effects, node, run_head);
	job->uri = uri;
	return job;
}

bool effects_is_head(const struct job *job)
{
	return job->run == run_head;
}

void effects_add_write(struct effects *effects, struct machine_node *node, const char *uri,
                       const ProtobufCMessage *message)
{
	struct job *job = effects_add_job(effects, node, run_put);
	job->uri = uri;
	job->body = proto_pack(effects->arena, message);
	node->answer = ANSWER_GIVEN;
}

int effects_take_write(struct effects *effects, struct job *job, struct err *e)
{
	(void)e;
	if (job->error.kind != ERR_NONE)
		effects_give_up(effects, job->node, &job->error, "cannot write what a node leaves");
	return 0;
}

/* ---- Answers ---- */

void effects_give_up(struct effects *effects, struct machine_node *node, struct err *error, const char *what)
{
	if (node)
		node->answer = ANSWER_UNAVAILABLE;
	if (!effects->result->incomplete) {
		err_wrap(error, "%s", what);
		err_move(&effects->result->problem, error);
	}
	effects->result->incomplete = true;
}

void effects_fail(struct machine_node *node, Flyteidl__Core__ExecutionError__ErrorKind kind, const char *code,
                  const char *message)
{
	node->failure = (struct machine_failure){
		.budget = POD_FAILURE_PERMANENT, .kind = kind, .code = code, .message = message
	};
	node->answer = ANSWER_GIVEN;
}
