/* Where the unpacked file systems of shipped images come from, and what of them is kept on the volume: without mounts
 * and containerd, which need root and are tested with a real sandbox. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/text.h"
#include "init/filesystem.h"
#include "init/images.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SNAPSHOTS "store/io.containerd.snapshotter.v1.overlayfs/snapshots"
#define BLOBS "store/io.containerd.content.v1.content/blobs/sha256"

struct world {
	char *top;
	struct image_places places;
};

static char *in_world(const struct world *world, const char *name)
{
	return file_join(world->top, name);
}

static void make_file(const struct world *world, const char *name, const char *content)
{
	auto_free char *path = in_world(world, name);
	auto_free char *directory = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	assert_int_equal(file_make_directories(directory, 0755, NULL), 0);
	assert_int_equal(file_write_atomic(path, content, strlen(content), 0644, NULL), 0);
}

static void make_directory(const struct world *world, const char *name)
{
	auto_free char *path = in_world(world, name);
	assert_int_equal(file_make_directories(path, 0755, NULL), 0);
}

static void make_link(const struct world *world, const char *target, const char *name)
{
	auto_free char *path = in_world(world, name);
	auto_free char *to = in_world(world, target);
	assert_int_equal(symlink(to, path), 0);
}

static bool has(const struct world *world, const char *name)
{
	auto_free char *path = in_world(world, name);
	return file_exists(path);
}

static bool is_link(const struct world *world, const char *name)
{
	auto_free char *path = in_world(world, name);
	struct stat info;
	return lstat(path, &info) == 0 && S_ISLNK(info.st_mode);
}

static void assert_content(const struct world *world, const char *name, const char *content)
{
	auto_free char *path = in_world(world, name);
	auto_buf struct buf text = BUF_INIT(4096);
	assert_int_equal(file_read(path, &text, NULL), 0);
	assert_string_equal(buf_text(&text), content);
}

/* A store as it is baked: the snapshot 1 is its own, 2 borrows `new` from the image, as does a blob. */
static int set_up(void **state)
{
	char template[] = "/tmp/sandbox-images-XXXXXX";
	struct world *world = xcalloc(1, sizeof(*world));
	world->top = xstrdup(mkdtemp(template));
	world->places = (struct image_places){ .shipped = in_world(world, "shipped"),
		                               .kept = in_world(world, "kept"),
		                               .mounted = in_world(world, "mounted"),
		                               .store = in_world(world, "store") };
	make_file(world, "shipped/new.squashfs", "new's files");
	make_file(world, "shipped/task/blobs/sha256/aa", "layer");
	make_file(world, BLOBS "/bb", "manifest");
	make_directory(world, SNAPSHOTS "/1/fs");
	make_directory(world, SNAPSHOTS "/2");
	make_directory(world, "mounted");
	make_link(world, "mounted/new", SNAPSHOTS "/2/fs");
	make_link(world, "shipped/task/blobs/sha256/aa", BLOBS "/aa");
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	filesystem_remove_tree(world->top, NULL);
	free(world->top);
	free((char *)(uintptr_t)world->places.shipped);
	free((char *)(uintptr_t)world->places.kept);
	free((char *)(uintptr_t)world->places.mounted);
	free((char *)(uintptr_t)world->places.store);
	free(world);
	return 0;
}

static void keeps_what_is_borrowed(void **state)
{
	struct world *world = *state;
	auto_err struct err e = ERR_INIT;
	assert_true(is_link(world, BLOBS "/aa"));
	for (int round = 0; round < 2; round++) {
		assert_int_equal(image_roots_keep(&world->places, &e), 0);
		assert_false(is_link(world, BLOBS "/aa"));
		assert_content(world, BLOBS "/aa", "layer");
		assert_content(world, BLOBS "/bb", "manifest");
		assert_content(world, "kept/new.squashfs", "new's files");
		assert_false(has(world, "kept/partial"));
	}
}

static void drops_what_nothing_needs(void **state)
{
	struct world *world = *state;
	make_file(world, "kept/old.squashfs", "old's files");
	make_file(world, "kept/other/usr/file", "unpacked");
	make_file(world, "kept/used.squashfs", "an older image's, which a built image stands on");
	make_file(world, "kept/partial", "cut off");
	make_directory(world, SNAPSHOTS "/7");
	make_link(world, "mounted/used", SNAPSHOTS "/7/fs");
	assert_int_equal(image_roots_keep(&world->places, NULL), 0);
	assert_false(has(world, "kept/old.squashfs"));
	assert_false(has(world, "kept/other"));
	assert_false(has(world, "kept/partial"));
	assert_true(has(world, "kept/used.squashfs"));
	assert_true(has(world, "kept/new.squashfs"));
}

static void does_not_copy_what_was_unpacked(void **state)
{
	struct world *world = *state;
	make_file(world, "kept/new/usr/file", "unpacked");
	bool lost = true;
	images_mount(&world->places, &lost);
	assert_false(lost);
	/* The directory stands in for the mount. */
	assert_content(world, "mounted/new/usr/file", "unpacked");
	assert_content(world, SNAPSHOTS "/2/fs/usr/file", "unpacked");
	assert_int_equal(image_roots_unpack(&world->places, NULL), 0);
	assert_int_equal(image_roots_keep(&world->places, NULL), 0);
	assert_false(has(world, "kept/new.squashfs"));
	assert_true(has(world, "kept/new/usr/file"));
}

static void notices_what_is_lost(void **state)
{
	struct world *world = *state;
	bool lost = true;
	images_mount(&world->places, &lost);
	assert_false(lost); /* `new` can't be mounted here, but it can be unpacked */
	make_directory(world, SNAPSHOTS "/7");
	make_link(world, "mounted/gone", SNAPSHOTS "/7/fs");
	images_mount(&world->places, &lost);
	assert_true(lost);
	auto_err struct err e = ERR_INIT;
	auto_free char *shipped = in_world(world, "shipped/new.squashfs");
	assert_int_equal(unlink(shipped), 0);
	assert_int_equal(image_roots_unpack(&world->places, &e), -1);
	assert_string_equal(err_message(&e), "the file system 'new' of an image is gone");
}

static void a_new_volume_needs_nothing(void **state)
{
	struct world *world = *state;
	bool lost = true;
	assert_int_equal(filesystem_remove_tree(world->places.store, NULL), 0);
	images_mount(&world->places, &lost);
	assert_false(lost);
	assert_int_equal(image_roots_unpack(&world->places, NULL), 0);
}

/* With a mark for each image nothing is run, so no containerd is needed. */
static void imports_nothing_that_is_marked(void **state)
{
	struct world *world = *state;
	make_file(world, "mounted/new/usr/file", "mounted");
	make_file(world, "shipped/task.id", "new cr.flyte.org/x:1\n");
	make_file(world, "shipped/pause.id", "p1 sandbox.local/pause:1\n");
	make_file(world, "store/imported.task", "new");
	make_file(world, "store/imported.pause", "p1");
	assert_int_equal(images_import(&world->places, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keeps_what_is_borrowed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(drops_what_nothing_needs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(does_not_copy_what_was_unpacked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(notices_what_is_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_new_volume_needs_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(imports_nothing_that_is_marked, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
