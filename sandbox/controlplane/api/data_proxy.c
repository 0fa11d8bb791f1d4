/*
 * DataProxyService: where clients may put and get objects by themselves, as presigned URLs at an endpoint that the caller can reach, and
 * what flyte:// URLs stand for.
 */
#include "controlplane/api/executions.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/text.h"
#include "controlplane/api/flyte_url.h"
#include "controlplane/api/literals.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/node_executions.h"
#include "controlplane/store/task_executions.h"

#include "flyteidl/service/dataproxy.pb-c.h"

#include <string.h>
#include <sys/random.h>

/* flyteadmin's dataproxy.upload.maxExpiresIn and download.maxExpiresIn. */
#define EXPIRY_MAXIMUM_S 3600
#define RANDOM_NAME_LENGTH 20

/* Standard Base32 with padding, as it stands in object keys. */
static char *base32(struct arena *arena, const uint8_t *bytes, size_t length)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	char *text = arena_alloc(arena, (length + 4) / 5 * 8 + 1), *out = text;
	for (size_t i = 0; i < length; i += 5) {
		uint64_t group = 0;
		size_t taken = length - i < 5 ? length - i : 5;
		for (size_t j = 0; j < 5; j++)
			group = group << 8 | (j < taken ? bytes[i + j] : 0);
		size_t characters = (taken * 8 + 4) / 5;
		for (size_t j = 0; j < 8; j++)
			*out++ = j < characters ? alphabet[group >> (35 - 5 * j) & 31] : '=';
	}
	return text;
}

static char *random_name(struct arena *arena)
{
	/* No vowels, so no words; 27 characters. */
	static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
	uint8_t bytes[RANDOM_NAME_LENGTH];
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		abort();
	char *name = arena_alloc(arena, RANDOM_NAME_LENGTH + 1);
	for (size_t i = 0; i < RANDOM_NAME_LENGTH; i++)
		name[i] = alphabet[bytes[i] % (sizeof(alphabet) - 1)];
	return name;
}

static int read_expiry(const Google__Protobuf__Duration *given, int64_t *ret_seconds, struct err *e)
{
	*ret_seconds = EXPIRY_MAXIMUM_S;
	if (!given)
		return 0;
	if (given->seconds < 0 || given->nanos < 0 || given->nanos > 999999999 ||
	    (given->seconds == 0 && given->nanos == 0))
		return err_set(e, ERR_INVALID, "invalid-expiry", "expiresIn [%llds] is invalid",
		               (long long)given->seconds);
	if (given->seconds > EXPIRY_MAXIMUM_S || (given->seconds == EXPIRY_MAXIMUM_S && given->nanos))
		return err_set(e, ERR_INVALID, "invalid-expiry",
		               "expiresIn [%llds] cannot exceed max allowed expiration [1h0m0s]",
		               (long long)given->seconds);
	*ret_seconds = given->seconds + (given->nanos > 0);
	return 0;
}

static int already_there(const char *uri, struct err *e)
{
	return err_set(e, ERR_EXISTS, "object-exists",
	               "file already exists at location [%s], specify a matching hash if you wish to rewrite", uri);
}

/* A name that the caller has chosen wholly may be taken: then only the same content may be written again. */
static int check_free(struct api *api, struct rpc_call *call, const char *uri, const ProtobufCBinaryData *md5,
                      struct err *e)
{
	struct objects_info info;
	auto_err struct err why = ERR_INIT;
	if (objects_head(api->objects, call->arena, uri, &info, &why) < 0) {
		if (why.kind == ERR_NOT_FOUND)
			return 0;
		err_move(e, &why);
		return err_wrap(e, "failed to check if file exists at location [%s]", uri);
	}
	if (md5->len == 0)
		return already_there(uri, e);
	auto_free char *encoded = base64_encode(md5->data, md5->len);
	if (*info.content_md5)
		return text_equal(info.content_md5, encoded) ? 0 : already_there(uri, e);
	/* What was not uploaded through us has the MD5 as its ETag, if it came in one part. */
	auto_buf struct buf hex = BUF_INIT(1024);
	for (size_t i = 0; i < md5->len; i++)
		(void)buf_add_format(&hex, "%02x", md5->data[i]);
	return text_equal(info.etag, buf_text(&hex)) ? 0 : already_there(uri, e);
}

