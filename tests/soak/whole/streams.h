/* SPDX-License-Identifier: MIT */
/*
 * Pipes and socket pairs, kept full. Byte number n of each is a function of n, so what is read
 * must go on where the last read ended. Their writers close them now and then; whoever reads the
 * end must have had every byte, and opens others in their place.
 */
#ifndef TESTS_SOAK_STREAMS_H
#define TESTS_SOAK_STREAMS_H

#include "subject.h"

enum { PATTERN = 251, PORTION = 512, ROOM = 4096, MOST_AT_ONCE = 16 };

struct stream {
    pthread_mutex_t lock; /* of what the writers use */
    int write;            /* -1: closed, the end is to come */
    uint64_t written;
    int read;
    uint64_t taken;
    uint32_t generation, mode;
};

static struct stream *streams;
static uint32_t stream_count;
static unsigned char pattern[PATTERN + PORTION];
static atomic_uint_fast64_t bytes_taken, streams_ended, streams_full;

static void stream_open(struct stream *self)
{
    int ends[2], number = (int)(self - streams);

    if (number % 2) {
        open_pair(ends);
        CHECK(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &(int){ROOM}, sizeof(int)) == 0);
    } else {
        CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
        CHECK(fcntl(ends[1], F_SETPIPE_SZ, ROOM) >= 0);
    }
    self->generation++;
    self->mode = (uint32_t[]){PLX_LEVEL, PLX_ONESHOT, backend->modes & PLX_EDGE}[self->generation % 3];
    self->read = ends[0];
    self->taken = 0;
    CHECK_RC(plx_register(registry, self->read, token_of(STREAM, self->generation, (uint32_t)number),
                          PLX_READABLE | self->mode), 0);
    pthread_mutex_lock(&self->lock);
    self->write = ends[1];
    self->written = 0;
    pthread_mutex_unlock(&self->lock);
}

static void streams_open(uint32_t count)
{
    for (int i = 0; i < (int)sizeof pattern; i++)
        pattern[i] = (unsigned char)(i % PATTERN);
    stream_count = count;
    CHECK((streams = calloc(count, sizeof *streams)) != NULL);
    for (uint32_t i = 0; i < count; i++) {
        streams[i] = (struct stream){.lock = PTHREAD_MUTEX_INITIALIZER, .generation = i / 2};
        stream_open(&streams[i]);
    }
}

/* Any thread. Whether there was something to do. */
static bool stream_feed(struct stream *self, random_state *random)
{
    ssize_t count = 0;

    if (pthread_mutex_trylock(&self->lock) != 0)
        return false;
    if (self->write >= 0) {
        count = write(self->write, pattern + self->written % PATTERN, 1 + random_below(random, PORTION));
        CHECK(count > 0 || errno == EAGAIN);
        if (count > 0)
            self->written += (uint64_t)count;
        else
            streams_full++;
        if (random_below(random, 10000) == 0) {
            close_fd(self->write);
            self->write = -1;
        }
    }
    pthread_mutex_unlock(&self->lock);
    return count > 0;
}

/* A little of it; 0 at the end, -1 when there is nothing. */
static ssize_t stream_take(struct stream *self)
{
    unsigned char bytes[PORTION];
    ssize_t count = read(self->read, bytes, sizeof bytes);

    CHECK(count >= 0 || errno == EAGAIN);
    if (count > 0) {
        CHECK(memcmp(bytes, pattern + self->taken % PATTERN, (size_t)count) == 0);
        self->taken += (uint64_t)count;
        bytes_taken += (uint64_t)count;
    }
    return count;
}

static void stream_end(struct stream *self)
{
    pthread_mutex_lock(&self->lock);
    CHECK_EQ(self->write, -1);
    CHECK_EQ(self->taken, self->written);
    pthread_mutex_unlock(&self->lock);
    CHECK_RC(plx_deregister(registry, self->read), 0);
    close_fd(self->read);
    streams_ended++;
}

static void stream_event(const plx_event *event)
{
    struct stream *self = &streams[plx_token_index(event->token)];

    CHECK_EQ(event->token, token_of(STREAM, self->generation, plx_token_index(event->token)));
    CHECK(event->flags & PLX_READABLE);
    ssize_t count = stream_take(self);
    for (int i = 1; self->mode == PLX_EDGE && count > 0 && i < MOST_AT_ONCE; i++)
        count = stream_take(self);
    if (count == 0) {
        stream_end(self);
        stream_open(self);
    } else if (self->mode == PLX_ONESHOT && self->taken % 2) {
        CHECK_RC(plx_enable(registry, self->read, PLX_READABLE), 0);
    } else if (self->mode == PLX_ONESHOT || (self->mode == PLX_EDGE && count > 0)) {
        CHECK_RC(plx_reregister(registry, self->read, event->token, PLX_READABLE | self->mode), 0);
    }
}

/* How many have something that was not taken. No writer is left. */
static uint32_t streams_owed(void)
{
    uint32_t owed = 0;

    for (uint32_t i = 0; i < stream_count; i++)
        owed += streams[i].taken != streams[i].written || streams[i].write < 0;
    return owed;
}

static void streams_close(void)
{
    for (uint32_t i = 0; i < stream_count; i++) {
        close_fd(streams[i].write);
        streams[i].write = -1;
        stream_end(&streams[i]);
    }
    free(streams);
}

#endif
