/* A card with an unreadable sector, preloaded into the uploader: reads of the database that touch the bytes from
 * BAD_FROM to BAD_TO end with EIO, as the kernel answers for a worn-out card, or with the error number BAD_ERRNO, until
 * the file BAD_UNLESS exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_bad(int fd, size_t count, off64_t offset) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    const char *name = "surveillance.db", *cured = getenv("BAD_UNLESS");
    size_t name_length = strlen(name);
    if (length < (ssize_t)name_length || memcmp(path + length - name_length, name, name_length) != 0)
        return 0;
    if (cured != NULL && access(cured, F_OK) == 0)
        return 0;
    return offset < atoll(getenv("BAD_TO")) && offset + (off64_t)count > atoll(getenv("BAD_FROM"));
}

ssize_t pread64(int fd, void *buffer, size_t count, off64_t offset) {
    static ssize_t (*real)(int, void *, size_t, off64_t);
    if (real == NULL)
        real = (ssize_t(*)(int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");
    if (is_bad(fd, count, offset)) {
        errno = getenv("BAD_ERRNO") != NULL ? atoi(getenv("BAD_ERRNO")) : EIO;
        return -1;
    }
    return real(fd, buffer, count, offset);
}

ssize_t pread(int fd, void *buffer, size_t count, off_t offset) {
    return pread64(fd, buffer, count, offset);
}