static int validate_upload(const Flyteidl__Service__CreateUploadLocationRequest *request, struct err *e)
{
	if (!*request->project || !*request->domain)
		return err_set(e, ERR_INVALID, "missing-field", "project and domain are required parameters");
	if (!*request->filename_root && request->content_md5.len == 0)
		return err_set(e, ERR_INVALID, "missing-field", "content_md5 or filename_root is a required parameter");
	if (request->content_md5.len != 0 && request->content_md5.len != 16)
		return err_set(e, ERR_INVALID, "invalid-md5", "content_md5 has %zu bytes instead of 16",
		               request->content_md5.len);
	return 0;
}

static char *upload_uri(struct api *api, struct arena *arena,
                        const Flyteidl__Service__CreateUploadLocationRequest *request)
{
	const char *root = *request->filename_root ? request->filename_root
	                                           : base32(arena, request->content_md5.data, request->content_md5.len);
	const char *name = *request->filename ? request->filename : random_name(arena);
	return api_object_uri(api, arena, "%s%s%s/%s/%s/%s", request->org, *request->org ? "/" : "", request->project,
	                      request->domain, root, name);
}

static void add_header(struct arena *arena, Flyteidl__Service__CreateUploadLocationResponse *response,
                       struct http_header *headers, const char *name, const char *value)
{
	headers[response->n_headers] = (struct http_header){ .name = name, .value = value };
	Flyteidl__Service__CreateUploadLocationResponse__HeadersEntry *entry =
	        (Flyteidl__Service__CreateUploadLocationResponse__HeadersEntry *)proto_new_of(
	                arena, &flyteidl__service__create_upload_location_response__headers_entry__descriptor);
	entry->key = arena_strdup(arena, name);
	entry->value = arena_strdup(arena, value);
	response->headers[response->n_headers++] = entry;
}

static int sign_upload(struct api *api, struct rpc_call *call,
                       const Flyteidl__Service__CreateUploadLocationRequest *request, int64_t expires_s,
                       Flyteidl__Service__CreateUploadLocationResponse *response, struct err *e)
{
	struct http_header headers[2];
	response->headers =
	        arena_array(call->arena, Flyteidl__Service__CreateUploadLocationResponse__HeadersEntry *, 2);
	if (request->content_md5.len) {
		auto_free char *encoded = base64_encode(request->content_md5.data, request->content_md5.len);
		const char *md5 = arena_strdup(call->arena, encoded);
		add_header(call->arena, response, headers, "Content-MD5", md5);
		if (request->add_content_md5_metadata)
			add_header(call->arena, response, headers, "x-amz-meta-flyteContentMD5", md5);
	}
	int64_t now = clock_wall_ns();
	response->expires_at = api_timestamp(call->arena, now + expires_s * 1000000000);
	return objects_presign(api->objects, call->arena, api_objects_endpoint(api, call), "PUT", response->native_url,
	                       headers, response->n_headers, expires_s, now, &response->signed_url, e);
}

static ProtobufCMessage *create_upload_location(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                                struct err *e)
{
	struct api *api = context;
	const Flyteidl__Service__CreateUploadLocationRequest *request =
	        (const Flyteidl__Service__CreateUploadLocationRequest *)message;
	int64_t expires_s;
	if (validate_upload(request, e) < 0 || read_expiry(request->expires_in, &expires_s, e) < 0)
		return NULL;
	Flyteidl__Service__CreateUploadLocationResponse *response =
	        proto_new(call->arena, flyteidl__service__create_upload_location_response);
	response->native_url = upload_uri(api, call->arena, request);
	if (*request->filename && *request->filename_root &&
	    check_free(api, call, response->native_url, &request->content_md5, e) < 0)
		return NULL;
	return sign_upload(api, call, request, expires_s, response, e) < 0 ? NULL : &response->base;
}

