#include "controlplane/cluster/cluster_internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "controlplane/cluster/resource_template.h"
#include "controlplane/launch/attributes.h"
#include "controlplane/store/cluster_resources.h"
#include "controlplane/store/projects.h"

#include "flyteidl/admin/project.pb-c.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#define BORROW_MS INT64_C(30000)
#define ARENA_MAXIMUM ((size_t)256 * 1024 * 1024)
#define TEMPLATE_COUNT_MAXIMUM 256

struct object_template {
	const char *name; /* the file's */
	const char *text;
};

/* One pass over everything. */
struct sync {
	const struct cluster_resources_options *options;
	const struct settings *settings;
	json_t *applied;
	json_t *kinds; /* "<apiVersion> <kind>" to {"plural", "namespaced"}: what the API server says */
	struct arena *arena;
	struct object_template *templates;
	size_t template_count;
	bool built_in;
	struct cluster_resource_rows rows; /* what there was before */
	bool *kept;                        /* of each row: it is made still */
	int failures;
	struct err *first;
};

static void fail(struct sync *s, struct err *e, const char *namespace, const char *template)
{
	log_err(LOG_WARN, "a namespace is not in step", e, "namespace", namespace);
	err_wrap(e, "%s in the namespace \"%s\"", template, namespace);
	if (!s->failures++)
		err_move(s->first, e);
	else
		err_release(e);
}

/* ---- Templates ---- */

static const struct object_template namespace_template = {
	"namespace.yaml",
	"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {{ namespace }}\n",
};
static const struct object_template quota_template = {
	"project-quota.yaml",
	"apiVersion: v1\nkind: ResourceQuota\nmetadata:\n  name: project-quota\n  namespace: {{ namespace }}\nspec:\n  hard: {}\n",
};

static int compare_templates(const void *a, const void *b)
{
	const struct object_template *one = a, *other = b;
	return strcmp(one->name, other->name);
}

static int add_file(struct sync *s, const char *directory, const char *name, struct err *e)
{
	auto_free char *path = file_join(directory, name);
	auto_buf struct buf text = BUF_INIT(RESOURCE_TEMPLATE_MAXIMUM);
	if (s->template_count == TEMPLATE_COUNT_MAXIMUM)
		return err_set(e, ERR_INVALID, "too-many-templates", "%s has more than %d templates", directory,
		               TEMPLATE_COUNT_MAXIMUM);
	if (file_read(path, &text, e) < 0)
		return -1;
	s->templates[s->template_count++] = (struct object_template){ .name = arena_strdup(s->arena, name),
		                                                      .text = arena_strdup(s->arena, buf_text(&text)) };
	return 0;
}

static int read_templates(struct sync *s, struct err *e)
{
	const char *directory = s->settings->cluster_resource_templates;
	s->templates = arena_array(s->arena, struct object_template, TEMPLATE_COUNT_MAXIMUM);
	s->built_in = text_is_empty(directory);
	if (s->built_in) {
		s->templates[s->template_count++] = namespace_template;
		s->templates[s->template_count++] = quota_template;
		return 0;
	}
	DIR *dir = opendir(directory);
	if (!dir)
		return err_set_errno(e, errno, "no-templates", "cannot read the templates of cluster resources in '%s'",
		                     directory);
	int outcome = 0;
	for (struct dirent *entry; outcome == 0 && (entry = readdir(dir));) {
		/* A ConfigMap's folder has entries that start with a dot. */
		if (entry->d_name[0] != '.' && (text_ends_with(entry->d_name, ".yaml") || text_ends_with(entry->d_name, ".yml")))
			outcome = add_file(s, directory, entry->d_name, e);
	}
	closedir(dir);
	/* By name, so that people can say what comes first: a namespace before what is in it. */
	qsort(s->templates, s->template_count, sizeof(*s->templates), compare_templates);
	return outcome;
}

/* The quota of the values that are there; false when there is none. */
static bool complete_quota(json_t *object, const struct resource_values *values)
{
	static const struct {
		const char *variable, *resource;
	} amounts[] = { { "projectQuotaCpu", "requests.cpu" }, { "projectQuotaMemory", "limits.memory" } };
	json_t *hard = json_lookup(object, "spec/hard");
	for (size_t i = 0; i < ARRAY_LENGTH(amounts); i++) {
		const char *amount = resource_values_get(values, amounts[i].variable);
		if (!text_is_empty(amount))
			json_object_set_new(hard, amounts[i].resource, json_string(amount));
	}
	return json_object_size(hard) > 0;
}

