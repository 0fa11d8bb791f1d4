/* Stands for macOS' <sys/proc_info.h>: the structures that platform_macos.c uses, with the fields that it uses, of Apple's types. */
#pragma once
#include <stdint.h>

/* Of <sys/param.h> and <sys/socket.h> there, which this brings along. */
#define MAXCOMLEN 16
#define SO_NOSIGPIPE 0x1022

#define PROC_PIDLISTFDS 1
#define PROC_PIDTBSDINFO 3
#define PROC_PIDTASKINFO 4
#define PROC_PIDFDSOCKETINFO 3
#define PROC_PIDPATHINFO_MAXSIZE (4 * 1024)
#define PROX_FDTYPE_SOCKET 2
#define TSI_S_LISTEN 1

enum { SOCKINFO_GENERIC = 0, SOCKINFO_IN = 1, SOCKINFO_TCP = 2 };

struct proc_bsdinfo {
	uint64_t pbi_start_tvsec;
	uint64_t pbi_start_tvusec;
};

struct proc_taskinfo {
	uint64_t pti_resident_size;
	int32_t pti_threadnum;
};

struct proc_fdinfo {
	int32_t proc_fd;
	uint32_t proc_fdtype;
};

struct in_sockinfo {
	int insi_lport;
};

struct tcp_sockinfo {
	struct in_sockinfo tcpsi_ini;
	int tcpsi_state;
};

struct socket_info {
	int soi_kind;
	union {
		struct tcp_sockinfo pri_tcp;
	} soi_proto;
};

struct socket_fdinfo {
	struct socket_info psi;
};
