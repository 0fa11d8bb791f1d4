/*
 * One thread accepts, one thread per connection answers one request after the other. A stop shuts all sockets down,
 * which ends every blocking call, and joins.
 */
#include "fake_objects.h"

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define OBJECT_MAXIMUM 256
#define CONNECTION_MAXIMUM 64
#define PAGE ((size_t)2)
#define REQUEST_MAXIMUM ((size_t)64 << 20)

struct object {
	char *path;
	char *bytes;
	size_t length;
};

struct connection {
	struct fake_objects *fake;
	pthread_t thread;
	int fd;
};

struct fake_objects {
	int listener;
	char *endpoint;
	pthread_t acceptor;
	pthread_mutex_t lock;
	pthread_cond_t arrived;
	unsigned meet, under_way;
	struct object objects[OBJECT_MAXIMUM];
	size_t object_count;
	struct connection connections[CONNECTION_MAXIMUM];
	size_t connection_count;
	unsigned requests;
	int failure;
	bool stopping;
};

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fake object store: %s: %s\n", what, strerror(errno));
	abort();
}

static struct object *find(struct fake_objects *fake, const char *path)
{
	for (size_t i = 0; i < fake->object_count; i++)
		if (text_equal(fake->objects[i].path, path))
			return &fake->objects[i];
	return NULL;
}

void fake_objects_put(struct fake_objects *fake, const char *path, const void *bytes, size_t length)
{
	pthread_mutex_lock(&fake->lock);
	struct object *object = find(fake, path);
	if (!object) {
		check(fake->object_count < OBJECT_MAXIMUM, "too many objects");
		object = &fake->objects[fake->object_count++];
		object->path = xstrdup(path);
	}
	free(object->bytes);
	object->bytes = xmalloc(length + 1);
	memcpy(object->bytes, bytes, length);
	object->length = length;
	pthread_mutex_unlock(&fake->lock);
}

char *fake_objects_get(struct fake_objects *fake, const char *path, size_t *ret_length)
{
	char *copy = NULL;
	pthread_mutex_lock(&fake->lock);
	struct object *object = find(fake, path);
	if (object) {
		copy = xmalloc(object->length + 1);
		memcpy(copy, object->bytes, object->length);
		*ret_length = object->length;
	}
	pthread_mutex_unlock(&fake->lock);
	return copy;
}

unsigned fake_objects_requests(struct fake_objects *fake)
{
	pthread_mutex_lock(&fake->lock);
	unsigned requests = fake->requests;
	pthread_mutex_unlock(&fake->lock);
	return requests;
}

void fake_objects_fail(struct fake_objects *fake, int status)
{
	pthread_mutex_lock(&fake->lock);
	fake->failure = status;
	pthread_mutex_unlock(&fake->lock);
}

void fake_objects_meet(struct fake_objects *fake, unsigned count)
{
	pthread_mutex_lock(&fake->lock);
	fake->meet = count;
	fake->under_way = 0;
	pthread_mutex_unlock(&fake->lock);
}

static bool meet_others(struct fake_objects *fake)
{
	struct timespec deadline;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 10;
	pthread_mutex_lock(&fake->lock);
	fake->under_way++;
	pthread_cond_broadcast(&fake->arrived);
	while (fake->under_way < fake->meet && pthread_cond_timedwait(&fake->arrived, &fake->lock, &deadline) == 0)
		;
	const bool met = fake->under_way >= fake->meet;
	pthread_mutex_unlock(&fake->lock);
	return met;
}

static void answer(int fd, int status, const char *body, size_t length, bool with_body)
{
	auto_buf struct buf out = BUF_INIT(REQUEST_MAXIMUM);
	buf_add_format(&out, "HTTP/1.1 %d Fake\r\nContent-Length: %zu\r\nETag: \"fake\"\r\n\r\n", status, length);
	if (with_body)
		buf_add(&out, body, length);
	for (size_t sent = 0; sent < out.length;) {
		ssize_t n = send(fd, out.data + sent, out.length - sent, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		sent += (size_t)n;
	}
}

/* ListObjectsV2 in pages of PAGE, so that a client has to ask again; paths are kept as they came, percent-encoded. */
static void list(struct fake_objects *fake, int fd, const char *bucket, const char *query)
{
	auto_buf struct buf out = BUF_INIT(REQUEST_MAXIMUM);
	const char *start = strstr(query, "prefix=");
	const char *token = strstr(query, "continuation-token=");
	const size_t skip = token ? strtoul(token + strlen("continuation-token="), NULL, 10) : 0;
	auto_free char *encoded = xstrdup(start ? start + strlen("prefix=") : "");
	/* Slashes are the only characters that a query encodes and a path does not. */
	char *end = encoded;
	for (const char *at = encoded; *at && *at != '&'; at++) {
		const bool slash = strncasecmp(at, "%2F", 3) == 0;
		*end++ = slash ? '/' : *at;
		at += slash ? 2 : 0;
	}
	*end = 0;
	auto_free char *prefix = xasprintf("%s/%s", bucket, encoded);
	size_t found = 0;
	buf_add_str(&out, "<?xml version=\"1.0\"?><ListBucketResult>");
	pthread_mutex_lock(&fake->lock);
	for (size_t i = 0; i < fake->object_count; i++) {
		if (!text_starts_with(fake->objects[i].path, prefix))
			continue;
		if (found >= skip && found < skip + PAGE)
			buf_add_format(&out, "<Contents><Key>%s</Key></Contents>",
			               fake->objects[i].path + strlen(bucket) + 1);
		found++;
	}
	pthread_mutex_unlock(&fake->lock);
	if (found > skip + PAGE)
		buf_add_format(&out, "<NextContinuationToken>%zu</NextContinuationToken>", skip + PAGE);
	buf_add_str(&out, "</ListBucketResult>");
	answer(fd, 200, out.data, out.length, true);
}

static void handle(struct fake_objects *fake, int fd, const char *method, char *path, const char *body, size_t length)
{
	char *query = strchr(path, '?');
	if (query)
		*query = 0;
	pthread_mutex_lock(&fake->lock);
	fake->requests++;
	int failure = fake->failure;
	pthread_mutex_unlock(&fake->lock);
	if (failure) {
		answer(fd, failure, "", 0, false);
	} else if (text_equal(method, "PUT")) {
		const bool met = meet_others(fake);
		fake_objects_put(fake, path, body, length);
		answer(fd, met ? 200 : 400, "", 0, false); /* one that is not tried again */
	} else if (text_equal(method, "GET") && query && strstr(query + 1, "list-type=2")) {
		list(fake, fd, path, query + 1);
	} else if (text_equal(method, "GET") || text_equal(method, "HEAD")) {
		size_t found_length = 0;
		auto_free char *found = fake_objects_get(fake, path, &found_length);
		answer(fd, found ? 200 : 404, found ? found : "", found_length, text_equal(method, "GET"));
	} else {
		answer(fd, 405, "", 0, false);
	}
}

static size_t content_length(const char *head)
{
	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, "content-length:", 15) == 0)
			return strtoul(line + 2 + 15, NULL, 10);
	return 0;
}

