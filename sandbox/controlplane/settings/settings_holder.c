/*
 * The current settings behind a lock that is held for a pointer's copy, and the thread that follows the file. The
 * directory is watched, not the file, because editors and Kubernetes' ConfigMaps replace files (a ConfigMap by a
 * symbolic link beside it); whatever happens in the directory, the file is read and compared by its values.
 */
#include "controlplane/settings/settings.h"

#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Between what happened and the reading: those who write a file in steps are done by then. */
#define SETTLE_MS 50
#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM)

struct settings_holder {
	pthread_mutex_t lock;
	const struct settings *current;
	char *problem;
	pthread_t thread;
	bool following;
	int inotify, stop; /* file descriptors */
	void (*on_change)(void *context, const struct err *problem);
	void *context;
};

struct settings_holder *settings_holder_new(const struct settings *settings, const char *problem)
{
	struct settings_holder *holder = xcalloc(1, sizeof(*holder));
	pthread_mutex_init(&holder->lock, NULL);
	holder->current = settings;
	holder->problem = xstrdup(problem);
	holder->inotify = holder->stop = -1;
	return holder;
}

struct settings_holder *settings_holder_free(struct settings_holder *holder)
{
	if (!holder)
		return NULL;
	settings_unfollow(holder);
	settings_release(holder->current);
	free(holder->problem);
	pthread_mutex_destroy(&holder->lock);
	free(holder);
	return NULL;
}

const struct settings *settings_current(struct settings_holder *holder)
{
	if (!holder)
		return settings_retain(settings_default());
	pthread_mutex_lock(&holder->lock);
	const struct settings *settings = settings_retain(holder->current);
	pthread_mutex_unlock(&holder->lock);
	return settings;
}

char *settings_problem(struct settings_holder *holder)
{
	pthread_mutex_lock(&holder->lock);
	char *problem = xstrdup(holder->problem);
	pthread_mutex_unlock(&holder->lock);
	return problem;
}

static void set_problem(struct settings_holder *holder, const char *text)
{
	pthread_mutex_lock(&holder->lock);
	free(holder->problem);
	holder->problem = xstrdup(text);
	pthread_mutex_unlock(&holder->lock);
}

int settings_reload(struct settings_holder *holder, struct err *e)
{
	auto_settings const struct settings *old = settings_current(holder), *fresh = NULL;
	if (settings_read(old->file, &fresh, e) < 0) {
		set_problem(holder, err_message(e));
		return -1;
	}
	set_problem(holder, "");
	pthread_mutex_lock(&holder->lock);
	bool same = settings_equal(holder->current, fresh);
	if (!same) {
		const struct settings *replaced = holder->current;
		holder->current = fresh;
		fresh = replaced;
	}
	pthread_mutex_unlock(&holder->lock);
	return !same;
}

/* ---- Following the file ---- */

/* False when it is time to stop. */
static bool wait_for(int stop, int inotify, int timeout_ms, bool *ret_happened)
{
	char events[4096];
	struct pollfd fds[] = { { .fd = stop, .events = POLLIN }, { .fd = inotify, .events = POLLIN } };
	*ret_happened = false;
	if (poll(fds, 2, timeout_ms) < 0)
		return errno == EINTR;
	if (fds[0].revents)
		return false;
	while (read(inotify, events, sizeof(events)) > 0)
		*ret_happened = true;
	return true;
}

/* Tells of what is new only: a problem that was there before has been told. */
static void look(struct settings_holder *holder)
{
	auto_err struct err e = ERR_INIT;
	auto_free char *before = settings_problem(holder);
	int outcome = settings_reload(holder, &e);
	if (outcome > 0 || (outcome < 0 && !text_equal(before, err_message(&e))))
		holder->on_change(holder->context, outcome < 0 ? &e : NULL);
}

static void *follow(void *context)
{
	struct settings_holder *holder = context;
	look(holder); /* at what changed before it was watched */
	for (bool happened; wait_for(holder->stop, holder->inotify, -1, &happened);) {
		while (happened && wait_for(holder->stop, holder->inotify, SETTLE_MS, &happened))
			;
		look(holder);
	}
	return NULL;
}

int settings_follow(struct settings_holder *holder, void (*on_change)(void *context, const struct err *problem),
                    void *context, struct err *e)
{
	auto_settings const struct settings *settings = settings_current(holder);
	const char *slash = strrchr(settings->file, '/');
	if (text_is_empty(settings->file))
		return 0;
	auto_free char *directory = !slash ? xstrdup(".")
	                            : slash == settings->file
	                                    ? xstrdup("/")
	                                    : xstrndup(settings->file, (size_t)(slash - settings->file));
	/* What cannot be made cannot be watched either, which is told below. */
	auto_err struct err ignored = ERR_INIT;
	(void)file_make_directories(directory, 0755, &ignored);
	auto_fd int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	auto_fd int stop = eventfd(0, EFD_CLOEXEC);
	if (inotify < 0 || stop < 0 || inotify_add_watch(inotify, directory, EVENTS) < 0)
		return err_set_errno(e, errno, "no-watch", "cannot watch '%s'", directory);
	holder->on_change = on_change;
	holder->context = context;
	holder->inotify = steal_fd(&inotify);
	holder->stop = steal_fd(&stop);
	int error = pthread_create(&holder->thread, NULL, follow, holder);
	if (error)
		return err_set_errno(e, error, "no-thread", "cannot start a thread");
	holder->following = true;
	return 0;
}

void settings_unfollow(struct settings_holder *holder)
{
	if (holder->following) {
		const uint64_t one = 1;
		if (write(holder->stop, &one, sizeof(one)) < 0)
			abort(); /* an eventfd takes it */
		pthread_join(holder->thread, NULL);
		holder->following = false;
	}
	cleanup_fd(&holder->inotify);
	cleanup_fd(&holder->stop);
	holder->inotify = holder->stop = -1;
}
