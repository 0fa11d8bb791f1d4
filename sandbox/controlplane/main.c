/*
 * flyte-controlplane: joins the layers. Postgres and the object store are waited for, the schema is brought up to date,
 * then engine, scheduler and server start and the supervisor is told (sd_notify). SIGTERM ends both in order: calls and
 * rounds under way are finished.
 */

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "controlplane/admission/admission.h"
#include "controlplane/api/api.h"
#include "controlplane/cluster/cluster_resources.h"
#include "controlplane/connectors/connectors.h"
#include "controlplane/engine/engine.h"
#include "controlplane/notify/notifier.h"
#include "controlplane/schedule/scheduler.h"
#include "controlplane/pages.h"
#include "controlplane/settings/settings.h"
#include "rpc/server.h"

#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* How long a start takes is the machine's business; below the supervisor's deadline (images/node/services.json), so that the reason is ours. */
#define START_DEADLINE_MS INT64_C(540000)
#define STOP_DEADLINE_MS INT64_C(5000)

struct program {
	struct settings_holder *settings;
	const struct settings *process; /* those of the start: where we run never changes */
	struct api_config api_config;
	struct api api;
	struct engine_options engine_options;
	struct pod_environment pod_environment[5];
	struct kubernetes *kubernetes;
	struct connectors *connectors;
	struct notifier *notifier;
	struct engine *engine;
	struct scheduler *scheduler;
	struct cluster_resources *cluster_resources;
	struct rpc_server *server;
	struct admission *admission; /* NULL: none is wanted */
	struct rpc_method *admin_methods;
	struct rpc_service services[4];
	struct rpc_page pages[PAGES_MAXIMUM];
	struct pages_context pages_context;
	char *metadata_prefix;
	char *raw_output_prefix;
	char *replica;
};

/* The sd_notify protocol; without $NOTIFY_SOCKET there is nobody to tell. */
static void notify_supervisor(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (!path || strlen(path) >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
}

static void log_call(void *context, const struct rpc_call_report *report)
{
	(void)context;
	char code[16], duration[32], in[32], out[32];
	(void)snprintf(code, sizeof(code), "%d", report->code);
	(void)snprintf(duration, sizeof(duration), "%lld", (long long)report->duration_us);
	(void)snprintf(in, sizeof(in), "%zu", report->request_bytes);
	(void)snprintf(out, sizeof(out), "%zu", report->response_bytes);
	log_line(report->code ? LOG_WARN : LOG_INFO, "call", "path", report->path, "protocol", report->protocol, "code", code, "us",
		 duration, "in", in, "out", out, "peer", report->peer_address, "request", report->request_id,
		 *report->message ? "error" : NULL, report->message, NULL);
}

/* One table for AdminService out of the areas'. */
static void join_admin_methods(struct program *program)
{
	const struct api_methods areas[] = { api_task_methods(),	   api_workflow_methods(), api_launch_plan_methods(),
					     api_named_entity_methods(), api_project_methods(),  api_version_methods(),
					     api_description_methods(), api_event_methods(),
					     api_execution_methods(),  api_matchable_attributes_methods() };
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_LENGTH(areas); i++)
		count += areas[i].count;
	program->admin_methods = xcalloc(count, sizeof(*program->admin_methods));
	size_t used = 0;
	for (size_t i = 0; i < ARRAY_LENGTH(areas); i++) {
		memcpy(program->admin_methods + used, areas[i].methods, areas[i].count * sizeof(*areas[i].methods));
		used += areas[i].count;
	}
	const struct api_methods data_proxy = api_data_proxy_methods();
	program->services[0] = (struct rpc_service){ .name = "flyteidl.service.AdminService", .methods = program->admin_methods,
						     .method_count = count, .context = &program->api };
	program->services[1] = (struct rpc_service){ .name = "flyteidl.service.DataProxyService", .methods = data_proxy.methods,
						     .method_count = data_proxy.count, .context = &program->api };
	const struct api_methods catalog = api_catalog_methods();
	program->services[2] = (struct rpc_service){ .name = "datacatalog.DataCatalog", .methods = catalog.methods,
						     .method_count = catalog.count, .context = &program->api };
	const struct api_methods signals = api_signal_methods();
	program->services[3] = (struct rpc_service){ .name = "flyteidl.service.SignalService", .methods = signals.methods,
						     .method_count = signals.count, .context = &program->api };
}

