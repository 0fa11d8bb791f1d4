/*
 * The elements of arrays: rows of the table `array_elements`. Everything lives in the arena given; times are
 * nanoseconds since the Unix epoch, 0 when unknown. Any number of rows is loaded or saved with one statement.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_ARRAY_ELEMENTS_H
#define SANDBOX_CONTROLPLANE_STORE_ARRAY_ELEMENTS_H

#include "controlplane/store/database.h"

#include "flyteidl/admin/task_execution.pb-c.h"
#include "flyteidl/core/catalog.pb-c.h"
#include "flyteidl/core/execution.pb-c.h"
#include "flyteidl/core/literals.pb-c.h"

/* Outputs up to this many bytes are kept in an element's row: results of thousands of elements are put together from as
 * many small maps, and reading each from the object store again would cost a request. */
#define ARRAY_ELEMENT_INLINE_MAXIMUM ((size_t)4096)

/* One attempt of one element. */
struct array_element {
	uint32_t index, attempt;
	Flyteidl__Core__NodeExecution__Phase
	        phase; /* of the element; UNDEFINED: another attempt has replaced this one */
	bool has_task; /* false: the attempt has not been tried */
	Flyteidl__Core__TaskExecution__Phase task_phase;
	Flyteidl__Core__CatalogCacheStatus cache_status;
	uint32_t user_failures, system_failures;
	const char *cache_tag; /* what the outputs are to be kept under; "" for not */
	const char *pod_name, *reason;
	const char *child_name; /* the execution that it runs, in the same project and domain; "" for none */
	bool connector; /* as progress_task.connector */
	size_t log_count;
	Flyteidl__Core__TaskLog **logs;
	const Flyteidl__Core__ExecutionError *error;
	const Flyteidl__Core__LiteralMap *outputs; /* NULL when unknown or large */
	int64_t queued_at_ns, created_at_ns, started_at_ns, ended_at_ns;
	int64_t retry_at_ns, recheck_at_ns;
};

struct array_elements {
	size_t count;
	struct array_element *list;
};

/* The elements that are QUEUED or RUNNING, in the order of their indices. */
int array_elements_load_active(struct database_connection *c, struct arena *arena, int64_t task_execution_id,
                               struct array_elements *ret_elements, struct err *e);
/* The last attempt of every element that was tried, in the order of their indices. */
int array_elements_load_all(struct database_connection *c, struct arena *arena, int64_t task_execution_id,
                            struct array_elements *ret_elements, struct err *e);
/* Those that succeeded of the array that is the current attempt of that node in another execution, in the order of
 * their indices. */
int array_elements_load_succeeded(struct database_connection *c, struct arena *arena, int64_t execution_id,
                                  const char *node_id, struct array_elements *ret_elements, struct err *e);
/* Inserts or replaces; outputs that are NULL leave what is there. */
int array_elements_save(struct database_connection *c, struct arena *arena, int64_t task_execution_id,
                        const struct array_elements *elements, struct err *e);

/* What clients are shown of one attempt of an element. */
struct array_element_row {
	uint32_t index, attempt;
	const char *task_phase;
	int cache_status;
	const char *pod_name, *child_name;
	size_t log_count;
	Flyteidl__Core__TaskLog **logs;
};
struct array_element_rows {
	size_t count;
	struct array_element_row *rows;
};
/* All attempts, by index, then attempt. */
int array_elements_list(struct database_connection *c, struct arena *arena, int64_t task_execution_id,
                        struct array_element_rows *ret_rows, struct err *e);

#endif
