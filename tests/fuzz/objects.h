/* SPDX-License-Identifier: MIT */
/*
 * Timers, posts, wakers and channels as they should be: an array of deadlines, a line of posts,
 * flags, and lines of messages.
 */
#ifndef TESTS_FUZZ_OBJECTS_H
#define TESTS_FUZZ_OBJECTS_H

#include "watches.h"

enum { TIMERS = 8, HANDLES = 512, POSTS = 64, WAKERS = 3, CHANNELS = 3, LINE = 32, UNBOUNDED = -1 };

/* ---- Timers ------------------------------------------------------------------------------ */

static struct timer {
    plx_timer handle; /* also of one that has ended */
    plx_token token;
    plx_nanos deadline; /* INT64_MAX: never */
    plx_nanos interval;
    bool live;
} timers[TIMERS];

static plx_nanos now;
static plx_timer handles[HANDLES]; /* all that were given out */
static int handle_count;
static int timers_passed;

static bool timer_is_due(const struct timer *timer)
{
    return timer->live && timer->deadline != INT64_MAX && timer->deadline <= now;
}

/* The first to come, or NULL. */
static struct timer *timers_due(void)
{
    struct timer *first = NULL;

    for (int i = 0; i < TIMERS; i++)
        if (timer_is_due(&timers[i]) && (!first || timers[i].deadline < first->deadline))
            first = &timers[i];
    return first;
}

static plx_nanos later(plx_nanos by)
{
    return by > INT64_MAX - now ? INT64_MAX : now + by;
}

static void timer_begin(struct timer *timer, plx_timer handle, plx_token token, plx_nanos deadline,
                        plx_nanos interval)
{
    AGREE(handle != 0);
    for (int i = 0; i < handle_count; i++)
        AGREE(handles[i] != handle);
    AGREE(handle_count < HANDLES);
    handles[handle_count++] = handle;
    *timer = (struct timer){
        .handle = handle,
        .token = token,
        .deadline = deadline == PLX_FOREVER ? INT64_MAX : deadline,
        .interval = interval,
        .live = true,
    };
}

/* Not in a place that is taken. */
static void do_timer_start(struct timer *timer, bool at, plx_nanos first, plx_nanos interval)
{
    plx_token token = token_new();
    plx_timer handle = 0;

    if (timer->live)
        return;
    int rc = at ? plx_timer_start_at(registry, token, first, interval, &handle)
                : plx_timer_start(registry, token, first, interval, &handle);
    trace("timer %d, token %d, %s %lld, every %lld: %d", (int)(timer - timers), (int)token, at ? "at" : "in",
          (long long)first, (long long)interval, rc);
    AGREE(rc == (interval < 0 || (!at && first < PLX_FOREVER) ? -EINVAL : 0));
    if (rc == 0)
        timer_begin(timer, handle, token, at || first == PLX_FOREVER ? first : later(first), interval);
}

static void do_timer_restart(struct timer *timer, plx_nanos first, plx_nanos interval)
{
    int rc = plx_timer_restart(registry, timer->handle, first, interval);

    trace("restart timer %d, in %lld, every %lld: %d", (int)(timer - timers), (long long)first,
          (long long)interval, rc);
    AGREE(rc == (interval < 0 || first < PLX_FOREVER ? -EINVAL : timer->live ? 0 : -ENOENT));
    if (rc == 0) {
        timer->deadline = first == PLX_FOREVER ? INT64_MAX : later(first);
        timer->interval = interval;
    }
}

static void do_timer_cancel(struct timer *timer)
{
    int rc = plx_timer_cancel(registry, timer->handle);

    trace("cancel timer %d: %d", (int)(timer - timers), rc);
    AGREE(rc == (timer->live ? 0 : -ENOENT));
    timer->live = false;
}

static void do_advance(plx_nanos by)
{
    int rc = plx_poller_advance(poller, by);

    trace("advance %lld: %d", (long long)by, rc);
    AGREE(rc == (by < 0 ? -EINVAL : 0));
    if (rc == 0)
        now = later(by);
    AGREE(plx_poller_now(poller) == now);
}