static int open_stores(struct program *program, struct err *e)
{
	const struct settings *config = program->process;
	int64_t deadline_ms = clock_monotonic_ms() + START_DEADLINE_MS;
	program->api.database = database_new(config->database_url, (unsigned)config->database_connections);
	if (database_migrate(program->api.database, deadline_ms, e) < 0)
		return err_wrap(e, "cannot prepare the database");
	const struct objects_options options = { .endpoint = config->objects_endpoint,
						 .access_key = config->objects_access_key,
						 .secret_key = config->objects_secret_key,
						 .region = config->objects_region };
	program->api.objects = objects_new(&options);
	/* As many as handlers: each launch has one object for itself and one for somebody else. */
	program->api.parallel = parallel_new((unsigned)config->api_workers);
	if (objects_make_bucket(program->api.objects, config->bucket, e) < 0)
		return err_wrap(e, "cannot prepare the bucket '%s'", config->bucket);
	if (kubernetes_open(*config->kubeconfig ? config->kubeconfig : NULL, &program->kubernetes, e) < 0)
		return err_wrap(e, "cannot use Kubernetes");
	return 0;
}

static void fill_api_config(struct program *program)
{
	const struct settings *config = program->process;
	program->api_config = api_config_default;
	program->api_config.bucket = config->bucket;
	program->api_config.objects_public_endpoint = config->objects_public_endpoint;
	program->api_config.objects_cluster_endpoint = config->objects_cluster_endpoint;
	program->api_config.cluster_network = config->cluster_network;
	program->api_config.version = "v" SANDBOX_VERSION;
	program->api.config = &program->api_config;
	program->api.settings = program->settings;
}

/* A pod's host name is the pod's; several processes on one host have different ports. */
static char *replica_name(const struct settings *config)
{
	char host[HOST_NAME_MAX + 1] = "";
	(void)gethostname(host, sizeof(host) - 1);
	return xasprintf("%s:%lld", host, (long long)config->port);
}

static int start_engine(struct program *program, struct err *e)
{
	const struct settings *config = program->process;
	const struct pod_environment environment[] = {
		{ "FLYTE_AWS_ENDPOINT", config->objects_cluster_endpoint },
		{ "FLYTE_AWS_ACCESS_KEY_ID", config->objects_access_key },
		{ "FLYTE_AWS_SECRET_ACCESS_KEY", config->objects_secret_key },
		{ "FLYTE_PLATFORM_URL", config->platform_endpoint },
		{ "FLYTE_PLATFORM_INSECURE", "true" },
	};
	static_assert(sizeof(environment) == sizeof(program->pod_environment), "one slot each");
	memcpy(program->pod_environment, environment, sizeof(environment));
	program->metadata_prefix = xasprintf("s3://%s/metadata/propeller", config->bucket);
	program->raw_output_prefix = xasprintf("s3://%s/data", config->bucket);
	program->replica = replica_name(config);
	program->engine_options = (struct engine_options){
		.database = program->api.database,
		.objects = program->api.objects,
		.bucket = config->bucket,
		.kubernetes = program->kubernetes,
		.metadata_prefix = program->metadata_prefix,
		.raw_output_prefix = program->raw_output_prefix,
		.settings = program->settings,
		.environment = program->pod_environment,
		.environment_count = ARRAY_LENGTH(program->pod_environment),
		.workers = (unsigned)config->engine_workers,
		.platform_namespace = config->platform_namespace,
		.replica = program->replica,
		.array_maximum = (size_t)config->array_maximum,
		.array_parallelism = (size_t)config->array_parallelism,
		.connectors = program->connectors,
	};
	return engine_start(&program->engine_options, &program->engine, e);
}

/* Before the engine, whose rounds ask who runs a task. */
static int start_connectors(struct program *program, struct err *e)
{
	const struct connectors_options options = { .database = program->api.database,
		                                    .settings = program->settings };
	return connectors_start(&options, &program->connectors, e);
}

static int start_scheduler(struct program *program, struct err *e)
{
	const struct scheduler_options options = { .launch = { .database = program->api.database,
		                                               .objects = program->api.objects,
		                                               .bucket = program->api_config.bucket,
		                                               .settings = program->settings,
		                                               .parallel = program->api.parallel } };
	return scheduler_start(&options, &program->scheduler, e);
}

