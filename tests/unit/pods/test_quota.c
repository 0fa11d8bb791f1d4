/* Messages as the API server of Kubernetes 1.35 words them (plugin resourcequota). */
#include "controlplane/engine/quota.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define REFUSAL "pods \"a-n0-0\" is forbidden: exceeded quota: project-quota, "

static void test_quotas(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		bool never;
	} rows[] = {
		{ REFUSAL "requested: limits.memory=3Gi, used: limits.memory=0, limited: limits.memory=2Gi", true },
		{ REFUSAL "requested: limits.memory=300Mi, used: limits.memory=2Gi, limited: limits.memory=2Gi", false },
		{ REFUSAL "requested: limits.memory=2Gi, used: limits.memory=1, limited: limits.memory=2048Mi", false },
		{ REFUSAL "requested: limits.cpu=100m,limits.memory=3Gi, used: limits.cpu=0,limits.memory=0, limited: "
			  "limits.cpu=4,limits.memory=3000Mi",
		  true },
		{ REFUSAL "requested: limits.memory=3Gi,limits.cpu=4100m, used: limits.cpu=0, limited: "
			  "limits.memory=3Gi,limits.cpu=4",
		  true },
		{ REFUSAL "requested: cpu=2, used: cpu=0, limited: cpu=1", true },
		{ REFUSAL "requested: requests.nvidia.com/gpu=2, used: requests.nvidia.com/gpu=0, limited: "
			  "requests.nvidia.com/gpu=1",
		  true },
		{ REFUSAL "requested: pods=1, used: pods=0, limited: pods=0", false },
		{ REFUSAL "requested: count/pods=1,limits.memory=1, used: count/pods=0, limited: "
			  "count/pods=0,limits.memory=2",
		  false },
		{ REFUSAL "requested: limits.memory=much, used: limits.memory=0, limited: limits.memory=2Gi", false },
		{ REFUSAL "requested: limits.memory=3Gi, used: limits.memory=0, limited: limits.cpu=2", false },
		{ REFUSAL "requested: limits.memory=3Gi", false },
		{ REFUSAL, false },
		{ "requested: cpu=2, used: cpu=0, limited: cpu=1", false }, /* not a quota's */
		{ "", false },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		if (quota_can_never_fit(rows[i].message) != rows[i].never)
			fail_msg("%s", rows[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_quotas) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
