/* SPDX-License-Identifier: MIT */
/* Runs commands side by side and prints what each writes, as it writes it. */
#define _POSIX_C_SOURCE 200809L
#include <pollux.h>
#include <stdio.h>
#include <unistd.h>

struct command {
    const char *name, *text;
    FILE *output;
};

static struct command commands[] = {
    {"slow", "sleep 0.2; echo one; sleep 0.2; echo two", NULL},
    {"quick", "echo hello", NULL},
    {"none", "sleep 0.1", NULL},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static int start(struct command *command, plx_registry *registry)
{
    command->output = popen(command->text, "r");
    if (!command->output)
        return -errno;
    return plx_register(registry, fileno(command->output), plx_token_from_ptr(command), PLX_READABLE);
}

/* One read: what is left makes another event. False at the end of the output. */
static bool print_some(struct command *command)
{
    char text[512];
    ssize_t size = read(fileno(command->output), text, sizeof text);
    if (size > 0)
        printf("%s: %.*s", command->name, (int)size, text);
    return size > 0 || (size < 0 && errno == EINTR);
}

int main(void)
{
    plx_poller *poller;
    int rc = plx_poller_open(&poller, NULL);
    if (rc < 0)
        return fprintf(stderr, "no poller: %s\n", plx_strerror(rc)), 1;
    plx_registry *registry = plx_poller_registry(poller);
    for (int i = 0; i < COMMANDS && rc == 0; i++)
        rc = start(&commands[i], registry);

    for (int running = COMMANDS; running > 0 && rc >= 0;) {
        plx_event events[8];
        rc = plx_poller_wait(poller, events, 8, PLX_FOREVER);
        for (int i = 0; i < rc; i++) {
            struct command *command = plx_token_ptr(events[i].token);
            if (print_some(command))
                continue;
            plx_deregister(registry, fileno(command->output)); /* before it is closed */
            printf("%s ended with %d\n", command->name, pclose(command->output));
            running--;
        }
    }
    if (rc < 0)
        fprintf(stderr, "%s\n", plx_strerror(rc));
    plx_poller_close(poller);
    return rc < 0;
}
