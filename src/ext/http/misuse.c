/* SPDX-License-Identifier: MIT */
#include "misuse.h"

#include <stdio.h>
#include <stdlib.h>

void cr__http_misuse(const char *message)
{
	fprintf(stderr, "corail: %s\n", message);
	abort();
}
