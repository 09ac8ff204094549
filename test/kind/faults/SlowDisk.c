/* Makes a disk slow for one process, by LD_PRELOAD: while the file named by SLOW_DISK_FILE is there, every durable write and every flush
   takes as many milliseconds longer as the file says. Owns only that delay; data go to the real calls unchanged. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void delay(void) {
  int kept = errno;
  const char *name = getenv("SLOW_DISK_FILE");
  FILE *file = name ? fopen(name, "re") : NULL;
  long ms = 0;
  if (file != NULL) {
    if (fscanf(file, "%ld", &ms) != 1) ms = 0;
    fclose(file);
  }
  if (ms > 0) {
    struct timespec time = {ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&time, NULL);
  }
  errno = kept;
}

static void delay_durable(int fd) {
  int kept = errno;
  int flags = fcntl(fd, F_GETFL);
  errno = kept;
  if (flags >= 0 && (flags & O_DSYNC)) delay();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size) { delay_durable(fd); return REAL(write)(fd, data, size); }
ssize_t writev(int fd, const struct iovec *parts, int count) { delay_durable(fd); return REAL(writev)(fd, parts, count); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { delay_durable(fd); return REAL(pwrite)(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { delay_durable(fd); return REAL(pwrite64)(fd, data, size, at); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { delay_durable(fd); return REAL(pwritev)(fd, parts, count, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { delay_durable(fd); return REAL(pwritev64)(fd, parts, count, at); }
int fsync(int fd) { delay(); return REAL(fsync)(fd); }
int fdatasync(int fd) { delay(); return REAL(fdatasync)(fd); }
