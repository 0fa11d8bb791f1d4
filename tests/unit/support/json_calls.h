/*
 * The API's RPCs for tests, with requests and responses as proto3 JSON. Requests have ' for " so that they can be read in
 * C. A call fails the test when its method is not there or its request is no message of it. One API at a time.
 */
#ifndef SANDBOX_TESTS_UNIT_SUPPORT_JSON_CALLS_H
#define SANDBOX_TESTS_UNIT_SUPPORT_JSON_CALLS_H

#include "base/json.h"
#include "controlplane/api/api.h"

/* Whose handlers are called. Borrowed. */
void json_calls_api(struct api *api);

/* The response, or NULL with `e` set. `ret_detail` (may be NULL) gets the name of the error detail's type, "" for none. */
json_t *call_from(const char *peer, const char *method, const char *request, const char **ret_detail, struct err *e);
json_t *succeed(const char *method, const char *request);
/* The response is empty. */
void done(const char *method, const char *request);
/* Fails with exactly this kind and text. */
void refuse(const char *method, const char *request, enum err_kind kind, const char *text);
void refuse_with(const char *method, const char *request, enum err_kind kind, const char *text, const char *detail);

void assert_field(const json_t *value, const char *path, const char *expected);
/* The strings at `path` of each element of `list`, joined by ' ', then the token in brackets. */
void assert_list(json_t *response, const char *list, const char *path, const char *expected);
void assert_listed(const char *method, const char *request, const char *list, const char *path, const char *expected);
/* The response as compact JSON with sorted keys, ' for ". */
void assert_response(const char *method, const char *request, const char *expected);

#endif
