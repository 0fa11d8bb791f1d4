/* One test for each row of the table of failures, and for what is not a failure. */
#include "base/clock.h"
#include "base/text.h"
#include "controlplane/engine/pod.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)
/* Kubernetes' times in these tests. */
#define CREATED "2026-01-01T00:00:00Z"
#define STARTED "2026-01-01T00:00:01Z"
#define FINISHED "2026-01-01T00:00:05Z"

static int64_t at(int64_t seconds_after_creation)
{
	int64_t wall_ns = 0;
	assert_true(clock_parse_rfc3339(CREATED, &wall_ns));
	return wall_ns + seconds_after_creation * SECOND;
}

static struct arena arena = ARENA_INIT(1 << 20);

/* A pod with the primary container "main" whose status is the given JSON text. */
static struct pod_observation observe(const char *status, int64_t seconds)
{
	auto_err struct err e = ERR_INIT;
	auto_free char *text =
	        xasprintf("{\"metadata\":{\"name\":\"p\",\"namespace\":\"ns\",\"creationTimestamp\":\"" CREATED
	                  "\",\"annotations\":{\"primary_container_name\":\"main\"}},"
	                  "\"spec\":{\"containers\":[{\"name\":\"main\"}]},\"status\":%s}",
	                  status);
	auto_json json_t *pod = json_parse(text, strlen(text), "pod", &e);
	if (!pod)
		fail_msg("%s", err_message(&e));
	return pod_observe(&arena, pod, at(seconds));
}

#define READY_FALSE                                                                                                    \
	"\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"True\"},{\"type\":\"Ready\",\"status\":\"False\","    \
	"\"reason\":\"ContainersNotReady\",\"message\":\"containers with unready status: "                             \
	"[main]\",\"lastTransitionTime\":\"" CREATED "\"}]"
#define WAITING(reason, message)                                                                                       \
	"{\"phase\":\"Pending\"," READY_FALSE                                                                          \
	",\"containerStatuses\":[{\"name\":\"main\",\"ready\":false,\"state\":{\"waiting\":{\"reason\":\"" reason      \
	"\",\"message\":\"" message "\"}}}]}"
#define ENDED(code, reason, message)                                                                                   \
	"{\"exitCode\":" #code ",\"reason\":\"" reason "\",\"message\":\"" message "\",\"startedAt\":\"" STARTED       \
	"\",\"finishedAt\":\"" FINISHED "\"}"
#define TERMINATED(phase, code, reason, message)                                                                       \
	"{\"phase\":\"" phase                                                                                          \
	"\",\"containerStatuses\":[{\"name\":\"main\",\"state\":{\"terminated\":" ENDED(code, reason, message) "}}]}"

static void expect_failure(struct pod_observation seen, enum pod_failure failure, const char *code, const char *message)
{
	assert_int_equal(seen.state, POD_FAILED);
	assert_int_equal(seen.failure, failure);
	assert_string_equal(seen.code, code);
	assert_string_equal(seen.message, message);
}

static void expect_state(struct pod_observation seen, enum pod_state state, const char *message)
{
	assert_int_equal(seen.state, state);
	assert_int_equal(seen.failure, POD_FAILURE_NONE);
	assert_string_equal(seen.code, "");
	assert_string_equal(seen.message, message);
}

static void test_unschedulable(void **state)
{
	(void)state;
	struct pod_observation seen = observe(
	        "{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\","
	        "\"reason\":\"Unschedulable\",\"message\":\"0/1 nodes are available: 1 Insufficient memory.\"}]}",
	        36000);
	expect_state(seen, POD_QUEUED, "Unschedulable:0/1 nodes are available: 1 Insufficient memory.");
	assert_int_equal(seen.recheck_at_ns, 0);
}

static void test_new_pods(void **state)
{
	(void)state;
	expect_state(observe("{\"phase\":\"Pending\"}", 0), POD_QUEUED, "");
	expect_state(observe("{}", 0), POD_QUEUED, "");
	expect_state(
	        observe("{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"True\"}]}", 0),
	        POD_QUEUED, "");
}

static void test_initializing(void **state)
{
	(void)state;
	expect_state(observe(WAITING("ErrImagePull", "no such host"), 36000), POD_INITIALIZING,
	             "[ContainersNotReady|ErrImagePull]: containers with unready status: [main]|no such host");
	expect_state(observe(WAITING("ContainerCreating", ""), 36000), POD_INITIALIZING,
	             "[ContainersNotReady|ContainerCreating]: containers with unready status: [main]|");
	expect_state(observe(WAITING("PodInitializing", ""), 36000), POD_INITIALIZING,
	             "[ContainersNotReady|PodInitializing]: containers with unready status: [main]|");
}

