/* Echoes for many TCP clients at once on one thread, and listens to the terminal: epoll waits for descriptors of the host
 * and for those that follow the library's sockets, in one set. A line asks how many clients there are, "quit" ends it.
 *   epoll <state directory> <network, 16 digits> <port> */
#include "common.h"

#include <sys/epoll.h>

/* A client that sends this much without taking it back is sent away. */
#define MOST_BYTES 1048576

struct client {
    int fd;
    /* What the client sent and has not been given back yet. */
    size_t begin, end;
    char bytes[MOST_BYTES];
};

static unsigned long clients;

/* Puts a descriptor of the host into the set, for reading: that is also how the ones that follow sockets say there is room. */
static void watch(int set, int descriptor, void *what)
{
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.ptr = what;
    if (epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        perror("epoll_ctl");
        exit(1);
    }
}

/* It goes out of the set before its socket is closed, which closes it. */
static void dismiss(int set, struct client *client)
{
    epoll_ctl(set, EPOLL_CTL_DEL, zts_get_event_fd(client->fd), NULL);
    zts_close(client->fd);
    free(client);
    clients--;
}

static void welcome(int set, int listener)
{
    const int fd = zts_bsd_accept(listener, NULL, NULL);
    if (fd < 0) return;
    struct client *client = malloc(sizeof *client);
    if (!client) {
        zts_close(fd);
        return;
    }
    client->fd = fd;
    client->begin = client->end = 0;
    zts_set_blocking(fd, 0);
    watch(set, zts_get_event_fd(fd), client);
    printf("%lu clients\n", ++clients);
}

/* Reads and writes as far as it goes; 0 when the client has gone, or has to. */
static int serve(struct client *client)
{
    for (;;) {
        while (client->begin < client->end) {
            const ssize_t sent = zts_write(client->fd, client->bytes + client->begin, client->end - client->begin);
            if (sent < 0 && zts_errno == ZTS_EAGAIN) break; /* the set will tell when there is room */
            if (sent < 0) return 0;
            client->begin += (size_t)sent;
        }
        if (client->begin == client->end) client->begin = client->end = 0;
        if (client->end == sizeof client->bytes) return 0;
        const ssize_t got = zts_read(client->fd, client->bytes + client->end, sizeof client->bytes - client->end);
        if (got == 0) return 0;
        if (got < 0) return zts_errno == ZTS_EAGAIN; /* the set will tell when there is more */
        client->end += (size_t)got;
    }
}

/* 0 when the program shall end. */
static int obey(int set)
{
    char line[64];
    if (!fgets(line, sizeof line, stdin)) {
        /* Nobody is there to say something. */
        epoll_ctl(set, EPOLL_CTL_DEL, fileno(stdin), NULL);
        return 1;
    }
    printf("%lu clients\n", clients);
    return strcmp(line, "quit\n") != 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        printf("epoll <state directory> <network, 16 digits> <port>\n");
        return 2;
    }
    print_by_line();
    const unsigned short port = port_number(argv[3]);
    enter(argv[1], network_id(argv[2]));
    int listener = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    if (listener < 0 || zts_bind(listener, "::", port) < 0 || zts_listen(listener, 16) < 0)
        fail_socket("cannot listen");
    zts_set_blocking(listener, 0);
    const int set = epoll_create1(EPOLL_CLOEXEC);
    /* A line at a time, so that no line is left in the program while the set waits for more. */
    setvbuf(stdin, NULL, _IONBF, 0);
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.ptr = stdin;
    /* A file is not to be waited for. */
    epoll_ctl(set, EPOLL_CTL_ADD, fileno(stdin), &event);
    watch(set, zts_get_event_fd(listener), &listener);
    printf("listening on port %u\n", port);
    for (;;) {
        struct epoll_event events[64];
        const int count = epoll_wait(set, events, 64, -1);
        for (int index = 0; index < count; index++) {
            void *what = events[index].data.ptr;
            if (what == stdin) {
                if (!obey(set)) {
                    zts_node_stop();
                    return 0;
                }
            } else if (what == &listener) {
                welcome(set, listener);
            } else if (!serve(what)) {
                dismiss(set, what);
            }
        }
    }
}
