/* Runs every part in a process of its own, and adds up.
 *     matrix names               the functions that have a row
 *     matrix FOLDER [PART]       FOLDER holds answering.planet and others; PART as in "1:ready", "2:life"
 */
#include "matrix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Both generations' headers declare it; this file includes neither. */
int *zts_errno_location(void);
const char *zts_last_error_message(void);
int zts_close(int fd);
int zts_instance_free(int instance);

enum { SECONDS = 55, AT_ONCE = 6, MOST_EVENTS = 4096, MOST_PARTS = 96, CONTROL_PORT = 9988 };

enum state state;
char directory[512], other_directory[512];
unsigned char planet[4096];
unsigned planet_length;
char identity[384] =
    "e579b42b36:0:7acd18a7aca2aaca14ce51ab803b8929fcf63760a003ac87eb7ad1e70fb3ad58e535aa14069d2"
    "9ac420d60a89a762277107478b42aec317d478294505a4353fb:d449b6af95a6c9f563b425fe9d9ff4c06744af"
    "88a71a0f9acc5826aab8e41f6ebaf7169b1ef2f5b5f0a8acf9ab95c142c2ed7cf28b5db5c736f7040a85e080ba";
char public_identity[384] =
    "e579b42b36:0:7acd18a7aca2aaca14ce51ab803b8929fcf63760a003ac87eb7ad1e70fb3ad58e535aa14069d2"
    "9ac420d60a89a762277107478b42aec317d478294505a4353fb";
int leaving_root;
int number;
unsigned length;
size_t room;

int *number_of(int value) { return number = value, &number; }
unsigned *length_of(unsigned value) { return length = value, &length; }
size_t *room_of(size_t value) { return room = value, &room; }

double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

bool waits(bool (*is_so)(void))
{
    double end = now() + SECONDS - 5;
    while (!is_so()) {
        if (now() > end)
            return false;
        usleep(1000);
    }
    return true;
}

/* ---- Rows and expectations ---- */

static const char *part = "";
static bool is_listing;
static atomic_int passed, failed; /* also counted on the library's thread */
static const char *file_of_row, *function_of_row, *arguments_of_row;
static bool has_row_run;
static long long result_of_row;
static char message_of_row[512];

/* A failure whose message no row's failure has. */
#define SENTINEL 987654
#define SENTINEL_TEXT "987654"

/* The symbol behind the name: generation 2 has its own under the names that both have. */
static void print_symbol(int generation, const char *function)
{
    static const char *const shared[] = { "socket", "connect", "bind", "listen", "accept", "send", "recv", "read",
        "write", "close", "getpeername", "getsockname", "strerror" };
    /* Of the controller, all. */
    bool is_shared = strncmp(function, "zts_controller_", 15) == 0;
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        is_shared |= strncmp(function, "zts_", 4) == 0 && strcmp(function + 4, shared[i]) == 0;
    if (generation == 2 && is_shared)
        printf("zts18_%s\n", function + 4);
    else
        printf("%s\n", function);
}

bool row_begins(
    int generation, const char *file, const char *function, const char *arguments, const long long *expected)
{
    if (is_listing) {
        if (function)
            print_symbol(generation, function);
        return false;
    }
    has_row_run = false;
    if (expected[state] == SKIP)
        return false;
    if (function)
        zts_instance_free(SENTINEL);
    const char *name = strrchr(file, '/');
    file_of_row = name ? name + 1 : file;
    function_of_row = function ? function : "";
    arguments_of_row = arguments;
    *zts_errno_location() = 0;
    return true;
}

static void print_expectation(long long value)
{
    if (value == SOME) printf("something");
    else if (value == COUNT || value == DESCRIPTOR) printf("0 or more");
    else if (value < LLONG_MIN + 100000) printf("-1 with zts_errno %lld", value - FAILS(0));
    else printf("%lld", value);
}

