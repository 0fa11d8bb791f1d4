/* events: what happened to the container, as the engine remembers it. */
#include "base/clock.h"
#include "base/text.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/instance/sandbox.h"
#include "cli/terminal/columns.h"
#include "docker/events.h"

#define NANOSECONDS_PER_SECOND INT64_C(1000000000)

struct events_values {
	bool follow;
	bool all;
	int64_t since_ms;
};

#define FIELD(field) offsetof(struct events_values, field)
static const struct option events_options[] = {
	{ .name = "follow",
	  .letter = 'f',
	  .kind = OPTION_FLAG,
	  .offset = FIELD(follow),
	  .of_project = true,
	  .help = "go on with new events as they come" },
	{ .name = "all",
	  .letter = 'a',
	  .kind = OPTION_FLAG,
	  .offset = FIELD(all),
	  .of_project = true,
	  .help = "of all instances" },
	{ .name = "since",
	  .kind = OPTION_SECONDS,
	  .offset = FIELD(since_ms),
	  .value = "TIME",
	  .fallback = "1h",
	  .of_project = true,
	  .help = "how far to look back" },
	{ .name = NULL },
};

/* What a command inside or a look from outside causes is no news. */
static const char *const actions[] = { "create",  "start",   "die",  "oom",     "pause",
	                               "unpause", "restart", "stop", "destroy", NULL };

static json_t *event_json(const struct cli *cli, const json_t *event)
{
	char time[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(json_integer_at(event, "timeNano", 0), time);
	const json_t *attributes = json_lookup(event, "Actor/Attributes");
	const char *exit_code = json_string_value(json_object_get(attributes, "exitCode"));
	int64_t code = 0;
	json_t *line = cli_envelope(cli, json_pack("{s:s, s:s, s:s, s:s?}", "time", time, "name",
	                                           json_string_at(attributes, "name", ""), "event",
	                                           json_string_at(event, "Action", ""), "image",
	                                           json_string_value(json_object_get(attributes, "image"))));
	if (exit_code && text_to_int64(exit_code, 0, 255, &code))
		json_object_set_new(line, "exitCode", json_integer(code));
	return line;
}

struct listener {
	struct cli *cli;
	size_t count;
};

static int take(void *context, const json_t *event, struct err *e)
{
	struct listener *listener = context;
	struct cli *cli = listener->cli;
	listener->count++;
	auto_json json_t *line = event_json(cli, event);
	if (cli_wants_json(cli)) {
		auto_free char *text = json_to_text(line);
		puts(text);
	} else {
		json_int_t code = json_integer_at(line, "exitCode", -1);
		printf("%s  %s  %s", json_string_at(line, "time", ""), json_string_at(line, "name", ""),
		       json_string_at(line, "event", ""));
		if (code >= 0)
			printf(" (exit code %lld)", (long long)code);
		putchar('\n');
	}
	if (fflush(stdout) != 0)
		return err_set(e, ERR_CANCELLED, "closed-output", "the reader of the events has gone");
	return 0;
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	const struct events_values *values = context;
	if (cli_connect(cli, e) < 0)
		return -1;
	auto_free char *own = xasprintf("%s=%s", INSTANCE_LABEL, cli->instance.name);
	struct listener listener = { .cli = cli };
	int64_t now = clock_wall_ns();
	const struct docker_events wish = { .label = values->all ? INSTANCE_LABEL : own,
		                            .actions = actions,
		                            .since_ns = now - values->since_ms * (NANOSECONDS_PER_SECOND / 1000),
		                            .until_ns = values->follow ? 0 : now,
		                            .on_event = take,
		                            .context = &listener };
	int outcome = docker_events_follow(cli->docker, &wish, e);
	if (outcome == 0 && !listener.count)
		cli_say(cli,
		        "the engine remembers none: it keeps the last few hundred events of all its containers, and we "
		        "look back %lld s (--since)",
		        (long long)(values->since_ms / 1000));
	return outcome < 0 && text_equal(e->id, "closed-output") ? EXIT_CODE_OK : outcome;
}

const struct verb verb_events = {
	.name = "events",
	.summary = "tell what happened to the sandbox",
	.arguments = "",
	.description =
	        "Prints what the engine remembers of the sandbox's container: create, start, die (with its exit code), "
	        "oom, pause, "
	        "unpause, stop, restart, destroy. With -o json one document a line. The engine remembers the last few "
	        "hundred events of all its containers, since it was started. What happens while a sandbox starts is "
	        "told by "
	        "`sandbox start --events`; what the services do, by `sandbox logs`.",
	.examples = "sandbox events --all --since 12h\twhat happened today\n"
	            "sandbox events --follow -o json\tfor a program",
	.options = events_options,
	.values_size = sizeof(struct events_values),
	.arguments_maximum = 0,
	.run = run,
};