static int sign_download(struct api *api, struct rpc_call *call, const char *uri, int64_t expires_s, char **ret_url,
                         Google__Protobuf__Timestamp **ret_expires_at, struct err *e)
{
	int64_t now = clock_wall_ns();
	*ret_expires_at = api_timestamp(call->arena, now + expires_s * 1000000000);
	if (objects_presign(api->objects, call->arena, api_objects_endpoint(api, call), "GET", uri, NULL, 0, expires_s,
	                    now, ret_url, e) < 0)
		return err_wrap(e, "failed to create a signed url. Error");
	return 0;
}

static ProtobufCMessage *create_download_location(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                                  struct err *e)
{
	const Flyteidl__Service__CreateDownloadLocationRequest *request =
	        (const Flyteidl__Service__CreateDownloadLocationRequest *)message;
	int64_t expires_s;
	if (read_expiry(request->expires_in, &expires_s, e) < 0) {
		err_wrap(e, "error while validating request: expiresIn is invalid. Error");
		return NULL;
	}
	if (!text_starts_with(request->native_url, "s3://")) {
		err_set(e, ERR_INVALID, "invalid-url",
		        "error while validating request: failed to parse native_url [%s]", request->native_url);
		return NULL;
	}
	Flyteidl__Service__CreateDownloadLocationResponse *response =
	        proto_new(call->arena, flyteidl__service__create_download_location_response);
	return sign_download(context, call, request->native_url, expires_s, &response->signed_url,
	                     &response->expires_at, e) < 0
	               ? NULL
	               : &response->base;
}

/* "" when the node has none yet. */
static int find_deck(struct api *api, struct rpc_call *call, const struct node_execution_key *key, const char **ret_uri,
                     struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	struct node_execution_row row;
	if (api_connect(api, call, &c, e) < 0)
		return -1;
	if (node_executions_get(c, call->arena, key, &row, e) < 0)
		return e->kind != ERR_NOT_FOUND ? -1
		                                : err_set(e, ERR_INVALID, "unknown-node",
		                                          "failed to find node execution [%s]. Error: %s",
		                                          node_execution_text(call->arena, key), err_message(e));
	*ret_uri = row.deck_uri;
	return 0;
}

static Flyteidl__Service__PreSignedURLs *sign_deck(struct api *api, struct rpc_call *call,
                                                   const struct node_execution_key *key, int64_t expires_s,
                                                   struct err *e)
{
	const char *uri;
	struct objects_info info;
	if (find_deck(api, call, key, &uri, e) < 0)
		return NULL;
	if (!*uri) {
		err_set(e, ERR_NOT_FOUND, "no-deck",
		        "no deckUrl found for request [artifact_type:ARTIFACT_TYPE_DECK %s]",
		        node_execution_text(call->arena, key));
		return NULL;
	}
	if (objects_head(api->objects, call->arena, uri, &info, e) < 0) {
		if (e->kind == ERR_NOT_FOUND)
			err_set(e, ERR_NOT_FOUND, "no-object", "object not found");
		else
			err_wrap(e, "failed to head object before signing url. Error");
		return NULL;
	}
	Flyteidl__Service__PreSignedURLs *urls = proto_new(call->arena, flyteidl__service__pre_signed_urls);
	urls->signed_url = arena_array(call->arena, char *, 1);
	urls->n_signed_url = 1;
	return sign_download(api, call, uri, expires_s, &urls->signed_url[0], &urls->expires_at, e) < 0 ? NULL : urls;
}

