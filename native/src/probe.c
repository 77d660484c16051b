/* What this host offers, tried out, not read from a list of features. */
#include "launcher.h"
#include <stdio.h>
int probe(void) {
  printf("{\"landlockAbi\":%d}\n", landlock_abi());
  return 0;
}
