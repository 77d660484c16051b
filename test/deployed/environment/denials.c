/*
 * denials PROGRAM ARGUMENTS...: runs a program with what AWS Lambda is reported to refuse: new
 * namespaces, chroot, ptrace, seccomp filters, Landlock. Its own filter cannot be taken off again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define REFUSE(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define IF_EQUAL(value, skip_else) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip_else))
#define REFUSE_CALL(number, error) IF_EQUAL((number), 1), REFUSE(error)

enum {
  NEW_NAMESPACES = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                   CLONE_NEWCGROUP
};

int main(int argc, char **argv) {
  struct sock_filter filter[] = {
      LOAD(nr),
      REFUSE_CALL(__NR_unshare, EPERM),
      REFUSE_CALL(__NR_setns, EPERM),
      REFUSE_CALL(__NR_chroot, EPERM),
      REFUSE_CALL(__NR_pivot_root, EPERM),
      REFUSE_CALL(__NR_mount, EPERM),
      REFUSE_CALL(__NR_ptrace, EPERM),
      REFUSE_CALL(__NR_seccomp, EPERM),
      REFUSE_CALL(444, ENOSYS), /* landlock_create_ruleset */
      REFUSE_CALL(445, ENOSYS),
      REFUSE_CALL(446, ENOSYS),
      /* Its flags are in memory, where no filter can look: without it, libraries take clone. */
      REFUSE_CALL(__NR_clone3, ENOSYS),
      IF_EQUAL(__NR_clone, 4),
      LOAD(args[0]),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 0, 1),
      REFUSE(EPERM),
      ALLOW,
      IF_EQUAL(__NR_prctl, 3),
      LOAD(args[0]),
      REFUSE_CALL(PR_SET_SECCOMP, EINVAL),
      ALLOW,
  };
  struct sock_fprog loaded = {sizeof filter / sizeof *filter, filter};
  if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &loaded)) {
    perror("denials");
    return 126;
  }
  execv(argv[1], argv + 1);
  perror(argv[1]);
  return 127;
}
