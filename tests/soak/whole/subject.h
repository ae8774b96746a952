/* SPDX-License-Identifier: MIT */
/* What the parts of whole.c share: the poller, and how each source is told from its former self. */
#ifndef TESTS_SOAK_SUBJECT_H
#define TESTS_SOAK_SUBJECT_H

#include "../../backends.h"
#include "../../tools.h"

#include "backend/backend.h"

enum kind { STREAM = 1, TIMER, CHANNEL, POST, WAKER, COUNTED, MERGED, CHILD };

static const plx__backend *backend;
static plx_poller *poller;
static plx_registry *registry;
static uint64_t waits; /* so far: what changed since the last one may still be in its events */
static atomic_bool over;

/* A source that ends and begins anew has another generation in its token. */
static plx_token token_of(enum kind kind, uint32_t generation, uint32_t index)
{
    return plx_token_pack(generation << 4 | (uint32_t)kind, index);
}

static enum kind kind_of(plx_token token)
{
    return (enum kind)(plx_token_kind(token) & 15);
}

#endif
