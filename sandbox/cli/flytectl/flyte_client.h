/*
 * The Flyte verbs' way to a control plane: where it is, the project and domain that are meant, and calls to it. Names
 * and meanings are flytectl's (v1.16.8), so that documentation written for it works.
 *
 * Where: --admin.endpoint; else the file named by --config; else, unless an instance is named, the one that
 * FLYTECTL_CONFIG names; else the instance: its ~/.flyte/config-….yaml, or what the engine says. ~/.flyte/config.yaml
 * is not read unasked: that may be a company's production, and this is the sandbox's tool (docs/decisions).
 */
#ifndef SANDBOX_CLI_FLYTECTL_FLYTE_CLIENT_H
#define SANDBOX_CLI_FLYTECTL_FLYTE_CLIENT_H

#include "base/arena.h"
#include "cli/framework/cli.h"
#include "cli/framework/options.h"
#include "grpc/client.h"

#include "flyteidl/core/identifier.pb-c.h"

/* First member of the values of every Flyte verb. */
struct flyte_options {
	const char *project;
	const char *domain;
	const char *config;
	const char *endpoint;
	const char *ca_file;
	bool insecure;
};
/* What -o may be for those that print messages. */
extern const char *const flyte_formats[];

#define FLYTE_FIELD(field) offsetof(struct flyte_options, field)
#define FLYTE_OPTIONS                                                                                                  \
	{ .name = "project",                                                                                           \
	  .letter = 'p',                                                                                               \
	  .kind = OPTION_TEXT,                                                                                         \
	  .offset = FLYTE_FIELD(project),                                                                              \
	  .value = "PROJECT",                                                                                          \
	  .of_project = true,                                                                                          \
	  .help = "project; flytesnacks by default" },                                                                 \
	        { .name = "domain",                                                                                    \
		  .letter = 'd',                                                                                       \
		  .kind = OPTION_TEXT,                                                                                 \
		  .offset = FLYTE_FIELD(domain),                                                                       \
		  .value = "DOMAIN",                                                                                   \
		  .of_project = true,                                                                                  \
		  .help = "domain; development by default" },                                                          \
	        { .name = "config",                                                                                    \
		  .letter = 'c',                                                                                       \
		  .kind = OPTION_TEXT,                                                                                 \
		  .offset = FLYTE_FIELD(config),                                                                       \
		  .value = "FILE",                                                                                     \
		  .help = "flytectl's configuration file, for its admin.endpoint" },                                   \
	        OPTION_TEXT_AT("admin.endpoint", FLYTE_FIELD(endpoint), "ADDRESS",                                     \
	                       "control plane to talk to, e.g. dns:///localhost:30080; the instance's by default"),    \
	        OPTION_FLAG_AT("admin.insecure", FLYTE_FIELD(insecure),                                                \
	                       "without TLS; of --admin.endpoint only an https address has it anyway"),                       \
	        OPTION_TEXT_AT("admin.caCertFilePath", FLYTE_FIELD(ca_file), "FILE",                                   \
	                       "certificates that the control plane's is checked with")

struct flyte {
	struct cli *cli;
	struct grpc_client *client;
	struct arena arena; /* of everything that is asked and answered */
	const char *project;
	const char *domain;
};
#define auto_flyte __attribute__((cleanup(flyte_close)))
/* clang-format off */
#define FLYTE_INIT { .client = NULL }
/* clang-format on */

/* ERR_PRECONDITION and ERR_NOT_FOUND as for other verbs when there is no running sandbox. */
int flyte_open(struct cli *cli, const struct flyte_options *options, struct flyte *ret_flyte, struct err *e);
void flyte_close(struct flyte *flyte);

/* One call of AdminService; `method` is its bare name. NULL with the server's words. */
#define flyte_call(flyte, method, request, prefix, e)                                                                  \
	((__typeof__(prefix##__unpack(NULL, 0, NULL)))flyte_call_of((flyte), "AdminService/" method, &(request)->base, \
	                                                            &prefix##__descriptor, (e)))
ProtobufCMessage *flyte_call_of(struct flyte *flyte, const char *method, const ProtobufCMessage *request,
                                const ProtobufCMessageDescriptor *response, struct err *e);

Flyteidl__Core__Identifier *flyte_identifier(struct flyte *flyte, Flyteidl__Core__ResourceType type, const char *name,
                                             const char *version);
Flyteidl__Core__WorkflowExecutionIdentifier *flyte_execution_id(struct flyte *flyte, const char *name);

#endif
