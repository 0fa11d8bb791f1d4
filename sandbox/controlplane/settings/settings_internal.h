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
	SETTING_SMTP_TLS,
	SETTING_URL, /* of HTTP; "" for none */
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
	SETTING_DURATION,    /* in Go's syntax; the field has milliseconds */
	SETTING_CONNECTOR,   /* an address and timeouts (settings_connectors.c) */
	SETTING_CONNECTORS,  /* a map of names to such */
	SETTING_TASK_TYPES,  /* a list of task types */
	SETTING_ASSIGNMENTS, /* a map of task types to names of connectors */
	SETTING_LOG_TEMPLATES, /* a list of templates of links (settings_logs.c) */
};

struct setting {
	const char *path;     /* in the file, keys joined with '.'; NULL: not in the file */
	const char *variable; /* or NULL */
	const char *fallback; /* as the file or the variable would have it */
	enum setting_kind kind;
	size_t offset;
	int64_t minimum, maximum; /* of a number, or the milliseconds of a duration */
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
/* The place of a member of `at`. */
struct value_place value_at_key(const struct value_place *at, const char *key);
/* Text, or a number or boolean that somebody did not quote; in the settings' arena. */
int value_get_text(struct settings *settings, json_t *value, const struct value_place *at, const char **ret_text,
                   struct err *e);
int value_get_boolean(json_t *value, const struct value_place *at, bool *ret_boolean, struct err *e);
int value_get_duration(struct settings *settings, json_t *value, const struct value_place *at, int64_t minimum_ms,
                       int64_t maximum_ms, int64_t *ret_ms, struct err *e);
/* settings_connectors.c: new values, checked and complete, as settings_connector reads them; NULL with `e` set. */
json_t *value_get_connector(struct settings *settings, json_t *value, const struct value_place *at, struct err *e);
json_t *value_get_connectors(struct settings *settings, json_t *value, const struct value_place *at, struct err *e);
json_t *value_get_task_types(struct settings *settings, json_t *value, const struct value_place *at, struct err *e);
json_t *value_get_assignments(struct settings *settings, json_t *value, const struct value_place *at, struct err *e);
/* settings_logs.c: the same. */
json_t *value_get_log_templates(struct settings *settings, json_t *value, const struct value_place *at, struct err *e);
/* That every assignment names a connector that there is. */
int settings_check_connectors(const struct settings *settings, const char *subject, struct err *e);
/* Checks the value and puts it into its field. */
int value_set(const struct setting *setting, struct settings *settings, json_t *value, struct value_place *at,
              struct err *e);

#endif
