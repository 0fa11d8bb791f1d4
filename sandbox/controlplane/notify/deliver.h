/* One row of store/notifications: sent by mail or to the webhook of the settings. */
#ifndef SANDBOX_CONTROLPLANE_NOTIFY_DELIVER_H
#define SANDBOX_CONTROLPLANE_NOTIFY_DELIVER_H

#include "controlplane/settings/settings.h"
#include "controlplane/store/notifications.h"

struct deliver_context {
	const struct settings *settings;
	/* Asked about once a second while a server is waited for; true ends the attempt (ERR_CANCELLED). May be NULL. */
	bool (*stop)(void *context);
	void *context;
};

/* One attempt takes no longer. */
#define DELIVER_TIMEOUT_MS INT64_C(30000)

/* 0: sent, or there is nobody any more to send it to. ERR_INVALID: it can never be sent. Anything else may pass. */
int deliver(const struct deliver_context *context, const struct notification_work *work, struct err *e);

#endif
