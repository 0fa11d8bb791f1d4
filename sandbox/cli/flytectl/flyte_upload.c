#include "cli/flytectl/flyte_upload.h"

#include "base/base64.h"
#include "base/http.h"
#include "base/text.h"
#include "cli/framework/interrupt.h"

#include "flyteidl/service/dataproxy.pb-c.h"

#include <openssl/evp.h>
#include <string.h>

#define UPLOAD_MS INT64_C(300000)
#define HEADERS_MAXIMUM 16
#define MD5_LENGTH 16

static int put(struct flyte *flyte, const Flyteidl__Service__CreateUploadLocationResponse *place,
               const struct package_file *source, const char *md5, struct err *e)
{
	struct http_client *client = http_client_new(&(struct http_client_options){ .cancel_fd = interrupt_fd() });
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	struct http_header headers[HEADERS_MAXIMUM] = { { "Content-MD5", md5 } };
	size_t count = 1;
	(void)flyte;
	for (size_t i = 0; i < place->n_headers && count < HEADERS_MAXIMUM; i++) {
		if (!text_equal(place->headers[i]->key, "Content-MD5"))
			headers[count++] = (struct http_header){ place->headers[i]->key, place->headers[i]->value };
	}
	const struct http_request request = { .method = "PUT",
		                              .url = place->signed_url,
		                              .headers = headers,
		                              .header_count = count,
		                              .body = buf_text(&source->bytes),
		                              .body_length = source->bytes.length,
		                              .timeout_ms = UPLOAD_MS };
	int outcome = http_perform(client, &request, &response, e);
	if (outcome == 0 && response.status / 100 != 2)
		outcome = err_set(e, ERR_UNAVAILABLE, "upload-failed", "HTTP status %ld: %.*s", response.status,
		                  (int)strnlen(buf_text(&response.body), 500), buf_text(&response.body));
	http_client_free(client);
	return outcome;
}

const char *flyte_upload(struct flyte *flyte, const struct package_file *source, struct err *e)
{
	unsigned char digest[MD5_LENGTH];
	unsigned length = 0;
	const char *slash = strrchr(source->name, '/');
	if (EVP_Digest(buf_text(&source->bytes), source->bytes.length, digest, &length, EVP_md5(), NULL) != 1 ||
	    length != MD5_LENGTH) {
		err_set(e, ERR_INTERNAL, NULL, "no MD5 sum");
		return NULL;
	}
	Flyteidl__Service__CreateUploadLocationRequest *request =
	        proto_new(&flyte->arena, flyteidl__service__create_upload_location_request);
	request->project = arena_strdup(&flyte->arena, flyte->project);
	request->domain = arena_strdup(&flyte->arena, flyte->domain);
	request->filename = arena_strdup(&flyte->arena, slash ? slash + 1 : source->name);
	request->content_md5.data = digest;
	request->content_md5.len = MD5_LENGTH;
	const Flyteidl__Service__CreateUploadLocationResponse *place =
	        (const Flyteidl__Service__CreateUploadLocationResponse *)flyte_call_of(
	                flyte, "DataProxyService/CreateUploadLocation", &request->base,
	                &flyteidl__service__create_upload_location_response__descriptor, e);
	if (!place) {
		err_wrap(e, "failed to create an upload location");
		return NULL;
	}
	auto_free char *md5 = base64_encode(digest, MD5_LENGTH);
	if (put(flyte, place, source, md5, e) < 0) {
		err_wrap(e, "failed to upload source code from [%s]", source->name);
		return NULL;
	}
	return place->native_url;
}
