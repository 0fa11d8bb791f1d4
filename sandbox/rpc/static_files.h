/*
 * The console's files. A path below /console/ that is a file is served; any other is a page of the single-page
 * application and gets index.html, except below assets/, where a missing file is a 404. Assets carry a content hash in
 * their name, so they may be kept for ever; everything else is revalidated by ETag.
 */
#ifndef SANDBOX_RPC_STATIC_FILES_H
#define SANDBOX_RPC_STATIC_FILES_H

#include "rpc/exchange.h"

#define STATIC_FILE_MAXIMUM ((size_t)32 * 1024 * 1024)
#define STATIC_FILES_PREFIX "/console/"

/*
 * Answers GET and HEAD of a path below STATIC_FILES_PREFIX from `directory` (NULL: 404). Reads files: for worker
 * threads.
 */
void static_files_answer(const char *directory, struct rpc_exchange *x);

#endif
