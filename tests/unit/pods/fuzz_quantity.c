/* Whatever parses must print, and what was printed must parse to a value that is not smaller by more than rounding:
 * here, the same. */
#include "controlplane/engine/resources.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[256], printed[QUANTITY_TEXT_SIZE];
	struct quantity quantity, again;
	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (!quantity_parse(text, &quantity))
		return 0;
	quantity_print(&quantity, printed);
	if (!quantity_parse(printed, &again) || quantity_compare(&quantity, &again) != 0)
		abort();
	return 0;
}
