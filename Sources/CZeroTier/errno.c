/* The error number of the calling thread, and the process-wide one for programs that read a plain int. */
#include "ZeroTier.h"

__attribute__((visibility("default"))) int zts_errno = 0;
