/* AdminService's GetVersion. */
#include "controlplane/api/api.h"

#include "controlplane/api/registration.h"

#include "flyteidl/admin/version.pb-c.h"

static ProtobufCMessage *get_version(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                     struct err *e)
{
	(void)message;
	(void)e;
	const struct api_config *config = ((struct api *)context)->config;
	Flyteidl__Admin__GetVersionResponse *response = proto_new(call->arena, flyteidl__admin__get_version_response);
	response->control_plane_version = proto_new(call->arena, flyteidl__admin__version);
	response->control_plane_version->version = arena_strdup(call->arena, config->version);
	response->control_plane_version->build = arena_strdup(call->arena, config->build);
	return &response->base;
}

struct api_methods api_version_methods(void)
{
	static const struct rpc_method methods[] = {
		ADMIN_METHOD("GetVersion", get_version_request, get_version_response, get_version),
	};
	return (struct api_methods){ .methods = methods, .count = ARRAY_LENGTH(methods) };
}