/* ---- Objects ---- */

/* Asks the API server how the kind is called in paths. */
static const json_t *kind_of(struct sync *s, const char *api_version, const char *kind, struct err *e)
{
	const char *key = arena_printf(s->arena, "%s %s", api_version, kind);
	const json_t *known = json_object_get(s->kinds, key);
	if (known)
		return known;
	auto_json json_t *list = NULL;
	const char *path = arena_printf(s->arena, "/%s/%s", strchr(api_version, '/') ? "apis" : "api", api_version);
	if (kubernetes_get(s->options->kubernetes, path, &list, e) < 0)
		return NULL;
	const json_t *resources = json_object_get(list, "resources");
	for (size_t i = 0; i < json_array_size(resources); i++) {
		json_t *resource = json_array_get(resources, i);
		const char *name = json_string_at(resource, "name", "");
		/* "pods/status" is a part of one. */
		if (text_equal(json_string_at(resource, "kind", ""), kind) && !strchr(name, '/')) {
			json_object_set(s->kinds, key, resource);
			return resource;
		}
	}
	err_set(e, ERR_INVALID, "unknown-kind", "Kubernetes knows no kind %s in %s", kind, api_version);
	return NULL;
}

static const char *path_of(struct sync *s, const json_t *object, const char *namespace, struct err *e)
{
	const char *api_version = json_string_at(object, "apiVersion", "");
	const json_t *kind = kind_of(s, api_version, json_string_at(object, "kind", ""), e);
	if (!kind)
		return NULL;
	const char *root = strchr(api_version, '/') ? "apis" : "api";
	const char *plural = json_string_at(kind, "name", ""), *name = json_string_at(object, "metadata/name", "");
	if (!json_boolean_at(kind, "namespaced", false))
		return arena_printf(s->arena, "/%s/%s/%s/%s", root, api_version, plural, name);
	return arena_printf(s->arena, "/%s/%s/namespaces/%s/%s/%s", root, api_version, namespace, plural, name);
}

static void label(struct sync *s, json_t *object, const char *template)
{
	json_t *metadata = json_object_get(object, "metadata");
	if (!json_is_object(json_object_get(metadata, "labels")))
		json_object_set_new(metadata, "labels", json_object());
	char *stem = arena_strndup(s->arena, template, strcspn(template, "."));
	json_object_set_new(json_object_get(metadata, "labels"), CLUSTER_RESOURCE_LABEL, json_string(stem));
}

/* A row that says the same stays; one with another path is about another object, which goes. */
static bool keep_row(struct sync *s, const struct cluster_resource_row *row)
{
	for (size_t i = 0; i < s->rows.count; i++) {
		const struct cluster_resource_row *there = &s->rows.rows[i];
		if (!text_equal(there->namespace, row->namespace) || !text_equal(there->template, row->template))
			continue;
		s->kept[i] = text_equal(there->path, row->path);
		return s->kept[i];
	}
	return false;
}

static int write_row(struct sync *s, const struct cluster_resource_row *row, bool delete, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	if (database_borrow(s->options->database, clock_monotonic_ms() + BORROW_MS, &c, e) < 0)
		return -1;
	return delete ? cluster_resources_delete(c, row, e) : cluster_resources_put(c, row, e);
}

/* The row is written first: an object without a row would never be taken away. */
static int apply(struct sync *s, json_t *object, const char *namespace, const char *template, struct err *e)
{
	label(s, object, template);
	const char *path = path_of(s, object, namespace, e);
	if (!path)
		return -1;
	const struct cluster_resource_row row = { .namespace = namespace, .template = template, .path = path };
	auto_free char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	bool is_kept = keep_row(s, &row);
	if (is_kept && text_equal(json_string_value(json_object_get(s->applied, path)), text))
		return 0;
	if (!is_kept && write_row(s, &row, false, e) < 0)
		return -1;
	if (kubernetes_apply(s->options->kubernetes, path, object, e) < 0)
		return -1;
	json_object_set_new(s->applied, path, json_string(text));
	log_info("cluster resource applied", "path", path, "template", template, NULL);
	return 0;
}

