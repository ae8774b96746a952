/* SPDX-License-Identifier: MIT */
/* What the cases of processes share. */
#ifndef CONFORM_PROCESSES_H
#define CONFORM_PROCESSES_H

#include "signals.h"

/* Runs a case's body as it is, and again as where there is no descriptor of a process. */
void in_each_way(void (*body)(void));

#endif
