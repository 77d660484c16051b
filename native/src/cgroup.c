/*
 * A memory cgroup for each slot of the pool: the kernel's own count of all that a command makes it
 * hold, also of what no process shows (shared anonymous memory, page tables, socket buffers,
 * files in a tmpfs), and a limit that cannot be outrun.
 *
 * The cgroups are made once, by root where we are, and belong to whom the pool runs as. A slot's
 * serves one command after the other: nothing is made or removed while one waits. Only the
 * command's own process goes in, between fork and exec; we are neither charged nor killed.
 */
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum file { JOIN, LIMIT, SWAP, PEAK, EVENTS, CURRENT, RECLAIM, STAT, FILES };
static const struct file_kind {
  const char *v1, *v2;
  int flags;
  bool needed;
} kinds[FILES] = {
    /* One thread, and by itself, moves without a lock that holds up all forks of the host. */
    [JOIN] = {"tasks", "cgroup.procs", O_WRONLY, true},
    [LIMIT] = {"memory.limit_in_bytes", "memory.max", O_RDWR, true},
    [SWAP] = {"memory.memsw.limit_in_bytes", "memory.swap.max", O_RDWR, false},
    [PEAK] = {"memory.max_usage_in_bytes", "memory.peak", O_RDWR, false},
    [EVENTS] = {"memory.oom_control", "memory.events", O_RDONLY, true},
    [CURRENT] = {"memory.usage_in_bytes", "memory.current", O_RDONLY, true},
    [RECLAIM] = {"memory.force_empty", "memory.reclaim", O_WRONLY, false},
    [STAT] = {"memory.stat", "memory.stat", O_RDONLY, true},
};
static int files[MAX_SLOTS][FILES];
static enum cgroup_kind kind;
static int base_fd = -1, server_fd = -1; /* the folder of ours and of our slots' cgroups */
static char server_name[32];
static unsigned slot_count;
static pid_t owner; /* the only process that removes them */

static const char *slurp_at(int dir_fd, const char *name) {
  static char text[64 << 10];
  int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
  size_t length = 0;
  for (ssize_t got; fd >= 0 && length < sizeof text - 1; length += (size_t)got)
    if ((got = read(fd, text + length, sizeof text - 1 - length)) <= 0) break;
  if (fd >= 0) close(fd);
  text[length] = 0;
  return text;
}

static bool write_at(int dir_fd, const char *name, const char *text) {
  int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);
  bool written = fd >= 0 && write(fd, text, strlen(text)) > 0;
  if (fd >= 0) close(fd);
  return written;
}

static bool has_word(const char *list, const char *word, const char *separators) {
  size_t length = strlen(word);
  while (*list) {
    size_t next = strcspn(list, separators);
    if (next == length && !strncmp(list, word, length)) return true;
    list += next + (list[next] != 0);
  }
  return false;
}

/* ---- finding our own cgroup ---- */

/* Our path in the hierarchy that counts memory, as /proc/self/cgroup tells it. */
static bool own_path(bool v1, char path[PATH_MAX]) {
  char *text = strdup(slurp_at(AT_FDCWD, "/proc/self/cgroup")), *rest = text;
  bool found = false;
  for (char *line; text && !found && (line = strsep(&rest, "\n"));) {
    char *controllers = strchr(line, ':'), *end = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!end) continue;
    *end = 0;
    found = v1 ? has_word(controllers + 1, "memory", ",") : controllers[1] == 0;
    if (found) snprintf(path, PATH_MAX, "%s", end + 1);
  }
  free(text);
  return found;
}

/* Where that hierarchy is mounted; how much of our path the mount's own root takes up. */
static bool own_folder(bool v1, char folder[PATH_MAX]) {
  char path[PATH_MAX];
  if (!own_path(v1, path)) return false;
  char *text = strdup(slurp_at(AT_FDCWD, "/proc/self/mountinfo")), *rest = text;
  bool found = false;
  for (char *line; text && !found && (line = strsep(&rest, "\n"));) {
    char *tail = strstr(line, " - "), root[512], point[512], type[32], options[512];
    if (!tail || sscanf(line, "%*s %*s %*s %511s %511s", root, point) != 2) continue;
    if (sscanf(tail, " - %31s %*s %511s", type, options) != 2) continue;
    if (strcmp(type, v1 ? "cgroup" : "cgroup2") || (v1 && !has_word(options, "memory", ","))) continue;
    size_t above = strcmp(root, "/") ? strlen(root) : 0;
    if (strncmp(path, root, above) || (path[above] && path[above] != '/')) continue;
    found = snprintf(folder, PATH_MAX, "%s%s", point, path + above) < PATH_MAX;
  }
  free(text);
  return found;
}

