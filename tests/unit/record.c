/* SPDX-License-Identifier: MIT */
/*
 * The record of unread signals against a slow and obvious version of itself, and with
 * writers that are in threads, and in handlers that interrupt the writers.
 */
#include "os/config.h"

#include "../tools.h"

#include "source/record.h"

enum { SLOTS = PLX__RECORD_SLOTS };

static plx__record *make(void)
{
    plx__record *record = calloc(1, sizeof *record);

    CHECK(record != NULL);
    plx__record_init(record);
    return record;
}

static void set_positions(plx__record *record, uint32_t start)
{
    record->head = start;
    atomic_store(&record->tail, start);
    for (uint32_t i = 0; i < SLOTS; i++)
        atomic_store(&record->slot[(start + i) % SLOTS].turn, start + i);
}

/* ---- The oracle: a list of what is unread, oldest first ----------------------------------- */

struct oracle {
    plx_signal_info list[SLOTS + PLX__SIGNALS];
    bool in_slot[SLOTS + PLX__SIGNALS];
    int count, slots;
};

static void oracle_write(struct oracle *oracle, const plx_signal_info *info)
{
    bool fits = oracle->slots < SLOTS;

    for (int i = 0; !fits && i < oracle->count; i++)
        if (!oracle->in_slot[i] && oracle->list[i].number == info->number)
            return; /* one that merged stands for it */
    oracle->in_slot[oracle->count] = fits;
    oracle->list[oracle->count++] = *info;
    oracle->slots += fits;
}

static bool oracle_take(struct oracle *oracle, plx_signal_info *info)
{
    if (oracle->count == 0)
        return false;
    *info = oracle->list[0];
    oracle->slots -= oracle->in_slot[0];
    oracle->count--;
    memmove(&oracle->list[0], &oracle->list[1], (size_t)oracle->count * sizeof oracle->list[0]);
    memmove(&oracle->in_slot[0], &oracle->in_slot[1], (size_t)oracle->count * sizeof oracle->in_slot[0]);
    return true;
}

static void agrees_with_the_oracle(uint32_t start)
{
    random_state random = random_start();
    static struct oracle oracle;
    plx__record *record = make();

    oracle = (struct oracle){.count = 0};
    set_positions(record, start);
    for (int step = 0; step < ROUNDS(100000); step++) {
        bool fill = step / 4000 % 2 == 0; /* now it fills, now it empties */
        check_note("from %" PRIu32 ", step %d", start, step);
        if (random_below(&random, 10) < (fill ? 7u : 3u)) {
            plx_signal_info info = {.number = 1 + (int)random_below(&random, PLX__SIGNALS - 1), .status = step};
            plx__record_write(record, &info);
            oracle_write(&oracle, &info);
        } else {
            plx_signal_info expected = {0}, info = {0};
            int oldest = plx__record_oldest(record);
            bool some = oracle_take(&oracle, &expected);
            CHECK_EQ(plx__record_take(record, &info), some);
            CHECK(info.number == expected.number && info.status == expected.status && oldest == info.number);
        }
    }
    free(record);
}

/* ---- Writers at once ------------------------------------------------------------------------ */

enum { WRITERS = 3 };

static struct crowd {
    plx__record *record;
    atomic_int started, running;
    int each;
} crowd;

static _Thread_local int own_number;
static _Thread_local volatile int own_count;
static _Thread_local volatile sig_atomic_t own_interrupts;

static void write_one(int number, int status)
{
    plx_signal_info info = {.number = number, .status = status, .pid = status, .code = number};

    plx__record_write(crowd.record, &info);
}

/*
 * In the middle of a write, perhaps. Its numbers are the writer's plus WRITERS. Thread sanitizers
 * keep signals back, and may then deliver one in the handler of another.
 */
static void interrupt(int number)
{
    static _Thread_local volatile sig_atomic_t inside;
    int saved = errno;

    (void)number;
    if (!inside++)
        write_one(own_number + WRITERS, (int)++own_interrupts);
    inside--;
    errno = saved;
}

static void *writer(void *argument)
{
    sigset_t none;

    (void)argument;
    own_number = 1 + atomic_fetch_add(&crowd.started, 1);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    for (own_count = 1; own_count <= crowd.each; own_count++) {
        write_one(own_number, own_count);
        if (own_count % 16 == 0)
            raise(SIGUSR1);
    }
    atomic_fetch_sub(&crowd.running, 1);
    return NULL;
}

static void *pest(void *argument)
{
    const pthread_t *threads = argument;

    while (atomic_load(&crowd.running) > 0) {
        for (int k = 0; k < WRITERS; k++)
            pthread_kill(threads[k], SIGUSR1);
        sleep_for(PLX_USEC(20));
    }
    return NULL;
}

/* What one writer wrote comes in its order, each whole, none twice. */
static void check_in_order(int last[2 * WRITERS + 1], const plx_signal_info *info)
{
    CHECK(info->number >= 1 && info->number <= 2 * WRITERS);
    CHECK(info->code == info->number && info->pid == info->status);
    CHECK(info->status > last[info->number]);
    last[info->number] = info->status;
}

static void no_writer_is_lost(bool slow_reader)
{
    pthread_t threads[WRITERS], interrupter;
    int last[2 * WRITERS + 1] = {0};
    long read = 0;
    plx_signal_info info;

    crowd.record = make();
    set_positions(crowd.record, UINT32_MAX - 5000);
    crowd.each = ROUNDS(slow_reader ? 20000 : 80000);
    atomic_store(&crowd.started, 0);
    atomic_store(&crowd.running, WRITERS);
    for (int i = 0; i < WRITERS; i++)
        threads[i] = thread_start(writer, NULL);
    interrupter = thread_start(pest, threads);
    while (atomic_load(&crowd.running) > 0) {
        while (plx__record_take(crowd.record, &info)) {
            check_in_order(last, &info);
            read++;
        }
        if (slow_reader)
            sleep_for(PLX_USEC(300)); /* it fills, and they merge */
    }
    thread_join(interrupter);
    for (int i = 0; i < WRITERS; i++)
        thread_join(threads[i]);
    while (plx__record_take(crowd.record, &info)) {
        check_in_order(last, &info);
        read++;
    }
    CHECK_EQ(plx__record_oldest(crowd.record), 0);
    printf("%ld of %d and more were read one by one\n", read, WRITERS * crowd.each);
    for (int number = 1; number <= WRITERS; number++) { /* the very last is there, now that there is room */
        plx_signal_info more = {.number = number, .status = INT32_MAX, .pid = INT32_MAX, .code = number};
        plx__record_write(crowd.record, &more);
        CHECK_EQ(plx__record_oldest(crowd.record), number);
        CHECK(plx__record_take(crowd.record, &info) && info.number == number);
    }
    free(crowd.record);
}

int main(void)
{
    struct sigaction action = {.sa_handler = interrupt};

    watchdog(100);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    agrees_with_the_oracle(0);
    agrees_with_the_oracle(UINT32_MAX - 20000);
    no_writer_is_lost(false);
    no_writer_is_lost(true);
    return 0;
}
