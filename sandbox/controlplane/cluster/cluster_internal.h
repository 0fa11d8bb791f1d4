#ifndef SANDBOX_CONTROLPLANE_CLUSTER_CLUSTER_INTERNAL_H
#define SANDBOX_CONTROLPLANE_CLUSTER_CLUSTER_INTERNAL_H

#include "controlplane/cluster/cluster_resources.h"

/*
 * Brings everything into step once. `applied` remembers between calls what the API server has taken ("<path>" to the
 * object's text), so that only changes are sent. Goes on after an error of one object; returns how many failed, the first of
 * them in `e`, or -1 when nothing could be done.
 */
int cluster_sync(const struct cluster_resources_options *options, json_t *applied, struct err *e);

#endif