static void test_image_pull_back_off(void **state)
{
	(void)state;
	struct pod_observation seen = observe(WAITING("ImagePullBackOff", "Back-off pulling image"), 179);
	expect_state(
	        seen, POD_INITIALIZING,
	        "[ContainersNotReady|ImagePullBackOff]: containers with unready status: [main]|Back-off pulling image");
	assert_int_equal(seen.recheck_at_ns, at(180));
	expect_failure(observe(WAITING("ImagePullBackOff", "Back-off pulling image"), 180), POD_FAILURE_USER,
	               "ContainersNotReady|ImagePullBackOff",
	               "Grace period [3m0s] exceeded|containers with unready status: [main]|Back-off pulling image");
}

static void test_create_container_error(void **state)
{
	(void)state;
	struct pod_observation seen = observe(WAITING("CreateContainerError", "name in use"), 10);
	assert_int_equal(seen.state, POD_INITIALIZING);
	assert_int_equal(seen.recheck_at_ns, at(180));
	expect_failure(observe(WAITING("CreateContainerError", "name in use"), 200), POD_FAILURE_PERMANENT,
	               "ContainersNotReady|CreateContainerError",
	               "Grace period [3m0s] exceeded|containers with unready status: [main]|name in use");
}

static void test_create_container_config_error(void **state)
{
	(void)state;
	expect_failure(observe(WAITING("CreateContainerConfigError", "secret not found"), 0), POD_FAILURE_PERMANENT,
	               "ContainersNotReady|CreateContainerConfigError",
	               "Grace period [0s] exceeded|containers with unready status: [main]|secret not found");
}

static void test_invalid_image_name(void **state)
{
	(void)state;
	expect_failure(observe(WAITING("InvalidImageName", "bad"), 0), POD_FAILURE_PERMANENT,
	               "ContainersNotReady|InvalidImageName", "containers with unready status: [main]|bad");
}

static void test_other_waiting_reason(void **state)
{
	(void)state;
	expect_failure(observe(WAITING("ErrImageNeverPull", "not present"), 0), POD_FAILURE_SYSTEM,
	               "ContainersNotReady|ErrImageNeverPull", "containers with unready status: [main]|not present");
}

static void test_init_container_waits(void **state)
{
	(void)state;
	struct pod_observation seen = observe(
	        "{\"phase\":\"Pending\"," READY_FALSE
	        ",\"initContainerStatuses\":[{\"name\":\"init\",\"state\":{\"waiting\":{\"reason\":"
	        "\"ImagePullBackOff\",\"message\":\"x\"}}}],"
	        "\"containerStatuses\":[{\"name\":\"main\",\"state\":{\"waiting\":{\"reason\":\"PodInitializing\"}}}]}",
	        500);
	expect_failure(seen, POD_FAILURE_USER, "ContainersNotReady|ImagePullBackOff",
	               "Grace period [3m0s] exceeded|containers with unready status: [main]|x");
}

static void test_init_container_fails(void **state)
{
	(void)state;
	struct pod_observation seen = observe(
	        "{\"phase\":\"Failed\",\"initContainerStatuses\":[{\"name\":\"init\",\"state\":{\"terminated\":" ENDED(
	                1, "Error", "no") "}}],\"containerStatuses\":[{\"name\":\"main\",\"state\":{\"waiting\":{"
	                                  "\"reason\":\"PodInitializing\"}}}]}",
	        10);
	expect_failure(seen, POD_FAILURE_SYSTEM, "Interrupted",
	               "Pod failed. No message received from kubernetes."
	               "\r\n[init] terminated with exit code (1). Reason [Error]. Message: \nno.");
}

static void test_running(void **state)
{
	(void)state;
	struct pod_observation seen =
	        observe("{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"main\",\"state\":{\"running\":"
	                "{\"startedAt\":\"" STARTED "\"}}}]}",
	                10);
	expect_state(seen, POD_RUNNING, "");
	assert_int_equal(seen.started_at_ns, at(1));
	assert_int_equal(seen.ended_at_ns, 0);
	expect_state(observe("{\"phase\":\"Running\"}", 1), POD_RUNNING, "");
}

static void test_success_before_phase(void **state)
{
	(void)state;
	struct pod_observation seen = observe(TERMINATED("Running", 0, "Completed", ""), 5);
	expect_state(seen, POD_SUCCEEDED, "");
	assert_int_equal(seen.started_at_ns, at(1));
	assert_int_equal(seen.ended_at_ns, at(5));
	expect_state(observe(TERMINATED("Succeeded", 0, "Completed", ""), 5), POD_SUCCEEDED, "");
	expect_state(observe("{\"phase\":\"Succeeded\"}", 5), POD_SUCCEEDED, "");
}

