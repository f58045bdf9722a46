// counter A B: writes 1, 2, 3, … alternately to A and to B, each write durable before the next begins.
// So at any instant A holds what B holds, or one more.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const off_t place = 1048576;

int main(int count, char **arguments) {
  if (count != 3) return 2;
  int first = open(arguments[1], O_RDWR | O_DIRECT | O_DSYNC);
  int second = open(arguments[2], O_RDWR | O_DIRECT | O_DSYNC);
  void *block;
  if (first < 0 || second < 0 || posix_memalign(&block, 4096, 4096) != 0) {
    perror("counter");
    return 1;
  }
  memset(block, 0, 4096);
  for (uint64_t number = 1;; number++) {
    memcpy(block, &number, sizeof number);
    if (pwrite(first, block, 4096, place) != 4096 || pwrite(second, block, 4096, place) != 4096) {
      perror("counter");
      return 1;
    }
  }
}