/* Unsigned, because a deadline may lie further back than a signed number goes. */
static void hear_timer(const plx_event *event)
{
    const struct timer *first = timers_due();
    int i = 0;

    while (i < TIMERS && !(timers[i].live && timers[i].token == event->token))
        i++;
    AGREE(i < TIMERS);
    struct timer *timer = &timers[i];
    AGREE(timer_is_due(timer) && timer->deadline == first->deadline);
    uint64_t late = (uint64_t)now - (uint64_t)timer->deadline;
    uint64_t interval = (uint64_t)timer->interval;
    AGREE(event->data == (interval ? late / interval + 1 : 1));
    timer->live = interval != 0;
    if (interval) {
        uint64_t ahead = interval - late % interval;
        timer->deadline = ahead > (uint64_t)(INT64_MAX - now) ? INT64_MAX : now + (plx_nanos)ahead;
    }
    timers_passed = 0;
}

/* ---- Posts --------------------------------------------------------------------------------- */

static struct {
    plx_token token;
    uint64_t data;
} posts[POSTS]; /* a ring */

static unsigned posts_first, posts_count;
static int posts_passed;

static void do_post(uint64_t data)
{
    plx_token token = token_new();

    if (posts_count == POSTS)
        return;
    trace("post, token %d", (int)token);
    AGREE(plx_post(registry, token, data) == 0);
    unsigned last = (posts_first + posts_count++) % POSTS;
    posts[last].token = token;
    posts[last].data = data;
}

static void hear_post(const plx_event *event)
{
    AGREE(posts_count > 0);
    AGREE(event->token == posts[posts_first].token && event->data == posts[posts_first].data);
    posts_first = (posts_first + 1) % POSTS;
    posts_count--;
    posts_passed = 0;
}

/* ---- Wakers -------------------------------------------------------------------------------- */

static struct waker {
    plx_waker *waker; /* each reference is the same pointer; NULL: none is left */
    plx_token token;
    int references;
    bool woken;
    int passed;
} wakers[WAKERS];

static void do_waker_open(struct waker *waker)
{
    plx_token token = token_new();

    if (waker->waker)
        return;
    *waker = (struct waker){.token = token, .references = 1};
    AGREE(plx_waker_open(registry, token, &waker->waker) == 0);
    trace("waker %d, token %d", (int)(waker - wakers), (int)token);
}

static void do_wake(struct waker *waker)
{
    if (!waker->waker)
        return;
    trace("wake %d", (int)(waker - wakers));
    AGREE(plx_waker_wake(waker->waker) == (poller ? 0 : -PLX_ESHUTDOWN));
    waker->woken |= poller != NULL;
}

static void do_waker_retain(struct waker *waker)
{
    if (waker->waker) {
        AGREE(plx_waker_retain(waker->waker) == waker->waker);
        waker->references++;
    }
}

static void do_waker_release(struct waker *waker)
{
    if (!waker->waker)
        return;
    trace("release waker %d", (int)(waker - wakers));
    plx_waker_release(waker->waker);
    if (--waker->references == 0)
        *waker = (struct waker){0};
}

static void hear_waker(const plx_event *event)
{
    int i = 0;

    while (i < WAKERS && !(wakers[i].waker && wakers[i].token == event->token))
        i++;
    AGREE(i < WAKERS && wakers[i].woken && event->data == 0);
    wakers[i].woken = false;
}

/* ---- Channels ------------------------------------------------------------------------------ */

static struct channel {
    plx_sender *sender;     /* each reference is the same pointer; NULL: none is left */
    plx_receiver *receiver; /* NULL: closed, or never opened */
    plx_token token;
    int references;
    int bound;
    uint32_t line[LINE]; /* a ring */
    unsigned first, count;
    bool ended; /* that the last sender is gone was told */
    bool heard; /* in this wait */
    bool told;  /* since somebody wanted to know */
    int passed;
} channels[CHANNELS];

static uint32_t serials;

static void do_channel_open(struct channel *channel, int bound)
{
    plx_token token = token_new();

    if (channel->sender || channel->receiver)
        return;
    *channel = (struct channel){.token = token, .references = 1, .bound = bound};
    int rc = bound == UNBOUNDED
                 ? plx_channel_open(registry, token, sizeof serials, &channel->sender, &channel->receiver)
                 : plx_channel_open_bounded(registry, token, sizeof serials, (size_t)bound, &channel->sender,
                                            &channel->receiver);
    trace("channel %d, token %d, bound %d: %d", (int)(channel - channels), (int)token, bound, rc);
    AGREE(rc == 0);
}

