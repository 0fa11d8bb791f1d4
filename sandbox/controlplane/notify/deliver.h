/* One row of store/notifications: sent by mail or to the webhook of the settings. */
#ifndef SANDBOX_CONTROLPLANE_NOTIFY_DELIVER_H
#define SANDBOX_CONTROLPLANE_NOTIFY_DELIVER_H

#include "controlplane/settings/settings.h"
#include "controlplane/store/notifications.h"

struct deliver_context {
	const struct settings *settings;
	int cancel_fd; /* ends the attempt (ERR_CANCELLED), as in base/http.h; within a second */
};

/* One attempt takes no longer. */
#define DELIVER_TIMEOUT_MS INT64_C(30000)

/* 0: sent, or there is nobody any more to send it to. ERR_INVALID: it can never be sent. Anything else may pass. */
int deliver(const struct deliver_context *context, const struct notification_work *work, struct err *e);

#endif
