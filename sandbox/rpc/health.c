#include "rpc/health.h"

#include "base/text.h"
#include "rpc/router.h"

#include <grpc_health/v1/health.pb-c.h>

static ProtobufCMessage *check(void *context, struct rpc_call *call, const ProtobufCMessage *message, struct err *e)
{
	const struct rpc_router *router = context;
	const Grpc__Health__V1__HealthCheckRequest *request = (const Grpc__Health__V1__HealthCheckRequest *)message;
	if (!text_is_empty(request->service) && !text_equal(request->service, "flyteadmin")) {
		err_set(e, ERR_NOT_FOUND, NULL, "unknown service \"%s\"", request->service);
		return NULL;
	}
	Grpc__Health__V1__HealthCheckResponse *response =
	        proto_new(call->arena, grpc__health__v1__health_check_response);
	bool serving = atomic_load(&router->serving) && !atomic_load(&router->draining);
	response->status = serving ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
	                           : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
	return &response->base;
}

static const struct rpc_method methods[] = {
	{
	        .path = "/grpc.health.v1.Health/Check",
	        .request = &grpc__health__v1__health_check_request__descriptor,
	        .response = &grpc__health__v1__health_check_response__descriptor,
	        .handler = check,
	},
};

struct rpc_service health_service(struct rpc_router *router)
{
	return (struct rpc_service){
		.name = "grpc.health.v1.Health",
		.methods = methods,
		.method_count = ARRAY_LENGTH(methods),
		.context = router,
	};
}
