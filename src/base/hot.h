/* SPDX-License-Identifier: MIT */
#ifndef CR__BASE_HOT_H
#define CR__BASE_HOT_H

/*
 * For what each birth, death and suspension goes through: inline, however large the compiler finds
 * it. With a call in between, everything around must be saved and fetched again.
 */
#define CR__HOT inline __attribute__((always_inline))

#endif
