/* A double of libcuda.so.1: memory that is asked for is written to the file of the NVML double as
 * this process's on GPU 0, until the process ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void held(unsigned long long bytes) {
    const char *path = getenv("NVML_DOUBLE");
    char line[256], other[512];
    snprintf(other, sizeof other, "%s.new", path);
    FILE *from = fopen(path, "r"), *to = fopen(other, "w");
    while (fgets(line, sizeof line, from))
        if (strncmp(line, "0.compute ", 10)) fputs(line, to);
    fprintf(to, "0.compute %d:%llu\n", bytes ? getpid() : 1, bytes);
    fclose(from);
    fclose(to);
    rename(other, path);
}
static void at_exit(void) { held(0); }
int cuInit(unsigned flags) { return (int)flags; }
int cuCtxCreate_v2(void **context, unsigned flags, int device) {
    (void)flags, (void)device;
    *context = context;
    return atexit(at_exit);
}
int cuMemAlloc_v2(unsigned long long *pointer, size_t bytes) {
    *pointer = 1;
    held(bytes + (120ull << 20)); /* what a context takes */
    return 0;
}
