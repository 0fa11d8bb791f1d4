#include "controlplane/launch/ids.h"

#include "base/buf.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAXIMUM ((size_t)16 * 1024)

int ids_require(const char *value, const char *field, struct err *e)
{
	if (text_is_empty(value))
		return err_set(e, ERR_INVALID, "missing-field", "missing %s", field);
	return 0;
}

static const char *type_name(Flyteidl__Core__ResourceType type)
{
	const ProtobufCEnumValue *value =
	        protobuf_c_enum_descriptor_get_value(&flyteidl__core__resource_type__descriptor, (int)type);
	return value ? value->name : "UNKNOWN";
}

static char *lower(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text);
	for (char *p = copy; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

static int wrong_type(const Flyteidl__Core__Identifier *id, Flyteidl__Core__ResourceType expected, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)1024 * 1024);
	return err_set(e, ERR_INVALID, "wrong-resource-type",
	               "unexpected resource type %s for identifier [%s], expected %s instead",
	               lower(&arena, type_name(id->resource_type)), ids_text(&arena, id),
	               lower(&arena, type_name(expected)));
}

int ids_validate(const Flyteidl__Core__Identifier *id, Flyteidl__Core__ResourceType expected, struct err *e)
{
	if (!id)
		return ids_require(NULL, "id", e);
	if (id->resource_type != expected)
		return wrong_type(id, expected, e);
	if (ids_require(id->project, "project", e) < 0 || ids_require(id->domain, "domain", e) < 0 ||
	    ids_require(id->name, "name", e) < 0)
		return -1;
	return ids_require(id->version, "version", e);
}

static bool is_alphanumeric(char c)
{
	return isalnum((unsigned char)c) != 0;
}

/* What Go's url.QueryEscape leaves as it is. */
static bool is_url_safe(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (!is_alphanumeric(*p) && !strchr("-_.~", *p))
			return false;
	}
	return true;
}

int ids_validate_new(const Flyteidl__Core__Identifier *id, Flyteidl__Core__ResourceType expected, struct err *e)
{
	if (ids_validate(id, expected, e) < 0)
		return -1;
	if (!is_url_safe(id->version))
		return err_set(e, ERR_INVALID, "invalid-version",
		               "version [%s] must be url safe, cannot contains chars [!*'();:@&=+$,/?#[]]",
		               id->version);
	return 0;
}

const Flyteidl__Core__Identifier *ids_of_request(struct arena *arena, const Flyteidl__Core__Identifier *id,
                                                 Flyteidl__Core__ResourceType expected, struct err *e)
{
	if (id && id->resource_type == FLYTEIDL__CORE__RESOURCE_TYPE__UNSPECIFIED) {
		Flyteidl__Core__Identifier *typed = arena_copy(arena, id, sizeof(*id));
		typed->resource_type = expected;
		id = typed;
	}
	return ids_validate(id, expected, e) < 0 ? NULL : id;
}

int ids_validate_resource_type(Flyteidl__Core__ResourceType type, struct err *e)
{
	if (type == FLYTEIDL__CORE__RESOURCE_TYPE__UNSPECIFIED ||
	    !protobuf_c_enum_descriptor_get_value(&flyteidl__core__resource_type__descriptor, (int)type))
		return err_set(e, ERR_INVALID, "invalid-resource-type", "invalid value for resource_type");
	return 0;
}

int ids_validate_named_entity(const Flyteidl__Admin__NamedEntityIdentifier *id, struct err *e)
{
	if (!id)
		return ids_require(NULL, "id", e);
	if (ids_require(id->project, "project", e) < 0 || ids_require(id->domain, "domain", e) < 0)
		return -1;
	return ids_require(id->name, "name", e);
}

int ids_validate_execution(const Flyteidl__Core__WorkflowExecutionIdentifier *id, struct err *e)
{
	if (!id)
		return ids_require(NULL, "id", e);
	if (ids_require(id->project, "project", e) < 0 || ids_require(id->domain, "domain", e) < 0)
		return -1;
	return ids_require(id->name, "name", e);
}

/* ` name:"value"` unless empty, quoted as Go's prototext does. Cut at the buffer's maximum: this is for messages. */
static void add_field(struct buf *out, const char *name, const char *value)
{
	if (text_is_empty(value))
		return;
	(void)buf_add_format(out, "%s%s:\"", out->length ? " " : "", name);
	for (const char *p = value; *p; p++) {
		if (*p == '"' || *p == '\\')
			(void)buf_add_byte(out, '\\');
		if ((unsigned char)*p < 0x20)
			(void)buf_add_format(out, "\\x%02x", (unsigned char)*p);
		else
			(void)buf_add_byte(out, *p);
	}
	(void)buf_add_byte(out, '"');
}

char *ids_text(struct arena *arena, const Flyteidl__Core__Identifier *id)
{
	auto_buf struct buf out = BUF_INIT(TEXT_MAXIMUM);
	if (id->resource_type != FLYTEIDL__CORE__RESOURCE_TYPE__UNSPECIFIED)
		(void)buf_add_format(&out, "resource_type:%s", type_name(id->resource_type));
	add_field(&out, "project", id->project);
	add_field(&out, "domain", id->domain);
	add_field(&out, "name", id->name);
	add_field(&out, "version", id->version);
	return arena_strdup(arena, buf_text(&out));
}

char *ids_execution_text(struct arena *arena, const Flyteidl__Core__WorkflowExecutionIdentifier *id)
{
	auto_buf struct buf out = BUF_INIT(TEXT_MAXIMUM);
	add_field(&out, "project", id->project);
	add_field(&out, "domain", id->domain);
	add_field(&out, "name", id->name);
	return arena_strdup(arena, buf_text(&out));
}

int ids_not_found(struct arena *arena, const Flyteidl__Core__Identifier *id, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "missing-entity", "missing entity of type %s with identifier %s",
	               type_name(id->resource_type), ids_text(arena, id));
}

Flyteidl__Core__Identifier *ids_new(struct arena *arena, Flyteidl__Core__ResourceType type, const char *project,
                                    const char *domain, const char *name, const char *version)
{
	Flyteidl__Core__Identifier *id = proto_new(arena, flyteidl__core__identifier);
	id->resource_type = type;
	id->project = arena_strdup(arena, project);
	id->domain = arena_strdup(arena, domain);
	id->name = arena_strdup(arena, name);
	id->version = arena_strdup(arena, version);
	return id;
}

Flyteidl__Core__WorkflowExecutionIdentifier *ids_new_execution(struct arena *arena, const char *project,
                                                               const char *domain, const char *name)
{
	Flyteidl__Core__WorkflowExecutionIdentifier *id =
	        proto_new(arena, flyteidl__core__workflow_execution_identifier);
	id->project = arena_strdup(arena, project);
	id->domain = arena_strdup(arena, domain);
	id->name = arena_strdup(arena, name);
	return id;
}
