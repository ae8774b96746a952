/* SPDX-License-Identifier: MIT */
/*
 * Posts and notifies. The posts are one source on the ready queue, so that a flood of them
 * takes turns with the wakers; the list behind it is guarded by the ready queue's lock.
 */
#include "os/config.h"

#include "core/core.h"
#include "core/memory.h"

struct plx__post {
    plx__post *next;
    plx_token token;
    uint64_t data;
    uint64_t serial;
};

static plx__taken post_take(plx__source *source, plx_event *event)
{
    plx__posts *posts = (plx__posts *)source;

    plx__source_unclaim(source);
    plx__post *post = posts->first;
    if (!post)
        return PLX__TOOK_NOTHING;
    *event = (plx_event){.token = post->token, .flags = PLX_POST, .data = post->data};
    posts->first = post->next;
    plx__memory_put(posts->memory, post);
    return posts->first && plx__source_claim(source) ? PLX__TOOK_ONE : PLX__TOOK_ALL;
}

static void post_drop(plx__source *source)
{
    (void)source;
}

static const plx__source_kind post_kind = {.take = post_take, .drop = post_drop, .repeats = true};

void plx__posts_init(plx__posts *posts, const plx_allocator *memory)
{
    posts->source.kind = &post_kind;
    posts->memory = memory;
}

void plx__posts_fini(plx__posts *posts)
{
    while (posts->first) {
        plx__post *next = posts->first->next;
        plx__memory_put(posts->memory, posts->first);
        posts->first = next;
    }
}

/* The post's serial number. */
static uint64_t post_append(plx_registry *registry, plx__post *post)
{
    plx__posts *posts = &registry->posts;

    plx__lock_take(&registry->ready.lock);
    uint64_t serial = post->serial = ++posts->serials;
    if (posts->first)
        posts->last->next = post;
    else
        posts->first = post;
    posts->last = post;
    plx__lock_drop(&registry->ready.lock);
    return serial;
}

/* Takes a post back, by its number: a waiter may have had it, and its memory be another's. */
static plx__post *post_withdraw(plx_registry *registry, uint64_t serial)
{
    plx__posts *posts = &registry->posts;
    plx__post *before = NULL;

    plx__lock_take(&registry->ready.lock);
    plx__post *found = posts->first;
    while (found && found->serial != serial) {
        before = found;
        found = found->next;
    }
    if (found) {
        *(before ? &before->next : &posts->first) = found->next;
        if (posts->last == found)
            posts->last = before;
    }
    plx__lock_drop(&registry->ready.lock);
    return found;
}

int plx_post(plx_registry *registry, plx_token token, uint64_t data)
{
    int rc = plx__registry_check(registry);

    if (rc == 0 && token > PLX_TOKEN_MAX)
        rc = -EINVAL;
    if (rc < 0)
        return rc;
    plx__post *post = plx__memory_get(&registry->memory, sizeof *post);
    if (!post)
        return -ENOMEM;
    post->token = token;
    post->data = data;
    uint64_t serial = post_append(registry, post);
    if (plx__source_claim(&registry->posts.source))
        plx__ready_push(&registry->ready, &registry->posts.source);
    rc = plx__wake_send(registry);
    if (rc == 0)
        return 0;
    post = post_withdraw(registry, serial);
    plx__memory_put(&registry->memory, post);
    return post ? rc : 0;
}

int plx_notify(plx_registry *registry)
{
    int rc = plx__registry_check(registry);

    if (rc < 0)
        return rc;
    plx__wake_set(&registry->wake, PLX__NOTIFIED);
    rc = plx__wake_send(registry);
    if (rc < 0)
        plx__wake_clear(&registry->wake, PLX__NOTIFIED);
    return rc;
}
