/*
 * start: checks, ports, image, container, readiness, clients. Running already is no error; the table is shown then,
 * too. What this start has made and is interrupted, cannot be started or does not become ready is taken back — with
 * --keep it stays for a look, unless it was interrupted — and its logs are kept in a bundle.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/platform.h"
#include "base/text.h"
#include "cli/clients/clients.h"
#include "cli/doctor/bundle.h"
#include "cli/doctor/checks.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/interrupt.h"
#include "cli/framework/progress_events.h"
#include "cli/framework/verb.h"
#include "cli/instance/instance_lock.h"
#include "cli/lifecycle/arrival.h"
#include "cli/lifecycle/controlplane_config.h"
#include "cli/lifecycle/first_task.h"
#include "cli/lifecycle/launch.h"
#include "cli/lifecycle/removal.h"
#include "cli/lifecycle/settings.h"
#include "cli/lifecycle/snapshot.h"
#include "cli/lifecycle/start_options.h"
#include "cli/lifecycle/watcher.h"
#include "docker/container.h"
#include "docker/image.h"

#include <string.h>

#define MEBIBYTE INT64_C(1048576)
/* The service that answers Flyte's clients. */
#define API_SERVICE "controlplane"

static json_t *container_body(const struct cli *cli, const struct start_values *values, const struct lifetime *lifetime,
                              const struct ports *ports, const char *status_token)
{
	auto_free char *settings = settings_label(cli, values);
	const struct spec spec = {
		.instance = &cli->instance,
		.image = values->image,
		.ports = ports,
		.environment = &values->env,
		.memory_bytes = values->memory * MEBIBYTE,
		.settings = settings,
		.lifetime = lifetime,
		.status_token = status_token,
		.api_minor = docker_client_api_minor(cli->docker),
		.podman = docker_client_is_podman(cli->docker),
		.missing_capabilities = docker_endpoint_is_local(&cli->endpoint) ? platform_missing_capabilities() : 0,
	};
	return spec_build(&spec);
}

static int check_and_choose_ports(struct cli *cli, const struct start_values *values, const struct sandbox *existing,
                                  struct ports *ret_ports, struct port_hold *ret_hold, struct err *e)
{
	cli_step(cli, "checks");
	if (checks_before_start(cli, start_minimum_disk(values), e) < 0)
		return -1;
	/* Ports before the image: a taken port shall not be found out after a long build. */
	cli_step(cli, "ports");
	const struct port_wish wish = start_port_wish(values, cli, existing);
	return ports_choose(cli->docker, &wish, ret_ports, ret_hold, e);
}

/* --from: the volume is there afterwards, and is ours to take back. */
static int restore(struct launch *launch, const struct start_values *values, struct err *e)
{
	cli_step(launch->cli, "restore");
	if (snapshot_restore(launch->cli, values->from, values->image, e) < 0)
		return -1;
	launch->created_volume = true;
	return 0;
}

/* Everything up to a running container. */
static int bring_up(struct launch *launch, const struct start_values *values, const struct lifetime *lifetime,
                    const struct sandbox *existing, struct sandbox *ret_sandbox, struct err *e)
{
	struct cli *cli = launch->cli;
	const struct image_wish wish = start_image_wish(values);
	auto_free char *image_id = NULL;
	struct ports ports;
	auto_port_hold struct port_hold hold = PORT_HOLD_INIT;
	char status_token[STATUS_TOKEN_SIZE];
	if (status_port_make_token(status_token, e) < 0 ||
	    check_and_choose_ports(cli, values, existing, &ports, &hold, e) < 0)
		return -1;
	cli_step(cli, "image");
	if (image_obtain(cli, &wish, &image_id, e) < 0)
		return -1;
	if (values->from && restore(launch, values, e) < 0)
		return -1;
	auto_json json_t *body = container_body(cli, values, lifetime, &ports, status_token);
	cli_step(cli, "container");
	if (launch_start(launch, existing, body, image_id, &ports, &hold, e) < 0)
		return -1;
	return sandbox_find(cli, ret_sandbox, e);
}

/* --dry-run of what runs. */
static int show_no_plan(struct cli *cli, const struct sandbox *existing)
{
	if (cli_wants_json(cli))
		cli_print_document(cli,
		                   json_pack("{s:s, s:b, s:s, s:s, s:b, s:n}", "name", cli->instance.name, "dryRun", 1,
		                             "before", existing->state == SANDBOX_PAUSED ? "paused" : "running",
		                             "image", existing->image, "imagePresent", 1, "container"));
	else
		printf("the sandbox '%s' is up already: nothing would be created\n", cli->instance.name);
	return 0;
}

