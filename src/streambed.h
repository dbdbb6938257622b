/* SPDX-License-Identifier: MIT
 *
 * streambed: cut byte streams into messages, and run a protocol test server inside a program.
 *
 * This is the whole public interface, and the one place that defines the types it shares with the
 * sources. Read it in order: bytes and errors, framings, the server.
 *
 * Conventions. Functions return >= 0 for an answer and < 0 for why not: -errno from the kernel, or
 * one of the codes below -4095 listed here. Nothing is allocated behind the caller's back: every
 * object lives in memory the caller hands over, and a view never owns what it points to. Sizes are
 * bytes, counts are items, offsets start at 0, columns start at 1, times are nanoseconds.
 */
#ifndef STREAMBED_H
#define STREAMBED_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SB_VERSION "0.1.0"

#define SB_API __attribute__((visibility("default")))

/* ---- bytes and errors ------------------------------------------------------------------------ */

/* A view of n bytes. Passed by value; never owns. p may be NULL only when n is 0. */
struct sb_slice {
	const uint8_t *p;
	size_t n;
};

/* Every error that is not a kernel errno: name, code, text. One list; see sb_strerror(). */
#define SB_ERROR_MAP(X)                                                                                                \
	X(TOO_LARGE, -5000, "a frame is larger than max")                                                              \
	X(BAD_LENGTH, -5001, "a length field is malformed")                                                            \
	X(OVERLONG, -5002, "a number is written longer than it needs to be")                                           \
	X(BAD_DELIMITER, -5003, "a delimiter is missing or misplaced")                                                 \
	X(TRUNCATED, -5004, "the stream ended inside a frame")                                                         \
	X(BAD_PAYLOAD, -5005, "this framing cannot carry these bytes")                                                 \
	X(NO_SPACE, -5006, "the memory given is too small")                                                            \
	X(SYNTAX, -5010, "the text is malformed")                                                                      \
	X(UNKNOWN, -5011, "the name is not known")                                                                     \
	X(DUPLICATE, -5012, "the name is given twice")                                                                 \
	X(RANGE, -5013, "the value is out of range")                                                                   \
	X(TYPE, -5014, "the value is of the wrong kind")                                                               \
	X(PLACE, -5015, "the name does not apply here")                                                                \
	X(DENIED, -5016, "the option is never allowed")                                                                \
	X(LIMIT, -5017, "a limit of the server is reached")

enum sb_error {
#define SB_ERROR_ENUM(name, code, text) SB_E_##name = code,
	SB_ERROR_MAP(SB_ERROR_ENUM)
#undef SB_ERROR_ENUM
};

/* The name ("too-large", "ECONNRESET") and the text of a negative return value. Never NULL. */
SB_API const char *sb_errname(int err);
SB_API const char *sb_strerror(int err);

/* What was wrong with a text that somebody wrote: a code, the column it is about (from 1; 0 when it
 * is about the whole), and one sentence that names the thing, the place and the fix. */
struct sb_fault {
	int code;
	uint32_t col;
	char text[232];
};

/* ---- framings: a stream of bytes into messages and back --------------------------------------- */

/* One message found in a stream. payload is a view: of the caller's own input where the message lay
 * whole in it, else of the decoder's memory; it is good until the next call. */
struct sb_frame {
	const uint8_t *p; /* the payload: what the message says, without its framing */
	uint32_t n;       /* bytes of payload */
	uint32_t wire;    /* bytes the message took on the wire, framing included */
};

/* The bytes that go before and after a payload on the wire. */
struct sb_wrap {
	uint8_t head[96], tail[24];
	uint8_t head_n, tail_n;
};

struct sb_decoder;

/* Bytes of memory that a decoder for this framing needs, or < 0 with *fault filled (fault may be NULL).
 * framing is what a line says: "frame=u32be max=64k", "frame=crlf", "frame=delim:00 max=1k". */
SB_API long sb_decoder_size(const char *framing, struct sb_fault *fault);

