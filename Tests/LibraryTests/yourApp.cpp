// Starts and stops the service: `yourApp [<state directory>]`. First generation.
#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <unistd.h>

#include "ZeroTier.h"

static std::atomic<bool> isUp(false), isStackDown(false);

static void onEvent(struct zts_callback_msg *message)
{
    if (message->eventCode == ZTS_EVENT_NODE_UP) isUp = true;
    if (message->eventCode == ZTS_EVENT_STACK_DOWN) isStackDown = true;
    if (message->eventCode == ZTS_EVENT_NODE_UNRECOVERABLE_ERROR) std::printf("%s\n", zts_last_error_message());
}

int main(int argc, char **argv)
{
    if (argc > 2) return 2;
    if (zts_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0) != ZTS_ERR_SERVICE) return 3;
    if (zts_start(argc == 2 ? argv[1] : "configPath", onEvent, 0) != ZTS_ERR_OK) return 4;
    while (!isUp || zts_get_node_id() >> 40) usleep(10000);
    const uint64_t node = zts_get_node_id();
    const int fd = zts_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
    if (fd < 0 || zts_close(fd) != ZTS_ERR_OK) return 5;
    if (zts_stop() != ZTS_ERR_OK || zts_free() != ZTS_ERR_OK || !isStackDown) return 6;
    std::printf("node %010" PRIx64 "\n", node);
    return 0;
}
