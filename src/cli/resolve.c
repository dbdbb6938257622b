/* SPDX-License-Identifier: MIT
 * Names to addresses, by the system's resolver. */
#include "cli/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

static int parse_ip_endpoint(struct sb_target *t, struct sb_slice text, struct sb_fault *fault)
{
	struct sb_slice scheme, host, port;
	struct sb_addr addr = {0};
	uint64_t number;
	int r = sb_endpoint_split(text, &scheme, &host, &port, fault);

	if (r < 0)
		return r;
	t->on = sb_slice_is(scheme, "tcp") ? SB_ON_TCP : SB_ON_UDP;
	if (sb_parse_count(port, &number) < 0 || number < 1 || number > 65535)
		return sb_fault_set(fault, SB_E_RANGE, 0, "a port to send to is 1 to 65535, not \"%.*s\"",
				    SB_FAULT_WORD(port));
	t->port = (uint16_t)number;
	if (sb_addr_parse_ip(&addr, host) == 0) {
		addr.port = t->port;
		t->at[0] = (struct sb_endpoint){.on = t->on, .addr = addr};
		t->n = 1;
		return 0;
	}
	if (host.n >= SB_HOST_MAX)
		return sb_fault_set(fault, SB_E_RANGE, 0, "a host's name has at most %d bytes, this one %zu",
				    SB_HOST_MAX - 1, host.n);
	memcpy(t->host, host.p, host.n);
	return 0;
}

int sb_target_parse(struct sb_target *t, struct sb_slice text, struct sb_fault *fault)
{
	int r;

	*t = (struct sb_target){.on = SB_ON_UNIX};
	if (text.n < 5 || memcmp(text.p, "unix:", 5) != 0)
		return parse_ip_endpoint(t, text, fault);
	r = sb_endpoint_parse(&t->at[0], text, fault);
	t->n = r == 0;
	return r;
}

/* false: an address of a kind we do not speak. */
static bool take_address(struct sb_addr *to, const struct sockaddr *from, size_t n)
{
	if (from->sa_family == AF_INET && n >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in4;

		memcpy(&in4, from, sizeof(in4));
		to->family = SB_IPV4;
		memcpy(to->ip, &in4.sin_addr, 4);
		return true;
	}
	if (from->sa_family == AF_INET6 && n >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;

		memcpy(&in6, from, sizeof(in6));
		to->family = SB_IPV6;
		to->scope = in6.sin6_scope_id;
		memcpy(to->ip, &in6.sin6_addr, 16);
		sb_addr_unmap(to);
		return true;
	}
	return false;
}

static int say(const struct sb_target *t, int why, struct sb_fault *fault)
{
	if (why == EAI_NONAME)
		return sb_fault_set(fault, SB_E_UNKNOWN, 0, "name not found: %s", t->host);
	if (why == EAI_AGAIN)
		return sb_fault_set(fault, SB_E_UNKNOWN, 0, "name not found: %s: the name server does not answer now",
				    t->host);
	return sb_fault_set(fault, SB_E_UNKNOWN, 0, "name not found: %s: %s", t->host, gai_strerror(why));
}

int sb_target_look_up(struct sb_target *t, struct sb_fault *fault)
{
	/* Every family: an address that this machine cannot reach fails at once, and the next one is tried. */
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = t->on == SB_ON_TCP ? SOCK_STREAM : SOCK_DGRAM};
	struct addrinfo *found = NULL;
	int why;

	if (t->n > 0)
		return 0;
	why = getaddrinfo(t->host, NULL, &hints, &found);
	if (why != 0)
		return say(t, why, fault);
	for (const struct addrinfo *a = found; a && t->n < SB_TARGET_MAX; a = a->ai_next) {
		struct sb_addr addr = {.port = t->port};

		if (take_address(&addr, a->ai_addr, a->ai_addrlen))
			t->at[t->n++] = (struct sb_endpoint){.on = t->on, .addr = addr};
	}
	freeaddrinfo(found);
	return t->n > 0 ? 0 : say(t, EAI_NONAME, fault);
}
