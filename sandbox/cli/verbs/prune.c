/* prune: instances whose lifetime is over, with all they have. */
#include "base/text.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/lifecycle/prune.h"

static const struct option prune_options[] = {
	{ .name = "dry-run",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct prune_wish, dry_run),
	  .of_project = true,
	  .help = "only tell what would be removed" },
	{ .name = "volumes",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct prune_wish, volumes),
	  .help = "remove the state of deleted instances too: volumes without a container, which the next `start` "
	          "would "
	          "go on with" },
	{ .name = NULL },
};

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	auto_json json_t *removed = json_array();
	const struct prune_wish *wish = context;
	int outcome = prune(cli, wish, removed, e);
	size_t i;
	json_t *entry;
	json_array_foreach(removed, i, entry)
	        cli_say(cli, "%s '%s': %s", wish->dry_run ? "would remove" : "removed",
	                json_string_at(entry, "name", ""), json_string_at(entry, "reason", ""));
	if (outcome < 0)
		return -1;
	if (!json_array_size(removed))
		cli_say(cli, "nothing to remove");
	if (cli_wants_json(cli))
		cli_print_document(cli, json_pack("{s:b, s:O}", "dryRun", wish->dry_run, "removed", removed));
	return EXIT_CODE_OK;
}

const struct verb verb_prune = {
	.name = "prune",
	.summary = "remove instances whose time is over",
	.arguments = "",
	.description =
	        "Removes, with container, volume and client configuration, every instance whose time is over: "
	        "started with --ttl "
	        "and expired, or with --owner-pid and its owner has ended (owners on other machines and in other "
	        "containers cannot be seen, and their instances stay). Volumes that such instances left go, too. The "
	        "state that `sandbox "
	        "delete` keeps "
	        "goes with --volumes only.",
	.examples = "sandbox prune --dry-run\twhat would go\n"
	            "sandbox prune --volumes\tand the state of deleted instances",
	.options = prune_options,
	.values_size = sizeof(struct prune_wish),
	.arguments_maximum = 0,
	.run = run,
};
