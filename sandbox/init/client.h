/* The other side of the status socket, as subcommands of the same program: what `docker exec` and the launcher run. */
#ifndef SANDBOX_INIT_CLIENT_H
#define SANDBOX_INIT_CLIENT_H

/* argv[1] is the subcommand: status [--follow] [--json], start|stop|restart SERVICE, logs SERVICE [--follow] [--tail
 * N], import-images. Exit code. */
int client_main(int argc, char **argv);

#endif
