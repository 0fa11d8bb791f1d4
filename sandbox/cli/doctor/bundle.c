#include "cli/doctor/bundle.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/doctor/checks.h"
#include "cli/framework/exit_codes.h"
#include "cli/instance/spec.h"
#include "docker/archive.h"
#include "docker/container.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LOG_MAXIMUM ((size_t)8 * 1024 * 1024)
#define LOG_LINES 20000
#define LOG_DIRECTORY SPEC_STATE_DIRECTORY "/log"
/* Of all pods together, as the engine packs them. */
#define PODS_MAXIMUM ((size_t)64 * 1024 * 1024)
/* What PID 1 runs; each service's log is NAME.log, and NAME.log.1 before it. */
#define SERVICES_FILE "/etc/sandbox/services.json"
#define SERVICES_FILE_MAXIMUM ((size_t)256 * 1024)

/* ---- the archive ---- */

static int broken(struct archive *archive, const char *path, struct err *e)
{
	enum err_kind kind = archive_errno(archive) == ENOSPC ? ERR_EXHAUSTED : ERR_INTERNAL;
	return err_set(e, kind, "bundle", "cannot write '%s': %s", path, archive_error_string(archive));
}

static int add(struct archive *archive, const char *name, const char *bytes, size_t length, const char *path,
               struct err *e)
{
	struct archive_entry *entry = memory_checked(archive_entry_new());
	archive_entry_set_pathname(entry, name);
	archive_entry_set_size(entry, (la_int64_t)length);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_mtime(entry, (time_t)(clock_wall_ns() / INT64_C(1000000000)), 0);
	bool well = archive_write_header(archive, entry) == ARCHIVE_OK &&
	            archive_write_data(archive, bytes, length) == (la_ssize_t)length;
	archive_entry_free(entry);
	return well ? 0 : broken(archive, path, e);
}

/* A document, or the error that there was instead. */
static int add_json(struct archive *archive, const char *name, json_t *value, const struct err *problem,
                    const char *path, struct err *e)
{
	auto_json json_t *owned = value ? value : json_pack("{s:o}", "error", cli_error_json(problem, 0));
	auto_free char *text = json_dumps(owned, JSON_INDENT(2) | JSON_ENCODE_ANY);
	return add(archive, name, text, strlen(text), path, e);
}

/* ---- what goes in ---- */

/* "K=V" of variables that are not ours become "K=(left out)". */
static void hide_values(json_t *container)
{
	json_object_del(json_lookup(container, "Config/Labels"), SPEC_SETTINGS_LABEL);
	static const char *const ours[] = { "FLYTE_S3_PUBLIC_ENDPOINT=", "SANDBOX_PUBLIC_ENDPOINT=",
		                            "SANDBOX_INSTANCE=", "PATH=" };
	json_t *list = json_lookup(container, "Config/Env");
	size_t i;
	json_t *pair;
	json_array_foreach(list, i, pair)
	{
		const char *text = json_string_value(pair);
		bool known = !text;
		for (size_t j = 0; j < ARRAY_LENGTH(ours) && !known; j++)
			known = text_starts_with(text, ours[j]);
		if (known)
			continue;
		auto_free char *hidden = xasprintf("%.*s=(left out)", (int)strcspn(text, "="), text);
		json_array_set_new(list, i, json_string(hidden));
	}
}

static int add_container_log(struct archive *archive, struct cli *cli, const char *id, const char *path, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LOG_MAXIMUM);
	auto_err struct err problem = ERR_INIT;
	const struct docker_sink sink = { .on_output = docker_keep_tail, .context = &text };
	const struct docker_log_options options = { .tail = LOG_LINES, .timestamps = true };
	if (docker_container_logs(cli->docker, id, &options, &sink, &problem) < 0) {
		buf_clear(&text);
		buf_add_format(&text, "cannot be had: %s\n", err_message(&problem));
	}
	return add(archive, "container.log", buf_text(&text), text.length, path, e);
}

