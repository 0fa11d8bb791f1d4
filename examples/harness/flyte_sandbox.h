/*
 * A sandbox for tests in C, in one header without dependencies: it calls the command `sandbox`.
 *
 *	struct flyte_sandbox sandbox;
 *	if (flyte_sandbox_start(&sandbox, "my-tests") != 0)
 *		return 1;
 *	printf("%s\n", sandbox.grpc);        // localhost:30080
 *	...
 *	flyte_sandbox_delete(&sandbox);
 *
 * The instance belongs to this process: it is deleted when the process ends, however it ends. Many processes may start
 * instances at once; ports are chosen so that they do not meet.
 */
#ifndef FLYTE_SANDBOX_H
#define FLYTE_SANDBOX_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct flyte_sandbox {
	char name[64];
	char grpc[256];       /* HOST:PORT of Flyte's API */
	char console[256];    /* URLs */
	char s3[256];
	char postgres[256];
	char kubeconfig[1024]; /* a file */
};

/* The launcher; FLYTE_SANDBOX_COMMAND names another one than `sandbox`. */
static inline const char *flyte_sandbox_command(void)
{
	const char *command = getenv("FLYTE_SANDBOX_COMMAND");
	return command && *command ? command : "sandbox";
}

/* Runs the verb for the instance; its exit code, or -1. stdout is dropped. */
static inline int flyte_sandbox_run(const struct flyte_sandbox *sandbox, const char *verb_and_options)
{
	char line[1024];
	int length = snprintf(line, sizeof(line), "'%s' --quiet --name '%s' %s >/dev/null", flyte_sandbox_command(),
	                      sandbox->name, verb_and_options);
	FILE *pipe = length > 0 && (size_t)length < sizeof(line) ? popen(line, "w") : NULL;
	int status = pipe ? pclose(pipe) : -1;
	return status >= 0 ? status >> 8 & 0xff : -1;
}

static inline void flyte_sandbox_take(const char *line, const char *variable, char *field, size_t size)
{
	size_t length = strlen(variable);
	if (strncmp(line, variable, length) == 0 && line[length] == '=')
		snprintf(field, size, "%.*s", (int)strcspn(line + length + 1, "\n"), line + length + 1);
}

/* Reads the addresses from `sandbox env`. */
static inline int flyte_sandbox_learn(struct flyte_sandbox *sandbox)
{
	char line[2048];
	snprintf(line, sizeof(line), "'%s' --name '%s' env --output env", flyte_sandbox_command(), sandbox->name);
	FILE *pipe = popen(line, "r");
	if (!pipe)
		return -1;
	while (fgets(line, sizeof(line), pipe)) {
		flyte_sandbox_take(line, "FLYTE_PLATFORM_URL", sandbox->grpc, sizeof(sandbox->grpc));
		flyte_sandbox_take(line, "SANDBOX_CONSOLE_URL", sandbox->console, sizeof(sandbox->console));
		flyte_sandbox_take(line, "FLYTE_AWS_ENDPOINT", sandbox->s3, sizeof(sandbox->s3));
		flyte_sandbox_take(line, "SANDBOX_POSTGRES_URL", sandbox->postgres, sizeof(sandbox->postgres));
		flyte_sandbox_take(line, "KUBECONFIG", sandbox->kubeconfig, sizeof(sandbox->kubeconfig));
	}
	return pclose(pipe) == 0 ? 0 : -1;
}

/* 0 when the sandbox is ready; else the launcher's exit code, whose reason stands on stderr. `name`: up to 63 letters, digits, '-'. */
static inline int flyte_sandbox_start(struct flyte_sandbox *sandbox, const char *name)
{
	char options[64];
	memset(sandbox, 0, sizeof(*sandbox));
	if (!*name || strlen(name) >= sizeof(sandbox->name) || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != strlen(name))
		return 2;
	snprintf(sandbox->name, sizeof(sandbox->name), "%s", name);
	snprintf(options, sizeof(options), "start --keep-context --owner-pid %ld", (long)getpid());
	int code = flyte_sandbox_run(sandbox, options);
	return code ? code : flyte_sandbox_learn(sandbox);
}

static inline int flyte_sandbox_delete(const struct flyte_sandbox *sandbox)
{
	return flyte_sandbox_run(sandbox, "delete --volume");
}

#endif
