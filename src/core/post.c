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

static void post_append(plx_registry *registry, plx__post *post)
{
    plx__posts *posts = &registry->posts;

    plx__lock_take(&registry->ready.lock);
    if (posts->first)
        posts->last->next = post;
    else
        posts->first = post;
    posts->last = post;
    plx__lock_drop(&registry->ready.lock);
}

/* Takes a post back; false if a waiter has had it. */
static bool post_withdraw(plx_registry *registry, const plx__post *post)
{
    plx__posts *posts = &registry->posts;
    plx__post *before = NULL;

    plx__lock_take(&registry->ready.lock);
    plx__post *found = posts->first;
    while (found && found != post) {
        before = found;
        found = found->next;
    }
    if (found) {
        *(before ? &before->next : &posts->first) = found->next;
        if (posts->last == found)
            posts->last = before;
    }
    plx__lock_drop(&registry->ready.lock);
    return found != NULL;
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
    post_append(registry, post);
    if (plx__source_claim(&registry->posts.source))
        plx__ready_push(&registry->ready, &registry->posts.source);
    rc = plx__wake_send(registry);
    if (rc < 0) {
        if (!post_withdraw(registry, post))
            return 0;
        plx__memory_put(&registry->memory, post);
    }
    return rc;
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
