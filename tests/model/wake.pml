/* SPDX-License-Identifier: MIT */
/*
 * The wake protocol of docs/design.md, "Waking", step by step as src/core/ has it.
 *
 * A step is one atomic operation of the code, or what is guarded by a lock that is held, or a
 * system call. A loop around a compare-and-swap is one step: it decides on the value that it
 * exchanges. Steps interleave as if each were seen by all at once: memory orders are the
 * design's argument, not this model's.
 *
 * Which order the queue takes sources in, which kind has its turn in a small array and what
 * else the kernel returns are free choices here, so that more than the code does is covered.
 *
 * Left out: timers and who keeps time, the rebuilding of an epoll set but for its wake (KICK), a
 * full eventfd, fork, a close while another loop watches.
 *
 * How many of each; what is not given does not take part:
 *
 *   WAITERS    threads that wait for ever, again and again, or stop after a wait
 *   SENDERS    of a wake each, on SOURCES wakers      POSTERS    of a post each
 *   NOTIFIERS  of a notify each                       NESTING    another loop watches
 *   CAPACITY   of a wait's array, 1 or 3              EVENTS     other returns of the kernel
 *   FAILURES   of the wake call (ALWAYS: any may)     KICK       a wake without WAKING
 *   CLOSE      closed at any moment                   HELD       waiters hold the registry
 *   POLL       one thread at a time, and a pipe; else epoll, and the eventfd
 *   LIFETIME   users and holds of wakers
 *
 * Mistakes, each of which must be found (tests/model/cases.txt): NO_SECOND_LOOK, CLEAR_LATE, KEEP_WAKING, WORD_FIRST,
 * NO_PASSING_ON, CLOSE_EARLY, ONE_ATTEMPT, ERROR_WITHOUT_NEED, NESTED_UNSEEN.
 */
#ifndef WAITERS
#define WAITERS 1
#endif
#ifndef SENDERS
#define SENDERS 0
#endif
#ifndef SOURCES
#define SOURCES SENDERS
#endif
#ifndef POSTERS
#define POSTERS 0
#endif
#ifndef NOTIFIERS
#define NOTIFIERS 0
#endif
#ifndef CAPACITY
#define CAPACITY 1
#endif
#ifndef EVENTS
#define EVENTS 0
#endif
#ifndef FAILURES
#define FAILURES 0
#endif
#define ALWAYS 255

#define POSTS    SOURCES /* the source of the posts, after the wakers */
#define BIT(s)   (1 << (s))

/* The wake word. Each step looks at all of it, or changes it, at once. */
bool WAKING, NOTIFIED, CLOSED, NESTED;
byte INSIDE, SLEEPING, CALLING;

/* The ready queue: sets of sources, a bit each. */
byte pushed, list;
bool left;
bool ready_lock;
byte queued; /* a bit for each source's */

/* The backend: the edge of the eventfd that no wait has had yet, or bytes in the pipe. */
bool edge;

bool lock, departed;         /* the registry's; the condition, for the one who waits for it */
bool turn_taken, turn_closed;

byte references;
byte users[SOURCES + 1], holds[SOURCES + 1];

/* What the code does not have: the model's own account. */
bool in_call;       /* somebody took WAKING and has not made its call yet */
bool spurious;      /* a wake was made without WAKING: close, KICK */
bool given_up;      /* a call failed in both attempts */
bool closing;       /* plx_poller_close was called */
bool gone;          /* it has freed the backend, and is about to return */
bool freed;         /* the registry is */
byte owed;          /* sources that were woken and not taken since */
byte failures = FAILURES;
byte events = EVENTS;

mtype = { none, pending, done, withdrawn };
mtype post[POSTERS + 1] = none;
mtype notify[NOTIFIERS + 1] = none;

/* Each step that touches the poller says by what right: a reference, or being in a wait. */
#define BY_REFERENCE (!freed)
#ifdef HELD
#define BY_WAIT BY_REFERENCE
#else
#define BY_WAIT (!gone && !freed)
#endif

#define WANTED ((SLEEPING > 0 || NESTED) && !WAKING && !CLOSED)