static void test_success_despite_oom(void **state)
{
	(void)state;
	expect_failure(observe("{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"main\",\"state\":{"
	                       "\"terminated\":" ENDED(
	                               0, "Completed",
	                               "") "}},{\"name\":\"side\",\"state\":{\"terminated\":" ENDED(137, "OOMKilled",
	                                                                                            "") "}}]}",
	                       5),
	               POD_FAILURE_USER, "OOMKilled", "Pod reported success despite being OOMKilled");
}

static void test_oom_killed(void **state)
{
	(void)state;
	expect_failure(observe(TERMINATED("Running", 137, "OOMKilled", ""), 5), POD_FAILURE_USER, "OOMKilled",
	               "Pod failed. No message received from kubernetes."
	               "\r\n[main] terminated with exit code (137). Reason [OOMKilled]. Message: \n.");
}

static void test_kill_waits_for_its_reason(void **state)
{
	(void)state;
	/* FINISHED is 5 s after creation: for 3 s the runtime may still say that it was the memory limit. */
	struct pod_observation seen = observe(TERMINATED("Running", 137, "Error", ""), 6);
	expect_state(seen, POD_RUNNING, "");
	assert_int_equal(seen.recheck_at_ns, at(8));
	const char *message = "Pod failed. No message received from kubernetes."
	                      "\r\n[main] terminated with exit code (137). Reason [Error]. Message: \n.";
	expect_failure(observe(TERMINATED("Running", 137, "Error", ""), 8), POD_FAILURE_SYSTEM, "Interrupted", message);
	expect_failure(observe(TERMINATED("Failed", 137, "Error", ""), 6), POD_FAILURE_SYSTEM, "Interrupted", message);
}

static void test_exit_247(void **state)
{
	(void)state;
	struct pod_observation seen = observe(TERMINATED("Failed", 247, "Error", ""), 6);
	assert_int_equal(seen.failure, POD_FAILURE_SYSTEM);
	assert_string_equal(seen.code, "Interrupted");
}

static void test_plain_failure(void **state)
{
	(void)state;
	expect_failure(observe(TERMINATED("Running", 1, "Error", "Traceback"), 5), POD_FAILURE_SYSTEM, "Interrupted",
	               "Pod failed. No message received from kubernetes."
	               "\r\n[main] terminated with exit code (1). Reason [Error]. Message: \nTraceback.");
}

static void test_failure_names_every_container(void **state)
{
	(void)state;
	expect_failure(
	        observe("{\"phase\":\"Failed\",\"message\":\"why\",\"containerStatuses\":[{\"name\":\"side\",\"state\":"
	                "{\"terminated\":" ENDED(
	                        0, "Completed",
	                        "") "}},{\"name\":\"main\",\"state\":{\"terminated\":" ENDED(2, "Error", "m") "}}]}",
	                5),
	        POD_FAILURE_SYSTEM, "Interrupted",
	        "why\r\n[side] terminated with ExitCode 0.\r\n[main] terminated with exit code (2). Reason [Error]. "
	        "Message: \nm.");
}

static void test_evicted(void **state)
{
	(void)state;
	expect_failure(observe("{\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"The node was low on "
	                       "resource: memory.\"}",
	                       5),
	               POD_FAILURE_USER, "Evicted", "The node was low on resource: memory.");
	/* Any other reason that Kubernetes gives is a code of the user's budget too. */
	struct pod_observation seen = observe("{\"phase\":\"Failed\",\"reason\":\"OutOfcpu\"}", 5);
	assert_int_equal(seen.failure, POD_FAILURE_USER);
	assert_string_equal(seen.code, "OutOfcpu");
}

static void test_node_interruptions(void **state)
{
	(void)state;
	static const char *const reasons[] = { "Shutdown", "NodeShutdown", "Terminated", "NodeAffinity", "NodeLost" };
	for (size_t i = 0; i < ARRAY_LENGTH(reasons); i++) {
		auto_free char *status =
		        xasprintf("{\"phase\":\"Failed\",\"reason\":\"%s\",\"message\":\"going down\"}", reasons[i]);
		expect_failure(observe(status, 5), POD_FAILURE_SYSTEM, "Interrupted", "going down");
	}
}

/*
 * A machine that vanishes, as the API shows its pods: they are not ready any more, which the node controller says, and
 * may come back; after five minutes they are to be deleted, which nobody is there to do; when the machine's Node is
 * removed, the garbage collector of pods ends them. Their containers seem to run all the time.
 */
