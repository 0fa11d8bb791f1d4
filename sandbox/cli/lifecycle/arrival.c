#include "cli/lifecycle/arrival.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/clients/clients.h"
#include "cli/framework/progress_events.h"
#include "cli/instance/spec.h"
#include "cli/lifecycle/readiness.h"
#include "cli/terminal/color.h"
#include "docker/container.h"

#include <string.h>

int arrival_wait(const struct arrival *arrival, struct services *ret_services, struct err *e)
{
	struct cli *cli = arrival->cli;
	struct service_table_view view;
	bool to_stderr = cli_wants_json(cli);
	service_table_view_init(&view,
	                cli->globals.quiet || cli->events ? NULL
	                : to_stderr                       ? stderr
	                                                  : stdout,
	                to_stderr ? cli->colors_err : cli->colors_out);
	const struct readiness readiness = { .cli = cli,
		                             .sandbox = arrival->sandbox,
		                             .view = &view,
		                             .enough = arrival->enough,
		                             .deadline_ms = clock_monotonic_ms() + arrival->timeout_ms,
		                             .timeout_ms = arrival->timeout_ms };
	int outcome = readiness_follow(&readiness, ret_services, e);
	cli_progress_end(cli);
	service_table_view_release(&view);
	return outcome;
}

int arrival_settle(const struct arrival *arrival, struct err *e)
{
	if (clients_configure(arrival->cli, arrival->sandbox, arrival->make_current, e) < 0)
		return -1;
	auto_err struct err problem = ERR_INIT;
	if (docker_container_set_restart(arrival->cli->docker, arrival->sandbox->id, SPEC_RESTART_POLICY,
	                                 SPEC_RESTART_MAXIMUM, &problem) == 0)
		return 0;
	/* Podman 4.3 has no such call. The sandbox is ready; it does not come back by itself after the machine's restart. */
	if (!docker_client_is_podman(arrival->cli->docker) || problem.kind != ERR_NOT_FOUND)
		return err_move(e, &problem);
	cli_say_verbose(arrival->cli, "this Podman cannot change a restart policy: after a restart of the machine, `sandbox start`");
	return 0;
}

static void print_summary(struct cli *cli, const struct sandbox *sandbox)
{
	bool colors = cli->colors_out;
	auto_free char *http = ports_endpoint(&sandbox->ports, PORT_HTTP);
	const char *home = getenv("HOME");
	const char *path = cli->instance.configuration;
	bool in_home = home && text_starts_with(path, home);
	printf("\n%sConsole%s     %s/console\n", color_code(colors, COLOR_BOLD), color_reset(colors), http);
	printf("%sKubernetes%s  kubectl --context %s get pods --all-namespaces\n", color_code(colors, COLOR_BOLD),
	       color_reset(colors), cli->instance.name);
	printf("%sClients%s     export FLYTECTL_CONFIG=%s%s\n", color_code(colors, COLOR_BOLD), color_reset(colors),
	       in_home ? "$HOME" : "", in_home ? path + strlen(home) : path);
}

void arrival_announce(const struct arrival *arrival, const struct services *services)
{
	struct cli *cli = arrival->cli;
	if (cli->events)
		cli_event(cli, "result",
		          json_pack("{s:o}", "result", sandbox_document(cli, arrival->sandbox, services)));
	else if (cli_wants_json(cli))
		cli_print_document(cli, sandbox_document(cli, arrival->sandbox, services));
	else if (!cli->globals.quiet)
		print_summary(cli, arrival->sandbox);
}