static int copy_entry(struct archive *archive, struct archive *reader, struct archive_entry *entry, const char *path,
                      struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LOG_MAXIMUM);
	char chunk[16 * 1024];
	la_ssize_t got;
	while ((got = archive_read_data(reader, chunk, sizeof(chunk))) > 0)
		(void)docker_keep_tail(&text, DOCKER_STDOUT, chunk, (size_t)got, NULL);
	/* Cut off in the middle: the tar was too large. */
	if (got < 0)
		return 0;
	auto_free char *name = xasprintf("services/log/%s", archive_entry_pathname(entry));
	return add(archive, name, buf_text(&text), text.length, path, e);
}

/* Says in the place of a file why it is not there. */
static int add_reason(struct archive *archive, const char *name, const struct err *problem, const char *path,
                      struct err *e)
{
	auto_free char *text = xasprintf("cannot be had: %s\n", err_message(problem));
	return add(archive, name, text, strlen(text), path, e);
}

static int add_service_log(struct archive *archive, struct cli *cli, const char *id, const char *file, const char *path,
                           struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LOG_MAXIMUM);
	auto_err struct err problem = ERR_INIT;
	auto_free char *from = xasprintf(LOG_DIRECTORY "/%s", file);
	auto_free char *name = xasprintf("services/log/%s", file);
	if (docker_archive_get_file(cli->docker, id, from, &text, &problem) == 0)
		return add(archive, name, buf_text(&text), text.length, path, e);
	return problem.kind == ERR_NOT_FOUND ? 0 : add_reason(archive, name, &problem, path, e);
}

/* One by one, so that none of them is lost with another, or with what pods have written; works with a container that
 * has ended, too. */
static int add_service_logs(struct archive *archive, struct cli *cli, const char *id, const char *path, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(SERVICES_FILE_MAXIMUM);
	auto_err struct err problem = ERR_INIT;
	if (docker_archive_get_file(cli->docker, id, SERVICES_FILE, &text, &problem) < 0)
		return add_reason(archive, "services.txt", &problem, path, e);
	auto_json json_t *document = json_loadb(buf_text(&text), text.length, 0, NULL);
	size_t i;
	json_t *service;
	json_array_foreach(json_object_get(document, "services"), i, service)
	{
		const char *name = json_string_at(service, "name", "");
		auto_free char *now = xasprintf("%s.log", name);
		auto_free char *before = xasprintf("%s.log.1", name);
		if (add_service_log(archive, cli, id, now, path, e) < 0 ||
		    add_service_log(archive, cli, id, before, path, e) < 0)
			return -1;
	}
	return 0;
}

/* Of pods' logs as much as there is room for, in the order of the engine's tar. */
static int add_pod_logs(struct archive *archive, struct cli *cli, const char *id, const char *path, struct err *e)
{
	auto_buf struct buf tar = BUF_INIT(PODS_MAXIMUM);
	auto_err struct err problem = ERR_INIT;
	bool whole = docker_archive_get(cli->docker, id, LOG_DIRECTORY "/pods", &tar, &problem) == 0;
	if (!whole && problem.kind == ERR_NOT_FOUND)
		return 0;
	if (!whole && add_reason(archive, "pods.txt", &problem, path, e) < 0)
		return -1;
	struct archive *reader = memory_checked(archive_read_new());
	struct archive_entry *entry = NULL;
	int outcome = 0;
	archive_read_support_format_tar(reader);
	if (archive_read_open_memory(reader, tar.data, tar.length) == ARCHIVE_OK) {
		while (outcome == 0 && archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
			if (archive_entry_filetype(entry) == AE_IFREG)
				outcome = copy_entry(archive, reader, entry, path, e);
		}
	}
	archive_read_free(reader);
	return outcome;
}

static int add_checks(struct archive *archive, struct cli *cli, const char *path, struct err *e)
{
	auto_checks struct checks checks = CHECKS_INIT;
	auto_json json_t *list = json_array();
	(void)checks_of_machine(cli, 1, &checks, NULL);
	for (size_t i = 0; i < checks.count; i++)
		json_array_append_new(list, checks_json(&checks.results[i]));
	return add_json(archive, "doctor.json", json_incref(list), NULL, path, e);
}