inline lock_take(which, right)
{
    atomic { !which -> assert(right); which = true }
}

inline lock_drop(which, right)
{
    atomic { assert(right); assert(which); which = false }
}

/* ---- wake.c ---------------------------------------------------------------- */

/* A notify that was pending has ended a wait. */
inline notify_used()
{
    NOTIFIED = false;
    n = 0;
    do
    :: n < NOTIFIERS -> if :: notify[n] == pending -> notify[n] = done :: else fi; n++
    :: else -> break
    od;
    n = 0
}

/* plx__wake_leave, of `sleeps` sleepers: false if the poller is closed. */
inline wake_leave(open, inside, sleeps, calls, used, right)
{
    atomic {
        assert(right);
        open = !CLOSED;
        if
        :: open ->
            INSIDE = INSIDE - inside;
            SLEEPING = SLEEPING - sleeps;
            CALLING = CALLING - calls;
            if :: used && NOTIFIED -> notify_used() :: else fi
        :: else
        fi
    };
    if
    :: !open ->
        lock_take(lock, right);
        atomic {
            assert(right);
            INSIDE = INSIDE - inside;
            SLEEPING = SLEEPING - sleeps;
            CALLING = CALLING - calls
        };
        atomic { assert(right); departed = true };
        lock_drop(lock, right)
    :: else
    fi
}

#define CALL_FAILS (failures > 0)

/* The backend's call; `rc` 1, or 3 if it fails. */
inline wake_call()
{
    atomic {
        assert(!gone);
        if
        :: edge = true; rc = 1
        :: CALL_FAILS ->
            rc = 3;
            if :: failures != ALWAYS -> failures-- :: else fi
        fi
    }
}

/* plx__wake_claim: `rc` is 1 for a call that was made, 0 for no need, 2 shut down, 3 an error. */
#ifdef ONE_ATTEMPT
#define ATTEMPTS 1
#else
#define ATTEMPTS 2
#endif

inline wake_claim(right)
{
    attempt = 0;
    rc = 0;
    do
    :: atomic {
            attempt < ATTEMPTS && WANTED ->
            assert(right);
            WAKING = true;
            CALLING++;
            assert(spurious || !in_call);
            in_call = true;
            printf("sender: finds a sleeper, sets WAKING\n")
        };
        atomic { assert(spurious || (in_call && !edge)); in_call = false; wake_call() };
#ifndef KEEP_WAKING
        if
        :: rc == 3 -> atomic { assert(right); WAKING = false }
        :: else
        fi;
#endif
        wake_leave(open, 0, 0, 1, false, right);
        if
        :: !open -> rc = 2; break
        :: open && rc == 1 -> break
        :: else -> attempt++
        fi
    :: atomic {
            !(attempt < ATTEMPTS && WANTED) ->
            assert(right);
            printf("sender: looks at the wake word: SLEEPING %d, WAKING %d: no call\n", SLEEPING, WAKING);
            given_up = given_up || attempt == 2;
#ifndef ERROR_WITHOUT_NEED
            rc = (attempt < ATTEMPTS -> 0 : rc)
#endif
        };
        if
        :: atomic { rc == 0 && CLOSED -> rc = 2 }
        :: else
        fi;
        break
    od;
    attempt = 0;
    assert(rc != 3 || given_up || FAILURES > 1)
}

/* ---- ready.c, waker.c, post.c ---------------------------------------------- */

/* plx__ready_any: two loads. */
inline ready_any(any, right)
{
    atomic { assert(right); any = pushed != 0; printf("waiter: looks at the stack of pushed sources: %d\n", any) };
    if
    :: !any -> atomic { assert(right); any = left; printf("waiter: looks whether sources were left on the list: %d\n", any) }
    :: else
    fi
}

inline source_push(s, right)
{
    atomic {
        assert(right);
        assert(!((pushed | list) & BIT(s))); /* on the queue once at most */
        assert(queued & BIT(s));
        pushed = pushed | BIT(s);
        printf("sender: pushes its source\n")
    }
}

