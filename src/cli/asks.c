/* SPDX-License-Identifier: MIT
 * Gathering what the server is asked for: checked one by one, so that a mistake is named where it was made. */
#include "cli/asks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/resolve.h"

enum { CONFIG_MAX = 1024 * 1024 };

/* The exit code of a fault: the system's, or whoever wrote the text. */
static int exit_of(int code, bool is_config)
{
	if (code == -EACCES || code == -EPERM)
		return SB_EXIT_NO_PERM;
	if (code > -4096)
		return SB_EXIT_OS;
	return is_config ? SB_EXIT_CONFIG : SB_EXIT_USAGE;
}

static int say(struct sb_ask_place at, const char *what, const struct sb_fault *fault)
{
	char where[512] = "", col[24] = "";

	if (at.line)
		snprintf(where, sizeof(where), "%s:%u: ", at.file, at.line);
	else if (what && fault->code < -4095) /* what the kernel refused is named in the text */
		snprintf(where, sizeof(where), "--listen '%s': ", what);
	if (fault->col)
		snprintf(col, sizeof(col), "col=%u ", fault->col);
	return sb_complain("serve", exit_of(fault->code, at.line), "%s%s%s", where, col, fault->text);
}

int sb_asks_fault(const struct sb_asks *asks, size_t listener, const struct sb_fault *fault)
{
	struct sb_ask_place nowhere = {0};

	if (listener == 0 || listener > asks->listens_n)
		return say(nowhere, NULL, fault);
	return say(asks->listen_at[listener - 1], asks->listens[listener - 1], fault);
}

int sb_asks_listen(struct sb_asks *asks, const char *text, struct sb_ask_place at)
{
	struct sb_listener l;
	struct sb_fault fault;

	if (asks->listens_n == SB_LISTENERS_MAX) {
		sb_fault_set(&fault, SB_E_LIMIT, 0, "there are more than %d listeners", SB_LISTENERS_MAX);
		return say(at, text, &fault);
	}
	if (sb_listener_parse(&l, sb_slice_cstr(text), &fault) < 0)
		return say(at, text, &fault);
	asks->listen_at[asks->listens_n] = at;
	asks->listens[asks->listens_n++] = text;
	return 0;
}

int sb_asks_option(struct sb_asks *asks, const char *option, struct sb_ask_place at)
{
	struct sb_fault fault;

	if (asks->options_n == SB_OPTIONS_MAX) {
		sb_fault_set(&fault, SB_E_LIMIT, 0, "there are more than %d options", SB_OPTIONS_MAX);
		return say(at, NULL, &fault);
	}
	if (sb_options_set(&asks->checked, sb_slice_cstr(option), &fault) < 0)
		return say(at, NULL, &fault);
	asks->options[asks->options_n++] = option;
	return 0;
}

/* ---- files ---- */

/* Opens a regular file and nothing else: a FIFO would block, a device never end. */
static int open_regular(int dir, const char *path, int flags, off_t *size)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags), err;
	struct stat st;

	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) < 0 ? -errno : S_ISDIR(st.st_mode) ? -EISDIR : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	if (err < 0) {
		close(fd);
		return err;
	}
	*size = st.st_size;
	return fd;
}

static const char *why_not(int err)
{
	return err == -EINVAL ? "it is not a regular file" : sb_strerror(err);
}

