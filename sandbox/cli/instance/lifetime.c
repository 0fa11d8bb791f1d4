#include "cli/instance/lifetime.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define NANOSECONDS_PER_MS INT64_C(1000000)
/* Where the system has no event for the end of a process that is not our child. */
#define LOOK_AGAIN_MS 250

static void find_place(struct lifetime_place *ret_place)
{
	if (gethostname(ret_place->host, sizeof(ret_place->host)) < 0)
		ret_place->host[0] = '\0';
	ret_place->host[sizeof(ret_place->host) - 1] = '\0';
	platform_place(&ret_place->place);
}

int lifetime_set_owner(struct lifetime *lifetime, int64_t pid, struct err *e)
{
	struct platform_place place;
	platform_place(&place);
	lifetime->owner = (pid_t)pid;
	enum platform_process process = platform_process((pid_t)pid, &lifetime->birth);
	if (process == PLATFORM_PROCESS_RUNS && *place.boot && *place.processes)
		return 0;
	if (process == PLATFORM_PROCESS_ENDED) {
		err_set(e, ERR_NOT_FOUND, "owner-absent", "there is no process %lld that could own the sandbox",
		        (long long)pid);
		return err_hint(e, "--owner-pid wants a process of this machine that runs, e.g. $$ of a shell");
	}
	err_set(e, ERR_UNSUPPORTED, "owner-unseen", "the end of process %lld could not be noticed: %s", (long long)pid,
	        process == PLATFORM_PROCESS_UNSEEN ? "/proc hides it from us (hidepid)"
	                                           : "/proc does not tell of our own processes");
	return err_hint(e, "take a process of your own, or --ttl");
}

static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

void lifetime_add_labels(const struct lifetime *lifetime, json_t *labels)
{
	if (lifetime->ttl_ms) {
		char text[CLOCK_RFC3339_SIZE];
		clock_format_rfc3339(clock_wall_ns() + lifetime->ttl_ms * NANOSECONDS_PER_MS, text);
		json_object_set_new(labels, LIFETIME_EXPIRES_LABEL, json_string(text));
	}
	if (lifetime->owner) {
		struct lifetime_place here;
		find_place(&here);
		auto_free char *owner =
		        xasprintf("%s %s %s %s %lld %" PRIu64, or_dash(here.host), or_dash(here.place.machine),
		                  or_dash(here.place.boot), or_dash(here.place.processes), (long long)lifetime->owner,
		                  lifetime->birth);
		json_object_set_new(labels, LIFETIME_OWNER_LABEL, json_string(owner));
	}
}

bool lifetime_is_limited(const json_t *labels)
{
	return json_object_get(labels, LIFETIME_EXPIRES_LABEL) || json_object_get(labels, LIFETIME_OWNER_LABEL);
}

enum owner_field { OWNER_HOST, OWNER_MACHINE, OWNER_BOOT, OWNER_PROCESSES, OWNER_PID, OWNER_BIRTH, OWNER_FIELDS };

/* False for a label of another form. The fields point into `text`, which is changed. */
static bool split_owner(char *text, const char *ret_fields[OWNER_FIELDS])
{
	char *saved = NULL;
	size_t count = 0;
	for (char *field = strtok_r(text, " ", &saved); field; field = strtok_r(NULL, " ", &saved)) {
		if (count == OWNER_FIELDS)
			return false;
		ret_fields[count++] = field;
	}
	return count == OWNER_FIELDS;
}

static bool same(const char *field, const char *here)
{
	return *here && text_equal(field, here);
}

static bool started_again(const char *const fields[OWNER_FIELDS], const struct lifetime_place *here)
{
	return same(fields[OWNER_HOST], here->host) && same(fields[OWNER_MACHINE], here->place.machine) &&
	       text_equal(fields[OWNER_PROCESSES], PLATFORM_OF_MACHINE) &&
	       text_equal(here->place.processes, PLATFORM_OF_MACHINE) && *here->place.boot &&
	       !text_equal(fields[OWNER_BOOT], "-") && !text_equal(fields[OWNER_BOOT], here->place.boot);
}

static bool has_ended(int64_t pid, uint64_t birth)
{
	uint64_t found = 0;
	enum platform_process process = platform_process((pid_t)pid, &found);
	return process == PLATFORM_PROCESS_ENDED || (process == PLATFORM_PROCESS_RUNS && found != birth);
}

char *lifetime_owner_over(const char *owner, const struct lifetime_place *here)
{
	auto_free char *text = xstrdup(owner);
	const char *fields[OWNER_FIELDS];
	int64_t pid = 0;
	uint64_t birth = 0;
	if (!split_owner(text, fields) || !text_to_int64(fields[OWNER_PID], 1, INT32_MAX, &pid) ||
	    !text_to_uint64(fields[OWNER_BIRTH], UINT64_MAX, &birth))
		return NULL;
	if (started_again(fields, here))
		return xasprintf("its owner, process %s, has ended with the machine's restart", fields[OWNER_PID]);
	if (!same(fields[OWNER_BOOT], here->place.boot) || !same(fields[OWNER_PROCESSES], here->place.processes) ||
	    !has_ended(pid, birth))
		return NULL;
	return xasprintf("its owner, process %s, has ended", fields[OWNER_PID]);
}

static char *owner_over(const char *owner)
{
	struct lifetime_place here;
	find_place(&here);
	return lifetime_owner_over(owner, &here);
}

char *lifetime_over(const json_t *labels)
{
	const char *expires = json_string_value(json_object_get(labels, LIFETIME_EXPIRES_LABEL));
	const char *owner = json_string_value(json_object_get(labels, LIFETIME_OWNER_LABEL));
	int64_t end = 0;
	if (expires && clock_parse_rfc3339(expires, &end) && end <= clock_wall_ns())
		return xasprintf("expired at %s", expires);
	return owner ? owner_over(owner) : NULL;
}

void lifetime_wait_for_owner(const struct lifetime *lifetime)
{
	/* The event first, then the look: a process that ends in between is noticed by one of them. */
	auto_fd int fd = platform_watch_process(lifetime->owner);
	while (!has_ended(lifetime->owner, lifetime->birth)) {
		struct pollfd event = { .fd = fd, .events = POLLIN };
		if (poll(&event, 1, fd >= 0 ? -1 : LOOK_AGAIN_MS) > 0)
			return;
	}
}