#define LOST_CONTAINER "\"containerStatuses\":[{\"name\":\"main\",\"ready\":true,\"state\":{\"running\":{\"startedAt\":" \
                       "\"2026-01-01T00:00:00Z\"}}}]"
#define DISRUPTED(reason) "{\"type\":\"DisruptionTarget\",\"status\":\"True\",\"reason\":\"" reason "\"}"

static struct pod_observation observe_text(const char *text);

static void test_a_machine_that_vanishes(void **state)
{
	(void)state;
	struct pod_observation seen =
	        observe("{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]," LOST_CONTAINER
	                "}",
	                5);
	assert_int_equal(seen.state, POD_RUNNING);
	seen = observe_text("{\"metadata\":{\"namespace\":\"p-d\",\"name\":\"e1-n0-0\",\"deletionTimestamp\":"
	                    "\"2026-01-01T00:05:00Z\"},\"spec\":{\"containers\":[{\"name\":\"main\"}]},\"status\":{"
	                    "\"phase\":\"Running\",\"conditions\":[" DISRUPTED("DeletionByTaintManager") "]," LOST_CONTAINER
	                    "}}");
	expect_failure(seen, POD_FAILURE_SYSTEM, "UnexpectedObjectDeletion",
	               "object [p-d/e1-n0-0] terminated in the background, manually");
	expect_failure(observe("{\"phase\":\"Failed\",\"message\":\"PodGC: node no longer exists\",\"conditions\":["
	                       DISRUPTED("DeletionByPodGC") "]," LOST_CONTAINER "}",
	                       5),
	               POD_FAILURE_SYSTEM, "Interrupted", "PodGC: node no longer exists");
}

static void test_gone(void **state)
{
	(void)state;
	struct pod_observation seen = pod_observe(&arena, NULL, at(0));
	assert_int_equal(seen.state, POD_FAILED);
	assert_int_equal(seen.failure, POD_FAILURE_SYSTEM);
	assert_string_equal(seen.code, "ResourceDeletedExternally");
}

static struct pod_observation observe_text(const char *text)
{
	auto_json json_t *pod = json_parse(text, strlen(text), "pod", NULL);
	assert_non_null(pod);
	return pod_observe(&arena, pod, at(10));
}

static void test_being_deleted(void **state)
{
	(void)state;
	expect_failure(
	        observe_text("{\"metadata\":{\"name\":\"p\",\"namespace\":\"ns\",\"deletionTimestamp\":\"" FINISHED
	                     "\"},\"spec\":{\"containers\":[{\"name\":\"main\"}]},\"status\":{\"phase\":\"Running\"}}"),
	        POD_FAILURE_SYSTEM, "UnexpectedObjectDeletion", "object [ns/p] terminated in the background, manually");
	/* One that had already ended counts as what it ended as. */
	expect_state(
	        observe_text(
	                "{\"metadata\":{\"deletionTimestamp\":\"" FINISHED
	                "\"},\"spec\":{\"containers\":[{\"name\":\"main\"}]},\"status\":{\"phase\":\"Succeeded\"}}"),
	        POD_SUCCEEDED, "");
}

static void test_primary_not_found(void **state)
{
	(void)state;
	expect_failure(
	        observe_text("{\"metadata\":{\"annotations\":{\"primary_container_name\":\"gone\"}},"
	                     "\"spec\":{\"containers\":[{\"name\":\"main\"}]},\"status\":{\"phase\":\"Running\"}}"),
	        POD_FAILURE_PERMANENT, "PrimaryContainerNotFound",
	        "Primary container [gone] not found in pod's container statuses");
}

#define TWO_CONTAINERS                                                                                                 \
	"{\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]},\"status\":{\"phase\":\"Running\","            \
	"\"containerStatuses\":["

static void test_without_primary_all_must_end(void **state)
{
	(void)state;
	expect_state(observe_text(TWO_CONTAINERS "{\"name\":\"a\",\"state\":{\"terminated\":" ENDED(
	                     0, "Completed", "") "}},"
	                                         "{\"name\":\"b\",\"state\":{\"running\":{}}}]}}"),
	             POD_RUNNING, "");
	expect_state(observe_text(TWO_CONTAINERS "{\"name\":\"a\",\"state\":{\"terminated\":" ENDED(
	                     0, "Completed", "") "}},"
	                                         "{\"name\":\"b\",\"state\":{\"terminated\":" ENDED(0, "Completed",
	                                                                                            "") "}}]}}"),
	             POD_SUCCEEDED, "");
}

