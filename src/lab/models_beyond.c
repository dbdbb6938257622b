/* SPDX-License-Identifier: MIT
 * FD_SET of a descriptor that no fd_set has a bit for. This file is compiled with _FORTIFY_SOURCE, whatever the others
 * are: the C library then looks at the number first, and ends the process where it would write beyond the set. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/models.h"

int lab_fd_set_alone(int fd)
{
	struct rlimit no_core = {0, 0};
	pid_t child = fork();
	int status = 0;
	fd_set set;

	if (child == 0) {
		FD_ZERO(&set);
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* where the C library writes why */
		FD_SET(fd, &set);
		_exit(FD_ISSET(fd, &set) ? 0 : 1); /* tidy: allow(output): the end of the process is what is shown */
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 0;
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
