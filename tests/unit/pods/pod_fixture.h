#pragma once
/* What the tests of a pod's making stand on: a container task, what surrounds it, and ways to look at the pod that
 * comes of it. */
#include "base/text.h"
#include "controlplane/engine/pod.h"
#include "controlplane/engine/pod_internal.h"
#include "proto/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define new_nested(arena, prefix) ((void *)proto_new_of((arena), &prefix##__descriptor))
/* A PodTemplate, as JSON text. */
#define TEMPLATE(metadata, spec) "{\"template\":{\"metadata\":" metadata ",\"spec\":" spec "}}"
/* A test of this fixture. */
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

struct fixture {
	struct arena arena;
	Flyteidl__Core__TaskTemplate *task;
	Flyteidl__Admin__ExecutionSpec *spec;
	struct pod_request request;
	struct err e;
	bool needs_task_template;
};

/* What the platform gives every pod of these tests. */
extern const struct pod_defaults defaults;

/* cmocka's set-up and tear-down: *state is a struct fixture with a container task that has all that a pod is made of.
 */
int set_up(void **state);
int tear_down(void **state);
/* The pod of the request, which the caller owns; the test fails when there is none. */
json_t *build(struct fixture *fixture);
/* The request makes no pod, because of what the message says. */
void expect_refusal(struct fixture *fixture, const char *message);
/* The index-th element of the list at a path. */
const json_t *container_of(const json_t *pod, const char *list, size_t index);
/* The value of a variable, or NULL; fails when it is there twice. */
const char *variable(const json_t *container, const char *name);
/* The value has this string at a path. */
void assert_text(const json_t *value, const char *path, const char *expected);
/* Resources that ask for that much memory. */
Flyteidl__Core__Resources *memory_request(struct arena *arena, const char *value);
Flyteidl__Core__KeyValuePair *pair(struct arena *arena, const char *key, const char *value);
/* The task asks for one more secret. */
void add_secret(struct fixture *fixture, const char *group, const char *key, Flyteidl__Core__Secret__MountType mount,
                const char *env_var);
/* jansson's view of a pod spec as the Struct that flytekit sends. */
Google__Protobuf__Value *to_value(struct arena *arena, const json_t *json);
/* The task becomes a pod task with this specification, a JSON text, whose primary container is "main". */
void use_pod_spec(struct fixture *fixture, const char *spec);
/* The text as JSON, which the caller owns. */
json_t *parse(const char *text);
/* The value is what the text says, the order of keys aside. */
void assert_json(const json_t *value, const char *expected);
