#include "base/lazy.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* What the dynamic linker's own failure gives. */
#define EXIT_CODE_NO_LIBRARY 127

static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

static void *handle_of(struct lazy_library *library)
{
	pthread_mutex_lock(&loading);
	for (const char *const *file = library->files; !library->handle && *file; file++)
		library->handle = dlopen(*file, RTLD_LAZY | RTLD_LOCAL);
	void *handle = library->handle;
	pthread_mutex_unlock(&loading);
	return handle;
}

static _Noreturn void give_up(const struct lazy_library *library)
{
	const char *reason = dlerror();
	fprintf(stderr, "error[library-missing]: %s cannot be loaded: %s\nhint: %s\n", library->files[0],
	        reason ? reason : "it is not there", library->install);
	_exit(EXIT_CODE_NO_LIBRARY);
}

void *lazy_find_optional(struct lazy_library *library, const char *name)
{
	void *handle = handle_of(library);
	if (!handle)
		give_up(library);
	return dlsym(handle, name);
}

void *lazy_find(struct lazy_library *library, const char *name)
{
	void *address = lazy_find_optional(library, name);
	if (!address)
		give_up(library);
	return address;
}
