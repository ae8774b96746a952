/* SPDX-License-Identifier: MIT */
/*
 * The polls of io_uring.
 *
 * The kernel's traps. A completion tells what was: one that was not taken at once is a reason to
 * look. POLLPRI alone wakes no poll. The end of the peer's writing is reported though nobody
 * asked. A multishot ends when a completion of it finds no room, and all end with the thread that
 * made them (ECANCELED): they are made again. Those of a file without a queue to wait in end as they
 * are made, ready or not (EINVAL): they are not, or it would be for ever. A removal or an update is
 * refused (EALREADY) while the poll is at work; a cancellation is not.
 */
#include "os/config.h"

#include "backend/polls.h"

#if PLX__HAS_IO_URING
#include "backend/linux_flags.h"

#include <string.h>

/* State of a slot. */
enum {
    PL_SET = 1,      /* there is a registration */
    PL_PENDING = 2,  /* on the list TO_ARM */
    PL_LOOK = 4,     /* on the list TO_LOOK */
    PL_TELL = 8,     /* on the list TO_TELL */
    PL_MULTI = 16,   /* its poll is a multishot */
    PL_REPLACE = 32, /* its poll is not what is wanted any more: completions do not count */
    PL_SILENT = 64,  /* a oneshot that has reported */
    PL_AGAIN = 128,  /* a single shot does not serve it, from now on */
    PL_GONE = 256,   /* the number was found closed, or to be another file: no poll any more */
    PL_TRUSTED = 512, /* armed again without a question whether the number is open still */
    PL_UNSURE = 1024, /* its poll was made by number, and no event has shown yet that it is the file's */
    PL_BRIEF = 2048 /* its last multishot ended though completions had room */
};

static const uint32_t list_flags[PLX__POLLS_LISTS] = {PL_PENDING, PL_LOOK, PL_TELL};

struct plx__slot {
    uint32_t state;
    uint32_t armed;  /* the serial number of its poll; 0: none */
    uint32_t flags;  /* as in the watch */
    uint32_t result; /* not told yet */
    uint32_t fd;     /* of the key */
    uint32_t tag;
    uint32_t before; /* the serial number before the last change */
    plx__slot *next[PLX__POLLS_LISTS];
    plx__identity identity;
};

/* What a completion belongs to: a poll, its change, the eventfd, or nothing that matters. */
#define OF_CHANGE (UINT64_C(1) << 63)
#define OF_EVENT  (UINT64_C(1) << 62)
#define OF_NONE   UINT64_C(0)

/* Serial numbers are below the two flags. */
#define SERIAL_MOST UINT32_C(0x3fffffff)

static uint64_t poll_name(uint32_t fd, uint32_t serial)
{
    return (uint64_t)serial << 32 | fd;
}

static plx__slot *slot_of(const plx__polls *polls, uint32_t fd)
{
    return plx__pages_get(&polls->slots, fd);
}

static bool slot_is_edge(const plx__slot *slot)
{
    return slot->flags & EPOLLET && !(slot->flags & EPOLLONESHOT);
}

/* Whether its events are wanted now. */
static bool slot_listens(const plx__slot *slot)
{
    return (slot->state & (PL_SET | PL_SILENT | PL_GONE)) == PL_SET && slot->flags;
}

/* ---- Lists ------------------------------------------------------------------ */

static void list_push(plx__polls *polls, plx__polls_list list, plx__slot *slot)
{
    if (slot->state & list_flags[list])
        return;
    slot->state |= list_flags[list];
    slot->next[list] = NULL;
    *(polls->list[list].count++ ? &polls->list[list].last->next[list] : &polls->list[list].first) = slot;
    polls->list[list].last = slot;
}

/* The first; there is one. */
static plx__slot *list_pop(plx__polls *polls, plx__polls_list list)
{
    plx__slot *slot = polls->list[list].first;

    polls->list[list].count--;
    polls->list[list].first = slot->next[list];
    slot->state &= ~list_flags[list];
    return slot;
}

/* ---- To the kernel ----------------------------------------------------------- */

/* A blank operation; those before it are handed over if there is no room. NULL if that failed. */
static struct io_uring_sqe *polls_operation(plx__polls *polls, uint32_t *calls)
{
    struct io_uring_sqe *operation = plx__ring_operation(&polls->ring);

    if (operation)
        return operation;
    (void)plx__ring_enter(&polls->ring, plx__ring_publish(&polls->ring), 0, 0, calls);
    return plx__ring_operation(&polls->ring);
}