static int apply_template(struct sync *s, const struct object_template *template, const struct resource_values *values,
                          struct err *e)
{
	auto_json json_t *object =
	        resource_template_render(template->text, strlen(template->text), template->name, values, e);
	if (!object)
		return -1;
	if (s->built_in && text_equal(template->name, quota_template.name) && !complete_quota(object, values))
		return 0;
	return apply(s, object, values->namespace, template->name, e);
}

/* ---- Projects ---- */

static json_t *map_of(const Flyteidl__Admin__ClusterResourceAttributes *attributes)
{
	json_t *map = json_object();
	for (size_t i = 0; attributes && i < attributes->n_attributes; i++)
		json_object_set_new(map, attributes->attributes[i]->key, json_string(attributes->attributes[i]->value));
	return map;
}

static int load_attributes(struct sync *s, const char *project, const char *domain, json_t **ret_map, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	const struct matchable_scope scope = { .project = project, .domain = domain };
	struct launch_attributes attributes;
	if (database_borrow(s->options->database, clock_monotonic_ms() + BORROW_MS, &c, e) < 0 ||
	    launch_attributes_load(c, s->arena, &scope, &attributes, e) < 0)
		return -1;
	*ret_map = map_of(attributes.cluster_resources);
	return 0;
}

static int sync_namespace(struct sync *s, const char *project, const char *domain, struct err *e)
{
	auto_json json_t *attributes = NULL;
	const char *namespace = arena_printf(s->arena, "%s-%s", project, domain);
	if (load_attributes(s, project, domain, &attributes, e) < 0)
		return -1;
	const struct resource_values values = {
		.namespace = namespace,
		.project = project,
		.domain = domain,
		.maps = { attributes, json_object_get(s->settings->cluster_resource_domain_data, domain),
		          s->settings->cluster_resource_data },
	};
	for (size_t i = 0; i < s->template_count; i++) {
		auto_err struct err problem = ERR_INIT;
		if (apply_template(s, &s->templates[i], &values, &problem) < 0)
			fail(s, &problem, namespace, s->templates[i].name);
	}
	return 0;
}

static bool is_namespace(const char *path)
{
	return text_starts_with(path, "/api/v1/namespaces/") && !strchr(path + strlen("/api/v1/namespaces/"), '/');
}

/* What nothing makes any more. When something could not be made, nobody knows, and everything stays. */
static void remove_others(struct sync *s)
{
	for (size_t i = 0; i < s->rows.count && !s->failures; i++) {
		const struct cluster_resource_row *row = &s->rows.rows[i];
		auto_err struct err e = ERR_INIT;
		if (s->kept[i])
			continue;
		if (!is_namespace(row->path) && kubernetes_delete(s->options->kubernetes, row->path, -1, &e) < 0 &&
		    e.kind != ERR_NOT_FOUND) {
			fail(s, &e, row->namespace, row->template);
			continue;
		}
		err_release(&e);
		json_object_del(s->applied, row->path);
		if (write_row(s, row, true, &e) < 0)
			fail(s, &e, row->namespace, row->template);
		else
			log_info("cluster resource removed", "path", row->path, NULL);
	}
}

static int load(struct sync *s, struct project_rows *ret_projects, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	if (database_borrow(s->options->database, clock_monotonic_ms() + BORROW_MS, &c, e) < 0 ||
	    projects_active(c, s->arena, ret_projects, e) < 0 || cluster_resources_list(c, s->arena, &s->rows, e) < 0)
		return -1;
	s->kept = arena_array(s->arena, bool, s->rows.count);
	return 0;
}

int cluster_sync(const struct cluster_resources_options *options, json_t *applied, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	auto_settings const struct settings *settings = settings_current(options->settings);
	auto_json json_t *kinds = json_object();
	struct sync s = { .options = options,
		          .settings = settings,
		          .applied = applied,
		          .kinds = kinds,
		          .arena = &arena,
		          .first = e };
	struct project_rows projects;
	if (read_templates(&s, e) < 0 || load(&s, &projects, e) < 0)
		return -1;
	for (size_t i = 0; i < projects.count; i++) {
		for (size_t k = 0; k < settings->domain_count; k++) {
			if (sync_namespace(&s, projects.rows[i].identifier, settings->domains[k].id, e) < 0)
				return -1;
		}
	}
	remove_others(&s);
	return s.failures;
}
