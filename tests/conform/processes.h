/* SPDX-License-Identifier: MIT */
/* What the cases of processes share. */
#ifndef CONFORM_PROCESSES_H
#define CONFORM_PROCESSES_H

#include "signals.h"

/*
 * Runs a case's body as it is; where the system has descriptors of processes, then without
 * waiting by them, and without them.
 */
void in_each_way(void (*body)(void));

/* Whether the system has them; without, a process is known by its number alone. */
bool processes_have_descriptors(void);

#endif
