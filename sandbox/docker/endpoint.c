#include "docker/endpoint.h"

#include "base/file.h"
#include "base/json.h"
#include "base/platform.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/var/run/docker.sock"
#define CONFIG_MAXIMUM ((size_t)1024 * 1024)
#define PLAIN_PORT "2375"
#define TLS_PORT "2376"

void docker_endpoint_release(struct docker_endpoint *endpoint)
{
	free(endpoint->address);
	free(endpoint->source);
	free(endpoint->unix_socket);
	docker_tunnel_free(endpoint->tunnel);
	free(endpoint->base_url);
	free(endpoint->ca_file);
	free(endpoint->cert_file);
	free(endpoint->key_file);
	*endpoint = (struct docker_endpoint)DOCKER_ENDPOINT_INIT;
}

bool docker_endpoint_is_local(const struct docker_endpoint *endpoint)
{
	return endpoint->unix_socket != NULL;
}

const char *docker_endpoint_client_host(const struct docker_endpoint *endpoint, size_t *ret_length)
{
	static const char here[] = "localhost";
	const char *host = endpoint->unix_socket || endpoint->tunnel ? here : strstr(endpoint->base_url, "://") + 3;
	*ret_length = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	return host;
}

/* NULL for unset and empty: the docker command treats both alike. */
static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return text_is_empty(value) ? NULL : value;
}

static char *config_directory(void)
{
	const char *directory = environment("DOCKER_CONFIG");
	if (directory)
		return xstrdup(directory);
	const char *home = environment("HOME");
	return home ? file_join(home, ".docker") : NULL;
}

static void use_certificates(struct docker_endpoint *endpoint, const char *directory)
{
	struct {
		const char *name;
		char **path;
	} files[] = { { "ca.pem", &endpoint->ca_file },
		      { "cert.pem", &endpoint->cert_file },
		      { "key.pem", &endpoint->key_file } };
	for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
		auto_free char *path = file_join(directory, files[i].name);
		if (!*files[i].path && file_exists(path))
			*files[i].path = steal_ptr(path);
	}
}

/* tcp://HOST[:PORT][/base] */
static int parse_tcp(const char *rest, bool tls, struct docker_endpoint *endpoint, struct err *e)
{
	const char *slash = strchr(rest, '/');
	size_t host_length = slash ? (size_t)(slash - rest) : strlen(rest);
	const char *bracket = memchr(rest, ']', host_length);
	const char *after = bracket ? bracket : rest;
	bool has_port = memchr(after, ':', host_length - (size_t)(after - rest)) != NULL;
	if (host_length == 0)
		return err_set(e, ERR_INVALID, "docker-host", "the engine's address 'tcp://%s' has no host", rest);
	size_t base_length = slash ? strlen(slash) : 0;
	while (base_length && slash[base_length - 1] == '/')
		base_length--;
	endpoint->base_url = xasprintf("%s://%.*s%s%.*s", tls ? "https" : "http", (int)host_length, rest,
	                               has_port ? ""
	                               : tls    ? ":" TLS_PORT
	                                        : ":" PLAIN_PORT,
	                               (int)base_length, slash ? slash : "");
	return 0;
}

static int parse_address(const char *address, bool tls, struct docker_endpoint *endpoint, struct err *e)
{
	endpoint->address = xstrdup(address);
	if (text_starts_with(address, "unix://")) {
		const char *path = address + strlen("unix://");
		if (path[0] != '/')
			return err_set(e, ERR_INVALID, "docker-host",
			               "the engine's address '%s' is not an absolute path", address);
		if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
			return err_set(e, ERR_INVALID, "docker-host",
			               "the socket path '%s' is longer than a socket's may be", path);
		endpoint->unix_socket = xstrdup(path);
		endpoint->base_url = xstrdup("http://localhost");
		return 0;
	}
	if (text_starts_with(address, "tcp://"))
		return parse_tcp(address + strlen("tcp://"), tls, endpoint, e);
	if (text_starts_with(address, "http://"))
		return parse_tcp(address + strlen("http://"), false, endpoint, e);
	if (text_starts_with(address, "https://"))
		return parse_tcp(address + strlen("https://"), true, endpoint, e);
	if (text_starts_with(address, "ssh://")) {
		endpoint->tunnel = docker_tunnel_new(address, e);
		endpoint->base_url = xstrdup("http://localhost");
		return endpoint->tunnel ? 0 : -1;
	}
	err_set(e, ERR_UNSUPPORTED, "docker-transport", "the engine's address '%s' is of a kind that is not supported",
	        address);
	return err_hint(e, "use unix:///path/to/docker.sock, tcp://HOST:PORT or ssh://USER@HOST");
}

static int from_environment(const char *address, const char *source, struct docker_endpoint *endpoint, struct err *e)
{
	bool tls = environment("DOCKER_TLS_VERIFY") != NULL;
	endpoint->source = xstrdup(source);
	if (parse_address(address, tls, endpoint, e) < 0)
		return err_wrap(e, "%s", source);
	if (text_starts_with(endpoint->base_url, "https://")) {
		const char *given = environment("DOCKER_CERT_PATH");
		auto_free char *fallback = given ? NULL : config_directory();
		if (given || fallback)
			use_certificates(endpoint, given ? given : fallback);
	}
	return 0;
}

static json_t *read_json(const char *path, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(CONFIG_MAXIMUM);
	if (file_read(path, &text, e) < 0)
		return NULL;
	return json_parse(buf_text(&text), text.length, path, e);
}

