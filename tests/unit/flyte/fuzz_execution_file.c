/* An execution file against an interface with every kind of type: what it gives has a plain form again. */
#include "flyte/execution_file.h"
#include "flyte/literal.h"
#include "proto/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char interface[] =
        "{\"variables\": {\"n\": {\"type\": {\"simple\": \"INTEGER\"}}, \"f\": {\"type\": {\"simple\": \"FLOAT\"}}, "
        "\"s\": {\"type\": {\"simple\": \"STRING\"}}, \"b\": {\"type\": {\"simple\": \"BOOLEAN\"}}, "
        "\"at\": {\"type\": {\"simple\": \"DATETIME\"}}, \"for\": {\"type\": {\"simple\": \"DURATION\"}}, "
        "\"point\": {\"type\": {\"simple\": \"STRUCT\"}}, \"e\": {\"type\": {\"simple\": \"ERROR\"}}, "
        "\"bytes\": {\"type\": {\"simple\": \"BINARY\"}}, \"none\": {\"type\": {\"simple\": \"NONE\"}}, "
        "\"color\": {\"type\": {\"enumType\": {\"values\": [\"red\"]}}}, "
        "\"list\": {\"type\": {\"collectionType\": {\"simple\": \"INTEGER\"}}}, "
        "\"map\": {\"type\": {\"mapValueType\": {\"collectionType\": {\"simple\": \"STRING\"}}}}, "
        "\"maybe\": {\"type\": {\"unionType\": {\"variants\": [{\"simple\": \"INTEGER\"}, {\"simple\": \"NONE\"}, "
        "{\"collectionType\": {\"simple\": \"STRUCT\"}}]}}}, \"file\": {\"type\": {\"blob\": {}}}, "
        "\"frame\": {\"type\": {\"structuredDatasetType\": {}}}, \"schema\": {\"type\": {\"schema\": {}}}}}";

static void give_back(struct arena *arena, const struct execution_file *file, const struct execution_inputs *inputs)
{
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf out = BUF_INIT(EXECUTION_FILE_MAXIMUM);
	const Flyteidl__Core__LiteralMap *map = execution_file_literals(arena, file, inputs, &e);
	for (size_t i = 0; map && i < map->n_literals; i++) {
		auto_json json_t *value = literal_to_json(arena, map->literals[i]->value, &e);
		(void)value;
	}
	if (execution_file_print(arena, true, "t", "v", inputs, 0, &out, &e) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)64 << 20);
	auto_execution_file struct execution_file file = EXECUTION_FILE_INIT;
	auto_err struct err e = ERR_INIT;
	const Flyteidl__Core__VariableMap *variables =
	        proto_json_parse(&arena, flyteidl__core__variable_map, interface, strlen(interface), 0, &e);
	if (!variables)
		abort();
	struct execution_inputs inputs = execution_inputs_of_variables(&arena, variables);
	/* Of a task all are required; with that, hardly any file would get past the check for it. */
	for (size_t i = 0; i < inputs.count; i++)
		inputs.list[i].required = size % 2 && i == 0;
	if (execution_file_parse(&arena, (const char *)data, size, "fuzz", &file, &e) == 0)
		give_back(&arena, &file, &inputs);
	return 0;
}
