/*
 * An addon for Node that hides its process from others of the same user: from then on, they can read
 * neither its environment nor its memory in /proc, and cannot trace it. Only the process itself can
 * ask for that, exec undoes it, and Node has no word for it. No C library and no header of Node: what
 * it takes from either is this one system call, and the names below.
 */
#include <asm/unistd.h>

#define PR_SET_DUMPABLE 4

static long dump_never(void) {
#if defined __x86_64__
  register long four __asm__("r10") = 0, five __asm__("r8") = 0;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"((long)__NR_prctl), "D"((long)PR_SET_DUMPABLE), "S"(0L), "d"(0L), "r"(four), "r"(five)
                   : "rcx", "r11", "memory");
  return result;
#elif defined __aarch64__
  register long call __asm__("x8") = __NR_prctl;
  register long one __asm__("x0") = PR_SET_DUMPABLE, two __asm__("x1") = 0, three __asm__("x2") = 0,
                four __asm__("x3") = 0, five __asm__("x4") = 0;
  __asm__ volatile("svc 0" : "+r"(one) : "r"(call), "r"(two), "r"(three), "r"(four), "r"(five) : "memory");
  return one;
#endif
}

/* https://nodejs.org/api/n-api.html: what Node looks for when it loads an addon. */
int node_api_module_get_api_version_v1(void);
int node_api_module_get_api_version_v1(void) { return 8; }

int napi_throw_error(void *env, const char *code, const char *message);

void *napi_register_module_v1(void *env, void *exports);
void *napi_register_module_v1(void *env, void *exports) {
  if (dump_never() != 0) napi_throw_error(env, "ERRAND_DUMPABLE", "the process cannot be hidden");
  return exports;
}
