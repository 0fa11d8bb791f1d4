#include "cli/framework/instance_names.h"

#include "base/file.h"
#include "base/text.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAXIMUM 63
#define FILE_PREFIX "flyte-"

static bool is_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t length = strlen(name);
	return length >= 1 && length <= NAME_MAXIMUM && strchr(letters, name[0]) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == length;
}

static const char *home_directory(void)
{
	const char *home = getenv("HOME");
	if (!text_is_empty(home))
		return home;
	const struct passwd *entry = getpwuid(getuid());
	return entry ? entry->pw_dir : NULL;
}

int instance_names_of(const char *name, struct instance_names *ret_instance, struct err *e)
{
	if (text_is_empty(name))
		name = INSTANCE_DEFAULT;
	if (!is_name(name)) {
		err_set(e, ERR_USAGE, "bad-name", "'%s' cannot be an instance's name", name);
		return err_hint(e,
		                "use letters, digits, '-', '_' and '.', at most %d, beginning with a letter or digit",
		                NAME_MAXIMUM);
	}
	const char *home = home_directory();
	if (!home)
		return err_set(e, ERR_PRECONDITION, "no-home",
		               "HOME is not set, so there is no place for client configurations");
	bool is_default = text_equal(name, INSTANCE_DEFAULT);
	bool whole = is_default || text_starts_with(name, INSTANCE_DEFAULT "-");
	struct instance_names instance = { .is_default = is_default };
	instance.name = xasprintf("%s%s", whole ? "" : INSTANCE_DEFAULT "-", name);
	const char *file_name = instance.name + strlen(FILE_PREFIX);
	instance.configuration = xasprintf("%s/.flyte/config-%s.yaml", home, file_name);
	instance.kubeconfig = xasprintf("%s/.flyte/%s/kubeconfig", home, file_name);
	*ret_instance = instance;
	return 0;
}

void instance_names_release(struct instance_names *instance)
{
	free(instance->name);
	free(instance->configuration);
	free(instance->kubeconfig);
	*instance = (struct instance_names)INSTANCE_NAMES_INIT;
}
