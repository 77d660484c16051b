/*
 * What every command gets between fork and exec, in every tier: resource limits, Landlock, no
 * capabilities, no_new_privs and a seccomp filter, in that order, since each makes the next
 * impossible to change.
 */
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Landlock. Debian 12's headers know ABI 3; these are the kernel's numbers up to ABI 6. ---- */

enum { LANDLOCK_CREATE = 444, LANDLOCK_ADD_RULE = 445, LANDLOCK_RESTRICT = 446 };
struct landlock_rules {
  uint64_t fs, net, scoped;
};
struct __attribute__((packed)) landlock_path {
  uint64_t allowed;
  int32_t parent_fd;
};
#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_MAKE_CHAR (1ull << 6)
#define FS_MAKE_BLOCK (1ull << 11)
#define FS_TRUNCATE (1ull << 14)
#define FS_IOCTL_DEV (1ull << 15)
#define FS_READ (FS_EXECUTE | FS_READ_FILE | FS_READ_DIR)
#define FS_OF_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

int landlock_abi(void) {
  long abi = syscall(LANDLOCK_CREATE, NULL, 0, 1);
  return abi < 0 ? 0 : (int)abi;
}

/* The file rights that this kernel's Landlock knows; naming an unknown one is an error. */
static uint64_t known_rights(int abi) {
  uint64_t bits = 13;
  if (abi >= 2) bits = 14;
  if (abi >= 3) bits = 15;
  if (abi >= 5) bits = 16;
  return (1ull << bits) - 1;
}

/* Rules for places that this host does not have are left out: nothing is there to be allowed. */
static void allow(int ruleset, const char *path, uint64_t rights) {
  struct stat info;
  struct landlock_path rule = {.parent_fd = open(path, O_PATH | O_CLOEXEC)};
  if (rule.parent_fd < 0 || fstat(rule.parent_fd, &info)) return;
  rule.allowed = S_ISDIR(info.st_mode) ? rights : rights & FS_OF_FILES;
  if (syscall(LANDLOCK_ADD_RULE, ruleset, 1, &rule, 0)) fail(path);
  close(rule.parent_fd);
}

static bool is_below(const char *path, const char *folder) {
  size_t length = strlen(folder);
  return !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

/* Landlock cannot take a part of a folder away, so where one is hidden its siblings are allowed. */
static void allow_below(int ruleset, const struct config *config, const char *path) {
  bool holds_hidden = false;
  for (unsigned i = 0; i < config->hidden_count; i++) {
    if (is_below(path, config->hidden[i])) return;
    holds_hidden |= is_below(config->hidden[i], path);
  }
  if (!holds_hidden) {
    allow(ruleset, path, FS_READ);
    return;
  }
  DIR *dir = opendir(path);
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    char child[4096];
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    /* What a link leads to has a rule of its own, or is hidden. */
    if (entry->d_type != DT_LNK &&
        snprintf(child, sizeof child, "%s/%s", path, entry->d_name) < (int)sizeof child)
      allow_below(ruleset, config, child);
  }
  if (dir) closedir(dir);
}

static void allow_reading(int ruleset, const struct config *config, const char *path) {
  char *real = realpath(path, NULL); /* /bin is often a link, and /usr/bin may hold what is hidden */
  if (real) allow_below(ruleset, config, real);
  free(real);
}

/* Read-only system, writable `work`; no TCP; signals and abstract sockets within the command. */
int make_ruleset(const struct config *config, const char *work) {
  static const char *const readable[] = {
      "/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/alternatives",
      "/etc/localtime", "/etc/timezone", "/etc/os-release", "/etc/passwd", "/etc/group",
      "/etc/nsswitch.conf", "/etc/services", "/etc/protocols", "/etc/mime.types", "/etc/magic",
      "/etc/ssl/openssl.cnf", "/etc/ssl/certs",
  };
  static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                        "/dev/urandom"};
  int abi = config->landlock_abi;
  bool alone = config->tier == TIER_NAMESPACES;
  if (abi < 1) return -1;
  uint64_t known = known_rights(abi);
  struct landlock_rules rules = {.fs = known, .net = abi >= 4 ? 3 : 0, .scoped = abi >= 6 ? 3 : 0};
  size_t size = abi >= 6 ? sizeof rules : abi >= 4 ? 16 : 8;
  int ruleset = (int)syscall(LANDLOCK_CREATE, &rules, size, 0);
  if (ruleset < 0) return -1;
  if (alone) { /* the mount namespace holds nothing else */
    allow(ruleset, "/", FS_READ);
    allow(ruleset, "/dev", FS_READ_DIR | FS_READ_FILE | FS_WRITE_FILE | (known & FS_IOCTL_DEV));
  } else {
    for (size_t i = 0; i < sizeof readable / sizeof *readable; i++)
      allow_reading(ruleset, config, readable[i]);
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
      allow(ruleset, devices[i], FS_READ_FILE | FS_WRITE_FILE);
    for (unsigned i = 0; i < config->read_only_count; i++)
      allow_reading(ruleset, config, config->read_only[i]);
  }
  allow(ruleset, alone ? "/var" : work, known & ~(FS_MAKE_CHAR | FS_MAKE_BLOCK));
  return ruleset;
}

