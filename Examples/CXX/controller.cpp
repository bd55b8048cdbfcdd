// A private network of one's own, with its controller and two members in one process: the node of zts_start() is controller
// and member, a further one is a member too. It is refused at first, let in, talks, and is let out again.
//   controller <state directory> <state directory of the member>
// In two processes: controller.c beside pingable-node.c.
#include "common.h"

static std::atomic<uint64_t> waiting(0);

// The controller's node. Functions of the library may be called here.
static void onOwnEvent(struct zts_callback_msg *message)
{
    if (message->eventCode == ZTS_EVENT_CONTROLLER_MEMBER_WAITING) {
        std::printf("%010" PRIx64 " waits to be let in\n", message->peer->address);
        waiting = message->peer->address;
    } else if (message->eventCode == ZTS_EVENT_CONTROLLER_MEMBER_CHANGED) {
        char record[4096];
        size_t length = sizeof record;
        if (zts_controller_member_get(message->network->nwid, message->peer->address, record, &length) == ZTS_ERR_OK)
            std::printf("member: %s\n", record);
    } else {
        onEvent(message);
    }
}

static void check(int code, const char *what)
{
    if (code >= 0) return;
    std::printf("%s: %s\n", what, zts_last_error_message());
    std::exit(1);
}

static void awaitStatus(int instance, uint64_t network, int status)
{
    while (zts_instance_get_network_status(instance, network) != status) usleep(50000);
}

static void talk(int instance, uint64_t network)
{
    struct zts_sockaddr_in address;
    std::memset(&address, 0, sizeof address);
    address.sin_family = ZTS_AF_INET;
    address.sin_port = htons(7000);
    const int listener = zts_instance_socket(instance, ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
    check(listener, "no socket");
    check(zts_bind(listener, (struct sockaddr *)&address, sizeof address), "cannot bind");
    check(zts_listen(listener, 1), "cannot listen");
    struct sockaddr_storage member;
    check(zts_instance_get_address(instance, network, &member, ZTS_AF_INET), "no address");
    std::memcpy(&address.sin_addr, &((struct sockaddr_in *)&member)->sin_addr, sizeof address.sin_addr);
    const int fd = zts_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
    check(fd, "no socket");
    check(zts_connect(fd, (struct sockaddr *)&address, sizeof address), "cannot connect");
    const int accepted = zts_accept(listener, NULL, NULL);
    check(accepted, "cannot accept");
    check(zts_write(fd, "hello", 5), "cannot send");
    char text[8] = "";
    check(zts_read(accepted, text, 5), "cannot receive");
    std::printf("the member received: %s\n", text);
    zts_close(accepted);
    zts_close(listener);
    zts_close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        std::printf("controller <state directory> <state directory of the member>\n");
        return 2;
    }
    std::setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    check(zts_controller_enable(true), "no controller"); // networks are kept in the directory
    check(zts_start(argv[1], onOwnEvent, 0), "cannot start");
    await(isOnline);
    uint64_t network = 0;
    const char *description
        = "{\"name\":\"home\",\"v4AssignMode\":{\"zt\":true},\"routes\":[{\"target\":\"10.147.17.0/24\"}],"
          "\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.147.17.1\",\"ipRangeEnd\":\"10.147.17.254\"}]}";
    check(zts_controller_network_create(&network, description), "no network");
    std::printf("made network %016" PRIx64 "\n", network);
    // The controller lets itself in.
    check(zts_controller_member_authorize(network, zts_get_node_id(), true), "cannot let itself in");
    check(zts_join(network), "cannot join");
    await(isReady);

    const int instance = zts_instance_start(argv[2], NULL, NULL, 0);
    check(instance, "no second node");
    while (zts_instance_is_online(instance) != 1) usleep(50000);
    check(zts_instance_join(instance, network), "cannot join");
    awaitStatus(instance, network, ZTS_EVENT_NETWORK_ACCESS_DENIED);
    while (!waiting) usleep(50000);
    check(zts_controller_member_authorize(network, waiting, true), "cannot let it in");
    awaitStatus(instance, network, ZTS_EVENT_NETWORK_READY_IP4);
    talk(instance, network);
    check(zts_controller_member_authorize(network, waiting, false), "cannot let it out");
    awaitStatus(instance, network, ZTS_EVENT_NETWORK_ACCESS_DENIED);
    std::printf("the member is out\n");
    check(zts_controller_network_delete(network), "cannot delete the network");
    zts_instance_free(instance);
    zts_free();
    return 0;
}
