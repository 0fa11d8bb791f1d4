#include "base/err.h"

#include "base/platform.h"

#include <errno.h>
#include <string.h>

static const char *const kind_names[ERR_KIND_COUNT] = {
	[ERR_NONE] = "none",
	[ERR_INTERNAL] = "internal",
	[ERR_USAGE] = "usage",
	[ERR_INVALID] = "invalid",
	[ERR_NOT_FOUND] = "not-found",
	[ERR_EXISTS] = "exists",
	[ERR_CONFLICT] = "conflict",
	[ERR_PRECONDITION] = "precondition",
	[ERR_PERMISSION] = "permission",
	[ERR_UNAUTHENTICATED] = "unauthenticated",
	[ERR_EXHAUSTED] = "exhausted",
	[ERR_TIMEOUT] = "timeout",
	[ERR_UNAVAILABLE] = "unavailable",
	[ERR_UNSUPPORTED] = "unsupported",
	[ERR_CANCELLED] = "cancelled",
};

void err_release(struct err *e)
{
	free(e->message);
	free(e->hint);
	*e = (struct err)ERR_INIT;
}

static void assign(struct err *e, enum err_kind kind, const char *id, char *message)
{
	err_release(e);
	e->kind = kind;
	e->id = id;
	e->message = message;
}

int err_set(struct err *e, enum err_kind kind, const char *id, const char *format, ...)
{
	if (!e)
		return -1;
	va_list arguments;
	va_start(arguments, format);
	char *message = xvasprintf(format, arguments);
	va_end(arguments);
	assign(e, kind, id, message);
	return -1;
}

static enum err_kind kind_of_errno(int errno_value)
{
	switch (errno_value) {
	case ENOENT:
		return ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
		return ERR_PERMISSION;
	case EEXIST:
		return ERR_EXISTS;
	case ENOSPC:
	case EDQUOT:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return ERR_EXHAUSTED;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case ECONNREFUSED:
	case ECONNRESET:
		return ERR_UNAVAILABLE;
	default:
		return ERR_INTERNAL;
	}
}

int err_set_errno(struct err *e, int errno_value, const char *id, const char *format, ...)
{
	if (!e)
		return -1;
	va_list arguments;
	va_start(arguments, format);
	auto_free char *text = xvasprintf(format, arguments);
	va_end(arguments);
	char reason[128];
	assign(e, kind_of_errno(errno_value), id,
	       xasprintf("%s: %s", text, platform_error_text(errno_value, reason, sizeof(reason))));
	return -1;
}

int err_wrap(struct err *e, const char *format, ...)
{
	if (!e || e->kind == ERR_NONE)
		return -1;
	va_list arguments;
	va_start(arguments, format);
	auto_free char *context = xvasprintf(format, arguments);
	va_end(arguments);
	char *message = xasprintf("%s: %s", context, e->message);
	free(e->message);
	e->message = message;
	return -1;
}

int err_hint(struct err *e, const char *format, ...)
{
	if (!e || e->hint)
		return -1;
	va_list arguments;
	va_start(arguments, format);
	e->hint = xvasprintf(format, arguments);
	va_end(arguments);
	return -1;
}

int err_move(struct err *to, struct err *from)
{
	if (!to) {
		err_release(from);
		return -1;
	}
	err_release(to);
	*to = *from;
	*from = (struct err)ERR_INIT;
	return -1;
}

const char *err_kind_name(enum err_kind kind)
{
	return kind < ERR_KIND_COUNT ? kind_names[kind] : "internal";
}

const char *err_id(const struct err *e)
{
	return e->id ? e->id : err_kind_name(e->kind);
}

const char *err_message(const struct err *e)
{
	return e->message ? e->message : "";
}
