/* kubeconfig: access to the instance's Kubernetes, printed or merged. */
#include "base/yaml.h"
#include "cli/clients/clients.h"
#include "cli/clients/kubeconfig.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"

#define TEXT_MAXIMUM ((size_t)1024 * 1024)

struct kubeconfig_values {
	bool merge;
	bool current;
};

#define FIELD(field) offsetof(struct kubeconfig_values, field)
static const struct option kubeconfig_options[] = {
	{ .name = "merge",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(merge),
	  .help = "put the context into the user's kubeconfig ($KUBECONFIG or ~/.kube/config) instead of printing" },
	{ .name = "current",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(current),
	  .help = "with --merge: make it the current context" },
	{ .name = NULL },
};

static int merge(struct cli *cli, const json_t *kubeconfig, bool current, struct err *e)
{
	auto_free char *path = kubeconfig_path(e);
	if (!path || kubeconfig_merge(path, kubeconfig, current, e) < 0)
		return -1;
	cli_say(cli, "the context '%s' is in '%s'", cli->instance.name, path);
	if (cli_wants_json(cli))
		cli_print_document(cli, json_pack("{s:s, s:s}", "name", cli->instance.name, "path", path));
	return EXIT_CODE_OK;
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	const struct kubeconfig_values *values = context;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_json json_t *kubeconfig = NULL;
	auto_buf struct buf text = BUF_INIT(TEXT_MAXIMUM);
	if (sandbox_require_running(cli, &sandbox, e) < 0 || clients_kubeconfig(cli, &sandbox, &kubeconfig, e) < 0)
		return -1;
	if (values->merge)
		return merge(cli, kubeconfig, values->current, e);
	if (cli_wants_json(cli)) {
		cli_print_document(cli, json_pack("{s:s, s:O}", "name", cli->instance.name, "kubeconfig", kubeconfig));
		return EXIT_CODE_OK;
	}
	if (yaml_print(kubeconfig, &text, e) < 0)
		return -1;
	fputs(buf_text(&text), stdout);
	return EXIT_CODE_OK;
}

const struct verb verb_kubeconfig = {
	.name = "kubeconfig",
	.summary = "print the kubeconfig of the sandbox, or merge it",
	.arguments = "",
	.description =
	        "Prints a kubeconfig for the sandbox's Kubernetes, fetched from the sandbox and with the address under "
	        "which this "
	        "machine reaches it. With --merge it goes into the user's kubeconfig, where nothing else changes.",
	.examples = "sandbox kubeconfig >kubeconfig.yaml\ta file of its own\n"
	            "sandbox kubeconfig --merge --current\tkubectl talks to the sandbox from now on",
	.options = kubeconfig_options,
	.values_size = sizeof(struct kubeconfig_values),
	.arguments_maximum = 0,
	.run = run,
};
