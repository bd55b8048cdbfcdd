/* Generation 1: descriptors of the host that follow sockets, in a set of epoll beside a pipe of the host. */
#include "matrix.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ZeroTier.h"

#define ERRNO_EBADF 9
#define ERRNO_EAGAIN 11
#define ERRNO_ECONNRESET 104
#define ERRNO_ECONNREFUSED 111
#define ERRNO_EINPROGRESS 115

static struct sockaddr *at_home(int port)
{
    static struct zts_sockaddr_in result;
    result = (struct zts_sockaddr_in) { .sin_family = ZTS_AF_INET, .sin_port = htons((uint16_t)port) };
    result.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return (struct sockaddr *)&result;
}

static int fresh(void)
{
    int made = zts_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
    REQUIRE(made >= 0);
    return made;
}

static int set_of_epoll = -1;

enum { PIPE = 1, LISTENER, CLIENT, SERVER, REFUSED_CLIENT, TAKEN_BACK, IDLE };

static void watch(int descriptor, int which)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)which };
    if (set_of_epoll < 0) set_of_epoll = epoll_create1(EPOLL_CLOEXEC);
    REQUIRE(descriptor >= 0 && epoll_ctl(set_of_epoll, EPOLL_CTL_ADD, descriptor, &event) == 0);
}

static void unwatch(int descriptor) { EXPECT(epoll_ctl(set_of_epoll, EPOLL_CTL_DEL, descriptor, NULL) == 0); }

/* Whether epoll says it, waiting so long. */
static bool says(int which, int milliseconds)
{
    struct epoll_event events[8];
    int count = epoll_wait(set_of_epoll, events, 8, milliseconds);
    for (int i = 0; i < count; i++)
        if (events[i].data.u32 == (uint32_t)which) return true;
    return false;
}

static bool says_soon(int which)
{
    double end = now() + 20;
    while (now() < end)
        if (says(which, 100)) return true;
    return false;
}

static int nonblocking(int fd)
{
    EXPECT(zts_fcntl(fd, ZTS_F_SETFL, ZTS_O_NONBLOCK) == ZTS_ERR_OK);
    return fd;
}

static int error_of(int fd)
{
    int error = -1;
    socklen_t size = sizeof error;
    EXPECT(zts_getsockopt(fd, ZTS_SOL_SOCKET, ZTS_SO_ERROR, &error, &size) == ZTS_ERR_OK);
    return error;
}

static int port_of(int fd)
{
    struct zts_sockaddr_in name;
    socklen_t size = sizeof name;
    EXPECT(zts_getsockname(fd, (struct sockaddr *)&name, &size) == ZTS_ERR_OK);
    return ntohs(name.sin_port);
}

/* Reads until there is nothing for now; gives what the last call gave. */
static long drained(int fd)
{
    char bytes[65536];
    long count;
    while ((count = zts_recv(fd, bytes, sizeof bytes, 0)) > 0) continue;
    return count;
}

