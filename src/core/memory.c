/* SPDX-License-Identifier: MIT */
/* Memory from the poller's allocator, by default malloc and friends. */
#include "os/config.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

static void *memory_allocate(void *context, size_t size)
{
    (void)context;
    int saved = errno; /* it is the caller's */
    void *pointer = malloc(size);
    errno = saved;
    return pointer;
}

static void *memory_reallocate(void *context, void *pointer, size_t size)
{
    (void)context;
    int saved = errno;
    void *moved = realloc(pointer, size);
    errno = saved;
    return moved;
}

static void memory_release(void *context, void *pointer)
{
    (void)context;
    int saved = errno; /* older C libraries change it */
    free(pointer);
    errno = saved;
}

const plx_allocator plx__memory_default = {
    .allocate = memory_allocate,
    .reallocate = memory_reallocate,
    .release = memory_release,
};

void *plx__memory_get(const plx_allocator *memory, size_t size)
{
    void *pointer = memory->allocate(memory->context, size);

    if (pointer)
        memset(pointer, 0, size);
    return pointer;
}

void *plx__memory_resize(const plx_allocator *memory, void *pointer, size_t size)
{
    return pointer ? memory->reallocate(memory->context, pointer, size) : memory->allocate(memory->context, size);
}

void plx__memory_put(const plx_allocator *memory, void *pointer)
{
    if (pointer)
        memory->release(memory->context, pointer);
}
