/* SPDX-License-Identifier: MIT
 * base/crc32.h: as zlib has it. The sums are those of Python's zlib.crc32(). */
#include "check.h"

#include "base/crc32.h"

static void as_zlib_has_it(void **state)
{
	static const struct {
		const char *text;
		uint32_t crc;
	} rows[] = {
		{"", 0},
		{"a", 0xe8b7be43},
		{"123456789", 0xcbf43926}, /* the check value of its catalogues */
		{"The quick brown fox jumps over the lazy dog", 0x414fa339},
		{"\xff\xff\xff\xff", 0xffffffff},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(sb_crc32(0, sb_slice_cstr(rows[i].text)), rows[i].crc);
}

/* Each byte by itself: zlib.crc32(bytes(range(256))). */
static void every_byte_in_any_parts(void **state)
{
	uint8_t all[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	assert_int_equal(sb_crc32(0, sb_slice(all, 256)), 0x29058c73);
	for (size_t n = 0; n <= 256; n++)
		assert_int_equal(sb_crc32(sb_crc32(0, sb_slice(all, n)), sb_slice(all + n, 256 - n)), 0x29058c73);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_zlib_has_it),
		cmocka_unit_test(every_byte_in_any_parts),
	};

	return cmocka_run_group_tests_name("crc32", tests, NULL, NULL);
}
