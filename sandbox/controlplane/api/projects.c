/* AdminService's methods on projects, and the domains, which are the same for all. */
#include "controlplane/api/api.h"

#include "base/kubernetes_names.h"
#include "base/text.h"
#include "controlplane/api/launch_plan_validate.h"
#include "controlplane/api/registration.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/projects.h"

#include "flyteidl/admin/project.pb-c.h"

#include <string.h>

#define NAME_MAXIMUM 64
#define DESCRIPTION_MAXIMUM 300

static int validate(const Flyteidl__Admin__Project *project, struct err *e)
{
	if (ids_require(project->id, "project_id", e) < 0 || launch_plan_validate_labels(project->labels, e) < 0)
		return -1;
	if (!kubernetes_is_dns_label(project->id))
		return err_set(e, ERR_INVALID, "invalid-project-id",
		               "invalid project id [%s]: [a lowercase RFC 1123 label must consist of lower case "
		               "alphanumeric characters or "
		               "'-', and must start and end with an alphanumeric character, and must be no more than "
		               "63 characters]",
		               project->id);
	if (strlen(project->name) > NAME_MAXIMUM)
		return err_set(e, ERR_INVALID, "too-long", "project_name cannot exceed %d characters", NAME_MAXIMUM);
	if (strlen(project->description) > DESCRIPTION_MAXIMUM)
		return err_set(e, ERR_INVALID, "too-long", "project_description cannot exceed %d characters",
		               DESCRIPTION_MAXIMUM);
	if (project->state > FLYTEIDL__ADMIN__PROJECT__PROJECT_STATE__SYSTEM_ARCHIVED)
		return err_set(e, ERR_INVALID, "invalid-state", "invalid value for state");
	if (project->n_domains)
		return err_set(e, ERR_INVALID, "domains-given",
		               "Domains are currently only set system wide. Please retry without domains included in "
		               "your request.");
	return 0;
}

static struct project_row row_of(struct arena *arena, const Flyteidl__Admin__Project *project)
{
	return (struct project_row){
		.identifier = project->id,
		.name = project->name,
		.description = project->description,
		.labels = project->labels ? proto_pack(arena, &project->labels->base)
		                          : (struct proto_bytes){ .data = NULL },
		.state = project->state,
	};
}

static Flyteidl__Admin__Domain **domains_of(struct arena *arena, const struct settings *settings)
{
	Flyteidl__Admin__Domain **domains = arena_array(arena, Flyteidl__Admin__Domain *, settings->domain_count);
	for (size_t i = 0; i < settings->domain_count; i++) {
		domains[i] = proto_new(arena, flyteidl__admin__domain);
		domains[i]->id = arena_strdup(arena, settings->domains[i].id);
		domains[i]->name = arena_strdup(arena, settings->domains[i].name);
	}
	return domains;
}

static Flyteidl__Admin__Project *project_message(const struct settings *settings, struct arena *arena,
                                                 const struct project_row *row,
                                                 struct err *e)
{
	Flyteidl__Admin__Project *project = proto_new(arena, flyteidl__admin__project);
	project->id = arena_strdup(arena, row->identifier);
	project->name = arena_strdup(arena, row->name);
	project->description = arena_strdup(arena, row->description);
	project->state = (Flyteidl__Admin__Project__ProjectState)row->state;
	project->domains = domains_of(arena, settings);
	project->n_domains = settings->domain_count;
	if (row->labels.data) {
		project->labels = proto_unpack(arena, flyteidl__admin__labels, row->labels.data, row->labels.length, e);
		if (!project->labels)
			return NULL;
	}
	return project;
}

static ProtobufCMessage *register_project(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                          struct err *e)
{
	const Flyteidl__Admin__Project *project = ((const Flyteidl__Admin__ProjectRegisterRequest *)message)->project;
	auto_connection struct database_connection *c = NULL;
	if (!project) {
		ids_require(NULL, "project", e);
		return NULL;
	}
	if (ids_require(project->name, "project_name", e) < 0 || validate(project, e) < 0 ||
	    api_connect(context, call, &c, e) < 0)
		return NULL;
	struct project_row row = row_of(call->arena, project);
	int stored = projects_insert(c, call->arena, &row, e);
	if (stored == 0)
		err_set(e, ERR_EXISTS, "project-exists", "value with matching already exists (project [%s])",
		        project->id);
	return stored > 0 ? &proto_new(call->arena, flyteidl__admin__project_register_response)->base : NULL;
}

