#ifndef CTESTSUPPORT_H
#define CTESTSUPPORT_H

#include <sys/types.h>

/// Starts a program (posix_spawn(3)) in a directory, or in this process's if it is null.
///
/// The child has `streams[0...2]`, where they are not negative, for its input, output and errors, no other descriptor of this
/// process, and no signal blocked: a thread of a pool has most of them blocked, and a program that inherits this would hear none.
///
/// Arguments and environment end with a null pointer. Returns 0 or an error number.
int ctest_spawn(pid_t *_Nonnull number, const char *_Nonnull path, char *_Nullable const *_Nonnull arguments,
                char *_Nullable const *_Nonnull environment, const char *_Nullable directory, const int *_Nonnull streams);

#endif
