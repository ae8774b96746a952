/* SPDX-License-Identifier: MIT */
/*
 * While the main thread waits, another thread works on the same poller through its
 * registry: it registers a descriptor, posts values, and wakes. The registry and the
 * waker outlive the poller and then say that it is gone.
 */
#define _POSIX_C_SOURCE 200809L

#include <pollux.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { TOKEN_PIPE = 1, TOKEN_POST, TOKEN_WAKER, POSTS = 3 };

struct helper {
    plx_registry *registry;
    plx_waker *waker;
    int ends[2];
    int rc;
};

static void *help(void *argument)
{
    struct helper *helper = argument;

    /* The main thread may be blocked in its wait by now. It takes effect all the same. */
    helper->rc = plx_register(helper->registry, helper->ends[0], TOKEN_PIPE, PLX_READABLE);
    if (write(helper->ends[1], "!", 1) != 1)
        helper->rc = -errno;

    /* Posts are a queue: each is an event of its own, in order, with a value. */
    for (uint64_t i = 1; i <= POSTS && helper->rc == 0; i++)
        helper->rc = plx_post(helper->registry, TOKEN_POST, i);

    /* Wakes only say "look": many of them make one event, but one after the last wake. */
    for (int i = 0; i < 1000 && helper->rc == 0; i++)
        helper->rc = plx_waker_wake(helper->waker);
    return NULL;
}

int main(void)
{
    plx_poller *poller;
    struct helper helper = {0};
    pthread_t thread;
    if (plx_poller_open(&poller, NULL) < 0 || pipe(helper.ends) < 0)
        return 1;
    helper.registry = plx_registry_retain(plx_poller_registry(poller)); /* borrowed until retained */
    if (plx_waker_open(helper.registry, TOKEN_WAKER, &helper.waker) < 0 ||
        pthread_create(&thread, NULL, help, &helper) != 0)
        return 1;

    bool readable = false;
    uint64_t posts = 0, wakes = 0;
    while (!readable || posts < POSTS || wakes == 0) {
        plx_event events[8];
        int count = plx_poller_wait(poller, events, 8, PLX_SEC(10));
        if (count <= 0)
            return 1;
        for (int i = 0; i < count; i++) {
            char byte;
            if (events[i].token == TOKEN_PIPE)
                readable = read(helper.ends[0], &byte, 1) == 1;
            else if ((events[i].flags & PLX_POST) && events[i].data != ++posts)
                return 1;
            else if (events[i].flags & PLX_WAKER)
                wakes++;
        }
    }
    pthread_join(thread, NULL);
    printf("the thread's pipe is readable; %d posts; 1000 wakes made %d event(s)\n", (int)posts, (int)wakes);

    plx_poller_close(poller);
    int rc = plx_waker_wake(helper.waker);
    printf("a wake after the close: %s\n", plx_strerror(rc));
    plx_waker_release(helper.waker);
    plx_registry_release(helper.registry);
    return helper.rc == 0 && rc == -PLX_ESHUTDOWN ? 0 : 1;
}
