/* The settings, each with its default, its place in the file, its environment variable and its meaning. */
#include "controlplane/settings/settings_internal.h"

#include "base/text.h"

#define FIELD(name) offsetof(struct settings, name)
#define AMOUNT(set, resource) offsetof(struct settings, task_resources.set.amounts) + (resource) * sizeof(const char *)

/* Of the process: variable, field, default. */
#define PROCESS_TEXT(variable, field, fallback, help) { NULL, variable, fallback, SETTING_TEXT, FIELD(field), 0, 0, help }
#define PROCESS_NUMBER(variable, field, fallback, minimum, maximum, help)                                              \
	{ NULL, variable, fallback, SETTING_NUMBER, FIELD(field), minimum, maximum, help }
/* Of the file. */
#define IN_FILE(path, variable, kind, field, fallback, help) { path, variable, fallback, kind, FIELD(field), 0, 0, help }
#define NUMBER(path, variable, field, fallback, minimum, maximum, help)                                                \
	{ path, variable, fallback, SETTING_NUMBER, FIELD(field), minimum, maximum, help }
#define DURATION(path, field, fallback, minimum_ms, maximum_ms, help)                                                  \
	{ path, NULL, fallback, SETTING_DURATION, FIELD(field), minimum_ms, maximum_ms, help }
#define QUANTITY(path, variable, set, resource, fallback, help)                                                        \
	{ path, variable, fallback, SETTING_QUANTITY, AMOUNT(set, resource), 0, 0, help }

#define MEBIBYTES_MAXIMUM 4096