/* waker_drop_hold */
inline waker_drop_hold(s)
{
#ifdef LIFETIME
    atomic { assert(holds[s] > 0); holds[s] = holds[s] - 1; assert(holds[s] > 0 || users[s] == 0) }
#endif
    skip
}

/* waker_take; `got` is whether there is an event. Under the queue's lock. */
inline waker_take()
{
    got = true;
#ifdef LIFETIME
    atomic { assert(holds[s] > 0); got = users[s] > 0 };
#endif
    atomic {
        assert(queued & BIT(s));
        queued = queued & ~BIT(s);
        owed = owed & ~BIT(s)
    };
    waker_drop_hold(s)
}

/* post_take: the source stays on the list while there are posts, and nobody else pushes it. */
inline post_take()
{
    atomic { assert(queued & BIT(s)); queued = queued & ~BIT(s) };
    atomic {
        got = false;
        n = 0;
        do
        :: n < POSTERS && post[n] == pending -> post[n] = done; got = true; break
        :: n < POSTERS && post[n] != pending -> n++
        :: else -> break
        od;
        do
        :: n < POSTERS && post[n] != pending -> n++
        :: else -> break
        od;
        more = n < POSTERS;
        n = 0
    };
    atomic {
        if
        :: got && more && !(queued & BIT(s)) -> queued = queued | BIT(s); list = list | BIT(s)
        :: else
        fi;
        more = false
    }
}

/* plx__ready_take of `room` events at most; seen: what has reported in this wait. */
inline ready_take(room)
{
    lock_take(ready_lock, BY_WAIT);
    atomic { assert(BY_WAIT); list = list | pushed; pushed = 0 };
    do
    :: atomic {
            room > 0 && (list & ~seen) ->
            s = 0;
            do
            :: (list & ~seen) & BIT(s) -> break
            :: (list & ~seen) >> (s + 1) -> s++
            od;
            assert(BY_WAIT);
            list = list & ~BIT(s)
        };
        if
        :: s < POSTS -> seen = seen | BIT(s); waker_take()
        :: else -> post_take()
        fi;
        atomic {
            count = count + got;
            room = room - got;
            got = false
        }
    :: else -> break
    od;
    s = 0;
    atomic { assert(BY_WAIT); left = list != 0 };
    lock_drop(ready_lock, BY_WAIT)
}

/* plx_registry_release; who frees the registry drops what is on the queue. */
inline registry_release()
{
    atomic {
        assert(BY_REFERENCE);
        assert(references > 0);
        references--;
        if
        :: references == 0 ->
            assert(INSIDE == 0 && CALLING == 0 && !lock && !ready_lock);
            freed = true;
#ifdef LIFETIME
            s = 0;
            do
            :: s < SOURCES ->
                if
                :: (pushed | list) & BIT(s) -> assert(holds[s] == 1); holds[s] = 0
                :: else
                fi;
                assert(holds[s] == 0 && users[s] == 0);
                s++
            :: else -> break
            od;
            s = 0
#endif
        :: else
        fi
    }
}

/* ---- wait.c ---------------------------------------------------------------- */

/* wait_stand_up */
inline stand_up()
{
    if
    :: standing -> atomic { assert(BY_WAIT); SLEEPING--; standing = false }
    :: else
    fi
}

/* How a wake is received: the edge is had by the one wait that returns it, the pipe is read. */
inline kernel_wake()
{
    woken = true;
#ifndef POLL
    edge = false;
    cut = CAPACITY - count == 1 /* it took all the room */
#endif
}

inline kernel_event()
{
    events--;
    count++;
    kept = true
}

/* WAKING is cleared before the next look at the queue. */
inline clear_waking()
{
    if
    :: woken -> atomic { assert(BY_WAIT); WAKING = false; woken = false }
    :: else
    fi
}

