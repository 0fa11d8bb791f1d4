#include "cli/instance/lifetime.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/platform.h"
#include "base/text.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define HOST_SIZE 256
#define NANOSECONDS_PER_MS INT64_C(1000000)
/* Where the system has no event for the end of a process that is not our child. */
#define LOOK_AGAIN_MS 250

static void host_name(char text[HOST_SIZE])
{
	if (gethostname(text, HOST_SIZE) < 0)
		text[0] = '\0';
	text[HOST_SIZE - 1] = '\0';
}

int lifetime_set_owner(struct lifetime *lifetime, int64_t pid, struct err *e)
{
	lifetime->owner = (pid_t)pid;
	lifetime->birth = platform_process_birth((pid_t)pid);
	if (lifetime->birth)
		return 0;
	err_set(e, ERR_NOT_FOUND, "owner-absent", "there is no process %lld that could own the sandbox",
	        (long long)pid);
	return err_hint(e, "--owner-pid wants a process of this machine that runs, e.g. $$ of a shell");
}

void lifetime_add_labels(const struct lifetime *lifetime, json_t *labels)
{
	if (lifetime->ttl_ms) {
		char text[CLOCK_RFC3339_SIZE];
		clock_format_rfc3339(clock_wall_ns() + lifetime->ttl_ms * NANOSECONDS_PER_MS, text);
		json_object_set_new(labels, LIFETIME_EXPIRES_LABEL, json_string(text));
	}
	if (lifetime->owner) {
		char host[HOST_SIZE];
		host_name(host);
		auto_free char *owner =
		        xasprintf("%s %lld %" PRIu64, host, (long long)lifetime->owner, lifetime->birth);
		json_object_set_new(labels, LIFETIME_OWNER_LABEL, json_string(owner));
	}
}

bool lifetime_is_limited(const json_t *labels)
{
	return json_object_get(labels, LIFETIME_EXPIRES_LABEL) || json_object_get(labels, LIFETIME_OWNER_LABEL);
}

static char *owner_over(const char *owner)
{
	char host[HOST_SIZE];
	long long pid = 0;
	uint64_t birth = 0;
	host_name(host);
	size_t length = strcspn(owner, " ");
	if (strlen(host) != length || memcmp(owner, host, length) != 0 ||
	    sscanf(owner + length, " %lld %" SCNu64, &pid, &birth) != 2)
		return NULL;
	if (platform_process_birth((pid_t)pid) == birth)
		return NULL;
	return xasprintf("its owner, process %lld, has ended", pid);
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
	while (platform_process_birth(lifetime->owner) == lifetime->birth) {
		struct pollfd event = { .fd = fd, .events = POLLIN };
		if (poll(&event, 1, fd >= 0 ? -1 : LOOK_AGAIN_MS) > 0)
			return;
	}
}
