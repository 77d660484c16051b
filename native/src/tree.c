/*
 * The processes of one command: counting, signalling, reaping. In the namespaces tier the kernel
 * knows them: all of the process namespace whose process 1 we are. In the others they are our
 * descendants; as subreaper we become the parent of every orphan among them, so none gets away.
 */
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_PROCESSES = 8192 };
static struct process {
  pid_t pid, parent;
  bool ours;
} processes[MAX_PROCESSES];

/* Reads a small /proc file; empty when the process has gone. */
static const char *slurp(int proc_fd, const char *path) {
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
static unsigned list_tree(const struct sandbox *sandbox) {
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

/* `name` starts with a newline: a process can name itself "VmRSS:", but not begin a line. */
static uint64_t kilobytes(const char *text, const char *name) {
  const char *line = strstr(text, name);
  return line ? strtoull(line + strlen(name), NULL, 10) * 1024 : 0;
}

/* Kernel memory of one file in a tmpfs, however empty; the content is bounded by its size. */
static uint64_t inode_memory(const struct sandbox *sandbox) {
  struct statvfs disk;
  if (sandbox->config->tier != TIER_NAMESPACES || statvfs(sandbox->work, &disk)) return 0;
  return (uint64_t)(disk.f_files - disk.f_ffree) * 1024;
}

/*
 * Shared anonymous memory stays when no page of it is mapped, and no process shows that. What can
 * be seen is how much of each such object was ever mapped; it counts while any of it still is.
 */
enum { MAX_OBJECTS = 1024 };
static struct object {
  uint64_t inode, bytes, mapped;
} objects[MAX_OBJECTS];
static unsigned object_count;

static void note_mapping(const char *line) {
  unsigned long long from, to, inode;
  char shared;
  if (sscanf(line, "%llx-%llx %*c%*c%*c%c %*x %*x:%*x %llu", &from, &to, &shared, &inode) != 4) return;
  if (shared != 's' || !strstr(line, " /dev/zero (deleted)")) return;
  unsigned i = 0;
  while (i < object_count && objects[i].inode != inode) i++;
  if (i == MAX_OBJECTS) return;
  if (i == object_count) objects[object_count++] = (struct object){inode, 0, 0};
  objects[i].mapped += to - from;
}

static void note_mappings(int proc_fd, pid_t pid) {
  static char text[32 << 10];
  char path[32];
  snprintf(path, sizeof path, "%d/maps", pid);
  int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
  size_t kept = 0;
  for (ssize_t got; fd >= 0 && (got = read(fd, text + kept, sizeof text - 1 - kept)) > 0;) {
    char *line = text;
    text[kept + (size_t)got] = 0;
    for (char *end; (end = strchr(line, '\n')); line = end + 1) {
      *end = 0;
      note_mapping(line);
    }
    kept = strlen(line);
    memmove(text, line, kept);
    if (kept == sizeof text - 1) kept = 0;
  }
  if (fd >= 0) close(fd);
  for (unsigned i = 0; i < object_count; i++) { /* several processes may map the same */
    if (objects[i].mapped > objects[i].bytes) objects[i].bytes = objects[i].mapped;
  }
}

/* Objects of the processes listed in processes[0..count). */
static uint64_t shared_memory(int proc_fd, unsigned count) {
  uint64_t sum = 0;
  bool alive[MAX_OBJECTS] = {false};
  for (unsigned i = 0; i < count; i++) {
    for (unsigned j = 0; j < object_count; j++) objects[j].mapped = 0;
    note_mappings(proc_fd, processes[i].pid);
    for (unsigned j = 0; j < object_count; j++) alive[j] |= objects[j].mapped > 0;
  }
  unsigned left = 0;
  for (unsigned j = 0; j < object_count; j++) {
    if (!alive[j]) continue;
    sum += objects[j].bytes;
    objects[left++] = objects[j];
  }
  object_count = left;
  return sum;
}

/* What lies in the buffers of the Unix sockets of our network namespace. */
static uint64_t socket_memory(const struct sandbox *sandbox) {
  static char answer[32 << 10] __attribute__((aligned(8)));
  static int fd = -2;
  struct {
    struct nlmsghdr head;
    struct unix_diag_req body;
  } ask = {
      .head = {sizeof ask, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 0, 0},
      .body = {.sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_show = UDIAG_SHOW_MEMINFO},
  };
  if (sandbox->config->tier != TIER_NAMESPACES) return 0; /* the others' would count, too */
  if (fd == -2) fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0 || send(fd, &ask, sizeof ask, 0) < 0) return 0;
  uint64_t sum = 0;
  for (ssize_t got; (got = recv(fd, answer, sizeof answer, MSG_DONTWAIT)) > 0;) {
    unsigned length = (unsigned)got;
    for (struct nlmsghdr *message = (struct nlmsghdr *)answer; NLMSG_OK(message, length);
         message = NLMSG_NEXT(message, length)) {
      if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY) return sum; /* done, or not offered here */
      struct rtattr *part = (struct rtattr *)((struct unix_diag_msg *)NLMSG_DATA(message) + 1);
      unsigned rest = message->nlmsg_len - (unsigned)NLMSG_LENGTH(sizeof(struct unix_diag_msg));
      for (; RTA_OK(part, rest); part = RTA_NEXT(part, rest))
        if (part->rta_type == UNIX_DIAG_MEMINFO) sum += ((uint32_t *)RTA_DATA(part))[SK_MEMINFO_WMEM_ALLOC];
    }
  }
  return sum;
}

