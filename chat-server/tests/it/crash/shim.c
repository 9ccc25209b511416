/* Stands between the program and the system, for tests: LD_PRELOAD=shim.so SHIM_CONTROL=FILE
 * [SHIM_LOG=FILE] chat-server ...
 *
 * It knows the files of one database by their names (chat.db, chat.db-wal ...). What is done to
 * them it writes down, in the order in which it was done; what the control file says of them it
 * lets happen: a full disk, a failing or slow fsync, a failing write. It shifts the time of day, and
 * leaves the clock that only goes on as it is. Everything else passes through. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The control file: numbers that the test writes and this process reads, or the other way round.
 * The order is that of `Field` in shim.rs. */
enum {
    SHIFT_MS,    /* added to the time of day */
    LIMITED,     /* whether there is a bound to how far the files may grow */
    SPACE,       /* by how many bytes they may */
    SYNC_MS,     /* how long an fsync takes, at least; it ends early if this becomes 0 */
    FAIL_SYNC,   /* the n-th fsync from here on fails; 0 for none */
    FAIL_WRITE,  /* the same of writes */
    FAIL_OPEN,   /* the same of opening a file */
    FAIL_ERRNO,  /* with which error */
    FOREVER,     /* whether all later ones fail, too */
    SYNCS,       /* counted: how many there were, failed ones included */
    READ_BYTES,  /* counted, too */
    FIELDS
};

static volatile int64_t absent[FIELDS];
static volatile int64_t *control = absent;
static int log_fd = -1;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

/* What each descriptor is: a letter of the log, or 0 for what is nobody's business. */
enum { DATABASE = 'd', WAL = 'w', JOURNAL = 'j', INDEX = 'i', FOLDER = 'f' };
static unsigned char kinds[4096];

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static int (*real_truncate)(int, off_t);
static int (*real_sync)(int);
static int (*real_unlink)(const char *);
static int (*real_clock)(clockid_t, struct timespec *);
static int (*real_day)(struct timeval *, void *);

