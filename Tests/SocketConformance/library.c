/* The C library as the target: a node per case, with a root that nobody can reach. */
#include "target.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ZeroTier.h"

const char target_name[] = "zts";

int network_socket(int family, int type);
int few_ports(void);
void few_descriptors(void);
void network_address(struct sockaddr_storage *address);
void leave_network(void);

/* Made for these tests alone, so that no case waits for key work. */
static const char *const identities[2] = {
    "e579b42b36:0:7acd18a7aca2aaca14ce51ab803b8929fcf63760a003ac87eb7ad1e70fb3ad58e535aa14069d2"
    "9ac420d60a89a762277107478b42aec317d478294505a4353fb:d449b6af95a6c9f563b425fe9d9ff4c06744af"
    "88a71a0f9acc5826aab8e41f6ebaf7169b1ef2f5b5f0a8acf9ab95c142c2ed7cf28b5db5c736f7040a85e080ba",
    "166176ae31:0:83300697c08f423609326a70946daaea51b4411ca72d06aad910fbb8e1439760ddeabcc71c440"
    "487f6b0dc2dd244f1a177d89f130c578e98edf9239178161e42:b56563563a9dd84b6c177cb65aece183ba7e68"
    "be63082d9f19dc722279013160751e65da893b45e0a535d99fff0565d6a85ed1b5b22fdbbb35938a69b5ddeaf9"};

/* A planet, not signed, whose only root is at port 1 of this machine: type, number, time, key, signature, roots. */
static const char root[] =
    "412c79af4f0073512da55ea4a54c7b7fafdcf15e2f03ea37a0d71b9827c501af635abd5f9b10a1118b573c77f"
    "dc46265f3142e9c7ff0a669f43505e9f33a6b2d8b88fe5392b90001047f0000010001";

static char base[64];
static char directory[2][96];
static int instance;
static volatile int is_up;

static void fail(const char *what)
{
    printf("    %s: %s\n", what, zts_last_error_message());
    case_failed();
    case_ends();
}

static void write_file(const char *in, const char *name, const void *bytes, size_t length)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", in, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
}

static void make_directory(int index, int number)
{
    snprintf(directory[number], sizeof directory[number], "%s/%d.%d", base, index, number);
    if (mkdir(directory[number], 0700) != 0) {
        perror(directory[number]);
        exit(2);
    }
    write_file(directory[number], "identity.secret", identities[number], strlen(identities[number]));
    unsigned char planet[512] = {1, [8] = 77, [16] = 1, [177] = 1};
    size_t length = 178;
    for (const char *digits = root; digits[0]; digits += 2) {
        unsigned byte;
        sscanf(digits, "%2x", &byte);
        planet[length++] = (unsigned char)byte;
    }
    write_file(directory[number], "planet", planet, length);
}

void target_prepare(void)
{
    snprintf(base, sizeof base, "/tmp/conformance-XXXXXX");
    if (!mkdtemp(base)) {
        perror(base);
        exit(2);
    }
}

void target_clean(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    if (system(command) != 0) fprintf(stderr, "conformance: %s stays\n", base);
}

static void told(struct zts_callback_msg *message)
{
    if (message->eventCode == ZTS_EVENT_NODE_UP) is_up = 1;
    if (message->eventCode == ZTS_EVENT_NODE_UNRECOVERABLE_ERROR) fail("the node");
}

void target_start(int index)
{
    make_directory(index, 0);
    make_directory(index, 1);
    if (zts_start(directory[0], told, 0) != ZTS_ERR_OK) fail("zts_start");
    while (!is_up) usleep(500);
}

/* A socket of a second node, which is on an ad-hoc network. */
int network_socket(int family, int type)
{
    const uint64_t network = zts_generate_adhoc_nwid_from_range(1, 65535);
    if (instance == 0) {
        instance = zts_instance_start(directory[1], NULL, NULL, 0);
        if (instance <= 0) fail("zts_instance_start");
        while (zts_instance_join(instance, network) == ZTS_ERR_SERVICE) usleep(1000);
        while (zts_instance_get_network_status(instance, network) != ZTS_EVENT_NETWORK_READY_IP6) usleep(1000);
    }
    return zts_instance_socket(instance, family, type, 0);
}

void network_address(struct sockaddr_storage *address)
{
    const uint64_t network = zts_generate_adhoc_nwid_from_range(1, 65535);
    if (zts_instance_get_address(instance, network, address, ZTS_AF_INET6) != ZTS_ERR_OK) fail("address");
}

void leave_network(void)
{
    if (zts_instance_leave(instance, zts_generate_adhoc_nwid_from_range(1, 65535)) != ZTS_ERR_OK) fail("leave");
}

/* How many there are by default, as on Linux; neither number can be changed. */
void few_descriptors(void) {}
int few_ports(void) { return 60999 - 32768 + 1; }