/* plx_poller_wait: for ever, or, in a loop around the poller, without blocking. */
proctype waiter(bool forever)
{
    bool standing;         /* is counted in SLEEPING */
    bool block;            /* there is time left */
    bool nap;              /* the kernel is asked without blocking this time */
    bool fast;             /* the usual wait, which looks at nothing once it has an event */
    bool kept, woken, cut, failed, any, again, closed, notified, share, got, more, open;
    byte count, room, seen, s, n, attempt, rc;

    if
    :: forever -> skip
    :: else -> /* plx_poller_descriptor */
        atomic { assert(BY_WAIT); NESTED = true };
#ifndef NESTED_UNSEEN
        ready_any(any, BY_WAIT);
        if
        :: !any -> atomic { assert(BY_WAIT); any = NOTIFIED }
        :: else
        fi;
        if
        :: any -> any = false; wake_claim(BY_WAIT); rc = 0
        :: else
        fi
#endif
    fi;

enter:
    if
    :: forever -> skip
    :: else ->
end_watch:
        if
        :: edge || events > 0 || CLOSED
        fi
    fi;
    block = forever;
#ifdef NO_SECOND_LOOK
    ready_any(any, BY_WAIT);
#endif
    atomic {
#if defined(CLOSE) && !defined(HELD)
        if
        :: closing -> goto stop
        :: else
        fi;
#endif
        assert(BY_WAIT);
        notified = NOTIFIED;
        closed = CLOSED;
        INSIDE++;
#ifndef POLL
        SLEEPING = SLEEPING + block;
        standing = block;
#endif
        printf("waiter: announces itself: SLEEPING %d\n", SLEEPING)
    };
#ifndef POLL
    if
    :: notified || closed
    :: else ->
#ifndef NO_SECOND_LOOK
        ready_any(any, BY_WAIT);
#endif
        if
        :: any
        :: else -> fast = true; goto kernel
        fi
    fi;
    any = false;
#endif

loop:
    again = false;
    closed = false;
    notified = false;
#ifdef POLL
end_turn:
    atomic {
        !turn_taken || turn_closed ->
        assert(BY_WAIT);
        if
        :: turn_closed -> closed = true
        :: else -> turn_taken = true
        fi
    };
    if
    :: closed -> closed = false; room = CAPACITY - count; ready_take(room); room = 0; goto leave
    :: else
    fi;
#endif
#ifdef NO_SECOND_LOOK
    ready_any(any, BY_WAIT);
#endif
    atomic { /* wait_announce */
        assert(BY_WAIT);
        notified = NOTIFIED;
        closed = CLOSED;
        if
        :: block && !standing -> SLEEPING++; standing = true
        :: else
        fi;
        printf("waiter: announces itself once more: SLEEPING %d\n", SLEEPING)
    };
#ifndef NO_SECOND_LOOK
    ready_any(any, BY_WAIT);
#endif
    if
    :: closed -> goto out
    :: !closed && (any || notified) ->
        any = false;
        stand_up();
#if CAPACITY > 2
        room = 1;
#else
        if :: room = 0 :: room = 1 fi;
#endif
        share = room > 0;
        ready_take(room);
        room = 0;
        again = share && count == 0 && !notified && block; /* others were quicker */
        share = false;
        nap = true;
        if
        :: again -> goto out
        :: !again && count == CAPACITY -> goto harvested
        :: else
        fi
    :: else
    fi;

kernel:
    notified = false;
#ifdef CLEAR_LATE
    clear_waking();
#endif
end_kernel:
    if
    :: atomic { (!block || nap) && !edge -> assert(!gone) }
    :: atomic { edge -> assert(!gone); kernel_wake() };
#if CAPACITY > 1
        if
        :: atomic { events > 0 && count + 1 < CAPACITY -> kernel_event() }
        :: skip
        fi
#endif
    :: atomic { events > 0 -> assert(!gone); kernel_event() }
    :: atomic { events > 0 && block && !nap -> assert(!gone); events--; block = false } /* the time is up */
    :: atomic { events > 0 -> assert(!gone); events--; failed = true }
    fi;
#ifdef POLL
    if
    :: woken -> atomic { assert(!gone); edge = false }
    :: else
    fi;
#endif
    if
    :: fast && kept && !woken -> goto leave
    :: else
    fi;

harvested:
    fast = false;
#ifndef CLEAR_LATE
    clear_waking();
#endif
    ready_any(any, BY_WAIT);
    if
    :: any -> any = false; room = CAPACITY - count; ready_take(room); room = 0
    :: else
    fi;
    if
    :: count > 0 || failed
    :: else -> /* wait_result */
        atomic { assert(BY_WAIT); closed = CLOSED; notified = NOTIFIED };
        if
        :: !closed && notified -> atomic { assert(BY_WAIT); notified = NOTIFIED; if :: NOTIFIED -> notify_used() :: else fi }
        :: else
        fi;
        again = !closed && !notified && (block || cut)
    fi;

out:
    fast = false;
    nap = false;
    kept = false;
    cut = false;
    closed = false;
    notified = false;
    any = false;
#ifdef POLL
    stand_up();
    atomic { assert(BY_WAIT); turn_taken = false };
#endif
    if
    :: again -> goto loop
    :: else
    fi;
#ifndef NO_PASSING_ON
    ready_any(any, BY_WAIT); /* wait_leaves_work */
    if
    :: any -> any = false; stand_up(); wake_claim(BY_WAIT); rc = 0
    :: else
    fi;
#endif
#ifdef CLEAR_LATE
    clear_waking();
#endif

leave:
    fast = false;
    kept = false;
    again = false;
    wake_leave(open, 1, standing, 0, !failed || count > 0, BY_WAIT);
    standing = false;
    failed = false;
    count = 0;
    seen = 0;
    if
    :: open -> open = false; goto enter
    :: open && forever -> open = false
    :: !open
    fi;

stop:
#ifdef HELD
    registry_release();
#endif
    skip
}

