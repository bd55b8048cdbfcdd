/* What programs do with a node, in either generation (GENERATION is 1 or 2): `habits <part> <state directory> <the peer's>`.
 * Both directories have the planet of a root on this machine's loopback interface; nothing says that such paths are wanted. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "node.h"
#include "peer.h"

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Waits for an event to have come so often. */
static void wait_for(const volatile int *count, int least)
{
    for (int i = 0; *count < least; i++) {
        NEED(i < 60000);
        usleep(1000);
    }
}

/* Online, and with an address on both networks. */
static void enter(const char *home)
{
    NEED(node_start(home) == 0);
    wait_for(&events.online, 1);
    NEED(node_is_online() == 1);
    NEED(node_join(NETWORK_6) == 0 && node_join(NETWORK_4) == 0);
    char text[64];
    for (int i = 0; !node_address(NETWORK_6, 6, text) || !node_address(NETWORK_4, 4, text); i++) {
        NEED(i < 60000);
        usleep(1000);
    }
}

static void leave(void)
{
    NEED(node_free() == 0);
    peer_free();
}

/* ---- Parts ---- */

/* By a root on the loopback interface two nodes come online and find each other. */
static void online(const char *home, const char *other)
{
    char address[64], back[16];
    peer_start(other);
    enter(home);
    peer_echoes(7000);
    peer_address(6, address, sizeof address);
    const int fd = datagram_socket(6);
    NEED(exchange(fd, address, 7000, "hello", 5, back, sizeof back, 30) == 5 && memcmp(back, "hello", 5) == 0);
    leave();
    printf("online, and the other node answers\n");
}

static void send_all(const char *address, int port)
{
    static unsigned char bytes[STREAM_BYTES];
    for (size_t i = 0; i < STREAM_BYTES; i++) bytes[i] = stream_byte(i);
    const int fd = connected(address, port, 30000);
    NEED(fd >= 0);
    for (size_t sent = 0; sent < STREAM_BYTES;) {
        const long count = node_send(fd, bytes + sent, STREAM_BYTES - sent);
        NEED(count > 0);
        sent += (size_t)count;
    }
    NEED(node_close(fd) == 0);
}

static void expect_all(const char *way)
{
    long end;
    const size_t got = peer_has(&end);
    printf("%s: %zu bytes, end %ld\n", way, got, end);
    NEED(got == STREAM_BYTES && end == 0);
}

/* Closed and at once stopped, and closed and at once freed: the peer has all of it. */
static void delivers(const char *home, const char *other)
{
    char address[64];
    peer_start(other);
    enter(home);
    peer_address(6, address, sizeof address);
    peer_listens(7001);
    send_all(address, 7001);
    NEED(node_stop() == 0);
    expect_all("stop");
    wait_for(&events.down, 1);
    memset((void *)&events, 0, sizeof events);
    enter(home);
    peer_listens(7002);
    send_all(address, 7002);
    NEED(node_free() == 0);
    expect_all("free");
    peer_free();
}

/* The same of an instance, to the node. */
static struct {
    int listener;
    size_t got;
    long end;
} reading;

static void *read_slowly(void *nothing)
{
    (void)nothing;
    static unsigned char buffer[65536];
    const int fd = node_accept(reading.listener);
    NEED(fd >= 0);
    usleep(500000);
    long count;
    while ((count = node_receive(fd, buffer, sizeof buffer)) > 0) {
        for (long i = 0; i < count; i++, reading.got++) NEED(buffer[i] == stream_byte(reading.got));
        usleep(1000);
    }
    reading.end = count;
    return NULL;
}

static void instance(const char *home, const char *other)
{
    char address[64];
    pthread_t thread;
    peer_start(other);
    enter(home);
    NEED(node_address(NETWORK_6, 6, address));
    reading.listener = listening(7003);
    NEED(reading.listener >= 0 && pthread_create(&thread, NULL, read_slowly, NULL) == 0);
    peer_sends(address, 7003);
    pthread_join(thread, NULL);
    printf("instance: %zu bytes, end %ld\n", reading.got, reading.end);
    NEED(reading.got == STREAM_BYTES && reading.end == 0);
    NEED(node_free() == 0);
}

/* A start at once after a stop, again and again. */
static void again(const char *home, const char *other)
{
    enum { RUNS = 20 };
    (void)other;
    for (int run = 0; run < RUNS; run++) {
        NEED(node_start(home) == 0);
        /* Most are stopped on their way, some when they are there. */
        if (run % 4 == 0) wait_for(&events.up, run / 4 + 1);
        NEED(node_stop() == 0);
    }
    NEED(node_start(home) == 0);
    wait_for(&events.online, 1);
    NEED(node_free() == 0);
    NEED(events.down == RUNS + 1);
    printf("%d starts, none refused\n", RUNS + 1);
}

static void nothing_of_note(int number) { (void)number; }

/* A connect that a signal interrupts. */
static void interrupted(const char *home, const char *other)
{
    (void)other;
    enter(home);
    const struct sigaction action = { .sa_handler = nothing_of_note };
    NEED(sigaction(SIGALRM, &action, NULL) == 0);
    for (int form = 0; form < FORMS; form++) {
        const int fd = stream_socket();
        const struct itimerval time = { .it_value = { .tv_usec = 300000 } };
        NEED(fd >= 0);
        const double begin = now();
        NEED(setitimer(ITIMER_REAL, &time, NULL) == 0);
        /* Nobody has this address, and there is a way to it. */
        const int result = connect_in_form(form, fd, 9);
        const int number = node_errno();
        NEED(result == -1 && number == 4);
        NEED(now() - begin >= 0.29);
        NEED(node_close(fd) == 0);
    }
    NEED(node_free() == 0);
    printf("-1 and ZTS_EINTR in %d forms\n", FORMS);
}

