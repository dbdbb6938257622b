/* SPDX-License-Identifier: MIT
 *
 * Services: what becomes of the messages a peer sends, and what we send of our own. A service is a row of
 * services.def and a file that defines its struct; sessions and datagram sockets run any of them.
 *
 * What a service sends of its own is a function of the offset in the stream, so that nothing has to be kept
 * while the peer does not read.
 */
#ifndef SB_SERVICE_SERVICE_H
#define SB_SERVICE_SERVICE_H

#include "codec/codec.h"
#include "scenario/line.h"

/* Where complete frames go. */
enum sb_route { SB_ROUTE_NONE, SB_ROUTE_BACK };

/* What a source sends: count times head, len bytes of pattern, tail. Plain values, made once for a line. */
struct sb_source {
	uint64_t count; /* UINT64_MAX: until the peer closes */
	uint32_t len;
	uint8_t pattern; /* enum sb_pattern */
	uint64_t seed;
	struct sb_slice text; /* of SB_PATTERN_TEXT; lives in the line or, for a file, with the caller */
	struct sb_wrap wrap;
};

enum sb_pattern { SB_PATTERN_CHARGEN, SB_PATTERN_ZERO, SB_PATTERN_RANDOM, SB_PATTERN_TEXT };

/* A file the operator has given: its name and all its bytes, which stay his. */
struct sb_file {
	struct sb_slice name, bytes;
};

/* What a service may look at while it reads its line. */
struct sb_service_in {
	const struct sb_line *line;
	unsigned without; /* groups of keys that do not apply where the line was said */
	const struct sb_framing *framing;
	const struct sb_file *files;
	size_t files_n;
	uint64_t seed;      /* what pattern=random uses when the line has no seed */
	uint64_t bytes_max; /* the most a line may ask for */
	uint8_t *scratch;   /* SB_FRAME_MAX bytes */
};

struct sb_service {
	const char *name, *help;
	unsigned groups;
	const struct sb_service_ops *ops;
};

struct sb_service_ops {
	enum sb_route route;
	bool is_source; /* what it sends is made, not what came */
	bool is_script; /* its steps say what it sends and what it takes: core/steps.h */
	/* For a source: reads the line. 0, or < 0 with *fault. */
	int (*setup)(struct sb_source *source, const struct sb_service_in *in, struct sb_fault *fault);
};

/* The i-th row of services.def, or NULL after the last. */
const struct sb_service *sb_service_at(size_t i);

/* What serves while the steps of a line run, whichever service they follow. */
extern const struct sb_service_ops sb_service_script;

/* The service of this name, or NULL with *fault naming the nearest of all verbs. */
const struct sb_service *sb_service_named(struct sb_slice name, uint32_t col, struct sb_fault *fault);

/* The i-th verb that a line may begin with, services first, then those of verbs.def, for sb_nearest(); list is not
 * used. */
const char *sb_verb_name_at(const void *list, size_t i);

/* sb_line_parse() has returned err. When it refuses the line, and its verb is none either (a service, or a control verb
 * where these are taken), what is said is that, for it stands further left: "LISTN ECHO". Returns err, or
 * SB_E_UNKNOWN. */
int sb_verb_first(const struct sb_line *line, bool is_control_taken, int err, struct sb_fault *fault);

/* ---- what a source sends ---- */

/* Bytes of one message, its framing included. */
uint64_t sb_source_period(const struct sb_source *source);

/* Bytes of the whole stream, UINT64_MAX when it does not end. */
uint64_t sb_source_size(const struct sb_source *source);

/* Writes bytes offset .. offset + n of the stream; n is no more than is left of it. */
void sb_source_fill(const struct sb_source *source, uint64_t offset, uint8_t *out, size_t n);

/* Writes len bytes of payload i. */
void sb_source_payload(const struct sb_source *source, uint64_t i, uint64_t from, uint8_t *out, size_t n);

/* Reads len, count, pattern, seed and file, and checks that the framing carries the payload. */
int sb_source_setup(struct sb_source *source, const struct sb_service_in *in, struct sb_fault *fault);

#endif
