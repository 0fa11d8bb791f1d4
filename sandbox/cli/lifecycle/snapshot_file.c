#include "cli/lifecycle/snapshot_file.h"

#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 512
#define MANIFEST_SIZE 8192
#define MANIFEST_NAME "manifest.json"
#define VOLUME_NAME "volume.tar.gz"
#define VOLUME_HEADER_AT (BLOCK + MANIFEST_SIZE)
#define VOLUME_AT (VOLUME_HEADER_AT + BLOCK)
#define CHUNK ((size_t)256 * 1024)
/* Of a volume: an exbibyte, far from what overflows. */
#define LENGTH_MAXIMUM (INT64_C(1) << 60)
/* Eleven octal digits of ustar; beyond that GNU's and star's binary form. */
#define OCTAL_MAXIMUM UINT64_C(077777777777)

struct snapshot_writer {
	char *path;
	char *temporary;
	int fd;
	struct archive *archive; /* compresses */
	struct sha256 hash;      /* of the compressed bytes */
	uint64_t compressed;
	uint64_t bytes;
};

/* ---- tar headers ---- */

static void put_size(char field[12], uint64_t size)
{
	if (size <= OCTAL_MAXIMUM) {
		(void)snprintf(field, 12, "%011" PRIo64, size);
		return;
	}
	memset(field, 0, 12);
	field[0] = (char)0x80;
	for (size_t i = 0; i < 8; i++)
		field[4 + i] = (char)(size >> (56 - 8 * i));
}

/* POSIX.1-1988 ustar. */
static void make_header(char header[BLOCK], const char *name, uint64_t size)
{
	memset(header, 0, BLOCK);
	(void)snprintf(header, 100, "%s", name);
	(void)snprintf(header + 100, 8, "0000644");
	(void)snprintf(header + 108, 8, "0000000");
	(void)snprintf(header + 116, 8, "0000000");
	put_size(header + 124, size);
	(void)snprintf(header + 136, 12, "00000000000");
	memset(header + 148, ' ', 8);
	header[156] = '0';
	memcpy(header + 257, "ustar\00000", 8);
	unsigned sum = 0;
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)header[i];
	(void)snprintf(header + 148, 8, "%06o", sum);
	header[155] = ' ';
}

static int write_at(int fd, uint64_t at, const void *bytes, size_t length, const char *path, struct err *e)
{
	const char *from = bytes;
	while (length) {
		ssize_t written = pwrite(fd, from, length, (off_t)at);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return err_set_errno(e, errno, "snapshot-write", "cannot write '%s'", path);
		from += written;
		at += (uint64_t)written;
		length -= (size_t)written;
	}
	return 0;
}

/* ---- writing ---- */

static la_ssize_t take_compressed(struct archive *archive, void *context, const void *bytes, size_t length)
{
	struct snapshot_writer *writer = context;
	auto_err struct err problem = ERR_INIT;
	if (write_at(writer->fd, VOLUME_AT + writer->compressed, bytes, length, writer->path, &problem) < 0) {
		archive_set_error(archive, problem.kind == ERR_EXHAUSTED ? ENOSPC : EIO, "%s", err_message(&problem));
		return -1;
	}
	sha256_add(&writer->hash, bytes, length);
	writer->compressed += length;
	return (la_ssize_t)length;
}

static int broken(struct snapshot_writer *writer, struct err *e)
{
	enum err_kind kind = archive_errno(writer->archive) == ENOSPC ? ERR_EXHAUSTED : ERR_INTERNAL;
	return err_set(e, kind, "snapshot-write", "%s", archive_error_string(writer->archive));
}

static int begin_volume(struct snapshot_writer *writer, struct err *e)
{
	struct archive_entry *entry = memory_checked(archive_entry_new());
	writer->archive = memory_checked(archive_write_new());
	archive_write_add_filter_gzip(writer->archive);
	(void)archive_write_set_options(writer->archive, "gzip:compression-level=1");
	archive_write_set_format_raw(writer->archive);
	archive_write_set_bytes_in_last_block(writer->archive, 1);
	archive_entry_set_pathname(entry, "volume.tar");
	archive_entry_set_filetype(entry, AE_IFREG);
	bool well = archive_write_open(writer->archive, writer, NULL, take_compressed, NULL) == ARCHIVE_OK &&
	            archive_write_header(writer->archive, entry) == ARCHIVE_OK;
	archive_entry_free(entry);
	return well ? 0 : broken(writer, e);
}