/* Makes a decoder in mem (aligned for a pointer, size from sb_decoder_size). The decoder lives in mem
 * and owns nothing else: to end it, take mem back. Errors: those of sb_decoder_size, SB_E_NO_SPACE. */
SB_API int sb_decoder_init(struct sb_decoder **d, void *mem, size_t size, const char *framing, struct sb_fault *fault);

/* Takes bytes from the front of *in and finds up to cap messages.
 * > 0: so many messages are in out[]; *in has moved past them, and maybe past the beginning of the next
 * one, which is then held. 0: *in is used up and the next message
 * is not whole yet. < 0: the stream is broken at sb_decoder_offset(): SB_E_TOO_LARGE, SB_E_BAD_LENGTH,
 * SB_E_OVERLONG, SB_E_BAD_DELIMITER; every later call says the same and takes
 * nothing. *in stands at the byte that broke it, when this is the call that found it. Messages before the
 * break are delivered first. However the input is cut, the messages, the error and its offset are the same. */
SB_API int sb_decoder_next(struct sb_decoder *d, struct sb_slice *in, struct sb_frame *out, int cap);

/* Says that the stream has ended: 0, or SB_E_TRUNCATED when bytes of an unfinished message are left,
 * or the error that broke it before. */
SB_API int sb_decoder_end(struct sb_decoder *d);

/* The offset in the stream of the byte that proved it broken; before that, of the next message. */
SB_API uint64_t sb_decoder_offset(const struct sb_decoder *d);

/* Bytes of an unfinished message that the decoder holds; never more than max and the framing's own. */
SB_API size_t sb_decoder_held(const struct sb_decoder *d);

/* What to put around payload so that this decoder's framing carries it. SB_E_BAD_PAYLOAD when it
 * cannot (a delimiter inside, a wrong fixed size), SB_E_TOO_LARGE when it is larger than max. */
SB_API int sb_encode(const struct sb_decoder *d, struct sb_slice payload, struct sb_wrap *out);

/* ---- the server -------------------------------------------------------------------------------- */

/* A server to be. listens are what --listen takes: "ENDPOINT" or "ENDPOINT,LINE", as
 * "tcp://127.0.0.1:0,ECHO frame=u32be max=64k". options are the command's limits and switches without
 * their dashes: "max-conns=100", "io=poll". The strings are read by the two calls that take it, and not kept. */
struct sb_config {
	const char *const *listens;
	size_t listens_n;
	const char *const *options;
	size_t options_n;
	int log_fd; /* where log lines go, or -1; it stays the caller's */
};

struct sb_server;

/* Bytes of memory that this server needs, all of it: it takes no more later. < 0 with *fault filled. */
SB_API long sb_server_size(const struct sb_config *config, struct sb_fault *fault);

/* Makes a server in mem (zero-filled, as calloc or mmap give it; aligned for max_align_t) and opens its
 * listeners. On failure everything it opened is closed. Errors: SB_E_* for the config, -errno for the kernel. */
SB_API int sb_server_init(struct sb_server **server, void *mem, size_t size, const struct sb_config *config,
			  struct sb_fault *fault);

/* The bound port of listener i, counted as in config; 0 for a unix socket; < 0 when there is none. */
SB_API int sb_server_port(const struct sb_server *server, size_t i);

/* One turn: waits at most wait_ns (< 0: for as long as it takes) for something to do, and does it.
 * 1: go on; 0: it has drained and there is nothing left; < 0: -errno, it cannot go on. */
SB_API int sb_server_step(struct sb_server *server, int64_t wait_ns);

/* Asks the server to stop: once, it accepts no more and drains; twice, it closes everything in the next
 * turn. Safe from another thread and from a signal handler; wakes a step that waits. */
SB_API void sb_server_stop(struct sb_server *server);

/* Closes everything it has open. mem is the caller's again. */
SB_API void sb_server_fini(struct sb_server *server);

/* Every counter of the server, by name, from i = 0 until it returns NULL. */
SB_API const char *sb_server_counter(const struct sb_server *server, size_t i, uint64_t *value);

#ifdef __cplusplus
}
#endif

#endif
