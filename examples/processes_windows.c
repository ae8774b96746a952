/* SPDX-License-Identifier: MIT */
/*
 * Runs three commands at once, each for a second at most, and says how each ended: the example
 * processes.c, for Windows. The program itself, started with an argument, is what takes too long.
 */
#include <pollux.h>
#include <stdio.h>
#include <windows.h>

enum { COMMANDS = 3, TOKEN_TIME = 100 };

struct run {
    wchar_t command[MAX_PATH + 16];
    HANDLE handle; /* of one's own: to end it with */
    plx_process *process;
    plx_timer time;
};

static int start(struct run *run, plx_registry *registry, int index)
{
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION child;

    if (!CreateProcessW(NULL, run->command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &child))
        return -ENOENT;
    CloseHandle(child.hThread);
    run->handle = child.hProcess;
    int rc = plx_process_open(registry, (plx_token)index, child.dwProcessId, &run->process);
    if (rc == 0)
        rc = plx_timer_start(registry, TOKEN_TIME + (plx_token)index, PLX_SEC(1), 0, &run->time);
    return rc;
}

static void finish(struct run *run, plx_registry *registry)
{
    plx_exit status;
    int rc = plx_process_status(run->process, &status);

    if (rc < 0)
        printf("\"%ls\": %s\n", run->command, plx_strerror(rc));
    else
        printf("\"%ls\" exited with %d\n", run->command, status.code);
    plx_process_close(run->process);
    plx_timer_cancel(registry, run->time);
    CloseHandle(run->handle);
}

int main(int argc, char **argv)
{
    struct run runs[COMMANDS] = {{.command = L"cmd /c exit 0"}, {.command = L"cmd /c exit 3"}};
    plx_poller *poller;

    (void)argv;
    if (argc > 1)
        Sleep(INFINITE);
    runs[2].command[0] = L'"';
    DWORD length = GetModuleFileNameW(NULL, runs[2].command + 1, MAX_PATH);
    wcscpy(runs[2].command + 1 + length, L"\" stay");
    int rc = plx_poller_open(&poller, NULL);
    plx_registry *registry = plx_poller_registry(poller);

    for (int i = 0; rc == 0 && i < COMMANDS; i++)
        rc = start(&runs[i], registry, i);
    for (int left = COMMANDS; rc == 0 && left > 0;) {
        plx_event event;
        rc = plx_poller_wait(poller, &event, 1, PLX_FOREVER);
        if (rc == 1 && event.flags & PLX_PROCESS) {
            finish(&runs[event.token], registry);
            left--;
        } else if (rc == 1 && event.flags & PLX_TIMER) {
            TerminateProcess(runs[event.token - TOKEN_TIME].handle, 9); /* its time is up */
        }
        rc = rc < 0 ? rc : 0;
    }
    if (rc < 0)
        fprintf(stderr, "%s\n", plx_strerror(rc));
    plx_poller_close(poller);
    return rc == 0 ? 0 : 1;
}
