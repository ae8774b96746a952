/* SPDX-License-Identifier: MIT */
/*
 * Fork detection. A child shares the kernel's side of a poller with its parent, and a
 * change made by the child would be made to the parent. A poller remembers the generation
 * it was opened under; in a child the generation is another one.
 */
#ifndef PLX__FORK_H
#define PLX__FORK_H

#include "os/atomic.h"
#include "os/config.h"

#include <stdbool.h>
#include <stdint.h>

/* Written in a child, which has one thread then; read by anyone. */
extern _Atomic(uint32_t) plx__fork_generation;

/* Whether a child has the descriptors that the library made; a kqueue it has not. */
#define PLX__FORK_INHERITS (!PLX__HAS_KQUEUE)

/* Starts the detection, once in a process. 0 or -ENOMEM. */
int plx__fork_watch(void);

/*
 * Has every child call `in_child`, which takes no lock. Once: `watched` says whether that was
 * arranged already. 0 or -ENOMEM.
 */
int plx__fork_call(_Atomic(bool) *watched, void (*in_child)(void));

#endif