static int release_arena(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

/* ---- The copilot ---- */

/* A pod with the copilot beside its main container. */
static struct pod_observation observe_copilot(const char *phase, const char *downloader, const char *uploader,
                                              const char *main_state)
{
	auto_err struct err e = ERR_INIT;
	auto_free char *text = xasprintf(
	        "{\"metadata\":{\"name\":\"p\",\"annotations\":{\"primary_container_name\":\"main\"}},"
	        "\"spec\":{\"containers\":[{\"name\":\"main\"}],\"initContainers\":[{\"name\":\"flyte-copilot-"
	        "uploader\"},"
	        "{\"name\":\"flyte-copilot-downloader\"}]},\"status\":{\"phase\":\"%s\",\"initContainerStatuses\":["
	        "{\"name\":\"flyte-copilot-uploader\",\"state\":{%s}},{\"name\":\"flyte-copilot-downloader\",\"state\":"
	        "{%s}}],"
	        "\"containerStatuses\":[{\"name\":\"main\",\"state\":{%s}}]}}",
	        phase, uploader, downloader, main_state);
	auto_json json_t *pod = json_parse(text, strlen(text), "pod", &e);
	if (!pod)
		fail_msg("%s", err_message(&e));
	return pod_observe(&arena, pod, at(6));
}

#define RUNS "\"running\":{\"startedAt\":\"" STARTED "\"}"
#define STOPPED(code, time) "\"terminated\":{\"exitCode\":" #code ",\"finishedAt\":\"" time "\"}"
#define INITIALIZING "\"waiting\":{\"reason\":\"PodInitializing\"}"

static void test_copilot(void **state)
{
	(void)state;
	expect_state(observe_copilot("Running", STOPPED(0, STARTED), RUNS, RUNS), POD_RUNNING, "");
	/* The container has ended: the result is there when the upload is. */
	expect_state(observe_copilot("Running", STOPPED(0, STARTED), RUNS, STOPPED(0, FINISHED)), POD_RUNNING, "");
	expect_state(observe_copilot("Running", STOPPED(0, STARTED), STOPPED(0, FINISHED), STOPPED(0, FINISHED)),
	             POD_SUCCEEDED, "");
	/* An uploader that crashed before is being restarted. */
	expect_state(observe_copilot("Running", STOPPED(0, STARTED), STOPPED(1, STARTED), STOPPED(0, FINISHED)),
	             POD_RUNNING, "");
	expect_state(observe_copilot("Succeeded", STOPPED(0, STARTED), STOPPED(1, STARTED), STOPPED(0, FINISHED)),
	             POD_SUCCEEDED, "");
	/* A failure needs no upload. */
	assert_int_equal(observe_copilot("Running", STOPPED(0, STARTED), RUNS, STOPPED(1, FINISHED)).state, POD_FAILED);
	/* What the downloader could not load it has reported; anything else is a failed pod. */
	expect_state(observe_copilot("Pending", STOPPED(3, STARTED), RUNS, INITIALIZING), POD_SUCCEEDED, "");
	expect_state(observe_copilot("Failed", STOPPED(3, STARTED), STOPPED(0, FINISHED), INITIALIZING), POD_SUCCEEDED,
	             "");
	assert_int_equal(observe_copilot("Failed", STOPPED(1, STARTED), STOPPED(0, FINISHED), INITIALIZING).failure,
	                 POD_FAILURE_SYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unschedulable),
		cmocka_unit_test(test_new_pods),
		cmocka_unit_test(test_initializing),
		cmocka_unit_test(test_image_pull_back_off),
		cmocka_unit_test(test_create_container_error),
		cmocka_unit_test(test_create_container_config_error),
		cmocka_unit_test(test_invalid_image_name),
		cmocka_unit_test(test_other_waiting_reason),
		cmocka_unit_test(test_init_container_waits),
		cmocka_unit_test(test_init_container_fails),
		cmocka_unit_test(test_running),
		cmocka_unit_test(test_success_before_phase),
		cmocka_unit_test(test_success_despite_oom),
		cmocka_unit_test(test_oom_killed),
		cmocka_unit_test(test_kill_waits_for_its_reason),
		cmocka_unit_test(test_exit_247),
		cmocka_unit_test(test_plain_failure),
		cmocka_unit_test(test_failure_names_every_container),
		cmocka_unit_test(test_evicted),
		cmocka_unit_test(test_node_interruptions),
		cmocka_unit_test(test_a_machine_that_vanishes),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_being_deleted),
		cmocka_unit_test(test_primary_not_found),
		cmocka_unit_test(test_without_primary_all_must_end),
		cmocka_unit_test(test_copilot),
	};
	return cmocka_run_group_tests(tests, NULL, release_arena);
}