/* ---- seccomp. A list of what is refused; all newer than the list, too. ---- */

enum verdict { /* beyond plain errno values: a look at an argument */
  ON_CLONE_FLAGS = 1000,
  ON_SOCKET_FAMILY,
  ON_PAIR_FAMILY,
  ON_IOCTL,
  ON_PERSONALITY,
  ON_SOCKET_OPTION,
  ON_FIRST_ARGUMENT,  /* 0 means the caller itself */
  ON_SECOND_ARGUMENT, /* 0 means the caller itself, or no path */
  ON_PRIORITY,        /* the same, unless the first says that it is a user: then all of the user's */
  ON_IO_PRIORITY,
};
struct refusal {
  unsigned nr;
  unsigned verdict;
};

/* pidfd_getfd .. mseal came after musl 1.2.3 or Debian 12's headers; same on both machines. */
#if defined __x86_64__
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#error "the seccomp filter knows x86_64 and arm64"
#endif
enum { LAST_KNOWN_SYSCALL = 462 /* mseal, Linux 6.10 */ };

static const struct refusal always[] = {
    /* mounts and other ways to change what a path means */
    {__NR_mount, EPERM}, {__NR_umount2, EPERM}, {__NR_pivot_root, EPERM}, {__NR_chroot, EPERM},
    {428 /* open_tree */, EPERM}, {429 /* move_mount */, EPERM}, {430 /* fsopen */, EPERM},
    {431 /* fsconfig */, EPERM}, {432 /* fsmount */, EPERM}, {433 /* fspick */, EPERM},
    {442 /* mount_setattr */, EPERM}, {457 /* statmount */, ENOSYS}, {458 /* listmount */, ENOSYS},
    {__NR_name_to_handle_at, EPERM}, {__NR_open_by_handle_at, EPERM},
    {__NR_fanotify_init, EPERM}, {__NR_fanotify_mark, EPERM},
    {__NR_quotactl, EPERM}, {443 /* quotactl_fd */, EPERM}, {__NR_swapon, EPERM},
    {__NR_swapoff, EPERM},
    /* new namespaces would give capabilities back; clone3 hides its flags behind a pointer, and
       C libraries fall back to clone on ENOSYS */
    {__NR_unshare, EPERM}, {__NR_setns, EPERM}, {__NR_clone, ON_CLONE_FLAGS},
    {435 /* clone3 */, ENOSYS},
    /* other processes */
    {__NR_ptrace, EPERM}, {__NR_process_vm_readv, EPERM}, {__NR_process_vm_writev, EPERM},
    {438 /* pidfd_getfd */, EPERM}, {440 /* process_madvise */, EPERM}, {__NR_kcmp, EPERM},
    {__NR_move_pages, EPERM}, {__NR_migrate_pages, EPERM}, {448 /* process_mrelease */, EPERM},
    {__NR_personality, ON_PERSONALITY},
    /* kernel surface that commands do not need */
    {__NR_bpf, EPERM}, {__NR_perf_event_open, EPERM}, {__NR_userfaultfd, ENOSYS},
    {425 /* io_uring_setup */, ENOSYS}, {426 /* io_uring_enter */, ENOSYS},
    {427 /* io_uring_register */, ENOSYS},
    {__NR_keyctl, EPERM}, {__NR_add_key, EPERM}, {__NR_request_key, EPERM},
    {__NR_init_module, EPERM}, {__NR_finit_module, EPERM}, {__NR_delete_module, EPERM},
    {__NR_kexec_load, EPERM},
#ifdef __NR_kexec_file_load
    {__NR_kexec_file_load, EPERM},
#else
    {294, EPERM},
#endif
    {__NR_reboot, EPERM}, {__NR_syslog, EPERM}, {__NR_acct, EPERM}, {__NR_vhangup, EPERM},
    {__NR_lookup_dcookie, EPERM}, {__NR_settimeofday, EPERM}, {__NR_clock_settime, EPERM},
    {__NR_adjtimex, EPERM}, {__NR_clock_adjtime, EPERM}, {__NR_sethostname, EPERM},
    {__NR_setdomainname, EPERM}, {__NR_nfsservctl, EPERM},
#ifdef __x86_64__
    {__NR_iopl, EPERM}, {__NR_ioperm, EPERM}, {__NR_modify_ldt, EPERM}, {__NR_uselib, EPERM},
    {__NR_sysfs, EPERM}, {__NR_ustat, EPERM}, {__NR_create_module, ENOSYS},
#endif
    /* memory of no process and no sized file system, which no limit would see; as on a kernel
       without them, since programs have another way then */
    {__NR_shmget, ENOSYS}, {__NR_shmat, ENOSYS}, {__NR_shmctl, ENOSYS}, {__NR_shmdt, ENOSYS},
    {__NR_semget, ENOSYS}, {__NR_semop, ENOSYS}, {__NR_semctl, ENOSYS}, {__NR_semtimedop, ENOSYS},
    {__NR_msgget, ENOSYS}, {__NR_msgsnd, ENOSYS}, {__NR_msgrcv, ENOSYS}, {__NR_msgctl, ENOSYS},
    {__NR_mq_open, ENOSYS}, {__NR_mq_unlink, ENOSYS},
    {__NR_memfd_create, ENOSYS}, {447 /* memfd_secret */, ENOSYS},
    {__NR_mbind, EPERM}, {__NR_set_mempolicy, EPERM}, {__NR_get_mempolicy, EPERM},
    {450 /* set_mempolicy_home_node */, EPERM},
    /* the world outside; typing into the terminal of another */
    {__NR_socket, ON_SOCKET_FAMILY}, {__NR_socketpair, ON_PAIR_FAMILY}, {__NR_ioctl, ON_IOCTL},
};

