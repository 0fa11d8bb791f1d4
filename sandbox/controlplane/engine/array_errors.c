/*
 * Messages of failed elements, summed up as upstream does (flyteplugins array/errorcollector at v1.16.8): equal
 * messages once, in the order of their text, each behind the ranges of indices that it is for: "[0-2][5]: no such
 * luck\n".
 */
#include "controlplane/engine/array.h"

#include "base/buf.h"

#define MANY_MORE "... and many more."

static int compare(const void *a, const void *b)
{
	const struct array_error *x = a, *y = b;
	const int order = strcmp(x->message, y->message);
	if (order)
		return order;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* The ranges of the first errors of the list, which all have the same message; returns how many these are. */
static size_t add_ranges(struct buf *out, const struct array_error *errors, size_t count)
{
	size_t same = 1;
	while (same < count && strcmp(errors[same].message, errors[0].message) == 0)
		same++;
	for (size_t first = 0, last; first < same; first = last + 1) {
		last = first;
		while (last + 1 < same && errors[last + 1].index == errors[last].index + 1)
			last++;
		if (first == last)
			buf_add_format(out, "[%" PRIu32 "]", errors[first].index);
		else
			buf_add_format(out, "[%" PRIu32 "-%" PRIu32 "]", errors[first].index, errors[last].index);
	}
	return same;
}

/* Where a text may be cut at or before `at`, so that no character is cut in two. */
static size_t boundary(const char *text, size_t at)
{
	while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
		at--;
	return at;
}

const char *array_errors_summary(struct arena *arena, struct array_error *errors, size_t count, size_t maximum)
{
	/* Adding beyond the maximum changes nothing, so what does not fit any more is cut at the end. */
	auto_buf struct buf out = BUF_INIT(maximum * 2 + 1024);
	if (count > 1)
		qsort(errors, count, sizeof(*errors), compare);
	for (size_t at = 0; at < count;) {
		const char *message = errors[at].message;
		at += add_ranges(&out, &errors[at], count - at);
		buf_add_str(&out, ": ");
		if (strlen(message) > maximum)
			buf_add(&out, message, boundary(message, maximum));
		else
			buf_add_str(&out, message);
		buf_add_byte(&out, '\n');
		if (out.length + strlen(MANY_MORE) >= maximum && at < count) {
			buf_truncate(&out, boundary(buf_text(&out), maximum - strlen(MANY_MORE)));
			buf_add_str(&out, MANY_MORE);
			break;
		}
	}
	if (out.length > maximum)
		buf_truncate(&out, boundary(buf_text(&out), maximum));
	return arena_strdup(arena, buf_text(&out));
}
