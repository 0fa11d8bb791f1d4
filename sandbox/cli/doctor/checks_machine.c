#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/doctor/checks_internal.h"

#include <string.h>
#include <sys/statvfs.h>

#define GIGABYTE 1e9
#define MEBIBYTE (INT64_C(1024) * 1024)
#define NANOSECONDS INT64_C(1000000000)
#define TEXT_MAXIMUM ((size_t)256 * 1024)

/* A sandbox at rest takes 530 MiB. */
#define MEMORY_FAILURE (600 * MEBIBYTE)
#define MEMORY_WARNING (1536 * MEBIBYTE)
/* kubelet, containerd and each pod watch files; the kernel's old default of 128 instances is what clusters in
 * containers run into first. */
#define INOTIFY_INSTANCES 256
#define INOTIFY_WATCHES 16384
#define INODES_MINIMUM 50000
/* S3 signatures are refused beyond 15 minutes. */
#define CLOCK_WARNING_S 30
#define CLOCK_FAILURE_S 900

static bool read_text(const char *root, const char *path, struct buf *text)
{
	auto_free char *whole = xasprintf("%s%s", root, path);
	return file_read(whole, text, NULL) == 0;
}

bool check_file_exists(const char *root, const char *path)
{
	auto_free char *whole = xasprintf("%s%s", root, path);
	return file_exists(whole);
}

/* The number in a file, or -1. */
static int64_t read_number(const char *root, const char *path)
{
	auto_buf struct buf text = BUF_INIT(64);
	int64_t number;
	if (!read_text(root, path, &text))
		return -1;
	buf_truncate(&text, strcspn(buf_text(&text), " \n"));
	return text_to_int64(buf_text(&text), 0, INT64_MAX, &number) ? number : -1;
}

static void skip_remote(struct checks *checks, const char *id)
{
	check_add(checks, id, CHECK_SKIPPED, NULL, "that of another machine cannot be looked at");
}

/* Docker has it among its security options, Podman in a field of its own. */
static bool is_rootless(const json_t *info)
{
	size_t i;
	json_t *option;
	json_array_foreach(json_object_get(info, "SecurityOptions"), i, option)
	{
		const char *text = json_string_value(option);
		if (text && strstr(text, "name=rootless"))
			return true;
	}
	return json_boolean_at(info, "Rootless", false);
}

static bool has_controller(const struct check_machine *machine, const char *field, const char *name)
{
	size_t i;
	json_t *controller;
	/* Docker's driver "none" has no groups at all; what it says of limits means nothing (moby/moby#42151). */
	if (!machine->controllers)
		return !text_equal(json_string_at(machine->info, "CgroupDriver", ""), "none") &&
		       json_boolean_at(machine->info, field, true);
	json_array_foreach(machine->controllers, i, controller)
	{
		if (text_equal(json_string_value(controller), name))
			return true;
	}
	return false;
}

/* The controllers that were not delegated to a rootless engine; it can hand on no others. Free with free(). */
static char *missing_controllers(const struct check_machine *machine)
{
	static const char *const controllers[][2] = { { "CpuCfsQuota", "cpu" },
		                                      { "MemoryLimit", "memory" },
		                                      { "PidsLimit", "pids" } };
	char *missing = xstrdup("");
	for (size_t i = 0; i < ARRAY_LENGTH(controllers); i++) {
		if (has_controller(machine, controllers[i][0], controllers[i][1]))
			continue;
		char *longer = xasprintf("%s%s%s", missing, *missing ? ", " : "", controllers[i][1]);
		free(missing);
		missing = longer;
	}
	return missing;
}

#define WITH_ROOT                                                                                                      \
	"use an engine that runs as root: for Docker `DOCKER_HOST=unix:///var/run/docker.sock`, for Podman `sudo "     \
	"systemctl start podman.socket`, then as root with `DOCKER_HOST=unix:///run/podman/podman.sock`"

static void check_rootless(const struct check_machine *machine, const char *version, struct checks *checks)
{
	const char *engine = machine->podman ? "Podman" : "Docker";
	auto_free char *missing = missing_controllers(machine);
	if (!text_equal(version, "2")) {
		check_add(checks, "cgroup", CHECK_FAILURE, WITH_ROOT,
		          "this %s is rootless, and the machine has cgroup version %s, which lets nobody but root "
		          "limit pods",
		          engine, version ? version : "1");
	} else if (*missing) {
		check_add(checks, "cgroup", CHECK_FAILURE,
		          "delegate them: `Delegate=cpu cpuset io memory pids` for user@.service, then log in again; "
		          "or " WITH_ROOT,
		          "this %s is rootless, and its user lacks the cgroup controllers %s", engine, missing);
	} else {
		check_add(checks, "cgroup", CHECK_WARNING, WITH_ROOT,
		          "this %s is rootless: version 2, and cpu, memory and pids are delegated, but no sandbox has "
		          "been seen to run in one",
		          engine);
		return;
	}
	check_fails_as(checks, ERR_UNSUPPORTED, "cgroup-unsuitable");
}

