/*
 * What a pod's status means for the task attempt that it runs. The rules are upstream's (flyteplugins flytek8s
 * pod_helper and the pod plugin at v1.16.8) with one difference: the primary container's own
 * end counts, not the pod's phase, which Kubernetes changes only a second or two later, after the sandbox is torn down
 * (design §5).
 *
 * Order: a pod that ended (by its primary container, or by its phase), then one that is being deleted, then one that
 * waits or runs.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "controlplane/engine/pod_internal.h"

#include <string.h>

#define SECOND INT64_C(1000000000)
#define IMAGE_PULL_GRACE (180 * SECOND)
#define CREATE_CONTAINER_GRACE (180 * SECOND)
/* The runtime reports a kill by the memory limit apart from the exit itself: for so long a SIGKILL may still turn out
 * to be one. */
#define KILL_REASON_GRACE (3 * SECOND)
#define MESSAGE_MAXIMUM ((size_t)1024 * 1024)
#define INTERRUPTED "Interrupted"
#define OOM_KILLED "OOMKilled"

struct view {
	struct arena *arena;
	const json_t *pod;
	const json_t *status;
	const char *phase;
	const char *primary; /* container name; "" when all containers together are the task */
	int64_t now_ns;
};

static int64_t time_at(const json_t *value, const char *path)
{
	int64_t wall_ns = 0;
	const char *text = json_string_at(value, path, NULL);
	return text && clock_parse_rfc3339(text, &wall_ns) ? wall_ns : 0;
}

/* The status of the container called `name`, or NULL. */
static const json_t *find_status(const json_t *status, const char *name)
{
	return pod_find_container(json_object_get(status, "containerStatuses"), name);
}

/* How an init container has ended, or NULL. */
static const json_t *end_of_init_container(const struct view *view, const char *name)
{
	return json_lookup(pod_find_container(json_object_get(view->status, "initContainerStatuses"), name),
	                   "state/terminated");
}

static bool phase_is_final(const struct view *view)
{
	return text_equal(view->phase, "Failed") || text_equal(view->phase, "Succeeded");
}

static bool is_oom(const json_t *terminated)
{
	return strstr(json_string_at(terminated, "reason", ""), OOM_KILLED) != NULL;
}

/* SIGKILL as a shell's code, and as some runtimes report it. */
static bool is_kill(const json_t *terminated)
{
	json_int_t code = json_integer_at(terminated, "exitCode", 0);
	return code == 137 || code == 247;
}

static struct pod_observation observation(enum pod_state state, const char *message)
{
	return (struct pod_observation){ .state = state, .code = "", .message = message };
}

static struct pod_observation failed(enum pod_failure failure, const char *code, const char *message)
{
	return (struct pod_observation){ .state = POD_FAILED, .failure = failure, .code = code, .message = message };
}

/* Calls `visit` with each status of init, main and ephemeral containers, in this order, until it returns true. */
static bool visit_containers(const struct view *view,
                             bool (*visit)(const struct view *view, const json_t *container, void *context),
                             void *context)
{
	static const char *const lists[] = { "initContainerStatuses", "containerStatuses",
		                             "ephemeralContainerStatuses" };
	for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
		const json_t *containers = json_object_get(view->status, lists[i]);
		for (size_t k = 0; k < json_array_size(containers); k++) {
			if (visit(view, json_array_get(containers, k), context))
				return true;
		}
	}
	return false;
}

/* How a container ended: its last run if it was started again, else this one. */
static const json_t *termination_of(const json_t *container)
{
	const json_t *last = json_lookup(container, "lastState/terminated");
	return last ? last : json_lookup(container, "state/terminated");
}

struct failure_account {
	struct buf message;
	bool oom;
	bool primary_killed;
};

