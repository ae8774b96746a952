/* SPDX-License-Identifier: MIT */
/*
 * Runs three commands at once, each for a second at most, and says how each ended. A child's
 * end is an event; its status reaps it, so that no zombie is left.
 */
#define _POSIX_C_SOURCE 200809L
#include <pollux.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static const char *const commands[] = {"exit 0", "sleep 0.05; exit 3", "sleep 60"};

enum { COMMANDS = sizeof commands / sizeof commands[0], TOKEN_TIME = 100 };

struct run {
    plx_pid pid;
    plx_process *process;
    plx_timer time;
};

static int start(struct run *run, plx_registry *registry, int index)
{
    run->pid = fork();
    if (run->pid == 0) {
        execl("/bin/sh", "sh", "-c", commands[index], (char *)NULL);
        _exit(127);
    }
    if (run->pid < 0)
        return -errno;
    int rc = plx_process_open(registry, (plx_token)index, run->pid, &run->process);
    if (rc == 0)
        rc = plx_timer_start(registry, TOKEN_TIME + (plx_token)index, PLX_SEC(1), 0, &run->time);
    return rc;
}

static void finish(struct run *run, plx_registry *registry, int index)
{
    plx_exit status;
    int rc = plx_process_status(run->process, &status);

    if (rc < 0)
        printf("\"%s\": %s\n", commands[index], plx_strerror(rc));
    else if (status.signal)
        printf("\"%s\" was killed by signal %d\n", commands[index], status.signal);
    else
        printf("\"%s\" exited with %d\n", commands[index], status.code);
    plx_process_close(run->process);
    plx_timer_cancel(registry, run->time);
}

int main(void)
{
    struct run runs[COMMANDS];
    plx_poller *poller;
    int rc = plx_poller_open(&poller, NULL);
    plx_registry *registry = plx_poller_registry(poller);

    for (int i = 0; rc == 0 && i < COMMANDS; i++)
        rc = start(&runs[i], registry, i);
    for (int left = COMMANDS; rc == 0 && left > 0;) {
        plx_event event;
        rc = plx_poller_wait(poller, &event, 1, PLX_FOREVER);
        if (rc == 1 && event.flags & PLX_PROCESS) {
            finish(&runs[event.token], registry, (int)event.token);
            left--;
        } else if (rc == 1 && event.flags & PLX_TIMER) {
            kill(runs[event.token - TOKEN_TIME].pid, SIGKILL); /* its time is up */
        }
        rc = rc < 0 ? rc : 0;
    }
    if (rc < 0)
        fprintf(stderr, "%s\n", plx_strerror(rc));
    plx_poller_close(poller);
    return rc == 0 ? 0 : 1;
}
