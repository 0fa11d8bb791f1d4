#include "cli/flytectl/flyte_attributes.h"

#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/flytectl/flyte_print.h"
#include "proto/json.h"

#include "flyteidl/admin/project_attributes.pb-c.h"
#include "flyteidl/admin/project_domain_attributes.pb-c.h"
#include "flyteidl/admin/workflow_attributes.pb-c.h"

#include <string.h>

struct attribute_scope attribute_scope_of(const struct flyte_options *options, const char *workflow)
{
	const bool nothing = text_is_empty(options->project) && text_is_empty(options->domain);
	return (struct attribute_scope){
		.project = text_is_empty(options->project) ? "flytesnacks" : options->project,
		.domain = nothing || (workflow && text_is_empty(options->domain)) ? "development"
		          : options->domain                                       ? options->domain
		                                                                  : "",
		.workflow = workflow ? workflow : "",
	};
}

/* ---- Calls; the requests of a scope have the same members ---- */

#define FILL_SCOPE(request)                                                                                            \
	((request)->project = arena_strdup(&flyte->arena, scope->project), (request)->resource_type = kind->resource)

int flyte_attributes_get(struct flyte *flyte, const struct attribute_kind *kind, const struct attribute_scope *scope,
                         Flyteidl__Admin__MatchingAttributes **ret_attributes, struct err *e)
{
	Flyteidl__Admin__MatchingAttributes *found = NULL;
	if (*scope->workflow) {
		Flyteidl__Admin__WorkflowAttributesGetRequest *request =
		        proto_new(&flyte->arena, flyteidl__admin__workflow_attributes_get_request);
		FILL_SCOPE(request);
		request->domain = arena_strdup(&flyte->arena, scope->domain);
		request->workflow = arena_strdup(&flyte->arena, scope->workflow);
		const Flyteidl__Admin__WorkflowAttributesGetResponse *answer = flyte_call(
		        flyte, "GetWorkflowAttributes", request, flyteidl__admin__workflow_attributes_get_response, e);
		if (!answer)
			return -1;
		found = answer->attributes ? answer->attributes->matching_attributes : NULL;
	} else if (*scope->domain) {
		Flyteidl__Admin__ProjectDomainAttributesGetRequest *request =
		        proto_new(&flyte->arena, flyteidl__admin__project_domain_attributes_get_request);
		FILL_SCOPE(request);
		request->domain = arena_strdup(&flyte->arena, scope->domain);
		const Flyteidl__Admin__ProjectDomainAttributesGetResponse *answer =
		        flyte_call(flyte, "GetProjectDomainAttributes", request,
		                   flyteidl__admin__project_domain_attributes_get_response, e);
		if (!answer)
			return -1;
		found = answer->attributes ? answer->attributes->matching_attributes : NULL;
	} else {
		Flyteidl__Admin__ProjectAttributesGetRequest *request =
		        proto_new(&flyte->arena, flyteidl__admin__project_attributes_get_request);
		FILL_SCOPE(request);
		const Flyteidl__Admin__ProjectAttributesGetResponse *answer = flyte_call(
		        flyte, "GetProjectAttributes", request, flyteidl__admin__project_attributes_get_response, e);
		if (!answer)
			return -1;
		found = answer->attributes ? answer->attributes->matching_attributes : NULL;
	}
	*ret_attributes = found;
	return 0;
}

static bool put(struct flyte *flyte, const struct attribute_scope *scope,
                Flyteidl__Admin__MatchingAttributes *attributes, struct err *e)
{
	char *project = arena_strdup(&flyte->arena, scope->project);
	char *domain = arena_strdup(&flyte->arena, scope->domain);
	if (*scope->workflow) {
		Flyteidl__Admin__WorkflowAttributesUpdateRequest *request =
		        proto_new(&flyte->arena, flyteidl__admin__workflow_attributes_update_request);
		request->attributes = proto_new(&flyte->arena, flyteidl__admin__workflow_attributes);
		request->attributes->project = project;
		request->attributes->domain = domain;
		request->attributes->workflow = arena_strdup(&flyte->arena, scope->workflow);
		request->attributes->matching_attributes = attributes;
		return flyte_call(flyte, "UpdateWorkflowAttributes", request,
		                  flyteidl__admin__workflow_attributes_update_response, e) != NULL;
	}
	if (*scope->domain) {
		Flyteidl__Admin__ProjectDomainAttributesUpdateRequest *request =
		        proto_new(&flyte->arena, flyteidl__admin__project_domain_attributes_update_request);
		request->attributes = proto_new(&flyte->arena, flyteidl__admin__project_domain_attributes);
		request->attributes->project = project;
		request->attributes->domain = domain;
		request->attributes->matching_attributes = attributes;
		return flyte_call(flyte, "UpdateProjectDomainAttributes", request,
		                  flyteidl__admin__project_domain_attributes_update_response, e) != NULL;
	}
	Flyteidl__Admin__ProjectAttributesUpdateRequest *request =
	        proto_new(&flyte->arena, flyteidl__admin__project_attributes_update_request);
	request->attributes = proto_new(&flyte->arena, flyteidl__admin__project_attributes);
	request->attributes->project = project;
	request->attributes->matching_attributes = attributes;
	return flyte_call(flyte, "UpdateProjectAttributes", request,
	                  flyteidl__admin__project_attributes_update_response, e) != NULL;
}

