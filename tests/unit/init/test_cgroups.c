/* What PID 1 concludes from /proc/self/cgroup, and what it hands to mount(2). The rest needs a container: tests/docker.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/cgroups.h"
#include "init/filesystem.h"

static void knows_its_own_namespace(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool shared;
	} cases[] = {
		{ "0::/\n", false },
		{ "9:name=systemd:/\n8:pids:/\n2:cpu,cpuacct:/\n0::/\n", false },
		{ "0::/system.slice/docker-1a2b.scope\n", true },
		/* Engines leave hierarchies that they do not know at their root. */
		{ "9:name=systemd:/docker/1a2b\n8:pids:/docker/1a2b\n0::/\n", true },
		{ "9:misc:/\n8:pids:/docker/1a2b", true },
		{ "0::/a", true },
		{ "0::/", false },
		{ "", false },
		{ "\n:\n::\n:::\n0\n0:pids\n/x\n", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(cgroups_are_shared(cases[i].text), cases[i].shared);
}

static void keeps_options_of_the_file_system(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "rw,nosuid,nodev,noexec,relatime,cpu,cpuacct", "cpu,cpuacct" },
		{ "ro,nosuid,nodev,noexec,relatime,xattr,release_agent=/lib/systemd/agent,name=systemd",
		  "xattr,name=systemd" },
		{ "rw,relatime,nsdelegate,memory_recursiveprot", "nsdelegate,memory_recursiveprot" },
		{ "rw,relatime", "" },
		{ "", "" },
		/* "rootfs" begins as "ro" does. */
		{ "rootfs,ro", "rootfs" },
		{ "a,0123456789012345678901234567890123456789,b", "a,b" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char room[40];
		filesystem_specific_options(cases[i][0], room, sizeof(room));
		assert_string_equal(room, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_its_own_namespace),
		cmocka_unit_test(keeps_options_of_the_file_system),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
