/* SPDX-License-Identifier: MIT */
/*
 * A channel's queue beside a slow one that is obviously right, an array; its blocks accounted
 * for after every step; then many who put and one who takes at once, memory that is refused,
 * and an asker who must never be told that nothing is left while something is.
 */
#include "os/config.h"

#include "../tools.h"

#include "core/queue.h"

enum { SIZES = 10, MODEL = 3000, PRODUCERS = 4, LARGEST = 20000 };

static const size_t sizes[SIZES] = {0, 1, 3, 4, 8, 12, 64, 100, 5000, LARGEST};

/* ---- Memory that can be refused for good ---------------------------------------- */

static counted_memory memory;
static atomic_bool refusing;

static void *allocate(void *context, size_t size)
{
    (void)context;
    return atomic_load(&refusing) ? NULL : counted_allocate(&memory, size);
}

static void *reallocate(void *context, void *pointer, size_t size)
{
    (void)context;
    return atomic_load(&refusing) ? NULL : counted_reallocate(&memory, pointer, size);
}

static void release(void *context, void *pointer)
{
    (void)context;
    counted_release(&memory, pointer);
}

static const plx_allocator allocator = {.allocate = allocate, .reallocate = reallocate, .release = release};

/* ---- Messages ------------------------------------------------------------------- */

static plx__queue queue;

static void begin(size_t size)
{
    counted_init(&memory);
    atomic_store(&refusing, false);
    memset(&queue, 0, sizeof queue);
    CHECK(plx__queue_init(&queue, &allocator, size));
    check_note("size %zu", size);
}

