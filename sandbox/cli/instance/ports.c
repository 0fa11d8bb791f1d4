#include "cli/instance/ports.h"

#include "base/platform.h"
#include "base/text.h"
#include "docker/container.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const struct port_row port_table[PORT_COUNT] = {
	[PORT_HTTP] = { "http", 30080, 30080 },
	[PORT_KUBERNETES] = { "kubernetes", 6443, 6443 },
	[PORT_POSTGRES] = { "postgres", 5432, 30001 },
	[PORT_S3] = { "s3", 9000, 30002 },
};

void port_hold_release(struct port_hold *hold)
{
	for (size_t i = 0; i < PORT_COUNT; i++) {
		if (hold->fds[i] >= 0)
			close(hold->fds[i]);
		hold->fds[i] = -1;
	}
}

/* ---- who holds a port ---- */

/* "container 'name'" that publishes the port, or NULL. */
static char *port_container(struct docker_client *docker, int port)
{
	auto_json json_t *containers = docker_container_list(docker, false, NULL, NULL);
	size_t i;
	json_t *container;
	json_array_foreach(containers, i, container)
	{
		size_t j;
		json_t *published;
		json_array_foreach(json_object_get(container, "Ports"), j, published)
		{
			if (json_integer_at(published, "PublicPort", 0) != port)
				continue;
			const char *name = json_string_value(json_array_get(json_object_get(container, "Names"), 0));
			return xasprintf("container '%s'", name ? name + (name[0] == '/') : "?");
		}
	}
	return NULL;
}

int ports_taken_error(struct docker_client *docker, enum port_name name, int port, struct err *e)
{
	auto_free char *container = port_container(docker, port);
	auto_free char *process = container ? NULL : platform_port_process(port);
	const char *holder = container ? container : process ? process : "another user's process";
	err_set(e, ERR_CONFLICT, "port-taken", "port %d (%s) is taken by %s", port, port_table[name].name, holder);
	return err_hint(e, "stop it, or choose another port with `--port %s=PORT` or free ports with `--ports auto`",
	                port_table[name].name);
}

/* ---- choosing ---- */

/* A socket bound to the port, or -1 with errno. Port 0 lets the system choose; `ret_port` tells. */
static int hold_port(const char *address, int port, int *ret_port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	if (inet_pton(AF_INET, address, &name.sin_addr) != 1)
		name.sin_addr.s_addr = htonl(INADDR_ANY);
	auto_fd int fd = platform_socket(AF_INET, SOCK_STREAM);
	int on = 1;
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	socklen_t length = sizeof(name);
	if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&name, &length) < 0)
		return -1;
	*ret_port = ntohs(name.sin_port);
	return steal_fd(&fd);
}

static int no_such_address(const char *address, struct err *e)
{
	err_set(e, ERR_USAGE, "bad-value", "--bind: this machine has no address %s", address);
	return err_hint(e, "`ip address` lists those that it has");
}

/* Holds exactly `port`. A port that we may not bind (below 1024) is the engine's to judge. */
static int take_exact(struct docker_client *docker, const char *address, enum port_name name, int port,
                      struct ports *ports, struct port_hold *hold, struct err *e)
{
	ports->host_port[name] = port;
	if (!docker_endpoint_is_local(docker_client_endpoint(docker)))
		return 0;
	hold->fds[name] = hold_port(address, port, &ports->host_port[name]);
	if (hold->fds[name] < 0 && errno == EADDRINUSE)
		return ports_taken_error(docker, name, port, e);
	if (hold->fds[name] < 0 && errno == EADDRNOTAVAIL)
		return no_such_address(address, e);
	return 0;
}

static int take_free(const char *address, enum port_name name, int preferred, struct ports *ports,
                     struct port_hold *hold, struct err *e)
{
	if (preferred)
		hold->fds[name] = hold_port(address, preferred, &ports->host_port[name]);
	if (hold->fds[name] < 0)
		hold->fds[name] = hold_port(address, 0, &ports->host_port[name]);
	if (hold->fds[name] >= 0)
		return 0;
	if (errno == EADDRNOTAVAIL)
		return no_such_address(address, e);
	return err_set_errno(e, errno, NULL, "cannot find a free port");
}

static int read_wish(const char *text, int wished[PORT_COUNT], struct err *e)
{
	size_t length = strcspn(text, "=");
	for (size_t i = 0; i < PORT_COUNT; i++) {
		int64_t port;
		if (strlen(port_table[i].name) != length || memcmp(port_table[i].name, text, length) != 0)
			continue;
		if (!text[length] || !text_to_int64(text + length + 1, 1, 65535, &port))
			return err_set(e, ERR_USAGE, "bad-value", "--port: '%s' has no port from 1 to 65535", text);
		wished[i] = (int)port;
		return 0;
	}
	err_set(e, ERR_USAGE, "bad-value", "--port: '%s' names no port of the sandbox", text);
	return err_hint(e, "the names are http, kubernetes, postgres and s3: --port http=8080");
}

