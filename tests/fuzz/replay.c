/* Runs every file of a corpus directory through a fuzz target once: what a fuzzer found stays found. */
#include "base/file.h"

#include <dirent.h>
#include <stdint.h>

#define INPUT_MAXIMUM ((size_t)4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	DIR *directory = opendir(argv[1]);
	if (!directory) {
		perror(argv[1]);
		return 1;
	}
	unsigned count = 0;
	for (const struct dirent *entry; (entry = readdir(directory));) {
		if (entry->d_name[0] == '.')
			continue;
		auto_free char *path = file_join(argv[1], entry->d_name);
		auto_buf struct buf input = BUF_INIT(INPUT_MAXIMUM);
		auto_err struct err e = ERR_INIT;
		if (file_read(path, &input, &e) < 0) {
			fprintf(stderr, "%s\n", err_message(&e));
			return 1;
		}
		LLVMFuzzerTestOneInput((const uint8_t *)buf_text(&input), input.length);
		count++;
	}
	closedir(directory);
	printf("%u inputs\n", count);
	return count ? 0 : 1;
}
