/* The host's kernel as the target: in a network namespace of our own, so that addresses and routes are known. */
#include "target.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

const char target_name[] = "host";

static void need(int result, const char *what)
{
    if (result >= 0) return;
    fprintf(stderr, "conformance: %s: ", what);
    perror(NULL);
    exit(2);
}

static void write_setting(const char *path, const char *text)
{
    const int file = open(path, O_WRONLY);
    need(file, path);
    need((int)write(file, text, strlen(text)), path);
    close(file);
}

static void bring_up(const char *name, const char *address)
{
    const int control = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (address) {
        struct sockaddr_in own = {.sin_family = AF_INET};
        inet_pton(AF_INET, address, &own.sin_addr);
        memcpy(&request.ifr_addr, &own, sizeof own);
        need(ioctl(control, SIOCSIFADDR, &request), "address");
        inet_pton(AF_INET, "255.255.255.0", &own.sin_addr);
        memcpy(&request.ifr_netmask, &own, sizeof own);
        need(ioctl(control, SIOCSIFNETMASK, &request), "netmask");
    }
    need(ioctl(control, SIOCGIFFLAGS, &request), "flags");
    request.ifr_flags |= IFF_UP;
    need(ioctl(control, SIOCSIFFLAGS, &request), "interface up");
    close(control);
}

/* A namespace with lo alone. */
static void enter_namespace(void)
{
    if (unshare(CLONE_NEWNET) != 0) need(unshare(CLONE_NEWUSER | CLONE_NEWNET), "a network namespace");
    bring_up("lo", NULL);
}

/* Containers often leave the device's file out; root can make one of its own. */
static int open_tap_control(void)
{
    const int tap = open("/dev/net/tun", O_RDWR);
    if (tap >= 0) return tap;
    char folder[] = "/tmp/conformance-XXXXXX";
    if (!mkdtemp(folder)) return -1;
    char path[sizeof folder + 8];
    snprintf(path, sizeof path, "%s/tun", folder);
    int made = -1;
    if (mknod(path, S_IFCHR | 0600, makedev(10, 200)) == 0) {
        made = open(path, O_RDWR);
        unlink(path);
    }
    rmdir(folder);
    return made;
}

void target_prepare(void)
{
    signal(SIGPIPE, SIG_IGN);
    enter_namespace();
    /* A network on which nobody answers. It lasts as long as the descriptor. */
    write_setting("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
    const int tap = open_tap_control();
    need(tap, "/dev/net/tun");
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof request.ifr_name, "tap0");
    need(ioctl(tap, TUNSETIFF, &request), "tap0");
    bring_up("tap0", "10.9.0.1");
    const int control = socket(AF_INET6, SOCK_DGRAM, 0);
    struct in6_ifreq own = {.ifr6_prefixlen = 64, .ifr6_ifindex = (int)if_nametoindex("tap0")};
    inet_pton(AF_INET6, "fd09::1", &own.ifr6_addr);
    need(ioctl(control, SIOCSIFADDR, &own), "IPv6 address");
    close(control);
}

void target_start(int index) { (void)index; }

void target_clean(void) {}

/* Leaves so many descriptors to this case. */
void few_descriptors(void);
void few_descriptors(void)
{
    const struct rlimit limit = {64, 64};
    need(setrlimit(RLIMIT_NOFILE, &limit), "descriptors");
}

/* Leaves so many ports for binding and connecting, in a namespace of this case alone. */
int few_ports(void);
int few_ports(void)
{
    enter_namespace();
    write_setting("/proc/sys/net/ipv4/ip_local_port_range", "40000 40003");
    return 4;
}
