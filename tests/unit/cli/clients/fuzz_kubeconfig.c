/* Whatever the user's file holds: merge and removal fail cleanly, or give YAML that holds, or no longer holds, our
 * entries. */
#include "base/yaml.h"
#include "cli/clients/kubeconfig.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *entries(void)
{
	return json_pack("{s:s, s:[{s:s, s:{s:s}}], s:[{s:s, s:{s:s}}], s:[{s:s, s:{}}], s:s}", "apiVersion", "v1",
	                 "clusters", "name", "fuzz", "cluster", "server", "https://x", "contexts", "name", "fuzz",
	                 "context", "cluster", "fuzz", "users", "name", "fuzz", "user", "current-context", "fuzz");
}

static void check(const char *text, bool present)
{
	auto_json json_t *document = yaml_parse(text, strlen(text), "result", NULL);
	size_t found = 0;
	size_t i;
	json_t *entry;
	if (!document)
		abort();
	json_array_foreach(json_object_get(document, "clusters"), i, entry)
	{
		found += strcmp(json_string_at(entry, "name", ""), "fuzz") == 0;
	}
	if (present ? found == 0 : found > 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json json_t *ours = entries();
	auto_free char *merged = NULL;
	auto_free char *back = NULL;
	auto_err struct err e = ERR_INIT;
	if (size > 4096 || kubeconfig_merge_text((const char *)data, size, "fuzz", ours, true, &merged, &e) < 0)
		return 0;
	check(merged, true);
	if (kubeconfig_remove_text(merged, strlen(merged), "fuzz", "fuzz", &back, &e) < 0)
		abort();
	check(back, false);
	return 0;
}
