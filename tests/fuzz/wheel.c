/* SPDX-License-Identifier: MIT */
/*
 * The timing wheel against its oracle, driven by a fuzzer's bytes. Without libFuzzer it
 * replays files: wheel FILE...
 */
#include "os/config.h"

#include <stdio.h>
#include <stdlib.h>

/* A fuzzer keeps what led to an abort. */
#define AGREE(condition)                                                                   \
    ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition), abort()))

#include "../unit/wheel_oracle.h"
#include "files.h"

#include "core/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static oracle all;
    feed source = {.bytes = bytes, .left = size};

    oracle_begin(&all, &source, &plx__memory_default);
    while (source.left > 0)
        oracle_step(&all);
    oracle_end(&all);
    return 0;
}
