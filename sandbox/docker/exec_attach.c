/*
 * exec with input. One poll loop moves bytes: stdin → connection, connection → demultiplexer → sink, and terminal sizes
 * to the engine. The loop ends with the connection; the command's exit code is asked for afterwards.
 */
#include "docker/exec.h"

#include "base/http_upgrade.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define CHUNK ((size_t)32 * 1024)

struct attachment {
	struct docker_client *client;
	const char *id;
	struct http_upgrade *stream;
	struct demux demux;
	const struct docker_exec_input *input;
	const struct docker_sink *sink;
	char pending[CHUNK]; /* input on its way */
	size_t pending_length;
	size_t pending_sent;
	bool input_ended;
	bool output_ended;
	bool more_output; /* a turn ended before the connection had nothing more */
};

/* Reads of one turn: a command that prints without end must not keep its input and an interrupt waiting. */
#define OUTPUT_TURN 16

static void resize(struct attachment *attachment)
{
	unsigned rows, columns;
	const struct docker_exec_input *input = attachment->input;
	/* Best effort: the command may have ended, and a wrong size is no reason to stop. */
	if (input->size && input->size(input->context, &rows, &columns))
		(void)docker_do(attachment->client, "POST", NULL, "/exec/%s/resize?h=%u&w=%u", attachment->id, rows,
		                columns);
}

static int take_output(struct attachment *attachment, struct err *e)
{
	attachment->more_output = false;
	for (unsigned turn = 0; turn < OUTPUT_TURN; turn++) {
		char chunk[CHUNK];
		ssize_t got = http_upgrade_read(attachment->stream, chunk, sizeof(chunk), e);
		if (got == HTTP_UPGRADE_AGAIN)
			return 0;
		if (got < 0)
			return -1;
		if (got == 0) {
			attachment->output_ended = true;
			return demux_end(&attachment->demux, e);
		}
		if (demux_feed(&attachment->demux, chunk, (size_t)got, attachment->sink, e) < 0)
			return -1;
	}
	/* TLS may hold decrypted bytes that poll knows nothing of. */
	attachment->more_output = true;
	return 0;
}

static int read_input(struct attachment *attachment, struct err *e)
{
	ssize_t got = read(attachment->input->fd, attachment->pending, sizeof(attachment->pending));
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (got < 0 && errno != EIO)
		return err_set_errno(e, errno, NULL, "cannot read the input");
	if (got <= 0) {
		attachment->input_ended = true;
		(void)http_upgrade_close_write(attachment->stream);
		return 0;
	}
	attachment->pending_length = (size_t)got;
	attachment->pending_sent = 0;
	return 0;
}

/* A command that does not want its input closes it: the rest is dropped, its output still counts. */
static void send_input(struct attachment *attachment)
{
	ssize_t sent = http_upgrade_write(attachment->stream, attachment->pending + attachment->pending_sent,
	                                  attachment->pending_length - attachment->pending_sent, NULL);
	if (sent == -1) {
		attachment->input_ended = true;
		attachment->pending_sent = attachment->pending_length;
	} else if (sent > 0) {
		attachment->pending_sent += (size_t)sent;
	}
}

static void drain(int fd)
{
	char bytes[64];
	(void)!read(fd, bytes, sizeof(bytes));
}

static int step(struct attachment *attachment, int cancel_fd, struct err *e)
{
	const struct docker_exec_input *input = attachment->input;
	bool has_pending = attachment->pending_sent < attachment->pending_length;
	bool wants_input = !attachment->input_ended && !has_pending;
	struct pollfd fds[] = {
		{ .fd = http_upgrade_fd(attachment->stream), .events = (short)(POLLIN | (has_pending ? POLLOUT : 0)) },
		{ .fd = wants_input ? input->fd : -1, .events = POLLIN },
		{ .fd = input->resize_fd, .events = POLLIN },
		{ .fd = cancel_fd, .events = POLLIN },
	};
	if (poll(fds, 4, attachment->more_output ? 0 : -1) < 0)
		return errno == EINTR ? 0 : err_set_errno(e, errno, NULL, "cannot wait for the command");
	if (fds[3].revents)
		return err_set(e, ERR_CANCELLED, "cancelled", "interrupted");
	if (fds[2].revents) {
		drain(input->resize_fd);
		resize(attachment);
	}
	if (fds[1].revents && read_input(attachment, e) < 0)
		return -1;
	if (fds[0].revents & POLLOUT)
		send_input(attachment);
	if (attachment->more_output || fds[0].revents & (POLLIN | POLLHUP | POLLERR))
		return take_output(attachment, e);
	return 0;
}

static int run_stream(struct attachment *attachment, int cancel_fd, struct err *e)
{
	if (attachment->demux.raw)
		resize(attachment);
	if (take_output(attachment, e) < 0)
		return -1;
	while (!attachment->output_ended) {
		if (step(attachment, cancel_fd, e) < 0)
			return -1;
	}
	return 0;
}

int docker_exec_attach(struct docker_client *client, const char *container, const struct docker_exec *exec,
                       const struct docker_exec_input *input, const struct docker_sink *sink, int *ret_exit_code,
                       struct err *e)
{
	auto_free char *id = docker_exec_create(client, container, exec, true, e);
	if (!id)
		return -1;
	struct http_client_options options;
	docker_client_http_options(client, &options);
	auto_json json_t *body = json_pack("{s:b, s:b}", "Detach", 0, "Tty", exec->terminal);
	auto_free char *text = json_to_text(body);
	auto_free char *path = xasprintf("/exec/%s/start", id);
	auto_free char *versioned = docker_client_versioned(client, path);
	auto_free char *url = xasprintf("%s%s", docker_client_endpoint(client)->base_url, versioned);
	const struct http_upgrade_request request = { .method = "POST", .url = url, .protocol = "tcp", .body = text };
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	struct http_upgrade *stream = NULL;
	if (http_upgrade_open(&options, &request, &stream, &response, e) < 0)
		return -1;
	if (!stream)
		return docker_error_from_answer(response.status, buf_text(&response.body), response.body.length, e);
	struct attachment *attachment = xcalloc(1, sizeof(*attachment));
	*attachment = (struct attachment){ .client = client,
		                           .id = id,
		                           .stream = stream,
		                           .input = input,
		                           .sink = sink,
		                           .demux = { .raw = exec->terminal } };
	int outcome = run_stream(attachment, options.cancel_fd, e);
	free(attachment);
	http_upgrade_free(stream);
	return outcome < 0 ? -1 : docker_exec_exit_code(client, id, ret_exit_code, e);
}