static void operation_events(struct io_uring_sqe *operation, uint32_t flags)
{
    uint32_t events = flags & (0xffffu | EPOLLEXCLUSIVE);

    if (events & EPOLLPRI) /* a socket's urgent data comes with both */
        events |= EPOLLRDBAND;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ /* the kernel has the two halves in the other order */
    events = events << 16 | events >> 16;
#endif
    operation->poll32_events = events;
}

/* By IORING_OP_POLL_REMOVE, which costs less and may be refused, or IORING_OP_ASYNC_CANCEL. */
static void operation_end(struct io_uring_sqe *operation, uint8_t opcode, const plx__slot *slot)
{
    operation->opcode = opcode;
    operation->flags = IOSQE_CQE_SKIP_SUCCESS;
    operation->fd = -1;
    operation->addr = poll_name(slot->fd, slot->armed);
    operation->user_data = OF_NONE;
}

/* Whether the number still names the registered file. */
static bool slot_is_same_file(const plx__slot *slot, uint32_t *calls)
{
    ++*calls;
    return plx__identity_holds(&slot->identity, (int)slot->fd);
}

/* A new poll, or a change of the one there is. */
static void operation_poll(struct io_uring_sqe *operation, plx__polls *polls, plx__slot *slot, bool change)
{
    polls->serial = polls->serial % SERIAL_MOST + 1;
    uint64_t name = poll_name(slot->fd, polls->serial);
    operation->opcode = change ? IORING_OP_POLL_REMOVE : IORING_OP_POLL_ADD;
    operation->fd = change ? -1 : (int)slot->fd;
    operation->len = slot->state & PL_MULTI ? IORING_POLL_ADD_MULTI : 0;
    operation->user_data = name;
    operation_events(operation, slot->flags);
    if (change) {
        operation->flags = IOSQE_CQE_SKIP_SUCCESS;
        operation->len |= IORING_POLL_UPDATE_EVENTS | IORING_POLL_UPDATE_USER_DATA;
        operation->addr = poll_name(slot->fd, slot->armed);
        operation->off = name;
        operation->user_data = name | OF_CHANGE;
        slot->before = slot->armed;
    }
    slot->armed = polls->serial;
}

/*
 * The poll that a slot wants, in place of none, or of the one it has. A new one is made by number,
 * which may be another file's by now: its first event asks. False: no room.
 */
static bool slot_arm(plx__polls *polls, plx__slot *slot, uint32_t *calls)
{
    bool wanted = slot_listens(slot);
    bool multi = slot_is_edge(slot) || slot->state & PL_AGAIN;
    bool change = wanted && slot->armed && multi && slot->state & PL_MULTI && !(slot->flags & EPOLLEXCLUSIVE);
    struct io_uring_sqe *operation;

    if (slot->armed && !change) {
        operation = polls_operation(polls, calls);
        if (!operation)
            return false;
        operation_end(operation, IORING_OP_ASYNC_CANCEL, slot);
        slot->armed = 0;
    }
    if (!wanted)
        return true;
    operation = polls_operation(polls, calls);
    if (!operation)
        return false;
    slot->state = (slot->state & ~(uint32_t)PL_MULTI) | (multi ? PL_MULTI : 0) | (change ? 0 : PL_UNSURE);
    operation_poll(operation, polls, slot, change);
    return true;
}

static void event_arm(plx__polls *polls, uint32_t *calls)
{
    struct io_uring_sqe *operation = polls->event_armed ? NULL : polls_operation(polls, calls);

    if (!operation)
        return;
    operation->opcode = IORING_OP_POLL_ADD;
    operation->fd = polls->event;
    operation->len = IORING_POLL_ADD_MULTI;
    operation->user_data = OF_EVENT;
    operation_events(operation, EPOLLIN);
    polls->event_armed = true;
}

uint32_t plx__polls_flush(plx__polls *polls, uint32_t *calls)
{
    event_arm(polls, calls);
    polls->refused = false;
    while (plx__polls_count(polls, PLX__TO_ARM)) {
        plx__slot *slot = polls->list[PLX__TO_ARM].first;
        bool wanted = slot->state & PL_SET && (!slot->armed || slot->state & PL_REPLACE);
        if (wanted && !slot_arm(polls, slot, calls))
            break;
        slot->state &= ~(uint32_t)PL_REPLACE;
        (void)list_pop(polls, PLX__TO_ARM);
    }
    return plx__ring_publish(&polls->ring);
}

