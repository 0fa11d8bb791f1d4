/* WANT_RESULT: what an attempt that has ended well has left: error.pb, outputs.pb or futures.pb, and perhaps a deck.
 * All are looked for at the same time. */
#include "controlplane/engine/effects.h"

#include "base/text.h"

/* A task written with flytekit always leaves outputs.pb, futures.pb or error.pb, whatever it declares; a ContainerTask
 * leaves outputs only if it declares some. */
static bool may_have_outputs(const struct machine_node *node)
{
	const Flyteidl__Core__TypedInterface *interface = node->vertex->task->interface;
	return !text_equal(node->vertex->task->type, "raw-container") ||
	       (interface && interface->outputs && interface->outputs->n_variables > 0);
}

static int prepare(struct effects *effects, struct machine_node *node, struct err *e)
{
	struct arena *arena = effects->arena;
	const char *directory = machine_attempt_directory(effects->m, node);
	(void)e;
	memset(&node->result, 0, sizeof(node->result));
	node->result.error_uri = arena_printf(arena, "%s/error.pb", directory);
	effects_add_get(effects, node, node->result.error_uri);
	if (may_have_outputs(node)) {
		struct job *job = effects_add_get(effects, node, arena_printf(arena, "%s/outputs.pb", directory));
		job->futures_uri = arena_printf(arena, "%s/futures.pb", directory);
	}
	switch (machine_makes_deck(node)) {
	case DECK_ALWAYS:
		node->result.deck_found = true;
		break;
	case DECK_PERHAPS:
		effects_add_head(effects, node, arena_printf(arena, "%s/deck.html", directory));
		break;
	case DECK_NEVER:
		break;
	}
	node->answer = ANSWER_GIVEN; /* unless one of the jobs says otherwise */
	return 0;
}

static void take_error_document(struct arena *arena, struct job *job)
{
	struct machine_node *node = job->node;
	auto_err struct err e = ERR_INIT;
	if (job->absent)
		return;
	node->result.error =
	        proto_unpack(arena, flyteidl__core__error_document, job->bytes.data, job->bytes.length, &e);
	if (!node->result.error) /* as a document without an error in it */
		node->result.error = proto_new(arena, flyteidl__core__error_document);
}

static void take_outputs(struct arena *arena, struct job *job)
{
	struct machine_node *node = job->node;
	auto_err struct err e = ERR_INIT;
	node->result.futures_found = job->futures_found;
	if (job->absent)
		return;
	node->result.outputs = (Flyteidl__Core__LiteralMap *)proto_unpack_strict_of(
	        arena, &flyteidl__core__literal_map__descriptor, job->bytes.data, job->bytes.length, &e);
	node->result.outputs_found = node->result.outputs != NULL;
	if (!node->result.outputs)
		node->failure =
		        (struct machine_failure){ .budget = POD_FAILURE_SYSTEM,
			                          .kind = ERROR_KIND(SYSTEM),
			                          .code = "RuntimeExecutionError",
			                          .message = arena_printf(arena, "failed to read data from [%s]: %s",
			                                                  job->uri, err_message(&e)) };
}

static int take(struct effects *effects, struct job *job, struct err *e)
{
	struct machine_node *node = job->node;
	(void)e;
	if (job->error.kind == ERR_EXHAUSTED) {
		node->failure =
		        (struct machine_failure){ .budget = POD_FAILURE_PERMANENT,
			                          .kind = ERROR_KIND(USER),
			                          .code = "OutputSizeExceeded",
			                          .message = arena_strdup(effects->arena, err_message(&job->error)) };
	} else if (job->error.kind != ERR_NONE) {
		effects_give_up(effects, node, &job->error, "cannot read the result of a task");
	} else if (effects_is_head(job)) {
		node->result.deck_found = !job->absent;
	} else if (job->uri == node->result.error_uri) {
		take_error_document(effects->arena, job);
	} else {
		take_outputs(effects->arena, job);
	}
	return 0;
}

const struct effect effect_result = { prepare, take };
