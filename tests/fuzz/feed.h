/* SPDX-License-Identifier: MIT */
/* What a target takes from its fuzzer's bytes, and how it tells that something is not so. */
#ifndef TESTS_FUZZ_FEED_H
#define TESTS_FUZZ_FEED_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* A fuzzer keeps what led to an abort. */
#define AGREE(condition)                                                                   \
    ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition), abort()))

struct feed {
    const uint8_t *bytes;
    size_t left;
};

/* Beyond the end there are zeros. */
static inline unsigned feed_byte(struct feed *feed)
{
    if (feed->left == 0)
        return 0;
    feed->left--;
    return *feed->bytes++;
}

#endif
