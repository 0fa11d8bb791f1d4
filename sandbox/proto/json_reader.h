/*
 * A pull reader over JSON text (RFC 8259): the caller asks for what it expects next, and gets it or an error that names
 * the place. It builds nothing but the strings asked for, so that skipping costs no memory; depth is limited.
 */
#ifndef SANDBOX_PROTO_JSON_READER_H
#define SANDBOX_PROTO_JSON_READER_H

#include "proto/message.h"

#define JSON_READER_PATH_MAXIMUM 256
#define JSON_READER_NUMBER_MAXIMUM 64

struct json_reader {
	const char *cursor, *end;
	struct arena *arena;
	int depth;
	char path[JSON_READER_PATH_MAXIMUM]; /* of the value being read, for messages */
	size_t path_length;
	struct err *e;
};

void json_reader_init(struct json_reader *r, const char *text, size_t length, struct arena *arena, struct err *e);
/* Sets the error with the place in front; returns -1. */
int json_reader_fail(struct json_reader *r, const char *format, ...) PRINTF_LIKE(2, 3);

/* The first character of the next value, '\0' at the end: '{', '[', '"', 't', 'f', 'n', '-' or a digit. */
char json_reader_peek(struct json_reader *r);

/*
 * Objects and arrays: begin, then next until it returns 0 (the end is consumed); 1 means that a value is to be read
 * now. In objects `next` has read the key, which is valid until the next string is read with the same arena policy: it
 * lives in the arena.
 */
int json_reader_begin_object(struct json_reader *r);
int json_reader_next_key(struct json_reader *r, bool first, char **ret_key);
int json_reader_begin_array(struct json_reader *r);
int json_reader_next_element(struct json_reader *r, bool first);

/* A string's decoded text, in the arena. Without \0 inside. */
int json_reader_string(struct json_reader *r, char **ret_text);
/* A number's text as it stands. */
int json_reader_number(struct json_reader *r, char ret_text[JSON_READER_NUMBER_MAXIMUM]);
/* "true", "false" or "null". */
int json_reader_literal(struct json_reader *r, const char *word);
int json_reader_skip(struct json_reader *r);
/* Nothing but white space may be left. */
int json_reader_end(struct json_reader *r);

/* Adds a step to the path; returns what to give back to json_reader_leave. */
size_t json_reader_enter(struct json_reader *r, const char *step);
size_t json_reader_enter_index(struct json_reader *r, size_t index);
void json_reader_leave(struct json_reader *r, size_t mark);

#endif
