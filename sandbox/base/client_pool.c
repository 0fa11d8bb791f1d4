#include "base/client_pool.h"

#include <pthread.h>

struct client_pool {
	pthread_mutex_t mutex;
	struct http_client **idle;
	size_t idle_count;
	struct http_client_options options; /* its strings are owned */
};

struct client_pool *client_pool_new(const struct http_client_options *options)
{
	struct client_pool *pool = xcalloc(1, sizeof(*pool));
	pthread_mutex_init(&pool->mutex, NULL);
	pool->options = *options;
	pool->options.unix_socket = xstrdup(options->unix_socket);
	pool->options.ca_file = xstrdup(options->ca_file);
	pool->options.client_cert = xstrdup(options->client_cert);
	pool->options.client_key = xstrdup(options->client_key);
	pool->options.ca_pem = xstrdup(options->ca_pem);
	pool->options.client_cert_pem = xstrdup(options->client_cert_pem);
	pool->options.client_key_pem = xstrdup(options->client_key_pem);
	pool->options.bearer_token = xstrdup(options->bearer_token);
	return pool;
}

static void free_text(const char *text)
{
	free((char *)(uintptr_t)text);
}

struct client_pool *client_pool_free(struct client_pool *pool)
{
	if (!pool)
		return NULL;
	for (size_t i = 0; i < pool->idle_count; i++)
		http_client_free(pool->idle[i]);
	free(pool->idle);
	free_text(pool->options.unix_socket);
	free_text(pool->options.ca_file);
	free_text(pool->options.client_cert);
	free_text(pool->options.client_key);
	free_text(pool->options.ca_pem);
	free_text(pool->options.client_cert_pem);
	free_text(pool->options.client_key_pem);
	free_text(pool->options.bearer_token);
	pthread_mutex_destroy(&pool->mutex);
	free(pool);
	return NULL;
}

struct http_client *client_pool_make(const struct client_pool *pool)
{
	return http_client_new(&pool->options);
}

static struct http_client *borrow(struct client_pool *pool)
{
	pthread_mutex_lock(&pool->mutex);
	struct http_client *client = pool->idle_count ? pool->idle[--pool->idle_count] : NULL;
	pthread_mutex_unlock(&pool->mutex);
	return client ? client : client_pool_make(pool);
}

static void give_back(struct client_pool *pool, struct http_client *client)
{
	pthread_mutex_lock(&pool->mutex);
	pool->idle = xreallocarray(pool->idle, pool->idle_count + 1, sizeof(struct http_client *));
	pool->idle[pool->idle_count++] = client;
	pthread_mutex_unlock(&pool->mutex);
}

int client_pool_perform(struct client_pool *pool, const struct http_request *request,
                        struct http_response *ret_response, struct err *e)
{
	struct http_client *client = borrow(pool);
	int outcome = http_perform(client, request, ret_response, e);
	give_back(pool, client);
	return outcome;
}
