/* Expectations and tools of the cases. */
#include "conformance.h"
#include "target.h"

/* Long enough for a loaded machine; a case that passes does not wait for it. */
enum { PATIENCE = 5000, WHILE = 60 };

/* ---- Expectations ------------------------------------------------------------------------------------------------ */

static void failed(const char *file, int line)
{
    const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    case_failed();
    printf("    %s:%d: ", base, line);
}

void expect_equal(const char *file, int line, const char *what, long long is, long long expected, bool ends)
{
    const int number = errno;
    if (is == expected) return;
    failed(file, line);
    printf("%s is %lld, expected %lld", what, is, expected);
    if (is == -1) printf(" (%d, %s)", number, strerror(number));
    printf("\n");
    if (ends) case_ends();
}

void expect_failure(const char *file, int line, const char *what, long long result, int number, int expected)
{
    if (result == -1 && number == expected) return;
    failed(file, line);
    printf("%s gives %lld", what, result);
    if (result == -1) printf(" and %d (%s)", number, strerror(number));
    printf(", expected -1 and %d (%s)\n", expected, strerror(expected));
}

static const char *bits_text(int bits, char *text, size_t room)
{
    const struct {
        int bit;
        const char *name;
    } names[] = {{IN, "IN"}, {OUT, "OUT"}, {ERR, "ERR"}, {HUP, "HUP"}, {RDHUP, "RDHUP"}, {PRI, "PRI"}, {NVAL, "NVAL"}};
    text[0] = 0;
    for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
        if (!names[index].bit || !(bits & names[index].bit)) continue;
        if (text[0]) strncat(text, "|", room - strlen(text) - 1);
        strncat(text, names[index].name, room - strlen(text) - 1);
    }
    if (!text[0]) snprintf(text, room, "0");
    return text;
}

int bits_now(int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLL_ALL};
    const int count = poll(&entry, 1, 0);
    if (count != (entry.revents != 0)) {
        printf("    poll gives %d for bits %#x\n", count, (unsigned)entry.revents);
        case_failed();
    }
    return entry.revents;
}

void expect_bits(const char *file, int line, const char *what, int fd, int expected)
{
    const long end = milliseconds_now() + PATIENCE;
    int bits = bits_now(fd);
    while (bits != expected && milliseconds_now() < end) {
        pause_for(1);
        bits = bits_now(fd);
    }
    if (bits == expected) return;
    char is[64], wanted[64];
    failed(file, line);
    printf("poll of %s is %s, expected %s\n", what, bits_text(bits, is, sizeof is),
        bits_text(expected, wanted, sizeof wanted));
}

void expect_bits_stay(const char *file, int line, const char *what, int fd, int expected)
{
    const long end = milliseconds_now() + WHILE;
    do {
        const int bits = bits_now(fd);
        if (bits != expected) {
            char is[64], wanted[64];
            failed(file, line);
            printf("poll of %s becomes %s, expected that it stays %s\n", what, bits_text(bits, is, sizeof is),
                bits_text(expected, wanted, sizeof wanted));
            return;
        }
        pause_for(1);
    } while (milliseconds_now() < end);
}

void expect_bytes(const char *file, int line, int fd, const char *text)
{
    char buffer[256];
    size_t taken = 0;
    const size_t length = strlen(text);
    wait_for(fd, IN);
    while (taken < length) {
        const ssize_t count = recv(fd, buffer + taken, length - taken, 0);
        if (count <= 0) {
            const int number = errno;
            failed(file, line);
            printf("reading \"%s\" gives %zd after %zu bytes", text, count, taken);
            if (count < 0) printf(" (%d, %s)", number, strerror(number));
            printf("\n");
            return;
        }
        taken += (size_t)count;
        if (taken < length) wait_for(fd, IN);
    }
    if (memcmp(buffer, text, length) == 0) return;
    failed(file, line);
    printf("read \"%.*s\", expected \"%s\"\n", (int)length, buffer, text);
}

int family_in(const struct sockaddr_storage *name)
{
    /* The C library writes a length and a family byte, as BSD. */
    return DIFFERS(name->ss_family, ((const unsigned char *)name)[1], "layout");
}

int port_in(const struct sockaddr_storage *name)
{
    uint16_t port;
    memcpy(&port, (const char *)name + 2, 2);
    return ntohs(port);
}

