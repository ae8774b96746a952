/* SPDX-License-Identifier: MIT */
/*
 * The level of a channel (src/core/channel.c): senders, a receiver, and a waiter, who are one
 * thread, or two (APART). Stores are buffered: the store that marks a cell full
 * becomes visible later than what its sender loads next, as on x86. Read-modify-writes drain
 * the buffer, as there.
 *
 * Waking is another model (wake.pml): here a waiter sleeps until the source is on the queue.
 *
 * To be found wrong, each in its own run: NO_BARRIER the receiver clears the level without
 * a barrier; NO_SECOND_LOOK the waiter clears it without looking at the tail again;
 * NO_CLEAR_FIRST it looks, then clears; NO_RECLAIM it leaves the queue without looking again.
 * FENCED: senders make a fence and nobody a barrier.
 */
#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef EACH
#define EACH 2 /* messages of each */
#endif
#define TOTAL (SENDERS * EACH)

byte tail, taken;      /* claims made; cells taken */
bool marked[TOTAL];      /* marks that are visible */
byte buffered[SENDERS]; /* the mark in a sender's buffer: its cell + 1, 0 none */
bool MESSAGES, queued, listed;
byte gone;             /* senders that are through */

#define left (taken != tail)
#define any  (taken < TOTAL && marked[taken])

inline drain(me)
{
    if
    :: buffered[me] > 0 -> marked[buffered[me] - 1] = true; buffered[me] = 0
    :: else
    fi
}

inline drain_all()
{
    drain(0);
#if SENDERS > 1
    drain(1)
#endif
}

/* The processors' own time. */
active proctype buffers()
{
    byte me;
end:
    do
    :: atomic { buffered[0] > 0 -> drain(0) }
#if SENDERS > 1
    :: atomic { buffered[1] > 0 -> drain(1) }
#endif
    od
}

/* channel_signal, by a thread without a buffer of its own. */
inline signal()
{
    MESSAGES = true;
    atomic { claimed = !queued; queued = true };
    if
    :: claimed -> assert(!listed); listed = true
    :: else
    fi
}

active [SENDERS] proctype sender()
{
    byte me, sent, cell;
    bool claimed, seen;

    me = _pid - 1;
    do
    :: sent < EACH ->
        atomic { drain(me); cell = tail; tail++ };
        buffered[me] = cell + 1;
#ifdef FENCED
        atomic { drain(me) };
#endif
        seen = MESSAGES;
        if
        :: seen
        :: else ->
            atomic { drain(me); MESSAGES = true };
            atomic { claimed = !queued; queued = true };
            if
            :: claimed -> assert(!listed); listed = true
            :: else
            fi
        fi;
        sent++
    :: else -> break
    od;
    gone++
}

/* channel_pending */
inline look()
{
    pending = MESSAGES;
    if
    :: pending ->
        if
        :: left
        :: else ->
#ifdef NO_CLEAR_FIRST
            if
            :: left
            :: else -> MESSAGES = false; pending = false
            fi
#else
            MESSAGES = false;
            pending = false;
#ifndef NO_SECOND_LOOK
            if
            :: left -> MESSAGES = true; pending = true
            :: else
            fi
#endif
#endif
        fi
    :: else
    fi
}

/* channel_take: true if there is an event. */
inline take()
{
    look();
    if
    :: pending
    :: else ->
        atomic { listed = false; queued = false };
#ifndef NO_RECLAIM
        look();
        if
        :: pending ->
            atomic { claimed = !queued; queued = true };
            if
            :: claimed -> assert(!listed); listed = true
            :: else -> pending = false /* who claimed it lists it */
            fi
        :: else
        fi
#endif
    fi
}

/* plx_receiver_recv_many, until it finds nothing. */
inline receive()
{
    do
    :: any -> atomic { assert(marked[taken]); taken++ }
    :: else ->
        if
        :: !left -> break
        :: else
        fi;
        MESSAGES = false;
#if !defined(FENCED) && !defined(NO_BARRIER)
        atomic { drain_all() };
#endif
        if
        :: any -> signal()
        :: else -> break
        fi
    od
}

#ifdef APART

/* A second waiter may take the event while the receiver is at work: here it only says so. */
bool event;

active proctype waiter()
{
    bool pending, claimed;
end:
    do
    :: listed -> take();
        if
        :: pending -> event = true; !event
        :: else
        fi
    od
}

active proctype receiver()
{
    bool claimed;
    byte unasked;
end:
    do
    :: event -> receive(); event = false
    :: unasked < 3 -> unasked++; receive() /* a receiver may look without an event */
    od
}

#else

active proctype receiver()
{
    bool pending, claimed;
end:
    do
    :: listed -> take();
        if
        :: pending -> receive()
        :: else
        fi
    od
}

#endif

/* Where nothing goes on any more, everything was received. */
active proctype monitor()
{
end:
    timeout -> assert(gone == SENDERS && taken == TOTAL)
}
