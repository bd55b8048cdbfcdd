/* Finds libpq at run time. Read first: dlopen(3). */
#include "postgresql.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

static struct cpostgresql functions;
static int is_there;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    /* Its name has had this number since PostgreSQL 8.2. */
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return;
    int all = 1;
#define LOAD(name)                                                                                                        \
    functions.name = (__typeof__(name) *)dlsym(library, #name);                                                           \
    all = all && functions.name != NULL;
    CPOSTGRESQL_FUNCTIONS(LOAD)
#undef LOAD
    is_there = all;
}

const struct cpostgresql *cpostgresql_library(void) {
    pthread_once(&once, load);
    return is_there ? &functions : NULL;
}
