/* sandbox-init: PID 1 of the container; with a subcommand, a client of the PID 1 that runs. */

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "init/client.h"
#include "init/filesystem.h"
#include "init/service.h"
#include "init/supervisor.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVICES_FILE "/etc/sandbox/services.json"

static int prepare(struct init_config *config, struct err *e)
{
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	if (config_read(SERVICES_FILE, config, e) < 0)
		return -1;
	if (filesystem_prepare_mounts(e) < 0)
		return err_wrap(e, "cannot prepare the container's mounts");
	if (file_make_directories(SERVICE_LOG_DIRECTORY, 0755, e) < 0 ||
	    file_make_directories(SERVICE_NOTIFY_DIRECTORY, 0755, e) < 0)
		return -1;
	if (filesystem_prepare_state(config, e) < 0)
		return err_wrap(e, "cannot prepare the state volume");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return client_main(argc, argv);
	if (getpid() != 1) {
		fputs("sandbox-init: this is the first process of the sandbox container; see 'sandbox-init help'\n",
		      stderr);
		return 2;
	}
	auto_err struct err e = ERR_INIT;
	struct init_config config;
	if (prepare(&config, &e) < 0) {
		log_err(LOG_ERROR, "cannot start", &e, NULL, NULL);
		config_release(&config);
		return 1;
	}
	int code = supervisor_run(&config);
	config_release(&config);
	return code;
}
