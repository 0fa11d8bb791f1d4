/* Statements on `notifications`. */
#include "controlplane/store/notifications.h"

#include "base/text.h"

#include "flyteidl/admin/execution.pb-c.h"

static bool wants(const Flyteidl__Admin__Notification *notification, Flyteidl__Core__WorkflowExecution__Phase phase)
{
	for (size_t i = 0; i < notification->n_phases; i++) {
		if (notification->phases[i] == phase)
			return true;
	}
	return false;
}

static int add(struct database_connection *c, int64_t execution_id, const char *phase, size_t position,
               const char *channel, struct err *e)
{
	const struct database_value values[] = { DB_INT(execution_id), DB_TEXT(phase), DB_INT((int64_t)position),
		                                 DB_TEXT(channel) };
	return database_execute(c,
	                        "insert into notifications (execution_id, phase, position, channel)"
	                        " values ($1, $2, $3::integer, $4) on conflict do nothing",
	                        values, ARRAY_LENGTH(values), e) < 0
	               ? -1
	               : 0;
}

static int tell_senders(struct database_connection *c, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(NOTIFICATIONS_CHANNEL) };
	return database_execute(c, "select pg_notify($1, '')", values, ARRAY_LENGTH(values), e) < 0 ? -1 : 0;
}

int notifications_add(struct database_connection *c, struct arena *arena, int64_t execution_id,
                      Flyteidl__Core__WorkflowExecution__Phase phase, struct notifications_channels channels,
                      struct err *e)
{
	struct database_rows rows;
	const ProtobufCEnumValue *name =
	        protobuf_c_enum_descriptor_get_value(&flyteidl__core__workflow_execution__phase__descriptor, (int)phase);
	if ((!channels.mail && !channels.webhook) || !name)
		return 0;
	if (database_query(c, arena, "select notifications from executions where id = $1 and notifications is not null",
	                   (struct database_value[]){ DB_INT(execution_id) }, 1, &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return 0;
	const struct proto_bytes bytes = database_bytes(&rows, 0, 0);
	const Flyteidl__Admin__NotificationList *list =
	        proto_unpack(arena, flyteidl__admin__notification_list, bytes.data, bytes.length, e);
	if (!list)
		return err_wrap(e, "the stored notifications of an execution");
	bool any = false;
	for (size_t i = 0; i < list->n_notifications; i++) {
		if (!wants(list->notifications[i], phase))
			continue;
		any = true;
		if ((channels.mail && add(c, execution_id, name->name, i, "mail", e) < 0) ||
		    (channels.webhook && add(c, execution_id, name->name, i, "webhook", e) < 0))
			return -1;
	}
	return any ? tell_senders(c, e) : 0;
}

static int next_due(struct database_connection *c, struct arena *arena, int64_t *ret_wait_ms, struct err *e)
{
	struct database_rows rows;
	if (database_query(c, arena,
	                   "select (extract(epoch from min(greatest(due_at, coalesce(leased_until, due_at))) - now())"
	                   " * 1000)::bigint from notifications",
	                   NULL, 0, &rows, e) < 0)
		return -1;
	const int64_t ms = database_int(&rows, 0, 0);
	*ret_wait_ms = database_is_null(&rows, 0, 0) ? -1 : ms > 0 ? ms : 0;
	return 0;
}

int notifications_take(struct database_connection *c, struct arena *arena, int64_t lease_ms,
                       struct notification_work *ret_work, int64_t *ret_wait_ms, struct err *e)
{
	struct database_rows rows;
	const char *sql =
	        "with taken as (update notifications set lease = lease + 1,"
	        " leased_until = now() + $1 * interval '1 millisecond'"
	        " where id = (select id from notifications where due_at <= now()"
	        " and (leased_until is null or leased_until <= now()) order by due_at for update skip locked limit 1)"
	        " returning id, lease, attempts, position, channel, phase, execution_id)"
	        " select t.id, t.lease, t.attempts, t.position, t.channel, t.phase, e.project, e.domain, e.name,"
	        " w.project, w.domain, w.name, w.version, l.project, l.domain, l.name, l.version,"
	        " e.notifications, e.error, e.ended_at"
	        " from taken t join executions e on e.id = t.execution_id"
	        " left join workflows w on w.id = e.workflow_id left join launch_plans l on l.id = e.launch_plan_id";
	if (database_query(c, arena, sql, (struct database_value[]){ DB_INT(lease_ms) }, 1, &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return next_due(c, arena, ret_wait_ms, e);
	*ret_work = (struct notification_work){
		.id = database_int(&rows, 0, 0),
		.lease = database_int(&rows, 0, 1),
		.attempts = database_int(&rows, 0, 2),
		.position = database_int(&rows, 0, 3),
		.webhook = text_equal(database_text(&rows, 0, 4), "webhook"),
		.phase = database_text(&rows, 0, 5),
		.project = database_text(&rows, 0, 6),
		.domain = database_text(&rows, 0, 7),
		.name = database_text(&rows, 0, 8),
		.workflow_project = database_text(&rows, 0, 9),
		.workflow_domain = database_text(&rows, 0, 10),
		.workflow_name = database_text(&rows, 0, 11),
		.workflow_version = database_text(&rows, 0, 12),
		.launch_plan_project = database_text(&rows, 0, 13),
		.launch_plan_domain = database_text(&rows, 0, 14),
		.launch_plan_name = database_text(&rows, 0, 15),
		.launch_plan_version = database_text(&rows, 0, 16),
		.list = database_bytes(&rows, 0, 17),
		.error = database_bytes(&rows, 0, 18),
		.ended_at_ns = database_time(&rows, 0, 19),
	};
	return 1;
}

int notifications_done(struct database_connection *c, const struct notification_work *work, struct err *e)
{
	const struct database_value values[] = { DB_INT(work->id), DB_INT(work->lease) };
	return (int)database_execute(c, "delete from notifications where id = $1 and lease = $2", values,
	                             ARRAY_LENGTH(values), e);
}

int notifications_leave(struct database_connection *c, const struct notification_work *work, struct err *e)
{
	const struct database_value values[] = { DB_INT(work->id), DB_INT(work->lease) };
	return (int)database_execute(c, "update notifications set leased_until = null where id = $1 and lease = $2",
	                             values, ARRAY_LENGTH(values), e);
}

int notifications_postpone(struct database_connection *c, const struct notification_work *work, int64_t wait_ms,
                           struct err *e)
{
	const struct database_value values[] = { DB_INT(work->id), DB_INT(work->lease), DB_INT(wait_ms) };
	return (int)database_execute(c,
	                             "update notifications set attempts = attempts + 1, leased_until = null,"
	                             " due_at = now() + $3 * interval '1 millisecond' where id = $1 and lease = $2",
	                             values, ARRAY_LENGTH(values), e);
}