/* ---- Who sends ------------------------------------------------------------- */

/* plx_waker_wake, and the release of the waker. */
proctype sender(byte s)
{
    bool open, claimed;
    byte attempt, rc, n;
#ifdef WORD_FIRST
    bool wanted;
#endif

    atomic { assert(BY_REFERENCE); open = !CLOSED };
    if
    :: open ->
#ifdef WORD_FIRST
        atomic { assert(BY_REFERENCE); wanted = WANTED };
#endif
        atomic {
            assert(BY_REFERENCE);
            claimed = !(queued & BIT(s));
            queued = queued | BIT(s);
            owed = owed | BIT(s);
            printf("sender: claims its source: queued\n")
        };
        if
        :: claimed ->
#ifdef LIFETIME
            atomic { assert(holds[s] > 0); holds[s] = holds[s] + 1 };
#endif
            source_push(s, BY_REFERENCE)
        :: else
        fi;
#ifdef WORD_FIRST
        if
        :: wanted -> wake_claim(BY_REFERENCE)
        :: else
        fi
#else
        wake_claim(BY_REFERENCE)
#endif
    :: else
    fi;
#ifdef LIFETIME
    atomic { assert(users[s] > 0); users[s] = users[s] - 1; claimed = users[s] == 0 };
    if
    :: claimed -> waker_drop_hold(s); registry_release()
    :: else
    fi
#else
    registry_release()
#endif
}

/* plx_post: one that could not wake is taken back, unless it was returned meanwhile. */
proctype poster(byte i)
{
    bool open, claimed;
    byte attempt, rc, n, s;

    atomic { assert(BY_REFERENCE); open = !CLOSED };
    if
    :: open ->
        atomic { !ready_lock -> assert(BY_REFERENCE); post[i] = pending };
        atomic {
            assert(BY_REFERENCE);
            claimed = !(queued & BIT(POSTS));
            queued = queued | BIT(POSTS)
        };
        if
        :: claimed -> source_push(POSTS, BY_REFERENCE)
        :: else
        fi;
        wake_claim(BY_REFERENCE);
        if
        :: rc > 1 -> atomic { !ready_lock -> assert(BY_REFERENCE); if :: post[i] == pending -> post[i] = withdrawn :: else fi }
        :: else
        fi
    :: else
    fi;
    registry_release()
}

