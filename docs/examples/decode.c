/* SPDX-License-Identifier: MIT
 * Cuts a stream into messages with libstreambed, however the bytes arrive; then frames one. */
#include <stdio.h>
#include <stdlib.h>
#include <streambed.h>
#include <string.h>

int main(void)
{
	const char *framing = "frame=u32be max=64k", *parts[] = {"\0\0", "\0\5hel", "lo\0\0\0\3ab", "c"};
	const size_t sizes[] = {2, 5, 8, 1};
	struct sb_fault fault;
	struct sb_decoder *d;
	struct sb_frame frame;
	struct sb_wrap wrap;
	long size = sb_decoder_size(framing, &fault);
	void *mem = size > 0 ? malloc((size_t)size) : NULL;

	if (!mem || sb_decoder_init(&d, mem, (size_t)size, framing, &fault) < 0) {
		fprintf(stderr, "%s\n", size < 0 ? fault.text : "no memory");
		return 1;
	}
	for (size_t i = 0; i < 4; i++) {
		struct sb_slice in = {.p = (const uint8_t *)parts[i], .n = sizes[i]};
		int found;

		while ((found = sb_decoder_next(d, &in, &frame, 1)) > 0)
			printf("message of %u bytes: %.*s\n", frame.n, (int)frame.n, (const char *)frame.p);
		if (found < 0)
			printf("broken at %llu: %s\n", (unsigned long long)sb_decoder_offset(d), sb_strerror(found));
	}
	if (sb_decoder_end(d) < 0 || sb_encode(d, (struct sb_slice){.p = (const uint8_t *)"hi", .n = 2}, &wrap) < 0)
		return 1;
	printf("\"hi\" goes out behind a head of %u bytes\n", wrap.head_n);
	free(mem);
	return 0;
}
