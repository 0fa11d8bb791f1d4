/*
 * The control plane's settings: one immutable struct, made of defaults, one YAML file and the environment — in this
 * order, the later wins. The table in settings_table.c is the only list of them: it gives each its default, its place in
 * the file, its variable and what it means; `flyte-controlplane --help` and docs/guide/configuration.md print it. Names
 * in the file are Flyte's own (flyteadmin's, flytepropeller's and the plugins' configuration) where Flyte has the
 * setting.
 *
 * Settings are shared: whoever works with them retains them, sees the same values until he releases them, and never
 * changes them. A struct settings_holder has the current ones; what it reads anew replaces them as a whole.
 */
#ifndef SANDBOX_CONTROLPLANE_SETTINGS_SETTINGS_H
#define SANDBOX_CONTROLPLANE_SETTINGS_SETTINGS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "controlplane/settings/resource_policy.h"

#include <stdbool.h>
#include <stdint.h>

struct settings_life;

struct settings_domain {
	const char *id, *name;
};

/* Text is never NULL, "" is none, unless something else is said. JSON values belong to the struct and are never changed;
 * maps have only text as values. */
struct settings {
	/* Where we run: from the environment alone, the same for the life of the process. */
	const char *listen_address;
	int64_t port;
	const char *console_directory;
	const char *database_url;
	int64_t database_connections;
	const char *kubeconfig; /* "" : the service account of our pod */
	const char *platform_namespace;
	const char *objects_endpoint, *objects_access_key, *objects_secret_key, *objects_region;
	const char *bucket;
	const char *objects_public_endpoint, *objects_cluster_endpoint;
	const char *cluster_network;
	const char *platform_endpoint; /* what pods are told as FLYTE_PLATFORM_URL */
	const char *public_endpoint; /* of the API and the console, as browsers reach it; "": nobody knows */
	int64_t debug_pages; /* 0 or 1 */
	const char *admission_host; /* "": no webhook */
	int64_t admission_port;
	int64_t api_workers, engine_workers;
	int64_t array_maximum, array_parallelism;
	const char *file; /* the YAML file; "": none */

	const char *log_level;
	const struct settings_domain *domains; /* one at least */
	size_t domain_count;

	/* Of executions about which neither request, launch plan nor attributes say it. */
	int64_t max_parallelism;
	json_t *labels, *annotations, *environment; /* maps */
	const char *service_account, *iam_role, *output_location_prefix;
	bool interruptible, overwrite_cache;
	json_t *cluster_pools; /* map: domain -> cluster pool */

	const char *console_url; /* told to tasks; "": nobody knows */

	/* Of registrations; 0: no limit. */
	int64_t workflow_node_maximum, label_maximum, annotation_maximum;

	struct resource_policy task_resources;

	/* Of pods. */
	json_t *pod_environment, *pod_labels, *pod_annotations; /* maps */
	json_t *pod_node_selector;                              /* map */
	json_t *pod_tolerations;                                /* list of Kubernetes' Toleration */
	const char *pod_template;
	const char *copilot_image;
	json_t *interruptible_node_selector, *interruptible_tolerations;
	const char *gpu_device_label, *gpu_partition_label;
	int64_t pod_ttl_hours; /* how long pods stay after the end of their execution; 0: for ever */
	int64_t ended_pods_maximum; /* how many of them stay, whatever their age; 0: all */
	/* Links to the logs of tasks. */
	bool log_kubernetes;
	const char *log_kubernetes_template;
	json_t *log_templates; /* list of {displayName, templateUris, messageFormat, showWhilePending, hideOnceFinished} */

	/* Literals that flytekit writes beside outputs.pb. */
	int64_t default_maximum_attempts, system_retries, interruptible_threshold;
	bool ignore_retry_cause;
	bool literal_offloading;
	int64_t literal_offloading_minimum_mb, literal_offloading_maximum_mb;
	/* Of one outputs.pb or error.pb. Upstream's sandbox allows 1000; a round needs a few times the size of what it
	 * reads, and a task must not be able to end the control plane. */
	int64_t object_maximum_mb;

	/* What every namespace of a project gets. */
	const char *cluster_resource_templates; /* a directory; "": a Namespace, and a quota when values for it are given */
	json_t *cluster_resource_data;    /* map: template variable -> value */
	json_t *cluster_resource_domain_data; /* domain -> such a map */

	const char *ca_file; /* who signs the certificates of connectors, mail server and webhook; "": whom the system trusts */

