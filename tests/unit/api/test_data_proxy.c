/* Where clients may put and get objects, and what flyte:// URLs stand for. */
#include "registration_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "proto/json.h"

#include <string.h>

/* 16 bytes 0 … 15 */
#define MD5 "'content_md5': 'AAECAwQFBgcICQoLDA0ODw=='"
#define MD5_BASE32 "AAAQEAYEAUDAOCAJBIFQYDIOB4======"

static void test_upload(void **state)
{
	(void)state;
	auto_json json_t *response =
	        succeed("CreateUploadLocation",
	                "{'project': 'flytesnacks', 'domain': 'development', 'filename': 'fast1.tar.gz', " MD5
	                ", 'add_content_md5_metadata': true}");
	assert_field(response, "native_url", "s3://my-s3-bucket/flytesnacks/development/" MD5_BASE32 "/fast1.tar.gz");
	assert_true(text_starts_with(json_string_at(response, "signed_url", ""),
	                             "http://localhost:30002/my-s3-bucket/flytesnacks/development/"));
	assert_non_null(strstr(json_string_at(response, "signed_url", ""),
	                       "X-Amz-SignedHeaders=content-md5%3Bhost%3Bx-amz-meta-flytecontentmd5"));
	assert_non_null(strstr(json_string_at(response, "signed_url", ""), "X-Amz-Expires=3600"));
	/* no Content-Length: it would be the length of something else */
	assert_int_equal(json_object_size(json_object_get(response, "headers")), 2);
	assert_field(response, "headers/Content-MD5", "AAECAwQFBgcICQoLDA0ODw==");
	assert_field(response, "headers/x-amz-meta-flyteContentMD5", "AAECAwQFBgcICQoLDA0ODw==");
	int64_t expires_at;
	assert_true(clock_parse_rfc3339(json_string_at(response, "expires_at", ""), &expires_at));
	assert_true(expires_at > clock_wall_ns() + INT64_C(3500000000000) &&
	            expires_at <= clock_wall_ns() + INT64_C(3600000000000));

	/* a pod is told what it can reach */
	auto_err struct err e = ERR_INIT;
	auto_json json_t *in_cluster =
	        call_from("10.42.0.17", "CreateUploadLocation",
	                  "{'project': 'p', 'domain': 'd', " MD5 ", 'expires_in': '60s'}", NULL, &e);
	assert_true(text_starts_with(json_string_at(in_cluster, "signed_url", ""),
	                             "http://flyte-sandbox-minio.flyte:9000/my-s3-bucket/p/d/"));
	assert_non_null(strstr(json_string_at(in_cluster, "signed_url", ""), "X-Amz-Expires=60"));
	/* a name is made up, 20 characters */
	const char *native = json_string_at(in_cluster, "native_url", "");
	assert_int_equal(strlen(native), strlen("s3://my-s3-bucket/p/d/" MD5_BASE32 "/") + 20);

	refuse("CreateUploadLocation", "{'project': 'p', " MD5 "}", ERR_INVALID,
	       "project and domain are required parameters");
	refuse("CreateUploadLocation", "{'project': 'p', 'domain': 'd'}", ERR_INVALID,
	       "content_md5 or filename_root is a required parameter");
	refuse("CreateUploadLocation", "{'project': 'p', 'domain': 'd', 'content_md5': 'AAEC'}", ERR_INVALID,
	       "content_md5 has 3 bytes instead of 16");
	refuse("CreateUploadLocation", "{'project': 'p', 'domain': 'd', " MD5 ", 'expires_in': '3601s'}", ERR_INVALID,
	       "expiresIn [3601s] cannot exceed max allowed expiration [1h0m0s]");
}

static void test_upload_again(void **state)
{
	(void)state;
	/* the ETag of this object is not the MD5 that is announced */
	fake_objects_put(store, "/my-s3-bucket/p/d/root/name", "other", 5);
	refuse("CreateUploadLocation", "{'project': 'p', 'domain': 'd', 'filename_root': 'root', 'filename': 'name'}",
	       ERR_EXISTS,
	       "file already exists at location [s3://my-s3-bucket/p/d/root/name], specify a matching hash if you wish "
	       "to rewrite");
	refuse("CreateUploadLocation",
	       "{'project': 'p', 'domain': 'd', 'filename_root': 'root', 'filename': 'name', " MD5 "}", ERR_EXISTS,
	       "file already exists at location [s3://my-s3-bucket/p/d/root/name], specify a matching hash if you wish "
	       "to rewrite");
	auto_json json_t *free = succeed("CreateUploadLocation",
	                                 "{'project': 'p', 'domain': 'd', 'filename_root': 'root', 'filename': 'new'}");
	assert_field(free, "native_url", "s3://my-s3-bucket/p/d/root/new");
	assert_null(json_object_get(free, "headers"));
}

