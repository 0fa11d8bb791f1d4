/* snapshot: the state of an instance to one file, and back. */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/instance/instance_lock.h"
#include "cli/lifecycle/snapshot.h"
#include "cli/lifecycle/snapshot_file.h"
#include "cli/terminal/columns.h"

#include <dirent.h>
#include <string.h>

#define EXTENSION ".sandbox"
#define TEXT_MAXIMUM ((size_t)1024 * 1024)
#define MEGABYTE 1000000.0

struct snapshot_values {
	const char *image;
};

static const struct option snapshot_options[] = {
	{ .name = "image",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct snapshot_values, image),
	  .value = "NAME",
	  .environment = "SANDBOX_IMAGE",
	  .fallback = "flyte-sandbox:" SANDBOX_VERSION,
	  .help = "restore: image that the sandbox will be started from" },
	{ .name = NULL },
};

/* "NAME-20261126T193000Z.sandbox" in the directory of snapshots. */
static char *default_path(const struct cli *cli, struct err *e)
{
	char time[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(clock_wall_ns(), time);
	auto_free char *directory = snapshot_directory(e);
	if (!directory || file_make_directories(directory, 0700, e) < 0)
		return NULL;
	return xasprintf("%s/%s-%.4s%.2s%.2sT%.2s%.2s%.2sZ" EXTENSION, directory, cli->instance.name, time, time + 5,
	                 time + 8, time + 11, time + 14, time + 17);
}

static int save(struct cli *cli, const char *file, struct err *e)
{
	int64_t began = clock_monotonic_ms();
	auto_instance_lock struct instance_lock lock = INSTANCE_LOCK_INIT;
	auto_free char *path = file ? xstrdup(file) : default_path(cli, e);
	json_t *manifest = NULL;
	if (!path || instance_lock_take(cli, INSTANCE_LOCK_TIMEOUT_MS, &lock, e) < 0 ||
	    snapshot_save(cli, path, &manifest, e) < 0)
		return -1;
	cli_say(cli, "saved '%s' to '%s' (%.0f MB) in %.1f s", cli->instance.name, path,
	        (double)json_integer_at(manifest, "volume/compressedBytes", 0) / MEGABYTE,
	        (double)(clock_monotonic_ms() - began) / 1000);
	if (cli_wants_json(cli))
		cli_print_document(cli, json_pack("{s:s, s:s, s:O}", "name", cli->instance.name, "file", path,
		                                  "manifest", manifest));
	json_decref(manifest);
	return EXIT_CODE_OK;
}

static int restore(struct cli *cli, const char *file, const char *image, struct err *e)
{
	auto_instance_lock struct instance_lock lock = INSTANCE_LOCK_INIT;
	if (!file) {
		err_set(e, ERR_USAGE, "missing-argument", "`sandbox snapshot restore` needs a file");
		return err_hint(e, "sandbox snapshot restore FILE; `sandbox snapshot list` shows those that there are");
	}
	if (instance_lock_take(cli, INSTANCE_LOCK_TIMEOUT_MS, &lock, e) < 0 ||
	    snapshot_restore(cli, file, image, e) < 0)
		return -1;
	cli_say(cli, "'%s' has the state of '%s'; `sandbox start` goes on with it", cli->instance.name, file);
	if (cli_wants_json(cli))
		cli_print_document(cli, json_pack("{s:s, s:s}", "name", cli->instance.name, "file", file));
	return EXIT_CODE_OK;
}

static int is_snapshot(const struct dirent *entry)
{
	return text_ends_with(entry->d_name, EXTENSION);
}

/* What is no snapshot, whatever its name says, is left out. */
static json_t *list_of(const char *directory)
{
	struct dirent **entries = NULL;
	int count = scandir(directory, &entries, is_snapshot, alphasort);
	json_t *list = json_array();
	for (int i = 0; i < count; i++) {
		auto_free char *path = file_join(directory, entries[i]->d_name);
		auto_json json_t *manifest = snapshot_manifest(path, NULL);
		if (manifest)
			json_array_append_new(list, json_pack("{s:s, s:O}", "file", path, "manifest", manifest));
		free(entries[i]);
	}
	free(entries);
	return list;
}

static int list(struct cli *cli, const char *directory_option, struct err *e)
{
	static const char *const heading[] = { "FILE", "INSTANCE", "CREATED", "IMAGE", "SIZE" };
	auto_free char *directory = directory_option ? xstrdup(directory_option) : snapshot_directory(e);
	if (!directory)
		return -1;
	auto_json json_t *found = list_of(directory);
	if (cli_wants_json(cli)) {
		cli_print_document(cli, json_pack("{s:O}", "snapshots", found));
		return EXIT_CODE_OK;
	}
	auto_columns struct columns columns = COLUMNS_INIT(5);
	auto_buf struct buf text = BUF_INIT(TEXT_MAXIMUM);
	columns_add(&columns, heading);
	size_t i;
	json_t *entry;
	json_array_foreach(found, i, entry)
	{
		auto_free char *size = xasprintf(
		        "%.0f MB", (double)json_integer_at(entry, "manifest/volume/compressedBytes", 0) / MEGABYTE);
		const char *const cells[] = { json_string_at(entry, "file", ""),
			                      json_string_at(entry, "manifest/name", ""),
			                      json_string_at(entry, "manifest/created", ""),
			                      json_string_at(entry, "manifest/image/name", ""), size };
		columns_add(&columns, cells);
	}
	columns_render(&columns, cli->colors_out, &text);
	if (json_array_size(found))
		fputs(buf_text(&text), stdout);
	else
		cli_say(cli, "no snapshots in '%s'", directory);
	return EXIT_CODE_OK;
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	const struct snapshot_values *values = context;
	const char *file = count > 1 ? arguments[1] : NULL;
	if (text_equal(arguments[0], "save"))
		return save(cli, file, e);
	if (text_equal(arguments[0], "restore"))
		return restore(cli, file, values->image, e);
	if (text_equal(arguments[0], "list"))
		return list(cli, file, e);
	err_set(e, ERR_USAGE, "bad-value", "`sandbox snapshot` cannot '%s'", arguments[0]);
	return err_hint(e, "it can save, restore and list");
}

const struct verb verb_snapshot = {
	.name = "snapshot",
	.summary = "save the state of the sandbox to a file, and restore it",
	.arguments = "save|restore|list [FILE]",
	.words = (const char *const[]){ "save", "restore", "list", NULL },
	.description =
	        "save: writes the whole state (projects, executions, data, built images) to FILE, by default one below "
	        "~/.local/share/sandbox/snapshots. A running sandbox is paused meanwhile.\n\n"
	        "restore: makes the state of an instance that does not exist from FILE; `sandbox start` goes on with "
	        "it, and "
	        "`sandbox start --from FILE` does both. The image must be the one that the snapshot was made with. "
	        "What is in FILE runs with the sandbox's rights: trust it like an image.\n\n"
	        "list: shows the snapshots in a directory, by default the one that save uses.",
	.examples = "sandbox snapshot save before.sandbox\tbefore an experiment\n"
	            "sandbox start --name copy --from before.sandbox\tanother instance with that state",
	.options = snapshot_options,
	.values_size = sizeof(struct snapshot_values),
	.arguments_minimum = 1,
	.arguments_maximum = 2,
	.run = run,
};
