/* What a process sees of its machine: a disk that is full or takes long over a sync, a wall clock that is wrong.
 *
 * Loaded before the C library (LD_PRELOAD). MIROIR_MACHINE names a file of three numbers of 64 bits, which whoever
 * started the process changes while it runs: whether the disk is full, how many milliseconds a sync takes longer, by how
 * many seconds the wall clock is wrong. Only files of their own are concerned, never sockets or pipes. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct machine {
    int64_t full, sync_ms, clock_s;
};

static const volatile struct machine *machine;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("MIROIR_MACHINE");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *shared = mmap(NULL, sizeof(struct machine), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (shared != MAP_FAILED) machine = shared;
}

static int is_file(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
}

/* Whether there is no room for what would be written. */
static int is_full(int fd) {
    if (!machine || !machine->full || !is_file(fd)) return 0;
    errno = ENOSPC;
    return 1;
}

static void take_long(int fd) {
    int64_t ms = machine ? machine->sync_ms : 0;
    if (ms <= 0 || !is_file(fd)) return;
    struct timespec rest = { ms / 1000, ms % 1000 * 1000000 };
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {}
}

/* The function of the C library that has this name. */
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define REFUSED_WHEN_FULL(type, name, parameters, arguments) \
    type name parameters {                                   \
        static __typeof__(&name) next;                       \
        if (is_full(fd)) return -1;                          \
        if (!next) next = NEXT(name);                        \
        return next arguments;                               \
    }

REFUSED_WHEN_FULL(ssize_t, write, (int fd, const void *bytes, size_t count), (fd, bytes, count))
REFUSED_WHEN_FULL(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
REFUSED_WHEN_FULL(ssize_t, pwrite, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count, at))
REFUSED_WHEN_FULL(ssize_t, pwrite64, (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count, at))
REFUSED_WHEN_FULL(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
REFUSED_WHEN_FULL(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at))
REFUSED_WHEN_FULL(int, fallocate, (int fd, int mode, off_t at, off_t length), (fd, mode, at, length))
REFUSED_WHEN_FULL(int, fallocate64, (int fd, int mode, off64_t at, off64_t length), (fd, mode, at, length))

/* These say what is wrong by what they return. */
int posix_fallocate(int fd, off_t at, off_t length) {
    return is_full(fd) ? ENOSPC : NEXT(posix_fallocate)(fd, at, length);
}

int posix_fallocate64(int fd, off64_t at, off64_t length) {
    return is_full(fd) ? ENOSPC : NEXT(posix_fallocate64)(fd, at, length);
}

#define TAKES_LONG(name)               \
    int name(int fd) {                 \
        static __typeof__(&name) next; \
        take_long(fd);                 \
        if (!next) next = NEXT(name);  \
        return next(fd);               \
    }

TAKES_LONG(fsync)
TAKES_LONG(fdatasync)

int msync(void *from, size_t length, int flags) {
    int64_t ms = machine && (flags & MS_SYNC) ? machine->sync_ms : 0;
    struct timespec rest = { ms / 1000, ms % 1000 * 1000000 };
    while (ms > 0 && nanosleep(&rest, &rest) != 0 && errno == EINTR) {}
    return NEXT(msync)(from, length, flags);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static __typeof__(&clock_gettime) next;
    if (!next) next = NEXT(clock_gettime);
    int failed = next(clock, now);
    if (!failed && machine && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += machine->clock_s;
    }
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    static __typeof__(&gettimeofday) next;
    if (!next) next = NEXT(gettimeofday);
    int failed = next(now, zone);
    if (!failed && machine) now->tv_sec += machine->clock_s;
    return failed;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
