/* Checks of a request by itself, in the order in which upstream makes them: of several faults, a client sees the same
 * one first. */
#include "controlplane/launch/execution_validate.h"

#include "base/kubernetes_names.h"
#include "base/text.h"
#include "controlplane/launch/ids.h"

#include <ctype.h>
#include <string.h>
#include <sys/random.h>

#define LABEL_MAXIMUM 16
#define RANDOM_LENGTH 19

/* google.protobuf.Timestamp: from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z. */
#define TIMESTAMP_MINIMUM INT64_C(-62135596800)
#define TIMESTAMP_MAXIMUM INT64_C(253402300799)
/* google.protobuf.Duration: 10,000 years either way. */
#define DURATION_MAXIMUM INT64_C(315576000000)

int execution_validate_name(const char *name, struct err *e)
{
	if (!*name)
		return 0;
	if (strlen(name) > EXECUTION_NAME_MAXIMUM)
		return err_set(e, ERR_INVALID, NULL, "size of name exceeded length %d : %s", EXECUTION_NAME_MAXIMUM,
		               name);
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	if (!strchr(letters, name[0]) || name[strspn(name, others)])
		return err_set(e, ERR_INVALID, NULL,
		               "invalid name format: %s, does not match regex '^[a-z][a-z\\-0-9]*$'", name);
	return 0;
}

static int validate_launch_entity(const Flyteidl__Core__Identifier *id, struct err *e)
{
	if (!id)
		return err_set(e, ERR_INVALID, NULL, "missing id");
	if (ids_require(id->project, "project", e) < 0 || ids_require(id->domain, "domain", e) < 0 ||
	    ids_require(id->name, "name", e) < 0 || ids_require(id->version, "version", e) < 0)
		return -1;
	if (id->resource_type == FLYTEIDL__CORE__RESOURCE_TYPE__TASK ||
	    id->resource_type == FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN)
		return 0;
	const ProtobufCEnumValue *type = protobuf_c_enum_descriptor_get_value(
	        &flyteidl__core__resource_type__descriptor, (int)id->resource_type);
	return err_set(e, ERR_INVALID, NULL,
	               "Invalid reference entity resource type [%s], only [map[TASK:<nil> LAUNCH_PLAN:<nil>]] allowed",
	               type ? type->name : "?");
}

static int validate_literal(const char *name, const Flyteidl__Core__Literal *literal, struct err *e)
{
	if (text_is_empty(name))
		return err_set(e, ERR_INVALID, NULL, "missing key in inputs");
	if (!literal || literal->value_case == FLYTEIDL__CORE__LITERAL__VALUE__NOT_SET)
		return err_set(e, ERR_INVALID, NULL, "missing valid literal in inputs %s", name);
	if (literal->value_case != FLYTEIDL__CORE__LITERAL__VALUE_SCALAR ||
	    literal->scalar->value_case != FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE ||
	    literal->scalar->primitive->value_case != FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME)
		return 0;
	const Google__Protobuf__Timestamp *t = literal->scalar->primitive->datetime;
	if (t->seconds < TIMESTAMP_MINIMUM || t->seconds > TIMESTAMP_MAXIMUM || t->nanos < 0 || t->nanos > 999999999)
		return err_set(e, ERR_INVALID, NULL, "invalid timestamp in inputs %s: outside of the years 1 to 9999",
		               name);
	return 0;
}

static int validate_recipients(char *const *recipients, size_t count, struct err *e)
{
	if (count == 0)
		return err_set(e, ERR_INVALID, NULL, "missing recipients");
	for (size_t i = 0; i < count; i++)
		if (text_is_empty(recipients[i]))
			return err_set(e, ERR_INVALID, NULL, "missing recipient");
	return 0;
}

static int validate_notification(const Flyteidl__Admin__Notification *n, struct err *e)
{
	int r;
	switch (n->type_case) {
	case FLYTEIDL__ADMIN__NOTIFICATION__TYPE_EMAIL:
		r = validate_recipients(n->email->recipients_email, n->email->n_recipients_email, e);
		break;
	case FLYTEIDL__ADMIN__NOTIFICATION__TYPE_SLACK:
		r = validate_recipients(n->slack->recipients_email, n->slack->n_recipients_email, e);
		break;
	case FLYTEIDL__ADMIN__NOTIFICATION__TYPE_PAGER_DUTY:
		r = validate_recipients(n->pager_duty->recipients_email, n->pager_duty->n_recipients_email, e);
		break;
	default:
		return err_set(e, ERR_INVALID, NULL, "invalid value for notification type");
	}
	if (r < 0)
		return -1;
	for (size_t i = 0; i < n->n_phases; i++) {
		switch (n->phases[i]) {
		case FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__SUCCEEDED:
		case FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__FAILED:
		case FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__TIMED_OUT:
		case FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__ABORTED:
			break;
		default:
			return err_set(e, ERR_INVALID, NULL, "invalid value for phase");
		}
	}
	return 0;
}

