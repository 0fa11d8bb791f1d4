#include "cli/clients/kubeconfig.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/clients/kubeconfig_text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAXIMUM ((size_t)4 * 1024 * 1024)
#define LOCK_TIMEOUT_MS INT64_C(5000)
#define LOCK_PAUSE_MS 50
#define PLATFORM_NAMESPACE "flyte"

const char *const kubeconfig_lists[KUBECONFIG_LIST_COUNT] = { "clusters", "contexts", "users" };

/* An instance's own file, ~/.flyte/sandbox…/kubeconfig, which `sandbox env` names in KUBECONFIG. */
static bool is_an_instances(const char *path)
{
	const char *home = getenv("HOME");
	auto_free char *ours = text_is_empty(home) ? NULL : xasprintf("%s/.flyte/sandbox", home);
	return ours && text_starts_with(path, ours) && text_ends_with(path, "/kubeconfig");
}

char *kubeconfig_path(struct err *e)
{
	const char *list = getenv("KUBECONFIG");
	for (; !text_is_empty(list); list += list[0] == ':') {
		size_t length = strcspn(list, ":");
		auto_free char *path = xstrndup(list, length);
		if (length && !is_an_instances(path))
			return steal_ptr(path);
		list += length;
	}
	return kubeconfig_usual_path(e);
}

char *kubeconfig_usual_path(struct err *e)
{
	const char *home = getenv("HOME");
	if (text_is_empty(home)) {
		err_set(e, ERR_PRECONDITION, "no-home", "HOME is not set, so there is no kubeconfig");
		return NULL;
	}
	return file_join(home, ".kube/config");
}

/* ---- the change on values ---- */

static const json_t *first_of(const json_t *inside, const char *list, const char *member)
{
	return json_lookup(json_array_get(json_object_get(inside, list), 0), member);
}

json_t *kubeconfig_for_instance(const json_t *inside, const char *name, const char *server, struct err *e)
{
	const json_t *cluster = first_of(inside, "clusters", "cluster");
	const json_t *user = first_of(inside, "users", "user");
	if (!json_is_object(cluster) || !json_is_object(user)) {
		err_set(e, ERR_INTERNAL, "kubeconfig-inside", "the sandbox's own kubeconfig has no cluster or no user");
		return NULL;
	}
	auto_json json_t *our_cluster = json_deep_copy(cluster);
	json_object_set_new(our_cluster, "server", json_string(server));
	return json_pack("{s:s, s:s, s:[{s:s, s:O}], s:[{s:s, s:{s:s, s:s, s:s}}], s:[{s:s, s:o}], s:s}", "apiVersion",
	                 "v1", "kind", "Config", "clusters", "name", name, "cluster", our_cluster, "contexts", "name",
	                 name, "context", "cluster", name, "namespace", PLATFORM_NAMESPACE, "user", name, "users",
	                 "name", name, "user", json_deep_copy(user), "current-context", name);
}

/* The list's index of the entry, or its length. */
static size_t find_entry(const json_t *list, const char *name)
{
	size_t i = 0;
	while (i < json_array_size(list) && !text_equal(json_string_at(json_array_get(list, i), "name", NULL), name))
		i++;
	return i;
}

static json_t *list_of(json_t *document, const char *key)
{
	json_t *list = json_object_get(document, key);
	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(document, key, list);
	}
	return list;
}

static void merge_values(json_t *document, const json_t *ours, const char *name, bool make_current)
{
	for (size_t i = 0; i < KUBECONFIG_LIST_COUNT; i++) {
		json_t *list = list_of(document, kubeconfig_lists[i]);
		json_t *entry = json_array_get(json_object_get(ours, kubeconfig_lists[i]), 0);
		size_t at = find_entry(list, name);
		if (at < json_array_size(list))
			json_array_set(list, at, entry);
		else
			json_array_append(list, entry);
	}
	if (make_current || text_is_empty(json_string_at(document, "current-context", "")))
		json_object_set_new(document, "current-context", json_string(name));
}

static void remove_values(json_t *document, const char *name)
{
	for (size_t i = 0; i < KUBECONFIG_LIST_COUNT; i++) {
		json_t *list = json_object_get(document, kubeconfig_lists[i]);
		size_t at = find_entry(list, name);
		if (at < json_array_size(list))
			json_array_remove(list, at);
	}
	if (text_equal(json_string_at(document, "current-context", NULL), name))
		json_object_set_new(document, "current-context", json_string(""));
}

/* ---- the change on text ---- */

/* `edited` if it means `wanted`, else `wanted` printed. */
static int choose_text(char *edited, const json_t *wanted, char **ret_text, struct err *e)
{
	auto_free char *text = edited;
	auto_json json_t *meaning = text ? yaml_parse(text, strlen(text), "edited kubeconfig", NULL) : NULL;
	if (meaning && json_equal(meaning, wanted)) {
		*ret_text = steal_ptr(text);
		return 0;
	}
	auto_buf struct buf printed = BUF_INIT(FILE_MAXIMUM);
	if (yaml_print(wanted, &printed, e) < 0)
		return -1;
	*ret_text = buf_steal(&printed);
	return 0;
}

static json_t *parse(const char *text, size_t length, const char *subject, struct err *e)
{
	json_t *document = yaml_parse(text, length, subject, e);
	if (document && !json_is_object(document) && !json_is_null(document)) {
		json_decref(document);
		err_set(e, ERR_INVALID, "malformed-yaml", "'%s' is not a kubeconfig", subject);
		return NULL;
	}
	return document;
}