void check_cgroup(const struct check_machine *machine, struct checks *checks)
{
	const char *version = json_string_at(machine->info, "CgroupVersion", NULL);
	if (is_rootless(machine->info))
		check_rootless(machine, version, checks);
	else if (!version)
		check_add(checks, "cgroup", CHECK_SKIPPED, NULL, "the engine does not tell the version");
	else
		check_add(checks, "cgroup", CHECK_OK, NULL, "version %s, driver %s", version,
		          json_string_at(machine->info, "CgroupDriver", "?"));
}

void check_disk(const struct check_machine *machine, struct checks *checks)
{
	const char *directory = json_string_at(machine->info, "DockerRootDir", "");
	struct statvfs status;
	if (!machine->minimum_disk) {
		check_add(checks, "disk", CHECK_SKIPPED, NULL, "--min-disk is 0");
	} else if (!machine->local) {
		skip_remote(checks, "disk");
	} else if (statvfs(directory, &status) < 0) {
		check_add(checks, "disk", CHECK_SKIPPED, NULL,
		          "'%s' cannot be seen from here: the engine runs in a machine of its own", directory);
	} else {
		int64_t available = (int64_t)status.f_bavail * (int64_t)status.f_frsize;
		bool enough = available >= machine->minimum_disk;
		/* File systems without a fixed number of inodes say 0. */
		bool few_inodes = status.f_files && status.f_favail < INODES_MINIMUM;
		check_add(checks, "disk",
		          !enough      ? CHECK_FAILURE
		          : few_inodes ? CHECK_WARNING
		                       : CHECK_OK,
		          enough ? few_inodes ? "remove small files: `docker system df` shows what Docker has" : NULL
		                 : "free some (`docker system df` shows what Docker uses), or lower the limit with "
		                   "`--min-disk GB`",
		          "'%s' has %.1f GB free%s, and the sandbox wants %.1f GB", directory,
		          (double)available / GIGABYTE, few_inodes ? " and few inodes" : "",
		          (double)machine->minimum_disk / GIGABYTE);
		check_fails_as(checks, ERR_EXHAUSTED, "disk-space");
	}
}

/* MemAvailable of /proc/meminfo in bytes, or -1. */
static int64_t available_memory(const char *root)
{
	auto_buf struct buf text = BUF_INIT(TEXT_MAXIMUM);
	long long kilobytes = 0;
	const char *line = read_text(root, "/proc/meminfo", &text) ? strstr(buf_text(&text), "MemAvailable:") : NULL;
	return line && sscanf(line, "MemAvailable: %lld", &kilobytes) == 1 ? kilobytes * 1024 : -1;
}

void check_memory(const struct check_machine *machine, struct checks *checks)
{
	int64_t total = json_integer_at(machine->info, "MemTotal", -1);
	int64_t available = machine->local ? available_memory(machine->root) : -1;
	int64_t known = available >= 0 ? available : total;
	if (known < 0) {
		check_add(checks, "memory", CHECK_SKIPPED, NULL, "neither the engine nor this machine tells");
		return;
	}
	/* Of a machine in use the memory may be freed or swapped: only one that is too small altogether fails. */
	bool fails = total >= 0 && total < MEMORY_FAILURE;
	bool warns = known < MEMORY_WARNING;
	check_add(checks, "memory",
	          fails   ? CHECK_FAILURE
	          : warns ? CHECK_WARNING
	                  : CHECK_OK,
	          fails || warns ? "end other programs, or give Docker's machine more memory" : NULL,
	          "%lld MiB %s; the sandbox takes 530 MiB at rest and each task its own", (long long)(known / MEBIBYTE),
	          available >= 0 ? "available" : "in all");
	check_fails_as(checks, ERR_EXHAUSTED, "memory-space");
}

void check_inotify(const struct check_machine *machine, struct checks *checks)
{
	int64_t instances = read_number(machine->root, "/proc/sys/fs/inotify/max_user_instances");
	int64_t watches = read_number(machine->root, "/proc/sys/fs/inotify/max_user_watches");
	if (!machine->local) {
		skip_remote(checks, "inotify");
	} else if (instances < 0 || watches < 0) {
		check_add(checks, "inotify", CHECK_SKIPPED, NULL, "the limits cannot be read here");
	} else {
		bool enough = instances >= INOTIFY_INSTANCES && watches >= INOTIFY_WATCHES;
		check_add(checks, "inotify", enough ? CHECK_OK : CHECK_WARNING,
		          enough ? NULL
		                 : "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288",
		          "%lld instances, %lld watches", (long long)instances, (long long)watches);
	}
}

/* Whether the kernel has it: a module that is loaded or built in leaves one of these. */
static bool has_module(const char *root, const char *name, const char *trace)
{
	auto_free char *path = xasprintf("/sys/module/%s", name);
	return check_file_exists(root, path) || check_file_exists(root, trace);
}

