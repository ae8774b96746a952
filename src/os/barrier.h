/* SPDX-License-Identifier: MIT */
/*
 * A memory barrier that one thread makes for all: between two threads of which one acts far
 * more often, it pays for both. Linux has it as membarrier(2), PRIVATE_EXPEDITED,
 * Windows as FlushProcessWriteBuffers.
 */
#ifndef PLX__BARRIER_H
#define PLX__BARRIER_H

#include <stdbool.h>

/* Prepares the process for it, once or often. False where there is none. */
bool plx__barrier_prepare(void);

/*
 * When it returns, every thread of the process has passed a full memory barrier since the
 * call. False if the kernel refused (a sandbox that closed after the preparation): then it
 * took a millisecond, which no store stays in a processor's buffer for, and is not to be
 * relied on again.
 */
bool plx__barrier_all(void);

#endif