static int start_cluster_resources(struct program *program, struct err *e)
{
	const struct cluster_resources_options options = { .database = program->api.database,
		                                           .kubernetes = program->kubernetes,
		                                           .settings = program->settings };
	return cluster_resources_start(&options, &program->cluster_resources, e);
}

static int start_server(struct program *program, struct err *e)
{
	join_admin_methods(program);
	program->pages_context.database = program->api.database;
	program->pages_context.engine = program->engine;
	const size_t page_count = pages_fill(&program->pages_context, program->process->debug_pages, program->pages);
	const struct rpc_server_options options = { .address = program->process->listen_address,
						    .port = (uint16_t)program->process->port,
						    .workers = (unsigned)program->process->api_workers,
						    .services = program->services,
						    .service_count = ARRAY_LENGTH(program->services),
						    .pages = program->pages,
						    .page_count = page_count,
						    .console_directory = program->process->console_directory,
						    .on_call = log_call };
	if (rpc_server_start(&options, &program->server, e) < 0)
		return -1;
	atomic_store(&program->pages_context.server, program->server);
	return 0;
}

static void set_log_level(const struct settings *settings)
{
	enum log_level level;
	if (log_level_from_text(settings->log_level, &level) == 0)
		log_set_level(level);
}

/* Tells the supervisor why this ends, as sd_notify(3) has it. */
static void notify_failure(const struct err *e)
{
	auto_free char *text = xasprintf("ERRNO=1\nSTATUS=%s", err_message(e));
	notify_supervisor(text);
}

/* From the thread that follows the file. The supervisor shows the status beside the service. */
static void on_settings(void *context, const struct err *problem)
{
	struct program *program = context;
	if (problem) {
		auto_free char *status = xasprintf("STATUS=settings not changed: %s", err_message(problem));
		log_err(LOG_ERROR, "the settings are not changed", problem, NULL, NULL);
		notify_supervisor(status);
		return;
	}
	auto_settings const struct settings *settings = settings_current(program->settings);
	set_log_level(settings);
	cluster_resources_wake(program->cluster_resources);
	connectors_wake(program->connectors);
	log_info("the settings have changed", "file", settings->file, NULL);
	notify_supervisor("STATUS=");
}

/*
 * A file that is wrong does not keep the control plane from starting: it runs with the defaults and says what is wrong,
 * until the file is right.
 */
static int read_settings(struct program *program, struct err *e)
{
	const struct settings *settings;
	auto_err struct err problem = ERR_INIT;
	const char *file = settings_file_of_environment();
	if (settings_read(file, &settings, &problem) < 0 && settings_read_without(file, &settings, e) < 0)
		return -1;
	const bool wrong = problem.kind != ERR_NONE;
	program->settings = settings_holder_new(settings, wrong ? err_message(&problem) : "");
	program->process = settings_current(program->settings);
	set_log_level(settings);
	if (wrong)
		log_err(LOG_ERROR, "the settings' file is not used", &problem, NULL, NULL);
	return 0;
}

/* Without this the settings are those of the start. */
static void follow_settings(struct program *program)
{
	auto_err struct err e = ERR_INIT;
	if (settings_follow(program->settings, on_settings, program, &e) < 0)
		log_err(LOG_WARN, "changes of the settings will not be noticed", &e, NULL, NULL);
}

/* SIGUSR1: everything; SIGUSR2: what the settings say. */
static void change_log_level(const struct program *program, int signal_number)
{
	auto_settings const struct settings *settings = settings_current(program->settings);
	if (signal_number == SIGUSR1)
		log_set_level(LOG_DEBUG);
	else
		set_log_level(settings);
	log_warn("log level changed", "level", signal_number == SIGUSR1 ? "debug" : settings->log_level, NULL);
}

static void on_admission_problem(void *context, const struct err *problem)
{
	(void)context;
	log_err(LOG_WARN, "the webhook for secrets is not there yet", problem, NULL, NULL);
}

static int start_admission(struct program *program, struct err *e)
{
	const struct settings *config = program->process;
	if (!*config->admission_host)
		return 0;
	/* In the sandbox the API server is on this side of the network; elsewhere it comes from outside of the pod. */
	const bool local = text_equal(config->admission_host, "127.0.0.1");
	const struct admission_options options = { .address = local ? "127.0.0.1" : "0.0.0.0",
						   .port = (uint16_t)config->admission_port,
						   .host = config->admission_host,
						   .namespace = config->platform_namespace,
						   .on_problem = on_admission_problem };
	return admission_start(&options, program->kubernetes, &program->admission, e);
}

