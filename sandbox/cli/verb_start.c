/*
 * start: image, ports, container, readiness, clients. Running already is no error; the table is shown then, too. What
 * was begun and is interrupted or cannot be started is taken back. A sandbox that starts and does not become ready is
 * kept for a look.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/arrival.h"
#include "cli/clients.h"
#include "cli/configuration.h"
#include "cli/errors.h"
#include "cli/image_source.h"
#include "cli/instance_lock.h"
#include "cli/interrupt.h"
#include "cli/launch.h"
#include "cli/preflight.h"
#include "cli/verb.h"
#include "cli/watcher.h"
#include "docker/container.h"

#include <string.h>

#define GIGABYTE INT64_C(1000000000)
#define MEBIBYTE INT64_C(1048576)

struct start_values {
	const char *image, *image_file, *registry, *pull, *source;
	const char *ports, *bind;
	const char *config;
	struct option_list port;
	struct option_list env;
	int64_t timeout_ms;
	int64_t minimum_disk; /* GB */
	int64_t memory;       /* MiB */
	int64_t ttl_ms;
	int64_t owner_pid;
	bool keep_context;
	bool no_wait;
};

#define FIELD(field) offsetof(struct start_values, field)
static const char *const pull_policies[] = { "missing", "always", "never", NULL };
static const char *const port_modes[] = { "default", "auto", NULL };

static const struct option start_options[] = {
	{ .name = "image",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(image),
	  .value = "NAME",
	  .environment = "SANDBOX_IMAGE",
	  .fallback = "flyte-sandbox:" SANDBOX_VERSION,
	  .help = "image of the sandbox" },
	{ .name = "image-file",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(image_file),
	  .value = "FILE",
	  .environment = "SANDBOX_IMAGE_FILE",
	  .help = "archive to load the image from when the engine does not have it" },
	{ .name = "registry",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(registry),
	  .value = "PREFIX",
	  .environment = "SANDBOX_REGISTRY",
	  .help = "registry to pull the image from when there is no file, e.g. ghcr.io/acme" },
	{ .name = "pull",
	  .kind = OPTION_CHOICE,
	  .offset = FIELD(pull),
	  .value = "WHEN",
	  .choices = pull_policies,
	  .fallback = "missing",
	  .help = "when to load or pull the image" },
	{ .name = "source",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(source),
	  .value = "DIR",
	  .environment = "SANDBOX_SOURCE",
	  .help = "source tree to build the image from when there is nothing else; the tree that the launcher was "
	          "built from, by default" },
	{ .name = "ports",
	  .kind = OPTION_CHOICE,
	  .offset = FIELD(ports),
	  .value = "MODE",
	  .environment = "SANDBOX_PORTS",
	  .choices = port_modes,
	  .help = "the ports that Flyte's documentation names, or free ones (instances with a --name: free ones)" },
	{ .name = "port",
	  .kind = OPTION_LIST,
	  .offset = FIELD(port),
	  .value = "NAME=PORT",
	  .help = "port of this machine for http, kubernetes, postgres or s3" },
	{ .name = "bind",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(bind),
	  .value = "ADDRESS",
	  .environment = "SANDBOX_BIND",
	  .fallback = "127.0.0.1",
	  .help = "address that the ports are bound to; the sandbox has well-known passwords, so think twice" },
	{ .name = "config",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(config),
	  .value = "FILE",
	  .environment = "SANDBOX_CONFIG",
	  .help = "configuration of the control plane; ~/.flyte/sandbox/config.yaml by default, if it is there" },
	{ .name = "env",
	  .kind = OPTION_LIST,
	  .offset = FIELD(env),
	  .value = "K=V",
	  .help = "environment variable of the sandbox's services" },
	{ .name = "memory",
	  .kind = OPTION_NUMBER,
	  .offset = FIELD(memory),
	  .value = "MIB",
	  .environment = "SANDBOX_MEMORY",
	  .fallback = "0",
	  .minimum = 0,
	  .maximum = 1 << 24,
	  .help = "memory limit of the whole sandbox in MiB; 0 sets none" },
	{ .name = "min-disk",
	  .kind = OPTION_NUMBER,
	  .offset = FIELD(minimum_disk),
	  .value = "GB",
	  .environment = "SANDBOX_MIN_DISK",
	  .fallback = "5",
	  .minimum = 0,
	  .maximum = 100000,
	  .help = "free space that the engine's disk must have; 0 skips the check" },
	{ .name = "timeout",
	  .letter = 't',
	  .kind = OPTION_SECONDS,
	  .offset = FIELD(timeout_ms),
	  .value = "TIME",
	  .environment = "SANDBOX_TIMEOUT",
	  .fallback = "300s",
	  .help = "how long the sandbox may take from its container's start to ready" },
	{ .name = "ttl",
	  .kind = OPTION_SECONDS,
	  .offset = FIELD(ttl_ms),
	  .value = "TIME",
	  .environment = "SANDBOX_TTL",
	  .help = "how long the sandbox is wanted; `sandbox prune` removes it with its state afterwards" },
	{ .name = "owner-pid",
	  .kind = OPTION_NUMBER,
	  .offset = FIELD(owner_pid),
	  .value = "PID",
	  .fallback = "0",
	  .minimum = 0,
	  .maximum = INT32_MAX,
	  .help = "process of this machine whose end removes the sandbox with its state; 0 is none" },
	{ .name = "no-wait",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(no_wait),
	  .help = "return once the container runs; clients are not configured then" },
	{ .name = "keep-context",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(keep_context),
	  .environment = "SANDBOX_KEEP_CONTEXT",
	  .help = "leave kubectl's current context alone (a new sandbox's context becomes the current one)" },
	{ .name = NULL },
};