/* --dry-run */
static int show_plan(struct cli *cli, const struct start_values *values, const struct lifetime *lifetime,
                     const struct sandbox *existing, struct err *e)
{
	struct ports ports;
	auto_port_hold struct port_hold hold = PORT_HOLD_INIT;
	if (check_and_choose_ports(cli, values, existing, &ports, &hold, e) < 0)
		return -1;
	auto_json json_t *image = docker_image_inspect(cli->docker, values->image, NULL);
	json_t *body = container_body(cli, values, lifetime, &ports, NULL);
	auto_json json_t *plan = json_pack("{s:s, s:b, s:s, s:s, s:b, s:o}", "name", cli->instance.name, "dryRun", 1,
	                                   "before", sandbox_state_text(existing, NULL), "image", values->image,
	                                   "imagePresent", image != NULL, "container", body);
	if (cli_wants_json(cli)) {
		cli_print_document(cli, json_incref(plan));
		return 0;
	}
	printf("image      %s%s\n", values->image, image ? "" : " (not there yet)");
	printf("volume     %s\n", cli->instance.name);
	printf("container  %s", cli->instance.name);
	for (size_t i = 0; i < PORT_COUNT; i++)
		printf(", %s on %s:%d", port_table[i].name, ports.address, ports.host_port[i]);
	printf("\nclients    %s, %s\n", cli->instance.configuration, cli->instance.kubeconfig);
	auto_free char *text = json_dumps(body, JSON_INDENT(2));
	puts(text);
	return 0;
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
	auto_free char *file = values->config ? xstrdup(values->config) : controlplane_config_default_file(cli);
	if (!values->config && !file_exists(file))
		return 0;
	return controlplane_config_put(cli, sandbox, file, e);
}

/* Without waiting for more than a running container. */
static void announce_container(struct cli *cli, const struct sandbox *sandbox)
{
	json_t *document = sandbox_document(cli, sandbox, NULL);
	if (cli->events)
		cli_event(cli, "result", json_pack("{s:o}", "result", document));
	else if (cli_wants_json(cli))
		cli_print_document(cli, document);
	else
		json_decref(document);
}

/* From a running container to what was asked for. `ret_is_ready` once the services are. */
static int arrive(struct cli *cli, const struct start_values *values, const struct sandbox *existing,
                  const struct sandbox *sandbox, bool *ret_is_ready, struct err *e)
{
	auto_services struct services services = SERVICES_INIT;
	int64_t began = clock_monotonic_ms();
	bool api_only = text_equal(values->wait, "api");
	const struct arrival arrival = { .cli = cli,
		                         .sandbox = sandbox,
		                         .timeout_ms = values->timeout_ms,
		                         .enough = api_only ? API_SERVICE : NULL,
		                         .make_current = existing->state == SANDBOX_ABSENT && !values->keep_context };
	cli_step(cli, "services");
	if (arrival_wait(&arrival, &services, e) < 0)
		return -1;
	*ret_is_ready = true;
	say_ready(cli, existing->state == SANDBOX_RUNNING, began);
	cli_step(cli, "clients");
	if (api_only ? clients_configure_flyte(cli, sandbox, e) < 0 : arrival_settle(&arrival, e) < 0)
		return -1;
	if (text_equal(values->wait, "first-task")) {
		cli_step(cli, "first-task");
		if (first_task_run(cli, sandbox, began + values->timeout_ms, e) < 0)
			return -1;
		cli_say(cli, "a first task has run after %.1f s", (double)(clock_monotonic_ms() - began) / 1000);
	}
	if (configure(cli, values, sandbox, e) < 0)
		return -1;
	arrival_announce(&arrival, &services);
	return 0;
}

static bool is_up(const struct sandbox *sandbox)
{
	return sandbox->state == SANDBOX_RUNNING || sandbox->state == SANDBOX_PAUSED;
}

/* What there is of the instance. Of a new owner's start nothing is left of one whose time is over: whoever comes first,
 * this start or the watcher of the old owner, deletes it. */
static int find_existing(struct cli *cli, const struct start_values *values, struct lifetime *lifetime,
                         struct sandbox *ret_existing, struct err *e)
{
	if (sandbox_find(cli, ret_existing, e) < 0 ||
	    (values->owner_pid && lifetime_set_owner(lifetime, values->owner_pid, e) < 0))
		return -1;
	auto_free char *over = lifetime_over(ret_existing->labels);
	if (!over || !lifetime->owner || values->dry_run)
		return 0;
	cli_say(cli, "what is left of '%s' is deleted: %s", cli->instance.name, over);
	sandbox_release(ret_existing);
	return instance_remove(cli, true, e);
}