static int run(struct program *program, const sigset_t *signals, struct err *e)
{
	if (open_stores(program, e) < 0)
		return -1;
	fill_api_config(program);
	if (start_connectors(program, e) < 0)
		return err_wrap(e, "cannot start those who call connectors");
	if (start_engine(program, e) < 0)
		return err_wrap(e, "cannot start the engine");
	if (start_scheduler(program, e) < 0)
		return err_wrap(e, "cannot start the scheduler");
	if (notifier_start(program->api.database, program->settings, &program->notifier, e) < 0)
		return err_wrap(e, "cannot start the notifier");
	if (start_cluster_resources(program, e) < 0)
		return err_wrap(e, "cannot keep the namespaces of projects");
	if (start_server(program, e) < 0)
		return err_wrap(e, "cannot start the server");
	if (start_admission(program, e) < 0)
		return err_wrap(e, "cannot start the webhook");
	log_info("ready", "version", SANDBOX_VERSION, NULL);
	auto_free char *problem = settings_problem(program->settings);
	auto_free char *ready =
	        xasprintf("READY=1\nSTATUS=%s%s", *problem ? "the settings' file is not used: " : "", problem);
	notify_supervisor(ready);
	/* Last: whom it tells is there then. */
	follow_settings(program);
	int received = 0;
	while (sigwait(signals, &received) == 0 && (received == SIGUSR1 || received == SIGUSR2))
		change_log_level(program, received);
	log_info("stopping", "signal", strsignal(received), NULL);
	notify_supervisor("STOPPING=1");
	return 0;
}

/* What still runs at the deadline is cut off by the end of the process, hence the result says whether memory may be freed. */
static bool stop(struct program *program)
{
	auto_err struct err e = ERR_INIT;
	if (program->server && rpc_server_stop(program->server, clock_monotonic_ms() + STOP_DEADLINE_MS, &e) < 0) {
		log_err(LOG_WARN, "calls were cut off", &e, NULL, NULL);
		return false;
	}
	program->admission = admission_stop(program->admission);
	if (program->settings)
		settings_unfollow(program->settings);
	program->cluster_resources = cluster_resources_stop(program->cluster_resources);
	program->scheduler = scheduler_stop(program->scheduler);
	program->engine = engine_stop(program->engine);
	program->connectors = connectors_stop(program->connectors);
	program->notifier = notifier_stop(program->notifier);
	return true;
}

/* For whoever wants to know before a file is put in place. */
static int check_config(const char *file)
{
	auto_err struct err e = ERR_INIT;
	auto_settings const struct settings *settings = NULL;
	if (settings_read(file, &settings, &e) == 0)
		return 0;
	fprintf(stderr, "%s\n", err_message(&e));
	return 1;
}

static int answer_arguments(int argc, char **argv)
{
	if (argc == 3 && text_equal(argv[1], "--check-config"))
		return check_config(argv[2]);
	if (argc == 2 && text_equal(argv[1], "--settings-markdown")) {
		settings_print_markdown(stdout);
		return 0;
	}
	bool help = argc == 2 && text_equal(argv[1], "--help");
	settings_print_help(help ? stdout : stderr);
	return help ? 0 : 2;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return answer_arguments(argc, argv);
	/* Before any thread exists, so that all inherit the mask and only sigwait sees these. */
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Large blocks (messages, arenas) come from mmap and go back at once; else glibc raises the threshold after the first and keeps them. */
	mallopt(M_MMAP_THRESHOLD, 1024 * 1024);

	static struct program program;
	auto_err struct err e = ERR_INIT;
	int result = read_settings(&program, &e);
	if (result == 0)
		result = run(&program, &signals, &e);
	if (result < 0) {
		log_err(LOG_ERROR, "cannot run", &e, NULL, NULL);
		notify_failure(&e);
	}
	/* No clean-up of libraries under the feet of threads that still run. */
	if (!stop(&program))
		_exit(result < 0 ? 1 : 0);
	kubernetes_free(program.kubernetes);
	parallel_free(program.api.parallel);
	objects_free(program.api.objects);
	database_free(program.api.database);
	free(program.admin_methods);
	free(program.metadata_prefix);
	free(program.raw_output_prefix);
	free(program.replica);
	settings_release(program.process);
	settings_holder_free(program.settings);
	return result < 0 ? 1 : 0;
}