static int open_folder(int at, const char *name) {
  return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool hands_memory_down(int fd) {
  return has_word(slurp_at(fd, "cgroup.subtree_control"), "memory", " \n") ||
         write_at(fd, "cgroup.subtree_control", "+memory");
}

/*
 * Below our own cgroup, so that what bounds us bounds the commands, too. Under version 2 a cgroup
 * that holds processes, as ours does, has no children with limits: then beside it.
 */
static enum cgroup_kind open_base(void) {
  char folder[PATH_MAX];
  if (own_folder(true, folder)) {
    base_fd = open_folder(AT_FDCWD, folder);
    return base_fd < 0 ? CGROUP_NONE : CGROUP_V1;
  }
  if (!own_folder(false, folder)) return CGROUP_NONE;
  base_fd = open_folder(AT_FDCWD, folder);
  if (base_fd < 0) return CGROUP_NONE;
  if (hands_memory_down(base_fd)) return CGROUP_V2;
  int parent = open_folder(base_fd, "..");
  close(base_fd);
  base_fd = parent;
  return parent >= 0 && has_word(slurp_at(parent, "cgroup.subtree_control"), "memory", " \n")
             ? CGROUP_V2
             : CGROUP_NONE;
}

/* ---- making and removing ---- */

static void remove_server(int at, const char *name, int fd) {
  char slot[16];
  for (unsigned i = 0; i < MAX_SLOTS; i++) {
    snprintf(slot, sizeof slot, "%u", i);
    unlinkat(fd, slot, AT_REMOVEDIR);
  }
  unlinkat(at, name, AT_REMOVEDIR);
}

/* A server holds a lock on its folder for as long as any process of it lives. */
static void sweep_dead_servers(void) {
  int again = open_folder(base_fd, ".");
  DIR *dir = again < 0 ? NULL : fdopendir(again);
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    const char *name = entry->d_name;
    if (strncmp(name, "errand-", 7) || strspn(name + 7, "0123456789") != strlen(name + 7)) continue;
    int fd = open_folder(base_fd, name);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) remove_server(base_fd, name, fd);
    if (fd >= 0) close(fd);
  }
  if (dir) closedir(dir);
}

static bool make_server(void) {
  unsigned number = (unsigned)getpid();
  /* The number may be taken by a server in another process namespace, or by a swept one's rest. */
  for (int attempt = 0; attempt < 8; attempt++, number += 1u << 22) {
    snprintf(server_name, sizeof server_name, "errand-%u", number);
    if (mkdirat(base_fd, server_name, 0755)) {
      if (errno == EEXIST) continue;
      return false;
    }
    server_fd = open_folder(base_fd, server_name);
    if (server_fd >= 0 && flock(server_fd, LOCK_EX | LOCK_NB) == 0 &&
        faccessat(base_fd, server_name, F_OK, 0) == 0)
      return kind == CGROUP_V1 || hands_memory_down(server_fd);
    if (server_fd >= 0) close(server_fd); /* swept before we had the lock */
    server_fd = -1;
  }
  return false;
}

static const char *file_name(int i) { return kind == CGROUP_V1 ? kinds[i].v1 : kinds[i].v2; }

static bool make_slot(unsigned slot, uid_t owner_uid) {
  char name[16];
  snprintf(name, sizeof name, "%u", slot);
  for (int i = 0; i < FILES; i++) files[slot][i] = -1;
  if (mkdirat(server_fd, name, 0755)) return false;
  int fd = open_folder(server_fd, name);
  bool complete = fd >= 0;
  for (int i = 0; complete && i < FILES; i++) {
    bool there = faccessat(fd, file_name(i), F_OK, 0) == 0;
    bool given = there && owner_uid != 0 && kinds[i].flags != O_RDONLY;
    complete = (there || !kinds[i].needed) &&
               (!given || fchownat(fd, file_name(i), owner_uid, owner_uid, 0) == 0);
  }
  if (complete && kind == CGROUP_V2) {
    write_at(fd, "memory.oom.group", "1");
    write_at(fd, "memory.swap.max", "0");
    /* Owning it is not enough here, but the kernel judges a write by who opened the file. */
    files[slot][JOIN] = openat(fd, file_name(JOIN), O_WRONLY | O_CLOEXEC);
    complete = files[slot][JOIN] >= 0;
  }
  if (fd >= 0) close(fd);
  return complete;
}