static int validate_notifications(const Flyteidl__Admin__ExecutionSpec *spec, struct err *e)
{
	if (spec->notification_overrides_case != FLYTEIDL__ADMIN__EXECUTION_SPEC__NOTIFICATION_OVERRIDES_NOTIFICATIONS)
		return 0;
	for (size_t i = 0; i < spec->notifications->n_notifications; i++)
		if (validate_notification(spec->notifications->notifications[i], e) < 0)
			return -1;
	return 0;
}

static int validate_labels(const Flyteidl__Admin__Labels *labels, struct err *e)
{
	if (!labels)
		return 0;
	if (labels->n_values > LABEL_MAXIMUM)
		return err_set(e, ERR_INVALID, NULL, "labels map cannot exceed %d entries", LABEL_MAXIMUM);
	for (size_t i = 0; i < labels->n_values; i++) {
		if (!kubernetes_is_label_key(labels->values[i]->key))
			return err_set(e, ERR_INVALID, NULL, "invalid label key [%s]", labels->values[i]->key);
		if (!kubernetes_is_label_value(labels->values[i]->value))
			return err_set(e, ERR_INVALID, NULL, "invalid label value [%s]", labels->values[i]->value);
	}
	return 0;
}

static int validate_quality_of_service(const char *project, const char *domain, const char *name,
                                       const Flyteidl__Core__QualityOfService *quality, struct err *e)
{
	if (!quality || quality->designation_case != FLYTEIDL__CORE__QUALITY_OF_SERVICE__DESIGNATION_SPEC ||
	    !quality->spec->queueing_budget)
		return 0;
	const Google__Protobuf__Duration *d = quality->spec->queueing_budget;
	const bool in_range = d->seconds >= -DURATION_MAXIMUM && d->seconds <= DURATION_MAXIMUM &&
	                      d->nanos >= -999999999 && d->nanos <= 999999999;
	if (in_range && (d->seconds >= 0 || d->nanos <= 0) && (d->seconds <= 0 || d->nanos >= 0))
		return 0;
	return err_set(e, ERR_INVALID, NULL,
	               "Invalid custom quality of service set in create execution request [%s/%s/%s], failed to parse "
	               "duration [seconds:%lld nanos:%d] with: %s",
	               project, domain, name, (long long)d->seconds, d->nanos,
	               in_range ? "seconds and nanos have different signs" : "out of range");
}

int execution_validate(const char *project, const char *domain, const char *name,
                       const Flyteidl__Admin__ExecutionSpec *spec, const Flyteidl__Core__LiteralMap *inputs,
                       struct err *e)
{
	if (ids_require(project, "project", e) < 0 || ids_require(domain, "domain", e) < 0 ||
	    execution_validate_name(name, e) < 0)
		return -1;
	if (!spec)
		return err_set(e, ERR_INVALID, NULL, "missing spec");
	if (validate_launch_entity(spec->launch_plan, e) < 0)
		return -1;
	for (size_t i = 0; inputs && i < inputs->n_literals; i++)
		if (validate_literal(inputs->literals[i]->key, inputs->literals[i]->value, e) < 0)
			return -1;
	if (validate_notifications(spec, e) < 0)
		return -1;
	if (validate_labels(spec->labels, e) < 0)
		return -1;
	return validate_quality_of_service(project, domain, name, spec->quality_of_service, e);
}

char *execution_choose_name(struct arena *arena, const char *name)
{
	if (*name) {
		char *lower = arena_strdup(arena, name);
		for (char *c = lower; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		return lower;
	}
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	const unsigned alphabet_size = sizeof(alphabet) - 1;
	char *random = arena_alloc(arena, 1 + RANDOM_LENGTH + 1);
	random[0] = 'a';
	for (size_t i = 1; i <= RANDOM_LENGTH;) {
		unsigned char byte;
		if (getrandom(&byte, 1, 0) !=
		    1) /* only fails for bytes that it has none of, which after boot cannot be */
			abort();
		if (byte < 256 / alphabet_size * alphabet_size) /* the rest would favour some letters */
			random[i++] = alphabet[byte % alphabet_size];
	}
	return random;
}