static int validate_link(const Flyteidl__Service__CreateDownloadLinkRequest *request, struct err *e)
{
	if (request->artifact_type != FLYTEIDL__SERVICE__ARTIFACT_TYPE__ARTIFACT_TYPE_DECK)
		return err_set(e, ERR_INVALID, "invalid-artifact-type",
		               "error while validating request. Error: invalid artifact type [%s]",
		               request->artifact_type ? "unknown" : "ARTIFACT_TYPE_UNDEFINED");
	const Flyteidl__Core__NodeExecutionIdentifier *id = request->node_execution_id;
	if (request->source_case != FLYTEIDL__SERVICE__CREATE_DOWNLOAD_LINK_REQUEST__SOURCE_NODE_EXECUTION_ID || !id ||
	    !id->execution_id)
		return err_set(e, ERR_INVALID, "missing-source",
		               "error while validating request. Error: source is required. Provided nil");
	return 0;
}

static ProtobufCMessage *create_download_link(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                              struct err *e)
{
	const Flyteidl__Service__CreateDownloadLinkRequest *request =
	        (const Flyteidl__Service__CreateDownloadLinkRequest *)message;
	int64_t expires_s;
	if (validate_link(request, e) < 0)
		return NULL;
	if (read_expiry(request->expires_in, &expires_s, e) < 0) {
		err_wrap(e, "error while validating request. Error: expiresIn is invalid. Error");
		return NULL;
	}
	const Flyteidl__Core__NodeExecutionIdentifier *id = request->node_execution_id;
	const struct node_execution_key key = { id->execution_id->project, id->execution_id->domain,
		                                id->execution_id->name, id->node_id };
	Flyteidl__Service__PreSignedURLs *urls = sign_deck(context, call, &key, expires_s, e);
	if (!urls)
		return NULL;
	/* Older clients read the deprecated fields. */
	Flyteidl__Service__CreateDownloadLinkResponse *response =
	        proto_new(call->arena, flyteidl__service__create_download_link_response);
	response->pre_signed_urls = urls;
	response->signed_url = urls->signed_url;
	response->n_signed_url = urls->n_signed_url;
	response->expires_at = urls->expires_at;
	return &response->base;
}

static int find_node_data(struct api *api, struct rpc_call *call, const struct flyte_url *url,
                          const struct node_execution_key *key, struct stored_literals *ret_stored, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	struct node_execution_data data;
	if (api_connect(api, call, &c, e) < 0 || node_executions_get_data(c, call->arena, key, &data, e) < 0)
		return -1;
	*ret_stored = url->kind == 'i' ? data.inputs : data.outputs;
	return 0;
}

/* The URL names no task; the attempt's row does. */
static int find_task_data(struct api *api, struct rpc_call *call, const struct flyte_url *url,
                          const struct node_execution_key *key, struct stored_literals *ret_stored, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	auto_list_query struct list_query query = LIST_QUERY_INIT;
	const struct list_request list = { .entity = LIST_TASK_EXECUTION, .rpc = "GetData", .limit = 1 };
	struct task_execution_rows rows;
	struct task_execution_data data;
	if (api_connect(api, call, &c, e) < 0 || list_init(&query, call->arena, &list, e) < 0)
		return -1;
	list_within(&query, key->project, key->domain, key->execution_name);
	list_where(&query, "ne.node_id = ?", DB_TEXT(key->node_id));
	list_where(&query, "te.retry_attempt = ?", DB_INT(url->attempt));
	if (task_executions_list(c, &query, &rows, e) < 0)
		return -1;
	if (!rows.count)
		return err_set(e, ERR_INVALID, "unknown-attempt",
		               "no task executions were listed [retry_attempt:%lld %s]", (long long)url->attempt,
		               node_execution_text(call->arena, key));
	const struct task_execution_row *row = &rows.rows[0];
	const struct task_execution_key task = { row->node,      row->task_project, row->task_domain,
		                                 row->task_name, row->task_version, row->retry_attempt };
	if (task_executions_get_data(c, call->arena, &task, &data, e) < 0)
		return -1;
	*ret_stored = url->kind == 'i' ? data.inputs : data.outputs;
	return 0;
}