/* That a failure is explained: not with nothing, and not with what an earlier one left. */
static bool is_explained(long long result, bool is_pointer)
{
    bool has_failed = is_pointer ? result == 0 : result < 0 && result > -100;
    if (!has_failed || function_of_row[0] == 0) return true;
    return message_of_row[0] != 0 && strstr(message_of_row, SENTINEL_TEXT) == NULL;
}

void row_says(long long code, const char *word, int line)
{
    if (is_listing || !has_row_run || result_of_row != code) return;
    if (strstr(message_of_row, word)) {
        passed++;
    } else {
        failed++;
        printf("%s: %s:%d: %s%s does not say \"%s\": %s\n", part, file_of_row, line, function_of_row,
            arguments_of_row, word, message_of_row);
    }
}

void row_ends(long long result, bool is_pointer, const long long *expected, int line)
{
    int error = *zts_errno_location();
    has_row_run = true;
    result_of_row = result;
    snprintf(message_of_row, sizeof message_of_row, "%s", zts_last_error_message());
    long long wanted = expected[state];
    bool is_met;
    if (wanted == SOME) is_met = result > 0;
    else if (wanted == COUNT || wanted == DESCRIPTOR) is_met = result >= 0;
    else if (wanted >= FAILS(0) && wanted < LLONG_MIN + 100000) is_met = result == -1 && error == wanted - FAILS(0);
    else is_met = result == wanted;
    if (is_met && !is_explained(result, is_pointer)) {
        failed++;
        printf("%s: %s:%d: %s%s gives %lld, and the message is not about it: \"%s\"\n", part,
            file_of_row, line, function_of_row, arguments_of_row, result, message_of_row);
    } else if (is_met) {
        passed++;
    } else {
        failed++;
        printf("%s: %s:%d: ", part, file_of_row, line);
        printf("%s%s: expected ", function_of_row, arguments_of_row);
        print_expectation(wanted);
        printf(", got %lld, zts_errno %d (%s)\n", result, error, zts_last_error_message());
    }
    if (wanted == DESCRIPTOR && result >= 0)
        zts_close((int)result);
}

bool expect(bool is_met, const char *text, const char *file, int line)
{
    if (is_met) {
        passed++;
    } else {
        failed++;
        const char *name = strrchr(file, '/');
        printf("%s: %s:%d: not so: %s (%s)\n", part, name ? name + 1 : file, line, text, zts_last_error_message());
    }
    return is_met;
}

void part_ends(void)
{
    printf("= %d %d\n", passed, failed);
    fflush(stdout);
    _exit(failed != 0);
}

/* ---- Events ---- */

static pthread_mutex_t events_mutex = PTHREAD_MUTEX_INITIALIZER;
static int events[MOST_EVENTS];
static int event_count;

void event_came(int code)
{
    pthread_mutex_lock(&events_mutex);
    if (event_count < MOST_EVENTS)
        events[event_count++] = code;
    pthread_mutex_unlock(&events_mutex);
}

static int wanted_code, wanted_times;

static bool has_come(void)
{
    pthread_mutex_lock(&events_mutex);
    int times = 0;
    for (int i = 0; i < event_count; i++)
        times += events[i] == wanted_code;
    pthread_mutex_unlock(&events_mutex);
    return times >= wanted_times;
}

static void print_events(const char *what)
{
    pthread_mutex_lock(&events_mutex);
    printf("%s: %s:", part, what);
    for (int i = 0; i < event_count; i++)
        printf(" %d", events[i]);
    printf("\n");
    pthread_mutex_unlock(&events_mutex);
}

bool event_comes(int code, int times)
{
    wanted_code = code;
    wanted_times = times;
    if (waits(has_come))
        return true;
    char text[64];
    snprintf(text, sizeof text, "event %d does not come", code);
    print_events(text);
    return false;
}

void events_forget(void)
{
    pthread_mutex_lock(&events_mutex);
    event_count = 0;
    pthread_mutex_unlock(&events_mutex);
}

