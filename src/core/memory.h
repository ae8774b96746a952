/* SPDX-License-Identifier: MIT */
/* Memory from the poller's allocator. */
#ifndef PLX__MEMORY_H
#define PLX__MEMORY_H

#include <pollux.h>

/* malloc and friends. */
extern const plx_allocator plx__memory_default;

/* `size` bytes of zeros, or NULL. */
void *plx__memory_get(const plx_allocator *memory, size_t size);
/* As realloc. A pointer of NULL is allocated, so that reallocate never sees one. */
void *plx__memory_resize(const plx_allocator *memory, void *pointer, size_t size);
/* NULL is ignored. */
void plx__memory_put(const plx_allocator *memory, void *pointer);

#endif
