#include "controlplane/admission/review.h"

#include "base/base64.h"
#include "base/text.h"
#include "controlplane/admission/secret_annotation.h"
#include "controlplane/engine/pod_internal.h"
#include "proto/message.h"

#define ARENA_MAXIMUM ((size_t)16 * 1024 * 1024)

struct secrets {
	size_t count;
	Flyteidl__Core__Secret **list;
};

static int read_secrets(struct arena *arena, const json_t *pod, struct secrets *secrets, struct err *e)
{
	const char *name;
	json_t *value;
	json_object_foreach(json_lookup(pod, "metadata/annotations"), name, value)
	{
		if (!text_starts_with(name, SECRET_ANNOTATION_PREFIX))
			continue;
		Flyteidl__Core__Secret *secret =
		        secret_annotation_read(arena, json_is_string(value) ? json_string_value(value) : "", e);
		if (!secret)
			return err_wrap(e, "annotation \"%s\"", name);
		proto_append(arena, secrets->count, secrets->list, secret);
	}
	return 0;
}

/* A JSON patch in Base64, as the API wants it; NULL with `e` untouched when there is nothing to change. */
static int make_patch(const json_t *pod, char **ret_patch, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	struct secrets secrets = { 0 };
	if (read_secrets(&arena, pod, &secrets, e) < 0)
		return -1;
	*ret_patch = NULL;
	if (!secrets.count)
		return 0;
	auto_json json_t *spec = json_deep_copy(json_object_get(pod, "spec"));
	if (!json_is_object(spec))
		return err_set(e, ERR_INVALID, NULL, "the pod has no spec");
	if (pod_inject_secrets(&arena, secrets.list, secrets.count, spec, e) < 0)
		return -1;
	auto_json json_t *patch = json_pack("[{s:s, s:s, s:O}]", "op", "replace", "path", "/spec", "value", spec);
	auto_free char *text = json_to_text(patch);
	*ret_patch = base64_encode(text, strlen(text));
	return 0;
}

json_t *review_answer(const json_t *review, struct err *e)
{
	const json_t *request = json_object_get(review, "request");
	const char *uid = json_string_at(request, "uid", NULL);
	auto_err struct err refusal = ERR_INIT;
	auto_free char *patch = NULL;
	if (!uid) {
		err_set(e, ERR_INVALID, "bad-review", "the body is no AdmissionReview with a request");
		return NULL;
	}
	json_t *response = json_pack("{s:s, s:b}", "uid", uid, "allowed", 1);
	if (make_patch(json_object_get(request, "object"), &patch, &refusal) < 0) {
		json_object_set_new(response, "allowed", json_false());
		json_object_set_new(response, "status",
		                    json_pack("{s:i, s:s}", "code", 400, "message", err_message(&refusal)));
	} else if (patch) {
		json_object_set_new(response, "patchType", json_string("JSONPatch"));
		json_object_set_new(response, "patch", json_string(patch));
	}
	return json_pack("{s:s, s:s, s:o}", "apiVersion", "admission.k8s.io/v1", "kind", "AdmissionReview", "response",
	                 response);
}
