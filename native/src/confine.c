/*
 * What every command gets between fork and exec, in every tier: resource limits, Landlock, no
 * capabilities, no_new_privs and a seccomp filter, in that order, since each makes the next
 * impossible to change.
 */
#include "launcher.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool limit(int resource, uint64_t soft, uint64_t hard) {
  struct rlimit now, wanted;
  if (getrlimit(resource, &now)) return false;
  wanted.rlim_max = hard < now.rlim_max ? hard : now.rlim_max;
  wanted.rlim_cur = soft < wanted.rlim_max ? soft : wanted.rlim_max;
  return setrlimit(resource, &wanted) == 0;
}

/* For good: exec takes capabilities from this set alone. */
bool drop_bounding_set(void) {
  for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)) return false;
  return true;
}

static bool drop_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  return syscall(SYS_capset, &header, none) == 0;
}

/* Runs in the child. Says in `status` what failed; the supervisor reports it as our trouble. */
void confine_self(struct sandbox *sandbox, const struct request_head *limits,
                  struct child_status *status) {
  const struct config *config = sandbox->config;
  bool alone = config->tier == TIER_NAMESPACES, must = config->tier <= TIER_LANDLOCK;
#define STEP(name, ok)                 \
  do {                                 \
    status->step = (name);             \
    if (!(ok)) {                       \
      status->error = errno;           \
      _exit(126);                      \
    }                                  \
  } while (0)
  uint64_t seconds = (limits->cpu_ms + 999) / 1000;
  uint64_t tasks = limits->processes;
  if (alone) tasks++; /* the supervisor counts, too */
  /* Where others share the uid, what they have now is added, and room for all our supervisors. */
  if (!alone && !config->own_uid) {
    count_uid_tasks(sandbox, 5);
    tasks += sandbox->uid_tasks + 2 * config->max;
  }
  if (!alone && config->own_uid) {
    STEP("setgroups", setgroups(0, NULL) == 0);
    STEP("setresgid", setresgid(sandbox->uid, sandbox->uid, sandbox->uid) == 0);
  }
  STEP("RLIMIT_CPU", limit(RLIMIT_CPU, seconds, seconds + 1));
  STEP("RLIMIT_FSIZE", limit(RLIMIT_FSIZE, limits->file_bytes, limits->file_bytes));
  STEP("RLIMIT_NOFILE", limit(RLIMIT_NOFILE, limits->open_files, limits->open_files));
  /* The tree's memory is watched; this stops one process that would outrun the watch. Thread
     stacks and heaps that are reserved but not used count, hence the room. */
  uint64_t data = 4 * limits->memory_bytes + (256u << 20);
#ifdef __SANITIZE_ADDRESS__
  data = UINT64_MAX; /* its shadow memory counts */
#endif
  STEP("RLIMIT_DATA", limit(RLIMIT_DATA, data, data));
  STEP("RLIMIT_CORE", limit(RLIMIT_CORE, 0, 0));
  STEP("RLIMIT_MSGQUEUE", limit(RLIMIT_MSGQUEUE, 0, 0));
  STEP("RLIMIT_MEMLOCK", limit(RLIMIT_MEMLOCK, 64u << 10, 64u << 10));
  if (!alone && config->own_uid)
    STEP("setresuid", setresuid(sandbox->uid, sandbox->uid, sandbox->uid) == 0);
  STEP("RLIMIT_NPROC", limit(RLIMIT_NPROC, tasks, tasks));
  if (!alone) STEP("PDEATHSIG", prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0);
  STEP("chdir", chdir(sandbox->work) == 0);
  if (config->tier == TIER_NONE) goto done;
  STEP("no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 || !must);
  if (sandbox->ruleset_fd >= 0)
    STEP("landlock", enforce_ruleset(sandbox->ruleset_fd));
  STEP("drop capabilities", drop_capabilities() || !must);
  STEP("seccomp", install_seccomp() || !must);
done:
  status->step = NULL;
#undef STEP
}
