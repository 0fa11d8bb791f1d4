/* A test in C with a sandbox of its own: cc example.c && ./a.out */
#define _POSIX_C_SOURCE 200809L
#include "flyte_sandbox.h"

int main(void)
{
	struct flyte_sandbox sandbox;
	if (flyte_sandbox_start(&sandbox, "c-example") != 0)
		return 1;
	printf("Flyte answers at %s, its console at %s\n", sandbox.grpc, sandbox.console);
	return flyte_sandbox_delete(&sandbox);
}
