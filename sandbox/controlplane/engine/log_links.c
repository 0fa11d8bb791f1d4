#include "controlplane/engine/log_links.h"

#include "base/text.h"
#include "controlplane/engine/template.h"
#include "proto/message.h"

static void add(struct arena *arena, const char *display_name, const char *template,
                const struct log_links_subject *subject, const json_t *settings, size_t *count,
                Flyteidl__Core__TaskLog ***logs)
{
	const Flyteidl__Core__Identifier *task = subject->task;
	char *name = arena_printf(arena, "%s%s", display_name, subject->suffix);
	const struct template_variable variables[] = {
		{ "logName", name },
		{ "namespace", subject->namespace },
		{ "podName", subject->pod_name },
		{ "hostname", subject->pod_name },
		{ "containerName", subject->pod_name },
		{ "generatedName", subject->pod_name },
		{ "taskProject", task ? task->project : "" },
		{ "taskDomain", task ? task->domain : "" },
		{ "taskID", task ? task->name : "" },
		{ "taskVersion", task ? task->version : "" },
		{ "taskRetryAttempt", arena_printf(arena, "%u", subject->attempt) },
		{ "nodeID", subject->node_id },
		{ "executionProject", subject->project },
		{ "executionDomain", subject->domain },
		{ "executionName", subject->execution },
	};
	Flyteidl__Core__TaskLog *log = proto_new(arena, flyteidl__core__task_log);
	log->uri = template_fill(arena, template, variables, ARRAY_LENGTH(variables));
	log->name = name;
	log->message_format = (Flyteidl__Core__TaskLog__MessageFormat)json_integer_at(settings, "messageFormat", 0);
	log->showwhilepending = json_is_true(json_object_get(settings, "showWhilePending"));
	log->hideoncefinished = json_is_true(json_object_get(settings, "hideOnceFinished"));
	proto_append(arena, *count, *logs, log);
}

void log_links_add(struct arena *arena, const struct log_links *links, const struct log_links_subject *subject,
                   size_t *count, Flyteidl__Core__TaskLog ***logs)
{
	if (!text_is_empty(links->kubernetes))
		add(arena, "Kubernetes Logs", links->kubernetes, subject, NULL, count, logs);
	for (size_t i = 0; i < json_array_size(links->others); i++) {
		const json_t *other = json_array_get(links->others, i), *uris = json_object_get(other, "templateUris");
		for (size_t k = 0; k < json_array_size(uris); k++)
			add(arena, json_string_at(other, "displayName", ""), json_string_value(json_array_get(uris, k)),
			    subject, other, count, logs);
	}
}
