/* SPDX-License-Identifier: MIT */
/*
 * Downloads in parallel, in one thread:
 *
 *     download [--parallel N] [--timeout SECONDS] FOLDER [URL...]
 *
 * Each URL goes to FOLDER, under the last part of its path. At most N (100) are on their way
 * at once, and each may take SECONDS (60). A line for each that failed; the status is 1 then.
 */
#define _POSIX_C_SOURCE 200809L

#include "curl_pollux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KIND_CURL = 1, CAPACITY = 64 };

struct transfer {
    const char *url;
    char path[4096];
    FILE *file;
};

static const char *folder;
static char **urls; /* those that were not begun; NULL ends them */
static long parallel = 100, timeout = 60;
static int failures;

static void report(const char *url, const char *message)
{
    printf("failed %s: %s\n", url, message);
    failures++;
}

static void transfer_end(struct transfer *transfer, bool good)
{
    if (fclose(transfer->file) != 0 && good) {
        report(transfer->url, strerror(errno));
        good = false;
    }
    if (!good)
        remove(transfer->path);
    free(transfer);
}

/* Begins the next URL whose file can be opened; false when there is none. */
static bool begin_next(CURLM *multi)
{
    while (*urls != NULL) {
        struct transfer *transfer = calloc(1, sizeof *transfer);
        CURL *easy = curl_easy_init();
        if (transfer == NULL || easy == NULL)
            exit(2);
        transfer->url = *urls++;
        const char *name = strrchr(transfer->url, '/');
        snprintf(transfer->path, sizeof transfer->path, "%s/%s", folder, name ? name + 1 : transfer->url);
        transfer->file = fopen(transfer->path, "wbx");
        if (transfer->file == NULL) {
            report(transfer->url, strerror(errno));
            curl_easy_cleanup(easy);
            free(transfer);
            continue;
        }
        curl_easy_setopt(easy, CURLOPT_URL, transfer->url);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer->file);
        curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT, timeout);
        curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_multi_add_handle(multi, easy);
        return true;
    }
    return false;
}

/* Takes what is over, and begins as many. Returns how many fewer are on their way. */
static long take_finished(CURLM *multi)
{
    CURLMsg *message;
    long fewer = 0;
    int left;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        struct transfer *transfer;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
        curl_multi_remove_handle(multi, easy);
        if (result != CURLE_OK)
            report(transfer->url, curl_easy_strerror(result));
        transfer_end(transfer, result == CURLE_OK);
        curl_easy_cleanup(easy);
        fewer += !begin_next(multi);
    }
    return fewer;
}

static int run(plx_poller *poller, CURLM *multi)
{
    struct curl_pollux curl;
    long active = 0;
    int count = 0;
    curl_pollux_open(&curl, multi, plx_poller_registry(poller), KIND_CURL);
    while (active < parallel && begin_next(multi))
        active++;
    while (active > 0 && curl.rc == 0 && count >= 0) {
        plx_event events[CAPACITY];
        count = plx_poller_wait(poller, events, CAPACITY, PLX_FOREVER);
        curl_pollux_events(&curl, events, count);
        active -= take_finished(multi);
    }
    curl_multi_cleanup(multi);
    curl_pollux_close(&curl);
    return count < 0 ? count : curl.rc;
}

int main(int argc, char **argv)
{
    for (; argc > 2 && argv[1][0] == '-'; argc -= 2, argv += 2) {
        long *number = strcmp(argv[1], "--parallel") == 0 ? &parallel : &timeout;
        char *end;
        *number = strtol(argv[2], &end, 10);
        if (*end != '\0' || *number < 1 || (number == &timeout && strcmp(argv[1], "--timeout") != 0))
            break;
    }
    if (argc < 2 || argv[1][0] == '-') {
        fputs("usage: download [--parallel N] [--timeout SECONDS] FOLDER [URL...]\n", stderr);
        return 2;
    }
    folder = argv[1];
    urls = argv + 2;

    plx_poller *poller;
    int rc = plx_poller_open(&poller, NULL);
    if (rc == 0) {
        plx_stats stats;
        curl_global_init(CURL_GLOBAL_DEFAULT);
        rc = run(poller, curl_multi_init());
        plx_poller_stats(poller, &stats);
        if (rc == 0 && (stats.registered != 0 || stats.timers != 0)) {
            fputs("download: libcurl did not give everything back\n", stderr);
            failures++;
        }
        curl_global_cleanup();
        plx_poller_close(poller);
    }
    if (rc < 0)
        fprintf(stderr, "download: %s\n", plx_strerror(rc));
    return rc == 0 && failures == 0 ? 0 : 1;
}
