// latency DEVICE SPAN STOP: writes 4 KiB at random places in the first SPAN bytes, each write durable
// before the next begins, until the file STOP is there; then prints each write's microseconds.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint32_t times[1 << 20];

static uint64_t microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000ull + now.tv_nsec / 1000;
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  int device = open(arguments[1], O_RDWR | O_DIRECT);
  uint64_t blocks = strtoull(arguments[2], NULL, 10) / 4096;
  void *block;
  if (device < 0 || blocks == 0 || posix_memalign(&block, 4096, 4096) != 0) {
    perror("latency");
    return 1;
  }
  memset(block, 0x5a, 4096);
  srandom(time(NULL));
  size_t written = 0;
  while (written < sizeof times / sizeof *times && access(arguments[3], F_OK) != 0) {
    uint64_t begin = microseconds();
    if (pwrite(device, block, 4096, (off_t)(random() % blocks) * 4096) != 4096 || fdatasync(device) != 0) {
      perror("latency");
      return 1;
    }
    times[written++] = microseconds() - begin;
  }
  for (size_t index = 0; index < written; index++) printf("%u\n", times[index]);
}
