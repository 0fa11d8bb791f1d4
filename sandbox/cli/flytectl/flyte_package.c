#include "cli/flytectl/flyte_package.h"

#include "base/file.h"
#include "base/http.h"
#include "base/text.h"
#include "cli/framework/interrupt.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#define DOWNLOAD_MS INT64_C(300000)

static int download(const char *url, struct buf *ret_bytes, struct err *e)
{
	struct http_client *client = http_client_new(&(struct http_client_options){ .cancel_fd = interrupt_fd() });
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	const struct http_request request = {
		.method = "GET", .url = url, .response_maximum = PACKAGE_FILE_MAXIMUM, .timeout_ms = DOWNLOAD_MS
	};
	int outcome = http_perform(client, &request, &response, e);
	if (outcome == 0 && response.status != 200)
		outcome = err_set(e, response.status == 404 ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "download-failed",
		                  "%s: HTTP status %ld", url, response.status);
	if (outcome == 0 && buf_add(ret_bytes, buf_text(&response.body), response.body.length) < 0)
		outcome = err_set(e, ERR_EXHAUSTED, "package-too-large", "%s is too large", url);
	http_client_free(client);
	return outcome;
}

static bool is_remote(const char *name)
{
	return text_starts_with(name, "http://") || text_starts_with(name, "https://");
}

/* Of a URL its path counts: ".../p.tgz?token=…" is one. */
static bool is_archive_name(const char *name)
{
	auto_free char *path = xstrndup(name, is_remote(name) ? strcspn(name, "?#") : strlen(name));
	return package_is_archive_name(path);
}

static int add_archive(const char *name, struct package *package, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(PACKAGE_FILE_MAXIMUM);
	if (!is_archive_name(name))
		return err_set(e, ERR_INVALID, "bad-package",
		               "'%s': only .tar, .tar.gz and .tgz extension archives are supported", name);
	if ((is_remote(name) ? download(name, &bytes, e) : file_read(name, &bytes, e)) < 0)
		return -1;
	return package_add_archive(package, name, buf_text(&bytes), bytes.length, e);
}

/* What lies in it, without folders. */
static int add_folder(const char *path, struct package *package, struct err *e)
{
	DIR *folder = opendir(path);
	if (!folder)
		return err_set_errno(e, errno, NULL, "cannot open '%s'", path);
	int outcome = 0;
	for (const struct dirent *entry = readdir(folder); entry && outcome == 0; entry = readdir(folder)) {
		auto_free char *inside = xasprintf("%s/%s", path, entry->d_name);
		struct stat found;
		if (*entry->d_name != '.' && stat(inside, &found) == 0 && S_ISREG(found.st_mode))
			outcome = package_add_file(package, inside, e);
	}
	closedir(folder);
	return outcome;
}

static int add_path(const char *path, struct package *package, struct err *e)
{
	struct stat found;
	return stat(path, &found) == 0 && S_ISDIR(found.st_mode) ? add_folder(path, package, e)
	                                                         : package_add_file(package, path, e);
}

/* A pattern that the shell has left alone, or the name of a file or folder. */
static int add_files(const char *pattern, struct package *package, struct err *e)
{
	glob_t found;
	const int outcome = glob(pattern, 0, NULL, &found);
	if (outcome == GLOB_NOMATCH)
		return err_set(e, ERR_NOT_FOUND, "file-missing", "there is no file '%s'", pattern);
	if (outcome != 0)
		return err_set(e, ERR_INVALID, "file-missing", "failed to glob [%s]", pattern);
	int result = 0;
	for (size_t i = 0; i < found.gl_pathc && result == 0; i++)
		result = add_path(found.gl_pathv[i], package, e);
	globfree(&found);
	return result;
}

/* A package given without --archive is one all the same; the code of fast registration, however named, is none. */
static bool is_archive(const char *name)
{
	const struct package_file file = { .name = (char *)(uintptr_t)name };
	return is_archive_name(name) && package_kind_of(&file) != PACKAGE_SOURCE;
}

int flyte_package_read(struct cli *cli, char *const *names, size_t count, bool archive, struct package *ret_package,
                       struct err *e)
{
	auto_package struct package package = PACKAGE_INIT;
	for (size_t i = 0; i < count; i++) {
		cli_say_verbose(cli, "reading %s", names[i]);
		if ((archive || is_archive(names[i]) ? add_archive(names[i], &package, e)
		                                     : add_files(names[i], &package, e)) < 0)
			return -1;
	}
	package_sort(&package);
	*ret_package = package;
	package = (struct package)PACKAGE_INIT;
	return 0;
}

static bool same_bytes(const struct buf *a, const struct buf *b)
{
	return a->length == b->length && memcmp(buf_text(a), buf_text(b), a->length) == 0;
}

int flyte_package_check(const struct package *package, const struct package_file **ret_source, struct err *e)
{
	const struct package_file *source = NULL;
	size_t messages = 0;
	for (size_t i = 0; i < package->count; i++) {
		const enum package_kind kind = package_kind_of(&package->files[i]);
		if (kind == PACKAGE_OTHER)
			return err_set(e, ERR_INVALID, "bad-package",
			               "input package have some invalid files. try to run pyflyte package again [%s]",
			               package->files[i].name);
		if (kind == PACKAGE_SOURCE && source && !same_bytes(&source->bytes, &package->files[i].bytes)) {
			err_set(e, ERR_INVALID, "bad-package", "'%s' and '%s' are code of two packages", source->name,
			        package->files[i].name);
			return err_hint(e, "register one fast package at a time: its tasks run in its own code");
		}
		if (kind == PACKAGE_SOURCE)
			source = &package->files[i];
		messages += kind == PACKAGE_MESSAGE;
	}
	if (!messages)
		return err_set(e, ERR_INVALID, "bad-package",
		               "the package has no serialized task, workflow or launch plan");
	*ret_source = source;
	return 0;
}
