/* A machine that lives on over several steps and keeps time, as if every round were committed: for tests of its rules
 * one by one. */
#ifndef SANDBOX_TESTS_UNIT_ENGINE_MACHINE_BENCH_H
#define SANDBOX_TESTS_UNIT_ENGINE_MACHINE_BENCH_H

#include "base/text.h"
#include "controlplane/engine/machine.h"
#include "workflow_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

struct bench {
	struct arena arena;
	struct workflow_builder workflow;
	struct progress_definition definition;
	struct machine_graph graph;
	struct machine_options options;
	struct machine m;
	Flyteidl__Core__WorkflowExecution__Phase child_phase; /* the answer to every WANT_CHILD */
	const Flyteidl__Core__ExecutionError *child_error;
	const Flyteidl__Core__CompiledWorkflowClosure *dynamic; /* the answer to every WANT_DYNAMIC; NULL: it does not
	                                                           compile */
	const Flyteidl__Core__Literal *signal;                  /* the answer to every WANT_SIGNAL */
	enum machine_creation creation;                         /* the answer to every WANT_POD */
	enum pod_failure refusal;
	const Flyteidl__Admin__PluginOverrides *plugin_overrides; /* of the execution; NULL: none */
	int32_t max_parallelism;                                  /* of the execution; 0: no limit */
};

struct bench *bench_new(void);
void bench_free(struct bench *b);
/* By the id in the execution. */
struct machine_node *node(struct bench *b, const char *id);
/* Steps until nothing is wanted but results, which a test gives itself. */
void step(struct bench *b);
/* Of the workflow that has been built. */
void start(struct bench *b);
struct bench *one_task(uint32_t retries);
/* What is seen of the node's pod for one round. */
void observe(struct bench *b, const char *id, enum pod_state state, enum pod_failure failure, const char *code,
             const char *message);
/* The node's pod ends well and leaves outputs, or error.pb with code "C" and message "M". */
void succeed(struct bench *b, const char *id);
void fail_with(struct bench *b, const char *id, Flyteidl__Core__ContainerError__Kind kind,
               Flyteidl__Core__ExecutionError__ErrorKind origin);
void assert_failed(struct bench *b, const char *code, const char *message,
                   Flyteidl__Core__ExecutionError__ErrorKind kind);
/* Lets the pause before a retry pass. */
void wait_for_retry(struct bench *b);
Google__Protobuf__Duration *seconds(struct bench *b, int64_t value);

#endif
