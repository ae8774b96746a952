/* SPDX-License-Identifier: MIT */
/* What the notes of the probes point at. */
#include "os/config.h"

#include "os/probes.h"

#if PLX__HAS_PROBES
#define PLX__PROBE_COUNT(name) __attribute__((section(".probes"))) unsigned short pollux_##name##_semaphore;
PLX__PROBES(PLX__PROBE_COUNT)
#endif