/*
 * Resident memory, swapped memory, page tables, and what can be seen of memory that no process
 * shows; the cgroup, where there is one, makes all this unnecessary. The plain sum counts a page once for each
 * process that shares it; `proportional` divides it among them, and costs far more.
 */
struct tree_memory tree_memory(const struct sandbox *sandbox, uint64_t limit, bool proportional) {
  uint64_t outside = inode_memory(sandbox) + socket_memory(sandbox);
  struct tree_memory sum = {outside, outside, list_tree(sandbox)};
  uint64_t address_space = 0, shared = 0, anonymous = 0;
  for (unsigned i = 0; i < sum.processes; i++) {
    char path[48];
    snprintf(path, sizeof path, "%d/status", processes[i].pid);
    const char *status = slurp(sandbox->proc_fd, path);
    uint64_t resident = kilobytes(status, "\nVmRSS:");
    address_space += kilobytes(status, "\nVmSize:");
    shared += kilobytes(status, "\nRssShmem:");
    uint64_t tables = kilobytes(status, "\nVmPTE:"), own = kilobytes(status, "\nRssAnon:");
    sum.bytes += tables + kilobytes(status, "\nVmSwap:");
    sum.certain += tables;
    if (own > anonymous) anonymous = own;
    if (proportional) {
      snprintf(path, sizeof path, "%d/smaps_rollup", processes[i].pid);
      const char *rollup = slurp(sandbox->proc_fd, path);
      if (*rollup) resident = kilobytes(rollup, "\nPss:");
    }
    sum.bytes += resident;
  }
  /* Once there was a shared object it is looked for every time: a tree can hold many of which it
   * has hardly anything mapped, and its address space stays small. */
  bool look = address_space > limit || shared > 0 || object_count > 0;
  uint64_t objects_bytes = look ? shared_memory(sandbox->proc_fd, sum.processes) : 0;
  if (objects_bytes > shared) sum.bytes += objects_bytes - shared;
  sum.certain += anonymous;
  return sum;
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

/* ---- the scratch folder of the tiers without a tmpfs; links are never followed ---- */

/* Empties a folder. What lies too deep for our descriptors is moved up, for the next pass. */
static bool empty(int fd, int top_fd, unsigned depth, unsigned *moved) {
  fchmod(fd, 0700); /* a command can take the permissions away from its own folders */
  DIR *dir = fdopendir(fd);
  if (!dir) return close(fd), false;
  for (struct dirent *entry; (entry = readdir(dir));) {
    const char *name = entry->d_name;
    if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
    if (unlinkat(fd, name, 0) == 0) continue;
    if (depth == 64) {
      char to[32];
      snprintf(to, sizeof to, ".errand-%u", (*moved)++);
      renameat(fd, name, top_fd, to);
      continue;
    }
    int sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub < 0 && errno == EACCES && fchmodat(fd, name, 0700, 0) == 0)
      sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub >= 0) empty(sub, top_fd < 0 ? fd : top_fd, depth + 1, moved);
    unlinkat(fd, name, AT_REMOVEDIR);
  }
  closedir(dir);
  return true;
}

bool remove_tree(const char *path) {
  unsigned moved = 0;
  for (unsigned before = 1; before != moved || moved == 0;) {
    before = moved;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && chmod(path, 0700) == 0)
      fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT;
    if (!empty(fd, -1, 0, &moved)) return false;
    if (rmdir(path) == 0) return true;
    if (moved == 0) return false;
  }
  return false;
}

uint64_t disk_usage(int dir_fd, const char *name, unsigned depth) {
  uint64_t bytes = 0;
  int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    struct stat info;
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW)) continue;
    bytes += (uint64_t)info.st_blocks * 512 + 256;
    if (S_ISDIR(info.st_mode) && depth < 32) bytes += disk_usage(fd, entry->d_name, depth + 1);
  }
  if (dir) closedir(dir);
  return bytes;
}
