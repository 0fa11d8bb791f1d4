/* The checks that look at what the engine tells of itself and at this machine's files. */
#ifndef SANDBOX_CLI_DOCTOR_CHECKS_INTERNAL_H
#define SANDBOX_CLI_DOCTOR_CHECKS_INTERNAL_H

#include "cli/doctor/checks.h"

struct check_machine {
	const json_t *info; /* GET /info */
	const json_t
	        *controllers; /* of cgroups, by name: those that the engine may use, where it tells (Podman); or NULL */
	bool podman;
	const char *root;
	bool local; /* the engine shares this machine's kernel and disk */
	int64_t minimum_disk;
};

/* `fix` may be NULL; the format tells the evidence. */
void check_add(struct checks *checks, const char *id, enum check_outcome outcome, const char *fix, const char *format,
               ...) PRINTF_LIKE(5, 6);
/* For the one that was added last. */
void check_fails_as(struct checks *checks, enum err_kind kind, const char *error_id);
bool check_file_exists(const char *root, const char *path);

void check_cgroup(const struct check_machine *machine, struct checks *checks);
void check_disk(const struct check_machine *machine, struct checks *checks);
void check_memory(const struct check_machine *machine, struct checks *checks);
void check_inotify(const struct check_machine *machine, struct checks *checks);
void check_modules(const struct check_machine *machine, struct checks *checks);
void check_dns(const struct check_machine *machine, struct checks *checks);
void check_ca(const struct check_machine *machine, struct checks *checks);
void check_clock(const struct check_machine *machine, struct checks *checks);

#endif