/* Opens the files of a slot that is used for the first time: every fork copies all descriptors. */
void cgroup_use(const struct config *config, unsigned slot) {
  if (config->cgroup == CGROUP_NONE || files[slot][CURRENT] >= 0) return;
  for (int i = 0; i < FILES; i++) {
    char path[64];
    snprintf(path, sizeof path, "%u/%s", slot, file_name(i));
    if (files[slot][i] < 0) files[slot][i] = openat(server_fd, path, kinds[i].flags | O_CLOEXEC);
    if (files[slot][i] < 0 && i == PEAK) /* readable since Linux 5.19, set back since 6.12 */
      files[slot][i] = openat(server_fd, path, O_RDONLY | O_CLOEXEC);
    if (files[slot][i] < 0 && kinds[i].needed) fail(path);
  }
}

void open_cgroups(struct config *config) {
  struct rlimit open_files;
  if (config->watch_only) return;
  owner = getpid();
  kind = open_base();
  if (kind == CGROUP_NONE) return;
  rlim_t wanted = (rlim_t)config->max * FILES + 128;
  if (getrlimit(RLIMIT_NOFILE, &open_files)) return;
  if (open_files.rlim_cur < wanted) {
    open_files.rlim_cur = wanted < open_files.rlim_max ? wanted : open_files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &open_files);
  }
  sweep_dead_servers();
  uid_t pool_uid = geteuid() == 0 ? config->uid : 0;
  bool complete = make_server();
  for (slot_count = 0; complete && slot_count < config->max; slot_count++)
    complete = make_slot(slot_count, config->tier == TIER_NAMESPACES ? pool_uid : 0);
  if (complete) config->cgroup = kind;
  else remove_cgroups(0);
}

/* A cgroup can be removed once the last of its processes has gone from the kernel's lists. */
void remove_cgroups(unsigned patience_ms) {
  if (server_fd < 0 || getpid() != owner) return;
  for (;; patience_ms -= patience_ms < 2 ? patience_ms : 2) {
    remove_server(base_fd, server_name, server_fd);
    if (patience_ms == 0 || faccessat(base_fd, server_name, F_OK, 0)) return;
    usleep(2000);
  }
}

/* ---- one command ---- */

static const char *read_file(unsigned slot, enum file which) {
  static char text[8192];
  ssize_t length = files[slot][which] < 0 ? -1 : pread(files[slot][which], text, sizeof text - 1, 0);
  text[length > 0 ? length : 0] = 0;
  return text;
}

static uint64_t read_number(unsigned slot, enum file which) {
  return strtoull(read_file(slot, which), NULL, 10);
}

static bool write_number(unsigned slot, enum file which, uint64_t number) {
  char text[24];
  int length = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
  return pwrite(files[slot][which], text, (size_t)length, 0) == length;
}

/* The value of a line "name value". */
static uint64_t field(const char *text, const char *name) {
  size_t length = strlen(name);
  for (const char *line = text; line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (!strncmp(line, name, length) && line[length] == ' ')
      return strtoull(line + length, NULL, 10);
  }
  return 0;
}

/* What nobody can take back from the command: no cache of files, and less what `files` says. */
static uint64_t held(unsigned slot) {
  static const char *const parts[][10] = {
      [CGROUP_V1] = {"rss", "shmem", "swap"},
      [CGROUP_V2] = {"anon", "shmem", "kernel_stack", "pagetables", "sec_pagetables", "percpu",
                     "sock", "vmalloc", "slab_unreclaimable"},
  };
  const char *stat = read_file(slot, STAT);
  uint64_t sum = 0;
  for (size_t i = 0; i < 10 && parts[kind][i]; i++) sum += field(stat, parts[kind][i]);
  return sum;
}