struct snapshot_writer *snapshot_writer_open(const char *path, struct err *e)
{
	struct snapshot_writer *writer = xcalloc(1, sizeof(*writer));
	writer->path = xstrdup(path);
	writer->temporary = xasprintf("%s.part", path);
	sha256_init(&writer->hash);
	/* What is left of a launcher that was killed; or somebody's link to elsewhere, in a folder that many may write to. */
	(void)unlink(writer->temporary);
	writer->fd = open(writer->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (writer->fd < 0)
		err_set_errno(e, errno, "snapshot-write", "cannot write '%s'", writer->temporary);
	else if (begin_volume(writer, e) == 0)
		return writer;
	snapshot_writer_free(writer);
	return NULL;
}

int snapshot_writer_add(struct snapshot_writer *writer, const void *bytes, size_t length, struct err *e)
{
	writer->bytes += length;
	return archive_write_data(writer->archive, bytes, length) == (la_ssize_t)length ? 0 : broken(writer, e);
}

static int write_frame(struct snapshot_writer *writer, const json_t *manifest, struct err *e)
{
	char header[BLOCK];
	char text[MANIFEST_SIZE];
	auto_free char *printed = json_dumps(manifest, JSON_INDENT(2));
	memset(text, ' ', sizeof(text));
	if (strlen(printed) >= sizeof(text))
		return err_set(e, ERR_INTERNAL, "snapshot-write", "the snapshot's manifest is too long");
	memcpy(text, printed, strlen(printed));
	text[sizeof(text) - 1] = '\n';
	make_header(header, MANIFEST_NAME, MANIFEST_SIZE);
	if (write_at(writer->fd, 0, header, BLOCK, writer->path, e) < 0 ||
	    write_at(writer->fd, BLOCK, text, sizeof(text), writer->path, e) < 0)
		return -1;
	make_header(header, VOLUME_NAME, writer->compressed);
	if (write_at(writer->fd, VOLUME_HEADER_AT, header, BLOCK, writer->path, e) < 0)
		return -1;
	/* Up to the block's end, and the two empty blocks that end an archive. */
	static const char nothing[3 * BLOCK];
	size_t rest = (BLOCK - writer->compressed % BLOCK) % BLOCK;
	return write_at(writer->fd, VOLUME_AT + writer->compressed, nothing, rest + 2 * BLOCK, writer->path, e);
}

int snapshot_writer_finish(struct snapshot_writer *writer, json_t *manifest, struct err *e)
{
	char sum[SHA256_HEX_SIZE];
	if (archive_write_close(writer->archive) != ARCHIVE_OK)
		return broken(writer, e);
	sha256_hex(&writer->hash, sum);
	json_object_set_new(manifest, "volume",
	                    json_pack("{s:I, s:I, s:s}", "bytes", (json_int_t)writer->bytes, "compressedBytes",
	                              (json_int_t)writer->compressed, "sha256", sum));
	if (write_frame(writer, manifest, e) < 0)
		return -1;
	if (fsync(writer->fd) < 0 || rename(writer->temporary, writer->path) < 0)
		return err_set_errno(e, errno, "snapshot-write", "cannot write '%s'", writer->path);
	free(writer->temporary);
	writer->temporary = NULL;
	return 0;
}

void snapshot_writer_free(struct snapshot_writer *writer)
{
	if (!writer)
		return;
	if (writer->archive)
		archive_write_free(writer->archive);
	if (writer->fd >= 0)
		close(writer->fd);
	if (writer->temporary)
		(void)unlink(writer->temporary);
	free(writer->temporary);
	free(writer->path);
	free(writer);
}

/* ---- reading ---- */

static int no_snapshot(const char *path, const char *why, struct err *e)
{
	return err_set(e, ERR_INVALID, "snapshot-file", "'%s' %s", path, why);
}

json_t *snapshot_manifest(const char *path, struct err *e)
{
	char head[BLOCK + MANIFEST_SIZE];
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err_set_errno(e, errno, NULL, "cannot read '%s'", path);
		return NULL;
	}
	ssize_t got = pread(fd, head, sizeof(head), 0);
	if (got != (ssize_t)sizeof(head) || strncmp(head, MANIFEST_NAME, BLOCK) != 0) {
		no_snapshot(path, "is no snapshot of a sandbox", e);
		return NULL;
	}
	json_t *manifest = json_parse(head + BLOCK, MANIFEST_SIZE, path, e);
	if (!manifest)
		return NULL;
	json_int_t format = json_integer_at(manifest, "format", 0);
	if (format == SNAPSHOT_FORMAT)
		return manifest;
	json_decref(manifest);
	err_set(e, ERR_INVALID, "snapshot-file", "'%s' has format %lld; this launcher reads %d", path,
	        (long long)format, SNAPSHOT_FORMAT);
	return NULL;
}

