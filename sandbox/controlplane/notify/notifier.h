/*
 * Who sends notifications: a thread that takes rows of store/notifications when they are due, sends them, and takes them
 * away. Every replica runs one; a row is one's at a time. What cannot be sent is tried again after 1 s, 2 s, 4 s … 10
 * min, `notifications.maxAttempts` times, and then given up with a line in the log.
 *
 * Each is sent once, except when the process dies between the server's answer and the row's removal: then the same mail
 * (by its Message-ID), or the same call of the webhook (by its `id`), comes a second time.
 */
#ifndef SANDBOX_CONTROLPLANE_NOTIFY_NOTIFIER_H
#define SANDBOX_CONTROLPLANE_NOTIFY_NOTIFIER_H

#include "controlplane/settings/settings.h"
#include "controlplane/store/database.h"

struct notifier;

int notifier_start(struct database *database, struct settings_holder *settings, struct notifier **ret_notifier,
                   struct err *e);
/* Joins the threads; what is being sent is given up for now. NULL is fine. */
struct notifier *notifier_stop(struct notifier *notifier);

#endif
