/*
 * A serialized message of a package, made ready to be registered: what `pyflyte package` has left open — project,
 * domain and version, where fast-registered code lies — is filled in, as flytectl does it (cmd/register/
 * register_util.go at v1.16.8). Pure.
 */
#ifndef SANDBOX_FLYTE_REGISTRATION_H
#define SANDBOX_FLYTE_REGISTRATION_H

#include "base/arena.h"
#include "base/err.h"
#include "proto/message.h"

#include "flyteidl/core/identifier.pb-c.h"

struct registration_options {
	const char *project;
	const char *domain;
	const char *version; /* "" keeps what the message has */
	bool force;          /* the version also where the message has one */
	const char *assumable_iam_role;
	const char *k8s_service_account;
	const char *output_location_prefix;
	const char *destination_directory;
	const char *source_location; /* URI of the uploaded code, or "" */
};

enum registration_kind { REGISTRATION_TASK, REGISTRATION_WORKFLOW, REGISTRATION_LAUNCH_PLAN };

struct registration {
	enum registration_kind kind;
	ProtobufCMessage *message;            /* admin.TaskSpec, admin.WorkflowSpec, admin.LaunchPlan */
	const Flyteidl__Core__Identifier *id; /* within it */
};

/* By the file's name ("…_1.pb"), else whatever the bytes parse as. ERR_INVALID "bad-package". */
int registration_read(struct arena *arena, const char *name, const void *bytes, size_t length,
                      struct registration *ret_registration, struct err *e);
/* ERR_INVALID "bad-package" for a message that lacks what it needs, or nests too deep. */
int registration_fill(struct arena *arena, const struct registration_options *options,
                      struct registration *registration, struct err *e);

#endif