void check_modules(const struct check_machine *machine, struct checks *checks)
{
	static const char *const modules[][2] = { { "bridge", "/proc/sys/net/bridge" },
		                                  { "nf_conntrack", "/proc/sys/net/netfilter/nf_conntrack_max" } };
	auto_buf struct buf filesystems = BUF_INIT(TEXT_MAXIMUM);
	auto_free char *missing = xstrdup("");
	if (!machine->local) {
		skip_remote(checks, "modules");
		return;
	}
	if (!read_text(machine->root, "/proc/filesystems", &filesystems)) {
		check_add(checks, "modules", CHECK_SKIPPED, NULL, "this is no Linux: the engine's machine has its own");
		return;
	}
	if (!strstr(buf_text(&filesystems), "\toverlay\n")) {
		free(missing);
		missing = xstrdup("overlay");
	}
	for (size_t i = 0; i < ARRAY_LENGTH(modules); i++) {
		if (has_module(machine->root, modules[i][0], modules[i][1]))
			continue;
		char *longer = xasprintf("%s%s%s", missing, *missing ? " " : "", modules[i][0]);
		free(missing);
		missing = longer;
	}
	auto_free char *fix = *missing ? xasprintf("sudo modprobe -a %s", missing) : NULL;
	/* Built into the kernel some leave no trace, and the engine loads others: no failure. */
	check_add(checks, "modules", *missing ? CHECK_WARNING : CHECK_OK, fix, "%s%s",
	          *missing ? "not seen: " : "overlay, bridge, nf_conntrack are there", missing);
}

void check_dns(const struct check_machine *machine, struct checks *checks)
{
	auto_buf struct buf text = BUF_INIT(TEXT_MAXIMUM);
	if (!machine->local) {
		skip_remote(checks, "dns");
		return;
	}
	size_t servers = 0;
	bool elsewhere = false;
	bool known = read_text(machine->root, "/etc/resolv.conf", &text);
	for (const char *line = buf_text(&text); *line; line += strcspn(line, "\n"), line += *line == '\n') {
		char address[64];
		if (sscanf(line, "nameserver %63s", address) != 1)
			continue;
		servers++;
		elsewhere = elsewhere || !(text_starts_with(address, "127.") || text_equal(address, "::1"));
	}
	if (servers && elsewhere)
		check_add(checks, "dns", CHECK_OK, NULL, "/etc/resolv.conf names %zu server%s", servers,
		          servers == 1 ? "" : "s");
	else if (servers)
		check_add(checks, "dns", CHECK_WARNING,
		          "if pods cannot resolve names: `\"dns\": [\"ADDRESS\"]` in the engine's daemon.json",
		          "/etc/resolv.conf names only this machine itself, which containers cannot ask; Docker then "
		          "takes public servers");
	else
		check_add(checks, "dns", CHECK_WARNING,
		          "name a server in /etc/resolv.conf; a sandbox without network works", "/etc/resolv.conf %s",
		          known ? "names no server" : "is not there");
}

void check_ca(const struct check_machine *machine, struct checks *checks)
{
	static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
		                               "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem" };
	const char *chosen = getenv("SSL_CERT_FILE");
	if (!text_is_empty(chosen)) {
		bool there = file_exists(chosen);
		check_add(checks, "ca", there ? CHECK_OK : CHECK_WARNING, there ? NULL : "unset it or correct it",
		          "SSL_CERT_FILE names '%s'%s", chosen, there ? "" : ", which is not there");
		return;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(bundles); i++) {
		if (check_file_exists(machine->root, bundles[i])) {
			check_add(checks, "ca", CHECK_OK, NULL, "%s", bundles[i]);
			return;
		}
	}
	check_add(checks, "ca", CHECK_WARNING, "install the package ca-certificates; pulls and image builds need it",
	          "no bundle of certificates was found");
}

void check_clock(const struct check_machine *machine, struct checks *checks)
{
	const char *text = json_string_at(machine->info, "SystemTime", NULL);
	int64_t engine = 0;
	if (!text || !clock_parse_rfc3339(text, &engine)) {
		check_add(checks, "clock", CHECK_SKIPPED, NULL, "the engine does not tell its time");
		return;
	}
	long long apart = (engine - clock_wall_ns()) / NANOSECONDS;
	long long distance = apart < 0 ? -apart : apart;
	check_add(checks, "clock",
	          distance > CLOCK_FAILURE_S   ? CHECK_FAILURE
	          : distance > CLOCK_WARNING_S ? CHECK_WARNING
	                                       : CHECK_OK,
	          distance > CLOCK_WARNING_S ? "set the clocks (timedatectl set-ntp true; Docker's machine may need a "
	                                       "restart after the computer slept)"
	                                     : NULL,
	          "the engine's clock and ours are %lld s apart%s", distance,
	          distance > CLOCK_FAILURE_S ? "; beyond 15 minutes S3 refuses signed requests" : "");
	check_fails_as(checks, ERR_PRECONDITION, "clock-skew");
}
