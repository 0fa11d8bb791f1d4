#include "init/control.h"
#include "init/last_words.h"
#include "init/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)probe_parse_notification((const char *)data, size);
	static struct last_words words;
	last_words_clear(&words);
	last_words_feed(&words, (const char *)data, size, 0);
	(void)last_words_text(&words, 0);
	struct control_request request;
	(void)control_parse((const char *)data, size, &request, NULL);
	return 0;
}