static bool account_for_container(const struct view *view, const json_t *container, void *context)
{
	struct failure_account *account = context;
	const json_t *terminated = termination_of(container);
	if (!terminated)
		return false;
	const char *name = json_string_at(container, "name", "");
	json_int_t exit_code = json_integer_at(terminated, "exitCode", 0);
	if (is_oom(terminated))
		account->oom = true;
	else if (is_kill(terminated) && text_equal(name, view->primary))
		account->primary_killed = true;
	if (exit_code == 0)
		buf_add_format(&account->message, "\r\n[%s] terminated with ExitCode 0.", name);
	else
		buf_add_format(&account->message,
		               "\r\n[%s] terminated with exit code (%lld). Reason [%s]. Message: \n%s.", name,
		               (long long)exit_code, json_string_at(terminated, "reason", ""),
		               json_string_at(terminated, "message", ""));
	return false;
}

static bool is_interruption(const char *reason)
{
	/* The last one is ours: a machine that is gone is nothing that the task's author can do anything about. */
	static const char *const reasons[] = { "Shutdown", "NodeShutdown", "Terminated", "NodeAffinity", "NodeLost" };
	for (size_t i = 0; i < ARRAY_LENGTH(reasons); i++) {
		if (text_equal(reason, reasons[i]))
			return true;
	}
	return false;
}

/* Why a pod failed. What nobody named is blamed on the system: a user's own failure comes as error.pb with exit code 0.
 */
static struct pod_observation explain_failure(const struct view *view)
{
	const char *reason = json_string_at(view->status, "reason", "");
	const char *given = json_string_at(view->status, "message", "");
	struct failure_account account = { .message = BUF_INIT(MESSAGE_MAXIMUM) };
	buf_add_str(&account.message, *given ? given : "Pod failed. No message received from kubernetes.");
	visit_containers(view, account_for_container, &account);
	const char *message = arena_strdup(view->arena, buf_text(&account.message));
	buf_release(&account.message);
	if (account.primary_killed || is_interruption(reason))
		return failed(POD_FAILURE_SYSTEM, INTERRUPTED, message);
	if (account.oom)
		return failed(POD_FAILURE_USER, OOM_KILLED, message);
	if (*reason)
		return failed(POD_FAILURE_USER, arena_strdup(view->arena, reason), message);
	return failed(POD_FAILURE_SYSTEM, INTERRUPTED, message);
}

static bool was_oom_killed(const struct view *view, const json_t *container, void *context)
{
	(void)view;
	(void)context;
	return is_oom(json_lookup(container, "state/terminated"));
}

static struct pod_observation explain_success(const struct view *view)
{
	if (visit_containers(view, was_oom_killed, NULL))
		return failed(POD_FAILURE_USER, OOM_KILLED, "Pod reported success despite being OOMKilled");
	return observation(POD_SUCCEEDED, "");
}

/* The copilot uploads after the task's container has ended; before that there is no result. One that ended earlier has
 * crashed, and is started again. */
static bool upload_is_pending(const struct view *view, const json_t *primary_end)
{
	if (phase_is_final(view) || !pod_find_container(json_lookup(view->pod, "spec/initContainers"), POD_UPLOADER))
		return false;
	const json_t *end = end_of_init_container(view, POD_UPLOADER);
	return !end || time_at(end, "finishedAt") < time_at(primary_end, "finishedAt");
}

/* The copilot could not load the inputs, and has written why. */
static bool download_was_reported(const struct view *view)
{
	const json_t *end = end_of_init_container(view, POD_DOWNLOADER);
	return end && json_integer_at(end, "exitCode", 0) == POD_DOWNLOADER_REPORTED;
}

static struct pod_observation explain_primary_end(const struct view *view, const json_t *terminated)
{
	if (json_integer_at(terminated, "exitCode", 0) == 0 && !is_oom(terminated))
		return upload_is_pending(view, terminated) ? observation(POD_RUNNING, "") : explain_success(view);
	int64_t settled_at = time_at(terminated, "finishedAt") + KILL_REASON_GRACE;
	if (is_kill(terminated) && !is_oom(terminated) && !phase_is_final(view) && settled_at > view->now_ns) {
		struct pod_observation waiting = observation(POD_RUNNING, "");
		waiting.recheck_at_ns = settled_at;
		return waiting;
	}
	return explain_failure(view);
}

