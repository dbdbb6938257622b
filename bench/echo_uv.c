/* SPDX-License-Identifier: MIT
 *
 * A peer: TCP echo over libuv, written the way libuv's own example writes it: a buffer from malloc for each
 * read, a request from malloc for each uv_write, both freed when it is done. With --try it is written as
 * somebody would who counts: one static buffer and uv_try_write, a request only for what did not fit. */
#include <uv.h>

#include "listener.h"

struct write_request {
	uv_write_t request;
	uv_buf_t buf;
};

static char shared[65536]; /* --try only */
static bool is_try;

static void closed(uv_handle_t *handle)
{
	free(handle);
}

static void written(uv_write_t *request, int status)
{
	struct write_request *w = (struct write_request *)request;

	(void)status; /* a broken connection is reported to the read callback as well */
	free(w->buf.base);
	free(w);
}

static void queue_write(uv_stream_t *client, char *owned, size_t size)
{
	struct write_request *w = malloc(sizeof *w);

	if (!w)
		die("malloc");
	w->buf = uv_buf_init(owned, (unsigned)size);
	if (uv_write(&w->request, client, &w->buf, 1, written) < 0)
		written(&w->request, -1);
}

/* ---- as the example ---- */

static void give_malloced(uv_handle_t *handle, size_t suggested_size, uv_buf_t *buf)
{
	(void)handle;
	*buf = uv_buf_init(malloc(suggested_size), (unsigned)suggested_size);
}

static void got_malloced(uv_stream_t *client, ssize_t got, const uv_buf_t *buf)
{
	if (got > 0) {
		queue_write(client, buf->base, (size_t)got);
		return;
	}
	if (got < 0)
		uv_close((uv_handle_t *)client, closed);
	free(buf->base);
}

/* ---- with uv_try_write ---- */

static void give_shared(uv_handle_t *handle, size_t suggested_size, uv_buf_t *buf)
{
	(void)handle;
	(void)suggested_size;
	*buf = uv_buf_init(shared, sizeof shared);
}

static void got_shared(uv_stream_t *client, ssize_t got, const uv_buf_t *buf)
{
	uv_buf_t out = uv_buf_init(buf->base, got > 0 ? (unsigned)got : 0);
	ssize_t put;
	char *rest;

	if (got < 0)
		uv_close((uv_handle_t *)client, closed);
	if (got <= 0)
		return;
	/* With a write still queued this is EAGAIN, so the order holds. */
	put = uv_try_write(client, &out, 1);
	if (put == got)
		return;
	put = put < 0 ? 0 : put;
	rest = malloc((size_t)(got - put));
	if (!rest)
		die("malloc");
	memcpy(rest, buf->base + put, (size_t)(got - put));
	queue_write(client, rest, (size_t)(got - put));
}

static void connected(uv_stream_t *server, int status)
{
	uv_tcp_t *client;

	if (status < 0)
		return;
	client = malloc(sizeof *client);
	if (!client)
		die("malloc");
	uv_tcp_init(server->loop, client);
	if (uv_accept(server, (uv_stream_t *)client) < 0) {
		uv_close((uv_handle_t *)client, closed);
		return;
	}
	uv_read_start((uv_stream_t *)client, is_try ? give_shared : give_malloced, is_try ? got_shared : got_malloced);
}

int main(int argc, char **argv)
{
	unsigned short port = port_from_args(argc, argv, "--try", &is_try);
	uv_loop_t *loop = uv_default_loop();
	uv_tcp_t server;

	uv_tcp_init(loop, &server);
	if (uv_tcp_open(&server, listen_loopback(port)) < 0)
		die("uv_tcp_open");
	if (uv_listen((uv_stream_t *)&server, SOMAXCONN, connected) < 0)
		die("uv_listen");
	return uv_run(loop, UV_RUN_DEFAULT);
}
