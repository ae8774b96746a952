/* SPDX-License-Identifier: MIT */
/* A hash table of names with owners; chained, FNV-1a over the owner's bytes and the text. */
#include "os/config.h"

#include "core/memory.h"
#include "source/names.h"

#include <string.h>

enum { NAMES_SIZE = 16 };

static uint64_t names_mix(uint64_t hash, const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t names_hash(uint64_t owner, const char *text, size_t length)
{
    uint64_t hash = names_mix(UINT64_C(0xcbf29ce484222325), &owner, sizeof owner);

    hash = names_mix(hash, text, length);
    return hash ^ hash >> 32;
}

int plx__names_init(plx__names *names, const plx_allocator *memory)
{
    names->memory = memory;
    names->buckets = plx__memory_get(memory, NAMES_SIZE * sizeof(plx__name *));
    names->size = names->buckets ? NAMES_SIZE : 0;
    names->count = 0;
    return names->buckets ? 0 : -ENOMEM;
}

void plx__names_fini(plx__names *names)
{
    plx__memory_put(names->memory, names->buckets);
}

static plx__name **names_bucket(const plx__names *names, uint64_t hash)
{
    return &names->buckets[hash & (names->size - 1)];
}

plx__name *plx__names_find(const plx__names *names, uint64_t owner, const char *text, size_t length)
{
    uint64_t hash = names_hash(owner, text, length);
    plx__name *name = *names_bucket(names, hash);

    while (name && !(name->hash == hash && name->owner == owner && name->length == length &&
                     memcmp(name->text, text, length) == 0))
        name = name->next;
    return name;
}

static void names_grow(plx__names *names)
{
    plx__names larger = {.size = names->size * 2};

    larger.buckets = plx__memory_get(names->memory, larger.size * sizeof(plx__name *));
    if (!larger.buckets)
        return;
    for (size_t i = 0; i < names->size; i++)
        while (names->buckets[i]) {
            plx__name *name = names->buckets[i];
            names->buckets[i] = name->next;
            plx__name **bucket = names_bucket(&larger, name->hash);
            name->next = *bucket;
            *bucket = name;
        }
    plx__name **smaller = names->buckets;
    names->buckets = larger.buckets;
    names->size = larger.size;
    plx__memory_put(names->memory, smaller);
}

void plx__names_add(plx__names *names, plx__name *name, uint64_t owner, const char *text, size_t length)
{
    if (names->count >= names->size)
        names_grow(names);
    *name = (plx__name){.hash = names_hash(owner, text, length), .owner = owner, .text = text, .length = length};
    plx__name **bucket = names_bucket(names, name->hash);
    name->next = *bucket;
    *bucket = name;
    names->count++;
}

void plx__names_remove(plx__names *names, plx__name *name)
{
    plx__name **place = names_bucket(names, name->hash);

    while (*place != name)
        place = &(*place)->next;
    *place = name->next;
    names->count--;
}
