/* SPDX-License-Identifier: MIT */
/* Tokens: their range, the helpers, and how a batch of events is blanked. */
#include "support.h"

CASE(token_helpers_go_there_and_back)
{
    int here = 0;
    CHECK(plx_token_ptr(plx_token_from_ptr(&here)) == &here);
    CHECK(plx_token_ptr(plx_token_from_ptr(NULL)) == NULL);
    CHECK(plx_token_from_ptr(&here) <= PLX_TOKEN_MAX);
    CHECK_EQ(plx_token_pack(0, 0), 0);
    CHECK_EQ(plx_token_pack(1, 0), (intmax_t)1 << 32);
    CHECK_EQ(plx_token_pack(0, 0xffffffffu), 0xffffffffu);
    CHECK_EQ(plx_token_pack(0x7fffffffu, 0xffffffffu), PLX_TOKEN_MAX);
    CHECK_EQ(plx_token_pack(0x80000003u, 9), plx_token_pack(3, 9));
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t kind = (i * 0x01234567u) & 0x7fffffffu, index = i * 0x89abcdefu;
        CHECK_EQ(plx_token_kind(plx_token_pack(kind, index)), kind);
        CHECK_EQ(plx_token_index(plx_token_pack(kind, index)), index);
    }
}

CASE(smallest_and_largest_tokens_come_back)
{
    static const plx_token tokens[] = {0, 1, 0xffffffffu, 0x100000000u, PLX_TOKEN_MAX - 1,
                                       PLX_TOKEN_MAX};
    plx_fd ends[2];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_stream(ends);
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        plx_waker *waker;
        CHECK_RC(plx_register(registry, ends[0], tokens[i], PLX_WRITABLE), 0);
        EXPECT(poller, tokens[i], PLX_WRITABLE);
        CHECK_RC(plx_deregister(registry, ends[0]), 0);
        CHECK_RC(plx_post(registry, tokens[i], 0), 0);
        EXPECT(poller, tokens[i], PLX_POST);
        CHECK_RC(plx_waker_open(registry, tokens[i], &waker), 0);
        CHECK_RC(plx_waker_wake(waker), 0);
        EXPECT(poller, tokens[i], PLX_WAKER);
        plx_waker_release(waker);
    }
    plx_poller_close(poller);
    close_pair(ends);
}

CASE(tokens_above_the_maximum_are_einval)
{
    static const plx_token tokens[] = {PLX_TOKEN_MAX + 1, UINT64_MAX, UINT64_MAX - 1};
    plx_fd ends[2];
    plx_token kept = 0;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_stream(ends);
    CHECK_RC(plx_register(registry, ends[1], 5, PLX_READABLE), 0);
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        plx_waker *mark = (plx_waker *)(void *)poller, *waker = mark;
        CHECK_RC(plx_register(registry, ends[0], tokens[i], PLX_WRITABLE), -EINVAL);
        CHECK_RC(plx_lookup(registry, ends[0], NULL, NULL), -ENOENT);
        CHECK_RC(plx_reregister(registry, ends[1], tokens[i], PLX_WRITABLE), -EINVAL);
        CHECK_RC(plx_post(registry, tokens[i], 0), -EINVAL);
        CHECK_RC(plx_waker_open(registry, tokens[i], &waker), -EINVAL);
        CHECK(waker == mark);
    }
    CHECK_RC(plx_lookup(registry, ends[1], &kept, NULL), 0);
    CHECK_EQ(kept, 5);
    CHECK_EQ(stats_of(poller).registered, 1);
    EXPECT_SILENCE(poller, 0);
    plx_poller_close(poller);
    close_pair(ends);
}

CASE(several_sources_may_share_a_token)
{
    plx_fd first[2], second[2];
    plx_event events[8];
    plx_waker *waker;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_stream(first);
    open_stream(second);
    CHECK_RC(plx_register(registry, first[0], 7, PLX_WRITABLE), 0);
    CHECK_RC(plx_register(registry, second[0], 7, PLX_WRITABLE), 0);
    CHECK_RC(plx_waker_open(registry, 7, &waker), 0);
    CHECK_RC(plx_waker_wake(waker), 0);
    CHECK_RC(plx_post(registry, 7, 1), 0);
    CHECK_EQ(plx_poller_wait(poller, events, 8, PATIENCE), 4);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(events[i].token, 7);
    CHECK_RC(plx_deregister(registry, first[0]), 0);
    EXPECT(poller, 7, PLX_WRITABLE); /* of the second */
    plx_waker_release(waker);
    plx_poller_close(poller);
    close_pair(first);
    close_pair(second);
}