/* The part of the file that is the volume. */
struct volume_reader {
	int fd;
	uint64_t at, end;
	char chunk[CHUNK];
};

static int open_volume(const char *path, const json_t *manifest, struct volume_reader *ret_reader, struct err *e)
{
	struct stat status;
	json_int_t length = json_integer_at(manifest, "volume/compressedBytes", -1);
	if (length < 0 || length > LENGTH_MAXIMUM)
		return no_snapshot(path, "does not tell how long its volume is", e);
	ret_reader->at = VOLUME_AT;
	ret_reader->end = VOLUME_AT + (uint64_t)length;
	ret_reader->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ret_reader->fd < 0)
		return err_set_errno(e, errno, NULL, "cannot read '%s'", path);
	if (fstat(ret_reader->fd, &status) < 0 || (uint64_t)status.st_size < ret_reader->end)
		return no_snapshot(path, "is cut off", e);
	return 0;
}

/* Bytes of the next chunk; 0 at the end, -1 with errno. */
static ssize_t next_chunk(struct volume_reader *reader)
{
	uint64_t left = reader->end - reader->at;
	ssize_t got =
	        left ? pread(reader->fd, reader->chunk, left < CHUNK ? (size_t)left : CHUNK, (off_t)reader->at) : 0;
	if (got > 0)
		reader->at += (uint64_t)got;
	return got;
}

static struct volume_reader *volume_reader_new(void)
{
	struct volume_reader *reader = xcalloc(1, sizeof(*reader));
	reader->fd = -1;
	return reader;
}

static void volume_reader_free(struct volume_reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	free(reader);
}

static int compare_sum(struct volume_reader *reader, const char *path, const json_t *manifest, struct err *e)
{
	struct sha256 hash;
	char sum[SHA256_HEX_SIZE];
	ssize_t got;
	sha256_init(&hash);
	while ((got = next_chunk(reader)) > 0)
		sha256_add(&hash, reader->chunk, (size_t)got);
	if (got < 0)
		return err_set_errno(e, errno, NULL, "cannot read '%s'", path);
	sha256_hex(&hash, sum);
	if (text_equal(sum, json_string_at(manifest, "volume/sha256", "")))
		return 0;
	return no_snapshot(path, "is damaged: its contents do not have the sum that the manifest names", e);
}

int snapshot_verify(const char *path, const json_t *manifest, struct err *e)
{
	struct volume_reader *reader = volume_reader_new();
	int outcome = open_volume(path, manifest, reader, e);
	if (outcome == 0)
		outcome = compare_sum(reader, path, manifest, e);
	volume_reader_free(reader);
	return outcome;
}

static la_ssize_t give_compressed(struct archive *archive, void *context, const void **ret_bytes)
{
	struct volume_reader *reader = context;
	(void)archive;
	*ret_bytes = reader->chunk;
	return next_chunk(reader);
}

static int unpack(struct archive *archive, struct volume_reader *reader, int fd, const char *path, struct err *e)
{
	struct archive_entry *entry = NULL;
	archive_read_support_filter_gzip(archive);
	archive_read_support_format_raw(archive);
	auto_free char *room = xmalloc(CHUNK);
	la_ssize_t got = -1;
	if (archive_read_open(archive, reader, NULL, give_compressed, NULL) == ARCHIVE_OK &&
	    archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
		while ((got = archive_read_data(archive, room, CHUNK)) > 0) {
			if (file_write_all(fd, room, (size_t)got, e) < 0)
				return -1;
		}
	}
	return got < 0 ? err_set(e, ERR_INVALID, "snapshot-file", "'%s' is damaged: %s", path,
	                         archive_error_string(archive))
	               : 0;
}

int snapshot_read_volume(const char *path, const json_t *manifest, int fd, struct err *e)
{
	struct volume_reader *reader = volume_reader_new();
	int outcome = open_volume(path, manifest, reader, e);
	struct archive *archive = memory_checked(archive_read_new());
	if (outcome == 0)
		outcome = unpack(archive, reader, fd, path, e);
	archive_read_free(archive);
	volume_reader_free(reader);
	return outcome;
}