static int check_environment(const struct option_list *list, struct err *e)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *equals = strchr(list->items[i], '=');
		if (!equals || equals == list->items[i])
			return err_set(e, ERR_USAGE, "bad-value", "--env: '%s' is not K=V", list->items[i]);
	}
	return 0;
}

static int choose_ports(struct cli *cli, const struct start_values *values, const struct sandbox *existing,
                        struct ports *ret_ports, struct port_hold *ret_hold, struct err *e)
{
	bool automatic = values->ports ? text_equal(values->ports, "auto") : !cli->instance.is_default;
	const struct port_wish wish = { .automatic = automatic,
		                        .explicit_ports = &values->port,
		                        .address = values->bind,
		                        .before = existing->state == SANDBOX_ABSENT ? NULL : &existing->ports };
	return ports_choose(cli->docker, &wish, ret_ports, ret_hold, e);
}

/* Everything up to a running container. */
static int bring_up(struct launch *launch, const struct start_values *values, const struct lifetime *lifetime,
                    const struct sandbox *existing, struct sandbox *ret_sandbox, struct err *e)
{
	struct cli *cli = launch->cli;
	const char *source = values->source ? values->source : SANDBOX_SOURCE_DIRECTORY;
	const struct image_wish wish = { .image = values->image,
		                         .file = values->image_file,
		                         .registry = values->registry,
		                         .pull = values->pull,
		                         .source = source };
	auto_free char *image_id = NULL;
	struct ports ports;
	auto_port_hold struct port_hold hold = PORT_HOLD_INIT;
	if (preflight_disk(cli, values->minimum_disk * GIGABYTE, e) < 0)
		return -1;
	/* Ports first: a taken port shall not be found out after a long build. */
	if (choose_ports(cli, values, existing, &ports, &hold, e) < 0 || image_obtain(cli, &wish, &image_id, e) < 0)
		return -1;
	const struct spec spec = {
		.instance = &cli->instance,
		.image = values->image,
		.ports = &ports,
		.environment = &values->env,
		.memory_bytes = values->memory * MEBIBYTE,
		.lifetime = lifetime,
		.missing_capabilities = docker_endpoint_is_local(&cli->endpoint) ? spec_missing_capabilities() : 0,
	};
	auto_json json_t *body = spec_build(&spec);
	if (launch_start(launch, existing, body, image_id, &ports, &hold, e) < 0)
		return -1;
	return sandbox_find(cli, ret_sandbox, e);
}

static void say_ready(struct cli *cli, bool was_running, int64_t began)
{
	if (was_running)
		cli_say(cli, "the sandbox '%s' is running", cli->instance.name);
	else
		cli_say(cli, "ready after %.1f s", (double)(clock_monotonic_ms() - began) / 1000);
}

/* What the control plane refuses does not undo the start. */
static int configure(struct cli *cli, const struct start_values *values, const struct sandbox *sandbox, struct err *e)
{
	auto_free char *file = values->config ? xstrdup(values->config) : configuration_default_file(cli);
	if (!values->config && !file_exists(file))
		return 0;
	return configuration_put(cli, sandbox, file, e);
}