__attribute__((constructor)) static void begin(void) {
    if (real_open) return;
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_read = dlsym(RTLD_NEXT, "read");
    real_pread = dlsym(RTLD_NEXT, "pread64");
    real_truncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_sync = dlsym(RTLD_NEXT, "fsync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_clock = dlsym(RTLD_NEXT, "clock_gettime");
    real_day = dlsym(RTLD_NEXT, "gettimeofday");
    real_open = dlsym(RTLD_NEXT, "open64");
    const char *log = getenv("SHIM_LOG"), *file = getenv("SHIM_CONTROL");
    if (log) log_fd = real_open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    int fd = file ? real_open(file, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *map = mmap(NULL, FIELDS * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED) control = map;
    real_close(fd);
}

static unsigned char kind_of(int fd) {
    return fd >= 0 && fd < (int)sizeof kinds ? kinds[fd] : 0;
}

static unsigned char kind_of_path(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!strcmp(name, "chat.db")) return DATABASE;
    if (!strcmp(name, "chat.db-wal")) return WAL;
    if (!strcmp(name, "chat.db-journal")) return JOURNAL;
    if (!strcmp(name, "chat.db-shm")) return INDEX;
    return 0;
}

/* One line of the log: what was done, to which file, whether it failed, where, how far; then the
 * bytes. One call of the system appends it, so that being killed leaves whole lines. */
static void note(char what, unsigned char kind, int failed, uint64_t at, uint64_t length,
                 const void *bytes) {
    if (log_fd < 0 || kind == INDEX) return;
    unsigned char head[19] = {(unsigned char)what, kind, failed != 0};
    memcpy(head + 3, &at, 8);
    memcpy(head + 11, &length, 8);
    struct iovec parts[2] = {{head, sizeof head}, {(void *)bytes, bytes ? length : 0}};
    if (writev(log_fd, parts, 2) < 0) abort();
}

/* Whether this is the call that is to fail. */
static int fails(int field) {
    if (control[field] == 0) return 0;
    if (control[field] > 1) {
        control[field]--;
        return 0;
    }
    if (!control[FOREVER]) control[field] = 0;
    errno = (int)control[FAIL_ERRNO];
    return 1;
}

/* Whether a file may grow to this size. */
static int full(int fd, uint64_t end) {
    struct stat now;
    if (!control[LIMITED] || fstat(fd, &now) < 0 || end <= (uint64_t)now.st_size) return 0;
    int64_t more = (int64_t)(end - (uint64_t)now.st_size);
    if (more > control[SPACE]) {
        errno = ENOSPC;
        return 1;
    }
    control[SPACE] -= more;
    return 0;
}

static int opened(const char *path, int flags, mode_t mode) {
    begin();
    unsigned char kind = kind_of_path(path);
    if (kind && fails(FAIL_OPEN)) return -1;
    struct stat there;
    int is_new = kind && (flags & O_CREAT) && stat(path, &there) < 0;
    pthread_mutex_lock(&order);
    int fd = real_open(path, flags, mode);
    if (fd >= 0 && fd < (int)sizeof kinds) {
        if (!kind && !fstat(fd, &there) && S_ISDIR(there.st_mode)) kind = FOLDER;
        kinds[fd] = kind;
        if (is_new) note('c', kind, 0, 0, 0, NULL);
    }
    pthread_mutex_unlock(&order);
    return fd;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return opened(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return opened(path, flags, mode);
}

int close(int fd) {
    begin();
    if (kind_of(fd)) kinds[fd] = 0;
    return real_close(fd);
}

/* A write at a place of a file that is known. */
static ssize_t put(int fd, const void *bytes, size_t count, off_t at, int moves) {
    unsigned char kind = kinds[fd];
    if (fails(FAIL_WRITE)) return -1;
    pthread_mutex_lock(&order);
    ssize_t done = -1;
    if (!full(fd, (uint64_t)at + count)) {
        done = moves ? real_write(fd, bytes, count) : real_pwrite(fd, bytes, count, at);
        if (done > 0) note('w', kind, 0, (uint64_t)at, (uint64_t)done, bytes);
    }
    pthread_mutex_unlock(&order);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    begin();
    if (!kind_of(fd)) return real_write(fd, bytes, count);
    return put(fd, bytes, count, lseek(fd, 0, SEEK_CUR), 1);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t at) {
    begin();
    return kind_of(fd) ? put(fd, bytes, count, at, 0) : real_pwrite(fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    return pwrite64(fd, bytes, count, at);
}

ssize_t read(int fd, void *bytes, size_t count) {
    begin();
    ssize_t done = real_read(fd, bytes, count);
    if (done > 0 && kind_of(fd)) control[READ_BYTES] += done;
    return done;
}

ssize_t pread64(int fd, void *bytes, size_t count, off_t at) {
    begin();
    ssize_t done = real_pread(fd, bytes, count, at);
    if (done > 0 && kind_of(fd)) control[READ_BYTES] += done;
    return done;
}

int ftruncate64(int fd, off_t length) {
    begin();
    if (!kind_of(fd)) return real_truncate(fd, length);
    pthread_mutex_lock(&order);
    int failed = full(fd, (uint64_t)length) ? -1 : real_truncate(fd, length);
    if (!failed) note('t', kinds[fd], 0, 0, (uint64_t)length, NULL);
    pthread_mutex_unlock(&order);
    return failed;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fsync(int fd) {
    begin();
    unsigned char kind = kind_of(fd);
    if (!kind) return real_sync(fd);
    for (int64_t ms = 0; ms < control[SYNC_MS]; ms += 5) usleep(5000);
    pthread_mutex_lock(&order);
    control[SYNCS]++;
    int failed = fails(FAIL_SYNC) ? -1 : real_sync(fd), error = errno;
    note('s', kind, failed, 0, 0, NULL);
    pthread_mutex_unlock(&order);
    errno = error;
    return failed;
}

int fdatasync(int fd) { return fsync(fd); }

int unlink(const char *path) {
    begin();
    unsigned char kind = kind_of_path(path);
    if (!kind) return real_unlink(path);
    pthread_mutex_lock(&order);
    int failed = real_unlink(path);
    if (!failed) note('u', kind, 0, 0, 0, NULL);
    pthread_mutex_unlock(&order);
    return failed;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    begin();
    int failed = real_clock(clock, now);
    int64_t ms = clock == CLOCK_REALTIME ? control[SHIFT_MS] : 0;
    if (failed || !ms) return failed;
    int64_t ns = now->tv_nsec + ms % 1000 * 1000000;
    now->tv_sec += ms / 1000 + (ns < 0 ? -1 : ns / 1000000000);
    now->tv_nsec = ns < 0 ? ns + 1000000000 : ns % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    begin();
    int failed = real_day(now, zone);
    if (!failed) now->tv_sec += control[SHIFT_MS] / 1000;
    return failed;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
