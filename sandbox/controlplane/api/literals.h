/*
 * LiteralMaps in responses of Get…Data: the whole map where it is small, and a URL under which the client can fetch it
 * in any case. Rules: flyteadmin's GetInputs and GetOutputs (pkg/manager/impl/util/data.go at v1.16.8).
 */
#ifndef SANDBOX_CONTROLPLANE_API_LITERALS_H
#define SANDBOX_CONTROLPLANE_API_LITERALS_H

#include "controlplane/api/api.h"
#include "controlplane/store/executions.h"

#include "flyteidl/admin/common.pb-c.h"
#include "flyteidl/core/literals.pb-c.h"

/*
 * Maps below this size go into responses; inputs and outputs together then stay below the 20 MiB that flytekit
 * receives. flyteadmin has 2 MiB (remoteData.maxSizeInBytes) where it signs URLs and no limit where it doesn't, as in
 * its own sandbox. It has to be as much as can be: flytekit cannot fetch what is only there by URL, because it makes a
 * file name of the whole query.
 */
#define LITERALS_ANSWER_MAXIMUM ((size_t)8 * 1024 * 1024)
/* The largest map that is read back from the object store for our own use, when an execution is launched again. */
#define LITERALS_MAXIMUM ((size_t)20 * 1024 * 1024)

/*
 * Neither is NULL on success: where nothing is stored (yet), both are empty; where the map is too large, only the URL
 * and its size are there. Does I/O to the object store only for maps whose bytes are not in the row. Give connections
 * back before.
 */
int literals_answer(struct api *api, struct rpc_call *call, const struct stored_literals *stored,
                    Flyteidl__Core__LiteralMap **ret_map, Flyteidl__Admin__UrlBlob **ret_url, struct err *e);

/* The whole map, up to LITERALS_MAXIMUM; empty when nothing is stored. */
int literals_load(struct api *api, struct rpc_call *call, const struct stored_literals *stored,
                  Flyteidl__Core__LiteralMap **ret_map, struct err *e);

/* For a deck and other objects that clients fetch by themselves: a URL for reading `uri`, good for an hour. */
int literals_sign(struct api *api, struct rpc_call *call, const char *uri, char **ret_url, struct err *e);

#endif