/* daemon() after the start: the child is told what is wrong. */
static void forked(const char *home, const char *other)
{
    (void)other;
    int ends[2];
    NEED(pipe(ends) == 0);
    const pid_t starter = fork();
    NEED(starter >= 0);
    if (starter == 0) {
        close(ends[0]);
        NEED(node_start(home) == 0);
        wait_for(&events.online, 1);
        NEED(daemon(1, 1) == 0);
        char said[512];
        const int result = stream_socket(), is_online = node_is_online() == 1;
        snprintf(said, sizeof said, "%s, %s: %s", is_without_service(result) ? "no service" : "a socket",
            is_online ? "online" : "not online", node_message());
        const int whole = write(ends[1], said, strlen(said)) == (ssize_t)strlen(said);
        _exit(!whole);
    }
    close(ends[1]);
    char said[512] = "";
    ssize_t length = 0, count;
    while ((count = read(ends[0], said + length, sizeof said - 1 - (size_t)length)) > 0) length += count;
    int status;
    NEED(waitpid(starter, &status, 0) == starter);
    printf("%s\n", said);
    NEED(strncmp(said, "no service, not online: ", 24) == 0 && strstr(said, "daemon()") != NULL);
}

/* daemon() before the start, but after other calls. Locks that threads want at once work in the child too. */
static volatile int is_over;

static void *insists(void *argument)
{
    while (!is_over) node_remembers(1);
    return argument;
}

static void background(const char *home, const char *other)
{
    (void)other;
    enum { THREADS = 3 };
    node_remembers(1);
    const pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
        alarm(60);
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) NEED(pthread_create(&threads[i], NULL, insists, NULL) == 0);
        for (int i = 0; i < 500000; i++) node_remembers(1);
        is_over = 1;
        for (int i = 0; i < THREADS; i++) NEED(pthread_join(threads[i], NULL) == 0);
        NEED(node_start(home) == 0);
        wait_for(&events.online, 1);
        NEED(node_free() == 0);
        _exit(0);
    }
    int status;
    NEED(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) printf("signal %d ended the child\n", WTERMSIG(status));
    NEED(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    printf("the child of a program that had called the library is online\n");
}

/* A relative path, and another working directory after the start. */
static void moved(const char *home, const char *other)
{
    (void)other;
    char folder[4096], file[4200];
    struct stat status;
    snprintf(folder, sizeof folder, "%s", home);
    char *name = strrchr(folder, '/');
    NEED(name != NULL);
    *name = 0;
    NEED(chdir(folder) == 0);
    NEED(node_start(name + 1) == 0);
    wait_for(&events.online, 1);
    NEED(chdir("/") == 0);
    NEED(node_join(NETWORK_6) == 0);
    for (int i = 0; !node_address(NETWORK_6, 6, file); i++) {
        NEED(i < 60000);
        usleep(1000);
    }
    NEED(node_free() == 0);
    snprintf(file, sizeof file, "%s/networks.d/%016" PRIx64 ".conf", home, NETWORK_6);
    NEED(stat(file, &status) == 0);
    snprintf(file, sizeof file, "/%s", name + 1);
    NEED(stat(file, &status) != 0 && errno == ENOENT);
    printf("the network is remembered where the node was started\n");
}

/* Counters of what nobody calls a protocol. */
static void statistics(const char *home, const char *other)
{
    enum { LENGTH = 8000 };
    static char sent[LENGTH], back[LENGTH + 1];
    char address[64];
    unsigned fragments, neighbours, arp, errors;
    peer_start(other);
    enter(home);
    peer_echoes(7000);
    for (int i = 0; i < LENGTH; i++) sent[i] = (char)stream_byte((size_t)i);
    for (int family = 4; family <= 6; family += 2) {
        peer_address(family, address, sizeof address);
        const int fd = datagram_socket(family);
        NEED(exchange(fd, address, 7000, sent, LENGTH, back, sizeof back, 30) == LENGTH && memcmp(sent, back, LENGTH) == 0);
        /* Nobody is there: the answer is an error, and no datagram. */
        NEED(exchange(fd, address, 7999, "x", 1, back, 1, 1) < 0);
    }
    node_expect_counts();
    peer_counts(&fragments, &neighbours, &arp, &errors);
    printf("the peer's: fragments %u, neighbours %u, ARP %u, errors %u\n", fragments, neighbours, arp, errors);
    NEED(fragments > 0 && neighbours > 0 && arp > 0 && errors > 0);
    leave();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*function)(const char *home, const char *other);
    } parts[] = { { "online", online }, { "delivers", delivers }, { "instance", instance }, { "again", again },
        { "interrupted", interrupted }, { "forked", forked }, { "background", background },
        { "moved", moved }, { "statistics", statistics } };
    if (argc != 4) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(parts[i].name, argv[1]) == 0) {
            parts[i].function(argv[2], argv[3]);
            return 0;
        }
    return 2;
}
