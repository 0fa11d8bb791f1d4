#include "cli/framework/progress_events.h"

#include "base/clock.h"
#include "base/text.h"

void cli_event(struct cli *cli, const char *type, json_t *members)
{
	auto_json json_t *owned = members;
	if (!cli->events)
		return;
	char time[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(clock_wall_ns(), time);
	auto_json json_t *line = cli_envelope(cli, json_pack("{s:s, s:s}", "type", type, "time", time));
	if (owned)
		json_object_update(line, owned);
	auto_free char *text = json_to_text(line);
	puts(text);
	(void)fflush(stdout);
}

void cli_step(struct cli *cli, const char *step)
{
	static const char *const words[][2] = { { "checks", "checking the engine and its machine" },
		                                { "ports", "choosing ports" },
		                                { "image", "looking for the image" },
		                                { "restore", "restoring the state" },
		                                { "container", "making the container" },
		                                { "services", "waiting for the first service" } };
	cli_event(cli, "step", json_pack("{s:s}", "step", step));
	cli_progress_end(cli);
	for (size_t i = 0; i < ARRAY_LENGTH(words) && !cli->events; i++) {
		if (text_equal(words[i][0], step))
			cli_progress(cli, "%s", words[i][1]);
	}
}
