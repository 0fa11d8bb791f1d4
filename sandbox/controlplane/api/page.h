/* One page of a list as the message that answers it. All list messages of Flyte have a token and one repeated field. */
#ifndef SANDBOX_CONTROLPLANE_API_PAGE_H
#define SANDBOX_CONTROLPLANE_API_PAGE_H

#include "controlplane/store/list.h"
#include "proto/message.h"

/* The element that the row at `index` is; `rows` are those of page_message. NULL with `e` set when it cannot be made. */
typedef ProtobufCMessage *page_element(struct arena *arena, const void *rows, size_t index, struct err *e);

/* A message of `type` with the query's next token and an element for each row. In the arena; NULL when one cannot be made. */
ProtobufCMessage *page_message(struct arena *arena, const ProtobufCMessageDescriptor *type, const struct list_query *query,
                               const void *rows, size_t count, page_element *element, struct err *e);

#endif