/* Where no cgroup counts what lies in a socket's buffer: it keeps its usual size. */
static const struct refusal without_cgroup[] = {{__NR_setsockopt, ON_SOCKET_OPTION}};

/* Where other processes of the host are in sight: those of our uid must not be steered. */
static const struct refusal without_namespaces[] = {
    {__NR_prlimit64, ON_FIRST_ARGUMENT}, {__NR_sched_setaffinity, ON_FIRST_ARGUMENT},
    {__NR_sched_setscheduler, ON_FIRST_ARGUMENT}, {__NR_sched_setparam, ON_FIRST_ARGUMENT},
    {__NR_sched_setattr, ON_FIRST_ARGUMENT}, {__NR_setpriority, ON_PRIORITY},
    {__NR_ioprio_set, ON_IO_PRIORITY}, {__NR_inotify_add_watch, EPERM},
    /* instances are counted by user; ENOSYS, since programs like tail have another way then */
    {__NR_inotify_init1, ENOSYS},
#ifdef __x86_64__
    {__NR_inotify_init, ENOSYS},
#endif
    /* Landlock does not cover them, and who may write to a file may set them */
    {__NR_setxattr, EPERM}, {__NR_lsetxattr, EPERM}, {__NR_removexattr, EPERM},
    {__NR_lremovexattr, EPERM},
};

/*
 * Landlock does not cover these; where the command shares our uid they would reach our files by
 * path. By descriptor they may: Landlock decided what could be opened, and O_PATH is no help.
 */
static const struct refusal on_shared_uid[] = {
    {__NR_fchmodat, EPERM}, {452 /* fchmodat2 */, EPERM}, {__NR_fchownat, EPERM},
    {__NR_utimensat, ON_SECOND_ARGUMENT},
#ifdef __x86_64__
    {__NR_chmod, EPERM}, {__NR_chown, EPERM}, {__NR_lchown, EPERM}, {__NR_utime, EPERM},
    {__NR_utimes, EPERM}, {__NR_futimesat, EPERM},
#endif
};

enum { MAX_FILTER = 512, MAX_SPANS = 256 };
static struct sock_filter program[MAX_FILTER];
static unsigned short program_length;