static int start(struct launch *launch, struct start_values *values, bool *ret_is_ready, struct err *e)
{
	struct cli *cli = launch->cli;
	struct lifetime lifetime = { .ttl_ms = values->ttl_ms };
	auto_sandbox struct sandbox existing = SANDBOX_INIT;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	if (find_existing(cli, values, &lifetime, &existing, e) < 0)
		return -1;
	bool was_up = is_up(&existing);
	if (was_up && values->from)
		return snapshot_target_taken(cli, values->from, e);
	if (was_up && settings_check(cli, values, &lifetime, &existing, e) < 0)
		return -1;
	if (!was_up)
		settings_recall(cli, &existing, values);
	if (values->dry_run)
		return was_up ? show_no_plan(cli, &existing) : show_plan(cli, values, &lifetime, &existing, e);
	if (existing.state == SANDBOX_PAUSED && docker_container_unpause(cli->docker, existing.id, e) < 0)
		return -1;
	if (lifetime.owner && !was_up && watcher_begin(cli, &lifetime, e) < 0)
		return -1;
	int outcome =
	        was_up ? sandbox_find(cli, &sandbox, e) : bring_up(launch, values, &lifetime, &existing, &sandbox, e);
	if (outcome < 0)
		return -1;
	if (values->no_wait || text_equal(values->wait, "none")) {
		announce_container(cli, &sandbox);
		return 0;
	}
	return arrive(cli, values, &existing, &sandbox, ret_is_ready, e);
}

/* The logs of a container that this start has brought up, before it is taken back. */
static void keep_logs(struct launch *launch, const struct err *failure)
{
	auto_err struct err problem = ERR_INIT;
	struct cli *cli = launch->cli;
	if (launch->started && bundle_of_failure(cli, failure, &cli->bundle, &problem) < 0)
		cli_say(cli, "the logs could not be kept: %s", err_message(&problem));
}

/* The next step must be one that can be made: of a container that is taken back no logs are left but the bundle's. */
static void correct_hint(const struct cli *cli, struct err *e)
{
	bool killed = strstr(err_message(e), "killed by signal 9") != NULL;
	if (!killed && !(e->hint && text_starts_with(e->hint, "sandbox logs")))
		return;
	/* A hint that is there would win. */
	auto_free char *look = steal_ptr(e->hint);
	auto_free char *start = cli_command(cli, "start --keep");
	if (killed)
		err_hint(e, "something killed it, most likely for want of memory: end other programs, give Docker's machine "
		            "more, or raise --memory");
	else
		err_hint(e, "the services' logs are in the bundle; `%s` leaves the sandbox as it is, for `%s`", start, look);
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
	struct start_values with_kept = *values;
	auto_launch struct launch launch = LAUNCH_INIT;
	auto_instance_lock struct instance_lock lock = INSTANCE_LOCK_INIT;
	cli->events = values->events;
	cli->check_for_error = checks_for_error;
	if (start_check_values(values, e) < 0 || instance_lock_take(cli, values->timeout_ms, &lock, e) < 0)
		return -1;
	launch_init(&launch, cli);
	bool is_ready = false;
	int outcome = start(&launch, &with_kept, &is_ready, e);
	settings_release(&with_kept);
	if (outcome == 0)
		return EXIT_CODE_OK;
	/* A sandbox that is ready works, whatever its clients' files say. */
	bool cancelled = e->kind == ERR_CANCELLED;
	bool has_begun = launch.created_container || launch.created_volume || launch.started;
	if (!has_begun || (is_ready && !cancelled))
		return -1;
	if (!cancelled)
		keep_logs(&launch, e);
	if (!cancelled && !values->keep && launch.created_container)
		correct_hint(cli, e);
	if (cancelled || !values->keep)
		take_back(&launch, cancelled);
	return -1;
}

const struct verb verb_start = {
	.name = "start",
	.summary = "start the sandbox, and create it first if there is none",
	.arguments = "",
	.description =
	        "Starts the sandbox and waits until every service is ready. The image is used if the engine has "
	        "it, else loaded from "
	        "--image-file, else pulled when it names a registry, else built from the source tree.\n\n"
	        "State is kept in a volume: a stopped sandbox goes on where it was, with the image, ports, memory "
	        "limit and "
	        "environment that it was started with, unless other ones are asked for: then its container is made "
	        "anew around "
	        "that volume. Starting a running sandbox changes nothing and is no error, unless what is asked for now "
	        "differs "
	        "from what it has; that is said, and `sandbox stop` before this command brings it about.\n\n"
	        "Clients are configured: ~/.flyte/config-sandbox.yaml, ~/.flyte/sandbox/kubeconfig, and a "
	        "context in the kubeconfig, which becomes the "
	        "current one when the sandbox is new. Ctrl-C takes back what was begun.\n\n"
	        "A start that fails takes back what it has made (a volume with state is never that), unless --keep is "
	        "given, keeps the logs in a bundle below ~/.local/state/sandbox/bundles, and names the check of "
	        "`sandbox doctor` that tells more.\n\n"
	        "With --events each line of stdout is a JSON document with a type: step, progress, message, service, "
	        "and "
	        "at the end result or error.",
	.examples = "sandbox start\tstart, with the well-known ports\n"
	            "sandbox start --name ci1\tanother one beside it, on free ports\n"
	            "sandbox start --name ci2 --ttl 1h --owner-pid $$\tone that goes when this shell ends, or `prune` "
	            "comes\n"
	            "sandbox start --port http=8080\tthe console on port 8080\n"
	            "sandbox start -o json | jq -r .endpoints.console\tfor scripts",
	.options = start_options,
	.values_size = sizeof(struct start_values),
	.arguments_maximum = 0,
	.run = run,
};