/* Hands over what is written, and takes what was completed: how much, or an error. */
static int polls_submit(plx__polls *polls, uint32_t *calls)
{
    int rc = plx__ring_enter(&polls->ring, plx__ring_publish(&polls->ring), 0, 0, calls);

    return rc < 0 && rc != -EINTR ? rc : plx__polls_reap(polls, false);
}

/* Until its last completion is made a poll holds its file. */
static int slot_end(plx__polls *polls, plx__slot *slot, uint32_t *calls)
{
    enum { PATIENCE = 100 };
    int rc = 0;

    polls->cancelled = poll_name(slot->fd, slot->armed);
    for (int i = 0; polls->cancelled && rc >= 0 && i < PATIENCE; i++) {
        struct io_uring_sqe *operation = i < 2 ? polls_operation(polls, calls) : NULL;
        if (operation)
            operation_end(operation, i == 0 ? IORING_OP_POLL_REMOVE : IORING_OP_ASYNC_CANCEL, slot);
        do /* other completions may be in front */
            rc = polls_submit(polls, calls);
        while (polls->cancelled && rc > 0);
    }
    if (polls->cancelled && rc == 0)
        rc = -EBUSY;
    polls->cancelled = 0;
    return rc < 0 ? rc : 0;
}

int plx__polls_remove(plx__polls *polls, uint32_t fd, uint32_t *calls)
{
    plx__slot *slot = slot_of(polls, fd);
    int rc = 0;

    slot->state &= ~(uint32_t)PL_SET;
    if (slot->armed)
        rc = slot_end(polls, slot, calls);
    if (rc < 0)
        slot->state |= PL_SET;
    else
        slot->armed = 0;
    return rc;
}

void plx__polls_cancel_all(plx__polls *polls, uint32_t *calls)
{
    struct io_uring_sqe *operation = polls_operation(polls, calls);

    if (!operation)
        return;
    operation->opcode = IORING_OP_ASYNC_CANCEL;
    operation->fd = -1;
    operation->cancel_flags = IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY;
    uint32_t operations = plx__ring_publish(&polls->ring);
    int rc;
    do { /* the kernel ends some twenty of them in a call */
        rc = plx__ring_enter(&polls->ring, operations, 0, 0, calls);
        operations = 0;
    } while (rc >= 0 && plx__ring_news(&polls->ring) & PLX__RING_WORK);
}

/* ---- From the kernel --------------------------------------------------------- */

/* What a poll reports. */
static void slot_result(plx__polls *polls, plx__slot *slot, uint32_t result, bool fresh)
{
    result &= slot->flags | EPOLLERR | EPOLLHUP;
    if (slot->state & PL_REPLACE)
        return;
    if (slot->state & PL_SILENT) { /* it shall not wake anybody again */
        slot->state |= PL_REPLACE;
        list_push(polls, PLX__TO_ARM, slot);
    } else if (!result) {
        slot->state |= PL_AGAIN; /* a single shot would report it at once, for ever */
        if (!slot->armed)
            list_push(polls, PLX__TO_ARM, slot);
    } else {
        bool tell = (fresh && !(slot->state & PL_LOOK)) || slot_is_edge(slot);
        slot->result |= result;
        list_push(polls, tell ? PLX__TO_TELL : PLX__TO_LOOK, slot);
    }
}

/* The poll has just ended, or is at work: it goes by its old name. */
static void slot_was_not_changed(plx__polls *polls, plx__slot *slot)
{
    if (polls->cancelled == poll_name(slot->fd, slot->armed))
        polls->cancelled = slot->before ? poll_name(slot->fd, slot->before) : 0;
    slot->armed = slot->before;
    slot->state |= PL_REPLACE;
    slot->state &= ~(uint32_t)PL_MULTI;
    polls->refused = true;
    list_push(polls, PLX__TO_ARM, slot);
}

/*
 * Whether the file has no queue to wait in: its multishots end without having gone on, the second
 * one too.
 */
static bool slot_is_mute(const plx__polls *polls, plx__slot *slot, int result, bool more)
{
    bool brief = !more && slot->state & PL_MULTI && result >= 0 && !polls->crowded;
    bool mute = result == -EINVAL || (brief && slot->state & PL_BRIEF);

    if (more)
        slot->state &= ~(uint32_t)PL_BRIEF;
    else if (brief)
        slot->state |= PL_BRIEF;
    return mute;
}