static int unknown_project(const char *id, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "unknown-project", "project [%s] not found", id);
}

static ProtobufCMessage *update_project(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                        struct err *e)
{
	const Flyteidl__Admin__Project *project = (const Flyteidl__Admin__Project *)message;
	auto_connection struct database_connection *c = NULL;
	struct project_row existing;
	if (api_connect(context, call, &c, e) < 0)
		return NULL;
	int found = projects_get(c, call->arena, project->id, &existing, e);
	if (found == 0)
		unknown_project(project->id, e);
	if (found <= 0 || validate(project, e) < 0)
		return NULL;
	struct project_row row = row_of(call->arena, project);
	int done = projects_update(c, &row, e);
	if (done == 0)
		unknown_project(project->id, e);
	return done > 0 ? &proto_new(call->arena, flyteidl__admin__project_update_response)->base : NULL;
}

static ProtobufCMessage *get_project(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                     struct err *e)
{
	struct api *api = context;
	const char *id = ((const Flyteidl__Admin__ProjectGetRequest *)message)->id;
	auto_connection struct database_connection *c = NULL;
	struct project_row row;
	if (ids_require(id, "project_id", e) < 0 || api_connect(context, call, &c, e) < 0)
		return NULL;
	int found = projects_get(c, call->arena, id, &row, e);
	if (found == 0)
		unknown_project(id, e);
	auto_settings const struct settings *settings = settings_current(api->settings);
	return found > 0 ? (ProtobufCMessage *)project_message(settings, call->arena, &row, e) : NULL;
}

static ProtobufCMessage *list_projects(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                       struct err *e)
{
	struct api *api = context;
	const Flyteidl__Admin__ProjectListRequest *request = (const Flyteidl__Admin__ProjectListRequest *)message;
	auto_connection struct database_connection *c = NULL;
	auto_list_query struct list_query query = LIST_QUERY_INIT;
	const struct list_request list = { .entity = LIST_PROJECT,
		                           .rpc = "ListProjects",
		                           .limit = request->limit,
		                           .limit_optional = true,
		                           .token = request->token,
		                           .filters = request->filters,
		                           .sort_by = request->sort_by,
		                           .default_order = "p.identifier" };
	if (list_init(&query, call->arena, &list, e) < 0)
		return NULL;
	if (text_is_empty(request->filters))
		list_where(&query, "p.state <> 1", DB_NULL);
	struct project_rows rows;
	if (api_connect(context, call, &c, e) < 0 || projects_list(c, &query, &rows, e) < 0)
		return NULL;
	Flyteidl__Admin__Projects *response = proto_new(call->arena, flyteidl__admin__projects);
	response->token = arena_strdup(call->arena, query.next_token);
	response->projects = arena_array(call->arena, Flyteidl__Admin__Project *, rows.count);
	response->n_projects = rows.count;
	auto_settings const struct settings *settings = settings_current(api->settings);
	for (size_t i = 0; i < rows.count; i++) {
		if (!(response->projects[i] = project_message(settings, call->arena, &rows.rows[i], e)))
			return NULL;
	}
	return &response->base;
}

static ProtobufCMessage *get_domains(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                     struct err *e)
{
	(void)message;
	(void)e;
	struct api *api = context;
	auto_settings const struct settings *settings = settings_current(api->settings);
	Flyteidl__Admin__GetDomainsResponse *response = proto_new(call->arena, flyteidl__admin__get_domains_response);
	response->domains = domains_of(call->arena, settings);
	response->n_domains = settings->domain_count;
	return &response->base;
}

struct api_methods api_project_methods(void)
{
	static const struct rpc_method methods[] = {
		ADMIN_METHOD("RegisterProject", project_register_request, project_register_response, register_project),
		ADMIN_METHOD("UpdateProject", project, project_update_response, update_project),
		ADMIN_METHOD("GetProject", project_get_request, project, get_project),
		ADMIN_METHOD("ListProjects", project_list_request, projects, list_projects),
		ADMIN_METHOD("GetDomains", get_domain_request, get_domains_response, get_domains),
	};
	return (struct api_methods){ .methods = methods, .count = ARRAY_LENGTH(methods) };
}
