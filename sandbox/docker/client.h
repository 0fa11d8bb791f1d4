/*
 * A connection to one engine: transport, API version and error texts. The version is settled once, from the engine's
 * answer to
 * /_ping, as the newest that both sides speak; an engine that is replaced by another version under us is noticed by its
 * 400 and settled once more.
 *
 * A client belongs to one thread and performs one exchange at a time (base/http.h); who wants two has two clients.
 */
#ifndef SANDBOX_DOCKER_CLIENT_H
#define SANDBOX_DOCKER_CLIENT_H

#include "base/http.h"
#include "base/json.h"
#include "docker/endpoint.h"

/* Minor versions of API 1.x: 1.40 is that of Docker 19.03, 1.52 the newest whose answers are read here (1.53 leaves out
 * fields of /system/df); newer engines speak it, too. */
#define DOCKER_API_MINIMUM 40
#define DOCKER_API_MAXIMUM 52
/* The first whose engines take HostConfig.CgroupnsMode. */
#define DOCKER_API_CGROUP_NAMESPACE 41

struct docker_client;

/* Connects and settles the version: DOCKER_API_VERSION ("1.40"), else the newest of both. `cancel_fd` as in
 * base/http.h. NULL with `e`: "docker-not-running", "docker-permission", "docker-version", or what http_perform
 * reports. The endpoint must outlive the client. */
struct docker_client *docker_client_connect(const struct docker_endpoint *endpoint, int cancel_fd, struct err *e);
/* Another client of the same engine and version, without asking again. */
struct docker_client *docker_client_clone(const struct docker_client *client, int cancel_fd);
struct docker_client *docker_client_free(struct docker_client *client);
#define auto_docker_client __attribute__((cleanup(cleanup_docker_client)))
void cleanup_docker_client(struct docker_client **client);

/* From any thread: ends what is under way and everything later with ERR_CANCELLED. */
void docker_client_cancel(struct docker_client *client);
const struct docker_endpoint *docker_client_endpoint(const struct docker_client *client);
/* E.g. 41 for 1.41. */
unsigned docker_client_api_minor(const struct docker_client *client);
/* Whether GET /_ping says that this is Podman, whose compatibility has gaps that callers know. */
bool docker_client_is_podman(const struct docker_client *client);

struct docker_request {
	const char *method;
	const char *path;   /* "/containers/json?all=1": without the version, percent-encoded by the caller */
	const json_t *body; /* JSON, or NULL */
	const struct http_header *headers;
	size_t header_count;
	ssize_t (*read_body)(void *context, void *room, size_t size,
	                     struct err *e); /* a tar stream; overrides `body` */
	int (*on_data)(void *context, const char *bytes, size_t length, struct err *e);
	void *context;
	size_t response_maximum;
	int64_t timeout_ms; /* 0: 60 s for a GET, ten minutes for what makes the engine work; HTTP_NO_TIMEOUT */
	int64_t idle_timeout_ms;
};

/*
 * Performs the call. 0 for a status below 400 (304 included). Otherwise the engine's own message, with ERR_NOT_FOUND
 * for 404, ERR_CONFLICT for 409, ERR_INVALID for 400, ERR_PERMISSION for 401 and 403, ERR_UNAVAILABLE for 503,
 * ERR_UNSUPPORTED for 501 and ERR_INTERNAL for the rest, id "docker-error"; a full disk is ERR_EXHAUSTED "disk-space".
 */
int docker_call(struct docker_client *client, const struct docker_request *request, struct http_response *ret_response,
                struct err *e);
/* A call whose answer is JSON; NULL with `e` on failure. */
json_t *docker_call_json(struct docker_client *client, const struct docker_request *request, struct err *e);
/* GET of a path made by the format. */
json_t *docker_get(struct docker_client *client, struct err *e, const char *format, ...) PRINTF_LIKE(3, 4);
/* Method and path, answer ignored; the status is returned when >= 0. */
int docker_do(struct docker_client *client, const char *method, struct err *e, const char *format, ...)
        PRINTF_LIKE(4, 5);

/* For a query's value or a name in a path. Free with free(). */
char *docker_encode(const char *text);
/* {"message": …} of an error answer as an error; used by streams that do not go through docker_call. */
int docker_error_from_answer(long status, const char *body, size_t length, struct err *e);
/* The path with the settled version in front: "/v1.41/exec/…". Free with free(). */
char *docker_client_versioned(const struct docker_client *client, const char *path);
void docker_client_http_options(const struct docker_client *client, struct http_client_options *ret_options);

#endif
