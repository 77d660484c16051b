/*
 * Keeps sandboxes prepared, so that a command pays for none of the set-up. Each is a process that
 * has cut itself off already and waits in accept() on the one listening socket; the kernel wakes
 * one for a connection. It serves that command and dies, and another is prepared: nothing of a
 * command can reach the next one, because nothing is used twice but an empty network namespace.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum slot_state { FREE, PREPARED, TAKEN };
static struct slot {
  enum slot_state state;
  pid_t pid;
  int net_fd; /* this slot's network namespace, -1 until first used */
} slots[MAX_SLOTS];

static struct config *config;
static int news[2];     /* a sandbox's slot number when it is taken; with READY, when prepared */
enum { READY = 0x80 };
static bool announced;  /* the first sandbox is ready */
static unsigned failures;
static struct sandbox sandbox; /* what the next one starts from */

/*
 * Making a network namespace costs 0.7 ms, four times all the others together, and its end is
 * serialised in the kernel. So a slot keeps its own for one command after the other, never for
 * two at a time. What could a command leave in it? It has no capability there and no socket but
 * AF_UNIX, and those end with its processes, which are gone before the slot is free again.
 */
static void enter_network(struct slot *slot) {
  if (slot->net_fd >= 0) {
    if (setns(slot->net_fd, CLONE_NEWNET)) fail("enter network namespace");
    return;
  }
  static bool stage_taken; /* the stage's own is as empty as any: nothing else uses it */
  if (stage_taken && unshare(CLONE_NEWNET)) fail("new network namespace");
  stage_taken = true;
  slot->net_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (slot->net_fd < 0) fail("open network namespace");
}

/* Orphans of the command come to us, so none gets away. (Processor emulators do not offer it.) */
static void become_subreaper(void) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) && config->tier != TIER_NONE)
    fail("become subreaper");
}

static void make_scratch(void) {
  int length = snprintf(sandbox.work, sizeof sandbox.work, "%s/%u", config->scratch, sandbox.slot);
  if (length >= (int)sizeof sandbox.work) fail_with(config->scratch, ENAMETOOLONG);
  remove_tree(sandbox.work);
  if (mkdir(sandbox.work, 0700)) fail(sandbox.work);
  if (config->own_uid && chown(sandbox.work, sandbox.uid, sandbox.uid)) fail(sandbox.work);
}

static void find_disk(void) {
  struct statfs disk;
  sandbox.disk_is_memory = statfs(sandbox.work, &disk) == 0 && disk.f_type == TMPFS_MAGIC;
}

/* The life of one sandbox. */
static _Noreturn void live(unsigned number, pid_t pool_pid) {
  unsigned char taken = (unsigned char)number, ready = taken | READY;
  bool alone = config->tier == TIER_NAMESPACES;
  sandbox.slot = number;
  sandbox.uid = config->uid + number;
  sandbox.pool_pid = pool_pid;
  sandbox.disk_bytes = config->disk_bytes;
  close(news[0]);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (alone) {
    enter_sandbox(&sandbox);
  } else {
    make_scratch();
    become_subreaper();
  }
  /* no_new_privs says the same again; who has not even the right to drop one cannot be given one */
  if (config->tier < TIER_NONE && !drop_bounding_set() && alone) fail("drop bounding set");
  sandbox.proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  sandbox.ruleset_fd = config->tier < TIER_NONE ? make_ruleset(config, sandbox.work) : -1;
  if (config->tier == TIER_LANDLOCK && sandbox.ruleset_fd < 0) fail("Landlock ruleset");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)) fail("clear dumpable");
  if (prctl(PR_SET_PDEATHSIG, alone ? SIGKILL : SIGTERM, 0, 0, 0)) fail("set death signal");
  /* It died before we asked to be told? Where we are alone, the kernel has ended us with it. */
  if (!alone && getppid() != pool_pid) _exit(0);
  find_disk();
  cgroup_prepare(&sandbox);
  if (!announced && write(news[1], &ready, 1) != 1) fail("tell the pool");
  int conn = config->conn_fd;
  if (conn < 0) {
    do conn = accept4(config->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    while (conn < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (conn < 0) fail("accept");
    close(config->listen_fd);
  }
  if (write(news[1], &taken, 1) != 1) fail("tell the pool");
  close(news[1]);
  supervise(&sandbox, conn);
}

static void prepare(unsigned number) {
  struct slot *slot = &slots[number];
  pid_t self = getpid();
  sandbox.config = config;
  count_uid_tasks(&sandbox, 1);
  cgroup_use(config, number);
  if (config->tier == TIER_NAMESPACES) {
    enter_network(slot);
    slot->pid = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID, 0, 0,
                               0, 0);
  } else {
    slot->pid = fork();
  }
  if (slot->pid == 0) live(number, self);
  if (slot->pid < 0) fail("clone");
  slot->state = PREPARED;
}

