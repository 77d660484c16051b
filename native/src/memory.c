/*
 * How much memory the processes of one command hold, as far as /proc and the kernel's socket
 * diagnostics show it: for hosts on which no cgroup can be made to count it.
 */
#include "launcher.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

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
