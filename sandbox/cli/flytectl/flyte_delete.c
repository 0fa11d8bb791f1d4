#include "cli/flytectl/flyte_delete.h"

#include "base/text.h"
#include "cli/flytectl/flyte_attributes.h"
#include "cli/framework/exit_codes.h"

#include "flyteidl/admin/execution.pb-c.h"

static int terminate(struct flyte *flyte, const struct flyte_delete *values, const char *name, struct err *e)
{
	Flyteidl__Admin__ExecutionTerminateRequest *request =
	        proto_new(&flyte->arena, flyteidl__admin__execution_terminate_request);
	request->id = flyte_execution_id(flyte, name);
	if (values->dry_run) {
		cli_say(flyte->cli, "skipping TerminateExecution request (dryRun)");
		return 0;
	}
	if (!flyte_call(flyte, "TerminateExecution", request, flyteidl__admin__execution_terminate_response, e))
		return err_wrap(e, "failed to terminate execution %s", name);
	cli_say(flyte->cli, "terminated execution %s", name);
	return 0;
}

int flyte_delete(struct cli *cli, const struct flyte_delete *values, char *const *arguments, size_t count,
                 struct err *e)
{
	auto_flyte struct flyte flyte = FLYTE_INIT;
	const struct attribute_kind *kind = attribute_kind_find(arguments[0]);
	if (!kind && !text_equal(arguments[0], "execution") && !text_equal(arguments[0], "executions")) {
		err_set(e, ERR_USAGE, "unknown-resource", "`sandbox delete` does not know '%s'", arguments[0]);
		return err_hint(e,
		                "alone it deletes the sandbox; of Flyte's it deletes an `execution` or an attribute");
	}
	if (!kind && count < 2)
		return err_set(e, ERR_USAGE, "missing-argument", "execution name wasn't passed");
	if (flyte_open(cli, &values->flyte, &flyte, e) < 0)
		return -1;
	if (kind) {
		const struct attribute_scope scope =
		        attribute_scope_of(&values->flyte, count > 1 ? arguments[1] : NULL);
		const struct attribute_change change = { .file = values->attribute_file, .dry_run = values->dry_run };
		return flyte_attributes_delete(&flyte, kind, &scope, &change, e);
	}
	for (size_t i = 1; i < count; i++) {
		if (terminate(&flyte, values, arguments[i], e) < 0)
			return -1;
	}
	return EXIT_CODE_OK;
}