	/* Of notifications about executions that have ended. */
	const char *smtp_server; /* "": no mail is sent */
	int64_t smtp_port;
	const char *smtp_username, *smtp_password_file;
	const char *smtp_tls; /* "offered", "required", "implicit" or "never" */
	bool smtp_trust_any;
	const char *mail_sender, *mail_subject, *mail_body;
	const char *webhook_url; /* "": none is called */
	const char *webhook_token_file;
	int64_t notification_attempts;

	/* Of tasks that connectors run; read the first two with settings_connector. */
	json_t *connector_default, *connectors;
	json_t *connector_assignments; /* map: task type -> connector's name */
	json_t *connector_task_types;  /* list: task types of the default connector that it does not tell of itself */
	int64_t connector_list_ms;     /* between questions for what connectors can run */
	int64_t connector_poll_ms;     /* between questions for the state of a task, at most */
	int64_t connector_failure_maximum; /* such questions that fail in a row */
	int64_t connector_unreachable_ms;  /* how long a connector that is not there is waited for */

	struct settings_life *life;
};

#define SETTINGS_FILE_MAXIMUM ((size_t)256 * 1024)

/* What FLYTE_CONFIG_FILE says, or its default. */
const char *settings_file_of_environment(void);
/* Defaults, then the file (NULL, "" or one that is not there: as an empty one), then the environment. ERR_INVALID names
 * file and line, or the variable. Released with settings_release. */
int settings_read(const char *file, const struct settings **ret_settings, struct err *e);
/* As settings_read of an empty file that `file` will replace when it is read anew. */
int settings_read_without(const char *file, const struct settings **ret_settings, struct err *e);
/* The file's text instead of the file; `environment` false: without the environment. For tests and fuzzers. */
int settings_parse(const char *text, size_t length, const char *subject, bool environment,
                   const struct settings **ret_settings, struct err *e);
/* Settings that are all default, and always there. */
const struct settings *settings_default(void);

bool settings_equal(const struct settings *a, const struct settings *b);

const struct settings *settings_retain(const struct settings *settings);
const struct settings *settings_release(const struct settings *settings);
void cleanup_settings(const struct settings **settings);
#define auto_settings __attribute__((cleanup(cleanup_settings)))

/* The value that a map has for a key, or NULL. */
const char *settings_map_get(const json_t *map, const char *key);
bool settings_has_domain(const struct settings *settings, const char *domain);

/* A place where connectors run (upstream: a deployment of connectors). Text is borrowed from the settings. */
struct settings_connector {
	const char *name;   /* CONNECTOR_DEFAULT, or a key of `connectors` */
	const char *target; /* "http://host:port", or https */
	int64_t timeout_ms; /* of a call that `timeouts` does not name */
	const json_t *timeouts; /* map: method -> milliseconds */
	const char *ca_file;    /* NULL: whom the system trusts */
};
#define CONNECTOR_DEFAULT "defaultConnector"
/* False when there is none of that name. */
bool settings_connector(const struct settings *settings, const char *name, struct settings_connector *ret_connector);
int64_t settings_connector_timeout_ms(const struct settings_connector *connector, const char *method);

/* The table, as text for a terminal or as Markdown. */
void settings_print_help(FILE *out);
void settings_print_markdown(FILE *out);

/* ---- The current settings ---- */

struct settings_holder;

/* Takes over the reference. `problem` is what is wrong with their file as it is now, or "". */
struct settings_holder *settings_holder_new(const struct settings *settings, const char *problem);
struct settings_holder *settings_holder_free(struct settings_holder *holder);
/* The current ones, retained; a NULL holder's are the defaults. Any thread. */
const struct settings *settings_current(struct settings_holder *holder);
/*
 * Reads the file anew; the settings that result become current. A bad file changes nothing: ERR_INVALID, which
 * settings_problem tells until the next good one. 1 when something changed, 0 when the values are the same.
 */
int settings_reload(struct settings_holder *holder, struct err *e);
/* What is wrong with the file, "" when nothing is. Free with free(). */
char *settings_problem(struct settings_holder *holder);
/* Follows the file from a thread of its own: `on_change` is called after every attempt to read it anew, with the error
 * or NULL. Does nothing without a file. */
int settings_follow(struct settings_holder *holder, void (*on_change)(void *context, const struct err *problem),
                    void *context, struct err *e);
/* Ends the thread. */
void settings_unfollow(struct settings_holder *holder);

#endif
