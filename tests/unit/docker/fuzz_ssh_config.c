/* An address in the first line, a configuration of ssh below it. */
#include "docker/ssh_config.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 4096)
		return 0;
	auto_free char *text = xstrndup(size ? (const char *)data : "", size);
	size_t length = strcspn(text, "\n");
	auto_free char *address = xasprintf("ssh://%.*s", (int)length, text);
	const char *config = text + length + (text[length] == '\n');
	auto_ssh_target struct ssh_target target = SSH_TARGET_INIT;
	auto_err struct err e = ERR_INIT;
	if (ssh_target_parse(address, &target, &e) < 0)
		return 0;
	ssh_target_complete(&target, config, "/home/me", "me");
	/* What is missing after that is missing for good. */
	if (!target.host || !target.user || !target.known_hosts || target.port < 1 || target.port > 65535 ||
	    target.identity_count > SSH_IDENTITIES_MAXIMUM)
		abort();
	return 0;
}
