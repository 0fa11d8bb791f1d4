/*
 * What PID 1 has to run: /etc/sandbox/services.json. The file belongs to the image, so a mistake in it is a build error
 * that has to be loud: every unknown key, missing name, unknown dependency and cycle is refused with its place.
 *
 * {"prepare": {"directories": [{"path", "mode": "0700", "user"}], "remove": [PATH …], "copies": [{"from", "to"}]},
 *  "services": [{"name", "command": […], "user", "environment": {K: V}, "requires": [NAME …],
 *    "ready": {"type": "notify"|"tcp"|"unix"|"http", "address", "path", "timeout_seconds"},
 *    "restart": "always"|"never", "stop_signal": "TERM"|"INT"|"QUIT", "stop_seconds", "namespace", "endpoint_port",
 *    "hidden": bool, "autostart": bool, "background": bool}]}
 *
 * restart "never" is a step that runs once and must exit 0; its end is its readiness. autostart false waits for
 * `sandbox-init start`. background: the sandbox counts as ready without it.
 */
#ifndef SANDBOX_INIT_CONFIG_H
#define SANDBOX_INIT_CONFIG_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CONFIG_SERVICES_MAXIMUM 64

enum ready_type { READY_NOTIFY, READY_TCP, READY_UNIX, READY_HTTP, READY_EXIT };

struct service_config {
	char *name;
	char **command;                             /* NULL-terminated */
	char *user;                                 /* NULL: root */
	char **environment;                         /* "K=V", NULL-terminated */
	unsigned requires[CONFIG_SERVICES_MAXIMUM]; /* indices */
	unsigned require_count;
	enum ready_type ready;
	char *ready_address; /* "127.0.0.1:9000" or a socket's path */
	char *ready_path;    /* of READY_HTTP */
	int64_t ready_timeout_ms;
	bool once;
	int stop_signal;
	int64_t stop_ms;
	char *namespace;
	int endpoint_port; /* in the container; 0: none */
	bool hidden;       /* not in the table that users see */
	bool autostart;
	bool background; /* nobody waits for it */
};

struct prepare_directory {
	char *path;
	mode_t mode;
	char *user; /* NULL: root */
};

struct prepare_copy {
	char *from;
	char *to;
};

struct init_config {
	struct service_config *services;
	unsigned service_count;
	struct prepare_directory *directories;
	unsigned directory_count;
	struct prepare_copy *copies;
	unsigned copy_count;
	char **removals;
	unsigned removal_count;
};

/* `bytes` is the file's text. Release with config_release in either case. */
int config_parse(const char *bytes, size_t length, struct init_config *ret_config, struct err *e);
int config_read(const char *path, struct init_config *ret_config, struct err *e);
void config_release(struct init_config *config);

#endif
