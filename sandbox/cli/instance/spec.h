/*
 * What the container is created from. Least privilege as docs/decisions/ measured it: no --privileged, capabilities
 * named one by one, private cgroups, a read-write device rule for what the kubelet's containers need, tmpfs for /run
 * and /tmp, one named volume.
 */
#ifndef SANDBOX_CLI_INSTANCE_SPEC_H
#define SANDBOX_CLI_INSTANCE_SPEC_H

#include "base/json.h"
#include "cli/framework/instance_names.h"
#include "cli/framework/options.h"
#include "cli/instance/lifetime.h"
#include "cli/instance/ports.h"

#define SPEC_LABEL "dev.sandbox.specification"
/* JSON: what the instance keeps of the options that it was started with (lifecycle/settings.h). */
#define SPEC_SETTINGS_LABEL "dev.sandbox.settings"
#define SPEC_STATE_DIRECTORY "/var/lib/sandbox"
/* Docker restarts the container after a crash once, and after the engine's or the machine's restart (no other policy
 * means just that). */
#define SPEC_RESTART_POLICY "on-failure"
#define SPEC_RESTART_MAXIMUM 1
/* PID 1 stops its services within 10 s. */
#define SPEC_STOP_SECONDS 15

struct spec {
	const struct instance_names *instance;
	const char *image;
	const struct ports *ports;
	const struct option_list *environment; /* "K=V" of the person */
	int64_t memory_bytes;                  /* 0: no limit */
	uint64_t missing_capabilities;         /* bits that the host cannot give */
	unsigned api_minor;                    /* docker_client_api_minor: what the engine knows */
	bool podman;                           /* whose words for some settings differ (spec.c) */
	const char *settings;                  /* for SPEC_SETTINGS_LABEL, or NULL */
	const struct lifetime *lifetime;       /* or NULL; no part of the hash */
	const char *status_token;              /* of status_port.h, or NULL; no part of the hash */
};

/* The ContainerCreate body, with a hash of itself in SPEC_LABEL: a stopped container whose hash differs is created
 * anew. */
json_t *spec_build(const struct spec *spec);
/* The labels of what belongs to the instance; a new reference. */
json_t *spec_labels(const struct instance_names *instance);

#endif
