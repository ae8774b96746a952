/* SPDX-License-Identifier: MIT */
/*
 * Channels against lists that are obviously right, driven by a fuzzer's bytes: what each call
 * returns, each message, and of every wait which events are owed and which are forbidden.
 * Without libFuzzer it replays files: channels FILE...
 */
#include "feed.h"
#include "files.h"

#include <pollux.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { CHANNELS = 6, LIST = 4096, LARGEST = 5000, SIZES = 9, BATCH = 40, UNBOUNDED = -1 };

static const size_t sizes[SIZES] = {0, 1, 3, 4, 8, 12, 64, 100, LARGEST};

/* What a channel should be. A message is its serial number, as far as its size goes. */
struct model {
    plx_sender *sender;     /* each reference is the same pointer; NULL: none is left */
    plx_receiver *receiver; /* NULL: closed, or never opened */
    int references;
    size_t size;
    int bound;
    uint32_t list[LIST]; /* a ring */
    unsigned first, count;
    bool told;  /* READ_CLOSED was reported */
    bool heard; /* in this wait */
};

static struct model models[CHANNELS];
static plx_poller *poller; /* NULL: closed */
static plx_registry *registry;
static uint32_t serials;

/* ---- Messages ------------------------------------------------------------------------- */

static void write_message(unsigned char *message, size_t size, uint32_t serial)
{
    memset(message, (int)(serial & 0xff), size);
    memcpy(message, &serial, size < sizeof serial ? size : sizeof serial);
}

static void agree_on_message(const unsigned char *message, size_t size, uint32_t serial)
{
    static unsigned char expected[LARGEST];

    write_message(expected, size, serial);
    AGREE(memcmp(message, expected, size) == 0);
}

/* ---- Operations ------------------------------------------------------------------------- */

static void do_open(struct model *model, struct feed *feed)
{
    size_t size = sizes[feed_byte(feed) % SIZES];
    unsigned kind = feed_byte(feed);
    int bound = kind % 4 == 0 ? 0 : kind % 2 ? UNBOUNDED : (int)(kind / 4 % 40) + 1;
    plx_token token = (plx_token)(model - models);

    if (model->sender || model->receiver)
        return;
    plx_sender *sender = NULL;
    plx_receiver *receiver = NULL;
    int rc = bound == UNBOUNDED ? plx_channel_open(registry, token, size, &sender, &receiver)
                                : plx_channel_open_bounded(registry, token, size, (size_t)bound, &sender, &receiver);
    AGREE(rc == (poller ? 0 : -PLX_ESHUTDOWN));
    AGREE((sender != NULL) == (rc == 0) && (receiver != NULL) == (rc == 0));
    if (rc == 0)
        *model = (struct model){.sender = sender, .receiver = receiver, .references = 1, .size = size, .bound = bound};
}

static bool full(const struct model *model)
{
    return model->bound != UNBOUNDED && model->count >= (unsigned)model->bound;
}

static void do_send(struct model *model, bool until)
{
    static unsigned char message[LARGEST];

    if (!model->sender || model->count == LIST)
        return;
    write_message(message, model->size, serials);
    const void *given = model->size ? message : NULL;
    int rc = until ? plx_sender_send_until(model->sender, given, 0) : plx_sender_try_send(model->sender, given);
    if (!poller)
        AGREE(rc == -PLX_ESHUTDOWN);
    else if (!model->receiver)
        AGREE(rc == -EPIPE);
    else if (full(model))
        AGREE(rc == (until ? -ETIMEDOUT : -EAGAIN));
    else
        AGREE(rc == 0);
    if (rc == 0)
        model->list[(model->first + model->count++) % LIST] = serials++;
}

static void do_recv(struct model *model, size_t most)
{
    static unsigned char messages[BATCH * LARGEST];

    if (!model->receiver)
        return;
    void *given = model->size ? messages : NULL;
    int rc = most == 1 ? plx_receiver_recv(model->receiver, given)
                       : plx_receiver_recv_many(model->receiver, given, most);
    if (model->count == 0 || most == 0) {
        AGREE(rc == (most == 0 ? -EINVAL : model->references == 0 ? -EPIPE : -EAGAIN));
        return;
    }
    int taken = most == 1 && rc == 0 ? 1 : rc;
    AGREE(taken == (int)(model->count < most ? model->count : most));
    for (int i = 0; i < taken; i++, model->count--, model->first++)
        agree_on_message(messages + (size_t)i * model->size, model->size, model->list[model->first % LIST]);
}

