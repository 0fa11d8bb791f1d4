#include "base/image_reference.h"

#include "base/text.h"

#include <string.h>

#define NAME_MAXIMUM 255
#define TAG_MAXIMUM 128

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"

/* A path component: alphanumerics with '.', '_', '__' or dashes between them (the distribution reference grammar). */
static bool is_component(const char *text, size_t length)
{
	if (!length || !strchr(LOWER, text[0]) || !strchr(LOWER, text[length - 1]))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!strchr(LOWER "._-", text[i]) || (text[i] == '.' && text[i + 1] == '.'))
			return false;
	}
	return true;
}

static bool is_path(const char *path)
{
	for (;;) {
		size_t length = strcspn(path, "/");
		if (!is_component(path, length))
			return false;
		if (!path[length])
			return true;
		path += length + 1;
	}
}

static bool is_tag(const char *tag)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t length = strlen(tag);
	return length >= 1 && length <= TAG_MAXIMUM && strspn(tag, allowed) == length && tag[0] != '.' && tag[0] != '-';
}

bool image_reference_names_registry(const char *reference)
{
	const char *slash = strchr(reference, '/');
	if (!slash)
		return false;
	auto_free char *host = xstrndup(reference, (size_t)(slash - reference));
	return strpbrk(host, ".:") || text_equal(host, "localhost");
}

int image_reference_normalise(const char *name, char **ret_reference, struct err *e)
{
	const char *slash = strrchr(name, '/');
	const char *colon = strchr(slash ? slash : name, ':');
	auto_free char *repository = colon ? xstrndup(name, (size_t)(colon - name)) : xstrdup(name);
	const char *tag = colon ? colon + 1 : "latest";
	bool has_registry = image_reference_names_registry(repository);
	const char *path = has_registry ? strchr(repository, '/') + 1 : repository;
	if (strlen(repository) > NAME_MAXIMUM || !is_path(path) || !is_tag(tag)) {
		err_set(e, ERR_USAGE, "bad-image-name", "'%s' cannot be an image's name", name);
		return err_hint(e, "use lower-case letters, digits and . _ - / with an optional :TAG");
	}
	const char *prefix = has_registry ? "" : strchr(repository, '/') ? "docker.io/" : "docker.io/library/";
	*ret_reference = xasprintf("%s%s:%s", prefix, repository, tag);
	return 0;
}
