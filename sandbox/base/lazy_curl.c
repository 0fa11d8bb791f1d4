/* libcurl, loaded when needed. */
#include "base/http_internal.h"
#include "base/lazy.h"

#include <curl/curl.h>
#include <stdarg.h>

/* They are macros in front of functions of the same names. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

static struct lazy_library curl = LAZY_LIBRARY("libcurl.so.4", "libcurl4", "libcurl.4.dylib", "curl");

LAZY(&curl, CURLcode, curl_global_init, (long flags), (flags))
LAZY(&curl, CURL *, curl_easy_init, (void), ())
LAZY(&curl, void, curl_easy_cleanup, (CURL *easy), (easy))
LAZY(&curl, void, curl_easy_reset, (CURL *easy), (easy))
LAZY(&curl, CURLcode, curl_easy_perform, (CURL *easy), (easy))
LAZY(&curl, CURLcode, curl_easy_recv, (CURL *easy, void *room, size_t size, size_t *count), (easy, room, size, count))
LAZY(&curl, CURLcode, curl_easy_send, (CURL *easy, const void *bytes, size_t size, size_t *count), (easy, bytes, size, count))
LAZY(&curl, const char *, curl_easy_strerror, (CURLcode code), (code))
LAZY(&curl, CURLM *, curl_multi_init, (void), ())
LAZY(&curl, CURLMcode, curl_multi_cleanup, (CURLM *multi), (multi))
LAZY(&curl, CURLMcode, curl_multi_add_handle, (CURLM *multi, CURL *easy), (multi, easy))
LAZY(&curl, CURLMcode, curl_multi_remove_handle, (CURLM *multi, CURL *easy), (multi, easy))
LAZY(&curl, CURLMcode, curl_multi_perform, (CURLM *multi, int *running), (multi, running))
LAZY(&curl, CURLMcode, curl_multi_poll,
     (CURLM *multi, struct curl_waitfd fds[], unsigned count, int timeout_ms, int *ret_count),
     (multi, fds, count, timeout_ms, ret_count))
LAZY(&curl, CURLMcode, curl_multi_wakeup, (CURLM *multi), (multi))
LAZY(&curl, CURLMsg *, curl_multi_info_read, (CURLM *multi, int *left), (multi, left))
LAZY(&curl, const char *, curl_multi_strerror, (CURLMcode code), (code))
LAZY(&curl, struct curl_slist *, curl_slist_append, (struct curl_slist *list, const char *text), (list, text))
LAZY(&curl, void, curl_slist_free_all, (struct curl_slist *list), (list))

/* The number of an option says what kind its one argument is of (curl.h, CURLOPTTYPE_…). */
CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
	va_list arguments;
	CURLcode code;
	va_start(arguments, option);
	if ((int)option < CURLOPTTYPE_OBJECTPOINT)
		code = LAZY_REAL(&curl, curl_easy_setopt)(easy, option, va_arg(arguments, long));
	else if ((int)option >= CURLOPTTYPE_OFF_T && (int)option < CURLOPTTYPE_BLOB)
		code = LAZY_REAL(&curl, curl_easy_setopt)(easy, option, va_arg(arguments, curl_off_t));
	else
		code = LAZY_REAL(&curl, curl_easy_setopt)(easy, option, va_arg(arguments, void *));
	va_end(arguments);
	return code;
}

CURLcode curl_easy_getinfo(CURL *easy, CURLINFO info, ...)
{
	va_list arguments;
	va_start(arguments, info);
	CURLcode code = LAZY_REAL(&curl, curl_easy_getinfo)(easy, info, va_arg(arguments, void *));
	va_end(arguments);
	return code;
}

/* A handle's functions are those of the libraries below it, too. */
void *http_curl_tls_function(const char *name)
{
	return lazy_find_optional(&curl, name);
}
