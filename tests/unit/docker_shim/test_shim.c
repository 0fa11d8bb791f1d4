/* `docker` inside of the container: what its command lines become. */
#include "base/buf.h"
#include "base/text.h"
#include "docker_shim/shim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAXIMUM 32

/* Words that are separated by spaces; the outcome as words again, or "error <id>". */
static char *translated(const char *line)
{
	auto_free char *copy = xstrdup(line);
	char *words[WORDS_MAXIMUM];
	size_t count = 0;
	char *rest = copy;
	for (char *word = strsep(&rest, " "); word && *word && count < WORDS_MAXIMUM; word = strsep(&rest, " "))
		words[count++] = word;
	auto_shim_command struct shim_command command = SHIM_COMMAND_INIT;
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf out = BUF_INIT(65536);
	if (shim_translate(words, count, &command, &e) < 0)
		return xasprintf("error %s", err_id(&e));
	if (command.message)
		return xstrdup(command.message);
	(void)buf_add_str(&out, command.builds ? "builds:" : "");
	for (size_t i = 0; i < command.count; i++)
		(void)buf_add_format(&out, "%s%s", i ? " " : "", command.words[i]);
	return buf_steal(&out);
}

static void expect(const char *line, const char *wanted)
{
	auto_free char *got = translated(line);
	assert_string_equal(got, wanted);
}

#define BUILD "builds:buildctl build --frontend dockerfile.v0 "
#define LOCAL                                                                                                          \
	"--progress=plain --opt image-resolve-mode=local --local context=. --opt filename=Dockerfile --local "         \
	"dockerfile=. "

static void test_builds(void **state)
{
	(void)state;
	expect("build -t app:v1 .", BUILD LOCAL "--output type=image,\"name=docker.io/library/app:v1\",unpack=true");
	expect("buildx build --load --tag=a --tag ghcr.io/b/c:2 .",
	       BUILD LOCAL "--output type=image,\"name=docker.io/library/a:latest,ghcr.io/b/c:2\",unpack=true");
	expect("build /src -f /src/sub/dev.Dockerfile --build-arg A=b --build-arg UNSET_HERE --target t --no-cache "
	       "--pull",
	       BUILD
	       "--opt build-arg:A=b --opt target=t --no-cache --progress=plain --opt image-resolve-mode=pull --local "
	       "context=/src --opt filename=dev.Dockerfile --local dockerfile=/src/sub");
	setenv("SHIM_SET", "from the environment", 1);
	expect("image build --label k=v --platform linux/amd64 --build-arg SHIM_SET --progress tty .",
	       BUILD "--opt label:k=v --opt platform=linux/amd64 --opt build-arg:SHIM_SET=from the environment "
	             "--progress=tty --opt "
	             "image-resolve-mode=local --local context=. --opt filename=Dockerfile --local dockerfile=.");
}

static void test_images(void **state)
{
	(void)state;
	expect("tag a b:2", "ctr -n k8s.io images tag --force docker.io/library/a:latest docker.io/library/b:2");
	expect("rmi a", "ctr -n k8s.io images remove docker.io/library/a:latest");
	expect("pull ghcr.io/x/y:1", "ctr -n k8s.io images pull ghcr.io/x/y:1");
	expect("images", "ctr -n k8s.io images list");
	expect("image ls", "ctr -n k8s.io images list");
	expect("image rm a", "ctr -n k8s.io images remove docker.io/library/a:latest");
	auto_free char *push = translated("push a");
	assert_true(text_starts_with(push, "nothing to push"));
	auto_free char *version = translated("--version");
	assert_true(text_starts_with(version, "docker of the sandbox"));
}

static void test_what_is_refused(void **state)
{
	(void)state;
	expect("build", "error missing-argument");
	expect("build -t a -", "error missing-argument");
	expect("build https://example.org/x.git", "error missing-argument");
	expect("build a b", "error extra-argument");
	expect("build . -t", "error missing-value");
	expect("build . -t Upper", "error bad-image-name");
	expect("build . --push", "error docker-shim");
	expect("build . --squash", "error unknown-option");
	expect("tag a", "error missing-argument");
	expect("rmi ..", "error bad-image-name");
	expect("run -it busybox", "error docker-shim");
	/* These are about containers. */
	expect("rm a", "error docker-shim");
	expect("ls", "error docker-shim");
	expect("", "error docker-shim");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builds),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_what_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
