/* SPDX-License-Identifier: MIT */
/*
 * Rings of io_uring, without liburing: what is needed of it here is less than what it would
 * take to find it.
 */
#include "os/config.h"

#include "os/uring.h"

#if PLX__HAS_IO_URING

#include <string.h>
#include <sys/mman.h>

enum { RING_OPERATIONS = 256, RING_COMPLETIONS = 4096 };

#define RING_SETUP                                                                                                \
    (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |                        \
     IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE)

#define RING_FEATURES                                                                                             \
    (IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_POLL_32BITS | IORING_FEAT_EXT_ARG |               \
     IORING_FEAT_CQE_SKIP)

static int ring_setup(struct io_uring_params *params)
{
    int saved = errno;

    memset(params, 0, sizeof *params);
    params->flags = RING_SETUP;
    params->cq_entries = RING_COMPLETIONS;
    return plx__result(plx__linux.io_uring_setup(RING_OPERATIONS, params), saved);
}

static void *ring_map(int fd, size_t size, uint64_t offset, int *rc)
{
    int saved = errno;
    void *mapped = plx__linux.mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)offset);

    *rc = plx__result(mapped == MAP_FAILED ? -1 : 0, saved);
    return mapped;
}

static void ring_unmap(void *memory, size_t size)
{
    int saved = errno;

    (void)plx__linux.munmap(memory, size);
    errno = saved;
}

static _Atomic(uint32_t) *ring_word(const plx__ring *ring, uint32_t offset)
{
    return (_Atomic(uint32_t) *)(void *)((char *)ring->shared + offset);
}

/* The array of indices says which operation is next: always the next. */
static void ring_lay_out(plx__ring *ring, const struct io_uring_params *params)
{
    uint32_t *indices = (uint32_t *)(void *)((char *)ring->shared + params->sq_off.array);

    ring->size = params->sq_entries;
    ring->mask = params->cq_entries - 1;
    ring->filled = 0;
    ring->head = ring_word(ring, params->sq_off.head);
    ring->tail = ring_word(ring, params->sq_off.tail);
    ring->done_head = ring_word(ring, params->cq_off.head);
    ring->done_tail = ring_word(ring, params->cq_off.tail);
    ring->flags = ring_word(ring, params->sq_off.flags);
    ring->completions = (const void *)((char *)ring->shared + params->cq_off.cqes);
    for (uint32_t i = 0; i < ring->size; i++)
        indices[i] = i;
}

static size_t ring_larger(size_t one, size_t other)
{
    return one > other ? one : other;
}

/* What the kernel says if it cannot be had. */
static int ring_try(plx__ring *ring)
{
    struct io_uring_params params;
    int rc = ring_setup(&params);

    if (rc < 0)
        return rc;
    ring->fd = rc;
    rc = (params.features & RING_FEATURES) == RING_FEATURES ? 0 : -EINVAL;
    if (rc < 0)
        goto close_ring;
    ring->shared_size = ring_larger(params.sq_off.array + params.sq_entries * sizeof(uint32_t),
                                    params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe));
    ring->shared = ring_map(ring->fd, ring->shared_size, IORING_OFF_SQ_RING, &rc);
    if (rc < 0)
        goto close_ring;
    ring->operations_size = params.sq_entries * sizeof(struct io_uring_sqe);
    ring->operations = ring_map(ring->fd, ring->operations_size, IORING_OFF_SQES, &rc);
    if (rc < 0)
        goto unmap_shared;
    ring_lay_out(ring, &params);
    return 0;

unmap_shared:
    ring_unmap(ring->shared, ring->shared_size);
close_ring:
    plx__close(ring->fd);
    return rc;
}

int plx__ring_open(plx__ring *ring)
{
    int rc = ring_try(ring);

    return rc < 0 && rc != -EMFILE && rc != -ENFILE ? -ENOTSUP : rc;
}

const char *plx__ring_obstacle(void)
{
    plx__ring ring;
    int rc = ring_try(&ring);

    if (rc == 0)
        plx__ring_close(&ring);
    switch (rc) {
    case 0:
        return NULL;
    case -ENOSYS:
        return "the kernel does not have it (ENOSYS)";
    case -EPERM:
        return "kernel.io_uring_disabled or a sandbox forbids it (EPERM)";
    case -EACCES:
        return "a sandbox forbids it (EACCES)";
    case -EINVAL:
        return "it takes Linux 6.1 (EINVAL)";
    case -ENOMEM:
        return "there is too little memory, or the limit of locked memory is too low (ENOMEM)";
    default:
        return "it cannot be opened now";
    }
}

void plx__ring_close(plx__ring *ring)
{
    ring_unmap(ring->operations, ring->operations_size);
    ring_unmap(ring->shared, ring->shared_size);
    plx__close(ring->fd);
}

struct io_uring_sqe *plx__ring_operation(plx__ring *ring)
{
    if (ring->filled - atomic_load_explicit(ring->head, PLX__ACQUIRE) == ring->size)
        return NULL;
    struct io_uring_sqe *operation = &ring->operations[ring->filled++ & (ring->size - 1)];
    memset(operation, 0, sizeof *operation);
    return operation;
}

uint32_t plx__ring_publish(plx__ring *ring)
{
    atomic_store_explicit(ring->tail, ring->filled, PLX__RELEASE);
    return ring->filled - atomic_load_explicit(ring->head, PLX__RELAXED);
}

int plx__ring_enter(const plx__ring *ring, uint32_t operations, uint32_t least, plx_nanos timeout, uint32_t *calls)
{
    plx__timespec64 limit = {.seconds = timeout / 1000000000, .nanoseconds = timeout % 1000000000};
    struct io_uring_getevents_arg how = {.ts = timeout > 0 ? (uint64_t)(uintptr_t)&limit : 0};
    const uint32_t flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
    int saved = errno;
    int rc = plx__result(plx__linux.io_uring_enter(ring->fd, operations, least, flags, &how, sizeof how), saved);

    ++*calls;
    if (rc != -EBADFD)
        return rc;
    rc = plx__result(plx__linux.io_uring_register(ring->fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0), saved);
    ++*calls;
    if (rc < 0)
        return rc == -EBADFD ? -EEXIST : rc; /* another thread was first */
    ++*calls;
    return plx__result(plx__linux.io_uring_enter(ring->fd, operations, least, flags, &how, sizeof how), saved);
}

#endif
