/* Between the table of settings and who reads values into it. */
#ifndef SANDBOX_CONTROLPLANE_SETTINGS_SETTINGS_INTERNAL_H
#define SANDBOX_CONTROLPLANE_SETTINGS_SETTINGS_INTERNAL_H

#include "base/yaml.h"
#include "controlplane/settings/settings.h"

#include <stdatomic.h>
#include <stddef.h>

/* What settings are made of, and who still has them. */
struct settings_life {
	atomic_uint references;
	struct settings *self;
	struct arena arena;
	json_t *values; /* list of everything that the JSON fields point into */
};

enum setting_kind {
	SETTING_TEXT,
	SETTING_LOG_LEVEL,
	SETTING_NUMBER,
	SETTING_BOOLEAN,
	SETTING_QUANTITY,    /* of Kubernetes, "" for none */
	SETTING_MAP,         /* text to text */
	SETTING_LABELS,      /* a map of Kubernetes labels */
	SETTING_ENVIRONMENT, /* a map of variables; or, as Flyte's plugins have it, a list of maps */
	SETTING_TOLERATIONS, /* a list of objects */
	SETTING_DOMAINS,     /* a list of {id, name} */
	SETTING_DATA,        /* a map of template variables, as cluster_resources.templateData */
	SETTING_DOMAIN_DATA, /* … as cluster_resources.customData */
	SETTING_POOLS,       /* a map of domains to {pool} */
};

struct setting {
	const char *path;     /* in the file, keys joined with '.'; NULL: not in the file */
	const char *variable; /* or NULL */
	const char *fallback; /* as the file or the variable would have it */
	enum setting_kind kind;
	size_t offset;
	int64_t minimum, maximum; /* of a number */
	const char *help;
};

extern const struct setting settings_table[];
extern const size_t settings_table_size;

#define SETTING_DEPTH_MAXIMUM 16

/* Where a value comes from, for messages about it. */
struct value_place {
	const char *subject;              /* the file, or the variable */
	const struct yaml_places *places; /* NULL: a variable, which has no lines */
	const char *keys[SETTING_DEPTH_MAXIMUM];
	size_t depth;
};

/* ERR_INVALID "<file>, line <n>: <keys>: <what>" or "<variable>: <what>". Returns -1. */
int value_refuse(const struct value_place *at, struct err *e, const char *format, ...) PRINTF_LIKE(3, 4);
/* Checks the value and puts it into its field. */
int value_set(const struct setting *setting, struct settings *settings, json_t *value, struct value_place *at,
              struct err *e);

#endif
