/*
 * Which system calls a command may make: a list of what is refused, and all that is newer than the
 * list. The filter is built once, and installed in each command.
 */
#include "launcher.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

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

bool install_seccomp(void) {
  struct sock_fprog filter = {program_length, program};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}
