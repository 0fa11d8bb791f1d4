#include "cli/framework/verb.h"

#include "base/text.h"

#define VERBS_MAXIMUM 64

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < verb_count; i++) {
		if (text_equal(verbs[i]->name, name))
			return verbs[i];
	}
	return NULL;
}

int verb_unknown(const char *name, struct err *e)
{
	const char *names[VERBS_MAXIMUM];
	size_t count = 0;
	for (; count < verb_count && count < VERBS_MAXIMUM; count++)
		names[count] = verbs[count]->name;
	const char *near = text_suggest(name, names, count);
	/* What other tools call these verbs. */
	static const char *const synonyms[][2] = {
		{ "up", "start" },       { "down", "stop" },      { "teardown", "delete" },  { "remove", "delete" },
		{ "rm", "delete" },      { "destroy", "delete" }, { "ps", "list" },          { "ls", "list" },
		{ "unpause", "resume" }, { "log", "logs" },       { "--version", "version" }
	};
	for (size_t i = 0; i < ARRAY_LENGTH(synonyms); i++) {
		if (text_equal(name, synonyms[i][0]))
			near = synonyms[i][1];
	}
	err_set(e, ERR_USAGE, "unknown-verb", "unknown verb '%s'", name);
	if (near)
		return err_hint(e, "did you mean '%s'? `sandbox help` lists the verbs", near);
	return err_hint(e, "`sandbox help` lists the verbs");
}