void events_are(const char *what, const int *expected, bool (*is_left_out)(int))
{
    pthread_mutex_lock(&events_mutex);
    bool is_same = true;
    for (int i = 0; i < event_count && is_same; i++)
        if (!is_left_out(events[i]))
            is_same = *expected == events[i] && *expected++ != END;
    is_same = is_same && *expected == END;
    pthread_mutex_unlock(&events_mutex);
    if (is_same) {
        passed++;
    } else {
        failed++;
        print_events(what);
    }
}

/* ---- The controller ---- */

static void die(const char *what)
{
    perror(what);
    exit(2);
}

uint64_t network_of(int number)
{
    /* The address of the first root follows type, number, time, key, signature and count. */
    uint64_t address = 0;
    for (int i = 0; i < 5; i++)
        address = address << 8 | planet[1 + 8 + 8 + 64 + 96 + 1 + i];
    return address << 24 | (unsigned)number;
}

void put_member(uint64_t network, uint64_t member, int step)
{
    unsigned char order[14];
    for (int i = 0; i < 8; i++)
        order[i] = (unsigned char)(network >> (56 - 8 * i));
    for (int i = 0; i < 5; i++)
        order[8 + i] = (unsigned char)(member >> (32 - 8 * i));
    order[13] = (unsigned char)step;
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(CONTROL_PORT) };
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int sender = socket(AF_INET, SOCK_DGRAM, 0);
    if (sender < 0 || sendto(sender, order, sizeof order, 0, (struct sockaddr *)&name, sizeof name) != sizeof order)
        die("order");
    close(sender);
}

/* ---- Files and names ---- */

void write_file(const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) die(path);
    *slash = '/';
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) die(path);
}

bool file_is(const char *name, const char *text)
{
    char path[600], found[1024];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    size_t size = fread(found, 1, sizeof found - 1, file);
    fclose(file);
    while (size > 0 && found[size - 1] == '\n') size--;
    return size == strlen(text) && memcmp(found, text, size) == 0;
}

size_t answer_question(unsigned char *message, size_t size)
{
    /* The name asked for, by a pointer; address, internet; one minute; 4 bytes. */
    static const unsigned char record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 2, 3 };
    if (size < 12 + 5 || message[2] & 0x80 || message[5] != 1) return 0;
    size_t end = 12;
    while (end < size && message[end] != 0) end += 1 + message[end];
    end += 5;
    if (end > size) return 0;
    message[2] |= 0x80;
    message[3] = 0x80;
    message[7] = 1;
    memset(message + 8, 0, 4);
    memcpy(message + end, record, sizeof record);
    return end + sizeof record;
}

/* ---- Parts ---- */

static const char *const state_names[STATES] = { "never", "offline", "online", "ready", "stopped", "freed" };

static void load(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    planet_length = (unsigned)fread(planet, 1, sizeof planet, file);
    fclose(file);
}

static void save(const char *in)
{
    char path[600];
    if (mkdir(in, 0700) != 0) die(in);
    snprintf(path, sizeof path, "%s/planet", in);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(planet, 1, planet_length, file) != planet_length || fclose(file) != 0) die(path);
}

static const struct sequence *const sequences[] = { sequences_1, controlled_1, sequences_2, controlled_2 };

static const struct sequence *sequence_named(const char *name)
{
    int generation = name[0] == '1' ? 1 : 2;
    for (int i = 2 * (generation - 1); i < 2 * generation; i++)
        for (const struct sequence *one = sequences[i]; one->name; one++)
            if (strcmp(one->name, name + 2) == 0)
                return one;
    return NULL;
}