int ports_read_wishes(const struct option_list *texts, int ret_wished[PORT_COUNT], struct err *e)
{
	memset(ret_wished, 0, PORT_COUNT * sizeof(ret_wished[0]));
	for (size_t i = 0; i < texts->count; i++) {
		if (read_wish(texts->items[i], ret_wished, e) < 0)
			return -1;
	}
	return 0;
}

static void set_host(const struct docker_endpoint *endpoint, struct ports *ports)
{
	size_t length;
	const char *host = docker_endpoint_client_host(endpoint, &length);
	(void)snprintf(ports->host, sizeof(ports->host), "%.*s", (int)length, host);
}

int ports_choose(struct docker_client *docker, const struct port_wish *wish, struct ports *ret_ports,
                 struct port_hold *ret_hold, struct err *e)
{
	struct ports ports = { .host_port = { 0 } };
	auto_port_hold struct port_hold hold = PORT_HOLD_INIT;
	int wished[PORT_COUNT];
	if (ports_read_wishes(wish->explicit_ports, wished, e) < 0)
		return -1;
	(void)snprintf(ports.address, sizeof(ports.address), "%s", wish->address);
	set_host(docker_client_endpoint(docker), &ports);
	for (size_t i = 0; i < PORT_COUNT; i++) {
		const enum port_name name = (enum port_name)i;
		int outcome;
		if (wished[i])
			outcome = take_exact(docker, wish->address, name, wished[i], &ports, &hold, e);
		else if (wish->automatic)
			outcome = take_free(wish->address, name, wish->before ? wish->before->host_port[i] : 0, &ports,
			                    &hold, e);
		else
			outcome = take_exact(docker, wish->address, name, port_table[i].default_port, &ports, &hold, e);
		if (outcome < 0)
			return -1;
	}
	*ret_ports = ports;
	*ret_hold = hold;
	hold = (struct port_hold)PORT_HOLD_INIT;
	return 0;
}

/* ---- Docker's forms ---- */

void ports_of_container(const struct docker_endpoint *endpoint, const json_t *container, struct ports *ret_ports)
{
	*ret_ports = (struct ports){ .address = "127.0.0.1" };
	set_host(endpoint, ret_ports);
	const json_t *bindings = json_lookup(container, "HostConfig/PortBindings");
	for (size_t i = 0; i < PORT_COUNT; i++) {
		auto_free char *key = xasprintf("%d/tcp", port_table[i].container_port);
		const json_t *binding = json_array_get(json_object_get(bindings, key), 0);
		int64_t port = 0;
		if (binding && text_to_int64(json_string_at(binding, "HostPort", ""), 1, 65535, &port))
			(void)snprintf(ret_ports->address, sizeof(ret_ports->address), "%s",
			               json_string_at(binding, "HostIp", "127.0.0.1"));
		ret_ports->host_port[i] = (int)port;
	}
}

json_t *ports_bindings(const struct ports *ports)
{
	json_t *bindings = json_object();
	for (size_t i = 0; i < PORT_COUNT; i++) {
		auto_free char *key = xasprintf("%d/tcp", port_table[i].container_port);
		auto_free char *port = xasprintf("%d", ports->host_port[i]);
		json_object_set_new(bindings, key,
		                    json_pack("[{s:s, s:s}]", "HostIp", ports->address, "HostPort", port));
	}
	return bindings;
}

json_t *ports_exposed(void)
{
	json_t *exposed = json_object();
	for (size_t i = 0; i < PORT_COUNT; i++) {
		auto_free char *key = xasprintf("%d/tcp", port_table[i].container_port);
		json_object_set_new(exposed, key, json_object());
	}
	return exposed;
}

char *ports_endpoint(const struct ports *ports, enum port_name name)
{
	int port = ports->host_port[name];
	if (!port)
		return xstrdup("");
	switch (name) {
	case PORT_KUBERNETES:
		return xasprintf("https://%s:%d", text_equal(ports->host, "localhost") ? "127.0.0.1" : ports->host,
		                 port);
	case PORT_POSTGRES:
		return xasprintf("%s:%d", ports->host, port);
	default:
		return xasprintf("http://%s:%d", ports->host, port);
	}
}

char *ports_endpoint_of_container_port(const struct ports *ports, int container_port)
{
	for (size_t i = 0; i < PORT_COUNT; i++) {
		if (port_table[i].container_port == container_port)
			return ports_endpoint(ports, (enum port_name)i);
	}
	return xstrdup("");
}
