#include "cli/lifecycle/source_tree.h"

#include "base/file.h"
#include "base/platform.h"

#include <pthread.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char *found;

static void find(void)
{
	auto_free char *folder = platform_executable();
	for (char *slash; folder && (slash = strrchr(folder, '/')) && slash != folder;) {
		*slash = '\0';
		auto_free char *script = file_join(folder, "scripts/build-image");
		if (file_exists(script)) {
			found = steal_ptr(folder);
			return;
		}
	}
}

const char *source_tree(void)
{
	pthread_once(&once, find);
	return found;
}