static void polls_complete(plx__polls *polls, const struct io_uring_cqe *completion, bool fresh)
{
    uint64_t name = completion->user_data;
    bool more = completion->flags & IORING_CQE_F_MORE;
    uint32_t serial = (uint32_t)((name & ~OF_CHANGE) >> 32);
    int result = completion->res;

    if (name == OF_EVENT) {
        polls->woken |= result >= 0;
        polls->event_armed = more;
        return;
    }
    if (name == polls->cancelled && !more)
        polls->cancelled = 0;
    plx__slot *slot = name == OF_NONE ? NULL : slot_of(polls, (uint32_t)name);
    if (slot && !more && serial == slot->before) /* its change will find nothing */
        slot->before = 0;
    if (!slot || slot->armed != serial)
        return;
    if (name & OF_CHANGE) {
        slot_was_not_changed(polls, slot);
        return;
    }
    if (!(slot->state & PL_SET))
        return;
    bool mute = slot_is_mute(polls, slot, result, more);
    if (!more)
        slot->armed = 0;
    if (result == -EBADF)
        slot->state |= PL_GONE;
    else if (result >= 0 && !(mute && slot_is_edge(slot)))
        slot_result(polls, slot, (uint32_t)result, fresh);
    if (!more && !mute && (slot->state & PL_MULTI || result < 0))
        list_push(polls, PLX__TO_ARM, slot);
}

int plx__polls_reap(plx__polls *polls, bool fresh)
{
    const plx__ring *ring = &polls->ring;
    uint32_t head = atomic_load_explicit(ring->done_head, PLX__RELAXED);
    uint32_t tail = atomic_load_explicit(ring->done_tail, PLX__ACQUIRE);

    bool full = tail - head > ring->mask;
    polls->crowded |= full;
    for (uint32_t i = head; i != tail; i++)
        polls_complete(polls, &ring->completions[i & ring->mask], fresh);
    atomic_store_explicit(ring->done_head, tail, PLX__RELEASE);
    if (head != tail) /* the rest of a full one comes with the next */
        polls->crowded = full;
    return (int)(tail - head);
}

/* ---- Looking ----------------------------------------------------------------- */

enum { LOOKS = 256 };

/* The number is not the registered file's any more; told to whom it was promised that it is. */
static void slot_gone(plx__polls *polls, plx__slot *slot)
{
    slot->result = slot->state & PL_TRUSTED ? EPOLLERR : 0;
    if (slot->result)
        list_push(polls, PLX__TO_TELL, slot);
    slot->state |= PL_GONE | PL_REPLACE;
    list_push(polls, PLX__TO_ARM, slot);
}

/* The kernel is asked by a poll, which looks for itself. */
static void slot_renew(plx__polls *polls, plx__slot *slot)
{
    slot->result = 0;
    slot->state |= PL_REPLACE | PL_AGAIN;
    list_push(polls, PLX__TO_ARM, slot);
}

/*
 * What poll(2) says of a slot's number. If it is ready, so is perhaps the registered file: its poll
 * has said so, or is asked. A single shot that was fired and is not ready any more is needed again.
 */
static void slot_looked(plx__polls *polls, plx__slot *slot, int revents, uint32_t *calls)
{
    bool multi = slot->armed && slot->state & PL_MULTI;
    uint32_t said = slot->result;

    slot->result = 0;
    if (revents & POLLNVAL || (revents && !multi && !slot_is_same_file(slot, calls))) {
        slot_gone(polls, slot);
    } else if (revents && (said || !multi)) {
        slot->state &= ~(uint32_t)(multi ? 0 : PL_UNSURE);
        slot->result = (uint32_t)revents;
        list_push(polls, PLX__TO_TELL, slot);
    } else if (revents ? multi : !slot->armed) {
        slot_renew(polls, slot);
    }
    slot->state &= ~(uint32_t)PL_TRUSTED;
}

/*
 * At most `most` of the list, in one call; how many are ready. RLIMIT_NOFILE may be below their
 * number, 0 even, with which a program shuts itself in: then poll(2) is EINVAL.
 */
