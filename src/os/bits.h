/* SPDX-License-Identifier: MIT */
/* The highest and the lowest bit that is set, of a number that is not 0. */
#ifndef PLX__BITS_H
#define PLX__BITS_H

#include <stdint.h>

#if defined(__GNUC__)

static inline unsigned plx__highest_bit(uint64_t number)
{
    return 63u - (unsigned)__builtin_clzll(number);
}

static inline unsigned plx__lowest_bit(uint64_t number)
{
    return (unsigned)__builtin_ctzll(number);
}

#else

static inline unsigned plx__highest_bit(uint64_t number)
{
    unsigned bit = 0;

    for (unsigned half = 32; half; half /= 2)
        if (number >> half) {
            number >>= half;
            bit += half;
        }
    return bit;
}

static inline unsigned plx__lowest_bit(uint64_t number)
{
    return plx__highest_bit(number & (~number + 1));
}

#endif

#endif
