/*
 * What the tests of registration share: the RPCs against a real Postgres and an object store in memory, and requests. These are proto3
 * JSON, with ' for " so that they can be read here; free() them.
 */
#ifndef TESTS_API_REGISTRATION_FIXTURE_H
#define TESTS_API_REGISTRATION_FIXTURE_H

#include "base/json.h"
#include "controlplane/api/api.h"
#include "fake_objects.h"
#include "json_calls.h"

#define ARENA ARENA_INIT((size_t)256 * 1024 * 1024)

extern struct fake_objects *store;
extern struct api api;

/* Of the group. */
int registration_start(void **state);
int registration_stop(void **state);

/* The settings from now on: those of this file, "" for the defaults. */
void use_settings(const char *yaml);

char *format_id(const char *type, const char *name, const char *version);
/* A task of one integer in, one integer out; `container` is what stands in its container besides the image. */
char *task_request(const char *name, const char *version, const char *image, const char *container);
void create_task(const char *name, const char *version);
/* A workflow whose `nodes` nodes call the task, each with the workflow's x; y comes from the last. */
char *workflow_request(const char *name, const char *version, const char *task_name, int nodes);
void create_workflow(const char *name, const char *version, const char *task_name);
/* `spec` is what stands in the spec besides the workflow's id. */
char *launch_plan_request(const char *name, const char *version, const char *workflow, const char *spec);
char *get_request(const char *type, const char *name, const char *version);
json_t *get(const char *method, const char *type, const char *name, const char *version);

struct racer {
	const char *request;
	const char *method;
	enum err_kind kind; /* ERR_NONE: it won */
};
/* All at once; how many ended with each kind. */
void race(struct racer *racers, size_t count, unsigned ret_kinds[ERR_KIND_COUNT]);

#define LIST_OF(name) "{'id': {'project': 'flytesnacks', 'domain': 'development', 'name': '" name "'}, "

#endif
