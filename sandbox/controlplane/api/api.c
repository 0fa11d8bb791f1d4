/* What all handlers share: a connection, the check that a project and domain exist, times, and where callers find objects. */
#include "controlplane/api/api.h"

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/projects.h"

#include "flyteidl/admin/project.pb-c.h"

#include <arpa/inet.h>
#include <string.h>

#define CONNECT_MAXIMUM_MS 30000

const struct api_config api_config_default = {
	.bucket = "my-s3-bucket",
	.objects_public_endpoint = "http://localhost:30002",
	.objects_cluster_endpoint = "http://flyte-sandbox-minio.flyte:9000",
	.cluster_network = "10.42.0.0/16",
	.version = "v" SANDBOX_VERSION,
	.build = "",
};

int64_t api_connect_deadline(const struct rpc_call *call)
{
	const int64_t latest = clock_monotonic_ms() + CONNECT_MAXIMUM_MS;
	return call->deadline_ms < latest ? call->deadline_ms : latest;
}

int api_connect(struct api *api, const struct rpc_call *call, struct database_connection **ret_connection,
                struct err *e)
{
	if (database_borrow(api->database, api_connect_deadline(call), ret_connection, e) < 0)
		return -1;
	database_bound(*ret_connection, call->deadline_ms, call->cancel);
	return 0;
}

int api_check_project_and_domain(struct api *api, struct rpc_call *call, struct database_connection *c,
                                 const char *project, const char *domain, struct err *e)
{
	auto_settings const struct settings *settings = settings_current(api->settings);
	struct project_row row;
	int found = projects_get(c, call->arena, project, &row, e);
	if (found < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_INVALID, "unknown-project",
		               "failed to validate that project [%s] and domain [%s] are registered, err: [project "
		               "[%s] not found]",
		               project, domain, project);
	if (row.state != FLYTEIDL__ADMIN__PROJECT__PROJECT_STATE__ACTIVE) {
		Flyteidl__Admin__InactiveProject *detail = proto_new(call->arena, flyteidl__admin__inactive_project);
		detail->id = arena_strdup(call->arena, project);
		call->error_detail = &detail->base;
		return err_set(e, ERR_INVALID, "inactive-project", "project [%s] is not active", project);
	}
	if (!settings_has_domain(settings, domain))
		return err_set(e, ERR_INVALID, "unknown-domain", "domain [%s] is unrecognized by system", domain);
	return 0;
}

Google__Protobuf__Timestamp *api_timestamp(struct arena *arena, int64_t wall_ns)
{
	Google__Protobuf__Timestamp *timestamp = proto_new(arena, google__protobuf__timestamp);
	int64_t nanos = wall_ns % 1000000000;
	timestamp->seconds = wall_ns / 1000000000 - (nanos < 0);
	timestamp->nanos = (int32_t)(nanos + (nanos < 0 ? 1000000000 : 0));
	return timestamp;
}

char *api_object_uri(const struct api *api, struct arena *arena, const char *path_format, ...)
{
	va_list arguments;
	va_start(arguments, path_format);
	auto_free char *path = xvasprintf(path_format, arguments);
	va_end(arguments);
	return arena_printf(arena, "s3://%s/%s", api->config->bucket, path);
}

/* An address as 16 bytes, IPv4 mapped into IPv6; false when it is none. */
static bool parse_address(const char *text, uint8_t ret_bytes[16], bool *ret_is_v4)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	*ret_is_v4 = inet_pton(AF_INET, text, ret_bytes + 12) == 1;
	if (*ret_is_v4) {
		memcpy(ret_bytes, mapped, sizeof(mapped));
		return true;
	}
	return inet_pton(AF_INET6, text, ret_bytes) == 1;
}

static bool network_has(const char *network, const uint8_t address[16])
{
	char base[INET6_ADDRSTRLEN];
	uint8_t bytes[16];
	bool is_v4;
	int64_t bits;
	const char *slash = strchr(network, '/');
	if (!slash || (size_t)(slash - network) >= sizeof(base))
		return false;
	memcpy(base, network, (size_t)(slash - network));
	base[slash - network] = '\0';
	if (!parse_address(base, bytes, &is_v4) || !text_to_int64(slash + 1, 0, is_v4 ? 32 : 128, &bits))
		return false;
	bits += is_v4 ? 96 : 0;
	size_t whole = (size_t)bits / 8;
	unsigned rest = (unsigned)bits % 8;
	return memcmp(bytes, address, whole) == 0 &&
	       (rest == 0 || ((bytes[whole] ^ address[whole]) >> (8 - rest)) == 0);
}

bool api_networks_have(const char *networks, const char *address)
{
	uint8_t bytes[16];
	bool is_v4;
	if (text_is_empty(networks) || text_is_empty(address) || !parse_address(address, bytes, &is_v4))
		return false;
	auto_free char *copy = xstrdup(networks);
	char *rest = copy;
	for (const char *network; (network = strsep(&rest, ","));) {
		if (network_has(network, bytes))
			return true;
	}
	return false;
}

const char *api_objects_endpoint(const struct api *api, const struct rpc_call *call)
{
	const struct api_config *config = api->config;
	return api_networks_have(config->cluster_network, call->peer_address) ? config->objects_cluster_endpoint
	                                                                      : config->objects_public_endpoint;
}
