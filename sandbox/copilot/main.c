/*
 * flyte-copilot stands beside the container of a ContainerTask, which knows nothing of Flyte: `download` runs before it
 * and makes files of the inputs, `sidecar` runs next to it and makes outputs of the files it left. The kubelet ends a
 * sidecar (an init container with restartPolicy Always) with SIGTERM once the pod's main containers have ended: that is
 * the signal to upload.
 *
 * Both report failures as error.pb, as a task written with flytekit does. The object store comes from the environment
 * that every container of a task has.
 */
#include "base/base64.h"
#include "base/text.h"
#include "copilot/download.h"
#include "copilot/upload.h"

#include "flyteidl/core/errors.pb-c.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INTERFACE_MAXIMUM ((size_t)4 * 1024 * 1024)
/* The container must not be run, and error.pb says why: pod_observe.c knows this code. */
#define EXIT_REPORTED 3
#define EXIT_USAGE 2

struct arguments {
	const char *inputs_uri, *output_prefix, *raw_prefix, *directory, *format, *interface;
};

static const char *environment(const char *name, const char *other, const char *fallback)
{
	const char *value = getenv(name);
	if (text_is_empty(value))
		value = getenv(other);
	return text_is_empty(value) ? fallback : value;
}

static struct objects *open_objects(void)
{
	const char *endpoint = environment("FLYTE_AWS_ENDPOINT", "AWS_ENDPOINT_URL", "https://s3.amazonaws.com");
	return objects_new(&(struct objects_options){
	        .endpoint = endpoint,
	        .access_key = environment("FLYTE_AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID", ""),
	        .secret_key = environment("FLYTE_AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", ""),
	        .region = environment("AWS_REGION", "AWS_DEFAULT_REGION", "us-east-1"),
	});
}

/* Reports a failure where the engine looks for it. */
static int write_error(struct objects *objects, const char *output_prefix, const char *code, const struct err *failure,
                       struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	Flyteidl__Core__ErrorDocument *document = proto_new(&arena, flyteidl__core__error_document);
	document->error = proto_new(&arena, flyteidl__core__container_error);
	document->error->code = arena_strdup(&arena, code);
	document->error->message = arena_strdup(&arena, err_message(failure));
	document->error->kind = FLYTEIDL__CORE__CONTAINER_ERROR__KIND__RECOVERABLE;
	const struct proto_bytes bytes = proto_pack(&arena, &document->base);
	return objects_put(objects, arena_printf(&arena, "%s/error.pb", output_prefix), bytes.data, bytes.length,
	                   "application/octet-stream", e);
}

/* Returns the exit code. */
static int report(struct objects *objects, const char *output_prefix, const char *code, const struct err *failure)
{
	auto_err struct err e = ERR_INIT;
	fprintf(stderr, "flyte-copilot: %s: %s\n", code, err_message(failure));
	if (write_error(objects, output_prefix, code, failure, &e) == 0)
		return EXIT_REPORTED;
	fprintf(stderr, "flyte-copilot: the failure cannot be reported: %s\n", err_message(&e));
	return EXIT_FAILURE;
}

static int usage(const char *problem)
{
	fprintf(stderr,
	        "flyte-copilot: %s\n"
	        "usage: flyte-copilot download --from-remote URI --to-local-dir DIR --to-output-prefix URI [--format "
	        "FORMAT]\n"
	        "       flyte-copilot sidecar --from-local-dir DIR --to-output-prefix URI --to-raw-output URI "
	        "--interface "
	        "BASE64\n",
	        problem);
	return EXIT_USAGE;
}

static int run_download(const struct arguments *a)
{
	auto_err struct err failure = ERR_INIT;
	const ProtobufCEnumValue *format = protobuf_c_enum_descriptor_get_value_by_name(
	        &flyteidl__core__data_loading_config__literal_map_format__descriptor, a->format);
	if (!a->inputs_uri || !a->directory || !a->output_prefix || !format)
		return usage("an option is missing, or the format is not JSON, YAML or PROTO");
	struct objects *objects = open_objects();
	int code = EXIT_SUCCESS;
	if (download_inputs(objects, a->inputs_uri, a->directory,
	                    (Flyteidl__Core__DataLoadingConfig__LiteralMapFormat)format->value, &failure) < 0)
		code = report(objects, a->output_prefix, "InputDownloadFailed", &failure);
	objects_free(objects);
	return code;
}

static const Flyteidl__Core__VariableMap *read_interface(struct arena *arena, const char *text, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(INTERFACE_MAXIMUM);
	if (base64_decode(text, strlen(text), &bytes) < 0) {
		err_set(e, ERR_INVALID, NULL, "the interface is not Base64");
		return NULL;
	}
	const Flyteidl__Core__TypedInterface *interface =
	        proto_unpack(arena, flyteidl__core__typed_interface, buf_text(&bytes), bytes.length, e);
	if (interface && !interface->outputs)
		return proto_new(arena, flyteidl__core__variable_map);
	return interface ? interface->outputs : NULL;
}

static void wait_for_end(void)
{
	sigset_t signals;
	int received;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	fputs("flyte-copilot: waiting for the task's container to end\n", stderr);
	(void)sigwait(&signals, &received);
}

static int run_sidecar(const struct arguments *a)
{
	auto_arena struct arena arena = ARENA_INIT(4 * INTERFACE_MAXIMUM);
	auto_err struct err failure = ERR_INIT;
	if (!a->directory || !a->output_prefix || !a->raw_prefix || !a->interface)
		return usage("an option is missing");
	const Flyteidl__Core__VariableMap *outputs = read_interface(&arena, a->interface, &failure);
	wait_for_end();
	struct objects *objects = open_objects();
	int code = EXIT_SUCCESS;
	if (!outputs || upload_outputs(objects, outputs, a->directory, a->output_prefix, a->raw_prefix, &failure) < 0)
		code = report(objects, a->output_prefix, "OutputUploadFailed", &failure);
	objects_free(objects);
	/* A sidecar's own exit code is nobody's concern as long as the engine finds one of the two files. */
	return code == EXIT_REPORTED ? EXIT_SUCCESS : code;
}

static int parse_options(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{ "from-remote", required_argument, NULL, 'i' },
		{ "to-output-prefix", required_argument, NULL, 'o' },
		{ "to-raw-output", required_argument, NULL, 'x' },
		{ "to-local-dir", required_argument, NULL, 'd' },
		{ "from-local-dir", required_argument, NULL, 'd' },
		{ "format", required_argument, NULL, 'm' },
		{ "interface", required_argument, NULL, 't' },
		{ 0 },
	};
	a->format = "JSON";
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case 'i':
			a->inputs_uri = optarg;
			break;
		case 'o':
			a->output_prefix = optarg;
			break;
		case 'x':
			a->raw_prefix = optarg;
			break;
		case 'd':
			a->directory = optarg;
			break;
		case 'm':
			a->format = optarg;
			break;
		case 't':
			a->interface = optarg;
			break;
		default:
			return -1;
		}
	}
	return optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
	/* At once: the main container may end before we are ready, and a signal must not find nobody waiting. PID 1 has
	 * no default action for it either. */
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Whoever the container runs as has to be able to use the files. */
	umask(0);
	struct arguments arguments = { 0 };
	if (argc < 2 || parse_options(argc - 1, argv + 1, &arguments) < 0)
		return usage("the command line is not understood");
	if (text_equal(argv[1], "download"))
		return run_download(&arguments);
	if (text_equal(argv[1], "sidecar"))
		return run_sidecar(&arguments);
	return usage("the first argument is `download` or `sidecar`");
}
