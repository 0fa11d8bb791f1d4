/* list: every instance of the engine, by its labels. */
#include "base/clock.h"
#include "base/text.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/instance/instances.h"
#include "cli/instance/lifetime.h"
#include "cli/terminal/columns.h"
#include "docker/volume.h"

#define TEXT_MAXIMUM ((size_t)4 * 1024 * 1024)
#define NANOSECONDS INT64_C(1000000000)
#define MEBIBYTE 1048576.0

struct list_values {
	bool disk;
};

static const struct option list_options[] = {
	{ .name = "disk",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct list_values, disk),
	  .of_project = true,
	  .help = "measure what each instance's volume takes on the engine's disk; that takes the engine a while" },
	{ .name = NULL },
};

static const char *const list_formats[] = { "name", NULL };

/* "5m", "3h", "12d" */
static char *age_text(const char *since)
{
	int64_t began = 0;
	if (!clock_parse_rfc3339(since, &began))
		return xstrdup("");
	long long seconds = (clock_wall_ns() - began) / NANOSECONDS;
	if (seconds < 120)
		return xasprintf("%llds", seconds);
	if (seconds < 120 * 60)
		return xasprintf("%lldm", seconds / 60);
	return seconds < 48 * 3600 ? xasprintf("%lldh", seconds / 3600) : xasprintf("%lldd", seconds / 86400);
}

static json_t *ports_json(const struct ports *ports)
{
	json_t *object = json_object();
	for (size_t i = 0; i < PORT_COUNT; i++) {
		if (ports->host_port[i])
			json_object_set_new(object, port_table[i].name, json_integer(ports->host_port[i]));
	}
	return object;
}

/* The state of one instance; a running one is asked. */
static json_t *entry_json(struct cli *cli, const struct instance_entry *entry, const json_t *sizes)
{
	auto_services struct services services = SERVICES_INIT;
	const struct sandbox *sandbox = &entry->sandbox;
	bool present = sandbox->state != SANDBOX_ABSENT;
	if (sandbox->state == SANDBOX_RUNNING)
		(void)sandbox_services(cli, sandbox, &services, NULL);
	const char *created = present ? sandbox->created_at : json_string_at(entry->volume, "CreatedAt", NULL);
	json_t *size = json_object_get(sizes, entry->name);
	auto_free char *over = lifetime_over(entry->labels);
	return json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:o, s:b, s:O?, s:s?, s:s?, s:s?}", "name", entry->name, "state",
	                 sandbox_state_text(sandbox, &services), "image", sandbox->image, "version",
	                 json_string_value(json_object_get(entry->labels, "dev.sandbox.version")), "created", created,
	                 "ports", ports_json(&sandbox->ports), "volume", entry->volume != NULL, "diskBytes", size,
	                 "expires", json_string_value(json_object_get(entry->labels, LIFETIME_EXPIRES_LABEL)), "owner",
	                 json_string_value(json_object_get(entry->labels, LIFETIME_OWNER_LABEL)), "over", over);
}

static char *ports_text(const json_t *ports)
{
	char *text = xstrdup("");
	const char *name;
	json_t *port;
	json_object_foreach((json_t *)(uintptr_t)ports, name, port)
	{
		char *longer =
		        xasprintf("%s%s%s=%lld", text, *text ? " " : "", name, (long long)json_integer_value(port));
		free(text);
		text = longer;
	}
	return text;
}

static void print_table(struct cli *cli, const json_t *list, bool disk)
{
	static const char *const heading[] = { "NAME", "STATE", "AGE", "IMAGE", "PORTS", "UNTIL", "DISK" };
	auto_columns struct columns columns = COLUMNS_INIT(disk ? 7 : 6);
	auto_buf struct buf text = BUF_INIT(TEXT_MAXIMUM);
	columns_add(&columns, heading);
	size_t i;
	json_t *entry;
	json_array_foreach(list, i, entry)
	{
		auto_free char *age = age_text(json_string_at(entry, "created", ""));
		auto_free char *ports = ports_text(json_object_get(entry, "ports"));
		json_int_t bytes = json_integer_at(entry, "diskBytes", -1);
		auto_free char *size = bytes < 0 ? xstrdup("") : xasprintf("%.0f MiB", (double)bytes / MEBIBYTE);
		const char *owner = json_string_at(entry, "owner", NULL);
		const char *until = json_string_at(entry, "over", NULL);
		if (!until)
			until = json_string_at(entry, "expires", owner ? "its owner ends" : "");
		const char *const cells[] = { json_string_at(entry, "name", ""),
			                      json_string_at(entry, "state", ""),
			                      age,
			                      json_string_at(entry, "image", ""),
			                      ports,
			                      until,
			                      size };
		columns_add(&columns, cells);
	}
	columns_render(&columns, cli->colors_out, &text);
	fputs(buf_text(&text), stdout);
}

static void print_names(const struct instances *instances)
{
	for (size_t i = 0; i < instances->count; i++)
		puts(instances->items[i].name);
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	const struct list_values *values = context;
	auto_instances struct instances instances = INSTANCES_INIT;
	if (instances_find(cli, &instances, e) < 0)
		return -1;
	if (cli_wants(cli, "name")) {
		print_names(&instances);
		return EXIT_CODE_OK;
	}
	auto_json json_t *sizes = values->disk ? docker_volume_sizes(cli->docker, e) : json_object();
	if (!sizes)
		return -1;
	auto_json json_t *list = json_array();
	for (size_t i = 0; i < instances.count; i++)
		json_array_append_new(list, entry_json(cli, &instances.items[i], sizes));
	if (cli_wants_json(cli))
		cli_print_document(cli, json_pack("{s:O}", "instances", list));
	else if (instances.count)
		print_table(cli, list, values->disk);
	else
		cli_say(cli, "there is no sandbox; `sandbox start` makes one");
	return EXIT_CODE_OK;
}

const struct verb verb_list = {
	.name = "list",
	.summary = "list all instances",
	.arguments = "",
	.description = "Lists every instance that the engine has, whoever started it: name, state, age, image and "
	               "ports. UNTIL tells when an "
	               "instance of limited lifetime ends (`sandbox start --ttl`, `--owner-pid`), or that it has; "
	               "`sandbox prune` "
	               "removes those. An instance whose state is `absent` has been deleted and has left its volume. "
	               "With -o name, "
	               "names only.",
	.examples =
	        "sandbox list -o json | jq -r '.instances[] | select(.state == \"running\") | .name'\tthose that run",
	.options = list_options,
	.values_size = sizeof(struct list_values),
	.formats = list_formats,
	.arguments_maximum = 0,
	.run = run,
};