static bool did_not_succeed(const struct view *view, const json_t *container, void *context)
{
	(void)view;
	size_t *count = context;
	(*count)++;
	const json_t *terminated = json_lookup(container, "state/terminated");
	return !terminated || json_integer_at(terminated, "exitCode", 0) != 0;
}

static bool all_succeeded(const struct view *view)
{
	size_t count = 0;
	return !visit_containers(view, did_not_succeed, &count) && count;
}

/* The Ready condition says since when containers have not been ready. */
static const json_t *find_condition(const json_t *status, const char *type)
{
	const json_t *conditions = json_object_get(status, "conditions");
	for (size_t i = 0; i < json_array_size(conditions); i++) {
		const json_t *condition = json_array_get(conditions, i);
		if (text_equal(json_string_at(condition, "type", NULL), type))
			return condition;
	}
	return NULL;
}

static int64_t waiting_since(const struct view *view)
{
	int64_t since = time_at(find_condition(view->status, "Ready"), "lastTransitionTime");
	if (!since)
		since = time_at(view->status, "startTime");
	return since ? since : time_at(view->pod, "metadata/creationTimestamp");
}

struct waiting_rule {
	const char *reason;
	int64_t grace_ns; /* 0: fails at once */
	enum pod_failure failure;
	bool with_grace; /* the message tells how long was waited */
};

static const struct waiting_rule waiting_rules[] = {
	{ "ErrImagePull", INT64_MAX, POD_FAILURE_NONE, false },
	{ "ContainerCreating", INT64_MAX, POD_FAILURE_NONE, false },
	{ "PodInitializing", INT64_MAX, POD_FAILURE_NONE, false },
	{ "ImagePullBackOff", IMAGE_PULL_GRACE, POD_FAILURE_USER, true },
	{ "CreateContainerError", CREATE_CONTAINER_GRACE, POD_FAILURE_PERMANENT, true },
	{ "CreateContainerConfigError", 0, POD_FAILURE_PERMANENT, true },
	{ "InvalidImageName", 0, POD_FAILURE_PERMANENT, false },
};

static struct waiting_rule find_rule(const char *reason)
{
	for (size_t i = 0; i < ARRAY_LENGTH(waiting_rules); i++) {
		if (text_equal(reason, waiting_rules[i].reason))
			return waiting_rules[i];
	}
	return (struct waiting_rule){ .failure = POD_FAILURE_SYSTEM };
}

static struct pod_observation explain_waiting(const struct view *view, const json_t *waiting)
{
	const json_t *ready = find_condition(view->status, "Ready");
	const char *reason = json_string_at(waiting, "reason", "");
	char *code = arena_printf(view->arena, "%s|%s", json_string_at(ready, "reason", "ContainersNotReady"), reason);
	char *message = arena_printf(view->arena, "%s|%s", json_string_at(ready, "message", ""),
	                             json_string_at(waiting, "message", ""));
	struct waiting_rule rule = find_rule(reason);
	int64_t since = waiting_since(view);
	bool forever = rule.grace_ns == INT64_MAX;
	if (forever || (rule.grace_ns && since + rule.grace_ns > view->now_ns)) {
		struct pod_observation result =
		        observation(POD_INITIALIZING, arena_printf(view->arena, "[%s]: %s", code, message));
		result.recheck_at_ns = forever ? 0 : since + rule.grace_ns;
		return result;
	}
	if (rule.with_grace)
		message = arena_printf(view->arena, "Grace period [%s] exceeded|%s", rule.grace_ns ? "3m0s" : "0s",
		                       message);
	return failed(rule.failure, code, message);
}

/* Init containers first: while one of them waits, the others only say PodInitializing. */
static bool find_waiting(const struct view *view, const json_t *container, void *context)
{
	(void)view;
	const json_t *waiting = json_lookup(container, "state/waiting");
	if (!waiting)
		return false;
	const json_t **found = context;
	bool uninteresting = text_equal(json_string_at(waiting, "reason", ""), "PodInitializing");
	if (!*found || !uninteresting)
		*found = waiting;
	return !uninteresting;
}