/* clang-format off */
const struct setting settings_table[] = {
	PROCESS_TEXT("FLYTE_CONFIG_FILE", file, "/var/lib/sandbox/config/config.yaml", "the YAML file with the settings below; need not be there; empty: none"),
	PROCESS_TEXT("FLYTE_LISTEN_ADDRESS", listen_address, "0.0.0.0", "address of the one port for gRPC, REST and console"),
	PROCESS_NUMBER("FLYTE_PORT", port, "30080", 1, 65535, "that port"),
	PROCESS_TEXT("FLYTE_CONSOLE_DIRECTORY", console_directory, "/usr/share/sandbox/console", "static files served below /console/"),
	PROCESS_NUMBER("FLYTE_DEBUG_PAGES", debug_pages, "0", 0, 1, "1: serve /debug/memory, /debug/engine and /debug/connections"),
	PROCESS_TEXT("FLYTE_DATABASE_URL", database_url, "postgresql://postgres:postgres@127.0.0.1:5432/flyte", "Postgres, as libpq reads it"),
	PROCESS_NUMBER("FLYTE_DATABASE_CONNECTIONS", database_connections, "12", 2, 1000, "size of the connection pool"),
	PROCESS_TEXT("FLYTE_KUBECONFIG", kubeconfig, "/var/lib/sandbox/kubernetes/kubeconfig.yaml", "cluster that runs the tasks; empty: the service account of this pod"),
	PROCESS_TEXT("FLYTE_NAMESPACE", platform_namespace, "flyte", "namespace of the platform: of PodTemplates for all projects and of the webhook's certificate; any other than `flyte` also tells our pods from those of another control plane on the same cluster"),
	PROCESS_TEXT("FLYTE_S3_ENDPOINT", objects_endpoint, "http://127.0.0.1:9000", "object store, as this process reaches it"),
	PROCESS_TEXT("FLYTE_S3_ACCESS_KEY", objects_access_key, "minio", "its access key"),
	PROCESS_TEXT("FLYTE_S3_SECRET_KEY", objects_secret_key, "miniostorage", "its secret key"),
	PROCESS_TEXT("FLYTE_S3_REGION", objects_region, "us-east-1", "its region"),
	PROCESS_TEXT("FLYTE_S3_BUCKET", bucket, "my-s3-bucket", "bucket for metadata and data"),
	PROCESS_TEXT("FLYTE_S3_PUBLIC_ENDPOINT", objects_public_endpoint, "http://localhost:30002", "object store, as clients outside reach it"),
	PROCESS_TEXT("FLYTE_S3_CLUSTER_ENDPOINT", objects_cluster_endpoint, "http://flyte-sandbox-minio.flyte:9000", "object store, as pods reach it"),
	PROCESS_TEXT("FLYTE_CLUSTER_NETWORK", cluster_network, "10.42.0.0/16", "addresses of pods: they are given the pods' endpoint"),
	PROCESS_TEXT("FLYTE_PLATFORM_ENDPOINT", platform_endpoint, "flyte-sandbox-grpc.flyte:8089", "this API, as pods reach it"),
	PROCESS_TEXT("SANDBOX_PUBLIC_ENDPOINT", public_endpoint, "", "API and console, as browsers reach them, like `http://localhost:30080`; empty: not told to tasks"),
	PROCESS_TEXT("FLYTE_ADMISSION_HOST", admission_host, "127.0.0.1", "where Kubernetes finds the webhook that puts secrets into pods that others make: an address, or `NAME.NAMESPACE.svc` for a Service; empty: no webhook"),
	PROCESS_NUMBER("FLYTE_ADMISSION_PORT", admission_port, "9443", 1, 65535, "its port"),
	PROCESS_NUMBER("FLYTE_API_WORKERS", api_workers, "8", 1, 256, "threads that answer calls"),
	PROCESS_NUMBER("FLYTE_ENGINE_WORKERS", engine_workers, "4", 1, 256, "threads that advance executions"),
	PROCESS_NUMBER("FLYTE_ARRAY_MAXIMUM", array_maximum, "5000", 1, 100000, "elements of one map task"),
	PROCESS_NUMBER("FLYTE_ARRAY_PARALLELISM", array_parallelism, "250", 1, 100000, "elements of one map task that run at a time, when it does not set a smaller concurrency"),

	IN_FILE("logger.level", "FLYTE_LOG_LEVEL", SETTING_LOG_LEVEL, log_level, "info", "debug, info, warn or error"),
	IN_FILE("domains", NULL, SETTING_DOMAINS, domains,
		"[{id: development, name: development}, {id: staging, name: staging}, {id: production, name: production}]",
		"the domains that every project has: a list of `{id, name}`"),

	NUMBER("flyteadmin.maxParallelism", NULL, max_parallelism, "25", 0, INT32_MAX, "nodes of an execution that run at once; 0: no limit"),
	IN_FILE("flyteadmin.labels", NULL, SETTING_LABELS, labels, "{}", "labels of executions that have none of their own"),
	IN_FILE("flyteadmin.annotations", NULL, SETTING_MAP, annotations, "{}", "annotations of executions that have none of their own"),
	IN_FILE("flyteadmin.envs", NULL, SETTING_ENVIRONMENT, environment, "{}", "environment variables of executions that have none of their own"),
	IN_FILE("flyteadmin.k8sServiceAccount", NULL, SETTING_TEXT, service_account, "", "service account of executions that name no identity"),
	IN_FILE("flyteadmin.assumableIamRole", NULL, SETTING_TEXT, iam_role, "", "IAM role of executions that name no identity"),
	IN_FILE("flyteadmin.outputLocationPrefix", NULL, SETTING_TEXT, output_location_prefix, "", "where executions write raw data, like `s3://my-s3-bucket/data`"),
	IN_FILE("flyteadmin.interruptible", NULL, SETTING_BOOLEAN, interruptible, "false", "executions that do not say are interruptible"),
	IN_FILE("flyteadmin.overwriteCache", NULL, SETTING_BOOLEAN, overwrite_cache, "false", "executions compute what is cached anew"),
	IN_FILE("flyteadmin.consoleUrl", NULL, SETTING_URL, console_url, "", "console, as users reach it: tasks find the page of their attempt in FLYTE_EXECUTION_URL; empty: `/console` of the sandbox's own address"),
	IN_FILE("clusterPoolAssignments", NULL, SETTING_POOLS, cluster_pools, "{}", "cluster pool of a domain's executions: `{production: {pool: p}}`; shown with the execution"),

	NUMBER("registration.maxWorkflowNodes", NULL, workflow_node_maximum, "100", 0, 1000000, "nodes of a workflow without start and end; 0: no limit"),
	NUMBER("registration.maxLabelEntries", NULL, label_maximum, "0", 0, 1000000, "labels of an execution; 0: no limit"),
	NUMBER("registration.maxAnnotationEntries", NULL, annotation_maximum, "0", 0, 1000000, "annotations of an execution; 0: no limit"),

	QUANTITY("task_resources.defaults.cpu", "FLYTE_TASK_CPU_REQUEST", defaults, RESOURCE_CPU, "100m", "requested for a task that asks for no CPU"),
	QUANTITY("task_resources.defaults.memory", "FLYTE_TASK_MEMORY_REQUEST", defaults, RESOURCE_MEMORY, "200Mi", "requested for a task that asks for no memory"),
	QUANTITY("task_resources.defaults.gpu", NULL, defaults, RESOURCE_GPU, "", "requested for a task that asks for no GPU"),
	QUANTITY("task_resources.defaults.ephemeralStorage", NULL, defaults, RESOURCE_EPHEMERAL_STORAGE, "", "requested for a task that asks for no ephemeral storage"),
	QUANTITY("task_resources.defaultLimits.memory", "FLYTE_TASK_MEMORY_LIMIT", default_limits, RESOURCE_MEMORY, "1Gi", "limit of a task that says nothing about memory; empty: its request"),
	QUANTITY("task_resources.limits.cpu", NULL, limits, RESOURCE_CPU, "", "CPU that no task may exceed; empty: none"),
	QUANTITY("task_resources.limits.memory", NULL, limits, RESOURCE_MEMORY, "", "memory that no task may exceed; empty: none"),
	QUANTITY("task_resources.limits.gpu", NULL, limits, RESOURCE_GPU, "", "GPUs that no task may exceed; empty: none"),
	QUANTITY("task_resources.limits.ephemeralStorage", NULL, limits, RESOURCE_EPHEMERAL_STORAGE, "", "ephemeral storage that no task may exceed; empty: none"),

	IN_FILE("plugins.k8s.default-env-vars", NULL, SETTING_ENVIRONMENT, pod_environment, "{}", "environment variables of every task's containers"),
	IN_FILE("plugins.k8s.default-labels", NULL, SETTING_LABELS, pod_labels, "{}", "labels of every task's pod"),
	IN_FILE("plugins.k8s.default-annotations", NULL, SETTING_MAP, pod_annotations, "{}", "annotations of every task's pod"),
	IN_FILE("plugins.k8s.default-node-selector", NULL, SETTING_LABELS, pod_node_selector, "{}", "labels of the nodes for every task"),
	IN_FILE("plugins.k8s.default-tolerations", NULL, SETTING_TOLERATIONS, pod_tolerations, "[]", "tolerations of every task's pod"),
	IN_FILE("plugins.k8s.default-pod-template-name", "FLYTE_POD_TEMPLATE", SETTING_TEXT, pod_template, "", "PodTemplate below every task that names none: in the task's namespace, or in `flyte`"),
	IN_FILE("plugins.k8s.co-pilot.image", "FLYTE_COPILOT_IMAGE", SETTING_TEXT, copilot_image, "sandbox.local/copilot:1", "image that loads and uploads the files of ContainerTasks"),
	IN_FILE("plugins.k8s.interruptible-node-selector", "FLYTE_INTERRUPTIBLE_NODE_SELECTOR", SETTING_LABELS, interruptible_node_selector, "{}", "labels of the nodes for interruptible tasks"),
	IN_FILE("plugins.k8s.interruptible-tolerations", "FLYTE_INTERRUPTIBLE_TOLERATIONS", SETTING_TOLERATIONS, interruptible_tolerations, "[]", "tolerations of interruptible tasks"),
	IN_FILE("plugins.k8s.gpu-device-node-label", "FLYTE_GPU_DEVICE_LABEL", SETTING_TEXT, gpu_device_label, "k8s.amazonaws.com/accelerator", "label by which nodes tell the model of their GPUs"),
	IN_FILE("plugins.k8s.gpu-partition-size-node-label", "FLYTE_GPU_PARTITION_LABEL", SETTING_TEXT, gpu_partition_label, "k8s.amazonaws.com/gpu-partition-size", "label by which nodes tell the size of their GPUs' parts"),
	IN_FILE("plugins.logs.kubernetes-enabled", NULL, SETTING_BOOLEAN, log_kubernetes, "false", "attempts of tasks have the link `Kubernetes Logs`"),
	IN_FILE("plugins.logs.kubernetes-template-uri", NULL, SETTING_TEXT, log_kubernetes_template, "", "where that leads, like `https://dashboard/#/log/{{ .namespace }}/{{ .podName }}/pod`; also known are logName, hostname, containerName, generatedName, nodeID, taskID, taskProject, taskDomain, taskVersion, taskRetryAttempt, executionName, executionProject and executionDomain"),
	IN_FILE("plugins.logs.templates", NULL, SETTING_LOG_TEMPLATES, log_templates, "[]", "further links: a list of `{displayName: NAME, templateUris: [URL]}`"),

	IN_FILE("plugins.connector-service.defaultConnector", NULL, SETTING_CONNECTOR, connector_default, "{}", "connector of every task type that it says it supports: `{endpoint: HOST:PORT, insecure: true, defaultTimeout: 10s, timeouts: {CreateTask: 30s}}`; empty: none"),
	IN_FILE("plugins.connector-service.connectors", NULL, SETTING_CONNECTORS, connectors, "{}", "further connectors, by name; what they support goes before the default one: `{mine: {endpoint: HOST:PORT}}`"),
	IN_FILE("plugins.connector-service.connectorForTaskTypes", NULL, SETTING_ASSIGNMENTS, connector_assignments, "{}", "connector of a task type, whatever connectors say: `{my_type: mine}`"),
	IN_FILE("plugins.connector-service.supportedTaskTypes", NULL, SETTING_TASK_TYPES, connector_task_types, "[]", "task types of the default connector, besides those that it tells of"),
	DURATION("plugins.connector-service.pollInterval", connector_list_ms, "10s", 1000, 3600000, "how often connectors are asked what they support"),
	DURATION("plugins.connector-service.webApi.caching.resyncInterval", connector_poll_ms, "5s", 100, 3600000, "how often a connector is asked for the state of a task, once the first questions, which come faster, have passed"),
	NUMBER("plugins.connector-service.webApi.caching.maxSystemFailures", NULL, connector_failure_maximum, "5", 0, 1000, "errors in answer to this question, in a row, after which the task fails"),
	DURATION("plugins.connector-service.unreachableTimeout", connector_unreachable_ms, "10m", 0, 604800000, "how long a connector that cannot be reached is waited for before its tasks fail"),

	IN_FILE("tls.caFile", "SSL_CERT_FILE", SETTING_TEXT, ca_file, "", "PEM file with the certificate authorities by which connectors, mail server and webhook are known, the only ones then; empty: those of the system"),

	IN_FILE("notifications.emailer.emailServerConfig.smtpServer", NULL, SETTING_TEXT, smtp_server, "", "mail server for notifications; empty: none are mailed"),
	NUMBER("notifications.emailer.emailServerConfig.smtpPort", NULL, smtp_port, "25", 1, 65535, "its port"),
	IN_FILE("notifications.emailer.emailServerConfig.smtpUsername", NULL, SETTING_TEXT, smtp_username, "", "who signs in there; empty: nobody"),
	IN_FILE("notifications.emailer.emailServerConfig.smtpPasswordFile", NULL, SETTING_TEXT, smtp_password_file, "", "file with the password alone"),
	IN_FILE("notifications.emailer.emailServerConfig.smtpTLS", NULL, SETTING_SMTP_TLS, smtp_tls, "offered", "offered: STARTTLS when the server has it; required: or nothing is sent; implicit: from the first byte; never"),
	IN_FILE("notifications.emailer.emailServerConfig.smtpSkipTLSVerify", NULL, SETTING_BOOLEAN, smtp_trust_any, "false", "take any certificate of the mail server"),
	IN_FILE("notifications.emailer.sender", NULL, SETTING_TEXT, mail_sender, "flyte@localhost.localdomain", "sender of the mails"),
	IN_FILE("notifications.emailer.subject", NULL, SETTING_TEXT, mail_subject, "Execution {{ name }} has {{ phase }} in {{ project }}/{{ domain }}", "template of their subject"),
	IN_FILE("notifications.emailer.body", NULL, SETTING_TEXT, mail_body, "Execution <b>{{ name }}</b> of {{ workflow.name }}, version {{ workflow.version }}, has {{ phase }} in {{ project }}/{{ domain }}.{{ error }}", "template of what they say: HTML"),
	IN_FILE("notifications.webhook.url", NULL, SETTING_URL, webhook_url, "", "address that is called for each notification; empty: none"),
	IN_FILE("notifications.webhook.tokenFile", NULL, SETTING_TEXT, webhook_token_file, "", "file with a token that it is sent as `Authorization: Bearer`"),
	NUMBER("notifications.maxAttempts", NULL, notification_attempts, "12", 1, 100, "attempts to send a notification before it is given up"),

	NUMBER("propeller.max-ttl-hours", NULL, pod_ttl_hours, "23", 0, 87600, "hours for which the pods of an execution stay after its end, with their logs; 0: for ever"),
	NUMBER("propeller.max-ended-pods", NULL, ended_pods_maximum, "250", 0, 20000, "pods that have ended and stay, with their logs: when more have, the oldest go whose execution has ended; 0: all stay"),
	NUMBER("propeller.node-config.default-max-attempts", NULL, default_maximum_attempts, "1", 1, 1000, "attempts of a node that asks for no retries"),
	NUMBER("propeller.node-config.max-node-retries-system-failures", NULL, system_retries, "3", 0, 1000, "further attempts of a task for failures of the system, which do not count against its retries"),
	NUMBER("propeller.node-config.interruptible-failure-threshold", NULL, interruptible_threshold, "-1", -1000, 1000, "failures of the system after which an interruptible task is no longer run as one; below 0: so many before the last attempt"),
	IN_FILE("propeller.node-config.ignore-retry-cause", NULL, SETTING_BOOLEAN, ignore_retry_cause, "false", "failures of the system count against a task's retries, and have none of their own"),
	IN_FILE("propeller.literal-offloading-config.enabled", NULL, SETTING_BOOLEAN, literal_offloading, "false", "tasks and map tasks write large literals into objects of their own"),
	NUMBER("propeller.literal-offloading-config.min-size-in-mb-for-offloading", NULL, literal_offloading_minimum_mb, "10", 1, MEBIBYTES_MAXIMUM, "from this size on"),
	NUMBER("propeller.literal-offloading-config.max-size-in-mb-for-offloading", NULL, literal_offloading_maximum_mb, "1000", 1, MEBIBYTES_MAXIMUM, "up to this size"),
	NUMBER("storage.limits.maxDownloadMBs", NULL, object_maximum_mb, "256", 1, MEBIBYTES_MAXIMUM, "MiB of one outputs.pb or error.pb; a task whose outputs are larger fails"),

	IN_FILE("cluster_resources.templatePath", NULL, SETTING_TEXT, cluster_resource_templates, "", "directory of YAML templates, applied in every namespace of a project; empty: a Namespace, and the ResourceQuota `project-quota` where projectQuotaCpu or projectQuotaMemory is given"),
	IN_FILE("cluster_resources.templateData", NULL, SETTING_DATA, cluster_resource_data, "{}", "values of template variables: `{name: {value: v}}`, or `{name: {valueFrom: {env: VARIABLE}}}`, or `{… filePath: FILE}`"),
	IN_FILE("cluster_resources.customData", NULL, SETTING_DOMAIN_DATA, cluster_resource_domain_data, "{}", "such values for a domain: `{production: [{projectQuotaCpu: {value: \"5\"}}]}`"),
};
/* clang-format on */
const size_t settings_table_size = ARRAY_LENGTH(settings_table);

