/*
 * JSON values one a line, as they come: progress of pulls and loads, events, our own status stream. Lines are cut
 * anywhere by the transport; a line longer than the maximum is an error.
 */
#ifndef SANDBOX_DOCKER_NDJSON_H
#define SANDBOX_DOCKER_NDJSON_H

#include "base/json.h"

#define NDJSON_LINE_MAXIMUM ((size_t)1024 * 1024)

struct ndjson {
	struct buf line;
	const char *subject; /* names the source in errors */
	/* -1 with `e` set ends the stream. `value` is borrowed. */
	int (*on_value)(void *context, const json_t *value, struct err *e);
	void *context;
};

#define NDJSON_INIT(subject_text, callback, callback_context)                                                          \
	{                                                                                                              \
		.line = BUF_INIT(NDJSON_LINE_MAXIMUM), .subject = (subject_text), .on_value = (callback),              \
		.context = (callback_context)                                                                          \
	}
#define auto_ndjson __attribute__((cleanup(ndjson_release)))
void ndjson_release(struct ndjson *stream);

int ndjson_feed(struct ndjson *stream, const char *bytes, size_t length, struct err *e);
/* A last line without newline counts. */
int ndjson_end(struct ndjson *stream, struct err *e);

#endif