static unsigned emit(uint16_t code, uint32_t k, uint8_t jt, uint8_t jf) {
  if (program_length == MAX_FILTER) fail_with("seccomp filter", E2BIG);
  program[program_length] = (struct sock_filter){code, jt, jf, k};
  return program_length++;
}
static void emit_return(uint32_t action) { emit(BPF_RET | BPF_K, action, 0, 0); }
static void emit_load(size_t offset) { emit(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0); }

static int by_number(const void *a, const void *b) {
  unsigned x = ((const struct refusal *)a)->nr, y = ((const struct refusal *)b)->nr;
  return (x > y) - (x < y);
}

/* Numbers from `nr` up to the next span share a verdict; 0 allows. */
static struct refusal spans[MAX_SPANS];
static size_t span_count;

static void add_span(unsigned nr, unsigned verdict) {
  if (span_count > 0 && spans[span_count - 1].verdict == verdict) return;
  if (span_count > 0 && spans[span_count - 1].nr == nr) span_count--;
  if (span_count == MAX_SPANS) fail_with("seccomp filter", E2BIG);
  spans[span_count++] = (struct refusal){nr, verdict};
}

static struct {
  unsigned at;
  bool if_true;
  unsigned verdict;
} jumps[MAX_SPANS]; /* to be pointed at the code for their verdict, which follows the search */
static size_t jump_count;

static void point(unsigned at, bool if_true, unsigned target) {
  unsigned distance = target - at - 1u;
  if (distance > UINT8_MAX) fail_with("seccomp filter", ERANGE);
  *(if_true ? &program[at].jt : &program[at].jf) = (uint8_t)distance;
}

/*
 * A binary search over spans, with shared endings: a filter is translated anew for every command,
 * and its length is what that costs (a list of comparisons took 0.1 ms, this takes 0.03 ms).
 */
static void emit_search(size_t from, size_t to) {
  size_t middle = from + (to - from) / 2;
  unsigned node = emit(BPF_JMP | BPF_JGE | BPF_K, spans[middle].nr, 0, 0);
  for (int side = 0; side < 2; side++) {
    size_t low = side ? middle : from, high = side ? to : middle;
    if (high - low > 1) {
      point(node, side, program_length);
      emit_search(low, high);
    } else {
      jumps[jump_count].at = node;
      jumps[jump_count].if_true = side;
      jumps[jump_count++].verdict = spans[low].verdict;
    }
  }
}

/* Arguments are compared in their low 32 bits, all that the kernel uses of most of these. */
static void emit_ending(unsigned verdict, bool unix_sockets) {
  static const uint32_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  if (verdict < ON_CLONE_FLAGS) {
    emit_return(verdict ? SECCOMP_RET_ERRNO | verdict : SECCOMP_RET_ALLOW);
    return;
  }
  uint32_t refused = SECCOMP_RET_ERRNO | EPERM;
  unsigned argument = verdict == ON_IOCTL || (verdict >= ON_SECOND_ARGUMENT && verdict <= ON_IO_PRIORITY);
  if (verdict == ON_SOCKET_OPTION) { /* as the kernel does beyond its own limit, without a word */
    refused = SECCOMP_RET_ERRNO;
    argument = 2;
  }
  emit_load(offsetof(struct seccomp_data, args) + argument * 8);
  switch (verdict) {
    case ON_CLONE_FLAGS:
      emit(BPF_JMP | BPF_JSET | BPF_K, namespaces, 0, 1);
      break;
    case ON_SOCKET_FAMILY:
      refused = SECCOMP_RET_ERRNO | EAFNOSUPPORT;
      if (unix_sockets) emit(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0);
      break;
    case ON_PAIR_FAMILY: /* both ends are the command's own */
      refused = SECCOMP_RET_ERRNO | EAFNOSUPPORT;
      emit(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0);
      break;
    case ON_IOCTL:
      emit(BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI, 1, 0);
      emit(BPF_JMP | BPF_JEQ | BPF_K, 0x541C /* TIOCLINUX */, 0, 1);
      break;
    case ON_SOCKET_OPTION: /* of levels other than SOL_SOCKET these numbers mean nothing to AF_UNIX */
      emit(BPF_JMP | BPF_JEQ | BPF_K, SO_SNDBUF, 1, 0);
      emit(BPF_JMP | BPF_JEQ | BPF_K, SO_SNDBUFFORCE, 0, 1);
      break;
    case ON_PERSONALITY: /* 0: plain Linux, 8: uname says 32 bits, ~0: only asks */
      emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0);
      emit(BPF_JMP | BPF_JEQ | BPF_K, 8, 2, 0);
      emit(BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, 1, 0);
      break;
    case ON_PRIORITY:
    case ON_IO_PRIORITY: {
      uint32_t of_user = verdict == ON_PRIORITY ? 2 /* PRIO_USER */ : 3 /* IOPRIO_WHO_USER */;
      emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2);
      emit_load(offsetof(struct seccomp_data, args));
      emit(BPF_JMP | BPF_JEQ | BPF_K, of_user, 0, 1);
      break;
    }
    default: /* may be a pointer: all 64 bits */
      emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2);
      emit_load(offsetof(struct seccomp_data, args) + argument * 8 + 4);
      emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
  }
  emit_return(refused);
  emit_return(SECCOMP_RET_ALLOW);
}