static const char *shown_default(const struct setting *setting)
{
	return *setting->fallback ? setting->fallback : "empty";
}

void settings_print_help(FILE *out)
{
	fputs("usage: flyte-controlplane [--check-config FILE]\n\n"
	      "Serves the Flyte API and runs executions. Where it runs is told by environment variables:\n\n",
	      out);
	for (size_t i = 0; i < settings_table_size; i++) {
		const struct setting *setting = &settings_table[i];
		if (!setting->path)
			fprintf(out, "  %-28s %s\n  %-28s (default: %s)\n", setting->variable, setting->help, "",
			        shown_default(setting));
	}
	fputs("\nHow it behaves, by the file that FLYTE_CONFIG_FILE names; a variable in brackets overrides it:\n\n", out);
	for (size_t i = 0; i < settings_table_size; i++) {
		const struct setting *setting = &settings_table[i];
		if (setting->path)
			fprintf(out, "  %s%s%s%s\n      %s\n      (default: %s)\n", setting->path,
			        setting->variable ? " [" : "", setting->variable ? setting->variable : "",
			        setting->variable ? "]" : "", setting->help, shown_default(setting));
	}
}

void settings_print_markdown(FILE *out)
{
	fputs("| Setting | Default | Meaning |\n|---|---|---|\n", out);
	for (size_t i = 0; i < settings_table_size; i++) {
		const struct setting *setting = &settings_table[i];
		if (!setting->path)
			continue;
		fprintf(out, "| `%s`", setting->path);
		if (setting->variable)
			fprintf(out, " (`%s`)", setting->variable);
		fprintf(out, " | %s%s%s | %s |\n", *setting->fallback ? "`" : "", setting->fallback,
		        *setting->fallback ? "`" : "", setting->help);
	}
	fputs("\n| Variable of the process | Default | Meaning |\n|---|---|---|\n", out);
	for (size_t i = 0; i < settings_table_size; i++) {
		const struct setting *setting = &settings_table[i];
		if (!setting->path)
			fprintf(out, "| `%s` | %s%s%s | %s |\n", setting->variable, *setting->fallback ? "`" : "",
			        setting->fallback, *setting->fallback ? "`" : "", setting->help);
	}
}
