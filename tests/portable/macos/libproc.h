/* Stands for macOS' <libproc.h>: what platform_macos.c uses, as Apple declares it. */
#pragma once
#include <stdint.h>
#include <sys/proc_info.h>

int proc_listallpids(void *buffer, int buffersize);
int proc_pidinfo(int pid, int flavor, uint64_t arg, void *buffer, int buffersize);
int proc_pidfdinfo(int pid, int fd, int flavor, void *buffer, int buffersize);
int proc_name(int pid, void *buffer, uint32_t buffersize);
int proc_pidpath(int pid, void *buffer, uint32_t buffersize);
