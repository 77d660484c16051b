/*
 * What a command may do with files, and whom it may signal: Landlock's rules. Debian 12's headers
 * know ABI 3; these are the kernel's numbers up to ABI 6.
 */
#include "launcher.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* For good, and for all that the caller starts. */
bool enforce_ruleset(int ruleset) { return syscall(LANDLOCK_RESTRICT, ruleset, 0) == 0; }