void epoll_1(void)
{
    start_1(ZTS_EVENT_NODE_UP);
    char byte[4] = "";
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    watch(ends[0], PIPE);
    int listener = fresh();
    REQUIRE(zts_bind(listener, at_home(0), 16) == ZTS_ERR_OK && zts_listen(listener, 4) == ZTS_ERR_OK);
    int port = port_of(listener);
    watch(zts_get_event_fd(listener), LISTENER);
    EXPECT(zts_get_event_fd(listener) == zts_get_event_fd(listener));
    EXPECT(!says(LISTENER, 0) && !says(PIPE, 0));
    /* A connection is made: at both ends. */
    int client = nonblocking(fresh());
    EXPECT(zts_connect(client, at_home(port), 16) == -1 && zts_errno == ERRNO_EINPROGRESS);
    int event_of_client = zts_get_event_fd(client);
    watch(event_of_client, CLIENT);
    EXPECT(says_soon(CLIENT) && says_soon(LISTENER));
    EXPECT(says(CLIENT, 0) && says(LISTENER, 0));
    EXPECT(error_of(client) == 0);
    EXPECT(!says(CLIENT, 0));
    int server = nonblocking(zts_accept(listener, NULL, NULL));
    EXPECT(server >= 0 && !says(LISTENER, 0));
    /* The host's and ours in one set. */
    EXPECT(write(ends[1], "x", 1) == 1 && says(PIPE, 0) && read(ends[0], byte, 1) == 1 && !says(PIPE, 0));
    /* Data, as long as there is some. */
    int event_of_server = zts_get_event_fd(server);
    watch(event_of_server, SERVER);
    EXPECT(!says(SERVER, 0));
    EXPECT(zts_send(client, "ab", 2, 0) == 2);
    EXPECT(says_soon(SERVER) && says(SERVER, 0));
    EXPECT(zts_recv(server, byte, 1, 0) == 1 && says(SERVER, 0));
    EXPECT(zts_recv(server, byte, 1, 0) == 1 && !says(SERVER, 0));
    EXPECT(zts_recv(server, byte, 1, 0) == -1 && zts_errno == ERRNO_EAGAIN && !says(SERVER, 0));
    /* Room, once a call has missed it. */
    static char block[65536];
    while (zts_send(client, block, sizeof block, 0) > 0) continue;
    EXPECT(zts_errno == ERRNO_EAGAIN);
    double end = now() + 20;
    while (!says(CLIENT, 20) && now() < end) drained(server);
    EXPECT(says(CLIENT, 0));
    EXPECT(zts_send(client, "c", 1, 0) == 1 && !says(CLIENT, 0));
    /* The end of the stream, which does not pass. */
    EXPECT(zts_shutdown(client, ZTS_SHUT_WR) == ZTS_ERR_OK);
    end = now() + 20;
    while (drained(server) != 0 && now() < end) says(SERVER, 100);
    EXPECT(says(SERVER, 0) && zts_recv(server, byte, 1, 0) == 0 && says(SERVER, 0));
    /* A reset. */
    struct zts_linger none = { 1, 0 };
    EXPECT(zts_setsockopt(server, ZTS_SOL_SOCKET, ZTS_SO_LINGER, &none, sizeof none) == ZTS_ERR_OK);
    unwatch(event_of_server);
    /* Without reason, perhaps, until the next call. */
    EXPECT(zts_recv(client, byte, 1, 0) == -1 && zts_errno == ERRNO_EAGAIN && !says(CLIENT, 0));
    EXPECT(zts_close(server) == ZTS_ERR_OK);
    EXPECT(says_soon(CLIENT) && zts_recv(client, byte, 1, 0) == -1 && zts_errno == ERRNO_ECONNRESET);
    unwatch(event_of_client);
    EXPECT(zts_close(client) == ZTS_ERR_OK);
    EXPECT(zts_get_event_fd(client) == -1 && zts_errno == ERRNO_EBADF);
    /* A connection that is refused. The number is asked for before the call here. */
    int refused = nonblocking(fresh());
    watch(zts_get_event_fd(refused), REFUSED_CLIENT);
    EXPECT(!says(REFUSED_CLIENT, 0));
    EXPECT(zts_connect(refused, at_home(1), 16) == -1);
    EXPECT(zts_errno == ERRNO_EINPROGRESS && says_soon(REFUSED_CLIENT) && error_of(refused) == ERRNO_ECONNREFUSED);
    /* An attempt that is taken back is no event any more. */
    static const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
    int taken_back = nonblocking(fresh());
    EXPECT(zts_connect(taken_back, at_home(port), 16) == -1 && zts_errno == ERRNO_EINPROGRESS);
    EXPECT(zts_connect(taken_back, &nobody, sizeof nobody) == ZTS_ERR_OK);
    watch(zts_get_event_fd(taken_back), TAKEN_BACK);
    EXPECT(error_of(taken_back) >= 0 && !says(TAKEN_BACK, 0));
    /* The node stops under a socket that waits. */
    int idle = zts_socket(ZTS_AF_INET, ZTS_SOCK_DGRAM, 0);
    EXPECT(zts_bind(idle, at_home(0), 16) == ZTS_ERR_OK);
    watch(zts_get_event_fd(idle), IDLE);
    EXPECT(!says(IDLE, 0));
    stop_1();
    EXPECT(says_soon(IDLE));
    close(ends[0]);
    close(ends[1]);
}
