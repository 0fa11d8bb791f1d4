#include "cli/framework/progress_events.h"

#include "base/clock.h"

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
	cli_event(cli, "step", json_pack("{s:s}", "step", step));
}
