/* SPDX-License-Identifier: MIT
 *
 * A peer: TCP echo over libevent's bufferevents, as its own sample writes it. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "listener.h"

static void got(struct bufferevent *b, void *arg)
{
	(void)arg;
	evbuffer_add_buffer(bufferevent_get_output(b), bufferevent_get_input(b));
}

static void ended(struct bufferevent *b, short what, void *arg)
{
	(void)arg;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		bufferevent_free(b);
}

static void connected(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer, int size, void *arg)
{
	struct event_base *base = evconnlistener_get_base(listener);
	struct bufferevent *b = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)peer;
	(void)size;
	(void)arg;
	if (!b)
		die("bufferevent_socket_new");
	bufferevent_setcb(b, got, NULL, ended, NULL);
	bufferevent_enable(b, EV_READ | EV_WRITE);
}

int main(int argc, char **argv)
{
	unsigned short port = port_from_args(argc, argv, NULL, NULL);
	struct event_base *base = event_base_new();
	struct evconnlistener *listener;

	if (!base)
		die("event_base_new");
	/* Backlog 0: the socket listens already. */
	listener = evconnlistener_new(base, connected, NULL, LEV_OPT_CLOSE_ON_FREE, 0, listen_loopback(port));
	if (!listener)
		die("evconnlistener_new");
	return event_base_dispatch(base) < 0;
}
