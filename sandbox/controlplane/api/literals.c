/*
 * Nearly always a map's bytes are in the row that was read anyway; the object store is asked for the rest: one HEAD for
 * the size, which the client decides by whether to fetch, and one GET when it is small after all.
 */
#include "controlplane/api/literals.h"

#include "base/clock.h"
#include "base/text.h"

#define URL_LIFETIME_SECONDS 3600

int literals_sign(struct api *api, struct rpc_call *call, const char *uri, char **ret_url, struct err *e)
{
	return objects_presign(api->objects, call->arena, api_objects_endpoint(api, call), "GET", uri, NULL, 0,
	                       URL_LIFETIME_SECONDS, clock_wall_ns(), ret_url, e);
}

static int fetch(struct api *api, struct rpc_call *call, const char *uri, size_t maximum, struct proto_bytes *ret_bytes,
                 struct err *e)
{
	return objects_get(api->objects, call->arena, uri, maximum, ret_bytes, e) < 0 ? objects_failed(e) : 0;
}

int literals_answer(struct api *api, struct rpc_call *call, const struct stored_literals *stored,
                    Flyteidl__Core__LiteralMap **ret_map, Flyteidl__Admin__UrlBlob **ret_url, struct err *e)
{
	Flyteidl__Core__LiteralMap *map = proto_new(call->arena, flyteidl__core__literal_map);
	Flyteidl__Admin__UrlBlob *url = proto_new(call->arena, flyteidl__admin__url_blob);
	struct proto_bytes bytes = stored->bytes;

	if (!text_is_empty(stored->uri)) {
		url->bytes = (int64_t)bytes.length;
		if (!bytes.data) {
			struct objects_info info;
			int r = objects_head(api->objects, call->arena, stored->uri, &info, e);
			if (r < 0 && e->kind != ERR_NOT_FOUND)
				return objects_failed(e);
			if (r < 0) { /* announced, not written yet */
				err_release(e);
				*ret_map = map;
				*ret_url = url;
				return 0;
			}
			url->bytes = info.size;
			if (info.size < (int64_t)LITERALS_ANSWER_MAXIMUM &&
			    fetch(api, call, stored->uri, LITERALS_ANSWER_MAXIMUM, &bytes, e) < 0)
				return -1;
		}
		if (literals_sign(api, call, stored->uri, &url->url, e) < 0)
			return -1;
	}
	if (bytes.data && bytes.length < LITERALS_ANSWER_MAXIMUM) {
		map = proto_unpack(call->arena, flyteidl__core__literal_map, bytes.data, bytes.length, e);
		if (!map)
			return err_set(e, ERR_INTERNAL, "stored-literals", "the stored literal map \"%s\" is damaged",
			               stored->uri);
	}
	*ret_map = map;
	*ret_url = url;
	return 0;
}

int literals_load(struct api *api, struct rpc_call *call, const struct stored_literals *stored,
                  Flyteidl__Core__LiteralMap **ret_map, struct err *e)
{
	struct proto_bytes bytes = stored->bytes;
	if (!bytes.data && !text_is_empty(stored->uri) &&
	    fetch(api, call, stored->uri, LITERALS_MAXIMUM, &bytes, e) < 0)
		return -1;
	Flyteidl__Core__LiteralMap *map =
	        proto_unpack(call->arena, flyteidl__core__literal_map, bytes.data, bytes.length, e);
	if (!map)
		return err_set(e, ERR_INTERNAL, "stored-literals", "the stored literal map \"%s\" is damaged",
		               stored->uri);
	*ret_map = map;
	return 0;
}
