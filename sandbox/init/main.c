/* sandbox-init: PID 1 of the container; with a subcommand, a client of the PID 1 that runs. */

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "init/client.h"
#include "init/filesystem.h"
#include "init/images.h"
#include "init/service.h"
#include "init/supervisor.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVICES_FILE "/etc/sandbox/services.json"
#define BUILD_RECORDS "/var/lib/sandbox/buildkit"

static int prepare_images(struct err *e)
{
	bool lost = false;
	images_mount(&image_places, &lost);
	if (!lost)
		return 0;
	/* Only when a sandbox was killed in its first seconds and then came to another image: nothing can be built by
	 * then. */
	log_warn("the image store needs a file system that neither the image nor the volume has; it is made anew",
	         NULL);
	if (filesystem_remove_tree(image_places.store, e) < 0)
		return -1;
	return filesystem_remove_tree(BUILD_RECORDS, e);
}

static int prepare_overrides(struct err *e)
{
	bool dropped = false;
	if (service_forget_overrides(SERVICE_IMAGE_CONTENT, SERVICE_LAST_IMAGE_CONTENT, SERVICE_OVERRIDE_DIRECTORY,
	                             &dropped, e) < 0)
		return -1;
	if (dropped)
		log_info("the image has changed: what `sandbox reload` had put in is dropped", NULL);
	return 0;
}

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
	if (prepare_images(e) < 0 || prepare_overrides(e) < 0 || filesystem_prepare_state(config, e) < 0)
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