static void end(void)
{
    plx__queue_fini(&queue);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/* The serial, then its low byte throughout, of which some are looked at again. */
static void write_message(unsigned char *message, size_t size, uint64_t serial)
{
    for (size_t i = 0; i < size && i < sizeof serial; i++)
        message[i] = (unsigned char)(serial >> 8 * i);
    if (size > sizeof serial)
        memset(message + sizeof serial, (unsigned char)serial, size - sizeof serial);
}

static void check_message(const unsigned char *message, size_t size, uint64_t serial)
{
    for (size_t i = 0; i < size && i < sizeof serial; i++)
        CHECK_EQ(message[i], (unsigned char)(serial >> 8 * i));
    for (size_t i = sizeof serial; i < size; i += 61)
        CHECK_EQ(message[i], (unsigned char)serial);
    if (size > sizeof serial)
        CHECK_EQ(message[size - 1], (unsigned char)serial);
}

static int put(uint64_t serial)
{
    static unsigned char message[LARGEST];

    write_message(message, queue.size, serial);
    return plx__queue_put(&queue, queue.size ? message : NULL);
}

static size_t take(uint64_t first, size_t count)
{
    static unsigned char *messages;

    if (!messages)
        messages = malloc((size_t)64 * LARGEST);
    CHECK(messages != NULL && count <= 64);
    size_t done = plx__queue_take(&queue, queue.size ? messages : NULL, count);
    for (size_t i = 0; i < done; i++)
        check_message(messages + i * queue.size, queue.size, first + i);
    return done;
}

/* ---- Where every block is --------------------------------------------------------- */

/* Blocks are between `taken` and the tail or spare, none is in both, and no memory is elsewhere. */
static void check_blocks(uint64_t left)
{
    static unsigned char place[UINT16_MAX];
    uint32_t numbers = atomic_load(&queue.numbers), kept = 0, with_memory = 0;
    uint64_t tail = atomic_load(&queue.tail), taken = atomic_load(&queue.taken), between = 0;

    CHECK(numbers < UINT16_MAX);
    memset(place, 0, numbers);
    uint32_t at = queue.head ? (uint32_t)(taken >> 32) : atomic_load(&queue.first);
    while (at != PLX__QUEUE_NONE) {
        CHECK(at < numbers && !place[at]++);
        plx__block *block = atomic_load(&plx__queue_name(&queue, at)->block);
        CHECK(block != NULL);
        uint32_t first = queue.head && at == (uint32_t)(taken >> 32) ? (uint32_t)taken : 0;
        uint32_t last = plx__queue_cells(&queue, at);
        if (at == (uint32_t)(tail >> 32))
            last = (uint32_t)tail < last ? (uint32_t)tail : last;
        for (uint32_t i = first; i < last; i++)
            CHECK_EQ(atomic_load(&plx__queue_cell(&queue, block, i)->lap), block->lap);
        for (uint32_t i = last; i < plx__queue_cells(&queue, at); i++)
            CHECK(atomic_load(&plx__queue_cell(&queue, block, i)->lap) != block->lap);
        between += last - first;
        uint32_t next = atomic_load(&block->next);
        CHECK_EQ(next == PLX__QUEUE_NONE, at == (uint32_t)(tail >> 32));
        at = next;
    }
    CHECK_EQ(between, left);
    for (uint32_t spare = (uint32_t)atomic_load(&queue.spares); spare;) {
        CHECK(spare <= numbers && !place[spare - 1]++);
        plx__block_name *name = plx__queue_name(&queue, spare - 1);
        kept += atomic_load(&name->block) != NULL;
        spare = atomic_load(&name->spare);
    }
    CHECK_EQ(atomic_load(&queue.kept), kept);
    for (uint32_t i = 0; i < numbers; i++) {
        bool there = atomic_load(&plx__queue_name(&queue, i)->block) != NULL;
        with_memory += there;
        CHECK(place[i] || (i < PLX__QUEUE_SMALL && !there));
    }
    for (int i = 0; i < PLX__QUEUE_TABLES; i++)
        with_memory += atomic_load(&queue.table[i]) != NULL;
    CHECK_EQ(atomic_load(&memory.live), with_memory);
    CHECK_EQ(plx__queue_left(&queue), left > 0);
}

/* ---- One thread ------------------------------------------------------------------- */

static void random_work_agrees_with_an_array(size_t size, random_state *random)
{
    uint64_t first = 0, behind = 0; /* serials in the queue: from first up to behind */
    uint32_t lean = 3;              /* of 6: how likely a step puts */
    int steps = ROUNDS(size > 1000 ? 2000 : 10000);

    begin(size);
    check_blocks(0);
    for (int step = 0; step < steps; step++) {
        uint32_t many = 1 + random_below(random, random_below(random, 8) ? 4 : 64);
        if (step % 500 == 0)
            lean = 1 + random_below(random, 5);
        if (random_below(random, 6) < lean && behind - first + many <= MODEL / (size > 1000 ? 10 : 1)) {
            for (uint32_t i = 0; i < many; i++)
                CHECK_EQ(put(behind++), 0);
        } else {
            uint64_t there = behind - first;
            size_t done = take(first, many);
            CHECK_EQ(done, there < many ? there : many);
            first += done;
        }
        if (step % 16 == 0)
            check_blocks(behind - first);
        CHECK_EQ(plx__queue_any(&queue), behind > first);
        CHECK_EQ(plx__queue_left(&queue), behind > first);
    }
    CHECK_EQ(plx__queue_take(&queue, NULL, SIZE_MAX), behind - first);
    check_blocks(0);
    end();
}

static void sizes_without_end_are_refused(void)
{
    counted_init(&memory);
    CHECK(!plx__queue_init(&queue, &allocator, SIZE_MAX));
    CHECK(!plx__queue_init(&queue, &allocator, SIZE_MAX / 2));
    CHECK(!plx__queue_init(&queue, &allocator, SIZE_MAX / 2 - 8));
    atomic_store(&refusing, true);
    memset(&queue, 0, sizeof queue);
    CHECK(plx__queue_init(&queue, &allocator, SIZE_MAX / 4)); /* it could be, and is not there */
    CHECK_EQ(plx__queue_put(&queue, &queue), -ENOMEM);
    end();
}

/* Blocks are used again: however much goes through, nothing is asked for after the first laps. */
static void a_steady_queue_asks_for_no_memory(size_t size)
{
    uint64_t first = 0, behind = 0;
    long asked = 0;

    begin(size);
    int depth = size > 1000 ? 3 : 300; /* up to three blocks */
    for (int lap = 0; lap < 200; lap++) {
        if (lap == 100)
            asked = atomic_load(&memory.calls);
        for (int i = 0; i < depth; i++)
            CHECK_EQ(put(behind++), 0);
        while (first < behind)
            first += take(first, 64);
    }
    CHECK_EQ(atomic_load(&memory.calls), asked);
    CHECK(atomic_load(&memory.live) <= 12);
    check_blocks(0);
    end();
}

/* What a burst took is given back, but for a few blocks and the numbers. */
static void a_burst_is_given_back(size_t size)
{
    uint64_t count = size > 1000 ? 500 : 20000, first = 0;

    begin(size);
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(put(i), 0);
    while (first < count)
        first += take(first, 64);
    CHECK(atomic_load(&memory.live) <= 5 + PLX__QUEUE_TABLES);
    check_blocks(0);
    end();
}

/* ---- Memory refused ----------------------------------------------------------------- */

/* At each request once: the put fails and leaves nothing, the next one works. */
static void each_refused_request_fails_one_put(size_t size)
{
    uint64_t count = size > 1000 ? 40 : 3000;

    for (long number = 1;; number++) {
        uint64_t failed = 0, first = 0, behind = 0;
        begin(size);
        atomic_store(&memory.refuse, number);
        while (behind < count) {
            int rc = put(behind);
            CHECK(rc == 0 || rc == -ENOMEM);
            behind += rc == 0;
            failed += rc < 0;
            if (rc < 0)
                check_blocks(behind - first);
            if (behind % 5 == 0)
                first += take(first, 4);
        }
        while (first < behind)
            first += take(first, 64);
        check_blocks(0);
        CHECK_EQ(failed, atomic_load(&memory.refused));
        end();
        if (failed == 0)
            break;
    }
}

/* Void claims are taken back: the tail stays where it is, however often a put fails. */
static void failing_puts_leave_the_tail_alone(size_t size)
{
    uint64_t behind = 0, first = 0;

    begin(size);
    for (int lap = 0; lap < 6; lap++) {
        atomic_store(&refusing, true);
        while (put(behind) == 0)
            behind++;
        uint64_t tail = atomic_load(&queue.tail);
        for (int i = 0; i < 5000; i++)
            CHECK_EQ(put(behind), -ENOMEM);
        CHECK(atomic_load(&queue.tail) == tail);
        check_blocks(behind - first);
        atomic_store(&refusing, false);
        for (int i = 0; i < 17; i++)
            CHECK_EQ(put(behind++), 0);
        if (lap % 2)
            while (first < behind)
                first += take(first, 64);
        check_blocks(behind - first);
    }
    end();
}

/* ---- A claim that is not filled yet -------------------------------------------------- */

/* By hand: a sender that was held up between its claim and its message. */
static void a_claimed_cell_holds_up_those_behind_it(void)
{
    begin(8);
    CHECK_EQ(put(0), 0);
    uint64_t claim = atomic_fetch_add(&queue.tail, 1);
    CHECK_EQ(put(2), 0);
    CHECK_EQ(take(0, 64), 1);
    CHECK(!plx__queue_any(&queue));
    CHECK(plx__queue_left(&queue));
    CHECK_EQ(take(1, 64), 0);

    plx__block *block = atomic_load(&plx__queue_name(&queue, (uint32_t)(claim >> 32))->block);
    plx__cell *cell = plx__queue_cell(&queue, block, (uint32_t)claim);
    write_message(cell->message, 8, 1);
    atomic_store(&cell->lap, block->lap);
    CHECK(plx__queue_any(&queue));
    CHECK_EQ(take(1, 64), 2);
    check_blocks(0);
    end();
}

/* ---- Many at once ---------------------------------------------------------------------- */

static atomic_int producing;
static int per_producer;

struct producer {
    unsigned number;
    pthread_t thread;
    atomic_long refusals;
};

static struct producer producers[PRODUCERS];

/* A serial names its producer and its place; small messages have room for less of it. */
static uint64_t serial_of(unsigned producer, uint64_t place)
{
    return place * PRODUCERS + producer;
}

static void *produce(void *argument)
{
    struct producer *self = argument;
    unsigned char *message = malloc(LARGEST);

    CHECK(message != NULL);
    for (int i = 0; i < per_producer;) {
        write_message(message, queue.size, serial_of(self->number, (uint64_t)i));
        int rc = plx__queue_put(&queue, message);
        CHECK(rc == 0 || rc == -ENOMEM);
        i += rc == 0;
        atomic_fetch_add_explicit(&self->refusals, rc < 0, memory_order_relaxed);
    }
    free(message);
    atomic_fetch_sub(&producing, 1);
    return NULL;
}

static void start_producers(int count)
{
    per_producer = count;
    atomic_store(&producing, PRODUCERS);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        producers[i].number = i;
        producers[i].thread = thread_start(produce, &producers[i]);
    }
}

