/*
 * Commands in a running container. Without input the engine's answer is an ordinary streaming body, so it goes through
 * the one HTTP client. With input (or a terminal) the connection is taken over by an upgrade and carries bytes both
 * ways (exec_attach.c).
 */
#ifndef SANDBOX_DOCKER_EXEC_H
#define SANDBOX_DOCKER_EXEC_H

#include "docker/client.h"
#include "docker/demux.h"

struct docker_exec {
	const char *const *command;     /* ended by NULL */
	const char *user;               /* or NULL */
	const char *directory;          /* working directory, or NULL */
	const char *const *environment; /* "K=V" …, ended by NULL, or NULL */
	bool terminal;                  /* allocate a terminal: one raw stream */
	int64_t timeout_ms;             /* for the output; 0: no limit */
};

/* Exit codes that the engine gives when the command cannot be run at all. */
enum { DOCKER_EXEC_NOT_EXECUTABLE = 126, DOCKER_EXEC_NOT_FOUND = 127 };

/* Runs the command and returns once its output has ended and its exit code is known. A command that cannot be started
 * has an exit code of 126 or 127 and the engine's reason on the sink. ERR_CONFLICT when the container does not run. */
int docker_exec_run(struct docker_client *client, const char *container, const struct docker_exec *exec,
                    const struct docker_sink *sink, int *ret_exit_code, struct err *e);

/* Where the terminal's size comes from when it changes; see docker_exec_attach. */
struct docker_exec_input {
	int fd;        /* copied to the command's stdin; its end closes the stdin */
	int resize_fd; /* read when readable: then `size` is asked and the engine told; -1 for none */
	bool (*size)(void *context, unsigned *ret_rows, unsigned *ret_columns);
	void *context;
};

/* As docker_exec_run, with `input`. */
int docker_exec_attach(struct docker_client *client, const char *container, const struct docker_exec *exec,
                       const struct docker_exec_input *input, const struct docker_sink *sink, int *ret_exit_code,
                       struct err *e);

/* Runs the command and collects what it printed: stdout in `ret_output` (its maximum bounds it), stderr as part of the
 * error message when the exit code is not 0, which is an error "exec-failed" here. */
int docker_exec_capture(struct docker_client *client, const char *container, const char *const *command,
                        int64_t timeout_ms, struct buf *ret_output, struct err *e);

/* Steps shared with exec_attach.c. */
char *docker_exec_create(struct docker_client *client, const char *container, const struct docker_exec *exec,
                         bool input, struct err *e);
int docker_exec_exit_code(struct docker_client *client, const char *id, int *ret_exit_code, struct err *e);

#endif