void expect_name(const char *file, int line, const char *what, const struct sockaddr_storage *is, const char *address,
    int port)
{
    const bool is_four = !strchr(address, ':');
    char text[64] = "?";
    inet_ntop(is_four ? 2 : 10, (const char *)is + (is_four ? 4 : 8), text, sizeof text);
    const int family = family_in(is);
    if (family == (is_four ? 2 : 10) && strcmp(text, address) == 0 && port_in(is) == port) return;
    failed(file, line);
    printf("%s is family %d, %s, port %d; expected %s, port %d\n", what, family, text, port_in(is), address, port);
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

struct name name_of(const char *address, int port)
{
    struct name name;
    memset(&name, 0, sizeof name);
    if (strchr(address, ':')) {
        name.address.v6.sin6_family = AF_INET6;
        name.address.v6.sin6_port = htons((uint16_t)port);
        inet_pton(10, address, &name.address.v6.sin6_addr);
        name.length = sizeof name.address.v6;
    } else {
        name.address.v4.sin_family = AF_INET;
        name.address.v4.sin_port = htons((uint16_t)port);
        inet_pton(2, address, &name.address.v4.sin_addr);
        name.length = sizeof name.address.v4;
    }
    return name;
}

struct name own_name(int fd)
{
    struct sockaddr_storage own;
    socklen_t length = 28;
    memset(&own, 0, sizeof own);
    REQUIRE(getsockname(fd, (struct sockaddr *)&own, &length), 0);
    struct name name = name_of(length == 28 ? "::1" : "127.0.0.1", port_in(&own));
    const char *bytes = (const char *)&own;
    static const char none[16];
    if (length == 28 && memcmp(bytes + 8, none, 16) != 0) memcpy(&name.address.v6.sin6_addr, bytes + 8, 16);
    if (length == 16 && memcmp(bytes + 4, none, 4) != 0) memcpy(&name.address.v4.sin_addr, bytes + 4, 4);
    return name;
}

int own_port(int fd)
{
    const struct name name = own_name(fd);
    return ntohs(name.address.v4.sin_port);
}

/* ---- Sockets ------------------------------------------------------------------------------------------------------ */

static int made(int fd)
{
    if (fd < 0) {
        REQUIRE(fd, 0);
    }
    return fd;
}

int tcp(void) { return made(socket(AF_INET, SOCK_STREAM, 0)); }
int tcp6(void) { return made(socket(AF_INET6, SOCK_STREAM, 0)); }
int udp(void) { return made(socket(AF_INET, SOCK_DGRAM, 0)); }
int udp6(void) { return made(socket(AF_INET6, SOCK_DGRAM, 0)); }

#ifdef CONFORMANCE_HOST
int network_tcp6(void) { return tcp6(); }
int network_udp6(void) { return udp6(); }
struct name dead_neighbour(int port) { return name_of("fd09::dead", port); }
#else
int network_socket(int family, int type);
int network_tcp6(void) { return made(network_socket(AF_INET6, SOCK_STREAM)); }
int network_udp6(void) { return made(network_socket(AF_INET6, SOCK_DGRAM)); }
struct name dead_neighbour(int port) { return name_of("fe80::dead", port); }
#endif
struct name nowhere(int port) { return name_of("198.51.100.1", port); }
struct name broadcast(int port) { return name_of("127.255.255.255", port); }

void set(int fd, int level, int option, int value)
{
    if (setsockopt(fd, level, option, &value, sizeof value) != 0) {
        printf("    option %d of level %d, value %d:\n", option, level, value);
        REQUIRE(-1, 0);
    }
}

int get(int fd, int level, int option)
{
    int value = -1;
    socklen_t length = sizeof value;
    if (getsockopt(fd, level, option, &value, &length) != 0 || length != sizeof value) {
        printf("    option %d of level %d, length %d:\n", option, level, (int)length);
        REQUIRE(-1, 0);
    }
    return value;
}

void set_time(int fd, int option, int milliseconds)
{
    const struct timeval time = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
    REQUIRE(setsockopt(fd, SOL_SOCKET, option, &time, sizeof time), 0);
}

void set_linger(int fd, int is_on, int seconds)
{
    const struct linger linger = {.l_onoff = is_on, .l_linger = seconds};
    REQUIRE(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
}

void set_nonblocking(int fd) { REQUIRE(fcntl(fd, F_SETFL, O_NONBLOCK), 0); }

int nonblocking(int fd)
{
    set_nonblocking(fd);
    return fd;
}

int bound(int fd)
{
    const struct name name = name_of("127.0.0.1", 0);
    REQUIRE(bind(fd, AT(name)), 0);
    return fd;
}

int free_port(void)
{
    const int fd = bound(tcp());
    const int port = own_port(fd);
    close(fd);
    return port;
}

int listener(int backlog)
{
    const int fd = bound(tcp());
    REQUIRE(listen(fd, backlog), 0);
    return fd;
}

struct ends pair_of(int client, int listening)
{
    const struct name name = own_name(listening);
    REQUIRE(connect(client, AT(name)), 0);
    struct ends ends = {.client = client, .server = accept(listening, NULL, NULL)};
    made(ends.server);
    return ends;
}

struct ends pair(void)
{
    const int listening = listener(1);
    const struct ends ends = pair_of(tcp(), listening);
    close(listening);
    return ends;
}

int pending(void)
{
    /* The accept queue is full: no SYN is answered. */
    const int listening = listener(0);
    const struct name name = own_name(listening);
    REQUIRE(connect(tcp(), AT(name)), 0);
    wait_for(listening, IN);
    const int fd = nonblocking(tcp());
    FAILS(connect(fd, AT(name)), EINPROGRESS);
    return fd;
}

struct ends udp_pair(void)
{
    struct ends ends = {.client = bound(udp()), .server = bound(udp())};
    struct name name = own_name(ends.server);
    REQUIRE(connect(ends.client, AT(name)), 0);
    name = own_name(ends.client);
    REQUIRE(connect(ends.server, AT(name)), 0);
    return ends;
}

void reset(int fd)
{
    set_linger(fd, 1, 0);
    OK(close(fd));
}

void put(int fd, const char *text) { EQUAL(send(fd, text, strlen(text), 0), (long)strlen(text)); }

long fill(int fd)
{
    static char block[16384];
    long sent = 0;
    memset(block, 'f', sizeof block);
    set_nonblocking(fd);
    /* Room may come again while the other side's buffer takes what was sent. */
    for (int tries = 0; tries < 20;) {
        const ssize_t count = send(fd, block, sizeof block, 0);
        if (count > 0) {
            sent += count;
            tries = 0;
        } else {
            EQUAL(errno, EAGAIN);
            tries++;
            pause_for(5);
        }
    }
    return sent;
}

long drain(int fd)
{
    static char block[65536];
    long taken = 0;
    set_nonblocking(fd);
    for (int tries = 0; tries < 50;) {
        const ssize_t count = recv(fd, block, sizeof block, 0);
        if (count == 0) break;
        if (count > 0) {
            taken += count;
            tries = 0;
        } else {
            tries++;
            pause_for(5);
        }
    }
    return taken;
}

void wait_for(int fd, int bits)
{
    struct pollfd entry = {.fd = fd, .events = (short)bits};
    if (poll(&entry, 1, PATIENCE) != 1) printf("    bits %#x do not come\n", (unsigned)bits);
}

void pause_for(int milliseconds)
{
    const struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

long milliseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- Threads ------------------------------------------------------------------------------------------------------ */

static void *run_call(void *argument)
{
    struct call *call = argument;
    const long begin = milliseconds_now();
    errno = 0;
    call->result = call->function(call);
    call->number = errno;
    call->took = milliseconds_now() - begin;
    call->is_done = true;
    return NULL;
}

void start(struct call *call, int fd, long (*function)(struct call *))
{
    call->fd = fd;
    call->function = function;
    call->is_done = false;
    if (call->length == 0) call->length = sizeof call->buffer;
    REQUIRE(pthread_create(&call->thread, NULL, run_call, call), 0);
    pause_for(WHILE);
}

void finish(struct call *call) { pthread_join(call->thread, NULL); }

long call_recv(struct call *call) { return recv(call->fd, call->buffer, call->length, 0); }
long call_accept(struct call *call) { return accept(call->fd, NULL, NULL); }
long call_connect(struct call *call) { return connect(call->fd, AT(call->to)); }

long call_poll(struct call *call)
{
    struct pollfd entry = {.fd = call->fd, .events = POLLIN};
    const int count = poll(&entry, 1, PATIENCE);
    return count == 1 ? entry.revents : -count;
}