static bool drop(struct flyte *flyte, const struct attribute_kind *kind, const struct attribute_scope *scope,
                 struct err *e)
{
	if (*scope->workflow) {
		Flyteidl__Admin__WorkflowAttributesDeleteRequest *request =
		        proto_new(&flyte->arena, flyteidl__admin__workflow_attributes_delete_request);
		FILL_SCOPE(request);
		request->domain = arena_strdup(&flyte->arena, scope->domain);
		request->workflow = arena_strdup(&flyte->arena, scope->workflow);
		return flyte_call(flyte, "DeleteWorkflowAttributes", request,
		                  flyteidl__admin__workflow_attributes_delete_response, e) != NULL;
	}
	if (*scope->domain) {
		Flyteidl__Admin__ProjectDomainAttributesDeleteRequest *request =
		        proto_new(&flyte->arena, flyteidl__admin__project_domain_attributes_delete_request);
		FILL_SCOPE(request);
		request->domain = arena_strdup(&flyte->arena, scope->domain);
		return flyte_call(flyte, "DeleteProjectDomainAttributes", request,
		                  flyteidl__admin__project_domain_attributes_delete_response, e) != NULL;
	}
	Flyteidl__Admin__ProjectAttributesDeleteRequest *request =
	        proto_new(&flyte->arena, flyteidl__admin__project_attributes_delete_request);
	FILL_SCOPE(request);
	return flyte_call(flyte, "DeleteProjectAttributes", request,
	                  flyteidl__admin__project_attributes_delete_response, e) != NULL;
}

/* ---- Verbs ---- */

static int read_file(struct flyte *flyte, const struct attribute_kind *kind, const char *path,
                     struct attribute_file *ret_file, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(ATTRIBUTE_FILE_MAXIMUM);
	if (file_read(path, &text, e) < 0)
		return err_wrap(e, "unable to read from %s yaml file", path);
	return attribute_file_parse(&flyte->arena, kind, buf_text(&text), text.length, path, ret_file, e);
}

/* Of the attribute's own members; "" where there is nothing. */
static int yaml_of(const struct attribute_kind *kind, const Flyteidl__Admin__MatchingAttributes *attributes,
                   struct buf *out, struct err *e)
{
	auto_json json_t *document = attribute_file_json(kind, "", "", "", attributes, e);
	if (!document)
		return -1;
	json_object_del(document, "project");
	json_object_del(document, "domain");
	return json_object_size(document) ? yaml_print(document, out, e) : 0;
}

static char *scope_text(const struct attribute_scope *scope)
{
	if (*scope->workflow)
		return xasprintf("%s project and domain %s and workflow %s", scope->project, scope->domain,
		                 scope->workflow);
	return *scope->domain ? xasprintf("%s project and domain %s", scope->project, scope->domain)
	                      : xasprintf("%s project", scope->project);
}

int flyte_attributes_update(struct flyte *flyte, const struct attribute_kind *kind,
                            const struct attribute_change *change, struct err *e)
{
	struct attribute_file file;
	Flyteidl__Admin__MatchingAttributes *before = NULL;
	auto_buf struct buf old_text = BUF_INIT(ATTRIBUTE_FILE_MAXIMUM);
	auto_buf struct buf new_text = BUF_INIT(ATTRIBUTE_FILE_MAXIMUM);
	if (text_is_empty(change->file))
		return err_set(e, ERR_USAGE, "missing-option", "attrFile is mandatory while calling update for %s",
		               kind->name);
	if (read_file(flyte, kind, change->file, &file, e) < 0)
		return -1;
	const struct attribute_scope scope = { file.project, file.domain, file.workflow };
	if (!*scope.project || (*scope.workflow && !*scope.domain))
		return err_set(e, ERR_INVALID, "bad-attribute-file", "%s: %s is required", change->file,
		               *scope.project ? "domain" : "project");
	auto_err struct err problem = ERR_INIT;
	if (flyte_attributes_get(flyte, kind, &scope, &before, &problem) < 0 && problem.kind != ERR_NOT_FOUND)
		return err_move(e, &problem);
	if (yaml_of(kind, before, &old_text, e) < 0 || yaml_of(kind, file.attributes, &new_text, e) < 0)
		return -1;
	if (!flyte_print_changes(buf_text(&old_text), buf_text(&new_text)))
		return 0;
	if (change->dry_run) {
		puts("Skipping update request (dryRun)");
		return 0;
	}
	if (!change->force && flyte_confirm(flyte->cli, "Continue?", "--force", e) < 0)
		return -1;
	if (!put(flyte, &scope, file.attributes, e))
		return -1;
	auto_free char *where = scope_text(&scope);
	printf("Updated attributes from %s\n", where);
	return 0;
}

