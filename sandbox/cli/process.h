/* Another process of this machine: who it is, and when it ends. */
#ifndef SANDBOX_CLI_PROCESS_H
#define SANDBOX_CLI_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A number that tells the process from a later one with the same id (when it was started, in the system's own unit); 0
 * when there is no such process, or it has ended. */
uint64_t process_birth(pid_t pid);
/* Returns true when the process of that birth has ended, false at the deadline (monotonic, CLOCK_NEVER for none). */
bool process_wait_end(pid_t pid, uint64_t birth, int64_t deadline_ms);

#endif