static int polls_look_at(plx__polls *polls, size_t most, uint32_t *calls)
{
    struct pollfd looks[LOOKS];
    plx__slot *slots[LOOKS];
    size_t count = 0;
    int rc;

    while (count < most && plx__polls_count(polls, PLX__TO_LOOK) > 0) {
        plx__slot *slot = list_pop(polls, PLX__TO_LOOK);
        if (!slot_listens(slot) || slot->state & PL_REPLACE)
            continue;
        looks[count] = (struct pollfd){.fd = (int)slot->fd, .events = (short)(slot->flags & 0xffffu)};
        slots[count++] = slot;
    }
    if (count == 0)
        return 0;
    do {
        rc = plx__poll(looks, count, 0);
        ++*calls;
    } while (rc == -EINTR);
    for (size_t i = 0; i < count; i++) {
        if (rc >= 0) {
            slot_looked(polls, slots[i], looks[i].revents, calls);
        } else {
            slots[i]->state |= PL_UNSURE; /* it might have been closed */
            slot_renew(polls, slots[i]);
        }
    }
    return rc < 0 ? 0 : rc;
}

/* It comes before what was told last. */
void plx__polls_doubt(plx__polls *polls)
{
    uint32_t told = polls->list[PLX__TO_LOOK].count;

    for (uint32_t untold = polls->list[PLX__TO_TELL].count; untold > 0; untold--) {
        plx__slot *slot = list_pop(polls, PLX__TO_TELL);
        list_push(polls, slot_is_edge(slot) ? PLX__TO_TELL : PLX__TO_LOOK, slot);
    }
    for (bool any = polls->list[PLX__TO_LOOK].count > told; any && told > 0; told--)
        list_push(polls, PLX__TO_LOOK, list_pop(polls, PLX__TO_LOOK));
}

void plx__polls_look(plx__polls *polls, int enough, uint32_t *calls)
{
    int most = enough < LOOKS ? enough : LOOKS;

    while (plx__polls_count(polls, PLX__TO_LOOK) && enough > 0) {
        enough -= polls_look_at(polls, (size_t)most, calls);
        most = most < LOOKS / 2 ? most * 2 : LOOKS; /* few are ready, it seems */
    }
}

/* ---- To the caller ------------------------------------------------------------ */

/*
 * A poll that was woken tells what it was woken for, and a socket wakes for data and for urgent data
 * alike. Which it is, is asked; false: nothing that is wanted.
 */
PLX__RARE static bool slot_is_ready(plx__polls *polls, plx__slot *slot, uint32_t *calls)
{
    struct pollfd look = {.fd = (int)slot->fd, .events = (short)(slot->flags & 0xffffu)};

    ++*calls;
    if (plx__poll(&look, 1, 0) >= 0)
        slot->result &= (unsigned short)look.revents;
    if (!slot->result && !slot->armed) {
        slot->state |= PL_AGAIN; /* a single shot would report it at once, for ever */
        list_push(polls, PLX__TO_ARM, slot);
    }
    return slot->result;
}

/* Whether an event of the slot is to be told now. What is to be looked at is told once it was. */
static bool slot_tells(plx__polls *polls, plx__slot *slot, uint32_t *calls)
{
    if ((slot->state & (PL_SET | PL_SILENT | PL_LOOK)) != PL_SET || !slot->result)
        return false;
    if (slot->state & PL_UNSURE && !(slot->state & PL_GONE) && !slot_is_same_file(slot, calls)) {
        slot_gone(polls, slot);
        return false;
    }
    slot->state &= ~(uint32_t)PL_UNSURE;
    return !(slot->result & (EPOLLPRI | EPOLLRDBAND)) || slot_is_ready(polls, slot, calls);
}

bool plx__polls_tell(plx__polls *polls, plx_event *event, uint32_t *calls)
{
    plx__slot *slot;

    do {
        if (plx__polls_count(polls, PLX__TO_TELL) == 0)
            return false;
        slot = list_pop(polls, PLX__TO_TELL);
    } while (!slot_tells(polls, slot, calls));
    plx__key key = {.fd = slot->fd, .tag = slot->tag};
    memcpy(&event->token, &key, sizeof key);
    event->native = slot->result;
    slot->result = 0;
    if (slot->flags & EPOLLONESHOT)
        slot->state |= PL_SILENT;
    else if (!slot_is_edge(slot))
        list_push(polls, PLX__TO_LOOK, slot);
    return true;
}

bool plx__polls_next(plx__polls *polls, size_t *next, plx__watch *watch, uint32_t *calls)
{
    for (size_t span = plx__pages_span(&polls->slots); *next < span; ++*next) {
        if (!plx__pages_find(&polls->slots, *next)) {
            *next |= PLX__PAGE_SIZE - 1;
            continue;
        }
        plx__slot *slot = slot_of(polls, (uint32_t)*next);
        if ((slot->state & (PL_SET | PL_GONE)) != PL_SET)
            continue;
        if (!slot_is_same_file(slot, calls)) {
            slot_gone(polls, slot);
            continue;
        }
        watch->key = (plx__key){.fd = slot->fd, .tag = slot->tag};
        watch->flags = slot->state & PL_SILENT ? 0 : slot->flags;
        ++*next;
        return true;
    }
    return false;
}

