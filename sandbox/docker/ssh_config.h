/*
 * Who and where an SSH host is: the address, completed by ~/.ssh/config as ssh(1) would (ssh_config(5)): the first value of a setting
 * that a matching `Host` gives counts. Read are HostName, Port, User, IdentityFile, IdentitiesOnly and UserKnownHostsFile; `Match`
 * blocks and `Include` are passed over.
 */
#ifndef SANDBOX_DOCKER_SSH_CONFIG_H
#define SANDBOX_DOCKER_SSH_CONFIG_H

#include "base/err.h"

#include <stdbool.h>

#define SSH_IDENTITIES_MAXIMUM 16

struct ssh_target {
	char *alias; /* the host as the address names it */
	char *host;  /* what to connect to */
	char *user;
	int port;
	char *socket;      /* the engine's socket over there, or NULL: the docker command there knows */
	char *known_hosts; /* path */
	char *identities[SSH_IDENTITIES_MAXIMUM]; /* key files to try, in order; not all need exist */
	size_t identity_count;
	bool identities_only; /* of the agent's keys none */
};

#define SSH_TARGET_INIT                                                                                                \
	{                                                                                                              \
		.port = 0                                                                                              \
	}
#define auto_ssh_target __attribute__((cleanup(ssh_target_release)))
void ssh_target_release(struct ssh_target *target);

/* "ssh://[user@]host[:port][/path/to/docker.sock]". ERR_INVALID "docker-host". */
int ssh_target_parse(const char *address, struct ssh_target *ret_target, struct err *e);
/* Fills what the address leaves open from the configuration's text, then from ssh's defaults. `home` and `user` are this side's. */
void ssh_target_complete(struct ssh_target *target, const char *config, const char *home, const char *user);

#endif