void build_seccomp(const struct config *config) {
  static const unsigned verdicts[] = {0, EPERM, ENOSYS, ON_CLONE_FLAGS, ON_SOCKET_FAMILY, ON_PAIR_FAMILY,
                                      ON_IOCTL, ON_SOCKET_OPTION, ON_PERSONALITY, ON_FIRST_ARGUMENT,
                                      ON_SECOND_ARGUMENT, ON_PRIORITY, ON_IO_PRIORITY};
  struct refusal list[MAX_SPANS / 2];
  bool alone = config->tier == TIER_NAMESPACES;
  size_t count = sizeof always / sizeof *always;
  memcpy(list, always, sizeof always);
  if (config->cgroup == CGROUP_NONE) {
    memcpy(list + count, without_cgroup, sizeof without_cgroup);
    count += sizeof without_cgroup / sizeof *without_cgroup;
  }
  if (!alone) {
    memcpy(list + count, without_namespaces, sizeof without_namespaces);
    count += sizeof without_namespaces / sizeof *without_namespaces;
  }
  if (!alone && !config->own_uid) {
    memcpy(list + count, on_shared_uid, sizeof on_shared_uid);
    count += sizeof on_shared_uid / sizeof *on_shared_uid;
  }
  qsort(list, count, sizeof *list, by_number);
  add_span(0, 0);
  for (size_t i = 0; i < count; i++) {
    add_span(list[i].nr, list[i].verdict);
    add_span(list[i].nr + 1, 0);
  }
  add_span(LAST_KNOWN_SYSCALL + 1, ENOSYS);

  emit_load(offsetof(struct seccomp_data, arch));
  emit(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0); /* x86_64: no i386 */
  emit_return(SECCOMP_RET_KILL_PROCESS);
  emit_load(offsetof(struct seccomp_data, nr));
  emit(BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1); /* x32: the same calls by other numbers */
  emit_return(SECCOMP_RET_KILL_PROCESS);
  emit_search(0, span_count);
  for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
    bool used = false;
    for (size_t j = 0; j < jump_count; j++) {
      if (jumps[j].verdict != verdicts[i]) continue;
      point(jumps[j].at, jumps[j].if_true, program_length);
      used = true;
    }
    if (used) emit_ending(verdicts[i], alone);
  }
}

/* ---- the rest ---- */

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
  uint64_t processes = limits->processes;
  if (alone) processes++; /* the supervisor counts, too */
  /* Where others share the uid, what they have now is added, and room for all our supervisors. */
  if (!alone && !config->own_uid) {
    count_uid_tasks(sandbox, 5);
    processes += sandbox->uid_tasks + 2 * config->max;
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
  STEP("RLIMIT_NPROC", limit(RLIMIT_NPROC, processes, processes));
  if (!alone) STEP("PDEATHSIG", prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0);
  STEP("chdir", chdir(sandbox->work) == 0);
  if (config->tier == TIER_NONE) goto done;
  STEP("no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 || !must);
  if (sandbox->ruleset_fd >= 0)
    STEP("landlock", syscall(LANDLOCK_RESTRICT, sandbox->ruleset_fd, 0) == 0);
  STEP("drop capabilities", drop_capabilities() || !must);
  struct sock_fprog filter = {program_length, program};
  STEP("seccomp", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0 || !must);
done:
  status->step = NULL;
#undef STEP
}