/* plx_notify */
proctype notifier(byte i)
{
    bool open;
    byte attempt, rc, n, s;

    atomic { assert(BY_REFERENCE); open = !CLOSED };
    if
    :: open ->
        atomic { assert(BY_REFERENCE); NOTIFIED = true; notify[i] = pending };
        wake_claim(BY_REFERENCE);
        if
        :: rc > 1 -> atomic { assert(BY_REFERENCE); NOTIFIED = false; notify[i] = withdrawn }
        :: else
        fi
    :: else
    fi;
    registry_release()
}

#ifdef KICK
/* A set that was rebuilt, or a change of one that poll(2) sleeps on. */
proctype kicker()
{
    byte s;

    lock_take(lock, BY_REFERENCE);
    if
    :: !CLOSED -> atomic { spurious = true; edge = true }
    :: else
    fi;
    lock_drop(lock, BY_REFERENCE);
    registry_release()
}
#endif

#ifdef CLOSE
#ifdef CLOSE_EARLY
#define REMAIN (INSIDE > 0)
#else
#define REMAIN (INSIDE > 0 || CALLING > 0)
#endif

/* plx_poller_close */
proctype closer()
{
    bool remain, sleepers;
    byte rc, s;

    atomic { !lock -> lock = true; closing = true };
    atomic { CLOSED = true; spurious = true };
    atomic { turn_closed = true };
    do
    :: atomic { REMAIN -> sleepers = SLEEPING > 0 };
        if
        :: sleepers -> wake_call()
        :: else
        fi;
        atomic { departed = false; lock_drop(lock, BY_REFERENCE) };
        atomic {
            !lock && (departed || rc == 3) -> /* after a call that failed, for a millisecond at most */
            lock = true;
            rc = 0;
            sleepers = false
        }
    :: else -> break
    od;
    atomic { assert(!edge || spurious); gone = true };
    lock_drop(lock, BY_REFERENCE);
    registry_release()
}
#endif

/* ---- What is to hold when nothing moves any more ---------------------------- */

/*
 * Nobody sleeps over a source, a post or a notify, unless a call has failed twice and its
 * caller knows; nobody sleeps in a closed poller (nor is stuck elsewhere: that is an
 * invalid end state).
 */
proctype quiet()
{
    bool sleeper;
    byte i;

end_quiet:
    atomic {
        timeout ->
        sleeper = SLEEPING > 0 || (NESTED && !CLOSED);
        assert(!(CLOSED && SLEEPING > 0));
        if
        :: !CLOSED ->
            assert(!WAKING || edge);
            assert(!(owed & ~(pushed | list)));
            assert(left == (list != 0));
            if
            :: sleeper && !given_up ->
                printf("nothing moves any more: SLEEPING %d, sources queued: %d\n", SLEEPING, (pushed | list) != 0);
                assert(!pushed && !list);
                assert(!NOTIFIED)
            :: else
            fi;
            i = 0;
            do
            :: i < POSTERS ->
                assert(post[i] != pending || (pushed | list) & BIT(POSTS));
                i++
            :: else -> break
            od;
            i = 0;
            do
            :: i < NOTIFIERS ->
                assert(notify[i] != pending || NOTIFIED || given_up);
                i++
            :: else -> break
            od
        :: else
        fi
    }
}

init {
    byte i;

    atomic {
        references = 1 + POSTERS + NOTIFIERS;
#ifdef HELD
        references = references + WAITERS;
#endif
        i = 0;
        do
        :: i < SENDERS ->
            users[i % SOURCES] = users[i % SOURCES] + 1;
            run sender(i % SOURCES);
#ifndef LIFETIME
            references++;
#endif
            i++
        :: else -> break
        od;
#ifdef LIFETIME
        i = 0;
        do
        :: i < SOURCES -> holds[i] = 1; references++; i++
        :: else -> break
        od;
#endif
        i = 0;
        do
        :: i < POSTERS -> run poster(i); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < NOTIFIERS -> run notifier(i); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < WAITERS -> run waiter(true); i++
        :: else -> break
        od;
#ifdef NESTING
        run waiter(false);
#endif
#ifdef KICK
        references++;
        run kicker();
#endif
#ifdef CLOSE
        run closer();
#endif
        run quiet()
    }
}
