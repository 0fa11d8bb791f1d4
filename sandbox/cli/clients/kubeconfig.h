/*
 * The user's kubeconfig. It may hold comments, hand-made order and clusters that matter more than ours, so our three
 * entries (cluster, user, context) are put in and taken out as text: nothing else changes by a byte. The result is
 * parsed again and compared with the change made on the parsed values; when they differ — flow style, anchors, an
 * unusual layout — the file is printed anew from those values, which keeps every value and loses comments only.
 *
 * As client-go does, `<file>.lock` is made exclusively before and removed after, and the file is replaced atomically.
 */
#ifndef SANDBOX_CLI_CLIENTS_KUBECONFIG_H
#define SANDBOX_CLI_CLIENTS_KUBECONFIG_H

#include "base/json.h"

/* The person's: the first file of $KUBECONFIG that is not an instance's own, else the usual one. A shell that has taken
 * over `sandbox env` has the instance's own there. Free with free(). */
char *kubeconfig_path(struct err *e);
/* ~/.kube/config; free with free(). */
char *kubeconfig_usual_path(struct err *e);

/* A kubeconfig with one cluster, user and context named `name` (namespace "flyte"), made of the first of each in
 * `inside`. */
json_t *kubeconfig_for_instance(const json_t *inside, const char *name, const char *server, struct err *e);

/* Puts the entries of `ours` (as kubeconfig_for_instance gives) into the file. The context becomes current when
 * `make_current`, or when none is. ERR_CONFLICT "kubeconfig-locked" when the lock stays taken. */
int kubeconfig_merge(const char *path, const json_t *ours, bool make_current, struct err *e);
/* Takes the entries named `name` out; a current-context of that name becomes "". An absent file is success. */
int kubeconfig_remove(const char *path, const char *name, struct err *e);

/* The same on text; `ret_text` is owned by the caller. `subject` names the text in errors. */
int kubeconfig_merge_text(const char *text, size_t length, const char *subject, const json_t *ours, bool make_current,
                          char **ret_text, struct err *e);
int kubeconfig_remove_text(const char *text, size_t length, const char *subject, const char *name, char **ret_text,
                           struct err *e);

#endif
