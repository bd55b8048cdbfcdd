// Memory that the process can do without. Read first: dl_iterate_phdr(3), madvise(2).

#define _GNU_SOURCE
#include "CZeroTierSystem.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static int release_if_ours(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    const uintptr_t here = (uintptr_t)release_if_ours;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    // The program itself: its code is not ours alone.
    if (object->dlpi_name == NULL || object->dlpi_name[0] == '\0') return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        // What can be written may have been.
        if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0 || (part->p_flags & PF_W) != 0) continue;
        const uintptr_t start = object->dlpi_addr + part->p_vaddr;
        const uintptr_t end = start + part->p_memsz;
        if (here < start || here >= end) continue;
        const uintptr_t first = (start + page - 1) & ~(page - 1), last = end & ~(page - 1);
        if (first < last) *(int *)context = madvise((void *)first, last - first, MADV_DONTNEED) == 0;
        return 1;
    }
    return 0;
}

// A debugger has its breakpoints in the pages of this process, and they would be lost without a word.
static int is_traced(void) {
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL) return 1;
    char line[256];
    int tracer = 0;
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "TracerPid: %d", &tracer) != 1) {}
    fclose(file);
    return tracer != 0;
}

int csystem_release_code(void) {
    int released = 0;
    if (!is_traced()) dl_iterate_phdr(release_if_ours, &released);
    return released;
}

void csystem_release_freed(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
