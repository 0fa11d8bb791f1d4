#include "cli/lifecycle/settings.h"

#include "base/buf.h"
#include "base/text.h"
#include "cli/instance/spec.h"
#include "docker/image.h"

#include <string.h>

#define MEBIBYTE INT64_C(1048576)
#define TEXT_MAXIMUM ((size_t)64 * 1024)

static bool said(const struct cli *cli, const char *option)
{
	return option_origin(cli->options, option) != NULL;
}

/* ---- keeping ---- */

/* "K=V" of the container for each name that the label has: values stand in one place only. */
static json_t *pairs_of(const json_t *names, const json_t *environment)
{
	json_t *pairs = json_array();
	size_t i, j;
	json_t *name, *pair;
	json_array_foreach(names, i, name)
	{
		const char *text = json_string_value(name);
		json_array_foreach(environment, j, pair)
		{
			const char *whole = json_string_value(pair);
			size_t length = whole ? strcspn(whole, "=") : 0;
			if (text && whole && strlen(text) == length && memcmp(text, whole, length) == 0)
				json_array_append(pairs, pair);
		}
	}
	return pairs;
}

/* The list's elements, or what stands before their '='; of those with the same name the last. */
static json_t *list_of(const struct option_list *list, bool names_only)
{
	json_t *by_name = json_object();
	json_t *texts = json_array();
	const char *name;
	json_t *text;
	for (size_t i = 0; i < list->count; i++) {
		auto_free char *key = xstrndup(list->items[i], strcspn(list->items[i], "="));
		json_object_set_new(by_name, key, json_string(names_only ? key : list->items[i]));
	}
	json_object_foreach(by_name, name, text) json_array_append(texts, text);
	json_decref(by_name);
	return texts;
}

/* A list of its own: what is kept stands in front, so that what is said now wins. */
static void put_in_front(struct option_list *list, const json_t *kept)
{
	const struct option_list now = *list;
	*list = (struct option_list){ .items = xreallocarray(NULL, now.count + json_array_size(kept) + 1,
		                                             sizeof(*list->items)) };
	size_t i;
	json_t *text;
	json_array_foreach(kept, i, text)
	{
		if (json_is_string(text))
			list->items[list->count++] = json_string_value(text);
	}
	for (i = 0; i < now.count; i++)
		list->items[list->count++] = now.items[i];
}

static void recall_text(const struct cli *cli, const json_t *kept, const char *option, const char **value)
{
	const char *text = json_string_value(json_object_get(kept, option));
	if (text && !said(cli, option))
		*value = text;
}

void settings_release(struct start_values *values)
{
	if (!values->kept)
		return;
	option_list_release(&values->port);
	option_list_release(&values->env);
	json_decref(values->kept);
	values->kept = NULL;
}