static void do_retain(struct model *model)
{
    if (model->sender) {
        AGREE(plx_sender_retain(model->sender) == model->sender);
        model->references++;
    }
}

static void do_release(struct model *model)
{
    if (!model->sender)
        return;
    plx_sender_release(model->sender);
    if (--model->references == 0)
        model->sender = NULL;
}

static void do_close(struct model *model)
{
    plx_receiver_close(model->receiver);
    model->receiver = NULL;
    model->count = 0;
}

/* Whether the next wait owes an event; if it does not, it must not give one. */
static bool owed(const struct model *model)
{
    return model->receiver && (model->count > 0 || (model->references == 0 && !model->told));
}

static void do_wait(int capacity)
{
    plx_event events[CHANNELS + 1];
    int owing = 0;

    if (!poller)
        return;
    for (int i = 0; i < CHANNELS; i++) {
        owing += owed(&models[i]);
        models[i].heard = false;
    }
    int count = plx_poller_wait(poller, events, capacity, 0);
    AGREE(count == (owing < capacity ? owing : capacity));
    for (int i = 0; i < count; i++) {
        AGREE(events[i].token < CHANNELS);
        struct model *model = &models[events[i].token];
        AGREE(!model->heard && owed(model));
        AGREE(events[i].flags == (PLX_CHANNEL | (model->references == 0 ? PLX_READ_CLOSED : 0)));
        AGREE(events[i].data == 0 && events[i].native == 0);
        model->heard = true;
        model->told = model->references == 0;
    }
}

static void do_step(struct feed *feed)
{
    unsigned operation = feed_byte(feed);
    struct model *model = &models[operation / 16 % CHANNELS];

    switch (operation % 16) {
    case 0: do_open(model, feed); break;
    case 1:
    case 2:
    case 3: do_send(model, false); break;
    case 4: do_send(model, true); break;
    case 5: /* many at once: blocks fill up */
        for (unsigned i = feed_byte(feed); i > 0; i--)
            do_send(model, i % 2);
        break;
    case 6:
    case 7: do_recv(model, 1); break;
    case 8: do_recv(model, feed_byte(feed) % (BATCH + 1)); break;
    case 9:
        for (unsigned i = feed_byte(feed); i > 0 && model->count > 0; i--)
            do_recv(model, 1 + i % BATCH);
        break;
    case 10: do_retain(model); break;
    case 11: do_release(model); break;
    case 12:
        if (operation / 16 >= CHANNELS)
            do_close(model);
        break;
    case 13: do_wait(1 + (int)(operation / 16 % 3)); break;
    case 14: do_wait(CHANNELS + 1); break;
    default:
        if (operation == 255 && feed_byte(feed) == 255) {
            plx_poller_close(poller);
            poller = NULL;
        }
    }
}

/* ---- A life -------------------------------------------------------------------------------- */

/* All that is owed comes, and all that is left can be taken. */
static void do_finish(void)
{
    do_wait(CHANNELS + 1);
    for (int i = 0; i < CHANNELS; i++)
        while (models[i].count > 0)
            do_recv(&models[i], BATCH);
    do_wait(CHANNELS + 1);
    do_wait(CHANNELS + 1);
    for (int i = 0; i < CHANNELS; i++) {
        while (models[i].sender)
            do_release(&models[i]);
        do_recv(&models[i], 1);
        if (i % 2)
            do_wait(CHANNELS + 1);
        do_close(&models[i]);
    }
    do_wait(CHANNELS + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct feed feed = {bytes, size};
    plx_options options = {.backend = feed_byte(&feed) % 2 ? PLX_BACKEND_POLL : PLX_BACKEND_AUTO};

    memset(models, 0, sizeof models);
    serials = 0;
    AGREE(plx_poller_open(&poller, &options) == 0);
    registry = plx_registry_retain(plx_poller_registry(poller));
    while (feed.left > 0)
        do_step(&feed);
    do_finish();
    plx_poller_close(poller);
    plx_registry_release(registry);
    return 0;
}
