/*
 * The control plane's configuration: environment variables, each with the sandbox's value as its default, so that the program runs in the
 * container with none and on another cluster with a handful. `flyte-controlplane --help` prints the table of config.c, which is the only list.
 */
#ifndef SANDBOX_CONTROLPLANE_CONFIG_H
#define SANDBOX_CONTROLPLANE_CONFIG_H

#include "base/err.h"
#include "base/log.h"

#include <stdint.h>

struct config {
	const char *listen_address;
	int64_t port;
	const char *console_directory;
	const char *log_level;
	int64_t debug_pages;
	const char *database_url;
	int64_t database_connections;
	const char *kubeconfig; /* "" : the service account of our pod */
	const char *objects_endpoint, *objects_access_key, *objects_secret_key, *objects_region;
	const char *bucket;
	const char *objects_public_endpoint, *objects_cluster_endpoint;
	const char *cluster_network;
	const char *platform_endpoint; /* what pods are told as FLYTE_PLATFORM_URL */
	const char *cpu_request, *memory_request, *memory_limit;
	const char *copilot_image;
	const char *pod_template;                                         /* "": none */
	const char *interruptible_node_selector, *interruptible_tolerations; /* JSON; "": none */
	const char *gpu_device_label, *gpu_partition_label;
	const char *admission_host; /* "": no webhook */
	int64_t admission_port;
	int64_t api_workers, engine_workers;
	int64_t array_maximum, array_parallelism;
};

/* Strings point into the environment or to constants. ERR_INVALID names the variable. */
int config_from_environment(struct config *ret_config, struct err *e);
void config_print_help(FILE *out);

#endif