int kubeconfig_merge_text(const char *text, size_t length, const char *subject, const json_t *ours, bool make_current,
                          char **ret_text, struct err *e)
{
	const char *name = json_string_at(ours, "current-context", "");
	auto_json json_t *document = parse(text, length, subject, e);
	if (!document)
		return -1;
	if (json_is_null(document) || json_object_size(document) == 0)
		return choose_text(NULL, ours, ret_text, e);
	merge_values(document, ours, name, make_current);
	return choose_text(kubeconfig_text_edit(text, length, document, name), document, ret_text, e);
}

int kubeconfig_remove_text(const char *text, size_t length, const char *subject, const char *name, char **ret_text,
                           struct err *e)
{
	auto_json json_t *document = parse(text, length, subject, e);
	if (!document)
		return -1;
	auto_json json_t *before = json_deep_copy(document);
	remove_values(document, name);
	if (json_equal(before, document)) {
		*ret_text = xstrndup(text, length);
		return 0;
	}
	return choose_text(kubeconfig_text_edit(text, length, document, name), document, ret_text, e);
}

/* ---- the file ---- */

/*
 * client-go's protocol: whoever creates <file>.lock owns the file until it removes it. Ours has a mark and is held with
 * flock(2) as well, so that the lock of a launcher that was killed can be told from one in use, and taken over.
 */
static const char LOCK_MARK[] = "sandbox\n";

struct lock {
	char *name;
	int fd;
};

static bool is_ours(int fd)
{
	char text[sizeof(LOCK_MARK)];
	return pread(fd, text, sizeof(text), 0) == sizeof(LOCK_MARK) - 1 &&
	       memcmp(text, LOCK_MARK, sizeof(LOCK_MARK) - 1) == 0;
}

/* Of a launcher that is no more: true when it is ours now, and still there. */
static bool take_over(const char *name, int *ret_fd)
{
	auto_fd int fd = open(name, O_RDWR | O_CLOEXEC);
	struct stat held, there;
	if (fd < 0 || !is_ours(fd) || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &held) < 0 ||
	    stat(name, &there) < 0 || held.st_dev != there.st_dev || held.st_ino != there.st_ino)
		return false;
	*ret_fd = steal_fd(&fd);
	return true;
}

static int lock(const char *path, struct lock *ret_lock, struct err *e)
{
	auto_free char *name = xasprintf("%s.lock", path);
	int64_t deadline = clock_monotonic_ms() + LOCK_TIMEOUT_MS;
	for (;;) {
		auto_fd int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			return err_set_errno(e, errno, "kubeconfig", "cannot lock '%s'", path);
		/* Without mark or flock(2) it is a lock all the same, which nobody takes over. */
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)!write(fd, LOCK_MARK, sizeof(LOCK_MARK) - 1);
		if (fd >= 0 || take_over(name, &fd)) {
			*ret_lock = (struct lock){ .name = steal_ptr(name), .fd = steal_fd(&fd) };
			return 0;
		}
		if (clock_monotonic_ms() >= deadline)
			break;
		(void)poll(NULL, 0, LOCK_PAUSE_MS);
	}
	err_set(e, ERR_CONFLICT, "kubeconfig-locked", "'%s' has been locked for %lld s", path,
	        (long long)LOCK_TIMEOUT_MS / 1000);
	return err_hint(e, "when no kubectl or other tool is at work, remove '%s'", name);
}

/* The name goes first: who opens it until then sees it held. */
static void unlock(struct lock *lock)
{
	unlink(lock->name);
	cleanup_fd(&lock->fd);
	free(lock->name);
}

static int replace(const char *path, const struct buf *before, const char *text, struct err *e)
{
	if (strlen(text) == before->length && memcmp(text, buf_text(before), before->length) == 0)
		return 0;
	return file_write_atomic(path, text, strlen(text), 0600, e);
}

static int read_if_there(const char *path, struct buf *ret_text, struct err *e)
{
	auto_err struct err problem = ERR_INIT;
	if (file_read(path, ret_text, &problem) == 0 || problem.kind == ERR_NOT_FOUND)
		return 0;
	return err_move(e, &problem);
}

int kubeconfig_merge(const char *path, const json_t *ours, bool make_current, struct err *e)
{
	const char *slash = strrchr(path, '/');
	auto_free char *directory = slash && slash > path ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
	struct lock held;
	if (file_make_directories(directory, 0700, e) < 0 || lock(path, &held, e) < 0)
		return -1;
	auto_buf struct buf before = BUF_INIT(FILE_MAXIMUM);
	auto_free char *text = NULL;
	int outcome = read_if_there(path, &before, e);
	if (outcome == 0)
		outcome = kubeconfig_merge_text(buf_text(&before), before.length, path, ours, make_current, &text, e);
	if (outcome == 0)
		outcome = replace(path, &before, text, e);
	unlock(&held);
	return outcome < 0 ? err_wrap(e, "cannot put the context into the kubeconfig") : 0;
}

int kubeconfig_remove(const char *path, const char *name, struct err *e)
{
	struct lock held;
	if (!file_exists(path))
		return 0;
	if (lock(path, &held, e) < 0)
		return -1;
	auto_buf struct buf before = BUF_INIT(FILE_MAXIMUM);
	auto_free char *text = NULL;
	int outcome = read_if_there(path, &before, e);
	if (outcome == 0)
		outcome = kubeconfig_remove_text(buf_text(&before), before.length, path, name, &text, e);
	if (outcome == 0)
		outcome = replace(path, &before, text, e);
	unlock(&held);
	return outcome < 0 ? err_wrap(e, "cannot take the context out of the kubeconfig") : 0;
}
