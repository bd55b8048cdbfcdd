// A program whose compiler makes the same shared pieces as the library's own C++: templates, exception tables, terminate
// handlers. Otherwise as yourApp.cpp: `exceptions <state directory>`.
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "ZeroTier.h"

namespace {

struct Service {
    explicit Service(const std::string &path)
    {
        if (zts_start(path.c_str(), [](struct zts_callback_msg *) {}, 0) != ZTS_ERR_OK)
            throw std::runtime_error(zts_last_error_message());
    }
    ~Service() noexcept { zts_stop(); }
};

int fails(const std::string &name)
{
    try {
        throw std::out_of_range(name + ": " + std::to_string(zts_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0)));
    } catch (const std::exception &error) {
        return static_cast<int>(std::string(error.what()).size());
    }
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    std::vector<std::string> names{"one", "two"};
    std::map<std::string, int> sizes;
    for (const auto &name : names) sizes[name] = fails(name);
    if (sizes["one"] != static_cast<int>(std::string("one: -2").size())) return 3;
    std::unique_ptr<Service> service;
    try {
        service.reset(new Service(argv[1]));
        try {
            Service second(argv[1]);
            return 4;
        } catch (const std::runtime_error &error) {
            if (std::string(error.what()).empty()) return 5;
        }
        uint64_t node = zts_get_node_id();
        while (node == 0 || node >> 40) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            node = zts_get_node_id();
        }
        std::printf("node %010" PRIx64 "\n", node);
    } catch (const std::exception &error) {
        std::printf("%s\n", error.what());
        return 6;
    }
    service.reset();
    return zts_free() == ZTS_ERR_OK ? 0 : 7;
}
