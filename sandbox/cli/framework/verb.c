#include "cli/framework/verb.h"

#include "base/text.h"

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < verb_count; i++) {
		if (text_equal(verbs[i]->name, name))
			return verbs[i];
	}
	return NULL;
}