static int answer_literals(struct api *api, struct rpc_call *call, const struct flyte_url *url,
                           const struct node_execution_key *key, Flyteidl__Service__GetDataResponse *response,
                           struct err *e)
{
	struct stored_literals stored;
	Flyteidl__Core__LiteralMap *map;
	bool of_task = url->attempt >= 0;
	if ((of_task ? find_task_data : find_node_data)(api, call, url, key, &stored, e) < 0 ||
	    literals_load(api, call, &stored, &map, e) < 0)
		return -1;
	if (!*url->literal) {
		response->data_case = FLYTEIDL__SERVICE__GET_DATA_RESPONSE__DATA_LITERAL_MAP;
		response->literal_map = map;
		return 0;
	}
	for (size_t i = 0; i < map->n_literals; i++) {
		if (strcmp(map->literals[i]->key, url->literal) == 0) {
			response->data_case = FLYTEIDL__SERVICE__GET_DATA_RESPONSE__DATA_LITERAL;
			response->literal = map->literals[i]->value;
			return 0;
		}
	}
	return err_set(e, ERR_INVALID, "unknown-literal", "name [%s] not found in %s execution [%s]", url->literal,
	               of_task ? "task" : "node", node_execution_text(call->arena, key));
}

static ProtobufCMessage *get_data(void *context, struct rpc_call *call, const ProtobufCMessage *message, struct err *e)
{
	const char *text = ((const Flyteidl__Service__GetDataRequest *)message)->flyte_url;
	struct flyte_url url;
	if (!text_starts_with(text, "flyte://")) {
		err_set(e, ERR_INVALID, "invalid-url", "failed to validate resolve artifact request. Error: %s",
		        *text ? "request does not start with the correct prefix"
		              : "source is required. Provided empty string");
		return NULL;
	}
	if (!flyte_url_parse(call->arena, text, &url)) {
		err_set(e, ERR_INVALID, "invalid-url", "failed to parse artifact url Error: failed to parse [%s]",
		        text);
		return NULL;
	}
	if (url.kind == 'd' && url.attempt >= 0) {
		err_set(e, ERR_INVALID, "invalid-url",
		        "deck type cannot be specified with a retry attempt, just use the node instead");
		return NULL;
	}
	const struct node_execution_key key = { url.project, url.domain, url.execution, url.node_id };
	Flyteidl__Service__GetDataResponse *response = proto_new(call->arena, flyteidl__service__get_data_response);
	if (url.kind == 'd') {
		response->data_case = FLYTEIDL__SERVICE__GET_DATA_RESPONSE__DATA_PRE_SIGNED_URLS;
		response->pre_signed_urls = sign_deck(context, call, &key, EXPIRY_MAXIMUM_S, e);
		return response->pre_signed_urls ? &response->base : NULL;
	}
	return answer_literals(context, call, &url, &key, response, e) < 0 ? NULL : &response->base;
}

#define METHOD(rpc, request_prefix, response_prefix, function)                                                         \
	{                                                                                                              \
		"/flyteidl.service.DataProxyService/" rpc, &flyteidl__service__##request_prefix##__descriptor,         \
		        &flyteidl__service__##response_prefix##__descriptor, function                                  \
	}

struct api_methods api_data_proxy_methods(void)
{
	static const struct rpc_method methods[] = {
		METHOD("CreateUploadLocation", create_upload_location_request, create_upload_location_response,
		       create_upload_location),
		METHOD("CreateDownloadLocation", create_download_location_request, create_download_location_response,
		       create_download_location),
		METHOD("CreateDownloadLink", create_download_link_request, create_download_link_response,
		       create_download_link),
		METHOD("GetData", get_data_request, get_data_response, get_data),
	};
	return (struct api_methods){ .methods = methods, .count = ARRAY_LENGTH(methods) };
}
