#include "cli/lifecycle/arrival.h"
#include "cli/lifecycle/start_options.h"

#include "base/text.h"
#include "cli/lifecycle/source_tree.h"

#include <string.h>

#define GIGABYTE INT64_C(1000000000)

#define FIELD(field) offsetof(struct start_values, field)
static const char *const pull_policies[] = { "missing", "always", "never", NULL };
static const char *const wait_levels[] = { "none", "api", "ready", "first-task", NULL };
static const char *const port_modes[] = { "default", "auto", NULL };

const struct option start_options[] = {
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
	ARRIVAL_TIMEOUT_OPTION(FIELD(timeout_ms)),
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
	{ .name = "from",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(from),
	  .value = "FILE",
	  .help = "snapshot that the state of a new instance is made of (`sandbox snapshot save`)" },
	{ .name = "wait",
	  .kind = OPTION_CHOICE,
	  .offset = FIELD(wait),
	  .value = "LEVEL",
	  .environment = "SANDBOX_WAIT",
	  .choices = wait_levels,
	  .fallback = "ready",
	  .help = "what to wait for: the container runs, Flyte's API answers, every service is ready, a first task has "
	          "run" },
	{ .name = "no-wait",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(no_wait),
	  .help = "as --wait none: return once the container runs; clients are not configured then" },
	{ .name = "keep",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(keep),
	  .environment = "SANDBOX_KEEP",
	  .help = "leave a sandbox that does not become ready as it is, for a look; otherwise what this start made is "
	          "taken back and its logs are kept in a bundle" },
	{ .name = "events",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(events),
	  .help = "tell what happens as JSON, one document a line on stdout, the last one with the result" },
	{ .name = "dry-run",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(dry_run),
	  .help = "check, choose ports, and print what would be created; create nothing" },
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

int start_check_values(const struct start_values *values, struct err *e)
{
	return check_environment(&values->env, e);
}

struct image_wish start_image_wish(const struct start_values *values)
{
	return (struct image_wish){ .image = values->image,
		                    .file = values->image_file,
		                    .registry = values->registry,
		                    .pull = values->pull,
		                    .source = values->source ? values->source : source_tree() };
}

struct port_wish start_port_wish(const struct start_values *values, const struct cli *cli,
                                 const struct sandbox *existing)
{
	return (struct port_wish){ .automatic = values->ports ? text_equal(values->ports, "auto")
		                                              : !cli->instance.is_default,
		                   .explicit_ports = &values->port,
		                   .address = values->bind,
		                   .before = existing->state == SANDBOX_ABSENT ? NULL : &existing->ports };
}

int64_t start_minimum_disk(const struct start_values *values)
{
	return values->minimum_disk * GIGABYTE;
}
