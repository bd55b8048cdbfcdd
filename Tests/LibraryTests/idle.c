/* What a node costs that has nothing to do: `idle <state directory> <seconds>`. Joins an ad-hoc network, rests for five
 * seconds, and then says for those seconds: resident memory in kB, and wake-ups of all threads per second. Linux alone. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ZeroTierSockets.h"

/* The number in the line of a status file that begins with a name; -1 if there is none. */
static long field(const char *path, const char *format)
{
    char line[256];
    long value = -1;
    FILE *file = fopen(path, "r");
    while (file && value < 0 && fgets(line, sizeof line, file)) sscanf(line, format, &value);
    if (file) fclose(file);
    return value;
}

static long wakeups(void)
{
    long sum = 0;
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    while (tasks && (entry = readdir(tasks))) {
        char path[320];
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        const long count = entry->d_name[0] == '.' ? -1 : field(path, "voluntary_ctxt_switches: %ld");
        if (count > 0) sum += count;
    }
    if (tasks) closedir(tasks);
    return sum;
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    const int seconds = atoi(argv[2]);
    if (zts_init_from_storage(argv[1]) != ZTS_ERR_OK || zts_node_start() != ZTS_ERR_OK) return 3;
    while (zts_node_get_id() >> 40) zts_util_delay(10);
    const uint64_t network = UINT64_C(0xff0000ffff000000);
    if (zts_net_join(network) != ZTS_ERR_OK) return 4;
    while (!zts_addr_is_assigned(network, ZTS_AF_INET6)) zts_util_delay(10);
    sleep(5);
    const long before = wakeups();
    sleep((unsigned)seconds);
    const long after = wakeups();
    printf("{\"idle_rss_kb\": %ld, \"idle_wakeups_per_s\": %.3f}\n", field("/proc/self/status", "VmRSS: %ld"),
           (double)(after - before) / seconds);
    return zts_node_free() != ZTS_ERR_OK;
}