/* Reads n bytes, or what there is of them. Returns memory of the caller's, with a NUL behind the bytes. */
static char *read_whole(int fd, size_t n, size_t *got)
{
	char *text = malloc(n + 1);

	*got = 0;
	while (text && *got < n) {
		ssize_t r = read(fd, text + *got, n - *got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		*got += (size_t)r;
	}
	if (text)
		text[*got] = '\0';
	return text;
}

static int read_config(struct sb_asks *asks, const char *path, size_t *n)
{
	off_t size = 0;
	int fd = open_regular(AT_FDCWD, path, 0, &size);

	if (fd < 0)
		return sb_complain("serve", SB_EXIT_CONFIG, "--config %s: %s", path, why_not(fd));
	if (size > CONFIG_MAX) {
		close(fd);
		return sb_complain("serve", SB_EXIT_CONFIG, "--config %s: larger than 1 MiB", path);
	}
	asks->config_text = read_whole(fd, (size_t)size, n);
	close(fd);
	if (!asks->config_text)
		return sb_complain("serve", SB_EXIT_OS, "--config %s: no memory", path);
	return 0;
}

static bool is_endpoint(const char *line)
{
	return strncmp(line, "tcp://", 6) == 0 || strncmp(line, "udp://", 6) == 0 || strncmp(line, "unix:", 5) == 0;
}

/* One line of the file, without its end. */
static int config_line(struct sb_asks *asks, char *line, size_t n, struct sb_ask_place at)
{
	struct sb_fault fault = {0};

	if (n > 0 && line[n - 1] == '\r')
		line[--n] = '\0';
	if (strlen(line) != n) {
		sb_fault_set(&fault, SB_E_SYNTAX, (uint32_t)strlen(line) + 1, "there is a NUL in the line");
		return say(at, NULL, &fault);
	}
	if (at.line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0) {
		sb_fault_set(&fault, SB_E_SYNTAX, 1, "the file begins with a byte order mark: save it without one");
		return say(at, NULL, &fault);
	}
	if (n == 0 || line[0] == '#')
		return 0;
	if (is_endpoint(line))
		return sb_asks_listen(asks, line, at);
	if (!strchr(line, '=')) {
		sb_fault_set(
			&fault, SB_E_SYNTAX, 1,
			"\"%.40s\" is neither an endpoint (tcp://127.0.0.1:7777,ECHO) nor an option (max-conns=100)",
			line);
		return say(at, NULL, &fault);
	}
	return sb_asks_option(asks, line, at);
}

int sb_asks_config(struct sb_asks *asks, const char *path)
{
	struct sb_ask_place at = {.file = path, .line = 1};
	size_t n = 0, from = 0;
	int r;

	if (asks->config_text)
		return sb_complain("serve", SB_EXIT_USAGE, "--config is given twice");
	r = read_config(asks, path, &n);
	if (!asks->config_text)
		return r;
	for (size_t i = 0; i <= n && r == 0; i++) {
		if (i < n && asks->config_text[i] != '\n')
			continue;
		asks->config_text[i] = '\0';
		r = config_line(asks, asks->config_text + from, i - from, at);
		from = i + 1;
		at.line++;
	}
	return r;
}

/* ---- files for SOURCE ---- */

static int load(struct sb_asks *asks, size_t i, struct sb_slice name, int dir)
{
	char path[256] = "", *text;
	struct sb_fault fault;
	off_t size = 0;
	size_t n = 0;
	int fd;

	memcpy(path, name.p, name.n < sizeof(path) ? name.n : sizeof(path) - 1);
	if (strchr(path, '/') || strcmp(path, "..") == 0 || strlen(path) != name.n) {
		sb_fault_set(&fault, SB_E_RANGE, 0, "file=%.*s is not the name of a file in --files",
			     SB_FAULT_WORD(name));
		return sb_asks_fault(asks, i + 1, &fault);
	}
	/* A link could lead out of the folder. */
	fd = open_regular(dir, path, O_NOFOLLOW, &size);
	text = fd < 0 ? NULL : read_whole(fd, (size_t)size, &n);
	if (fd >= 0)
		close(fd);
	if (!text) {
		sb_fault_set(&fault, SB_E_UNKNOWN, 0, "file=%s in %s: %s", path, asks->files_dir,
			     fd < 0 ? why_not(fd) : "no memory");
		return sb_asks_fault(asks, i + 1, &fault);
	}
	asks->files[asks->files_n].name = sb_slice(strdup(path), name.n);
	asks->files[asks->files_n++].bytes = sb_slice(text, n);
	return 0;
}

static bool is_loaded(const struct sb_asks *asks, struct sb_slice name)
{
	for (size_t i = 0; i < asks->files_n; i++)
		if (sb_slice_eq(asks->files[i].name, name))
			return true;
	return false;
}

int sb_asks_files(struct sb_asks *asks)
{
	int dir, r = 0;

	if (!asks->files_dir)
		return 0;
	dir = open(asks->files_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return sb_complain("serve", SB_EXIT_CONFIG, "--files %s: %s", asks->files_dir, sb_strerror(-errno));
	for (size_t i = 0; i < asks->listens_n && r == 0; i++) {
		struct sb_listener l;
		const struct sb_value *file = &l.line.v[SB_KEY_FILE];

		/* It was checked when it was taken. */
		if (sb_listener_parse(&l, sb_slice_cstr(asks->listens[i]), NULL) < 0 || !file->set)
			continue;
		if (!is_loaded(asks, file->text))
			r = load(asks, i, file->text, dir);
	}
	close(dir);
	return r;
}

/* ---- names for FORWARD ---- */

/* One that is no name, or none that can be read, is the server's to speak of. */
static int look_up(struct sb_asks *asks, size_t i, const struct sb_value *to)
{
	struct sb_target target;
	struct sb_fault fault = {0};

	if (sb_target_parse(&target, to->text, &fault) < 0 || !target.host[0])
		return 0;
	if (sb_target_look_up(&target, &fault) < 0) {
		sb_fault_set(&fault, SB_E_UNKNOWN, 0, "to=: name not found: %s", target.host);
		return sb_asks_fault(asks, i + 1, &fault);
	}
	asks->names[asks->names_n].name = sb_slice_cstr(strdup(target.host));
	asks->names[asks->names_n++].addr = target.at[0].addr;
	return 0;
}

int sb_asks_names(struct sb_asks *asks)
{
	int r = 0;

	for (size_t i = 0; i < asks->listens_n && r == 0; i++) {
		struct sb_listener l;

		if (sb_listener_parse(&l, sb_slice_cstr(asks->listens[i]), NULL) == 0 && l.line.v[SB_KEY_TO].set)
			r = look_up(asks, i, &l.line.v[SB_KEY_TO]);
	}
	return r;
}

void sb_asks_fini(struct sb_asks *asks)
{
	for (size_t i = 0; i < asks->files_n; i++) {
		free((void *)(uintptr_t)asks->files[i].name.p);
		free((void *)(uintptr_t)asks->files[i].bytes.p);
	}
	for (size_t i = 0; i < asks->names_n; i++)
		free((void *)(uintptr_t)asks->names[i].name.p);
	free(asks->config_text);
}
