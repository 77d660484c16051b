/*
 * The processes of one command: counting, signalling, reaping. In the namespaces tier the kernel
 * knows them: all of the process namespace whose process 1 we are. In the others they are our
 * descendants; as subreaper we become the parent of every orphan among them, so none gets away.
 */
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_PROCESSES = 8192 };
struct process processes[MAX_PROCESSES];

/* Reads a small /proc file; empty when the process has gone. */
const char *slurp(int proc_fd, const char *path) {
  static char text[4096];
  int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[length > 0 ? length : 0] = 0;
  return text;
}

static pid_t parent_of(int proc_fd, pid_t pid) {
  char path[32];
  snprintf(path, sizeof path, "%d/stat", pid);
  const char *text = strrchr(slurp(proc_fd, path), ')'); /* a name may hold anything, even ')' */
  int parent = 0;
  return text && sscanf(text, ") %*c %d", &parent) == 1 ? parent : 0;
}

static DIR *open_dir(int proc_fd, const char *path) {
  int fd = proc_fd < 0 ? -1 : openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return fd < 0 ? NULL : fdopendir(fd);
}

/* Every process that /proc shows, but process 1. */
static unsigned list_all(int proc_fd, bool with_parents) {
  unsigned count = 0;
  DIR *dir = open_dir(proc_fd, ".");
  for (struct dirent *entry; dir && count < MAX_PROCESSES && (entry = readdir(dir));) {
    pid_t pid = atoi(entry->d_name);
    if (pid <= 1) continue;
    processes[count++] = (struct process){pid, with_parents ? parent_of(proc_fd, pid) : 1, false};
  }
  if (dir) closedir(dir);
  return count;
}

/* Appends the children of a process: each of its threads has its own. */
static unsigned append_children(int proc_fd, pid_t pid, unsigned count) {
  char path[64];
  snprintf(path, sizeof path, "%d/task", pid);
  DIR *dir = open_dir(proc_fd, path);
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%d/task/%d/children", pid, atoi(entry->d_name));
    const char *text = slurp(proc_fd, path);
    for (char *end; *text && count < MAX_PROCESSES; text = end + (*end == ' ')) {
      pid_t child = (pid_t)strtol(text, &end, 10);
      if (end == text) break;
      processes[count++] = (struct process){child, pid, true};
    }
  }
  if (dir) closedir(dir);
  return count;
}

/* For kernels that do not list children (CONFIG_PROC_CHILDREN): all processes by their parents. */
static unsigned list_by_parents(int proc_fd, pid_t self) {
  unsigned count = list_all(proc_fd, true), ours = 0;
  for (bool more = true; more;) { /* a parent may be listed after its child */
    more = false;
    for (unsigned i = 0; i < count; i++) {
      if (processes[i].ours) continue;
      bool descends = processes[i].parent == self;
      for (unsigned j = 0; !descends && j < count; j++)
        descends = processes[j].ours && processes[j].pid == processes[i].parent;
      if (descends) more = processes[i].ours = true;
    }
  }
  for (unsigned i = 0; i < count; i++)
    if (processes[i].ours) processes[ours++] = processes[i];
  return ours;
}

/* Lists the command's processes in processes[0..n). */
unsigned list_tree(const struct sandbox *sandbox) {
  if (sandbox->config->tier == TIER_NAMESPACES) return list_all(sandbox->proc_fd, false);
  char own[64];
  pid_t self = getpid();
  snprintf(own, sizeof own, "self/task/%d/children", self);
  if (sandbox->proc_fd < 0 || faccessat(sandbox->proc_fd, own, R_OK, 0))
    return list_by_parents(sandbox->proc_fd, self);
  unsigned count = append_children(sandbox->proc_fd, self, 0);
  for (unsigned i = 0; i < count; i++)
    count = append_children(sandbox->proc_fd, processes[i].pid, count);
  return count;
}

void signal_tree(const struct sandbox *sandbox, int signal) {
  if (sandbox->config->tier == TIER_NAMESPACES) {
    kill(-1, signal); /* all of the namespace but ourselves, in one step of the kernel's */
    return;
  }
  unsigned count = list_tree(sandbox);
  for (unsigned i = 0; i < count; i++) kill(processes[i].pid, signal);
}

/* Returns when no process of the command is left, having killed them all. */
void reap_all(const struct sandbox *sandbox) {
  bool alone = sandbox->config->tier == TIER_NAMESPACES;
  for (;;) {
    if (alone) signal_tree(sandbox, SIGKILL);
    pid_t pid;
    do pid = waitpid(-1, NULL, alone ? 0 : WNOHANG);
    while (pid > 0 || (pid < 0 && errno == EINTR));
    if (pid < 0) return; /* ECHILD: as init or subreaper, no child means no descendant */
    signal_tree(sandbox, SIGKILL);
    usleep(200);
  }
}

/* Kills what has become our child without being one of `known`, and all that it leaves to us. */
void kill_strays(const pid_t *known, unsigned count) {
  pid_t self = getpid();
  for (bool found = true; found;) {
    found = false;
    DIR *dir = opendir("/proc");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
      pid_t pid = atoi(entry->d_name);
      bool stray = pid > 1 && parent_of(dirfd(dir), pid) == self;
      for (unsigned i = 0; i < count; i++) stray &= known[i] != pid;
      if (!stray || kill(pid, SIGKILL)) continue;
      waitpid(pid, NULL, 0);
      found = true;
    }
    if (dir) closedir(dir);
  }
}

/*
 * Threads that count against the RLIMIT_NPROC of our own user, less those of processes that hide
 * as we do. Looking at every process takes milliseconds, so the pool does it once a second.
 */
void count_uid_tasks(struct sandbox *sandbox, time_t valid_seconds) {
  if (sandbox->config->tier == TIER_NAMESPACES || sandbox->config->own_uid) return;
  if (geteuid() == 0) return; /* the limit does not hold root */
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (sandbox->uid_tasks_at && now.tv_sec - sandbox->uid_tasks_at < valid_seconds) return;
  uint64_t tasks = 0;
  DIR *dir = opendir("/proc");
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    char path[32];
    struct stat info;
    if (atoi(entry->d_name) <= 0) continue;
    snprintf(path, sizeof path, "%d/task", atoi(entry->d_name));
    /* A folder has two links, and one more for each folder in it: here, one for each thread. */
    if (fstatat(dirfd(dir), path, &info, 0) || info.st_uid != geteuid() || info.st_nlink < 3)
      continue;
    tasks += info.st_nlink - 2;
  }
  if (dir) closedir(dir);
  sandbox->uid_tasks = (unsigned)tasks;
  sandbox->uid_tasks_at = now.tv_sec;
}
