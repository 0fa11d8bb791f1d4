/*
 * Shared libraries that are loaded when the first of their functions is called, not when the program starts: most
 * commands need none of them, and `sandbox --help` may take 3 ms, of which libcurl and what it needs would be 9
 * (docs/decisions/0019-start-up.md). lazy_LIBRARY.c defines functions of the library's own names, which pass their
 * arguments on, so that callers are the same with and without. A program takes them instead of the library by its CMake
 * property SANDBOX_LAZY.
 *
 * A library that is not there ends the program with a message, as it does when the dynamic linker misses it at the
 * start.
 */
#ifndef SANDBOX_BASE_LAZY_H
#define SANDBOX_BASE_LAZY_H

struct lazy_library {
	const char *const *files; /* tried in turn, ended by NULL */
	const char *install;      /* the command that brings it, for the message */
	void *handle;
};

/* LAZY_LIBRARY("libcurl.so.4", "libcurl4", "libcurl.4.dylib", "curl"): the file and Debian's package; macOS' file and
 * Homebrew's formula. On Linux the dynamic linker finds the file. On macOS it would look for a mere name in the current
 * folder, and not in Homebrew's: there, only these places count. */
#ifdef __APPLE__
#ifdef __aarch64__
#define LAZY_HOMEBREW "/opt/homebrew/opt/"
#else
#define LAZY_HOMEBREW "/usr/local/opt/"
#endif
#define LAZY_LIBRARY(soname, package, dylib, formula)                                                                  \
	{                                                                                                              \
		.files = (const char *const[]){ LAZY_HOMEBREW formula "/lib/" dylib, "/opt/local/lib/" dylib,          \
			                        "/usr/lib/" dylib, NULL },                                             \
		.install = "brew install " formula,                                                                    \
	}
#else
#define LAZY_LIBRARY(soname, package, dylib, formula)                                                                  \
	{                                                                                                              \
		.files = (const char *const[]){ soname, NULL }, .install = "apt-get install " package,                 \
	}
#endif

/* The address of a function. From any thread. */
void *lazy_find(struct lazy_library *library, const char *name);
/* The same, NULL when this version of the library lacks it. */
void *lazy_find_optional(struct lazy_library *library, const char *name);

/* The library's function, found once. */
#define LAZY_REAL(library, name)                                                                                       \
	({                                                                                                             \
		static void *address;                                                                                  \
		void *found = __atomic_load_n(&address, __ATOMIC_ACQUIRE);                                             \
		if (!found) {                                                                                          \
			found = lazy_find(library, #name);                                                             \
			__atomic_store_n(&address, found, __ATOMIC_RELEASE);                                           \
		}                                                                                                      \
		(__typeof__(&name))found;                                                                              \
	})

/* Defines the function `name` with the parameters and arguments given in parentheses; the library's header checks the
 * types. */
#define LAZY(library, type, name, parameters, arguments)                                                               \
	type name parameters                                                                                           \
	{                                                                                                              \
		return LAZY_REAL(library, name) arguments;                                                             \
	}

#endif