static void do_send(struct channel *channel, bool until)
{
    if (!channel->sender || channel->count == LINE)
        return;
    int rc = until ? plx_sender_send_until(channel->sender, &serials, 0)
                   : plx_sender_try_send(channel->sender, &serials);
    trace("send to %d: %d", (int)(channel - channels), rc);
    if (!poller)
        AGREE(rc == -PLX_ESHUTDOWN);
    else if (!channel->receiver)
        AGREE(rc == -EPIPE);
    else if (channel->bound != UNBOUNDED && channel->count >= (unsigned)channel->bound)
        AGREE(rc == (until ? -ETIMEDOUT : -EAGAIN));
    else
        AGREE(rc == 0);
    if (rc == 0)
        channel->line[(channel->first + channel->count++) % LINE] = serials++;
}

static void do_receive(struct channel *channel)
{
    uint32_t message = 0;

    if (!channel->receiver)
        return;
    int rc = plx_receiver_recv(channel->receiver, &message);
    trace("receive from %d: %d", (int)(channel - channels), rc);
    AGREE(rc == (channel->count ? 0 : channel->references ? -EAGAIN : -EPIPE));
    if (rc < 0)
        return;
    AGREE(message == channel->line[channel->first % LINE]);
    channel->first++;
    channel->count--;
}

static void do_sender_release(struct channel *channel)
{
    if (!channel->sender)
        return;
    trace("release sender %d", (int)(channel - channels));
    plx_sender_release(channel->sender);
    channel->references--;
    channel->sender = NULL;
}

static void do_receiver_close(struct channel *channel)
{
    trace("close receiver %d", (int)(channel - channels));
    plx_receiver_close(channel->receiver);
    channel->receiver = NULL;
    channel->count = 0;
}

static bool channel_owes(const struct channel *channel)
{
    return channel->receiver && (channel->count > 0 || (channel->references == 0 && !channel->ended));
}

static void hear_channel(const plx_event *event)
{
    int i = 0;

    while (i < CHANNELS && !(channels[i].receiver && channels[i].token == event->token))
        i++;
    AGREE(i < CHANNELS && event->data == 0);
    struct channel *channel = &channels[i];
    AGREE(!channel->heard && channel_owes(channel));
    AGREE(event->flags == (PLX_CHANNEL | (channel->references == 0 ? PLX_READ_CLOSED : 0)));
    channel->heard = channel->told = true;
    channel->ended = channel->references == 0;
}

/* ---- All of them in a wait ------------------------------------------------------------------- */

static void objects_begin(void)
{
    for (int i = 0; i < CHANNELS; i++)
        channels[i].heard = false;
}

/* Whether it is an event of one of these. */
static bool hear_object(const plx_event *event)
{
    uint32_t kind = event->flags & ~(uint32_t)PLX_READ_CLOSED;

    if (kind == PLX_CHANNEL)
        hear_channel(event);
    else if (event->flags == PLX_TIMER)
        hear_timer(event);
    else if (event->flags == PLX_POST)
        hear_post(event);
    else if (event->flags == PLX_WAKER)
        hear_waker(event);
    else
        return false;
    AGREE(event->native == 0);
    return true;
}

static void pass_by(bool owed, bool full, int *passed)
{
    if (owed)
        AGREE(full && ++*passed <= BOUND);
    else
        *passed = 0;
}

/* What is still owed had no place; and not for long. */
static void objects_end(bool full)
{
    pass_by(posts_count > 0, full, &posts_passed);
    pass_by(timers_due() != NULL, full, &timers_passed);
    for (int i = 0; i < WAKERS; i++)
        pass_by(wakers[i].woken, full, &wakers[i].passed);
    for (int i = 0; i < CHANNELS; i++)
        pass_by(channel_owes(&channels[i]) && !channels[i].heard, full, &channels[i].passed);
}

/* What programs have queued. */
static bool queue_owes(bool untold)
{
    for (int i = 0; i < WAKERS; i++)
        if (wakers[i].woken)
            return true;
    for (int i = 0; i < CHANNELS; i++)
        if (channel_owes(&channels[i]) && !(untold && channels[i].told))
            return true;
    return posts_count > 0;
}

static bool objects_owe(bool untold)
{
    return queue_owes(untold) || timers_due();
}

static uint64_t timers_live(void)
{
    uint64_t count = 0;

    for (int i = 0; i < TIMERS; i++)
        count += timers[i].live;
    return count;
}

#endif
