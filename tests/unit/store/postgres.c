#include "postgres.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct postgres {
	char *binaries;
	char *directory; /* holds data/, the socket and the log */
	char *data;
	char *url;
	uid_t user;
	gid_t group;
	pid_t server;
};

static char *find_binaries(void)
{
	const char *given = getenv("SANDBOX_TEST_POSTGRES_BIN");
	if (given)
		return xstrdup(given);
	glob_t found;
	char *result = NULL;
	if (glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) == 0) {
		const char *last = found.gl_pathv[found.gl_pathc - 1];
		result = xstrndup(last, strlen(last) - strlen("/postgres"));
	}
	globfree(&found);
	return result;
}

static void choose_user(struct postgres *postgres)
{
	postgres->user = getuid();
	postgres->group = getgid();
	if (postgres->user != 0)
		return;
	const struct passwd *entry = getpwnam("postgres");
	if (!entry)
		entry = getpwnam("nobody");
	postgres->user = entry ? entry->pw_uid : 65534;
	postgres->group = entry ? entry->pw_gid : 65534;
}

/* A child that runs `arguments` as the cluster's user, output to the log file. */
static pid_t spawn(const struct postgres *postgres, char *const *arguments)
{
	auto_free char *log = file_join(postgres->directory, "log");
	pid_t child = fork();
	if (child != 0)
		return child;
	/* Nothing of ours survives a crash of the test. */
	if (getuid() == 0 && (setgroups(0, NULL) < 0 || setgid(postgres->group) < 0 || setuid(postgres->user) < 0))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0 || chdir(postgres->directory) < 0)
		_exit(126);
	execv(arguments[0], arguments);
	_exit(127);
}

static int initialize(struct postgres *postgres, struct err *e)
{
	auto_free char *program = file_join(postgres->binaries, "initdb");
	char *arguments[] = { program,
		              (char[]){ "-D" },
		              postgres->data,
		              (char[]){ "-Upostgres" },
		              (char[]){ "-EUTF8" },
		              (char[]){ "--locale=C.UTF-8" },
		              (char[]){ "--auth=trust" },
		              (char[]){ "--no-sync" },
		              NULL };
	int status;
	pid_t child = spawn(postgres, arguments);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return err_set_errno(e, errno, NULL, "cannot run %s", program);
	if (status != 0)
		return err_set(e, ERR_INTERNAL, NULL, "%s failed with status %d, see %s/log", program, status,
		               postgres->directory);
	return 0;
}

static void start_server(struct postgres *postgres)
{
	auto_free char *program = file_join(postgres->binaries, "postgres");
	char *arguments[] = { program,
		              (char[]){ "-D" },
		              postgres->data,
		              (char[]){ "-k" },
		              postgres->directory,
		              (char[]){ "-clisten_addresses=" },
		              (char[]){ "-F" },
		              (char[]){ "-cmax_connections=40" },
		              (char[]){ "-cshared_buffers=16MB" },
		              NULL };
	postgres->server = spawn(postgres, arguments);
}

int postgres_start(struct postgres **ret_postgres, struct err *e)
{
	struct postgres *postgres = xcalloc(1, sizeof(*postgres));
	postgres->binaries = find_binaries();
	if (!postgres->binaries) {
		free(postgres);
		return err_set(e, ERR_NOT_FOUND, NULL,
		               "no Postgres server is installed (looked for /usr/lib/postgresql/*/bin/postgres)");
	}
	choose_user(postgres);
	char directory[] = "/tmp/sandbox-postgres-XXXXXX";
	if (!mkdtemp(directory) || chown(directory, postgres->user, postgres->group) < 0)
		return err_set_errno(e, errno, NULL, "cannot make %s", directory);
	postgres->directory = xstrdup(directory);
	postgres->data = file_join(directory, "data");
	postgres->url = xasprintf("host=%s user=postgres dbname=postgres", directory);
	if (initialize(postgres, e) < 0) {
		postgres_stop(postgres);
		return -1;
	}
	start_server(postgres);
	*ret_postgres = postgres;
	return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
	(void)info;
	(void)kind;
	(void)walk;
	return remove(path);
}

static void end_server(struct postgres *postgres, int signal_number)
{
	if (postgres->server <= 0)
		return;
	kill(postgres->server, signal_number);
	waitpid(postgres->server, NULL, 0);
	postgres->server = 0;
}

struct postgres *postgres_stop(struct postgres *postgres)
{
	if (!postgres)
		return NULL;
	end_server(postgres, SIGQUIT);
	nftw(postgres->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(postgres->binaries);
	free(postgres->directory);
	free(postgres->data);
	free(postgres->url);
	free(postgres);
	return NULL;
}

void postgres_restart(struct postgres *postgres)
{
	end_server(postgres, SIGQUIT);
	start_server(postgres);
}

const char *postgres_url(const struct postgres *postgres)
{
	return postgres->url;
}

char *postgres_create_database(struct postgres *postgres, const char *name)
{
	auto_free char *sql = xasprintf("create database %s", name);
	int64_t deadline = clock_monotonic_ms() + 30000;
	PGconn *pg = PQconnectdb(postgres->url);
	while (PQstatus(pg) != CONNECTION_OK && clock_monotonic_ms() < deadline) {
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		PQreset(pg);
	}
	PGresult *result = PQexec(pg, sql);
	if (PQresultStatus(result) != PGRES_COMMAND_OK) {
		fprintf(stderr, "%s: %s\n", sql, PQerrorMessage(pg));
		abort();
	}
	PQclear(result);
	PQfinish(pg);
	return xasprintf("host=%s user=postgres dbname=%s", postgres->directory, name);
}