static void fill(void) {
  unsigned prepared = 0;
  for (unsigned i = 0; i < config->max; i++) prepared += slots[i].state == PREPARED;
  for (unsigned i = 0; i < config->max && prepared < config->pool; i++) {
    if (slots[i].state != FREE) continue;
    prepare(i);
    prepared++;
  }
}

/* Without namespaces a supervisor that was killed leaves its command's processes to us. */
static void sweep_strays(void) {
  pid_t ours[MAX_SLOTS];
  unsigned count = 0;
  for (unsigned i = 0; i < config->max; i++)
    if (slots[i].state != FREE) ours[count++] = slots[i].pid;
  kill_strays(ours, count);
}

static void announce(void) {
  announced = true;
  if (config->conn_fd >= 0) return;
  printf("{\"ready\":true,\"tier\":\"%s\",\"landlockAbi\":%d,\"memory\":\"%s\"}\n", tier_names[config->tier],
         config->landlock_abi, memory_names[config->cgroup]);
  fflush(stdout);
}

static void hear_news(void) {
  unsigned char named[64];
  for (ssize_t count; (count = read(news[0], named, sizeof named)) > 0;) {
    for (ssize_t i = 0; i < count; i++) {
      struct slot *slot = &slots[named[i] & ~READY];
      if (named[i] & READY) {
        if (!announced) announce();
      } else if (slot->state == PREPARED) {
        slot->state = TAKEN;
        failures = 0;
      }
    }
  }
}

static void reap(bool closing, bool *any_left) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    hear_news(); /* all that it said: not to mistake a short command for a failed preparation */
    for (unsigned i = 0; i < config->max; i++) {
      struct slot *slot = &slots[i];
      if (slot->state == FREE || slot->pid != pid) continue;
      if (slot->state == PREPARED && !closing && ++failures >= 3)
        fail_with("sandboxes die while they are prepared", ECHILD);
      slot->state = FREE;
      if (config->tier == TIER_NAMESPACES) continue;
      char work[sizeof((struct sandbox *)0)->work];
      snprintf(work, sizeof work, "%s/%u", config->scratch, i);
      if (status != 0) sweep_strays();
      remove_tree(work); /* it has done so itself, unless it died, or its client only connected */
    }
  }
  *any_left = false;
  for (unsigned i = 0; i < config->max; i++) *any_left |= slots[i].state != FREE;
}

_Noreturn void run_pool(struct config *the_config) {
  config = the_config;
  build_seccomp(config);
  for (unsigned i = 0; i < MAX_SLOTS; i++) slots[i].net_fd = -1;
  if (pipe2(news, O_CLOEXEC | O_NONBLOCK)) fail("pipe");
  become_subreaper();
  int signals = await_signals();
  bool closing = false, any_left = true;
  bool watch_stdin = config->conn_fd < 0 && !config->guarded;
  fill();
  while (!closing || any_left) {
    struct pollfd fds[3] = {{signals, POLLIN, 0}, {news[0], POLLIN, 0},
                            {watch_stdin ? 0 : -1, POLLIN, 0}};
    if (poll(fds, 3, -1) < 0 && errno != EINTR) fail("poll");
    hear_news();
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) > 0)
      if (info.ssi_signo != SIGCHLD) closing = true;
    reap(closing, &any_left);
    char byte;
    if (fds[2].revents && read(0, &byte, 1) <= 0) closing = true;
    if (config->conn_fd >= 0) closing |= !any_left;
    else if (!closing) fill();
    if (!closing) continue;
    if (config->tier == TIER_NAMESPACES) exit(0); /* process 1: the kernel ends all the others */
    for (unsigned i = 0; i < config->max; i++)
      if (slots[i].state != FREE) kill(slots[i].pid, SIGTERM);
    watch_stdin = false;
  }
  remove_places();
  exit(0);
}
