// What of posix_spawn(3) the Swift overlay of the C library does not show: a directory, and the end of all other descriptors.

#define _GNU_SOURCE

#include "CTestSupport.h"

#include <signal.h>
#include <spawn.h>

int ctest_spawn(pid_t *number, const char *path, char *const *arguments, char *const *environment, const char *directory,
                const int *streams)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error) {
        posix_spawn_file_actions_destroy(&actions);
        return error;
    }
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    if (directory)
        error = posix_spawn_file_actions_addchdir_np(&actions, directory);
    for (int target = 0; target < 3 && !error; target++)
        if (streams[target] >= 0)
            error = posix_spawn_file_actions_adddup2(&actions, streams[target], target);
    if (!error)
        error = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (!error)
        error = posix_spawn(number, path, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}
