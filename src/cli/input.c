/* SPDX-License-Identifier: MIT
 * Reading a file to its end. It may be a pipe, so its size is known when it has been read. */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int exit_of(int err)
{
	return err == -EACCES || err == -EPERM ? SB_EXIT_NO_PERM : err == -ENOMEM ? SB_EXIT_OS : SB_EXIT_IO;
}

static bool make_room(struct sb_input *in, size_t *room)
{
	size_t more = *room ? *room * 2 : (size_t)64 * 1024;
	char *text = realloc(in->text, more);

	if (!text)
		return false;
	in->text = text;
	*room = more;
	return true;
}

/* Up to one byte more than max: then it is too large. */
static int read_all(struct sb_input *in, int fd, size_t max)
{
	size_t room = 0;

	for (;;) {
		ssize_t r;

		if (in->n == room && !make_room(in, &room))
			return -ENOMEM;
		r = read(fd, in->text + in->n, room - in->n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : 0;
		in->n += (size_t)r;
		if (in->n > max)
			return -EFBIG;
	}
}

int sb_input_read(struct sb_input *in, const char *command, const char *path, size_t max)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int err;

	*in = (struct sb_input){.name = is_stdin ? "stdin" : path};
	if (fd < 0) {
		err = -errno;
	} else {
		err = read_all(in, fd, max);
		if (!is_stdin)
			close(fd);
	}
	if (err == 0)
		return 0;
	free(in->text);
	in->text = NULL;
	if (err == -EFBIG)
		return sb_complain(command, SB_EXIT_DATA, "%.300s: larger than %zu KiB", in->name, max / 1024);
	return sb_complain(command, exit_of(err), "%.300s: %s", in->name, sb_strerror(err));
}
