/* SPDX-License-Identifier: MIT
 * A whole server inside a C test: on port 0, talked to from the same thread, stopped at the end. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <streambed.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	const char *listens[] = {"tcp://127.0.0.1:0,ECHO frame=line"}, *options[] = {"max-conns=16"};
	struct sb_config config = {listens, 1, options, 1, -1 /* no log */};
	struct sb_fault fault;
	struct sb_server *server;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char reply[16] = "";
	ssize_t n = -1;
	long size = sb_server_size(&config, &fault);
	void *mem = size > 0 ? calloc(1, (size_t)size) : NULL;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (!mem || sb_server_init(&server, mem, (size_t)size, &config, &fault) < 0) {
		fprintf(stderr, "%s\n", size < 0 || mem ? fault.text : "no memory");
		return 1;
	}
	to.sin_port = htons((uint16_t)sb_server_port(server, 0));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && send(fd, "hello\n", 6, 0) == 6)
		for (int turn = 0; n < 0 && turn < 100; turn++) {
			sb_server_step(server, 10000000);
			n = recv(fd, reply, sizeof(reply) - 1, MSG_DONTWAIT);
		}
	printf("%zd bytes came back: %s", n, reply);
	close(fd);
	sb_server_fini(server);
	free(mem);
	return n == 6 ? 0 : 1;
}
