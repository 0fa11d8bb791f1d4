/*
 * The Kubernetes API, as JSON objects over base/http. A `struct kubernetes` may be used by any thread. Paths are API
 * paths, e.g.
 * "/api/v1/namespaces/flytesnacks-development/pods".
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_KUBERNETES_H
#define SANDBOX_CONTROLPLANE_STORE_KUBERNETES_H

#include "base/err.h"
#include "base/json.h"

struct kubernetes;

/* Reads a kubeconfig (current context; certificate data inline or by file, or a token) — or, when `kubeconfig` is NULL,
 * the service account of the pod we run in. */
int kubernetes_open(const char *kubeconfig, struct kubernetes **ret_kubernetes, struct err *e);
struct kubernetes *kubernetes_free(struct kubernetes *kubernetes);

/*
 * Errors: 404 ERR_NOT_FOUND; 409 AlreadyExists ERR_EXISTS, other 409 ERR_CONFLICT; 401 ERR_UNAUTHENTICATED; 403
 * ERR_PERMISSION (exceeded quota: ERR_EXHAUSTED with id "quota-exceeded"); 400 and 422 ERR_INVALID; 429 and 5xx
 * ERR_UNAVAILABLE. The message is the API's. New references; ret may be NULL.
 */
int kubernetes_create(struct kubernetes *k, const char *path, const json_t *object, json_t **ret_created,
                      struct err *e);
int kubernetes_get(struct kubernetes *k, const char *path, json_t **ret_object, struct err *e);
/* Absent: ERR_NOT_FOUND. `grace_seconds` < 0: the object's own grace period. */
int kubernetes_delete(struct kubernetes *k, const char *path, int64_t grace_seconds, struct err *e);
/* Only while the object is what it was at that resource version ("": in any case); else ERR_CONFLICT. */
int kubernetes_delete_version(struct kubernetes *k, const char *path, int64_t grace_seconds,
                              const char *resource_version, struct err *e);
/* Server-side apply as field manager "flyte", forced. */
int kubernetes_apply(struct kubernetes *k, const char *path, const json_t *object, struct err *e);

enum kubernetes_event { KUBERNETES_ADDED, KUBERNETES_MODIFIED, KUBERNETES_DELETED, KUBERNETES_SYNCED };

/*
 * Lists, then watches, calling `on_event` from the calling thread for every object; after each complete (re)list once
 * with KUBERNETES_SYNCED and NULL, before which everything that exists has been reported as ADDED (so the receiver can
 * find what has gone). Survives closed watches, "410 Gone" and an API server that restarts, with back-off; returns only
 * when kubernetes_stop_watch is called.
 */
struct kubernetes_watch;
/* `path` names a collection; `label_selector` may be NULL. Objects may lack apiVersion and kind: lists leave them out.
 */
struct kubernetes_watch *kubernetes_watch_new(struct kubernetes *k, const char *path, const char *label_selector);
/* Told, from the watching thread, of every failure that is about to be waited out; for the log. Set before running; may
 * be left unset. */
void kubernetes_watch_on_problem(struct kubernetes_watch *watch,
                                 void (*on_problem)(void *context, const struct err *problem), void *context);
/* The first stream that ends this long after the last list is followed by a list instead of the next stream: what got
 * lost between the API server and us is found then. Set before running; ten minutes when it is not. */
void kubernetes_watch_relist_after(struct kubernetes_watch *watch, int64_t ms);
/* When the last complete list, event or bookmark came, monotonic microseconds; 0: never. From any thread. */
int64_t kubernetes_watch_heard_us(const struct kubernetes_watch *watch);
void kubernetes_watch_run(struct kubernetes_watch *watch,
                          void (*on_event)(void *context, enum kubernetes_event event, const json_t *object),
                          void *context);
void kubernetes_watch_stop(struct kubernetes_watch *watch); /* any thread */
struct kubernetes_watch *kubernetes_watch_free(struct kubernetes_watch *watch);

#endif
