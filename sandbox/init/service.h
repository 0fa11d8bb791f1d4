/*
 * One service and its process. What it may do next is decided by the supervisor; this file starts the process, collects
 *its output and knows its states:
 *
 *	waiting -> starting -> ready -> stopping -> stopped
 *	               \________/ exit -> failed -> (back-off) -> waiting
 */
#ifndef SANDBOX_INIT_SERVICE_H
#define SANDBOX_INIT_SERVICE_H

#include "init/config.h"
#include "init/last_words.h"
#include "init/logfile.h"
#include "init/probe.h"

#define SERVICE_LOG_DIRECTORY "/var/lib/sandbox/log"
#define SERVICE_NOTIFY_DIRECTORY "/run/sandbox/notify"
/* A file here of the name of a service's program is run in its place: how a freshly built program is tried without an
 * image build. */
#define SERVICE_OVERRIDE_DIRECTORY "/var/lib/sandbox/override"
/* What the image is made of, and on the volume what the image was made of that used it last. */
#define SERVICE_IMAGE_CONTENT "/usr/lib/sandbox/content"
#define SERVICE_LAST_IMAGE_CONTENT "/var/lib/sandbox/image-content"

/* "exited with code 1: " and a reason. */
#define SERVICE_MESSAGE_SIZE (PROBE_STATUS_SIZE + 64)

enum service_state {
	SERVICE_WAITING,
	SERVICE_STARTING,
	SERVICE_READY,
	SERVICE_FAILED,
	SERVICE_STOPPING,
	SERVICE_STOPPED
};

struct service {
	const struct service_config *config;
	enum service_state state;
	bool wanted;     /* should run (again) */
	bool overridden; /* its process runs a program of the override folder */
	pid_t pid;       /* 0: no process */
	int output_fd;   /* read end of its stdout and stderr */
	int notify_fd;
	struct probe probe;
	struct logfile log;
	struct last_words last_words;       /* of the present process */
	char reason[PROBE_STATUS_SIZE];     /* why it is going to end, by its own account; "" */
	char message[SERVICE_MESSAGE_SIZE]; /* what a person should know about the present state, its first line first;
	                                       "" */
	unsigned failures;                  /* in a row, without 30 s of life between them */
	int64_t started_ms;                 /* monotonic: when the process began */
	int64_t ready_ms;                   /* when it was ready the first time, 0 before */
	int64_t changed_ms;                 /* when the state changed last */
	int64_t deadline_ms;                /* of the present state: readiness, back-off, stop; CLOCK_NEVER */
	int64_t next_probe_ms;              /* CLOCK_NEVER unless an attempt is due */
};

/*
 * Whether something that it requires is not ready. Its message then names all of that ("waits for minio, kubernetes");
 * `ret_told` is false when it was another before, which whoever follows it has to be told.
 */
bool service_waits(struct service *service, const struct service *services, bool *ret_told);

/* Drops the override folder when the volume comes to another image than that which used it last: its programs were
 * built to go with that one, and would hide the new one's. `ret_dropped` when there was something. */
int service_forget_overrides(const char *content_path, const char *last_content_path, const char *override_directory,
                             bool *ret_dropped, struct err *e);
/* Opens the log file and the notification socket, which stay for the service's whole life. */
int service_open(struct service *service, const struct service_config *config, struct err *e);
void service_close(struct service *service);
/* Starts the process; the state is set by the caller. */
int service_spawn(struct service *service, struct err *e);
/* Sends a signal to the main process, if there is one: it tells its own children. */
void service_signal(const struct service *service, int signal_number);

const char *service_state_name(enum service_state state);

#endif
