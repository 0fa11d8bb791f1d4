/* Who may conclude that an owner has ended. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/instance/lifetime.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct lifetime_place here;
static uint64_t birth;

static int find_ourselves(void **state)
{
	(void)state;
	here = (struct lifetime_place){ .host = "lab", .place = { "machine-1", "boot-1", PLATFORM_OF_MACHINE } };
	return platform_process(getpid(), &birth) == PLATFORM_PROCESS_RUNS ? 0 : -1;
}

/* A label whose process is ours when `alive`. */
static char *label(const char *host, const char *machine, const char *boot, const char *processes, bool alive)
{
	return xasprintf("%s %s %s %s %lld %llu", host, machine, boot, processes, (long long)getpid(),
	                 (unsigned long long)(alive ? birth : birth + 1));
}

static void judges_what_it_can_see(void **state)
{
	(void)state;
	static const struct {
		const char *host, *machine, *boot, *processes;
		bool alive;
		const char *over; /* part of the reason, or NULL */
	} cases[] = {
		{ "lab", "machine-1", "boot-1", "machine", true, NULL },
		{ "lab", "machine-1", "boot-1", "machine", false, "has ended" },
		/* The machine's name and id may change while it runs. */
		{ "renamed", "-", "boot-1", "machine", false, "has ended" },
		/* Another container of the same machine, with the same name even. */
		{ "lab", "machine-1", "boot-1", "pid:[4026532777]", false, NULL },
		{ "lab", "machine-1", "boot-1", "-", false, NULL },
		/* Restarted: whatever the numbers say. */
		{ "lab", "machine-1", "boot-0", "machine", true, "restart" },
		{ "lab", "machine-1", "boot-0", "machine", false, "restart" },
		/* Other machines, one of them a copy of ours, and containers of which nobody knows where they were. */
		{ "other", "machine-1", "boot-0", "machine", false, NULL },
		{ "lab", "machine-2", "boot-0", "machine", false, NULL },
		{ "lab", "-", "boot-0", "machine", false, NULL },
		{ "-", "machine-1", "boot-0", "machine", false, NULL },
		{ "lab", "machine-1", "-", "machine", false, NULL },
		{ "lab", "machine-1", "boot-0", "pid:[4026532777]", false, NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_free char *owner =
		        label(cases[i].host, cases[i].machine, cases[i].boot, cases[i].processes, cases[i].alive);
		auto_free char *over = lifetime_owner_over(owner, &here);
		if (cases[i].over ? !over || !strstr(over, cases[i].over) : over != NULL)
			fail_msg("'%s' gives '%s'", owner, over ? over : "nothing");
	}
}

static void judges_nothing_from_a_container_but_its_own(void **state)
{
	(void)state;
	struct lifetime_place container = here;
	(void)snprintf(container.place.processes, sizeof(container.place.processes), "pid:[4026532777]");
	auto_free char *machines = label("lab", "machine-1", "boot-1", "machine", false);
	auto_free char *earlier = label("lab", "machine-1", "boot-0", "pid:[4026532777]", false);
	auto_free char *machines_earlier = label("lab", "machine-1", "boot-0", "machine", false);
	auto_free char *own = label("lab", "machine-1", "boot-1", "pid:[4026532777]", false);
	assert_null(lifetime_owner_over(machines, &container));
	assert_null(lifetime_owner_over(earlier, &container));
	assert_null(lifetime_owner_over(machines_earlier, &container));
	auto_free char *over = lifetime_owner_over(own, &container);
	assert_non_null(over);
	/* A system that tells nothing judges nothing. */
	const struct lifetime_place nowhere = { .host = "" };
	auto_free char *unknown = label("-", "-", "-", "-", false);
	assert_null(lifetime_owner_over(unknown, &nowhere));
	assert_null(lifetime_owner_over(own, &nowhere));
}

static void passes_over_other_labels(void **state)
{
	(void)state;
	static const char *const labels[] = { "",
		                              "lab",
		                              "lab 12 5", /* of launchers before this rule */
		                              "lab machine-1 boot-1 machine 12",
		                              "lab machine-1 boot-1 machine 12 5 6",
		                              "lab machine-1 boot-1 machine 0 5",
		                              "lab machine-1 boot-1 machine -1 5",
		                              "lab machine-1 boot-1 machine 99999999999 5",
		                              "lab machine-1 boot-1 machine x 5",
		                              "lab machine-1 boot-1 machine 12 x" };
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		assert_null(lifetime_owner_over(labels[i], &here));
}

static void knows_processes(void **state)
{
	(void)state;
	uint64_t number = 0;
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(platform_process(child, &number), PLATFORM_PROCESS_RUNS);
	assert_true(number >= birth);
	kill(child, SIGKILL);
	/* Ended, and we have not asked for its exit status yet. */
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(platform_process(child, &number), PLATFORM_PROCESS_ENDED);
	waitpid(child, NULL, 0);
	assert_int_equal(platform_process(child, &number), PLATFORM_PROCESS_ENDED);
	assert_int_equal(platform_process(0, &number), PLATFORM_PROCESS_ENDED);
	struct platform_place place;
	platform_place(&place);
	assert_true(*place.boot && *place.processes);
	assert_null(strpbrk(place.machine, " \n"));
	assert_null(strpbrk(place.boot, " \n"));
	assert_null(strpbrk(place.processes, " \n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_what_it_can_see),
		cmocka_unit_test(judges_nothing_from_a_container_but_its_own),
		cmocka_unit_test(passes_over_other_labels),
		cmocka_unit_test(knows_processes),
	};
	return cmocka_run_group_tests(tests, find_ourselves, NULL);
}
