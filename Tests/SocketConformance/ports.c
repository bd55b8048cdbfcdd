/* Ephemeral ports and the address that is chosen. */
#include "conformance.h"

int few_ports(void);
void few_descriptors(void);

static bool is_ephemeral(int port) { return port >= 32768 && port <= 60999; }

CASE(bind_chooses_from_the_range)
{
    for (int times = 0; times < 50; times++) {
        TRUE(is_ephemeral(own_port(bound(tcp()))));
        TRUE(is_ephemeral(own_port(bound(udp()))));
    }
}

CASE(bind_does_not_choose_in_sequence)
{
    int neighbours = 0, before = 0;
    for (int times = 0; times < 50; times++) {
        const int port = own_port(bound(tcp()));
        if (abs(port - before) <= 2) neighbours++;
        before = port;
    }
    TRUE(neighbours < 10);
}

CASE(connect_chooses_from_the_range)
{
    const int listening = listener(64);
    const struct name name = own_name(listening);
    int ports[50];
    for (int times = 0; times < 50; times++) {
        const int fd = tcp();
        OK(connect(fd, AT(name)));
        ports[times] = own_port(fd);
        TRUE(is_ephemeral(ports[times]));
        for (int index = 0; index < times; index++) TRUE(ports[index] != ports[times]);
    }
}

CASE(send_binds)
{
    const int fd = udp(), peer = bound(udp());
    const struct name name = own_name(peer);
    EQUAL(sendto(fd, "x", 1, 0, AT(name)), 1);
    TRUE(is_ephemeral(own_port(fd)));
    struct sockaddr_storage own;
    socklen_t length = 28;
    OK(getsockname(fd, (struct sockaddr *)&own, &length));
    NAME_IS(own, "0.0.0.0", own_port(fd));
}

CASE(bind_until_nothing_is_left)
{
    const int count = few_ports();
    const struct name name = name_of("127.0.0.1", 0);
    int made = 0;
    for (; made < count; made++) {
        if (bind(tcp(), AT(name)) != 0) break;
    }
    EQUAL(made, count);
    FAILS(bind(tcp(), AT(name)), EADDRINUSE);
    /* Another address has ports of its own. */
    const struct name other = name_of("127.0.0.2", 0);
    OK(bind(tcp(), AT(other)));
}

CASE(connect_until_nothing_is_left)
{
    /* A listener outside of the range whose queue is full, so that each attempt costs one socket. */
    const int first = tcp(), second = tcp();
    const struct name names[2] = {name_of("127.0.0.1", 20001), name_of("127.0.0.1", 20002)};
    const int count = few_ports();
    const int first_again = tcp(), second_again = tcp();
    close(first);
    close(second);
    OK(bind(first_again, AT(names[0])));
    OK(bind(second_again, AT(names[1])));
    OK(listen(first_again, 0));
    OK(listen(second_again, 0));
    int made = 0;
    for (; made < count; made++) {
        const int fd = nonblocking(tcp());
        if (connect(fd, AT(names[0])) != 0 && errno != EINPROGRESS) break;
    }
    EQUAL(made, count);
    FAILS(connect(nonblocking(tcp()), AT(names[0])), EADDRNOTAVAIL);
    /* The same ports, to another destination. */
    OK(connect(tcp(), AT(names[1])));
}

CASE(the_source_of_a_connection_to_another_loopback_address)
{
    const int listening = tcp(), client = tcp();
    const struct name any = name_of("127.0.0.9", 0);
    OK(bind(listening, AT(any)));
    OK(listen(listening, 1));
    const struct name name = own_name(listening);
    OK(connect(client, AT(name)));
    struct sockaddr_storage own;
    socklen_t length = 28;
    OK(getsockname(client, (struct sockaddr *)&own, &length));
    NAME_IS(own, "127.0.0.1", own_port(client));
}

CASE(a_port_is_free_after_a_reset)
{
    const int listening = listener(1);
    const struct ends ends = pair_of(bound(tcp()), listening);
    const struct name name = own_name(ends.client);
    reset(ends.client);
    OK(bind(tcp(), AT(name)));
}

CASE(descriptors_run_out)
{
    few_descriptors();
    int made = 0, last = -1;
    for (int fd; made < 100000 && (fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0; made++) last = fd;
    TRUE(made > 10);
    TRUE(made <= 65536);
    FAILS(socket(AF_INET, SOCK_STREAM, 0), EMFILE);
    OK(close(last));
    EQUAL(socket(AF_INET, SOCK_DGRAM, 0), last);
}

CASE(descriptors_are_small_numbers)
{
    const int first = tcp();
    const int second = tcp();
    TRUE(first >= 0 && second > first && second < 64);
    OK(close(first));
    /* The lowest that is free. */
    EQUAL(tcp(), first);
}