void settings_recall(const struct cli *cli, const struct sandbox *existing, struct start_values *values)
{
	const char *label = json_string_value(json_object_get(existing->labels, SPEC_SETTINGS_LABEL));
	json_t *kept = label ? json_loads(label, JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (!json_is_object(kept)) {
		json_decref(kept);
		kept = json_object();
	}
	values->kept = kept;
	recall_text(cli, kept, "image", &values->image);
	recall_text(cli, kept, "bind", &values->bind);
	/* "default" and "auto" are about all ports: said now, they end what was chosen one by one. */
	if (said(cli, "ports"))
		json_object_del(kept, "port");
	else
		recall_text(cli, kept, "ports", &values->ports);
	put_in_front(&values->port, json_object_get(kept, "port"));
	if (!said(cli, "memory"))
		values->memory = json_integer_at(kept, "memory", values->memory);
	json_object_set_new(kept, "before", pairs_of(json_object_get(kept, "env"), existing->environment));
	put_in_front(&values->env, json_object_get(kept, "before"));
	/* Each name once, so that the same settings are the same container. */
	json_object_set_new(kept, "pairs", list_of(&values->env, false));
	option_list_release(&values->env);
	put_in_front(&values->env, json_object_get(kept, "pairs"));
}

static bool holds(const struct cli *cli, const json_t *kept, const char *option)
{
	return said(cli, option) || json_object_get(kept, option);
}

char *settings_label(const struct cli *cli, const struct start_values *values)
{
	const json_t *kept = values->kept;
	auto_json json_t *label = json_object();
	if (holds(cli, kept, "image"))
		json_object_set_new(label, "image", json_string(values->image));
	if (holds(cli, kept, "bind"))
		json_object_set_new(label, "bind", json_string(values->bind));
	if (values->ports)
		json_object_set_new(label, "ports", json_string(values->ports));
	if (holds(cli, kept, "memory"))
		json_object_set_new(label, "memory", json_integer(values->memory));
	if (values->port.count)
		json_object_set_new(label, "port", list_of(&values->port, false));
	if (values->env.count)
		json_object_set_new(label, "env", list_of(&values->env, true));
	return json_to_text(label);
}

/* ---- comparing ---- */

struct differences {
	const struct cli *cli;
	struct buf text;
};

static void differ(struct differences *differences, const char *option, const char *format, ...) PRINTF_LIKE(3, 4);
static void differ(struct differences *differences, const char *option, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	auto_free char *text = xvasprintf(format, arguments);
	va_end(arguments);
	const char *origin = option_origin(differences->cli->options, option);
	buf_add_format(&differences->text, "%s%s (%s)", differences->text.length ? "; " : "", text,
	               origin ? origin : option);
}

static void compare_image(struct cli *cli, const struct start_values *values, const struct sandbox *existing,
                          struct differences *differences)
{
	auto_json json_t *image = docker_image_inspect(cli->docker, values->image, NULL);
	bool same = text_equal(json_string_at(image, "Id", ""), existing->image_id);
	bool same_name = text_equal(values->image, existing->image);
	if (said(cli, "image") && !same && !same_name)
		differ(differences, "image", "image '%s', not '%s'", existing->image, values->image);
	/* Made anew under its name since. The sandbox that runs goes on, and should not be taken for the new one. */
	else if (image && !same && same_name)
		cli_say(cli,
		        "the image '%s' has changed since this sandbox was started; `sandbox stop` and `sandbox start` "
		        "take the new one",
		        existing->image);
}

static void compare_memory(const struct start_values *values, const struct sandbox *existing,
                           struct differences *differences)
{
	long long is = (long long)(existing->memory_bytes / MEBIBYTE);
	if (!said(differences->cli, "memory") || is == values->memory)
		return;
	auto_free char *has = is ? xasprintf("a memory limit of %lld MiB", is) : xstrdup("no memory limit");
	auto_free char *wish = values->memory ? xasprintf("%lld MiB", (long long)values->memory) : xstrdup("none");
	differ(differences, "memory", "%s, not %s", has, wish);
}

static void compare_ports(const struct start_values *values, const struct sandbox *existing,
                          struct differences *differences)
{
	bool defaults = said(differences->cli, "ports") && text_equal(values->ports, "default");
	int wished[PORT_COUNT] = { 0 };
	if (said(differences->cli, "bind") && !text_equal(values->bind, existing->ports.address))
		differ(differences, "bind", "ports on %s, not %s", existing->ports.address, values->bind);
	(void)ports_read_wishes(&values->port, wished, NULL); /* start_check_values has */
	for (size_t i = 0; i < PORT_COUNT; i++) {
		int port = wished[i] ? wished[i] : defaults ? port_table[i].default_port : 0;
		if (port && port != existing->ports.host_port[i])
			differ(differences, wished[i] ? "port" : "ports", "%s on port %d, not %d", port_table[i].name,
			       existing->ports.host_port[i], port);
	}
}

static void compare_environment(const struct start_values *values, const struct sandbox *existing,
                                struct differences *differences)
{
	auto_json json_t *wished = list_of(&values->env, false);
	size_t i, j;
	json_t *pair, *there;
	json_array_foreach(wished, i, pair)
	{
		bool found = false;
		json_array_foreach(existing->environment, j, there) found = found || json_equal(there, pair);
		const char *text = json_string_value(pair);
		if (!found)
			differ(differences, "env", "not this value of %.*s", (int)strcspn(text, "="), text);
	}
}

static void compare_lifetime(const struct lifetime *lifetime, const struct sandbox *existing,
                             struct differences *differences)
{
	auto_json json_t *labels = json_object();
	lifetime_add_labels(lifetime, labels);
	const json_t *owner = json_object_get(labels, LIFETIME_OWNER_LABEL);
	const json_t *has = json_object_get(existing->labels, LIFETIME_OWNER_LABEL);
	/* When it ends was said by the first start. */
	if (lifetime->ttl_ms && !json_object_get(existing->labels, LIFETIME_EXPIRES_LABEL))
		differ(differences, "ttl", "no end of its time");
	if (owner && !has)
		differ(differences, "owner-pid", "no owner");
	else if (owner && !json_equal(owner, has))
		differ(differences, "owner-pid", "another owner (as its label has it: %s)",
		       json_string_value(has));
}

int settings_check(struct cli *cli, const struct start_values *values, const struct lifetime *lifetime,
                   const struct sandbox *existing, struct err *e)
{
	struct differences differences = { .cli = cli, .text = BUF_INIT(TEXT_MAXIMUM) };
	compare_image(cli, values, existing, &differences);
	compare_memory(values, existing, &differences);
	compare_ports(values, existing, &differences);
	compare_environment(values, existing, &differences);
	compare_lifetime(lifetime, existing, &differences);
	int outcome = 0;
	if (differences.text.length) {
		outcome = err_set(e, ERR_PRECONDITION, "settings-differ",
		                  "the sandbox '%s' runs already, and not as asked for. It has %s", cli->instance.name,
		                  buf_text(&differences.text));
		auto_free char *stop = cli_command(cli, "stop");
		err_hint(e, "`%s`, and then this `start` again: it keeps the state and takes the new settings", stop);
	}
	buf_release(&differences.text);
	return outcome;
}
