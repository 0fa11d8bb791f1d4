/* The first byte chooses the attribute; what is read is printed and read again. */
#include "base/yaml.h"
#include "flyte/attributes.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	const struct attribute_kind *kind = &attribute_kinds[data[0] % attribute_kind_count];
	auto_arena struct arena arena = ARENA_INIT((size_t)64 << 20);
	auto_buf struct buf text = BUF_INIT(ATTRIBUTE_FILE_MAXIMUM);
	auto_err struct err e = ERR_INIT;
	struct attribute_file file;
	struct attribute_file again;
	if (attribute_file_parse(&arena, kind, (const char *)data + 1, size - 1, "fuzz", &file, &e) < 0)
		return 0;
	auto_json json_t *document =
	        attribute_file_json(kind, file.project, file.domain, file.workflow, file.attributes, &e);
	if (document && yaml_print(document, &text, &e) == 0 &&
	    attribute_file_parse(&arena, kind, buf_text(&text), text.length, "fuzz", &again, &e) < 0)
		abort();
	return 0;
}