/* False when the connection is over. */
static bool receive(int fd, struct buf *in)
{
	char *room = buf_reserve(in, 65536);
	ssize_t n = room ? recv(fd, room, 65536, 0) : 0;
	if (n <= 0)
		return false;
	buf_commit(in, (size_t)n);
	return true;
}

static void *serve(void *context)
{
	struct connection *connection = context;
	auto_buf struct buf in = BUF_INIT(REQUEST_MAXIMUM);
	for (;;) {
		char *end;
		while (!(end = in.length ? strstr(in.data, "\r\n\r\n") : NULL))
			if (!receive(connection->fd, &in))
				return NULL;
		size_t head_length = (size_t)(end - in.data) + 4;
		auto_free char *head = xstrndup(in.data, head_length);
		size_t length = content_length(head);
		while (in.length < head_length + length)
			if (!receive(connection->fd, &in))
				return NULL;
		char *space = strchr(head, ' ');
		check(space, "no method");
		*space = 0;
		char *path = space + 1;
		path[strcspn(path, " ")] = 0;
		handle(connection->fake, connection->fd, head, path, in.data + head_length, length);
		buf_consume(&in, head_length + length);
	}
}

static void *accept_all(void *context)
{
	struct fake_objects *fake = context;
	for (;;) {
		int fd = accept(fake->listener, NULL, NULL);
		pthread_mutex_lock(&fake->lock);
		bool stopping = fake->stopping;
		if (fd >= 0 && !stopping) {
			check(fake->connection_count < CONNECTION_MAXIMUM, "too many connections");
			struct connection *connection = &fake->connections[fake->connection_count++];
			*connection = (struct connection){ .fake = fake, .fd = fd };
			check(pthread_create(&connection->thread, NULL, serve, connection) == 0, "no thread");
		} else if (fd >= 0) {
			close(fd);
		}
		pthread_mutex_unlock(&fake->lock);
		if (stopping || fd < 0)
			return NULL;
	}
}

struct fake_objects *fake_objects_start(void)
{
	struct fake_objects *fake = xcalloc(1, sizeof(*fake));
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	pthread_mutex_init(&fake->lock, NULL);
	pthread_cond_init(&fake->arrived, NULL);
	fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(fake->listener >= 0 && bind(fake->listener, (struct sockaddr *)&address, size) == 0 &&
	              listen(fake->listener, 64) == 0 &&
	              getsockname(fake->listener, (struct sockaddr *)&address, &size) == 0,
	      "cannot listen");
	fake->endpoint = xasprintf("http://127.0.0.1:%d", ntohs(address.sin_port));
	check(pthread_create(&fake->acceptor, NULL, accept_all, fake) == 0, "no thread");
	return fake;
}

struct fake_objects *fake_objects_stop(struct fake_objects *fake)
{
	if (!fake)
		return NULL;
	pthread_mutex_lock(&fake->lock);
	fake->stopping = true;
	pthread_mutex_unlock(&fake->lock);
	shutdown(fake->listener, SHUT_RDWR);
	pthread_join(fake->acceptor, NULL);
	close(fake->listener);
	for (size_t i = 0; i < fake->connection_count; i++) {
		shutdown(fake->connections[i].fd, SHUT_RDWR);
		pthread_join(fake->connections[i].thread, NULL);
		close(fake->connections[i].fd);
	}
	for (size_t i = 0; i < fake->object_count; i++) {
		free(fake->objects[i].path);
		free(fake->objects[i].bytes);
	}
	pthread_cond_destroy(&fake->arrived);
	pthread_mutex_destroy(&fake->lock);
	free(fake->endpoint);
	free(fake);
	return NULL;
}

const char *fake_objects_endpoint(const struct fake_objects *fake)
{
	return fake->endpoint;
}
