#include "cli/clients/clients.h"

#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/clients/forward.h"
#include "cli/clients/kubeconfig.h"
#include "docker/archive.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KUBECONFIG_IN_CONTAINER "/var/lib/sandbox/kubernetes/kubeconfig.yaml"
#define CONFIGURATION_MAXIMUM ((size_t)1024 * 1024)
#define HEADER "# Written by `sandbox start`; removed by `sandbox delete`.\n"

static char *flyte_configuration(const struct ports *ports)
{
	auto_free char *http = ports_endpoint(ports, PORT_HTTP);
	auto_free char *s3 = ports_endpoint(ports, PORT_S3);
	return xasprintf(HEADER "admin:\n"
	                        "  endpoint: dns:///%s:%d\n"
	                        "  insecure: true\n"
	                        "console:\n"
	                        "  endpoint: %s\n"
	                        "storage:\n"
	                        "  type: minio\n"
	                        "  container: my-s3-bucket\n"
	                        "  connection:\n"
	                        "    endpoint: %s\n"
	                        "    auth-type: accesskey\n"
	                        "    access-key: minio\n"
	                        "    secret-key: miniostorage\n"
	                        "    region: us-east-1\n"
	                        "    disable-ssl: true\n",
	                 ports->host, ports->host_port[PORT_HTTP], http, s3);
}

/* Writes `text` unless it stands there already; a file that somebody else wrote is kept beside it. */
static int write_file(struct cli *cli, const char *path, const char *text, mode_t mode, struct err *e)
{
	auto_buf struct buf before = BUF_INIT(CONFIGURATION_MAXIMUM);
	bool exists = file_read(path, &before, NULL) == 0;
	if (exists && text_equal(buf_text(&before), text))
		return 0;
	if (exists && !text_starts_with(buf_text(&before), HEADER)) {
		auto_free char *backup = xasprintf("%s.before-sandbox", path);
		if (file_write_atomic(backup, buf_text(&before), before.length, mode, e) < 0)
			return -1;
		cli_say(cli, "'%s' was not ours; it is kept as '%s'", path, backup);
	}
	auto_free char *directory = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	if (file_make_directories(directory, 0755, e) < 0)
		return -1;
	return file_write_atomic(path, text, strlen(text), mode, e);
}

int clients_kubeconfig(struct cli *cli, const struct sandbox *sandbox, json_t **ret_kubeconfig, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(CONFIGURATION_MAXIMUM);
	if (docker_archive_get_file(cli->docker, sandbox->id, KUBECONFIG_IN_CONTAINER, &text, e) < 0)
		return -1;
	auto_json json_t *inside = yaml_parse(buf_text(&text), text.length, KUBECONFIG_IN_CONTAINER, e);
	if (!inside)
		return -1;
	auto_free char *server = ports_endpoint(&sandbox->ports, PORT_KUBERNETES);
	*ret_kubeconfig = kubeconfig_for_instance(inside, cli->instance.name, server, e);
	return *ret_kubeconfig ? 0 : -1;
}

static int configure_kubernetes(struct cli *cli, const struct sandbox *sandbox, bool make_current, struct err *e)
{
	auto_json json_t *kubeconfig = NULL;
	auto_buf struct buf text = BUF_INIT(CONFIGURATION_MAXIMUM);
	buf_add_str(&text, HEADER);
	if (clients_kubeconfig(cli, sandbox, &kubeconfig, e) < 0 || yaml_print(kubeconfig, &text, e) < 0 ||
	    write_file(cli, cli->instance.kubeconfig, buf_text(&text), 0600, e) < 0)
		return -1;
	auto_free char *path = kubeconfig_path(e);
	return path ? kubeconfig_merge(path, kubeconfig, make_current, e) : -1;
}

int clients_configure_flyte(struct cli *cli, const struct sandbox *sandbox, struct err *e)
{
	auto_free char *configuration = flyte_configuration(&sandbox->ports);
	if (forward_start(cli, e) < 0)
		return -1;
	return write_file(cli, cli->instance.configuration, configuration, 0644, e);
}

int clients_configure(struct cli *cli, const struct sandbox *sandbox, bool make_current, struct err *e)
{
	if (clients_configure_flyte(cli, sandbox, e) < 0 || configure_kubernetes(cli, sandbox, make_current, e) < 0)
		return err_wrap(e, "the sandbox is ready, but clients cannot be configured");
	return 0;
}

int clients_forget(struct cli *cli, struct err *e)
{
	const struct instance_names *instance = &cli->instance;
	forward_stop(cli);
	if (file_remove(instance->configuration, e) < 0 || file_remove(instance->kubeconfig, e) < 0)
		return -1;
	auto_free char *directory =
	        xstrndup(instance->kubeconfig, (size_t)(strrchr(instance->kubeconfig, '/') - instance->kubeconfig));
	auto_free char *lock = file_join(directory, FORWARD_LOCK);
	(void)unlink(lock);
	(void)rmdir(directory); /* other files of the user's may be in it */
	auto_free char *path = kubeconfig_path(e);
	auto_free char *usual = kubeconfig_usual_path(e);
	if (!path || !usual || kubeconfig_remove(path, instance->name, e) < 0)
		return -1;
	/* KUBECONFIG may have been another one when the sandbox was started. */
	return text_equal(path, usual) ? 0 : kubeconfig_remove(usual, instance->name, e);
}
