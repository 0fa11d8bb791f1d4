/* Registry credentials, found where the docker command keeps them: credHelpers, credsStore and auths of config.json. */
#ifndef SANDBOX_DOCKER_REGISTRY_H
#define SANDBOX_DOCKER_REGISTRY_H

#include "base/err.h"

/* The key under which credentials of a reference's registry are kept: "ghcr.io", or "https://index.docker.io/v1/" for
 * Docker Hub. */
char *docker_registry_of(const char *reference);
/* The value of X-Registry-Auth (base64url of JSON; that of "{}" when nothing is known). Free with free(); NULL with `e`
 * when a helper fails other than by not knowing the registry. */
char *docker_registry_credentials(const char *reference, struct err *e);

#endif