/* The contexts are directories named by a hash of the context's name; reading them all spares us the hash. */
static json_t *find_context(const char *meta_directory, const char *name, char **ret_id)
{
	DIR *directory = opendir(meta_directory);
	if (!directory)
		return NULL;
	json_t *found = NULL;
	for (const struct dirent *entry; !found && (entry = readdir(directory));) {
		if (entry->d_name[0] == '.')
			continue;
		auto_free char *path = xasprintf("%s/%s/meta.json", meta_directory, entry->d_name);
		auto_json json_t *meta = read_json(path, NULL);
		if (meta && text_equal(json_string_at(meta, "Name", NULL), name)) {
			*ret_id = xstrdup(entry->d_name);
			found = steal_ptr(meta);
		}
	}
	closedir(directory);
	return found;
}

static int from_context(const char *name, struct docker_endpoint *endpoint, struct err *e)
{
	auto_free char *config = config_directory();
	auto_free char *meta_directory = xasprintf("%s/contexts/meta", config ? config : "");
	auto_free char *id = NULL;
	auto_json json_t *meta = find_context(meta_directory, name, &id);
	if (!meta) {
		err_set(e, ERR_NOT_FOUND, "docker-context", "the Docker context '%s' does not exist", name);
		return err_hint(e, "`docker context ls` lists the contexts; unset DOCKER_CONTEXT or run `docker "
		                   "context use default`");
	}
	const char *host = json_string_at(meta, "Endpoints/docker/Host", "");
	endpoint->source = xasprintf("context '%s'", name);
	auto_free char *tls_directory = xasprintf("%s/contexts/tls/%s/docker", config, id);
	use_certificates(endpoint, tls_directory);
	bool skip_verify = json_boolean_at(meta, "Endpoints/docker/SkipTLSVerify", false);
	bool tls = endpoint->ca_file || endpoint->cert_file || skip_verify;
	if (tls && skip_verify && text_starts_with(host, "tcp://")) {
		err_set(e, ERR_UNSUPPORTED, "docker-transport",
		        "the Docker context '%s' skips the check of the engine's certificate", name);
		return err_hint(e, "give the context a CA: docker context update %s --docker host=%s,ca=ca.pem", name,
		                host);
	}
	if (parse_address(host, tls, endpoint, e) < 0)
		return err_wrap(e, "context '%s'", name);
	return 0;
}

/* The context that config.json names, or NULL for none and for "default", which is no context. */
static char *current_context(void)
{
	auto_free char *directory = config_directory();
	if (!directory)
		return NULL;
	auto_free char *path = file_join(directory, "config.json");
	auto_json json_t *config = read_json(path, NULL);
	const char *name = json_string_at(config, "currentContext", "");
	return text_is_empty(name) || text_equal(name, "default") ? NULL : xstrdup(name);
}

/* 0 when a connection is accepted, else the errno. */
static int try_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	if (length >= sizeof(address.sun_path))
		return ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	auto_fd int fd = platform_socket(AF_UNIX, SOCK_STREAM);
	if (fd < 0 || platform_set_nonblocking(fd) < 0)
		return errno;
	return connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
}

static char *find_live_socket(void)
{
	static const struct {
		const char *variable;
		const char *path;
	} candidates[] = {
		{ "XDG_RUNTIME_DIR", "docker.sock" },        { "HOME", ".docker/run/docker.sock" },
		{ "HOME", ".docker/desktop/docker.sock" },   { "HOME", ".rd/docker.sock" },
		{ "HOME", ".colima/default/docker.sock" },   { "HOME", ".config/colima/default/docker.sock" },
		{ "HOME", ".orbstack/run/docker.sock" },     { "HOME", ".lima/docker/sock/docker.sock" },
		{ "XDG_RUNTIME_DIR", "podman/podman.sock" }, { NULL, "/run/podman/podman.sock" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(candidates); i++) {
		const char *directory = candidates[i].variable ? environment(candidates[i].variable) : "/";
		if (!directory)
			continue;
		auto_free char *path = file_join(directory, candidates[i].path);
		if (try_socket(path) == 0)
			return steal_ptr(path);
	}
	return NULL;
}

static int from_sockets(struct docker_endpoint *endpoint, struct err *e)
{
	auto_free char *other = try_socket(DEFAULT_SOCKET) == 0 ? NULL : find_live_socket();
	auto_free char *address = xasprintf("unix://%s", other ? other : DEFAULT_SOCKET);
	endpoint->source = xstrdup(other ? "a socket found in its usual place" : "the default socket");
	return parse_address(address, false, endpoint, e);
}

int docker_endpoint_discover(const char *host, struct docker_endpoint *ret_endpoint, struct err *e)
{
	auto_docker_endpoint struct docker_endpoint endpoint = DOCKER_ENDPOINT_INIT;
	auto_free char *current = NULL;
	const char *from_variable = environment("DOCKER_HOST");
	const char *context = environment("DOCKER_CONTEXT");
	int outcome;
	if (!text_is_empty(host))
		outcome = from_environment(host, "--host", &endpoint, e);
	else if (from_variable)
		outcome = from_environment(from_variable, "DOCKER_HOST", &endpoint, e);
	else if (context && !text_equal(context, "default"))
		outcome = from_context(context, &endpoint, e);
	else if (!context && (current = current_context()))
		outcome = from_context(current, &endpoint, e);
	else
		outcome = from_sockets(&endpoint, e);
	if (outcome < 0)
		return -1;
	*ret_endpoint = endpoint;
	endpoint = (struct docker_endpoint)DOCKER_ENDPOINT_INIT;
	return 0;
}
