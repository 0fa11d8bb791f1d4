#include "cli/instance/instances.h"

#include "base/text.h"
#include "docker/container.h"
#include "docker/volume.h"

#include <string.h>

static void entry_release(struct instance_entry *entry)
{
	free(entry->name);
	sandbox_release(&entry->sandbox);
	json_decref(entry->volume);
	json_decref(entry->labels);
}

void instances_release(struct instances *instances)
{
	for (size_t i = 0; i < instances->count; i++)
		entry_release(&instances->items[i]);
	free(instances->items);
	*instances = (struct instances)INSTANCES_INIT;
}

/* A new entry at the end; what it is given is taken over. */
static struct instance_entry *add(struct instances *instances, const char *name, json_t *labels)
{
	instances->items = xreallocarray(instances->items, instances->count + 1, sizeof(*instances->items));
	struct instance_entry *entry = &instances->items[instances->count++];
	*entry = (struct instance_entry){ .name = xstrdup(name), .sandbox = SANDBOX_INIT };
	entry->labels = json_incref(labels);
	return entry;
}

static int add_container(struct cli *cli, struct instances *instances, const json_t *listed, struct err *e)
{
	auto_err struct err problem = ERR_INIT;
	auto_json json_t *container = docker_container_inspect(cli->docker, json_string_at(listed, "Id", ""), &problem);
	if (!container)
		return problem.kind == ERR_NOT_FOUND ? 0 : err_move(e, &problem);
	const char *name = json_string_at(container, "Name", "/");
	struct instance_entry *entry = add(instances, name + (name[0] == '/'), json_lookup(container, "Config/Labels"));
	sandbox_of_container(cli, container, &entry->sandbox);
	return 0;
}

static void add_volume(struct instances *instances, json_t *volume)
{
	const char *name = json_string_at(volume, "Name", "");
	struct instance_entry *entry = NULL;
	for (size_t i = 0; i < instances->count && !entry; i++) {
		if (text_equal(instances->items[i].name, name))
			entry = &instances->items[i];
	}
	if (!entry)
		entry = add(instances, name, json_object_get(volume, "Labels"));
	entry->volume = json_incref(volume);
}

static int by_name(const void *a, const void *b)
{
	const struct instance_entry *left = a;
	const struct instance_entry *right = b;
	return strcmp(left->name, right->name);
}

int instances_find(struct cli *cli, struct instances *ret_instances, struct err *e)
{
	auto_instances struct instances instances = INSTANCES_INIT;
	if (cli_connect(cli, e) < 0)
		return -1;
	auto_json json_t *containers = docker_container_list(cli->docker, true, INSTANCE_LABEL, e);
	auto_json json_t *volumes = containers ? docker_volume_list(cli->docker, INSTANCE_LABEL, e) : NULL;
	if (!volumes)
		return -1;
	size_t i;
	json_t *value;
	json_array_foreach(containers, i, value)
	{
		if (add_container(cli, &instances, value, e) < 0)
			return -1;
	}
	json_array_foreach(volumes, i, value) add_volume(&instances, value);
	if (instances.count)
		qsort(instances.items, instances.count, sizeof(*instances.items), by_name);
	*ret_instances = instances;
	instances = (struct instances)INSTANCES_INIT;
	return 0;
}
