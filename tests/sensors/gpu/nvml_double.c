/* A double of libnvidia-ml.so.1: answers from the file named in NVML_DOUBLE, read at every call.
 * Lines are "key value"; keys of a GPU begin with its number ("0.util 37"), those of a MIG instance
 * with 10 x number + 100 + instance ("100.used ..."). Without a key a function answers "not
 * supported"; "<key>.error N" answers N; "<number>.hang" and "init.hang" do not answer. Faithful in ABI and errors, not in behaviour. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long long u64;
enum { OK = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7 };
typedef struct { int id; } Device;
static Device devices[256];

static int text(const char *key, char *out, size_t size) {
    FILE *file = fopen(getenv("NVML_DOUBLE"), "r");
    char line[256];
    size_t length = strlen(key);
    int found = 0;
    while (file && !found && fgets(line, sizeof line, file))
        if (!strncmp(line, key, length) && line[length] == ' ') {
            line[strcspn(line, "\n")] = 0;
            snprintf(out, size, "%s", line + length + 1);
            found = 1;
        }
    if (file) fclose(file);
    return found;
}
/* A call that does not return while the file says so, as of a driver that hangs. */
static void hang(const char *key) {
    char word[256];
    while (text(key, word, sizeof word)) usleep(2000);
}
static int of(Device *d, const char *key, char *out, size_t size) {
    char full[80], word[256];
    snprintf(full, sizeof full, "%d.hang", d->id);
    hang(full);
    snprintf(full, sizeof full, "%d.error", d->id);
    if (text(full, word, sizeof word)) return atoi(word);
    snprintf(full, sizeof full, "%d.%s.error", d->id, key);
    if (text(full, word, sizeof word)) return atoi(word);
    snprintf(full, sizeof full, "%d.%s", d->id, key);
    return text(full, out, size) ? OK : NOT_SUPPORTED;
}
static int number(Device *d, const char *key, u64 *out) {
    char word[256];
    int result = of(d, key, word, sizeof word);
    if (!result) *out = strtoull(word, 0, 0);
    return result;
}
static u64 or_zero(const char *key) {
    char word[256];
    return text(key, word, sizeof word) ? strtoull(word, 0, 0) : 0;
}
static void note(const char *what) {
    const char *path = getenv("NVML_DOUBLE_CALLS");
    FILE *file = path ? fopen(path, "a") : 0;
    if (file) { fprintf(file, "%s\n", what); fclose(file); }
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; note("init"); hang("init.hang"); return (int)or_zero("init"); }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { note("shutdown"); return OK; }
const char *nvmlErrorString(int code) { (void)code; return "double"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = (unsigned)or_zero("count"); return OK; }
static int handle(int id, Device **out) {
    char word[256], key[32];
    snprintf(key, sizeof key, "handle %d", id);
    note(key);
    devices[id].id = id;
    *out = &devices[id];
    snprintf(key, sizeof key, "%d.handle.error", id);
    return text(key, word, sizeof word) ? atoi(word) : OK;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **out) {
    return index < or_zero("count") ? handle((int)index, out) : INVALID;
}
int nvmlDeviceGetHandleByPciBusId_v2(const char *address, Device **out) {
    for (unsigned index = 0; index < or_zero("count"); index++) {
        char key[32], word[64];
        snprintf(key, sizeof key, "%u.pci", index);
        if (text(key, word, sizeof word) && !strcasecmp(word + 4, address)) return handle((int)index, out);
    }
    return NOT_FOUND;
}
int nvmlDeviceGetName(Device *d, char *out, unsigned size) { return of(d, "name", out, size); }
int nvmlDeviceGetUUID(Device *d, char *out, unsigned size) { return of(d, "uuid", out, size); }
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } Pci;
int nvmlDeviceGetPciInfo_v3(Device *d, Pci *pci) { return of(d, "pci", pci->bus_id, 32); }
int nvmlDeviceGetUtilizationRates(Device *d, unsigned out[2]) {
    u64 value;
    int result = number(d, "util", &value);
    if (!result) out[0] = (unsigned)value, out[1] = 0;
    return result;
}
#ifndef OLD_DRIVER
typedef struct { unsigned version; u64 total, reserved, free, used; } Memory2;
int nvmlDeviceGetMemoryInfo_v2(Device *d, Memory2 *m) {
    int result = number(d, "total", &m->total);
    if (m->version != 0x02000028) return 25;
    if (!result) result = number(d, "used", &m->used);
    return result;
}
typedef struct { unsigned version; int sensor, celsius; } Temperature;
int nvmlDeviceGetTemperatureV(Device *d, Temperature *t) {
    u64 value;
    int result = number(d, "temp", &value);
    if (!result) t->celsius = (int)value;
    return result;
}
int nvmlDeviceGetCurrentClocksEventReasons(Device *d, u64 *out) { return number(d, "events", out); }
#endif
int nvmlDeviceGetMemoryInfo(Device *d, u64 out[3]) { /* total, free, used with what is reserved */
    u64 used, reserved = 0;
    int result = number(d, "total", &out[0]);
    if (!result) result = number(d, "used", &used);
    if (!result) number(d, "reserved", &reserved), out[2] = used + reserved;
    return result;
}
int nvmlDeviceGetTemperature(Device *d, int sensor, unsigned *out) {
    u64 value;
    int result = number(d, "temp", &value);
    (void)sensor;
    if (!result) *out = (unsigned)value;
    return result;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(Device *d, u64 *out) { return number(d, "events", out); }
int nvmlDeviceGetTotalEnergyConsumption(Device *d, u64 *out) { return number(d, "energy", out); }
int nvmlDeviceGetBAR1MemoryInfo(Device *d, u64 out[3]) { return number(d, "bar1", out); }
#define SMALL(name, key) \
    int name(Device *d, unsigned *out) { u64 v; int r = number(d, key, &v); if (!r) *out = (unsigned)v; return r; }
SMALL(nvmlDeviceGetPowerUsage, "power")
SMALL(nvmlDeviceGetMaxMigDeviceCount, "mig")
/* What is set is kept in the file NVML_DOUBLE_SET until the next change, as a driver keeps it: in multiples of
 * the number that "<key>" is given. */
static int keep(Device *d, const char *key, unsigned value) {
    char word[256], name[40];
    int refused = of(d, key, word, sizeof word);
    FILE *file = refused ? 0 : fopen(getenv("NVML_DOUBLE_SET"), "w");
    if (file) value -= value % (unsigned)atoi(word);
    if (file) fprintf(file, "%u\n", value), fclose(file);
    snprintf(name, sizeof name, "%s %u", key, value);
    note(name);
    return file ? OK : refused;
}
int nvmlDeviceGetPowerManagementLimit(Device *d, unsigned *out) {
    u64 value;
    int result = number(d, "limit", &value);
    FILE *file = fopen(getenv("NVML_DOUBLE_SET"), "r");
    if (!result) *out = (unsigned)value;
    if (file) { if (!result && fscanf(file, "%u", out) != 1) result = 999; fclose(file); }
    return result;
}
int nvmlDeviceGetPowerManagementLimitConstraints(Device *d, unsigned *least, unsigned *most) {
    u64 low, high;
    int result = number(d, "limit.least", &low);
    if (!result) result = number(d, "limit.most", &high);
    if (!result) *least = (unsigned)low, *most = (unsigned)high;
    return result;
}
int nvmlDeviceSetPowerManagementLimit(Device *d, unsigned value) { return keep(d, "set.power", value); }
int nvmlDeviceGetMaxClockInfo(Device *d, int kind, unsigned *out) {
    u64 value;
    int result = number(d, kind ? "most.other" : "most.graphics", &value);
    if (!result) *out = (unsigned)value;
    return result;
}
int nvmlDeviceSetGpuLockedClocks(Device *d, unsigned least, unsigned most) {
    (void)least;
    return keep(d, "set.clocks", most);
}
int nvmlDeviceResetGpuLockedClocks(Device *d) { return keep(d, "set.clocks", 0); }
int nvmlDeviceGetHandleByUUID(const char *uuid, Device **out) {
    for (unsigned index = 0; index < or_zero("count"); index++) {
        char key[32], word[64];
        snprintf(key, sizeof key, "%u.uuid", index);
        if (text(key, word, sizeof word) && !strcmp(word, uuid)) return handle((int)index, out);
    }
    return NOT_FOUND;
}
int nvmlDeviceGetClockInfo(Device *d, int kind, unsigned *out) {
    u64 value;
    int result = number(d, kind == 1 ? "sm" : "mem", &value);
    if (!result) *out = (unsigned)value;
    return result;
}
int nvmlDeviceGetMigMode(Device *d, unsigned *now, unsigned *later) {
    u64 most;
    int result = number(d, "mig", &most);
    if (!result) *now = *later = 1;
    return result;
}
int nvmlDeviceGetMigDeviceHandleByIndex(Device *d, unsigned index, Device **out) {
    char key[32], word[64];
    int id = 100 + 10 * d->id + (int)index;
    snprintf(key, sizeof key, "%d.uuid", id);
    return text(key, word, sizeof word) ? handle(id, out) : NOT_FOUND;
}
typedef struct { unsigned pid; u64 used; unsigned gpu, compute; } Process;
static int listed(Device *d, const char *key, unsigned *count, Process *out) { /* "pid:bytes ..." */
    char word[256], *rest = word;
    unsigned found = 0;
    int result = of(d, key, word, sizeof word);
    if (result) return result;
    for (char *one; (one = strsep(&rest, " "));) {
        char *amount = strchr(one, ':');
        if (!amount) continue;
        if (out && found < *count)
            out[found] = (Process){(unsigned)atoi(one), strtoull(amount + 1, 0, 0), 0, 0};
        found++;
    }
    result = found && (!out || found > *count) ? TOO_SMALL : OK;
    *count = found;
    return result;
}
int nvmlDeviceGetComputeRunningProcesses_v3(Device *d, unsigned *n, Process *out) { return listed(d, "compute", n, out); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(Device *d, unsigned *n, Process *out) { return listed(d, "graphics", n, out); }
