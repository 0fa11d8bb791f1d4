#include "controlplane/notify/message.h"

#include "base/buf.h"
#include "base/text.h"
#include "proto/scalar.h"

#include <ctype.h>
#include <string.h>

/* The longest name of a variable, with room to spare. */
#define NAME_MAXIMUM 32

static char *lower(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text);
	for (char *at = copy; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return copy;
}

/* Not inside of a character. */
static size_t cut(const char *text, size_t maximum)
{
	size_t length = strlen(text);
	if (length <= maximum)
		return length;
	while (maximum > 0 && ((unsigned char)text[maximum] & 0xc0) == 0x80)
		maximum--;
	return maximum;
}

static const char *error_text(struct arena *arena, const struct message_facts *facts)
{
	if (!*facts->error)
		return "";
	return arena_printf(arena, " The execution failed with error: [%.*s].",
	                    (int)cut(facts->error, MESSAGE_ERROR_MAXIMUM), facts->error);
}

/* NULL: there is no such variable. */
static const char *value_of(struct arena *arena, const struct message_facts *facts, const char *name)
{
	const struct {
		const char *name, *value;
	} values[] = {
		{ "project", facts->project },
		{ "domain", facts->domain },
		{ "name", facts->name },
		{ "workflow.project", facts->workflow_project },
		{ "workflow.domain", facts->workflow_domain },
		{ "workflow.name", facts->workflow_name },
		{ "workflow.version", facts->workflow_version },
		{ "launch_plan.project", facts->launch_plan_project },
		{ "launch_plan.domain", facts->launch_plan_domain },
		{ "launch_plan.name", facts->launch_plan_name },
		{ "launch_plan.version", facts->launch_plan_version },
	};
	if (text_equal(name, "phase"))
		return lower(arena, facts->phase);
	if (text_equal(name, "error"))
		return error_text(arena, facts);
	for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
		if (text_equal(values[i].name, name))
			return values[i].value;
	}
	return NULL;
}

static int add_value(struct buf *out, const char *value, bool html)
{
	static const struct {
		char c;
		const char *entity;
	} entities[] = { { '<', "&lt;" }, { '>', "&gt;" }, { '&', "&amp;" }, { '"', "&quot;" } };
	if (!html)
		return buf_add(out, value, strlen(value));
	for (; *value; value++) {
		const char *entity = NULL;
		for (size_t i = 0; i < ARRAY_LENGTH(entities); i++)
			entity = entities[i].c == *value ? entities[i].entity : entity;
		if ((entity ? buf_add(out, entity, strlen(entity)) : buf_add(out, value, 1)) < 0)
			return -1;
	}
	return 0;
}

/* At "{{": the variable's name, with one space on both sides or none, as upstream. Returns what follows, NULL when it is
 * not of this form. */
static const char *read_variable(const char *at, char name[NAME_MAXIMUM])
{
	const bool spaced = at[2] == ' ';
	const char *begin = at + 2 + spaced;
	const size_t length = strspn(begin, "abcdefghijklmnopqrstuvwxyz_.");
	if (length == 0 || length >= NAME_MAXIMUM)
		return NULL;
	const char *end = begin + length;
	if ((spaced && *end++ != ' ') || !text_starts_with(end, "}}"))
		return NULL;
	memcpy(name, begin, length);
	name[length] = '\0';
	return end + 2;
}

/* Of a text that ended where the room did: without what is left of its last character. */
static size_t whole_characters(const char *text, size_t length)
{
	size_t at = length;
	while (at > 0 && ((unsigned char)text[at - 1] & 0xc0) == 0x80)
		at--;
	at -= at > 0;
	return proto_utf8_sequence(text + at, length - at) == length - at ? length : at;
}

char *message_render(struct arena *arena, const char *template, const struct message_facts *facts, bool html)
{
	auto_buf struct buf out = BUF_INIT(MESSAGE_MAXIMUM);
	for (const char *at = template; *at;) {
		char name[NAME_MAXIMUM];
		const char *rest = text_starts_with(at, "{{") ? read_variable(at, name) : NULL;
		const char *value = rest ? value_of(arena, facts, name) : NULL;
		const int added = value ? add_value(&out, value, html) : buf_add(&out, at, 1);
		if (added < 0) {
			buf_truncate(&out, whole_characters(buf_text(&out), out.length));
			break;
		}
		at = value ? rest : at + 1;
	}
	return arena_strndup(arena, buf_text(&out), out.length);
}

struct message_target message_target_of(const Flyteidl__Admin__Notification *notification)
{
	switch (notification->type_case) {
	case FLYTEIDL__ADMIN__NOTIFICATION__TYPE_EMAIL:
		return (struct message_target){ .kind = "email",
			                        .count = notification->email->n_recipients_email,
			                        .recipients = notification->email->recipients_email,
			                        .template = notification->email->template_ };
	case FLYTEIDL__ADMIN__NOTIFICATION__TYPE_PAGER_DUTY:
		return (struct message_target){ .kind = "pager_duty",
			                        .count = notification->pager_duty->n_recipients_email,
			                        .recipients = notification->pager_duty->recipients_email,
			                        .template = notification->pager_duty->template_ };
	case FLYTEIDL__ADMIN__NOTIFICATION__TYPE_SLACK:
		return (struct message_target){ .kind = "slack",
			                        .count = notification->slack->n_recipients_email,
			                        .recipients = notification->slack->recipients_email,
			                        .template = notification->slack->template_ };
	default:
		return (struct message_target){ .kind = "", .template = "" };
	}
}

json_t *message_json(const struct message_facts *facts, const struct message_target *target, const char *id,
                     const char *subject, const char *text)
{
	auto_json json_t *recipients = json_array();
	for (size_t i = 0; i < target->count; i++)
		json_array_append_new(recipients, json_string(target->recipients[i]));
	auto_json json_t *workflow = json_pack("{s:s, s:s, s:s, s:s}", "project", facts->workflow_project, "domain",
	                                       facts->workflow_domain, "name", facts->workflow_name, "version",
	                                       facts->workflow_version);
	auto_json json_t *launch_plan = json_pack("{s:s, s:s, s:s, s:s}", "project", facts->launch_plan_project,
	                                          "domain", facts->launch_plan_domain, "name",
	                                          facts->launch_plan_name, "version", facts->launch_plan_version);
	json_t *message = json_pack("{s:s, s:{s:s, s:s, s:s}, s:s, s:O, s:O, s:s, s:O, s:s}", "id", id, "execution",
	                            "project", facts->project, "domain", facts->domain, "name", facts->name, "phase",
	                            facts->phase, "workflow", workflow, "launch_plan", launch_plan, "type",
	                            target->kind, "recipients", recipients, "subject", subject);
	json_object_set_new(message, "error", *facts->error ? json_string(facts->error) : json_null());
	/* What Slack's and many others' incoming webhooks show. */
	json_object_set_new(message, "text", json_string(text));
	return message;
}