int flyte_attributes_delete(struct flyte *flyte, const struct attribute_kind *kind, const struct attribute_scope *scope,
                            const struct attribute_change *change, struct err *e)
{
	struct attribute_scope target = *scope;
	if (change->file) {
		struct attribute_file file;
		if (read_file(flyte, kind, change->file, &file, e) < 0)
			return -1;
		target = (struct attribute_scope){ file.project, file.domain, file.workflow };
	}
	if (change->dry_run) {
		puts("skipping the delete request (dryRun)");
		return 0;
	}
	if (!drop(flyte, kind, &target, e))
		return -1;
	auto_free char *where = scope_text(&target);
	printf("Deleted matchable resources from %s\n", where);
	return 0;
}

/* What --gen writes where nothing is set. */
static Flyteidl__Admin__MatchingAttributes *sample(struct flyte *flyte, const struct attribute_kind *kind,
                                                   struct err *e)
{
	static const char text[] =
	        "{\"max_parallelism\": 10, \"security_context\": {\"run_as\": {\"k8s_service_account\": \"default\"}}, "
	        "\"labels\": {\"values\": {\"cliLabelKey\": \"cliLabelValue\"}}, \"annotations\": {\"values\": "
	        "{\"cliAnnotationKey\": \"cliAnnotationValue\"}}, \"raw_output_data_config\": "
	        "{\"output_location_prefix\": \"cliOutputLocationPrefix\"}}";
	Flyteidl__Admin__MatchingAttributes *attributes =
	        proto_new(&flyte->arena, flyteidl__admin__matching_attributes);
	attributes->target_case = kind->target;
	attributes->workflow_execution_config = (Flyteidl__Admin__WorkflowExecutionConfig *)proto_json_parse_of(
	        &flyte->arena, kind->descriptor, text, strlen(text), 0, e);
	return attributes->workflow_execution_config ? attributes : NULL;
}

int flyte_attributes_show(struct flyte *flyte, const struct attribute_kind *kind, const struct attribute_scope *scope,
                          const char *file, bool generate, struct err *e)
{
	static const struct flyte_column columns[] = { { .heading = "Project", .path = "project" },
		                                       { .heading = "Domain", .path = "domain" },
		                                       { .heading = "Workflow", .path = "workflow" } };
	Flyteidl__Admin__MatchingAttributes *attributes = NULL;
	auto_err struct err problem = ERR_INIT;
	if (flyte_attributes_get(flyte, kind, scope, &attributes, &problem) < 0) {
		const bool may_generate =
		        generate && kind->resource == FLYTEIDL__ADMIN__MATCHABLE_RESOURCE__WORKFLOW_EXECUTION_CONFIG;
		if (problem.kind != ERR_NOT_FOUND || !may_generate)
			return err_move(e, &problem);
		cli_say(flyte->cli, "Generating a sample workflow execution config file");
		attributes = sample(flyte, kind, e);
		if (!attributes)
			return -1;
	}
	auto_json json_t *document =
	        attribute_file_json(kind, scope->project, scope->domain, scope->workflow, attributes, e);
	if (!document)
		return -1;
	if (file) {
		auto_buf struct buf text = BUF_INIT(ATTRIBUTE_FILE_MAXIMUM);
		if (yaml_print(document, &text, e) < 0 || flyte_write_file(flyte->cli, file, &text, e) < 0)
			return -1;
		printf("wrote the config to file %s\n", file);
		return 0;
	}
	/* flytectl knows no table of attributes: it prints JSON, whatever the format. */
	if (text_equal(flyte_format(flyte->cli), "table")) {
		auto_free char *text = json_to_text(document);
		puts(text);
		return 0;
	}
	return flyte_print_json(flyte->cli, columns, ARRAY_LENGTH(columns), document, e);
}
