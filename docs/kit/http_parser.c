/* SPDX-License-Identifier: MIT
 * http_parser 2.9 (Debian: libhttp-parser-dev): requests. With KIT_DROP, what was read of an unfinished token before an
 * error is not compared. */
#include <http_parser.h>

#include "streambed_fuzz.h"

static http_parser p;
static long long fed;

static int on_url(http_parser *h, const char *s, size_t n)
{
	(void)h;
	sbf_bytes("url", s, n);
	return 0;
}

static int on_field(http_parser *h, const char *s, size_t n)
{
	(void)h;
	sbf_bytes("field", s, n);
	return 0;
}

static int on_value(http_parser *h, const char *s, size_t n)
{
	(void)h;
	sbf_bytes("value", s, n);
	return 0;
}

static int on_body(http_parser *h, const char *s, size_t n)
{
	(void)h;
	sbf_bytes("body", s, n);
	return 0;
}

static int on_begin(http_parser *h)
{
	(void)h;
	sbf_event("begin", "", 0);
	return 0;
}

static int on_headers(http_parser *h)
{
	sbf_number("method", h->method);
	return 0;
}

static int on_complete(http_parser *h)
{
	(void)h;
	sbf_event("complete", "", 0);
	return 0;
}

static const http_parser_settings calls = {
	.on_message_begin = on_begin,
	.on_url = on_url,
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_headers_complete = on_headers,
	.on_body = on_body,
	.on_message_complete = on_complete,
};

#ifdef KIT_DROP
static void on_error(void)
{
	sbf_drop();
}
#else
static void on_error(void)
{
}
#endif

static void init(void)
{
	http_parser_init(&p, HTTP_REQUEST);
	fed = 0;
}

static int feed(const unsigned char *s, size_t n)
{
	size_t used = http_parser_execute(&p, &calls, (const char *)s, n);
	int is_over = p.upgrade || used != n;

	fed += (long long)used;
	if (p.http_errno)
		on_error();
	if (is_over)
		sbf_number(p.upgrade ? "upgrade at" : "stopped at", fed);
	return p.upgrade ? 1000 : (int)p.http_errno;
}

static int finish(void)
{
	return 0;
}

#define SBF_INIT init
#define SBF_FEED feed
#define SBF_FINISH finish
#include "streambed_fuzz.h"
