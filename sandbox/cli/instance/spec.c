#include "cli/instance/spec.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/instance/status_port.h"
#include "docker/client.h"

#include <inttypes.h>
#include <string.h>

#define PIDS_LIMIT 65536
#define SHM_BYTES INT64_C(268435456)

/* In the kernel's order (linux/capability.h). `dropped` says why the sandbox can do without. */
static const struct {
	const char *name;
	bool dropped;
} capabilities[] = {
	{ "CHOWN", false },
	{ "DAC_OVERRIDE", false },
	{ "DAC_READ_SEARCH", false },
	{ "FOWNER", false },
	{ "FSETID", false },
	{ "KILL", false },
	{ "SETGID", false },
	{ "SETUID", false },
	{ "SETPCAP", false },
	{ "LINUX_IMMUTABLE", true },
	{ "NET_BIND_SERVICE", false },
	{ "NET_BROADCAST", true },
	{ "NET_ADMIN", false },
	{ "NET_RAW", false },
	{ "IPC_LOCK", false },
	{ "IPC_OWNER", true },
	{ "SYS_MODULE", true },
	{ "SYS_RAWIO", true },
	{ "SYS_CHROOT", false },
	{ "SYS_PTRACE", false },
	{ "SYS_PACCT", true },
	{ "SYS_ADMIN", false },
	{ "SYS_BOOT", true },
	{ "SYS_NICE", false },
	{ "SYS_RESOURCE", false },
	{ "SYS_TIME", true },
	{ "SYS_TTY_CONFIG", true },
	{ "MKNOD", false },
	{ "LEASE", true },
	{ "AUDIT_WRITE", false },
	{ "AUDIT_CONTROL", true },
	{ "SETFCAP", false },
	{ "MAC_OVERRIDE", true },
	{ "MAC_ADMIN", true },
	{ "SYSLOG", false },
	{ "WAKE_ALARM", true },
	{ "BLOCK_SUSPEND", true },
	{ "AUDIT_READ", true },
	{ "PERFMON", true },
	{ "BPF", true },
	{ "CHECKPOINT_RESTORE", true },
};

static json_t *capability_list(uint64_t missing)
{
	json_t *list = json_array();
	for (size_t i = 0; i < ARRAY_LENGTH(capabilities); i++) {
		if (!capabilities[i].dropped && !(missing >> i & 1))
			json_array_append_new(list, json_string(capabilities[i].name));
	}
	return list;
}

/* Podman's API passes over MaskedPaths and ReadonlyPaths (4.3), and has an option for what they say. */
static void adapt_to_podman(json_t *config)
{
	json_array_append_new(json_object_get(config, "SecurityOpt"), json_string("unmask=ALL"));
}

static json_t *host_config(const struct spec *spec)
{
	auto_json json_t *tmpfs = json_pack("{s:s, s:s}", "/run", "exec,mode=755", "/tmp", "exec,mode=1777");
	auto_json json_t *mounts = json_pack("[{s:s, s:s, s:s}]", "Type", "volume", "Source", spec->instance->name,
	                                     "Target", SPEC_STATE_DIRECTORY);
	auto_json json_t *devices = json_pack("[{s:s, s:s, s:s}]", "PathOnHost", "/dev/kmsg", "PathInContainer",
	                                      "/dev/kmsg", "CgroupPermissions", "rwm");
	auto_json json_t *log =
	        json_pack("{s:s, s:{s:s, s:s}}", "Type", "json-file", "Config", "max-size", "10m", "max-file", "3");
	json_t *config = json_object();
	json_object_set_new(config, "CapDrop", json_pack("[s]", "ALL"));
	json_object_set_new(config, "CapAdd", capability_list(spec->missing_capabilities));
	json_object_set_new(config, "SecurityOpt", json_pack("[ss]", "seccomp=unconfined", "apparmor=unconfined"));
	/* "systempaths=unconfined" of the docker command */
	json_object_set_new(config, "MaskedPaths", json_array());
	json_object_set_new(config, "ReadonlyPaths", json_array());
	/* Where the engine does not know of it, PID 1 makes one (sandbox/init/cgroups.h). */
	if (spec->api_minor >= DOCKER_API_CGROUP_NAMESPACE)
		json_object_set_new(config, "CgroupnsMode", json_string("private"));
	json_object_set_new(config, "DeviceCgroupRules", json_pack("[s]", "a *:* rwm"));
	json_object_set(config, "Devices", devices);
	json_object_set(config, "Tmpfs", tmpfs);
	json_object_set(config, "Mounts", mounts);
	json_object_set(config, "LogConfig", log);
	json_object_set_new(config, "PortBindings", ports_bindings(spec->ports));
	json_object_set_new(config, "PidsLimit", json_integer(PIDS_LIMIT));
	json_object_set_new(config, "ShmSize", json_integer(SHM_BYTES));
	/* A daemon may be told to put an init in front of everything; ours must be PID 1. */
	json_object_set_new(config, "Init", json_false());
	json_object_set_new(config, "RestartPolicy", json_pack("{s:s}", "Name", "no"));
	if (spec->podman)
		adapt_to_podman(config);
	if (spec->memory_bytes)
		json_object_set_new(config, "Memory", json_integer(spec->memory_bytes));
	return config;
}

static json_t *environment(const struct spec *spec)
{
	json_t *list = json_array();
	auto_free char *s3 = ports_endpoint(spec->ports, PORT_S3);
	auto_free char *http = ports_endpoint(spec->ports, PORT_HTTP);
	const char *const pairs[][2] = { { "FLYTE_S3_PUBLIC_ENDPOINT", s3 },
		                         { "SANDBOX_PUBLIC_ENDPOINT", http },
		                         { "SANDBOX_INSTANCE", spec->instance->name } };
	for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
		auto_free char *pair = xasprintf("%s=%s", pairs[i][0], pairs[i][1]);
		json_array_append_new(list, json_string(pair));
	}
	for (size_t i = 0; spec->environment && i < spec->environment->count; i++)
		json_array_append_new(list, json_string(spec->environment->items[i]));
	return list;
}

json_t *spec_labels(const struct instance_names *instance)
{
	return json_pack("{s:s, s:s}", INSTANCE_LABEL, instance->name, "dev.sandbox.version", SANDBOX_VERSION);
}

json_t *spec_build(const struct spec *spec)
{
	json_t *body = json_object();
	json_object_set_new(body, "Image", json_string(spec->image));
	json_object_set_new(body, "Hostname", json_string(spec->instance->name));
	json_object_set_new(body, "Env", environment(spec));
	json_object_set_new(body, "ExposedPorts", ports_exposed());
	json_object_set_new(body, "StopTimeout", json_integer(SPEC_STOP_SECONDS));
	json_object_set_new(body, "HostConfig", host_config(spec));
	json_object_set_new(body, "Labels", spec_labels(spec->instance));
	if (spec->settings)
		json_object_set_new(json_object_get(body, "Labels"), SPEC_SETTINGS_LABEL, json_string(spec->settings));
	status_port_publish(json_lookup(body, "HostConfig/PortBindings"), json_object_get(body, "ExposedPorts"));
	auto_free char *text = json_to_text(body);
	auto_free char *hash = xasprintf("%016" PRIx64, text_hash(text));
	json_object_set_new(json_object_get(body, "Labels"), SPEC_LABEL, json_string(hash));
	if (spec->status_token)
		status_port_give_token(json_object_get(body, "Env"), spec->status_token);
	if (spec->lifetime)
		lifetime_add_labels(spec->lifetime, json_object_get(body, "Labels"));
	return body;
}