static void run_part(const char *folder, const char *name)
{
    part = name;
    /* A hang ends the process with a signal. */
    alarm(SECONDS);
    int which = 0;
    while (which < STATES && strcmp(state_names[which], name + 2) != 0)
        which++;
    const struct sequence *sequence = which == STATES ? sequence_named(name) : NULL;
    if (which == STATES && !sequence) {
        fprintf(stderr, "there is no part %s\n", name);
        exit(2);
    }
    char path[512];
    enum root root = sequence ? sequence->root : which == ONLINE || which == READY ? ANSWERING : SILENT;
    static const char *const roots[] = { "answering", "silent", "leaving", "controller" };
    const char *suffix = root != LEAVING ? "" : name[0] == '1' ? "-1" : "-2";
    snprintf(path, sizeof path, "%s/%s%s.planet", folder, roots[root], suffix);
    load(path);
    snprintf(path, sizeof path, "%s/%s%s.pid", folder, roots[root], suffix);
    FILE *file = fopen(path, "r");
    if (root == LEAVING && (!file || fscanf(file, "%d", &leaving_root) != 1)) die(path);
    if (file) fclose(file);
    snprintf(directory, sizeof directory, "%s/%s", folder, name);
    save(directory);
    snprintf(other_directory, sizeof other_directory, "%s/%s.other", folder, name);
    save(other_directory);
    if (chdir(directory) != 0) die(directory);
    if (sequence) {
        sequence->run();
        part_ends();
    }
    state = (enum state)which;
    if (name[0] == '1') {
        enter_state_1();
        rows_1();
    } else {
        enter_state_2();
        rows_2();
    }
    part_ends();
}

/* Prints what a part has said, and adds up. */
static void collect(const char *folder, const char *name, int status)
{
    char path[512], line[4096];
    snprintf(path, sizeof path, "%s/%s.out", folder, name);
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    bool has_ended = false;
    while (fgets(line, sizeof line, file)) {
        int good, bad;
        if (sscanf(line, "= %d %d", &good, &bad) == 2) {
            passed += good;
            failed += bad;
            has_ended = true;
        } else {
            fputs(line, stdout);
        }
    }
    fclose(file);
    if (!has_ended || WIFSIGNALED(status)) {
        failed++;
        if (WIFSIGNALED(status))
            printf("%s: ended by signal %d%s\n", name, WTERMSIG(status),
                WTERMSIG(status) == SIGALRM ? " (it hangs)" : "");
        else
            printf("%s: ended early with %d\n", name, WEXITSTATUS(status));
    }
}

static pid_t start_part(const char *folder, const char *name)
{
    fflush(stdout);
    pid_t process = fork();
    if (process < 0) die("fork");
    if (process > 0) return process;
    char path[512];
    snprintf(path, sizeof path, "%s/%s.out", folder, name);
    if (!freopen(path, "w", stdout)) die(path);
    execl("/proc/self/exe", "matrix", folder, name, (char *)NULL);
    die("exec");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "names") == 0) {
        is_listing = true;
        rows_1();
        rows_2();
        return 0;
    }
    if (argc == 3) run_part(argv[1], argv[2]);
    if (argc != 2) {
        fprintf(stderr, "usage: %s names | FOLDER [PART]\n", argv[0]);
        return 2;
    }
    static char names[MOST_PARTS][48];
    pid_t processes[MOST_PARTS];
    int count = 0, started = 0, running = 0;
    /* What waits longest goes first. */
    for (int is_short = 0; is_short <= 1; is_short++)
        for (int i = 0; i < 4; i++)
            for (const struct sequence *one = sequences[i]; one->name; one++)
                if ((one->root != LEAVING) == is_short)
                    snprintf(names[count++], sizeof *names, "%d:%s", i / 2 + 1, one->name);
    for (int generation = 1; generation <= 2; generation++)
        for (int i = 0; i < STATES; i++)
            snprintf(names[count++], sizeof *names, "%d:%s", generation, state_names[i]);
    while (started < count || running > 0) {
        while (started < count && running < AT_ONCE) {
            processes[started] = start_part(argv[1], names[started]);
            started++;
            running++;
        }
        int status;
        pid_t ended = wait(&status);
        if (ended < 0) die("wait");
        for (int i = 0; i < started; i++)
            if (processes[i] == ended) collect(argv[1], names[i], status);
        running--;
    }
    printf("matrix: %d passed, %d failed\n", passed, failed);
    return failed != 0;
}
