/* The JSON schema of a settings file (config_files.h), from the verbs' tables: for editors, and for who makes such files.
 * docs/schemas/sandbox.schema.json is what it prints. */
#ifndef SANDBOX_CLI_FRAMEWORK_CONFIG_SCHEMA_H
#define SANDBOX_CLI_FRAMEWORK_CONFIG_SCHEMA_H

#include "base/json.h"

/* A new reference. */
json_t *config_schema(void);

#endif