static void join_producers(void)
{
    for (int i = 0; i < PRODUCERS; i++)
        thread_join(producers[i].thread);
}

/* Whose message it is, and that it is the next of that producer. */
static void accept_message(const unsigned char *message, uint64_t next[PRODUCERS])
{
    uint64_t read = 0;
    size_t known = queue.size < sizeof read ? queue.size : sizeof read;

    for (size_t i = 0; i < known; i++)
        read |= (uint64_t)message[i] << 8 * i;
    unsigned producer = (unsigned)(read % PRODUCERS); /* a power of two: the low byte tells */
    check_message(message, queue.size, serial_of(producer, next[producer]));
    next[producer]++;
}

static void every_message_comes_once_and_in_order(size_t size, random_state *random)
{
    unsigned char *messages = malloc(64 * (size + 1));
    uint64_t next[PRODUCERS] = {0}, total = 0;
    bool over = false;

    CHECK(messages != NULL);
    begin(size);
    start_producers(ROUNDS(size > 1000 ? 2000 : 30000));
    for (;;) {
        size_t count = plx__queue_take(&queue, messages, 1 + random_below(random, 64));
        for (size_t i = 0; size > 0 && i < count; i++)
            accept_message(messages + i * size, next);
        total += count;
        if (count == 0 && over)
            break;
        if (count == 0 && random_below(random, 4) == 0)
            sched_yield();
        over = atomic_load(&producing) == 0; /* before the last look */
    }
    join_producers();
    CHECK_EQ(total, (uint64_t)PRODUCERS * (uint64_t)per_producer);
    check_blocks(0);
    end();
    free(messages);
}