static struct pod_observation explain_pending(const struct view *view)
{
	const json_t *scheduled = find_condition(view->status, "PodScheduled");
	if (text_equal(json_string_at(scheduled, "status", ""), "False"))
		return observation(POD_QUEUED,
		                   arena_printf(view->arena, "%s:%s", json_string_at(scheduled, "reason", ""),
		                                json_string_at(scheduled, "message", "")));
	const json_t *waiting = NULL;
	visit_containers(view, find_waiting, &waiting);
	if (waiting)
		return explain_waiting(view, waiting);
	return observation(json_array_size(json_object_get(view->status, "initContainerStatuses")) ? POD_INITIALIZING
	                                                                                           : POD_QUEUED,
	                   "");
}

static bool has_container(const json_t *pod, const char *name)
{
	const json_t *containers = json_lookup(pod, "spec/containers");
	for (size_t i = 0; i < json_array_size(containers); i++) {
		if (text_equal(json_string_at(json_array_get(containers, i), "name", NULL), name))
			return true;
	}
	return false;
}

static struct pod_observation explain_running(const struct view *view)
{
	if (!*view->primary || find_status(view->status, view->primary) || has_container(view->pod, view->primary))
		return observation(POD_RUNNING, "");
	return failed(POD_FAILURE_PERMANENT, "PrimaryContainerNotFound",
	              arena_printf(view->arena, "Primary container [%s] not found in pod's container statuses",
	                           view->primary));
}

static struct pod_observation explain_deletion(const struct view *view)
{
	return failed(POD_FAILURE_SYSTEM, "UnexpectedObjectDeletion",
	              arena_printf(view->arena, "object [%s/%s] terminated in the background, manually",
	                           json_string_at(view->pod, "metadata/namespace", ""),
	                           json_string_at(view->pod, "metadata/name", "")));
}

static struct pod_observation explain(const struct view *view, const json_t *terminated)
{
	bool deleted = json_lookup(view->pod, "metadata/deletionTimestamp") != NULL;
	if (terminated)
		return explain_primary_end(view, terminated);
	if (download_was_reported(view))
		return observation(POD_SUCCEEDED, "");
	if (text_equal(view->phase, "Succeeded") || (!*view->primary && all_succeeded(view)))
		return explain_success(view);
	if (text_equal(view->phase, "Failed"))
		return explain_failure(view);
	if (deleted)
		return explain_deletion(view);
	if (text_equal(view->phase, "Running"))
		return explain_running(view);
	return explain_pending(view);
}

/* The annotation's container; the only one of a pod that has none; "" when all of several are needed. */
static const char *primary_of(const json_t *pod)
{
	const char *primary = json_string_at(pod, "metadata/annotations/" POD_PRIMARY_ANNOTATION, "");
	const json_t *containers = json_lookup(pod, "spec/containers");
	if (*primary || json_array_size(containers) != 1 || json_array_size(json_lookup(pod, "spec/initContainers")))
		return primary;
	return json_string_at(json_array_get(containers, 0), "name", "");
}

struct pod_observation pod_observe(struct arena *arena, const json_t *pod, int64_t now_ns)
{
	if (!pod)
		return failed(POD_FAILURE_SYSTEM, "ResourceDeletedExternally",
		              "the pod does not exist any more: it was deleted from outside");
	const json_t *status = json_object_get(pod, "status");
	struct view view = {
		.arena = arena,
		.pod = pod,
		.status = status,
		.phase = json_string_at(status, "phase", ""),
		.primary = primary_of(pod),
		.now_ns = now_ns,
	};
	const json_t *state = json_object_get(find_status(status, view.primary), "state");
	const json_t *terminated = json_object_get(state, "terminated");
	struct pod_observation result = explain(&view, terminated);
	int64_t started = time_at(state, "running/startedAt");
	result.started_at_ns = started ? started : time_at(terminated, "startedAt");
	result.ended_at_ns = time_at(terminated, "finishedAt");
	return result;
}
