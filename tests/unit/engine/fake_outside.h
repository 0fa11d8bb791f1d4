/*
 * An object store and a Kubernetes API in memory, behind the table of functions that rounds use. Thread-safe. Every
 * call can be told to fail, or to call back first, so that a test can break something in the middle of a round.
 */
#ifndef SANDBOX_TESTS_UNIT_ENGINE_FAKE_OUTSIDE_H
#define SANDBOX_TESTS_UNIT_ENGINE_FAKE_OUTSIDE_H

#include "controlplane/engine/outside.h"

struct fake_outside;

struct fake_outside *fake_outside_new(void);
struct fake_outside *fake_outside_free(struct fake_outside *fake);
const struct outside *fake_outside_table(const struct fake_outside *fake);

/* Counted over all functions, from 0. */
unsigned fake_outside_calls(struct fake_outside *fake);
/* Called after the effect of each call, with its number; NULL for none. */
void fake_outside_hook(struct fake_outside *fake, void (*hook)(void *context, unsigned call), void *context);
/* The calls from number `first` on, `count` of them, fail without an effect. */
void fake_outside_fail(struct fake_outside *fake, unsigned first, unsigned count);
/* Every creation of a pod is refused in this way; ERR_NONE: no more. */
void fake_outside_refuse_pods(struct fake_outside *fake, enum err_kind kind, const char *message);

void fake_outside_put(struct fake_outside *fake, const char *uri, struct proto_bytes bytes);
/* NULL data when there is none. Borrowed until the object is replaced. */
struct proto_bytes fake_outside_object(struct fake_outside *fake, const char *uri);

/* How many pods were ever created; creating one that exists does not count. */
unsigned fake_outside_pods_created(struct fake_outside *fake);
unsigned fake_outside_pods_deleted(struct fake_outside *fake);
/* A new reference, NULL when there is no such pod. */
json_t *fake_outside_pod(struct fake_outside *fake, const char *name);
/* Replaces the pod's status; returns the pod as a watch would report it, a new reference. */
json_t *fake_outside_set_status(struct fake_outside *fake, const char *name, json_t *status);
/* Somebody has asked for its deletion, and it is still there; returns it in the same way. */
json_t *fake_outside_begin_deletion(struct fake_outside *fake, const char *name);
void fake_outside_remove_pod(struct fake_outside *fake, const char *name);
/* Takes the template over. */
void fake_outside_put_pod_template(struct fake_outside *fake, const char *namespace, const char *name,
                                   json_t *template);

#endif
