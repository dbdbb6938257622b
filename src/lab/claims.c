/* SPDX-License-Identifier: MIT
 * What the lecture notes claim. See lab.h. */
#include "lab/lab.h"

static const struct {
	const char *id, *notes, *claim, *page;
	void (*run)(struct lab *lab);
} claims[] = {
#define LAB_CLAIM(id, notes, claim, function) {id, notes, claim, NULL, function},
#define LAB_EXPLAINED(id, notes, claim, page) {id, notes, claim, page, NULL},
#include "lab/claims.def"
#undef LAB_CLAIM
#undef LAB_EXPLAINED
};

int lab_claim_at(size_t i, struct lab_claim *claim)
{
	const struct lab_row *row = NULL;

	if (i >= sizeof(claims) / sizeof(claims[0]))
		return -1;
	for (size_t k = 0; claims[i].run && (row = lab_row_at(k)) != NULL && row->run != claims[i].run;)
		k++;
	*claim = (struct lab_claim){claims[i].id, claims[i].notes, claims[i].claim, row, claims[i].page};
	return 0;
}
