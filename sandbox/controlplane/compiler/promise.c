#include "controlplane/compiler/promise.h"

#include <string.h>

#define INDEX_MAXIMUM ((size_t)1000000000)

bool promise_variable_parse(const char *text, struct promise_variable *ret_variable)
{
	struct promise_variable variable = { .name = text };
	if (*text == '[') {
		const char *digit = text + 1;
		for (; *digit >= '0' && *digit <= '9' && variable.index < INDEX_MAXIMUM; digit++)
			variable.index = variable.index * 10 + (size_t)(*digit - '0');
		if (digit == text + 1 || digit[0] != ']' || digit[1] != '.')
			return false;
		variable.has_index = true;
		variable.name = digit + 2;
	}
	if (!*variable.name || strpbrk(variable.name, "[]"))
		return false;
	*ret_variable = variable;
	return true;
}