/* Memory comes and goes while all of them run: who is refused puts again, and nothing is lost. */
static void refusals_lose_nothing_among_many(size_t size, random_state *random)
{
    unsigned char message[16];
    uint64_t next[PRODUCERS] = {0}, total = 0;

    begin(size);
    for (int i = 0; i < PRODUCERS; i++)
        atomic_store(&producers[i].refusals, 0);
    atomic_store(&refusing, true);
    start_producers(ROUNDS(30000));
    for (int i = 0; i < PRODUCERS; i++)
        while (atomic_load(&producers[i].refusals) == 0)
            sched_yield();
    for (long round = 0; total < (uint64_t)PRODUCERS * (uint64_t)per_producer; round++) {
        atomic_store(&refusing, random_below(random, 3) == 0);
        for (uint32_t i = random_below(random, 600); i > 0 && plx__queue_take(&queue, message, 1) == 1; i--) {
            accept_message(message, next);
            total++;
        }
        if (round % 8 == 0)
            sched_yield();
    }
    atomic_store(&refusing, false);
    join_producers();
    check_blocks(0);
    end();
}

/* ---- Who asks whether something is left -------------------------------------------------- */

#if PLX__HAS_POSIX

static _Atomic(uint64_t) put_so_far, take_begun;
static atomic_bool asking_over;

