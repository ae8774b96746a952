/* SPDX-License-Identifier: MIT */
/*
 * conform CASE BACKEND     runs one case on one backend
 * conform --list           prints the names of all cases
 * conform --check FILE     compares that list with cases.txt
 *
 * Ends with 0 for a pass, 77 with a line "skip: <limit>" on the standard output, and
 * anything else for a failure.
 */
#include "support.h"

#include <signal.h>

static int list_cases(void)
{
    for (conform_case *entry = conform_cases; entry; entry = entry->next)
        puts(entry->name);
    return 0;
}

/* Every name in the file is a case, and there are as many as cases, none of them twice. */
static int check_list(const char *path)
{
    enum { NAMES_MAX = 1000 };
    static conform_case *seen[NAMES_MAX];
    int count = 0, wrong = 0;
    char line[256];
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        return 1;
    }
    while (fgets(line, sizeof line, file) && count < NAMES_MAX) {
        line[strcspn(line, "#\r\n \t")] = '\0';
        if (!line[0])
            continue;
        conform_case *entry = conform_find(line);
        bool twice = false;
        for (int i = 0; entry && i < count; i++)
            twice = twice || seen[i] == entry;
        if (!entry || twice) {
            fprintf(stderr, "%s: %s %s\n", path, line, twice ? "is there twice" : "is not a case");
            wrong++;
            continue;
        }
        seen[count++] = entry;
    }
    fclose(file);
    for (conform_case *entry = conform_cases; entry; entry = entry->next) {
        bool listed = false;
        for (int i = 0; i < count; i++)
            listed = listed || seen[i] == entry;
        if (!listed) {
            fprintf(stderr, "%s: %s is missing\n", path, entry->name);
            wrong++;
        }
    }
    return wrong != 0;
}

static int usage(void)
{
    fputs("usage: conform CASE BACKEND | --list | --check FILE\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list_cases();
    if (argc == 3 && strcmp(argv[1], "--check") == 0)
        return check_list(argv[2]);
    if (argc != 3)
        return usage();
    conform_case *entry = conform_find(argv[1]);
    if (!entry) {
        fprintf(stderr, "conform: no case is called \"%s\"\n", argv[1]);
        return 2;
    }
    conform_backend = argv[2];
#ifdef SIGPIPE
    signal(SIGPIPE, SIG_IGN);
#endif
    conform_need_backend();
    entry->run();
    return 0;
}
