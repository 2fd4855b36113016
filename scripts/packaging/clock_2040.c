/* A clock of about 2040, preloaded by test-arm.sh: later than a signed number of 32 bits can count seconds.
 * On a 32-bit Arm glibc has 64-bit variants of these functions for programs that ask for them, as Rust's library and
 * SQLite do; a program that asked for the others would not see this clock, and the test would tell. */
#include <stdint.h>
#include <sys/syscall.h>
#include <linux/time.h>
#include <unistd.h>

#ifdef __arm__
#define GETTIME SYS_clock_gettime64
#define clock_gettime __clock_gettime64
#define gettimeofday __gettimeofday64
#define time __time64
#else
#define GETTIME SYS_clock_gettime
#endif

/* Fourteen years, in seconds. */
#define SHIFT INT64_C(441763200)

struct seconds_and_parts {
    int64_t seconds;
    int64_t parts;
};

int clock_gettime(int clock, struct seconds_and_parts *now) {
    int result = syscall(GETTIME, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME)
        now->seconds += SHIFT;
    return result;
}

int gettimeofday(struct seconds_and_parts *now, void *zone) {
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, now);
    now->parts /= 1000;
    return result;
}

int64_t time(int64_t *also) {
    struct seconds_and_parts now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (also)
        *also = now.seconds;
    return now.seconds;
}
