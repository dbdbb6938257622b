/* SPDX-License-Identifier: MIT
 * Endpoints from text and back. */
#include "server/endpoint.h"

static bool begins(struct sb_slice text, const char *word)
{
	size_t n = strlen(word);

	return text.n >= n && memcmp(text.p, word, n) == 0;
}

static int say_form(struct sb_slice text, struct sb_fault *fault)
{
	return sb_fault_set(fault, SB_E_SYNTAX, 1,
			    "\"%.*s\" is no endpoint: it is tcp://HOST:PORT, udp://HOST:PORT or unix:PATH",
			    SB_FAULT_WORD(text));
}

int sb_endpoint_split(struct sb_slice text, struct sb_slice *scheme, struct sb_slice *host, struct sb_slice *port,
		      struct sb_fault *fault)
{
	struct sb_slice rest;
	size_t colon;

	if (!begins(text, "tcp://") && !begins(text, "udp://"))
		return say_form(text, fault);
	*scheme = sb_slice(text.p, 3);
	rest = sb_slice_skip(text, 6);
	colon = rest.n;
	while (colon > 0 && rest.p[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return say_form(text, fault);
	*host = sb_slice(rest.p, colon - 1);
	*port = sb_slice_skip(rest, colon);
	if (host->n >= 2 && host->p[0] == '[' && host->p[host->n - 1] == ']') {
		*host = sb_slice(host->p + 1, host->n - 2);
		if (host->n == 0 || host->p[0] == '[' || !memchr(host->p, ':', host->n))
			return sb_fault_set(fault, SB_E_SYNTAX, 7,
					    "only an IPv6 address is written in brackets, not %.*s",
					    SB_FAULT_WORD(*host));
		return 0;
	}
	for (size_t i = 0; i < host->n; i++)
		if (host->p[i] == ':')
			return sb_fault_set(fault, SB_E_SYNTAX, 7,
					    "an IPv6 address is written in brackets: [%.*s]:PORT",
					    SB_FAULT_WORD(*host));
	return host->n ? 0 : say_form(text, fault);
}

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_path(struct sb_endpoint *e, struct sb_slice path, struct sb_fault *fault)
{
	size_t n = 0;

	for (size_t i = 0; i < path.n; i++) {
		size_t from = i;
		int c = path.p[i];

		if (c == '%') {
			if (i + 2 >= path.n || hex(path.p[i + 1]) < 0 || hex(path.p[i + 2]) < 0)
				return sb_fault_set(fault, SB_E_SYNTAX, (uint32_t)(i + 6),
						    "%% in a path is followed by two hex digits (%%2C is a comma)");
			c = hex(path.p[i + 1]) * 16 + hex(path.p[i + 2]);
			i += 2;
		}
		if (c == 0)
			return sb_fault_set(fault, SB_E_SYNTAX, (uint32_t)(from + 6), "a path cannot hold a NUL");
		if (n + 1 >= SB_PATH_MAX)
			return sb_fault_set(fault, SB_E_RANGE, 6, "a unix socket's path is at most %d bytes",
					    SB_PATH_MAX - 1);
		e->path[n++] = (char)c;
	}
	if (n == 0)
		return sb_fault_set(fault, SB_E_SYNTAX, 6, "unix: needs a path");
	return 0;
}

int sb_endpoint_parse(struct sb_endpoint *e, struct sb_slice text, struct sb_fault *fault)
{
	struct sb_slice scheme = {0}, host = {0}, port = {0};
	uint64_t number;
	int r;

	*e = (struct sb_endpoint){.on = SB_ON_UNIX};
	if (begins(text, "unix:"))
		return parse_path(e, sb_slice_skip(text, 5), fault);
	r = sb_endpoint_split(text, &scheme, &host, &port, fault);
	if (r < 0)
		return r;
	e->on = sb_slice_is(scheme, "tcp") ? SB_ON_TCP : SB_ON_UDP;
	if (sb_addr_parse_ip(&e->addr, host) < 0)
		return sb_fault_set(fault, SB_E_SYNTAX, 7,
				    "\"%.*s\" is no address: write it in numbers, as 127.0.0.1 or [::1]",
				    SB_FAULT_WORD(host));
	if (sb_parse_count(port, &number) < 0 || number > 65535)
		return sb_fault_set(fault, SB_E_RANGE, (uint32_t)(port.p - text.p + 1),
				    "a port is 0 to 65535, not \"%.*s\"; 0 picks a free one", SB_FAULT_WORD(port));
	e->addr.port = (uint16_t)number;
	return 0;
}

void sb_text_endpoint(struct sb_text *t, const struct sb_endpoint *e)
{
	static const char digits[] = "0123456789ABCDEF";

	if (e->on != SB_ON_UNIX) {
		sb_text_str(t, e->on == SB_ON_TCP ? "tcp://" : "udp://");
		sb_text_addr(t, &e->addr);
		return;
	}
	sb_text_str(t, "unix:");
	for (const char *p = e->path; *p; p++) {
		if (*p > ' ' && *p <= '~' && *p != ',' && *p != '%') {
			sb_text_char(t, *p);
		} else {
			sb_text_char(t, '%');
			sb_text_char(t, digits[(uint8_t)*p >> 4]);
			sb_text_char(t, digits[(uint8_t)*p & 15]);
		}
	}
}