static int start(struct launch *launch, const struct start_values *values, bool *ret_is_up, struct err *e)
{
	struct cli *cli = launch->cli;
	struct lifetime lifetime = { .ttl_ms = values->ttl_ms };
	auto_sandbox struct sandbox existing = SANDBOX_INIT;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_services struct services services = SERVICES_INIT;
	if (sandbox_find(cli, &existing, e) < 0)
		return -1;
	if (values->owner_pid && lifetime_set_owner(&lifetime, values->owner_pid, e) < 0)
		return -1;
	bool was_running = existing.state == SANDBOX_RUNNING;
	if (existing.state == SANDBOX_PAUSED && docker_container_unpause(cli->docker, existing.id, e) < 0)
		return -1;
	bool is_up = was_running || existing.state == SANDBOX_PAUSED;
	int64_t began = clock_monotonic_ms();
	if (lifetime.owner && !is_up && watcher_begin(cli, &lifetime, e) < 0)
		return -1;
	int outcome = is_up ? sandbox_find(cli, &sandbox, e) : bring_up(launch, values, &lifetime, &existing, &sandbox, e);
	if (outcome < 0)
		return -1;
	*ret_is_up = true;
	if (values->no_wait) {
		if (cli_wants_json(cli))
			cli_print_document(cli, sandbox_document(cli, &sandbox, NULL));
		return 0;
	}
	began = clock_monotonic_ms();
	const struct arrival arrival = { .cli = cli,
		                         .sandbox = &sandbox,
		                         .timeout_ms = values->timeout_ms,
		                         .make_current = existing.state == SANDBOX_ABSENT && !values->keep_context };
	if (arrival_wait(&arrival, &services, e) < 0)
		return -1;
	say_ready(cli, was_running, began);
	if (arrival_settle(&arrival, e) < 0)
		return -1;
	arrival_announce(&arrival, &services);
	return configure(cli, values, &sandbox, e);
}

static void take_back(struct launch *launch, bool cancelled)
{
	struct cli *cli = launch->cli;
	auto_err struct err problem = ERR_INIT;
	if (cancelled)
		cli_say(cli, "interrupted; taking back what was begun");
	bool was_new = launch->created_container;
	if (launch_take_back(launch, &problem) < 0 || (was_new && clients_forget(cli, &problem) < 0))
		cli_print_error(cli, &problem);
	else if (cancelled)
		cli_say(cli, "nothing of this start is left");
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	const struct start_values *values = context;
	auto_launch struct launch launch = LAUNCH_INIT;
	auto_instance_lock struct instance_lock lock = INSTANCE_LOCK_INIT;
	if (check_environment(&values->env, e) < 0 || instance_lock_take(cli, values->timeout_ms, &lock, e) < 0)
		return -1;
	launch_init(&launch, cli);
	bool is_up = false;
	if (start(&launch, values, &is_up, e) == 0)
		return EXIT_CODE_OK;
	/* A sandbox that came up and fails inside is evidence; everything before that, and what nobody wants any more,
	 * is rubble. */
	bool cancelled = e->kind == ERR_CANCELLED;
	bool has_begun = launch.created_container || launch.created_volume || launch.started;
	if (has_begun && (cancelled || !is_up))
		take_back(&launch, cancelled);
	return -1;
}

const struct verb verb_start = {
	.name = "start",
	.summary = "start the sandbox, and create it first if there is none",
	.arguments = "",
	.description = "Starts the sandbox and waits until every service is ready. The image is used if the engine has "
	               "it, else loaded from "
	               "--image-file, else pulled when it names a registry, else built from the source tree.\n\n"
	               "State is kept in a volume: a stopped sandbox goes on where it was. A stopped container whose "
	               "image or settings have changed is made "
	               "anew around that volume. Starting a running sandbox changes nothing and is no error.\n\n"
	               "Clients are configured: ~/.flyte/config-sandbox.yaml, ~/.flyte/sandbox/kubeconfig, and a "
	               "context in the kubeconfig, which becomes the "
	               "current one when the sandbox is new. Ctrl-C takes back what was begun.",
	.examples = "sandbox start\tstart, with the well-known ports\n"
	            "sandbox start --name ci1\tanother one beside it, on free ports\n"
	            "sandbox start --port http=8080\tthe console on port 8080\n"
	            "sandbox start -o json | jq -r .endpoints.console\tfor scripts",
	.options = start_options,
	.values_size = sizeof(struct start_values),
	.arguments_maximum = 0,
	.run = run,
};
