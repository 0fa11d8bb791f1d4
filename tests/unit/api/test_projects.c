/* Projects, domains, the version, and named entities. */
#include "registration_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"

#include <string.h>

#define ENTITY(name)                                                                                                   \
	"{'resource_type': 'TASK', 'id': {'project': 'flytesnacks', 'domain': 'development', 'name': '" name "'}"

static void test_named_entities(void **state)
{
	(void)state;
	create_task("named", "v1");
	done("UpdateNamedEntity",
	     ENTITY("named") ", 'metadata': {'description': 'about', 'state': 'NAMED_ENTITY_ARCHIVED'}}");
	auto_json json_t *entity = succeed("GetNamedEntity", ENTITY("named") "}");
	assert_field(entity, "metadata/description", "about");
	assert_field(entity, "metadata/state", "NAMED_ENTITY_ARCHIVED");
	assert_listed("ListNamedEntities",
	              "{'resource_type': 'TASK', 'project': 'flytesnacks', 'domain': 'development', 'limit': 9, "
	              "'filters': 'eq(state,1)'}",
	              "entities", "id/name", "named []");
	refuse("GetNamedEntity", ENTITY("missing") "}", ERR_NOT_FOUND,
	       "missing entity of type TASK with identifier resource_type:TASK project:\"flytesnacks\" "
	       "domain:\"development\" "
	       "name:\"missing\"");
	refuse("UpdateNamedEntity", ENTITY("named") "}", ERR_INVALID, "missing metadata");
	refuse("ListNamedEntities", "{'project': 'p', 'domain': 'd', 'limit': 1}", ERR_INVALID,
	       "invalid value for resource_type");
}

static char *text_of(char letter, size_t length)
{
	char *text = xmalloc(length + 1);
	memset(text, letter, length);
	text[length] = '\0';
	return text;
}

static void test_projects(void **state)
{
	(void)state;
	done("RegisterProject", "{'project': {'id': 'another', 'name': 'Another', 'labels': {'values': {'a': 'b'}}}}");
	refuse("RegisterProject", "{'project': {'id': 'another', 'name': 'Another'}}", ERR_EXISTS,
	       "value with matching already exists (project [another])");
	refuse("RegisterProject", "{}", ERR_INVALID, "missing project");
	refuse("RegisterProject", "{'project': {'id': 'x'}}", ERR_INVALID, "missing project_name");
	refuse("RegisterProject", "{'project': {'id': 'Bad', 'name': 'n'}}", ERR_INVALID,
	       "invalid project id [Bad]: [a lowercase RFC 1123 label must consist of lower case alphanumeric "
	       "characters or '-', and must start "
	       "and end with an alphanumeric character, and must be no more than 63 characters]");
	refuse("RegisterProject", "{'project': {'id': 'x', 'name': 'n', 'domains': [{'id': 'd'}]}}", ERR_INVALID,
	       "Domains are currently only set system wide. Please retry without domains included in your request.");
	auto_json json_t *project = succeed("GetProject", "{'id': 'another'}");
	assert_field(project, "name", "Another");
	assert_field(project, "labels/values/a", "b");
	assert_int_equal(json_array_size(json_object_get(project, "domains")), 3);
	assert_listed("ListProjects", "{}", "projects", "id", "another flytesnacks []");
	done("UpdateProject", "{'id': 'another', 'description': 'more', 'state': 'ARCHIVED'}");
	assert_listed("ListProjects", "{'limit': 5}", "projects", "id", "flytesnacks []");
	assert_listed("ListProjects", "{'filters': 'eq(state,1)'}", "projects", "description", "more []");
	refuse("UpdateProject", "{'id': 'missing'}", ERR_NOT_FOUND, "project [missing] not found");
	/* nothing is registered in an archived one */
	refuse_with("CreateTask",
	            "{'id': {'resource_type': 'TASK', 'project': 'another', 'domain': 'development', 'name': 'n', "
	            "'version': 'v'}}",
	            ERR_INVALID, "project [another] is not active", "InactiveProject");
	auto_json json_t *domains = succeed("GetDomains", "{}");
	assert_list(domains, "domains", "id", "development staging production []");
	auto_json json_t *version = succeed("GetVersion", "{}");
	assert_true(text_starts_with(json_string_at(version, "control_plane_version/Version", ""), "v"));
}

/* A name has at most 64 bytes, a description 300, an id 63, and there are 16 labels. */
static void test_project_limits(void **state)
{
	(void)state;
	auto_free char *name = text_of('n', 65), *description = text_of('d', 301), *id = text_of('i', 64);
	auto_free char *long_name = xasprintf("{'project': {'id': 'x', 'name': '%s'}}", name);
	refuse("RegisterProject", long_name, ERR_INVALID, "project_name cannot exceed 64 characters");
	auto_free char *long_description = xasprintf("{'project': {'id': 'x', 'name': '%s', 'description': '%s'}}", name + 1, description);
	refuse("RegisterProject", long_description, ERR_INVALID, "project_description cannot exceed 300 characters");
	auto_free char *longest = xasprintf("{'project': {'id': '%s', 'name': '%s', 'description': '%s', 'state': 'ARCHIVED'}}", id + 1,
	                                    name + 1, description + 1);
	done("RegisterProject", longest);
	auto_free char *labels = xstrdup("'l0': ''");
	for (int i = 1; i <= 16; i++) {
		char *more = xasprintf("%s, 'l%d': ''", labels, i);
		free(labels);
		labels = more;
	}
	auto_free char *many_labels = xasprintf("{'project': {'id': 'x', 'name': 'n', 'labels': {'values': {%s}}}}", labels);
	refuse("RegisterProject", many_labels, ERR_INVALID, "labels map cannot exceed 16 entries");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_named_entities),
		cmocka_unit_test(test_projects),
		cmocka_unit_test(test_project_limits),
	};
	return cmocka_run_group_tests(tests, registration_start, registration_stop);
}
