/* SPDX-License-Identifier: MIT */
/* The standard input, which the runner writes to on demand, beside the output and timers. */
#include "os/config.h"

#include "../check.h"
#include "os/wasi.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { IN = 0, OUT = 1, TIMER = 9 };

#define PATIENCE PLX_SEC(20)

static plx_poller *poller;
static plx_registry *registry;

static void ask(const char *what)
{
    puts(what);
    fflush(stdout);
}

static plx_event next(plx_nanos timeout)
{
    plx_event event;

    CHECK_RC(plx_poller_wait(poller, &event, 1, timeout), 1);
    return event;
}

/* The same by waits that do not block: under Node one of them has once reported nothing. */
static plx_event next_at_once(void)
{
    plx_event event;
    int count = 0;

    for (int looks = 0; looks < 100 && count == 0; looks++)
        count = plx_poller_wait(poller, &event, 1, 0);
    CHECK_RC(count, 1);
    return event;
}

static void take_line(void)
{
    char line[16];

    CHECK_EQ(read(IN, line, sizeof line), 4);
}

/* Sleeps until there is a line, and says so for as long as it is not read. */
static void input_is_reported(void)
{
    plx_event none;

    CHECK_RC(plx_register(registry, IN, IN, PLX_READABLE), 0);
    CHECK_RC(plx_register(registry, IN, IN, PLX_READABLE), -EEXIST);
    CHECK_RC(plx_poller_wait(poller, &none, 1, 0), 0);
    ask("feed");
    for (int i = 0; i < 3; i++) {
        plx_event event = i < 2 ? next(PATIENCE) : next_at_once();
        CHECK(event.token == IN && event.flags == PLX_READABLE);
    }
    take_line();
    CHECK_RC(plx_poller_wait(poller, &none, 1, PLX_MSEC(20)), 0);
    ask("feed");
    CHECK_EQ(next(PLX_FOREVER).token, IN);
    take_line();
}

static void timer_is_on_time_beside_it(void)
{
    plx_timer timer;
    plx_nanos start = plx_now();

    CHECK_RC(plx_timer_start(registry, TIMER, PLX_MSEC(30), 0, &timer), 0);
    plx_event event = next(PATIENCE);
    CHECK(event.token == TIMER && event.flags == PLX_TIMER);
    CHECK(plx_now() - start >= PLX_MSEC(30));
}

/* Both directions of two descriptors: what is ready does not wait for what is not. */
static void output_does_not_wait_for_input(void)
{
    CHECK_RC(plx_register(registry, OUT, OUT, PLX_WRITABLE | PLX_READABLE | PLX_ONESHOT), 0);
    plx_event event = next(PLX_FOREVER);
    CHECK(event.token == OUT && event.flags == PLX_WRITABLE);
    ask("feed");
    CHECK_EQ(next(PLX_FOREVER).token, IN); /* the other is disarmed */
    take_line();
    CHECK_RC(plx_reregister(registry, OUT, OUT, PLX_WRITABLE), 0);
    CHECK_EQ(next(0).token, OUT);
    CHECK_RC(plx_deregister(registry, OUT), 0);
}

static void interests_that_wasi_lacks_are_enotsup(void)
{
    CHECK_RC(plx_reregister(registry, IN, IN, PLX_PRIORITY), -ENOTSUP);
    CHECK_RC(plx_reregister(registry, IN, IN, PLX_READ_CLOSED), -ENOTSUP);
    CHECK_RC(plx_reregister(registry, IN, IN, PLX_READABLE | PLX_EDGE), -ENOTSUP);
}

static void files_are_eperm(void)
{
    int file = open("/tmp", O_RDONLY | O_DIRECTORY);

    CHECK(file >= 0);
    CHECK_RC(plx_register(registry, file, 1, PLX_READABLE), -EPERM);
    CHECK(close(file) == 0);
    CHECK_RC(plx_register(registry, file, 1, PLX_READABLE), -EBADF);
    file = open("/dev/null", O_RDONLY);
    CHECK(file >= 0);
    CHECK_RC(plx_register(registry, file, 1, PLX_READABLE), -EPERM);
    CHECK(close(file) == 0);
}

static void end_of_input_is_reported(void)
{
    char byte;

    ask("end");
    plx_event event = next(PATIENCE);
    CHECK(event.flags & PLX_READ_CLOSED);
    CHECK_EQ(read(IN, &byte, 1), 0);
}

/* By the call below the library: of the numbers that can be registered Node lets none be closed. */
static void closed_number_is_told(void)
{
    struct pollfd numbers[] = {{.fd = 99, .events = POLLIN}, {.fd = -1, .events = POLLIN}};

    CHECK_EQ(plx__wasi_poll(numbers, 2, -1), 1);
    CHECK_EQ(numbers[0].revents, POLLNVAL);
    CHECK_EQ(numbers[1].revents, 0);
}

int main(void)
{
    CHECK_RC(plx_poller_open(&poller, NULL), 0);
    registry = plx_poller_registry(poller);
    input_is_reported();
    timer_is_on_time_beside_it();
    output_does_not_wait_for_input();
    interests_that_wasi_lacks_are_enotsup();
    files_are_eperm();
    end_of_input_is_reported();
    closed_number_is_told();
    plx_poller_close(poller);
    return 0;
}