/* A descriptor, a waker and a post of the same number are three sources. */
CASE(kinds_of_one_number_stay_apart)
{
    plx_fd ends[2];
    plx_event events[8];
    plx_waker *waker;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_stream(ends);
    plx_token token = (plx_token)ends[0];
    CHECK_RC(plx_register(registry, ends[0], token, PLX_WRITABLE | PLX_ONESHOT), 0);
    CHECK_RC(plx_waker_open(registry, token, &waker), 0);
    CHECK_RC(plx_waker_wake(waker), 0);
    CHECK_RC(plx_post(registry, token, 0), 0);
    plx_waker_release(waker);
    CHECK_EQ(plx_poller_wait(poller, events, 8, PATIENCE), 2);
    CHECK_EQ(events[0].flags | events[1].flags, PLX_WRITABLE | PLX_POST);
    CHECK_RC(plx_post(registry, token, 0), 0);
    CHECK_RC(plx_deregister(registry, ends[0]), 0);
    EXPECT(poller, token, PLX_POST);
    plx_poller_close(poller);
    close_pair(ends);
}

/* ---- New tokens ---------------------------------------------------------------------- */

enum { TOKEN_THREADS = 4, TOKENS_EACH = 2000 };

typedef struct taker {
    plx_registry *registry;
    plx_token     taken[TOKENS_EACH];
    test_thread  *thread;
} taker;

static void take_tokens(void *argument)
{
    taker *self = argument;
    for (int i = 0; i < TOKENS_EACH; i++)
        self->taken[i] = plx_registry_new_token(self->registry);
}

CASE(new_tokens_count_from_one)
{
    plx_poller *first = open_poller(), *second = open_poller();
    for (plx_token expected = 1; expected < 100; expected++)
        CHECK_EQ(plx_registry_new_token(plx_poller_registry(first)), expected);
    CHECK_EQ(plx_registry_new_token(plx_poller_registry(second)), 1);
    plx_poller_close(first);
    plx_poller_close(second);
}

CASE(new_tokens_are_never_given_twice)
{
    enum { TOTAL = TOKEN_THREADS * TOKENS_EACH };
    static taker takers[TOKEN_THREADS];
    static bool seen[TOTAL + 1];
    plx_poller *poller = open_poller();
    for (int i = 0; i < TOKEN_THREADS; i++) {
        takers[i].registry = plx_poller_registry(poller);
        takers[i].thread = thread_start(take_tokens, &takers[i]);
    }
    for (int i = 0; i < TOKEN_THREADS; i++) {
        thread_join(takers[i].thread);
        for (int k = 0; k < TOKENS_EACH; k++) {
            plx_token token = takers[i].taken[k];
            CHECK(token >= 1 && token <= TOTAL && !seen[token]);
            CHECK(k == 0 || token > takers[i].taken[k - 1]);
            seen[token] = true;
        }
    }
    plx_poller_close(poller);
}

/* ---- A harvested batch ------------------------------------------------------------------ */

CASE(events_forget_blanks_one_token_only)
{
    plx_event events[6], before[6];
    for (int i = 0; i < 6; i++)
        events[i] = (plx_event){(plx_token)(i % 3), PLX_READABLE, 17, (uint64_t)i};
    memcpy(before, events, sizeof events);
    plx_events_forget(events + 1, 4, 1); /* events 1 and 4 have this token */
    for (int i = 0; i < 6; i++) {
        bool blank = i == 1 || i == 4;
        CHECK_EQ(events[i].token, blank ? 0 : before[i].token);
        CHECK_EQ(events[i].flags, blank ? 0 : before[i].flags);
        CHECK_EQ(events[i].native, blank ? 0 : before[i].native);
        CHECK_EQ(events[i].data, blank ? 0 : before[i].data);
    }
    memcpy(events, before, sizeof events);
    plx_events_forget(events, 0, 1);
    plx_events_forget(events, 6, 99);
    plx_events_forget(events + 5, 1, 1); /* its token is 2 */
    CHECK(memcmp(events, before, sizeof events) == 0);
    plx_events_forget(events, 6, 0);
    CHECK(events[0].flags == 0 && events[3].flags == 0 && events[1].flags != 0);
}