static int add_everything(struct archive *archive, struct cli *cli, const struct err *failure, const char *path,
                          struct err *e)
{
	auto_err struct err problem = ERR_INIT;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_services struct services services = SERVICES_INIT;
	if (failure &&
	    add_json(archive, "error.json", cli_error_json(failure, exit_code_of(failure, 0)), NULL, path, e) < 0)
		return -1;
	if (add_json(archive, "version.json",
	             json_pack("{s:s, s:s}", "launcher", SANDBOX_VERSION, "engine", cli->endpoint.address), NULL, path,
	             e) < 0)
		return -1;
	json_t *info = docker_get(cli->docker, &problem, "/info");
	if (add_json(archive, "engine.json", info, &problem, path, e) < 0 || add_checks(archive, cli, path, e) < 0)
		return -1;
	json_t *container = docker_container_inspect(cli->docker, cli->instance.name, &problem);
	if (!container)
		return add_json(archive, "container.json", NULL, &problem, path, e);
	hide_values(container);
	sandbox_of_container(cli, container, &sandbox);
	if (add_json(archive, "container.json", container, NULL, path, e) < 0)
		return -1;
	if (sandbox.state == SANDBOX_RUNNING)
		(void)sandbox_services(cli, &sandbox, &services, NULL);
	if (add_json(archive, "status.json", sandbox_document(cli, &sandbox, &services), NULL, path, e) < 0)
		return -1;
	if (add_container_log(archive, cli, sandbox.id, path, e) < 0)
		return -1;
	return add_service_logs(archive, cli, sandbox.id, path, e) < 0
	               ? -1
	               : add_pod_logs(archive, cli, sandbox.id, path, e);
}

int bundle_write(struct cli *cli, const char *path, const struct err *failure, struct err *e)
{
	auto_free char *temporary = xasprintf("%s.part", path);
	struct archive *archive = memory_checked(archive_write_new());
	archive_write_add_filter_gzip(archive);
	archive_write_set_format_pax_restricted(archive);
	int outcome = archive_write_open_filename(archive, temporary) == ARCHIVE_OK
	                      ? add_everything(archive, cli, failure, path, e)
	                      : broken(archive, path, e);
	if (outcome == 0 && archive_write_close(archive) != ARCHIVE_OK)
		outcome = broken(archive, path, e);
	archive_write_free(archive);
	if (outcome == 0 && rename(temporary, path) < 0)
		outcome = err_set_errno(e, errno, "bundle", "cannot write '%s'", path);
	if (outcome < 0)
		(void)unlink(temporary);
	return outcome;
}

/* ---- where failures' bundles are ---- */

static char *bundle_directory(struct err *e)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	if (!text_is_empty(state))
		return file_join(state, "sandbox/bundles");
	if (!text_is_empty(home))
		return file_join(home, ".local/state/sandbox/bundles");
	err_set(e, ERR_PRECONDITION, "no-home", "HOME is not set, so there is no place for a bundle");
	return NULL;
}

static int is_bundle(const struct dirent *entry)
{
	return text_ends_with(entry->d_name, ".tar.gz");
}

/* The time, behind the last '-' of the name, orders them. */
static int by_time(const struct dirent **a, const struct dirent **b)
{
	const char *left = strrchr((*a)->d_name, '-');
	const char *right = strrchr((*b)->d_name, '-');
	return strcmp(left ? left : "", right ? right : "");
}

static void remove_old(const char *directory)
{
	struct dirent **entries = NULL;
	int count = scandir(directory, &entries, is_bundle, by_time);
	for (int i = 0; i < count; i++) {
		auto_free char *path = file_join(directory, entries[i]->d_name);
		if (i < count - BUNDLES_MAXIMUM)
			(void)unlink(path);
		free(entries[i]);
	}
	free(entries);
}

int bundle_of_failure(struct cli *cli, const struct err *failure, char **ret_path, struct err *e)
{
	char time[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(clock_wall_ns(), time);
	size_t digits = 0;
	for (const char *c = time; *c; c++) {
		if (*c != '-' && *c != ':' && *c != '.')
			time[digits++] = *c;
	}
	time[digits] = '\0';
	auto_free char *directory = bundle_directory(e);
	if (!directory || file_make_directories(directory, 0700, e) < 0)
		return -1;
	auto_free char *path = xasprintf("%s/%s-%s.tar.gz", directory, cli->instance.name, time);
	if (bundle_write(cli, path, failure, e) < 0)
		return -1;
	remove_old(directory);
	*ret_path = steal_ptr(path);
	return 0;
}