static uint64_t most_left;

static void *put_counted(void *unused)
{
    static const unsigned char message[LARGEST];

    while (!atomic_load(&asking_over)) {
        if (atomic_load(&put_so_far) - atomic_load(&take_begun) + 1 >= most_left)
            sched_yield();
        else if (plx__queue_put(&queue, message) == 0)
            atomic_fetch_add(&put_so_far, 1);
    }
    return unused;
}

static void hold_up(int number)
{
    (void)number;
    sleep_for(PLX_USEC(50));
}

/* A signal holds it up now and then, wherever it is. */
static void *take_counted(void *unused)
{
    static unsigned char message[LARGEST];
    sigset_t usual;

    sigemptyset(&usual);
    sigaddset(&usual, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &usual, NULL);
    while (!atomic_load(&asking_over)) {
        atomic_fetch_add(&take_begun, 1);
        while (plx__queue_take(&queue, message, 1) == 0 && !atomic_load(&asking_over))
            continue;
    }
    return unused;
}

/*
 * What was put before the question, and is not among what the taker has begun to take by the
 * answer, was left. A taker that gave its block back before it said where it went on was
 * believed to be still there, at the end of a block that was full again: so the putter stops
 * where blocks are full.
 */
static void nobody_hears_wrongly_that_nothing_is_left(size_t size, uint64_t most)
{
    struct sigaction action = {.sa_handler = hold_up};
    plx_nanos until = plx_now() + PLX_MSEC(700);

    begin(size);
    most_left = most;
    atomic_store(&put_so_far, 0);
    atomic_store(&take_begun, 0);
    atomic_store(&asking_over, false);
    sigaction(SIGUSR1, &action, NULL);
    pthread_t putter = thread_start(put_counted, NULL), taker = thread_start(take_counted, NULL);
    for (uint64_t signalled = 0; plx_now() < until;) {
        if (atomic_load(&take_begun) > signalled + 2) { /* it goes on in between */
            signalled = atomic_load(&take_begun);
            pthread_kill(taker, SIGUSR1);
        }
        for (int i = 0; i < 200; i++) {
            uint64_t before = atomic_load(&put_so_far);
            if (!plx__queue_left(&queue))
                CHECK(before <= atomic_load(&take_begun));
        }
    }
    atomic_store(&asking_over, true);
    thread_join(putter);
    thread_join(taker);
    end();
}

static void questions_are_answered_right(void)
{
    nobody_hears_wrongly_that_nothing_is_left(9000, 2); /* blocks of one message */
    nobody_hears_wrongly_that_nothing_is_left(9000, 3);
    nobody_hears_wrongly_that_nothing_is_left(5000, 6);
    nobody_hears_wrongly_that_nothing_is_left(8, 600);
}

#else

static void questions_are_answered_right(void)
{
    printf("no thread can be held up by a signal on Windows: no question is asked of one\n");
}

#endif

int main(void)
{
    random_state random = random_start();

    watchdog(110);
    sizes_without_end_are_refused();
    a_claimed_cell_holds_up_those_behind_it();
    for (int i = 0; i < SIZES; i++) {
        random_work_agrees_with_an_array(sizes[i], &random);
        a_steady_queue_asks_for_no_memory(sizes[i]);
        a_burst_is_given_back(sizes[i]);
        each_refused_request_fails_one_put(sizes[i]);
        failing_puts_leave_the_tail_alone(sizes[i]);
        every_message_comes_once_and_in_order(sizes[i], &random);
    }
    refusals_lose_nothing_among_many(8, &random);
    refusals_lose_nothing_among_many(12, &random);
    questions_are_answered_right();
    return 0;
}
