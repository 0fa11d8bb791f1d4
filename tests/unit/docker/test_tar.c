/* Tar streams: what is packed comes out of libarchive the same, whatever the size of the reads. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"
#include "docker/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *make_directory(void)
{
	char *path = xstrdup("/tmp/test-tar-XXXXXX");
	assert_non_null(mkdtemp(path));
	return path;
}

static void put(const char *root, const char *name, const char *text, mode_t mode)
{
	auto_free char *path = file_join(root, name);
	auto_free char *directory = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	assert_int_equal(file_make_directories(directory, 0755, NULL), 0);
	assert_int_equal(file_write_atomic(path, text, strlen(text), mode, NULL), 0);
}

static void remove_tree(const char *path)
{
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", path, (char *)NULL);
		_exit(1);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void read_whole(struct tar *tar, size_t chunk, struct buf *out)
{
	char room[70000];
	auto_err struct err e = ERR_INIT;
	for (;;) {
		ssize_t got = tar_read(tar, room, chunk, &e);
		if (got < 0)
			fail_msg("%s", err_message(&e));
		if (got == 0)
			return;
		assert_int_equal(buf_add(out, room, (size_t)got), 0);
	}
}

/* "name mode size\n" and "name -> target\n" of every entry. */
static void list(const struct buf *bytes, struct buf *out)
{
	struct archive *reader = archive_read_new();
	struct archive_entry *entry;
	archive_read_support_format_tar(reader);
	assert_int_equal(archive_read_open_memory(reader, bytes->data, bytes->length), ARCHIVE_OK);
	while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
		assert_int_equal(archive_entry_uid(entry), 0);
		if (archive_entry_symlink(entry))
			buf_add_format(out, "%s -> %s\n", archive_entry_pathname(entry), archive_entry_symlink(entry));
		else
			buf_add_format(out, "%s %o %lld\n", archive_entry_pathname(entry), archive_entry_perm(entry),
			               (long long)archive_entry_size(entry));
	}
	archive_read_free(reader);
}

static void test_tree(void **state)
{
	(void)state;
	auto_free char *root = make_directory();
	put(root, "Dockerfile", "FROM x", 0644);
	put(root, "app/main.py", "print()", 0755);
	put(root, "app/junk.pyc", "junk", 0644);
	put(root, "node_modules/a/b.js", "b", 0644);
	put(root, "node_modules/keep/c.js", "cc", 0644);
	auto_free char *link = file_join(root, "link");
	auto_free char *fifo = file_join(root, "pipe");
	assert_int_equal(symlink("app/main.py", link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	auto_free char *other = make_directory();
	put(other, "greeting", "hello", 0644);
	auto_free char *greeting = file_join(other, "greeting");
	static const char rules[] = "**/*.pyc\nnode_modules\n!node_modules/keep\n";
	static const size_t chunks[] = { 1, 7, 512, 1000, 65536 };
	for (size_t i = 0; i < 5; i++) {
		auto_ignore struct ignore ignore = IGNORE_INIT;
		auto_tar struct tar *tar = tar_new();
		auto_buf struct buf bytes = BUF_INIT(1 << 20);
		auto_buf struct buf listing = BUF_INIT(4096);
		assert_int_equal(ignore_parse(rules, strlen(rules), &ignore, NULL), 0);
		tar_add_directory(tar, "x", 0755);
		assert_int_equal(tar_add_file(tar, "x/hello", 0600, greeting, NULL), 0);
		assert_int_equal(tar_add_tree(tar, "x", root, &ignore, NULL), 0);
		assert_int_equal(tar_content_size(tar), 5 + 6 + 7 + 2);
		read_whole(tar, chunks[i], &bytes);
		assert_int_equal(tar_content_sent(tar), tar_content_size(tar));
		assert_int_equal(bytes.length % 512, 0);
		list(&bytes, &listing);
		assert_string_equal(buf_text(&listing), "x/ 755 0\n"
		                                        "x/hello 600 5\n"
		                                        "x/Dockerfile 644 6\n"
		                                        "x/app/ 755 0\n"
		                                        "x/app/main.py 755 7\n"
		                                        "x/link -> app/main.py\n"
		                                        "x/node_modules/keep/ 755 0\n"
		                                        "x/node_modules/keep/c.js 644 2\n");
	}
	remove_tree(root);
	remove_tree(other);
}

static void test_long_names_and_big_files(void **state)
{
	(void)state;
	char name[301];
	memset(name, 'n', 300);
	name[300] = '\0';
	size_t size = 3000000;
	auto_free char *root = make_directory();
	auto_free char *path = file_join(root, "big");
	auto_free char *content = xcalloc(size, 1);
	for (size_t i = 0; i < size; i++)
		content[i] = (char)(i * 31 + i / 256);
	assert_int_equal(file_write_atomic(path, content, size, 0600, NULL), 0);
	auto_tar struct tar *tar = tar_new();
	auto_buf struct buf bytes = BUF_INIT(8 << 20);
	tar_add_directory(tar, name, 0700);
	assert_int_equal(tar_add_file(tar, "b\xc3\xa4r", 0755, path, NULL), 0);
	read_whole(tar, 65536, &bytes);
	struct archive *reader = archive_read_new();
	struct archive_entry *entry;
	archive_read_support_format_tar(reader);
	assert_int_equal(archive_read_open_memory(reader, bytes.data, bytes.length), ARCHIVE_OK);
	assert_int_equal(archive_read_next_header(reader, &entry), ARCHIVE_OK);
	assert_int_equal(strlen(archive_entry_pathname(entry)), 301); /* directories end with a slash */
	assert_memory_equal(archive_entry_pathname(entry), name, 300);
	assert_int_equal(archive_read_next_header(reader, &entry), ARCHIVE_OK);
	auto_free char *copy = xcalloc(size, 1);
	assert_int_equal(archive_read_data(reader, copy, size), (la_ssize_t)size);
	assert_memory_equal(copy, content, size);
	archive_read_free(reader);
	remove_tree(root);
}

static void test_file_that_shrinks(void **state)
{
	(void)state;
	auto_free char *root = make_directory();
	put(root, "f", "0123456789", 0644);
	auto_free char *path = file_join(root, "f");
	auto_tar struct tar *tar = tar_new();
	assert_int_equal(tar_add_file(tar, "f", 0, path, NULL), 0);
	assert_int_equal(truncate(path, 4), 0);
	char room[4096];
	ssize_t got;
	auto_err struct err e = ERR_INIT;
	while ((got = tar_read(tar, room, sizeof(room), &e)) > 0)
		;
	assert_int_equal(got, -1);
	assert_string_equal(err_id(&e), "file-changed");
	remove_tree(root);
}

static void test_missing(void **state)
{
	(void)state;
	auto_tar struct tar *tar = tar_new();
	auto_err struct err e = ERR_INIT;
	assert_int_equal(tar_add_file(tar, "f", 0, "/nonexistent/f", &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(tar_add_tree(tar, "", "/nonexistent", NULL, &e), -1);
	assert_int_equal(tar_add_file(tar, "f", 0, "/tmp", &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(tar_entry_count(tar), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_tree),
		                            cmocka_unit_test(test_long_names_and_big_files),
		                            cmocka_unit_test(test_file_that_shrinks), cmocka_unit_test(test_missing) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