static uint64_t oom_kills(unsigned slot) { return field(read_file(slot, EVENTS), "oom_kill"); }

/*
 * Before the next command comes. Caches of files stay: the kernel drops them when the limit is
 * near, and reading them again would cost every command. What else the last one left goes.
 */
void cgroup_prepare(struct sandbox *sandbox) {
  enum { NEGLIGIBLE = 4 << 20 };
  unsigned slot = sandbox->slot;
  if (sandbox->config->cgroup == CGROUP_NONE) return;
  for (int attempt = 0; attempt < 40 && read_number(slot, CURRENT) > NEGLIGIBLE; attempt++) {
    const char *stat = read_file(slot, STAT);
    uint64_t cache = field(stat, "inactive_file") + field(stat, "active_file");
    if (read_number(slot, CURRENT) <= cache + NEGLIGIBLE) break;
    if (attempt % 10 == 1) { /* a tmpfs needs a moment to go with its namespace */
      if (kind == CGROUP_V1) write_number(slot, RECLAIM, 0);
      else write_number(slot, RECLAIM, read_number(slot, CURRENT));
    }
    usleep(2000);
  }
  sandbox->oom_kills = oom_kills(slot);
  sandbox->peak_is_own = files[slot][PEAK] >= 0 && pwrite(files[slot][PEAK], "0", 1, 0) == 1;
  sandbox->old_peak = read_number(slot, PEAK);
}

/*
 * The command may have `bytes` of memory and `disk` of files, if these are memory, too. Both count
 * in one: this limit stops whatever is too fast for the watch, which looks at the difference.
 */
bool cgroup_limit(struct sandbox *sandbox, uint64_t bytes, uint64_t disk) {
  unsigned slot = sandbox->slot;
  if (sandbox->config->cgroup == CGROUP_NONE) return true;
  uint64_t leftover = 0, page = (uint64_t)sysconf(_SC_PAGESIZE);
  sandbox->charged_before = read_number(slot, CURRENT);
  if (sandbox->charged_before > 4u << 20) leftover = held(slot);
  if (leftover < 1u << 20) leftover = 0;
  sandbox->held_before = leftover;
  uint64_t wanted = (bytes + disk + leftover + page - 1) / page * page;
  uint64_t now = read_number(slot, LIMIT); /* "max" reads as 0 */
  bool with_swap = kind == CGROUP_V1 && files[slot][SWAP] >= 0;
  if (now == wanted) return true;
  /* The sum with swap may never be below the limit without. */
  if (with_swap && wanted > now && !write_number(slot, SWAP, wanted)) return false;
  if (!write_number(slot, LIMIT, wanted)) return false;
  return !with_swap || wanted > now || write_number(slot, SWAP, wanted);
}

bool cgroup_join(const struct sandbox *sandbox) {
  return sandbox->config->cgroup == CGROUP_NONE || write(files[sandbox->slot][JOIN], "0", 1) == 1;
}

/* Whether the kernel has killed a process of this command for want of memory. */
bool cgroup_has_killed(const struct sandbox *sandbox) {
  return sandbox->config->cgroup != CGROUP_NONE && oom_kills(sandbox->slot) > sandbox->oom_kills;
}

/* What the command holds now, less its files; nothing exact is needed below `limit`. */
uint64_t cgroup_memory(const struct sandbox *sandbox, uint64_t limit, uint64_t disk_used) {
  uint64_t charged = read_number(sandbox->slot, CURRENT), before = sandbox->charged_before;
  if (charged <= limit) return charged > before ? charged - before : 0;
  uint64_t bytes = held(sandbox->slot), own = sandbox->held_before + disk_used;
  return bytes > own ? bytes - own : 0;
}

/* The most that was charged at once, where this kernel tells it for one command. */
uint64_t cgroup_peak(const struct sandbox *sandbox) {
  if (sandbox->config->cgroup == CGROUP_NONE) return 0;
  uint64_t peak = read_number(sandbox->slot, PEAK);
  if (!sandbox->peak_is_own && peak <= sandbox->old_peak) return 0; /* of an earlier command */
  return peak > sandbox->charged_before ? peak - sandbox->charged_before : 0;
}
