/*
 * The checks of a machine and its engine: what `start` makes sure of before it creates anything, and what `doctor`
 * shows. Each has an id, what was found, and what to do about it. A check that cannot be made from here (a remote
 * engine's disk) is skipped and says so. A warning is something that may matter; only a failure stops a start.
 */
#ifndef SANDBOX_CLI_DOCTOR_CHECKS_H
#define SANDBOX_CLI_DOCTOR_CHECKS_H

#include "cli/instance/ports.h"
#include "cli/instance/sandbox.h"
#include "cli/lifecycle/image_source.h"

enum check_outcome { CHECK_OK, CHECK_WARNING, CHECK_FAILURE, CHECK_SKIPPED };

struct check_result {
	const char *id;
	enum check_outcome outcome;
	char *evidence;       /* what was found */
	char *fix;            /* NULL when nothing is to be done */
	enum err_kind kind;   /* of a failure */
	const char *error_id; /* of a failure, docs/guide/errors.md */
};

#define CHECKS_MAXIMUM 16

struct checks {
	struct check_result results[CHECKS_MAXIMUM];
	size_t count;
};

#define CHECKS_INIT                                                                                                    \
	{                                                                                                              \
		.count = 0                                                                                             \
	}
#define auto_checks __attribute__((cleanup(checks_release)))
void checks_release(struct checks *checks);

struct checks_wish {
	int64_t minimum_disk; /* bytes; 0: not looked at */
	const struct image_wish *image;
	const struct port_wish *ports; /* of a sandbox that does not run yet; NULL: not looked at */
	/* Where this machine's /proc, /sys and /etc are: "" but in tests. */
	const char *root;
};

/* All of them, engine first; the others are skipped when it does not answer. Only an interrupt is an error. */
int checks_run_all(struct cli *cli, const struct checks_wish *wish, struct checks *ret_checks, struct err *e);
/* Those that look at the engine's machine alone; the engine has answered before. */
int checks_of_machine(struct cli *cli, int64_t minimum_disk, struct checks *ret_checks, struct err *e);
/* {"id", "outcome", "evidence", "fix"}; a new reference. */
json_t *checks_json(const struct check_result *result);
/* Those that need no image and no ports, for `start`, which finds out about both as it goes on: the first failure is
 * the error; warnings are told with --verbose. */
int checks_before_start(struct cli *cli, int64_t minimum_disk, struct err *e);

/* The check that looks at what this error complains of, or NULL. */
const char *checks_for_error(const char *error_id);
/* The ids, ended by NULL. */
extern const char *const check_ids[];
/* "ok", "warning", "failure", "skipped" */
const char *check_outcome_name(enum check_outcome outcome);
/* Where the machine's files are: SANDBOX_DOCTOR_ROOT in tests, else "". */
const char *checks_root(void);

#endif
