/* The container of an instance as the engine has it, and what its PID 1 says. "Absent" is only ever the engine's own
 * 404. */
#ifndef SANDBOX_CLI_INSTANCE_SANDBOX_H
#define SANDBOX_CLI_INSTANCE_SANDBOX_H

#include "cli/framework/cli.h"
#include "cli/instance/ports.h"
#include "cli/instance/services.h"
#include "cli/instance/status_port.h"

enum sandbox_state { SANDBOX_ABSENT, SANDBOX_STOPPED, SANDBOX_PAUSED, SANDBOX_RUNNING };

struct sandbox {
	enum sandbox_state state;
	char *id;
	char *image;         /* as it was named at creation */
	char *image_id;      /* "sha256:…" */
	char *specification; /* hash of what it was created from (spec.h) */
	char *created_at;    /* RFC 3339 */
	char *started_at;    /* RFC 3339 */
	json_t *labels;      /* of the container */
	json_t *environment; /* of the container: array of "K=V" */
	int64_t memory_bytes; /* its limit; 0: none */
	int exit_code;       /* of the last run when stopped */
	bool out_of_memory;  /* killed for it */
	struct ports ports;
	struct status_port status_port;
};

#define SANDBOX_INIT                                                                                                   \
	{                                                                                                              \
		.state = SANDBOX_ABSENT                                                                                \
	}
#define auto_sandbox __attribute__((cleanup(sandbox_release)))
void sandbox_release(struct sandbox *sandbox);

/* What a ContainerInspect says. */
void sandbox_of_container(const struct cli *cli, const json_t *container, struct sandbox *ret_sandbox);
/* Connects and asks. ERR_CONFLICT "foreign-container" when a container of that name is not one of ours. */
int sandbox_find(struct cli *cli, struct sandbox *ret_sandbox, struct err *e);
/* As sandbox_find, but "sandbox-absent" (ERR_NOT_FOUND) when there is none. */
int sandbox_require(struct cli *cli, struct sandbox *ret_sandbox, struct err *e);
/* As sandbox_find, but anything but a running sandbox is an error with the next step: "sandbox-absent",
 * "sandbox-stopped", "sandbox-paused". */
int sandbox_require_running(struct cli *cli, struct sandbox *ret_sandbox, struct err *e);

/* What PID 1 says now: by the status port where there is one, else by an exec. */
int sandbox_services(struct cli *cli, const struct sandbox *sandbox, struct services *ret_services, struct err *e);

/* "absent", "stopped", "crashed", "paused", "starting", "degraded", "running". `services` may be NULL. */
const char *sandbox_state_text(const struct sandbox *sandbox, const struct services *services);
/* {"console", "grpc", "kubernetes", "s3", "postgres"}: addresses, null where no port is published. A new reference. */
json_t *sandbox_endpoints(const struct sandbox *sandbox);
/* The document of `status -o json` (docs/guide/status.md). Either of the last two may be NULL. */
json_t *sandbox_document(const struct cli *cli, const struct sandbox *sandbox, const struct services *services);

/* {"name":…,"state":…} for verbs that change the state. */
json_t *sandbox_short_document(const struct cli *cli, const char *state);

#endif
