/*
 * Any bytes as filters, sort key and token of every entity: never a crash, and whatever is accepted becomes SQL whose every
 * placeholder has its value and in which no text of the input appears outside of a value.
 */
#include "controlplane/store/filter.h"
#include "controlplane/store/list.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Characters that our own SQL uses; anything else in it came from outside. */
static void check_sql(const char *sql, size_t value_count)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ .,()=<>$*'-:";
	if (sql[strspn(sql, allowed)])
		abort();
	size_t placeholders = 0;
	for (const char *p = sql; (p = strchr(p, '$')); p++)
		placeholders++;
	if (placeholders != value_count)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	auto_arena struct arena arena = ARENA_INIT((size_t)256 * 1024 * 1024);
	char *text = arena_strndup(&arena, (const char *)data + 1, size - 1);
	for (unsigned entity = 0; entity < LIST_ENTITY_COUNT; entity++) {
		auto_list_query struct list_query query = LIST_QUERY_INIT;
		struct list_request request = { .entity = (enum list_entity)entity, .rpc = "Fuzz", .limit = 1 };
		Flyteidl__Admin__Sort sort;
		flyteidl__admin__sort__init(&sort);
		sort.key = text;
		switch (data[0] % 3) {
		case 0:
			request.filters = text;
			break;
		case 1:
			request.sort_by = &sort;
			break;
		default:
			request.token = text;
		}
		if (list_init(&query, &arena, &request, NULL) == 0)
			check_sql(list_sql(&query, "x"), query.value_count);
	}
	return 0;
}