void plx__polls_gone(plx__polls *polls, uint32_t fd)
{
    slot_gone(polls, slot_of(polls, fd));
}

/* ---- Changes of the set ------------------------------------------------------ */

/* Whether it has the poll that it wants. */
static bool slot_has(const plx__slot *slot, uint32_t flags)
{
    return slot->armed && (slot->state & (PL_MULTI | PL_REPLACE)) == PL_MULTI && slot->flags == flags;
}

/*
 * What a slot is to wait for from now on. If it has its poll still, the state is asked; a new poll
 * looks for itself.
 */
static void slot_want(plx__polls *polls, const plx__watch *watch, plx__slot *slot)
{
    bool has = slot_has(slot, watch->flags);

    if (slot->state & PL_SILENT)
        slot->state |= PL_AGAIN;
    slot->tag = watch->key.tag;
    if (!has && slot->flags & EPOLLEXCLUSIVE) /* an update would leave the poll exclusive */
        slot->state &= ~(uint32_t)PL_MULTI;
    slot->flags = watch->flags;
    slot->result = 0;
    slot->state &= ~(uint32_t)(PL_SILENT | PL_GONE | PL_TRUSTED | PL_BRIEF);
    if (!has && slot->armed)
        slot->state |= PL_REPLACE;
    list_push(polls, has ? PLX__TO_LOOK : PLX__TO_ARM, slot);
}

int plx__polls_add(plx__polls *polls, const plx__watch *watch, uint32_t *calls)
{
    plx__identity identity;
    int rc = plx__identify((int)watch->key.fd, &identity);

    ++*calls;
    if (rc < 0)
        return rc;
    plx__slot *slot = plx__pages_make(&polls->slots, watch->key.fd);
    if (!slot)
        return -ENOMEM;
    if ((slot->state & (PL_SET | PL_GONE)) == PL_SET && plx__identity_same(&slot->identity, &identity))
        return -EEXIST;
    slot->state = PL_SET | (slot->state & (PL_PENDING | PL_LOOK | PL_TELL)); /* what has a poll is replaced */
    slot->identity = identity;
    slot->fd = watch->key.fd;
    slot_want(polls, watch, slot);
    return 0;
}

/*
 * A oneshot that has reported, and is armed again as it was, has its poll still: that is what
 * servers do for each event, and it costs no system call here.
 */
int plx__polls_modify(plx__polls *polls, const plx__watch *now, uint32_t *calls)
{
    plx__slot *slot = slot_of(polls, now->key.fd);
    bool trusted = slot->state & PL_SILENT && slot_has(slot, now->flags);
    plx__identity identity;
    int rc = trusted ? 0 : plx__identify((int)now->key.fd, &identity);

    *calls += !trusted;
    if (rc < 0)
        return rc == -EPERM ? -ENOENT : rc;
    if (!trusted && !plx__identity_same(&slot->identity, &identity))
        return -ENOENT;
    slot_want(polls, now, slot);
    slot->state |= trusted ? PL_TRUSTED : 0;
    return 0;
}

/* ---- Open and close ---------------------------------------------------------- */

int plx__polls_open(plx__polls *polls, int event, const plx_allocator *memory)
{
    int rc = plx__ring_open(&polls->ring);

    if (rc < 0)
        return rc;
    polls->event = event;
    plx__pages_init(&polls->slots, memory, sizeof(plx__slot));
    return 0;
}

/* What else is to be looked at or told the next set finds for itself. */
bool plx__polls_close(plx__polls *polls)
{
    plx__ring_close(&polls->ring);
    while (plx__polls_count(polls, PLX__TO_LOOK) > 0)
        (void)list_pop(polls, PLX__TO_LOOK);
    for (int untold = plx__polls_count(polls, PLX__TO_TELL); untold > 0; untold--) {
        plx__slot *slot = list_pop(polls, PLX__TO_TELL);
        if ((slot->state & (PL_GONE | PL_SILENT)) == PL_GONE && slot->result)
            list_push(polls, PLX__TO_TELL, slot);
    }
    return plx__polls_count(polls, PLX__TO_TELL) > 0;
}

void plx__polls_fini(plx__polls *polls)
{
    plx__pages_fini(&polls->slots);
}

#endif
