#include "controlplane/config.h"

#include "base/text.h"

#include <stddef.h>
#include <stdlib.h>

enum setting_kind { SETTING_TEXT, SETTING_NUMBER };

struct setting {
	const char *variable;
	const char *fallback;
	enum setting_kind kind;
	size_t offset;
	int64_t minimum, maximum; /* of a number */
	const char *help;
};

#define TEXT(variable, field, fallback, help) { variable, fallback, SETTING_TEXT, offsetof(struct config, field), 0, 0, help }
#define NUMBER(variable, field, fallback, minimum, maximum, help) \
	{ variable, fallback, SETTING_NUMBER, offsetof(struct config, field), minimum, maximum, help }

static const struct setting settings[] = {
	TEXT("FLYTE_LISTEN_ADDRESS", listen_address, "0.0.0.0", "address of the one port for gRPC, REST and console"),
	NUMBER("FLYTE_PORT", port, "30080", 1, 65535, "that port"),
	TEXT("FLYTE_CONSOLE_DIRECTORY", console_directory, "/usr/share/sandbox/console", "static files served below /console/"),
	TEXT("FLYTE_LOG_LEVEL", log_level, "info", "debug, info, warn or error"),
	NUMBER("FLYTE_DEBUG_PAGES", debug_pages, "0", 0, 1, "1: serve /debug/memory, /debug/engine and /debug/connections"),
	TEXT("FLYTE_DATABASE_URL", database_url, "postgresql://postgres:postgres@127.0.0.1:5432/flyte", "Postgres, as libpq reads it"),
	NUMBER("FLYTE_DATABASE_CONNECTIONS", database_connections, "12", 2, 1000, "size of the connection pool"),
	TEXT("FLYTE_KUBECONFIG", kubeconfig, "/var/lib/sandbox/kubernetes/kubeconfig.yaml",
	     "cluster that runs the tasks; empty: the service account of this pod"),
	TEXT("FLYTE_S3_ENDPOINT", objects_endpoint, "http://127.0.0.1:9000", "object store, as this process reaches it"),
	TEXT("FLYTE_S3_ACCESS_KEY", objects_access_key, "minio", "its access key"),
	TEXT("FLYTE_S3_SECRET_KEY", objects_secret_key, "miniostorage", "its secret key"),
	TEXT("FLYTE_S3_REGION", objects_region, "us-east-1", "its region"),
	TEXT("FLYTE_S3_BUCKET", bucket, "my-s3-bucket", "bucket for metadata and data"),
	TEXT("FLYTE_S3_PUBLIC_ENDPOINT", objects_public_endpoint, "http://localhost:30002", "object store, as clients outside reach it"),
	TEXT("FLYTE_S3_CLUSTER_ENDPOINT", objects_cluster_endpoint, "http://flyte-sandbox-minio.flyte:9000",
	     "object store, as pods reach it"),
	TEXT("FLYTE_CLUSTER_NETWORK", cluster_network, "10.42.0.0/16", "addresses of pods: they are given the pods' endpoint"),
	TEXT("FLYTE_PLATFORM_ENDPOINT", platform_endpoint, "flyte-sandbox-grpc.flyte:8089", "this API, as pods reach it"),
	TEXT("FLYTE_TASK_CPU_REQUEST", cpu_request, "100m", "requested for a task that asks for no CPU"),
	TEXT("FLYTE_TASK_MEMORY_REQUEST", memory_request, "200Mi", "requested for a task that asks for no memory"),
	TEXT("FLYTE_TASK_MEMORY_LIMIT", memory_limit, "1Gi", "limit of a task that says nothing about memory; empty: none"),
	TEXT("FLYTE_COPILOT_IMAGE", copilot_image, "sandbox.local/copilot:1", "image that loads and uploads the files of ContainerTasks"),
	TEXT("FLYTE_POD_TEMPLATE", pod_template, "",
	     "PodTemplate below every task that names none: in the task's namespace, or in `flyte`"),
	TEXT("FLYTE_INTERRUPTIBLE_NODE_SELECTOR", interruptible_node_selector, "",
	     "JSON object: labels of the nodes for interruptible tasks"),
	TEXT("FLYTE_INTERRUPTIBLE_TOLERATIONS", interruptible_tolerations, "", "JSON list: tolerations of interruptible tasks"),
	TEXT("FLYTE_GPU_DEVICE_LABEL", gpu_device_label, "k8s.amazonaws.com/accelerator",
	     "label by which nodes tell the model of their GPUs"),
	TEXT("FLYTE_GPU_PARTITION_LABEL", gpu_partition_label, "k8s.amazonaws.com/gpu-partition-size",
	     "label by which nodes tell the size of their GPUs' parts"),
	TEXT("FLYTE_ADMISSION_HOST", admission_host, "127.0.0.1",
	     "where Kubernetes finds the webhook that puts secrets into pods that others make; empty: no webhook"),
	NUMBER("FLYTE_ADMISSION_PORT", admission_port, "9443", 1, 65535, "its port"),
	NUMBER("FLYTE_API_WORKERS", api_workers, "8", 1, 256, "threads that answer calls"),
	NUMBER("FLYTE_ENGINE_WORKERS", engine_workers, "4", 1, 256, "threads that advance executions"),
	NUMBER("FLYTE_ARRAY_MAXIMUM", array_maximum, "5000", 1, 100000, "elements of one map task"),
	NUMBER("FLYTE_ARRAY_PARALLELISM", array_parallelism, "250", 1, 100000,
	       "elements of one map task that run at a time, when it does not set a smaller concurrency"),
};

int config_from_environment(struct config *ret_config, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
		const struct setting *setting = &settings[i];
		const char *value = getenv(setting->variable);
		if (!value)
			value = setting->fallback;
		char *field = (char *)ret_config + setting->offset;
		if (setting->kind == SETTING_TEXT)
			*(const char **)(void *)field = value;
		else if (!text_to_int64(value, setting->minimum, setting->maximum, (int64_t *)(void *)field))
			return err_set(e, ERR_INVALID, "bad-setting", "%s is '%s' but must be a number from %lld to %lld",
				       setting->variable, value, (long long)setting->minimum, (long long)setting->maximum);
	}
	enum log_level level;
	if (log_level_from_text(ret_config->log_level, &level) < 0)
		return err_set(e, ERR_INVALID, "bad-setting", "FLYTE_LOG_LEVEL is '%s' but must be debug, info, warn or error",
			       ret_config->log_level);
	log_set_level(level);
	return 0;
}

void config_print_help(FILE *out)
{
	fputs("usage: flyte-controlplane\n\nServes the Flyte API and runs executions. Configured by environment variables:\n\n", out);
	for (size_t i = 0; i < ARRAY_LENGTH(settings); i++)
		fprintf(out, "  %-28s %s\n  %-28s (default: %s)\n", settings[i].variable, settings[i].help, "",
			*settings[i].fallback ? settings[i].fallback : "empty");
}