static void test_download(void **state)
{
	(void)state;
	auto_json json_t *response =
	        succeed("CreateDownloadLocation", "{'native_url': 's3://my-s3-bucket/a/b', 'expires_in': '10s'}");
	assert_true(text_starts_with(json_string_at(response, "signed_url", ""),
	                             "http://localhost:30002/my-s3-bucket/a/b?"));
	refuse("CreateDownloadLocation", "{'native_url': 'file:///etc/passwd'}", ERR_INVALID,
	       "error while validating request: failed to parse native_url [file:///etc/passwd]");
	refuse("CreateDownloadLink", "{}", ERR_INVALID,
	       "error while validating request. Error: invalid artifact type [ARTIFACT_TYPE_UNDEFINED]");
	refuse("CreateDownloadLink", "{'artifact_type': 'ARTIFACT_TYPE_DECK'}", ERR_INVALID,
	       "error while validating request. Error: source is required. Provided nil");
	auto_err struct err e = ERR_INIT;
	auto_json json_t *none = call_from(
	        "127.0.0.1", "CreateDownloadLink",
	        "{'artifact_type': 'ARTIFACT_TYPE_DECK', 'node_execution_id': {'node_id': 'n0', 'execution_id': "
	        "{'project': 'p', 'domain': 'd', 'name': 'x'}}}",
	        NULL, &e);
	assert_null(none);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_true(text_starts_with(err_message(&e),
	                             "failed to find node execution [node_id:\"n0\" execution_id:{project:\"p\" "
	                             "domain:\"d\" name:\"x\"}]. Error: missing entity"));
	refuse("GetData", "{}", ERR_INVALID,
	       "failed to validate resolve artifact request. Error: source is required. Provided empty string");
	refuse("GetData", "{'flyte_url': 'flyte://v1/p/d/x/n0/z'}", ERR_INVALID,
	       "failed to parse artifact url Error: failed to parse [flyte://v1/p/d/x/n0/z]");
}

/* The engine's part: an execution with one node and one attempt, and what they gave. */
static void test_get_data(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA;
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct rpc_call call = { .arena = &arena, .deadline_ms = clock_monotonic_ms() + 60000 };
	assert_int_equal(api_connect(&api, &call, &c, &e), 0);
	static const char json[] = "{\"literals\": {\"y\": {\"scalar\": {\"primitive\": {\"integer\": 5}}}, \"large\": {\"offloaded_metadata\": "
	                           "{\"uri\": \"s3://my-s3-bucket/data/large\", \"size_bytes\": \"12000000\", \"inferred_type\": {\"simple\": "
	                           "\"STRING\"}}}}}";
	Flyteidl__Core__LiteralMap *map =
	        proto_json_parse(&arena, flyteidl__core__literal_map, json, strlen(json), 0, &e);
	struct proto_bytes bytes = proto_pack(&arena, &map->base);
	assert_int_equal(
	        database_execute(
	                c,
	                "with x as (insert into executions (project, domain, name, spec) values ('p', 'd', 'got', '') "
	                "returning id),"
	                " n as (insert into node_executions (execution_id, node_id, spec_node_id, outputs, "
	                "outputs_uri, deck_uri)"
	                " select id, 'n0', 'n0', $1, 's3://my-s3-bucket/o', 's3://my-s3-bucket/deck.html' from x"
	                " returning id, execution_id)"
	                " insert into task_executions (node_execution_id, execution_id, retry_attempt, project, "
	                "domain, name,"
	                " version, outputs, outputs_uri) select id, execution_id, 0, 'p', 'd', 't', 'v', $1, "
	                "'s3://my-s3-bucket/o' from n",
	                (struct database_value[]){ DB_BYTES(bytes) }, 1, &e),
	        1);
	auto_json json_t *whole = succeed("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/o'}");
	assert_field(whole, "literal_map/literals/y/scalar/primitive/integer", "5");
	auto_json json_t *one = succeed("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/o/y'}");
	assert_field(one, "literal/scalar/primitive/integer", "5");
	/* A literal that lies elsewhere is given as that: flytekit, and every task, fetches it by itself. */
	auto_json json_t *offloaded = succeed("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/o/large'}");
	assert_field(offloaded, "literal/offloaded_metadata/uri", "s3://my-s3-bucket/data/large");
	assert_field(offloaded, "literal/offloaded_metadata/size_bytes", "12000000");
	auto_json json_t *attempt = succeed("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/0/o/y'}");
	assert_field(attempt, "literal/scalar/primitive/integer", "5");
	refuse("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/o/z'}", ERR_INVALID,
	       "name [z] not found in node execution [node_id:\"n0\" execution_id:{project:\"p\" domain:\"d\" "
	       "name:\"got\"}]");
	refuse("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/7/o'}", ERR_INVALID,
	       "no task executions were listed [retry_attempt:7 node_id:\"n0\" execution_id:{project:\"p\" "
	       "domain:\"d\" name:\"got\"}]");
	refuse("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/0/d'}", ERR_INVALID,
	       "deck type cannot be specified with a retry attempt, just use the node instead");
	refuse("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/d'}", ERR_NOT_FOUND, "object not found");
	fake_objects_put(store, "/my-s3-bucket/deck.html", "<html>", 6);
	auto_json json_t *deck = succeed("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/d'}");
	const json_t *url = json_array_get(json_lookup(deck, "pre_signed_urls/signed_url"), 0);
	assert_true(text_starts_with(json_string_value(url), "http://localhost:30002/my-s3-bucket/deck.html?"));
	auto_json json_t *link = succeed(
	        "CreateDownloadLink",
	        "{'artifact_type': 'ARTIFACT_TYPE_DECK', 'node_execution_id': {'node_id': 'n0', 'execution_id': "
	        "{'project': 'p', 'domain': 'd', 'name': 'got'}}}");
	assert_int_equal(json_array_size(json_object_get(link, "signed_url")), 1);
	assert_int_equal(database_execute(c, "update node_executions set deck_uri = '' where node_id = 'n0'", NULL, 0, &e), 1);
	refuse("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/d'}", ERR_NOT_FOUND,
	       "no deckUrl found for request [artifact_type:ARTIFACT_TYPE_DECK node_id:\"n0\" execution_id:{project:\"p\" "
	       "domain:\"d\" name:\"got\"}]");
	assert_int_equal(json_array_size(json_lookup(link, "pre_signed_urls/signed_url")), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_upload),
		cmocka_unit_test(test_upload_again),
		cmocka_unit_test(test_download),
		cmocka_unit_test(test_get_data),
	};
	return cmocka_run_group_tests(tests, registration_start, registration_stop);
}
