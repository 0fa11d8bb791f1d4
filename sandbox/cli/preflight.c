#include "cli/preflight.h"

#include <sys/statvfs.h>

#define GIGABYTE 1e9

int preflight_disk(struct cli *cli, int64_t minimum_bytes, struct err *e)
{
	if (!minimum_bytes || !docker_endpoint_is_local(&cli->endpoint))
		return 0;
	auto_json json_t *info = docker_get(cli->docker, e, "/info");
	if (!info)
		return -1;
	const char *root = json_string_at(info, "DockerRootDir", "");
	struct statvfs status;
	if (statvfs(root, &status) < 0)
		return 0;
	int64_t available = (int64_t)status.f_bavail * (int64_t)status.f_frsize;
	if (available >= minimum_bytes)
		return 0;
	err_set(e, ERR_EXHAUSTED, "disk-space", "'%s' has %.1f GB free, and the sandbox wants %.1f GB", root,
	        (double)available / GIGABYTE, (double)minimum_bytes / GIGABYTE);
	return err_hint(
	        e, "free some (`docker system df` shows what Docker uses), or lower the limit with `--min-disk GB`");
}
