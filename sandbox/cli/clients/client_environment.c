#include "cli/clients/client_environment.h"

#include "base/text.h"

#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
/* Of a value that needs no quotes. */
#define PLAIN LETTERS "0123456789-./:@%+,="

enum value {
	VALUE_NAME,
	VALUE_CONFIG,
	VALUE_KUBECONFIG,
	VALUE_GRPC,
	VALUE_INSECURE,
	VALUE_CONSOLE,
	VALUE_S3,
	VALUE_S3_USER,
	VALUE_S3_PASSWORD,
	VALUE_POSTGRES,
	VALUE_KUBERNETES,
	VALUE_COUNT
};

static const struct {
	const char *name; /* for --override-name */
	const char *variable;
} table[VALUE_COUNT] = {
	[VALUE_NAME] = { "name", "SANDBOX_NAME" },
	[VALUE_CONFIG] = { "config", "FLYTECTL_CONFIG" },
	[VALUE_KUBECONFIG] = { "kubeconfig", "KUBECONFIG" },
	[VALUE_GRPC] = { "grpc", "FLYTE_PLATFORM_URL" },
	[VALUE_INSECURE] = { "insecure", "FLYTE_PLATFORM_INSECURE" },
	[VALUE_CONSOLE] = { "console", "SANDBOX_CONSOLE_URL" },
	[VALUE_S3] = { "s3", "FLYTE_AWS_ENDPOINT" },
	[VALUE_S3_USER] = { "s3.user", "FLYTE_AWS_ACCESS_KEY_ID" },
	[VALUE_S3_PASSWORD] = { "s3.password", "FLYTE_AWS_SECRET_ACCESS_KEY" },
	[VALUE_POSTGRES] = { "postgres", "SANDBOX_POSTGRES_URL" },
	[VALUE_KUBERNETES] = { "kubernetes", "SANDBOX_KUBERNETES_URL" },
};

/* The value's text; "" when the instance does not publish it. Free with free(). */
static char *value_of(const struct cli *cli, const struct sandbox *sandbox, enum value value)
{
	const struct ports *ports = &sandbox->ports;
	auto_json json_t *endpoints = sandbox_endpoints(sandbox);
	switch (value) {
	case VALUE_NAME:
		return xstrdup(cli->instance.name);
	case VALUE_CONFIG:
		return xstrdup(cli->instance.configuration);
	case VALUE_KUBECONFIG:
		return xstrdup(cli->instance.kubeconfig);
	case VALUE_INSECURE:
		return xstrdup("true");
	case VALUE_S3:
		return ports_endpoint(ports, PORT_S3);
	case VALUE_S3_USER:
		return xstrdup("minio");
	case VALUE_S3_PASSWORD:
		return xstrdup("miniostorage");
	case VALUE_GRPC:
	case VALUE_CONSOLE:
	case VALUE_POSTGRES:
	case VALUE_KUBERNETES:
	case VALUE_COUNT:
		break;
	}
	return xstrdup(json_string_at(endpoints, table[value].name, ""));
}

static int unknown_value(const char *name, struct err *e)
{
	const char *names[VALUE_COUNT];
	auto_free char *list = xstrdup("");
	for (size_t i = 0; i < VALUE_COUNT; i++) {
		names[i] = table[i].name;
		char *longer = xasprintf("%s%s%s", list, *list ? ", " : "", names[i]);
		free(list);
		list = longer;
	}
	const char *near = text_suggest(name, names, VALUE_COUNT);
	err_set(e, ERR_USAGE, "bad-value", "--override-name: there is no value '%s'", name);
	return near ? err_hint(e, "did you mean '%s'?", near) : err_hint(e, "the values are %s", list);
}

static int read_override(const char *text, const char *variables[VALUE_COUNT], struct err *e)
{
	size_t length = strcspn(text, "=");
	auto_free char *name = xstrndup(text, length);
	const char *variable = text[length] ? text + length + 1 : "";
	if (!*variable || !strchr(LETTERS, *variable) || strspn(variable, LETTERS "0123456789") != strlen(variable))
		return err_set(e, ERR_USAGE, "bad-value", "--override-name: '%s' is not VALUE=VARIABLE", text);
	for (size_t i = 0; i < VALUE_COUNT; i++) {
		if (text_equal(table[i].name, name)) {
			variables[i] = variable;
			return 0;
		}
	}
	return unknown_value(name, e);
}

json_t *client_environment(const struct cli *cli, const struct sandbox *sandbox, const struct option_list *overrides,
                           struct err *e)
{
	const char *variables[VALUE_COUNT];
	for (size_t i = 0; i < VALUE_COUNT; i++)
		variables[i] = table[i].variable;
	for (size_t i = 0; i < overrides->count; i++) {
		if (read_override(overrides->items[i], variables, e) < 0)
			return NULL;
	}
	json_t *environment = json_object();
	for (size_t i = 0; i < VALUE_COUNT; i++) {
		auto_free char *value = value_of(cli, sandbox, (enum value)i);
		if (*value)
			json_object_set_new(environment, variables[i], json_string(value));
	}
	return environment;
}

static void print_quoted(const char *text, FILE *out)
{
	if (*text && strspn(text, PLAIN) == strlen(text)) {
		fputs(text, out);
		return;
	}
	fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", out);
		else
			fputc(*text, out);
	}
	fputc('\'', out);
}

void client_environment_print(const json_t *environment, bool export, FILE *out)
{
	const char *variable;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)environment, variable, value)
	{
		fprintf(out, "%s%s=", export ? "export " : "", variable);
		print_quoted(json_string_value(value), out);
		fputc('\n', out);
	}
}
