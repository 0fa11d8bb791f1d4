#include "cli/lifecycle/arrival.h"
#include "cli/lifecycle/start_options.h"

#include "base/text.h"
#include "cli/lifecycle/source_tree.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define GIGABYTE INT64_C(1000000000)
/* MiB; as doctor's for a whole machine. */
#define MEMORY_LEAST 600

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
	  .of_project = true,
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
	  .of_project = true,
	  .help = "the ports that Flyte's documentation names, or free ones (instances with a --name: free ones)" },
	{ .name = "port",
	  .kind = OPTION_LIST,
	  .offset = FIELD(port),
	  .value = "NAME=PORT",
	  .of_project = true,
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
	  .of_project = true,
	  .help = "memory limit of the whole sandbox in MiB; 0 sets none" },
	{ .name = "min-disk",
	  .kind = OPTION_NUMBER,
	  .offset = FIELD(minimum_disk),
	  .value = "GB",
	  .environment = "SANDBOX_MIN_DISK",
	  .fallback = "5",
	  .minimum = 0,
	  .maximum = 100000,
	  .of_project = true,
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
	  .of_project = true,
	  .help = "what to wait for: the container runs, Flyte's API answers, every service is ready, a first task has "
	          "run" },
	{ .name = "no-wait",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(no_wait),
	  .of_project = true,
	  .help = "as --wait none: return once the container runs; clients are not configured then" },
	{ .name = "keep",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(keep),
	  .environment = "SANDBOX_KEEP",
	  .of_project = true,
	  .help = "leave a sandbox that does not become ready as it is, for a look; otherwise what this start made is "
	          "taken back and its logs are kept in a bundle" },
	{ .name = "events",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(events),
	  .of_project = true,
	  .help = "tell what happens as JSON, one document a line on stdout, the last one with the result" },
	{ .name = "dry-run",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(dry_run),
	  .of_project = true,
	  .help = "check, choose ports, and print what would be created; create nothing" },
	{ .name = "keep-context",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(keep_context),
	  .environment = "SANDBOX_KEEP_CONTEXT",
	  .of_project = true,
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

static int check_bind(const char *address, struct err *e)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	if (inet_pton(AF_INET, address, bytes) == 1 || inet_pton(AF_INET6, address, bytes) == 1)
		return 0;
	err_set(e, ERR_USAGE, "bad-value", "--bind: '%s' is no IP address", address);
	return err_hint(e, "127.0.0.1 is for programs of this machine, 0.0.0.0 for everybody who reaches it");
}

static int check_memory(int64_t mebibytes, struct err *e)
{
	if (!mebibytes || mebibytes >= MEMORY_LEAST)
		return 0;
	err_set(e, ERR_USAGE, "bad-value", "--memory: with %lld MiB no sandbox becomes ready: it takes 530 MiB at rest",
	        (long long)mebibytes);
	return err_hint(e, "give it %d or more, and what the tasks need on top; 0 sets no limit", MEMORY_LEAST);
}

/* Now, and not when everything has been started. */
static int check_config(const char *file, struct err *e)
{
	if (!file || access(file, R_OK) == 0)
		return 0;
	err_set_errno(e, errno, "bad-configuration", "--config: cannot read '%s'", file);
	return err_hint(e, "it is the control plane's configuration, docs/guide/configuration.md");
}

int start_check_values(const struct start_values *values, struct err *e)
{
	int ports[PORT_COUNT];
	if (check_environment(&values->env, e) < 0 || ports_read_wishes(&values->port, ports, e) < 0 ||
	    check_bind(values->bind, e) < 0 || check_memory(values->memory, e) < 0)
		return -1;
	return check_config(values->config, e);
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
