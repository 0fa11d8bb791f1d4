/*
 * Those who call connectors. One thread asks every connector what it supports, at the start, every pollInterval and when
 * the settings change, and keeps the catalog; some more take rows of store/connector_tasks that are due, make the call,
 * and write down what came of it. Every replica runs them; a row is one's at a time.
 *
 * What goes wrong: a connector that cannot be reached is waited for, for unreachableTimeout, without calling it for each
 * of its tasks; an error in answer to CreateTask ends the attempt (the user's retries are for it), as upstream; an error
 * in answer to GetTask is asked again and ends it after maxSystemFailures; DeleteTask is repeated for as long.
 *
 * A task is created once as long as its creator and the connection to the connector live. A creator that dies between the
 * call and writing down what it returned cannot be told from one that dies before the call, nor a connector that goes away
 * in the middle of the call from one that was not there, so it is called again: connectors that must not start a job twice
 * find the same task_execution_metadata.task_execution_id in both calls.
 */
#ifndef SANDBOX_CONTROLPLANE_CONNECTORS_CONNECTORS_H
#define SANDBOX_CONTROLPLANE_CONNECTORS_CONNECTORS_H

#include "controlplane/connectors/catalog.h"
#include "controlplane/store/database.h"

struct connectors;

struct connectors_options {
	struct database *database;
	struct settings_holder *settings;
	unsigned workers; /* calls at the same time; 0: 4 */
};
int connectors_start(const struct connectors_options *options, struct connectors **ret_connectors, struct err *e);
/* The settings have changed. NULL is fine, here and below. */
void connectors_wake(struct connectors *connectors);
/* Retained; NULL for NULL. */
const struct connector_catalog *connectors_catalog(struct connectors *connectors);
/* Cuts questions short, finishes what connectors are told to do, each call within its deadline, and joins the threads. */
struct connectors *connectors_stop(struct connectors *connectors);

#endif
