/* Runs the cases: each in a process of its own that ends, or is ended, within a time; several at once. */
#include "target.h"

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef void (*case_function)(void);
void register_case(const char *file, const char *name, case_function function);

/* A case that takes longer hangs. None needs half of it. */
enum { MOST_CASES = 512, SECONDS = 30 };

static struct {
    char name[128];
    case_function function;
    pid_t process;
    FILE *output;
    struct timespec start;
} cases[MOST_CASES];
static int count;
/* Of the case that runs in this process. */
static int failures;

void register_case(const char *file, const char *name, case_function function)
{
    if (count == MOST_CASES) abort();
    const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    snprintf(cases[count].name, sizeof cases[count].name, "%.*s/%s", (int)strcspn(base, "."), base, name);
    cases[count++].function = function;
}

void case_failed(void) { __atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED); }

void case_ends(void)
{
    fflush(stdout);
    _exit(__atomic_load_n(&failures, __ATOMIC_RELAXED) ? 1 : 0);
}

static void run(int index)
{
    fflush(stdout);
    cases[index].output = tmpfile();
    clock_gettime(CLOCK_MONOTONIC, &cases[index].start);
    const pid_t process = fork();
    if (process < 0 || !cases[index].output) {
        perror("conformance: cannot start a case");
        exit(2);
    }
    if (process == 0) {
        dup2(fileno(cases[index].output), 1);
        setvbuf(stdout, NULL, _IOLBF, 0);
        alarm(SECONDS);
        target_start(index);
        cases[index].function();
        case_ends();
    }
    cases[index].process = process;
}

/* Waits for one case; gives 1 if it passed. */
static int collect(bool is_verbose)
{
    int status;
    const pid_t process = wait(&status);
    for (int index = 0; index < count; index++) {
        if (process <= 0 || cases[index].process != process) continue;
        struct timespec end;
        clock_gettime(CLOCK_MONOTONIC, &end);
        const long took = (end.tv_sec - cases[index].start.tv_sec) * 1000
            + (end.tv_nsec - cases[index].start.tv_nsec) / 1000000;
        const bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!passed || is_verbose) {
            printf("%s %s %s (%ld ms)\n", target_name, passed ? "passed" : "FAILED", cases[index].name, took);
            rewind(cases[index].output);
            for (int byte; (byte = fgetc(cases[index].output)) != EOF;) putchar(byte);
        }
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) printf("    it hangs: no end after %d s\n", SECONDS);
        else if (WIFSIGNALED(status)) printf("    it was ended by signal %d\n", WTERMSIG(status));
        else if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) printf("    it ended with status %d\n", status);
        fclose(cases[index].output);
        return passed;
    }
    return 0;
}

int main(int arguments, char **values)
{
    bool is_verbose = false;
    int at_once = 8;
    const char *pattern = "*";
    for (int option; (option = getopt(arguments, values, "vj:")) != -1;) {
        if (option == 'v') is_verbose = true;
        else if (option == 'j' && atoi(optarg) > 0) at_once = atoi(optarg);
        else {
            fprintf(stderr, "usage: %s [-v] [-j cases at once] [pattern of names]\n", values[0]);
            return 2;
        }
    }
    if (optind < arguments) pattern = values[optind];
    target_prepare();
    int started = 0, running = 0, passed = 0;
    for (int index = 0; index < count; index++) {
        if (fnmatch(pattern, cases[index].name, 0) != 0) continue;
        if (running == at_once) {
            passed += collect(is_verbose);
            running--;
        }
        run(index);
        started++;
        running++;
    }
    for (; running > 0; running--) passed += collect(is_verbose);
    target_clean();
    printf("%s: %d passed, %d failed, 0 skipped\n", target_name, passed, started - passed);
    return started > 0 && passed == started ? 0 : 1;
}
