/*
 * Why a process ended, as far as its output tells: collected while it is written, because nobody knows which line is
 * the last one. A line that says that it is the end (Go's panic, klog's F, PostgreSQL's FATAL) begins a reason that
 * goes on over the lines after it, up to the size of the buffer: what follows is the explanation first, and then
 * stacks. Where none does, the newest line is the reason.
 */
#ifndef SANDBOX_INIT_LAST_WORDS_H
#define SANDBOX_INIT_LAST_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAST_WORDS_SIZE 1536
/* Whoever lives on for this long did not die of it (PostgreSQL says FATAL when a client's log-in fails). */
#define LAST_WORDS_DYING_MS INT64_C(10000)

struct last_words {
	char line[LAST_WORDS_SIZE]; /* the one being written, cut to fit */
	size_t line_length;
	char newest[LAST_WORDS_SIZE]; /* the newest complete one */
	bool dying;                   /* one said that it is the end, */
	int64_t dying_ms;             /* then, */
	char text[LAST_WORDS_SIZE];   /* and this is it, with what followed */
};

/* Forgets everything: another process begins. */
void last_words_clear(struct last_words *words);
void last_words_feed(struct last_words *words, const char *bytes, size_t length, int64_t now_ms);
/* The reason of an end at `now_ms`; "" when nothing was written. Borrowed. */
const char *last_words_text(const struct last_words *words, int64_t now_ms);

#endif
